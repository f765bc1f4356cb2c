//! Orders: placed under a number of the account's series, billed by preferences of their own, cancelled.

pub mod changes;
pub mod lines;

use std::collections::BTreeMap;

use aggregates::{
    billing::TaxMode,
    billing_start::BillingStart,
    calendar::local_date,
    customer::{self, Customer},
    id::{CustomerId, LineId, SubscriptionId, TenantId},
    money::Currency,
    number_series::{self, NumberSeries},
    order_terms::{LineBilling, LineBillingChanges, OrderBillingChanges, OrderBillingPreferences},
    policy::{BillingPolicy, PolicyChanges, PolicyOwner},
    preferences::Preferences,
    subscription::{self, Agreement, Command, OrderDetails, OrderLine, Status, Subscription, Terms},
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::order::{OrderView, Window};
use serde::{Deserialize, Serialize};

use super::{
    App,
    usage::used_days::{self, with_usage},
};
use crate::journal::{CommandError, Request, Streams, Unit};

/// How often a number is sought while others take the same one.
const NUMBERS_TRIED: u32 = 500;

/// What is ordered, by whom, and how its billing differs from the account's.
#[derive(Clone, Debug)]
pub struct NewOrder {
    pub customer: CustomerId,
    /// Code of the account, as it is written in order numbers.
    pub account: String,
    /// The caller's own number; the next of the account's series when absent.
    pub number: Option<String>,
    pub name: Option<String>,
    pub currency: Currency,
    pub start: NaiveDate,
    pub price_tax_inclusive: bool,
    pub lines: Vec<OrderLine>,
    pub billing: OrderBillingChanges,
}

/// What an order can say beyond its preferences.
#[derive(Clone, Debug, Default)]
pub struct Particulars {
    pub lines: BTreeMap<LineId, LineBilling>,
    pub start: Option<BillingStart>,
}

/// What a change of an order's billing starts from: what holds now, or what the account has.
#[derive(Clone, Debug)]
pub enum BillingUpdate {
    Merge(OrderBillingChanges),
    Replace(OrderBillingChanges),
}

/// The same for one line of an order.
#[derive(Clone, Debug)]
pub enum LineUpdate {
    Merge(LineBillingChanges),
    Replace(LineBilling),
}

/// An order as a command left it: stored with the command, so that a retry gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    pub number: String,
    pub status: Status,
    pub billing: OrderBillingPreferences,
    pub at: DateTime<Utc>,
}

/// The order that has a number: one number, one order, whoever takes it first.
pub(super) fn order_with_number(tenant: &TenantId, number: &str) -> SubscriptionId {
    SubscriptionId(tenant.derive(&format!("order/{number}")))
}

impl App {
    pub async fn create_order(&self, request: &Request, new: &NewOrder) -> Result<Placed, CommandError> {
        self.create_order_with(request, new, &Particulars::default()).await
    }

