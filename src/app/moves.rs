//! Moves: a contract or an order goes on as another customer's from a day on.

use aggregates::{
    billing::{Kind, Phase, Price},
    calendar::local_date,
    customer::{self, Customer},
    id::{CustomerId, LineId, SubscriptionId, TenantId},
    subscription::{self, Agreement, ChargeType, Command, OrderDetails, OrderLine, Status, Subscription},
    usage::Meter,
};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    App,
    contracts::followed::{leave_rest, successor},
    desk::Desk,
    orders::order_with_number,
};
use crate::journal::{CommandError, Request, Streams, Unit};

/// How long an order's number may be.
pub const MAX_NUMBER: usize = 64;

/// To whom, and from which day on: today where none is named.
#[derive(Clone, Debug)]
pub struct Move {
    pub customer: CustomerId,
    pub effective: Option<NaiveDate>,
    /// The number of an order as it goes on; made of its number and the new account's code where absent.
    pub order: Option<String>,
}

/// What goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    pub contract: SubscriptionId,
    pub effective: NaiveDate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    pub status: Status,
    pub next_billing: Option<DateTime<Utc>>,
}

/// The contract that a contract becomes another customer's as, if it ever does: there is one for ever.
fn moved_to(tenant: &TenantId, contract: SubscriptionId) -> SubscriptionId {
    SubscriptionId(tenant.derive(&format!("move/{contract}")))
}

impl App {
    /// Ends the subscription and signs the one it goes on as in one append, and bills both: what the old customer has paid
    /// of days behind the move becomes their credit.
    pub async fn move_subscription(
        &self,
        request: &Request,
        id: SubscriptionId,
        to: &Move,
    ) -> Result<Moved, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let tenant = &request.tenant;
        let now = self.subscription_state(tenant, id).await?;
        let agreement = now.agreement().ok_or(subscription::Refused::Unknown)?;
        if to.order.is_some() && agreement.order.is_none() {
            return Err(subscription::Refused::NotAnOrder.into());
        }
        let customer = self.customer(tenant, to.customer).await?;
        let customer = customer.ok_or(customer::Refused::Unknown)?;
        // The number decides which stream an order is.
        let number = agreement.order.as_ref().map(|order| match &to.order {
            Some(number) => number.clone(),
            None => format!("{}-{}", order.number, customer.code),
        });
        if let Some(number) = number.as_ref().filter(|number| number.len() > MAX_NUMBER) {
            let (number, most) = (number.clone(), MAX_NUMBER);
            return Err(subscription::Refused::NumberTooLong { number, most }.into());
        }
        let next = match &number {
            Some(number) => order_with_number(tenant, number),
            None => moved_to(tenant, id),
        };
        let streams = Streams::new()
            .with::<Subscription>(id)
            .with::<Subscription>(next)
            .with::<Subscription>(successor(tenant, id))
            .with::<Customer>(to.customer)
            .with::<Meter>(id);
        let streams = self.with_rests_before(streams, tenant, &now).await?;
        let moved = self
            .journal
            .execute(request, streams, |unit| {
                hand_over(unit, id, next, number.as_deref(), to)
            })
            .await?;
        // What the old one gives back is told first.
        for one in [id, next] {
            if let Err(error) = self.bill_subscription(request, one, request.at).await {
                tracing::warn!(subscription = %one, %error, "a move is billed later");
            }
        }
        Ok(moved)
    }
}

fn hand_over(
    unit: &mut Unit<'_>,
    id: SubscriptionId,
    next: SubscriptionId,
    number: Option<&str>,
    to: &Move,
) -> Result<Moved, CommandError> {
    let (at, old, new) = (unit.at(), id.to_string(), next.to_string());
    let (account, profile) = match unit.state::<Customer>(&to.customer.to_string()) {
        Customer::Absent => return Err(customer::Refused::Unknown.into()),
        Customer::Forgotten { .. } => return Err(customer::Refused::Forgotten.into()),
        Customer::Known { code, profile, .. } => (code.clone(), profile.clone()),
    };
    let agreement = unit.state::<Subscription>(&old).agreement();
    let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
    profile.is_billed_in(agreement.currency)?;
    let today = local_date(at, agreement.zone());
    // What is pending has no beginning to wait for.
    let begins = if agreement.status == Status::Pending {
        today
    } else {
        agreement.activation
    };
    let effective = to.effective.unwrap_or(today.max(begins));
    let going_on = GoingOn {
        id: next,
        customer: to.customer,
        account: &account,
        number,
        time_zone: profile.time_zone,
        effective,
    };
    perform(unit, id, &going_on)?;
    let state = unit.state::<Subscription>(&new);
    Ok(Moved {
        contract: next,
        effective,
        order: number.map(str::to_owned),
        status: state.agreement().map_or(Status::Active, |agreement| agreement.status),
        next_billing: state.progress().and_then(|progress| progress.next_billing),
    })
}

