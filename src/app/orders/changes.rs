//! Changes of running orders: lines added, changed and taken away, another billing period, an end, a new beginning; what
//! they would come to; and the invoices of an order.

use std::collections::BTreeMap;

use aggregates::{
    billing::{Kind, Phase, Price, Timing, price::Limits},
    calendar::{local_date, midnight},
    catalog::PlanLine,
    id::{InvoiceId, LineId, SubscriptionId, TenantId},
    order_terms::{LineBilling, LineBillingChanges, OrderBillingChanges, OrderBillingPreferences},
    subscription::{self, Agreement, Change, ChargeType, Command, LineTax, OrderLine, Said, Subscription, Terms},
};
use chrono::{DateTime, Days, NaiveDate, Utc};
use projections::{
    invoice::{Filter, InvoiceView},
    page::Page,
    subscription::Scope,
};
use rust_decimal::Decimal;

use super::{
    Placed,
    lines::{check_totals, divided_otherwise, named},
    placed,
};
use crate::{
    app::{
        App,
        billing_run::units::MOST_ON_ONE_INVOICE,
        desk::{Desk, Rehearsal},
        fulfilments::{undelivered, with_latest},
        invoicing::{InvoicingError, Selection},
        previews::{MOST_STEPS, Preview, open_bills::OpenBills, rehearse},
        usage::used_days::{self, with_usage},
    },
    journal::{CommandError, Request, Streams},
};

/// What an order is to be billed for from `effective` (today when absent) on.
#[derive(Clone, Debug, Default)]
pub struct OrderChange {
    pub effective: Option<NaiveDate>,
    pub lines: Vec<LineChange>,
    /// Of the order, from its next charges on; another billing period is counted from the day of the change.
    pub billing: OrderBillingChanges,
}

/// How a line is billed holds from its next charge on.
#[derive(Clone, Debug)]
pub enum LineChange {
    Add {
        line: OrderLine,
        billing: Box<LineBillingChanges>,
    },
    /// What is absent stays.
    Set {
        line: LineId,
        quantity: Option<Decimal>,
        price: Option<Decimal>,
        tax: Option<TaxChange>,
        billing: Box<LineBillingChanges>,
    },
    Remove(LineId),
}

/// How a line is taxed from the day of the change on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaxChange {
    Exempt,
    /// Without a name it is called as the line's tax is called already.
    By(LineTax),
}

impl LineChange {
    pub fn line(&self) -> LineId {
        match self {
            Self::Add { line, .. } => line.id,
            Self::Set { line, .. } | Self::Remove(line) => *line,
        }
    }

    /// What it says of how the line is billed.
    pub(in crate::app) fn billing(&self) -> Option<&LineBillingChanges> {
        match self {
            Self::Add { billing, .. } | Self::Set { billing, .. } => {
                Some(&**billing).filter(|billing| !billing.names_nothing())
            }
            Self::Remove(_) => None,
        }
    }

    /// The tax it puts on the line.
    fn tax(&self) -> Option<&LineTax> {
        match self {
            Self::Add { line, .. } => line.tax.as_ref(),
            Self::Set {
                tax: Some(TaxChange::By(tax)),
                ..
            } => Some(tax),
            Self::Set { .. } | Self::Remove(_) => None,
        }
    }
}