    /// With what is said of its lines and of its start.
    pub async fn create_order_with(
        &self,
        request: &Request,
        new: &NewOrder,
        particulars: &Particulars,
    ) -> Result<Placed, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        if let Some(number) = &new.number {
            let streams = Streams::new()
                .with::<Customer>(new.customer)
                .with::<Preferences>(&request.tenant);
            let order = order_with_number(&request.tenant, number);
            return self
                .journal
                .execute(request, streams.with::<Subscription>(order), |unit| {
                    sign(unit, order, number, new, particulars)
                })
                .await;
        }
        self.create_numbered(request, new, particulars).await
    }

    /// The number decides which stream the order is, so it is looked at first and taken if it is still the next one.
    async fn create_numbered(
        &self,
        request: &Request,
        new: &NewOrder,
        particulars: &Particulars,
    ) -> Result<Placed, CommandError> {
        let series = request.tenant.derive(&format!("orders/{}", new.account)).to_string();
        for _ in 0..NUMBERS_TRIED {
            let next = self.next_number(request, &series).await?;
            let number = format!("ORD-{}-{next:04}", new.account);
            let order = order_with_number(&request.tenant, &number);
            let streams = Streams::new()
                .with::<Customer>(new.customer)
                .with::<Preferences>(&request.tenant)
                .with::<Subscription>(order)
                .with::<NumberSeries>(&series);
            let placed = self
                .journal
                .execute(request, streams, |unit| {
                    take_number(unit, &series, next, &number)?;
                    sign(unit, order, &number, new, particulars)
                })
                .await;
            match placed {
                // Somebody chose this number for an order of theirs: the series passes it over.
                Err(CommandError::Refused(aggregates::Refused::Subscription(subscription::Refused::AlreadyExists))) => {
                    self.pass_over(request, &series, next, &number).await?;
                }
                Err(CommandError::Conflict) => {}
                done => return done,
            }
        }
        Err(CommandError::Conflict)
    }

    async fn next_number(&self, request: &Request, series: &str) -> Result<u64, CommandError> {
        let look = Request::new(
            request.tenant.clone(),
            request.actor.clone(),
            request.dialect,
            request.at,
        );
        let last = self
            .journal
            .execute(&look, Streams::new().with::<NumberSeries>(series), |unit| {
                Ok(unit.state::<NumberSeries>(series).last)
            })
            .await?;
        last.checked_add(1)
            .ok_or_else(|| number_series::Refused::Exhausted.into())
    }

    async fn pass_over(&self, request: &Request, series: &str, next: u64, number: &str) -> Result<(), CommandError> {
        let part = request.part(&format!("taken/{next}"));
        let passed = self
            .journal
            .execute(&part, Streams::new().with::<NumberSeries>(series), |unit| {
                take_number(unit, series, next, &format!("taken before: {number}"))
            })
            .await;
        match passed {
            Err(CommandError::Conflict) => Ok(()), // another call passed it over
            done => done,
        }
    }

    /// Answers with the order's billing as it is in force afterwards.
    pub async fn update_order_billing(
        &self,
        request: &Request,
        number: &str,
        update: &BillingUpdate,
    ) -> Result<Placed, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let view = self.order(&request.tenant, number).await?;
        let view = view.ok_or(subscription::Refused::Unknown)?;
        let (stream, customer) = (view.id.to_string(), view.customer.to_string());
        let streams = Streams::new().with::<Subscription>(&stream).with::<Customer>(&customer);
        self.journal
            .execute(request, streams, |unit| {
                let preferences = match update {
                    BillingUpdate::Merge(changes) => changes.clone().over(&billing(unit, &stream)?),
                    BillingUpdate::Replace(changes) => changes.clone().over(&account_billing(unit, &customer)),
                };
                let command = Command::UpdateBillingPreferences {
                    at: unit.at(),
                    preferences: Box::new(preferences),
                };
                unit.send::<Subscription>(&stream, &command)?;
                placed(unit, &stream, number)
            })
            .await
    }

    /// Answers with the order as it is afterwards; PUT forgets what was said of the line before.
    pub async fn update_line_billing(
        &self,
        request: &Request,
        number: &str,
        line: LineId,
        update: &LineUpdate,
    ) -> Result<Placed, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let view = self.order(&request.tenant, number).await?;
        let stream = view.ok_or(subscription::Refused::Unknown)?.id.to_string();
        self.journal
            .execute(request, Streams::new().with::<Subscription>(&stream), |unit| {
                let agreement = unit.state::<Subscription>(&stream).agreement();
                let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
                let now = agreement.line_billing(line).cloned().unwrap_or_default();
                let billing = match update {
                    LineUpdate::Merge(changes) => changes.clone().over(&now),
                    // What its taxes are called was said elsewhere.
                    LineUpdate::Replace(billing) => LineBilling {
                        taxes: now.taxes,
                        ..billing.clone()
                    },
                };
                let (at, billing) = (unit.at(), Box::new(billing));
                unit.send::<Subscription>(&stream, &Command::UpdateLineBilling { at, line, billing })?;
                placed(unit, &stream, number)
            })
            .await
    }

    pub async fn cancel_order(
        &self,
        request: &Request,
        number: &str,
        effective: Option<NaiveDate>,
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
                    let at = unit.at();
                    let agreement = unit.state::<Subscription>(&stream).agreement();
                    let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
                    let today = local_date(at, agreement.zone());
                    let effective = effective.unwrap_or(today);
                    used_days::send(unit, id, Command::Cancel { at, effective })?;
                    placed(unit, &stream, number)
                },
            )
            .await
    }

    pub async fn order(&self, tenant: &TenantId, number: &str) -> Result<Option<OrderView>, CommandError> {
        Ok(projections::order::order(self.journal.views(), tenant, number).await?)
    }

    pub async fn orders(&self, tenant: &TenantId, window: Window) -> Result<Vec<OrderView>, CommandError> {
        Ok(projections::order::orders(self.journal.views(), tenant, window).await?)
    }

    pub async fn order_count(&self, tenant: &TenantId, customer: Option<CustomerId>) -> Result<i64, CommandError> {
        Ok(projections::order::count(self.journal.views(), tenant, customer).await?)
    }
}