/// Whose it is from which day on, and as what.
struct GoingOn<'a> {
    id: SubscriptionId,
    customer: CustomerId,
    /// The customer's code.
    account: &'a str,
    /// Of an order.
    number: Option<&'a str>,
    time_zone: Option<String>,
    effective: NaiveDate,
}

/// The old subscription ends, and the one that it goes on as is signed.
fn perform<D: Desk>(desk: &mut D, id: SubscriptionId, to: &GoingOn<'_>) -> Result<(), CommandError> {
    let (at, effective) = (desk.at(), to.effective);
    let (old, new) = (id.to_string(), to.id.to_string());
    let state = desk.state::<Subscription>(&old).clone();
    let move_on = Command::HandOver {
        at,
        effective,
        to: to.id,
        customer: to.customer,
    };
    desk.send::<Subscription>(&old, &move_on)?;
    not_upgraded(desk, id, &state)?;
    desk.send::<Subscription>(&old, &Command::Cancel { at, effective })?;
    leave_rest(desk, id)?;
    let agreed = going_on(desk.tenant(), at, id, &state, to)?;
    not_used(desk, &old, &agreed.phases, effective)?;
    let sign = Command::Sign {
        at,
        subscription: to.id,
        agreement: Box::new(agreed),
    };
    desk.send::<Subscription>(&new, &sign)?;
    let progress = state.progress().ok_or(subscription::Refused::Unknown)?;
    // What stands still, or was to, does; and so does what was to end.
    if state.agreement().is_some_and(|old| old.status == Status::Paused) {
        let from = progress.stands_still_from.max(Some(effective)).unwrap_or(effective);
        desk.send::<Subscription>(&new, &Command::Pause { at, from })?;
    }
    if let Some(effective) = progress.ends {
        desk.send::<Subscription>(&new, &Command::Cancel { at, effective })?;
    }
    Ok(())
}

/// The same move as the one that was signed so, of what would have been under other terms.
pub(super) fn moved_again<D: Desk>(
    desk: &mut D,
    id: SubscriptionId,
    next: SubscriptionId,
    signed: &Agreement,
) -> Result<(), CommandError> {
    let order = signed.order.as_deref();
    let to = GoingOn {
        id: next,
        customer: signed.customer,
        account: order.map_or("", |order| &order.account),
        number: order.map(|order| order.number.as_str()),
        time_zone: signed.time_zone.clone(),
        effective: signed.activation,
    };
    perform(desk, id, &to)
}

/// The agreement as another customer has it.
fn going_on(
    tenant: &TenantId,
    at: DateTime<Utc>,
    id: SubscriptionId,
    state: &Subscription,
    to: &GoingOn<'_>,
) -> Result<Agreement, CommandError> {
    let (effective, next) = (to.effective, to.id);
    let old = state.agreement().ok_or(subscription::Refused::Unknown)?;
    let mut phases = state.handed_over(at, effective)?;
    let line = |line: LineId| LineId(tenant.derive(&format!("move/{next}/{line}")));
    let mut under_way = state.under_way(&phases, effective);
    let mut counted = state.counted(effective);
    let mut paid_before = state.paid_ahead(effective)?;
    let order = old.order.as_deref().zip(to.number).map(|(order, number)| {
        under_way = under_way.iter().map(|was| line(*was)).collect();
        counted = counted.drain(..).map(|before| before.renamed(line)).collect();
        paid_before = paid_before.iter().map(|(was, day)| (line(*was), *day)).collect();
        Box::new(renamed(order, &mut phases, number, to.account, line))
    });
    let is_pending = old.status == Status::Pending;
    Ok(Agreement {
        customer: to.customer,
        activation: effective,
        // It stands still, where it does, from this day on.
        status: if is_pending { Status::Pending } else { Status::Active },
        offer: old.offer.clone().filter(|_| is_pending),
        order,
        phases,
        under_way,
        goes_on_from: state.goes_on_from(effective),
        counted,
        paid_before,
        rest_before: std::collections::BTreeMap::new(),
        trial_end: old.trial_end.filter(|end| *end > effective),
        time_zone: to.time_zone.clone(),
        proration: None,
        policy: Some(old.rules()),
        moved_from: Some(id),
        upgraded_from: None,
        usage_from: old.usage_until(effective),
        invoice_calendar: old.kept_calendar(),
        ..old.clone()
    })
}