impl App {
    pub async fn change_order(
        &self,
        request: &Request,
        number: &str,
        change: &OrderChange,
    ) -> Result<Placed, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let view = self.order(&request.tenant, number).await?;
        let id = view.ok_or(subscription::Refused::Unknown)?.id;
        let stream = id.to_string();
        self.journal
            .execute(
                request,
                with_usage(Streams::new().with::<Subscription>(id), id),
                |unit| {
                    perform(unit, id, change)?;
                    placed(unit, &stream, number)
                },
            )
            .await
    }

    /// What the change, and billing the order until it is billed, would come to: at `at`, or on the day of the change
    /// after it, or so many days later as its invoices are.
    pub async fn preview_order_change(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
        change: &OrderChange,
        at: DateTime<Utc>,
    ) -> Result<Preview, CommandError> {
        let mut desk = Rehearsal::new(tenant.clone(), at);
        let payer = self.lay(&mut desk, id).await?;
        let payer = payer.ok_or(subscription::Refused::Unknown)?;
        let day = perform(&mut desk, id, change)?;
        let agreement = desk.state::<Subscription>(&id.to_string()).agreement();
        let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
        let late = Days::new(agreement.policy().invoice_days.max(0).unsigned_abs());
        let day = day.checked_add_days(late).unwrap_or(day);
        let until = midnight(day, agreement.zone()).map_or(at, |day| day.max(at));
        let mut preview = Preview::default();
        let (mut bills, mut steps) = (OpenBills::of(tenant, payer), MOST_STEPS);
        let others = self.sharing_until(&desk, id, until).await?;
        if others.len() >= MOST_ON_ONE_INVOICE {
            let asked = (id, true);
            self.rehearse_by_pages(&mut desk, asked, others, until, &mut bills, &mut preview)
                .await?;
            return Ok(preview);
        }
        let together = self.lay_all(&mut desk, id, others).await?;
        let asked = (together.as_slice(), Some(id));
        rehearse(self, &mut desk, asked, &mut bills, until, &mut preview, &mut steps).await?;
        preview.keep(id);
        Ok(preview)
    }

    /// Sends an order's activation, or its reactivation.
    pub async fn start_order(
        &self,
        request: &Request,
        number: &str,
        effective: Option<NaiveDate>,
        again: bool,
    ) -> Result<Placed, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let view = self.order(&request.tenant, number).await?;
        let id = view.ok_or(subscription::Refused::Unknown)?.id;
        let (stream, order) = (id.to_string(), self.subscription_state(&request.tenant, id).await?);
        self.journal
            .execute(request, with_latest(&request.tenant, id, &order), |unit| {
                let at = unit.at();
                let agreement = unit.state::<Subscription>(&stream).agreement();
                let zone = agreement.ok_or(subscription::Refused::Unknown)?.zone();
                let day = effective.unwrap_or_else(|| local_date(at, zone));
                let command = if again {
                    let undelivered = undelivered(unit, id)?;
                    Command::Reactivate {
                        at,
                        from: day,
                        undelivered,
                    }
                } else {
                    Command::Activate { at, activation: day }
                };
                unit.send::<Subscription>(&stream, &command)?;
                placed(unit, &stream, number)
            })
            .await
    }

    /// Bills the order, and puts everything that waits on invoices: also where its terms leave that to a call.
    pub async fn invoice_order(&self, request: &Request, number: &str) -> Result<Vec<InvoiceId>, InvoicingError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let view = self.order(&request.tenant, number).await?;
        let id = view.ok_or(CommandError::from(subscription::Refused::Unknown))?.id;
        let billing = request.part("billing");
        let billed = self.bill_subscription(&billing, id, request.at).await?;
        // A call that was cut off and is sent again, or is sent twice at once, names what it made before.
        let mut invoices = if request.keyed {
            self.billed_before(&billing).await?
        } else {
            billed.invoices
        };
        let scope = Scope {
            customer: None,
            subscription: Some(id),
        };
        let part = request.part("invoices");
        invoices.extend(self.create_invoices(&part, &Selection::Pending(scope)).await?);
        if invoices.is_empty() {
            return Err(CommandError::from(subscription::Refused::NothingToInvoice).into());
        }
        Ok(self
            .journal
            .execute(request, Streams::new(), |_| Ok(invoices.clone()))
            .await?)
    }

    /// A page of an order's invoices, without the first `skip` of it.
    pub async fn invoices_of_order(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
        page: &Page,
        skip: u32,
    ) -> Result<Vec<InvoiceView>, CommandError> {
        let filter = Filter {
            subscription: Some(id),
            ..Filter::default()
        };
        let views = self.journal.views();
        Ok(projections::invoice::invoices_beyond(views, tenant, &filter, page, skip).await?)
    }

    pub async fn invoice_count_of_order(&self, tenant: &TenantId, id: SubscriptionId) -> Result<i64, CommandError> {
        let filter = Filter {
            subscription: Some(id),
            ..Filter::default()
        };
        self.count_invoices(tenant, &filter).await
    }
}