/// Takes exactly this number; a conflict where another order was faster.
fn take_number(unit: &mut Unit<'_>, series: &str, next: u64, document: &str) -> Result<(), CommandError> {
    if unit.state::<NumberSeries>(series).last.checked_add(1) != Some(next) {
        return Err(CommandError::Conflict);
    }
    let command = number_series::Command::TakeNumber {
        for_document: document.to_owned(),
    };
    unit.send::<NumberSeries>(series, &command).map(|_| ())
}

/// Signs the order with a copy of the account's preferences under its own.
fn sign(
    unit: &mut Unit<'_>,
    order: SubscriptionId,
    number: &str,
    new: &NewOrder,
    particulars: &Particulars,
) -> Result<Placed, CommandError> {
    let customer = new.customer.to_string();
    let time_zone = match unit.state::<Customer>(&customer) {
        Customer::Absent => return Err(customer::Refused::Unknown.into()),
        Customer::Forgotten { .. } => return Err(customer::Refused::Forgotten.into()),
        Customer::Known { profile, .. } => {
            profile.is_billed_in(new.currency)?;
            profile.time_zone.clone()
        }
    };
    let billing = new.billing.clone().over(&account_billing(unit, &customer));
    let policy = policy(unit, new);
    let agreement = Agreement {
        customer: new.customer,
        plan: None,
        currency: new.currency,
        cycle: billing.billing_period.cycle(),
        activation: new.start,
        status: Status::Active,
        terms: Terms::Order {
            billing: Box::new(billing),
        },
        order: Some(Box::new(OrderDetails {
            number: number.to_owned(),
            account: new.account.clone(),
            name: new.name.clone(),
            price_tax_inclusive: new.price_tax_inclusive,
            lines: new.lines.clone(),
            line_billing: particulars.lines.clone(),
            billing_start: particulars.start,
            tax_level: policy.tax.level,
        })),
        offer: None,
        phases: Vec::new(),
        trial_end: None,
        proration: None,
        policy: Some(policy),
        time_zone,
        moved_from: None,
        upgraded_from: None,
        usage_from: None,
        under_way: std::collections::BTreeSet::new(),
        goes_on_from: None,
        counted: Vec::new(),
        paid_before: std::collections::BTreeMap::new(),
        rest_before: std::collections::BTreeMap::new(),
        invoice_calendar: None,
    };
    let stream = order.to_string();
    let command = Command::Sign {
        at: unit.at(),
        subscription: order,
        agreement: Box::new(agreement),
    };
    unit.send::<Subscription>(&stream, &command)?;
    placed(unit, &stream, number)
}

/// The tenant's policy; whether prices contain tax is said by the order itself.
fn policy(unit: &Unit<'_>, new: &NewOrder) -> BillingPolicy {
    let policy = unit.state::<Preferences>(unit.tenant().as_str()).policy;
    let mode = if new.price_tax_inclusive {
        TaxMode::Inclusive
    } else {
        TaxMode::Exclusive
    };
    let own = PolicyChanges {
        tax_mode: Some(mode),
        ..PolicyChanges::default()
    };
    policy.changed(&own, PolicyOwner::Subscription).unwrap_or(policy)
}

/// What new orders of the account start with.
fn account_billing(unit: &Unit<'_>, customer: &str) -> OrderBillingPreferences {
    let profile = unit.state::<Customer>(customer).profile();
    profile
        .and_then(|profile| profile.billing.as_deref().cloned())
        .unwrap_or_default()
}

fn billing(unit: &Unit<'_>, order: &str) -> Result<OrderBillingPreferences, CommandError> {
    let agreement = unit.state::<Subscription>(order).agreement();
    match &agreement.ok_or(subscription::Refused::Unknown)?.terms {
        Terms::Order { billing } => Ok((**billing).clone()),
        Terms::Contract { .. } => Err(subscription::Refused::NotAnOrder.into()),
    }
}

pub(super) fn placed(unit: &Unit<'_>, order: &str, number: &str) -> Result<Placed, CommandError> {
    let agreement = unit.state::<Subscription>(order).agreement();
    Ok(Placed {
        number: number.to_owned(),
        status: agreement.ok_or(subscription::Refused::Unknown)?.status,
        billing: billing(unit, order)?,
        at: unit.at(),
    })
}