/// What another plan was to follow would be followed by it still, and not for the new customer.
fn not_upgraded<D: Desk>(desk: &D, id: SubscriptionId, old: &Subscription) -> Result<(), CommandError> {
    let to = successor(desk.tenant(), id);
    let stream = to.to_string();
    let is_signed = desk.holds::<Subscription>(&stream) && desk.state::<Subscription>(&stream).agreement().is_some();
    let ends = old.progress().is_some_and(|progress| progress.ends.is_some());
    if is_signed && ends {
        return Err(subscription::Refused::Upgraded { to }.into());
    }
    Ok(())
}

/// Usage that was recorded belongs to who it was recorded for: a move comes behind it.
fn not_used<D: Desk>(desk: &D, old: &str, phases: &[Phase], effective: NaiveDate) -> Result<(), CommandError> {
    if !desk.holds::<Meter>(old) {
        return Ok(());
    }
    let usage = desk.state::<Meter>(old).usage();
    for phase in phases {
        if let Kind::Metered { metric, .. } = &phase.kind
            && let Some(day) = usage.known_from(metric, effective)
        {
            let metric = metric.clone();
            return Err(subscription::Refused::UsageRecorded { metric, day }.into());
        }
    }
    Ok(())
}

/// The order under another number: lines have ids of their own, so that what is said of a line is said of one order.
fn renamed(
    order: &OrderDetails,
    phases: &mut [Phase],
    number: &str,
    account: &str,
    id: impl Fn(LineId) -> LineId,
) -> OrderDetails {
    let mut lines: Vec<OrderLine> = Vec::new();
    for phase in phases {
        let (was, line) = (phase.line, id(phase.line));
        phase.line = line;
        if lines.iter().any(|known| known.id == line) {
            continue;
        }
        let ordered = order.lines.iter().find(|ordered| ordered.id == was);
        let price = match &phase.price {
            Price::PerUnit { amount, .. } | Price::Flat { amount } => Some(*amount),
            _ => None,
        };
        lines.push(OrderLine {
            id: line,
            item: ordered.map_or_else(|| phase.name.clone(), |ordered| ordered.item.clone()),
            name: ordered.and_then(|ordered| ordered.name.clone()),
            // A line that is charged in whole units keeps the parts that were ordered.
            quantity: ordered
                .map(|ordered| ordered.quantity)
                .filter(|exact| exact.ceil() == phase.quantity.ceil())
                .unwrap_or(phase.quantity),
            price: price.or(ordered.map(|ordered| ordered.price)).unwrap_or_default(),
            tax: ordered.and_then(|ordered| ordered.tax.clone()),
            charge_type: match phase.kind {
                Kind::OneOff => ChargeType::OneOff,
                Kind::Trial | Kind::Recurring => ChargeType::Recurring,
                Kind::Metered { .. } => ChargeType::Metered,
            },
        });
    }
    let kept = order
        .line_billing
        .iter()
        .map(|(line, billing)| (id(*line), billing.clone()));
    OrderDetails {
        number: number.to_owned(),
        account: account.to_owned(),
        line_billing: kept
            .filter(|(line, _)| lines.iter().any(|known| known.id == *line))
            .collect(),
        lines,
        ..order.clone()
    }
}