/// Sends what the change is made of; answers with its day.
fn perform<D: Desk>(desk: &mut D, id: SubscriptionId, wanted: &OrderChange) -> Result<NaiveDate, CommandError> {
    let (at, stream) = (desk.at(), id.to_string());
    let state = desk.state::<Subscription>(&stream);
    let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
    let effective = wanted.effective.unwrap_or_else(|| local_date(at, agreement.zone()));
    let change = change_of(state, agreement, wanted, effective)?;
    if !change.replaced.is_empty() {
        check_totals(agreement, &change)?;
        let behind = divided_otherwise(state, agreement, wanted, &change)?;
        for change in [change].into_iter().chain(behind) {
            let change = Box::new(change);
            used_days::send(desk, id, Command::Change { at, change })?;
        }
    }
    prefer(desk, &stream, wanted, effective)?;
    Ok(effective)
}

/// What is billed otherwise from the day on.
fn change_of(
    state: &Subscription,
    agreement: &Agreement,
    wanted: &OrderChange,
    effective: NaiveDate,
) -> Result<Change, CommandError> {
    let now = order_billing(agreement)?;
    let then = wanted.billing.clone().over(now);
    let (mut replaced, mut lines, mut said) = (Vec::new(), Vec::new(), BTreeMap::new());
    for change in &wanted.lines {
        let line = change.line();
        match change {
            LineChange::Add { line: new, billing } => {
                replaced.push(line);
                let own = (**billing).clone().over(&LineBilling::default());
                let as_said = Said {
                    quantity: Some(new.quantity),
                    divided: true,
                    own: Some(Box::new(own.clone())),
                    ..Said::default()
                };
                said.insert(line, as_said);
                let mut new = plan_line(new, &then, &own);
                // What was used must not count for two lines of one item.
                if let Kind::Metered { metric, .. } = &mut new.kind
                    && is_metered(agreement, &lines, metric, effective)
                {
                    *metric = line.to_string();
                }
                lines.push(new);
            }
            LineChange::Remove(_) => replaced.push(line),
            LineChange::Set { .. } => {
                if let Some((changed, as_said)) = changed(state, agreement, wanted, change, effective)? {
                    replaced.push(line);
                    lines.push(changed);
                    said.insert(line, as_said);
                }
            }
        }
    }
    let billing_period = Some(then.billing_period.clone()).filter(|period| *period != now.billing_period);
    if billing_period.is_some() {
        // The period is the same for all lines that have none of their own: those that stay as they are begin anew as
        // well.
        for line in state.begins_anew(effective, &replaced) {
            let own = agreement.line_billing(line.id).cloned().unwrap_or_default();
            let prorate = own.prorates(&then);
            replaced.push(line.id);
            said.insert(line.id, Said::default());
            lines.push(PlanLine { prorate, ..line });
        }
    }
    Ok(Change {
        replaced,
        lines,
        billing_period,
        said,
        ..Change::on(effective)
    })
}

pub(super) fn order_billing(agreement: &Agreement) -> Result<&OrderBillingPreferences, CommandError> {
    match &agreement.terms {
        Terms::Order { billing } => Ok(billing),
        Terms::Contract { .. } => Err(subscription::Refused::NotAnOrder.into()),
    }
}

/// Sends how the order and its lines are billed from now on, as far as the change says so.
fn prefer<D: Desk>(desk: &mut D, stream: &str, wanted: &OrderChange, effective: NaiveDate) -> Result<(), CommandError> {
    let at = desk.at();
    if wanted.billing != OrderBillingChanges::default() {
        let agreement = desk.state::<Subscription>(stream).agreement();
        let now = order_billing(agreement.ok_or(subscription::Refused::Unknown)?)?;
        let preferences = Box::new(wanted.billing.clone().over(now));
        desk.send::<Subscription>(stream, &Command::UpdateBillingPreferences { at, preferences })?;
    }
    for change in &wanted.lines {
        let (line, billing) = (change.line(), change.billing());
        let early = billing.and_then(|billing| billing.named.fixed_start);
        if early.is_some_and(|start| start < effective) && matches!(change, LineChange::Add { .. }) {
            let start = effective;
            return Err(subscription::Refused::LineTooEarly { line, start }.into());
        }
        let agreement = desk.state::<Subscription>(stream).agreement();
        let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
        let tax = change.tax().and_then(|tax| named(agreement, line, tax));
        if billing.is_none() && tax.is_none() {
            continue;
        }
        let now = agreement.line_billing(line).cloned().unwrap_or_default();
        let mut billing = billing.cloned().unwrap_or_default().over(&now);
        if let Some(tax) = tax {
            billing.name_tax(tax);
        }
        let billing = Box::new(billing);
        desk.send::<Subscription>(stream, &Command::UpdateLineBilling { at, line, billing })?;
    }
    Ok(())
}

/// Whether a line of the order meters that from `day` on, or one of those that begin does.
fn is_metered(agreement: &Agreement, begun: &[PlanLine], metric: &str, day: NaiveDate) -> bool {
    let goes_on = |phase: &Phase| phase.until.is_none_or(|until| until > day.max(phase.from));
    let own = |line: &PlanLine| matches!(&line.kind, Kind::Metered { metric: own, .. } if own == metric);
    let mut phases = agreement.phases.iter().filter(|phase| phase.meters(metric));
    phases.any(goes_on) || begun.iter().any(own)
}

/// The line as it is billed from the day on, and what was said of it; none where nothing but the way it is billed changes.
fn changed(
    state: &Subscription,
    agreement: &Agreement,
    wanted: &OrderChange,
    change: &LineChange,
    effective: NaiveDate,
) -> Result<Option<(PlanLine, Said)>, CommandError> {
    let LineChange::Set {
        line,
        quantity,
        price,
        tax,
        billing,
    } = change
    else {
        return Ok(None);
    };
    let now = state.line(*line, effective);
    let now = now.ok_or(subscription::Refused::UnknownLine { line: *line })?;
    if (quantity, price, tax) == (&None, &None, &None) && !billing.names_nothing() {
        return Ok(None);
    }
    let order = wanted.billing.clone().over(order_billing(agreement)?);
    let own = agreement.line_billing(*line).cloned().unwrap_or_default();
    let own = (**billing).clone().over(&own);
    let flags = [
        wanted.billing.pro_rata_partial_charging_period,
        wanted.billing.pro_rata_partial_pricing_period,
        billing.named.pro_rata_partial_charging_period,
        billing.named.pro_rata_partial_pricing_period,
    ];
    // Over periods of another length nothing is kept.
    let is_reshaped = order.billing_period != order_billing(agreement)?.billing_period;
    let divided = is_reshaped || flags.iter().any(Option::is_some);
    let prorate = if divided { own.prorates(&order) } else { now.prorate };
    let is_priced = price.is_some();
    let price = match (*price, now.price) {
        (None, kept) => kept,
        (Some(amount), Price::PerUnit { limits, .. }) => Price::PerUnit { amount, limits },
        (Some(amount), _) => per_unit(amount),
    };
    let whole = |units: Decimal| if own.partial_units(&order) { units } else { units.ceil() };
    let said = Said {
        quantity: *quantity,
        price: Some(price.clone()).filter(|_| is_priced),
        taxed: tax.is_some(),
        divided,
        prefers: Some(own.prorates(&order)),
        own: Some(Box::new(own.clone())),
    };
    let line = PlanLine {
        quantity: quantity.map_or(now.quantity, whole),
        price,
        prorate,
        tax_rate: match tax {
            None => now.tax_rate,
            Some(TaxChange::Exempt) => None,
            Some(TaxChange::By(tax)) => Some(tax.rate),
        },
        ..now
    };
    Ok(Some((line, said)))
}

fn per_unit(amount: Decimal) -> Price {
    Price::PerUnit {
        amount,
        limits: Limits::default(),
    }
}

/// A line as the phases of orders have them.
fn plan_line(line: &OrderLine, order: &OrderBillingPreferences, own: &LineBilling) -> PlanLine {
    let (kind, timing) = match line.charge_type {
        ChargeType::OneOff => (Kind::OneOff, Timing::Advance),
        ChargeType::Recurring => (Kind::Recurring, Timing::Advance),
        ChargeType::Metered => {
            let (metric, aggregation) = (line.item.clone(), aggregates::billing::Aggregation::Sum);
            (Kind::Metered { metric, aggregation }, Timing::Arrears)
        }
    };
    PlanLine {
        id: line.id,
        // The order keeps no item of a line that was not in it from the start: its name stands for it.
        name: line.item.clone(),
        flat_fee: line.charge_type != ChargeType::Metered,
        kind,
        timing,
        price: per_unit(line.price),
        quantity: if own.partial_units(order) {
            line.quantity
        } else {
            line.quantity.ceil()
        },
        prorate: own.prorates(order),
        tax_rate: line.tax.as_ref().map(|tax| tax.rate),
    }
}
