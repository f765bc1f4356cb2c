//! Contracts: signed under a copy of the preferences in force, and charged.

pub mod followed;
pub(super) mod upgrade_steps;
pub mod upgrades;

use aggregates::{
    billing::{Discount, Price},
    calendar::{self, Period},
    catalog::PlanLine,
    customer::{self, Customer},
    discount::DiscountRecord,
    id::{ChargeId, CustomerId, DiscountId, PlanId, SubscriptionId, TenantId},
    money::{Currency, Money},
    policy::{PolicyChanges, PolicyOwner},
    preferences::{self, Preferences},
    subscription::{self, Agreement, Command, Cycle, NewCharge, Offer, Status, Subscription, Terms},
    terms::{InvoiceTrigger, InvoicingPreferences},
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::subscription::SubscriptionView;
use rust_decimal::Decimal;

use super::App;
use crate::journal::{CommandError, Request, Streams};

/// A contract to be signed. What is `None` of its invoicing comes from the customer, then from the tenant.
#[derive(Clone, Debug)]
pub struct NewContract {
    pub customer: CustomerId,
    pub plan: PlanId,
    pub currency: Currency,
    pub cycle: Cycle,
    /// Today when `None`.
    pub activation: Option<NaiveDate>,
    pub automatic_payment: Option<bool>,
    pub invoice_trigger: Option<InvoiceTrigger>,
    /// Waits to be activated by hand.
    pub pending: bool,
    pub special: Special,
}

/// How a contract differs from its plan.
#[derive(Clone, Debug, Default)]
pub struct Special {
    pub trial_days: Option<u32>,
    /// Other quantities of lines, by the names callers know the lines by.
    pub units: Vec<(String, Decimal)>,
    /// See [`Offer::cycle_start_offset`].
    pub cycle_start_offset: Option<u32>,
    pub discount: Option<Discount>,
    /// What it is billed by instead of the tenant's policy.
    pub policy: PolicyChanges,
    /// A discount that was made before; it comes before `discount`.
    pub discount_id: Option<DiscountId>,
    /// Other prices of lines, by the names callers know the lines by.
    pub prices: Vec<(String, SpecialPrice)>,
}

/// What a contract pays for a line instead of the plan's price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecialPrice {
    /// Of a unit, or of a block of units.
    pub unit: Option<Decimal>,
    /// Of a line that costs the same whatever the units.
    pub flat: Option<Decimal>,
}

/// A charge as the caller states it: the amount is read in the contract's currency.
#[derive(Clone, Debug)]
pub struct ChargeOrder {
    pub name: String,
    pub amount: String,
    pub period: Period,
    pub flat_fee: bool,
    pub automatic_payment: Option<bool>,
}

#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("there is no plan {0}")]
    UnknownPlan(PlanId),
    #[error("the plan has no feature \"{0}\"")]
    UnknownFeature(String),
    #[error("feature \"{0}\" has no price of that kind")]
    OtherPrice(String),
    #[error("there is no discount {0}")]
    UnknownDiscount(DiscountId),
    #[error("the discount is in {got}, the contract in {expected}", expected = expected.code(), got = got.code())]
    DiscountCurrency { expected: Currency, got: Currency },
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl App {
    /// Signs a contract. The preferences it copies are those in force when it takes effect: their stream is locked with
    /// it, so no change of them can fall between the copy and the signature.
    pub async fn sign_contract(&self, request: &Request, new: NewContract) -> Result<SubscriptionId, SigningError> {
        let plan = projections::catalog::plan(self.journal.views(), &request.tenant, new.plan).await;
        let plan = plan.map_err(CommandError::from)?;
        let plan = plan.ok_or(SigningError::UnknownPlan(new.plan))?;
        if !plan.lines.is_empty() && plan.currency != new.currency {
            let (expected, got) = (plan.currency, new.currency);
            return Err(CommandError::from(subscription::Refused::WrongCurrency { expected, got }).into());
        }
        if let Some(InvoiceTrigger::Periodic(rule)) = new.invoice_trigger
            && rule.count == 0
        {
            return Err(CommandError::from(preferences::Refused::EmptyCycle).into());
        }
        let lines = with_units(&plan.lines, &new.special.units).map_err(SigningError::UnknownFeature)?;
        let lines = with_prices(lines, &new.special.prices)?;
        let mut special = new.special.clone();
        if let Some(id) = special.discount_id {
            special.discount = Some(self.named_discount(&request.tenant, id, new.currency).await?);
        }
        let subscription = SubscriptionId(request.derive("subscription"));
        let (stream, customer) = (subscription.to_string(), new.customer.to_string());
        let tenant = request.tenant.as_str();
        let streams = Streams::new()
            .with::<Customer>(&customer)
            .with::<Preferences>(tenant)
            .with_new::<Subscription>(&stream);
        let signed = self.journal.execute(request, streams, |unit| {
            let profile = match unit.state::<Customer>(&customer) {
                Customer::Absent => return Err(customer::Refused::Unknown.into()),
                Customer::Forgotten { .. } => return Err(customer::Refused::Forgotten.into()),
                Customer::Known { profile, .. } => profile.clone(),
            };
            profile.is_billed_in(new.currency)?;
            let own = profile.automatic_payment;
            let preferences = unit.state::<Preferences>(tenant);
            let invoicing = overlaid(preferences.invoicing, own, &new);
            let own_policy = preferences
                .policy
                .changed(&new.special.policy, PolicyOwner::Subscription);
            let policy = own_policy.unwrap_or(preferences.policy);
            let at = unit.at();
            let agreement = Agreement {
                customer: new.customer,
                plan: Some(new.plan),
                currency: new.currency,
                cycle: new.cycle,
                activation: new
                    .activation
                    .unwrap_or_else(|| today(at, profile.time_zone.as_deref())),
                status: if new.pending { Status::Pending } else { Status::Active },
                terms: Terms::Contract { invoicing },
                order: None,
                offer: offer(&lines, &special),
                phases: Vec::new(),
                trial_end: None,
                proration: None,
                policy: Some(policy),
                time_zone: profile.time_zone,
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
            let sign = Command::Sign {
                at,
                subscription,
                agreement: Box::new(agreement),
            };
            unit.send::<Subscription>(&stream, &sign)?;
            Ok(subscription)
        });
        Ok(signed.await?)
    }

    /// What a discount takes off a contract in that currency.
    async fn named_discount(
        &self,
        tenant: &TenantId,
        id: DiscountId,
        expected: Currency,
    ) -> Result<Discount, SigningError> {
        match self.discount(tenant, id).await? {
            DiscountRecord::Absent => Err(SigningError::UnknownDiscount(id)),
            DiscountRecord::Active {
                currency: Some(got), ..
            } if got != expected => Err(SigningError::DiscountCurrency { expected, got }),
            DiscountRecord::Active { terms, .. } => Ok(Discount { id: Some(id), ..terms }),
        }
    }

    /// Puts a charge on a contract, where it waits for its invoice.
    pub async fn add_charge(
        &self,
        request: &Request,
        subscription: SubscriptionId,
        order: &ChargeOrder,
    ) -> Result<ChargeId, CommandError> {
        let id = ChargeId(request.derive("charge"));
        let stream = subscription.to_string();
        self.journal
            .execute(request, Streams::new().with::<Subscription>(&stream), |unit| {
                let agreement = unit.state::<Subscription>(&stream).agreement();
                let currency = agreement.ok_or(subscription::Refused::Unknown)?.currency;
                let charge = NewCharge {
                    id,
                    name: order.name.clone(),
                    amount: Money::parse(&order.amount, currency).map_err(subscription::Refused::Money)?,
                    period: order.period,
                    flat_fee: order.flat_fee,
                    automatic_payment: order.automatic_payment,
                };
                let at = unit.at();
                unit.send::<Subscription>(&stream, &Command::AddCharge { at, charge })?;
                Ok(id)
            })
            .await
    }

    pub async fn contract(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
    ) -> Result<Option<SubscriptionView>, CommandError> {
        Ok(projections::subscription::subscription(self.journal.views(), tenant, id).await?)
    }

    /// All that is known of a subscription now.
    pub async fn subscription_state(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
    ) -> Result<Subscription, CommandError> {
        self.journal.state(tenant, &id.to_string()).await
    }

    pub async fn contracts_of(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
    ) -> Result<Vec<SubscriptionView>, CommandError> {
        Ok(projections::subscription::subscriptions_of(self.journal.views(), tenant, customer).await?)
    }
}

/// The day it is where the customer is.
pub(super) fn today(at: DateTime<Utc>, zone: Option<&str>) -> NaiveDate {
    let zone = zone.and_then(calendar::time_zone).unwrap_or(calendar::Tz::UTC);
    calendar::local_date(at, zone)
}

/// The plan as this contract takes it; nothing where the plan has no lines.
fn offer(lines: &[PlanLine], special: &Special) -> Option<Box<Offer>> {
    let offer = Offer {
        lines: lines.to_vec(),
        trial_days: special.trial_days,
        cycle_start_offset: special.cycle_start_offset,
        schedule: None,
        paid_until: None,
        divided_paid_until: None,
        discount: special.discount.clone(),
    };
    (!offer.lines.is_empty()).then(|| Box::new(offer))
}

/// The lines with these quantities, each by the line's id or its name in any spelling; or the name that no line has.
pub(super) fn with_units(lines: &[PlanLine], units: &[(String, Decimal)]) -> Result<Vec<PlanLine>, String> {
    let mut lines = lines.to_vec();
    for (name, quantity) in units {
        let mut named = lines.iter_mut().filter(|line| is_called(line, name)).peekable();
        named.peek().ok_or_else(|| name.clone())?;
        for line in named {
            line.quantity = *quantity;
        }
    }
    Ok(lines)
}

/// The lines at these prices, each by the line's id or its name in any spelling.
fn with_prices(mut lines: Vec<PlanLine>, prices: &[(String, SpecialPrice)]) -> Result<Vec<PlanLine>, SigningError> {
    for (name, special) in prices {
        let mut named = lines.iter_mut().filter(|line| is_called(line, name)).peekable();
        named.peek().ok_or_else(|| SigningError::UnknownFeature(name.clone()))?;
        let (mut unit, mut flat) = (special.unit.is_none(), special.flat.is_none());
        for line in named {
            match (&mut line.price, special) {
                (
                    Price::PerUnit { amount, .. } | Price::Package { amount, .. },
                    SpecialPrice { unit: Some(price), .. },
                ) => {
                    *amount = *price;
                    unit = true;
                }
                (Price::Flat { amount }, SpecialPrice { flat: Some(price), .. }) => {
                    *amount = *price;
                    flat = true;
                }
                _ => {}
            }
        }
        if !(unit && flat) {
            return Err(SigningError::OtherPrice(name.clone()));
        }
    }
    Ok(lines)
}

fn is_called(line: &PlanLine, name: &str) -> bool {
    let slug = |text: &str| -> String {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    line.id.to_string() == name || slug(&line.name) == slug(name)
}

/// The tenant's preferences, the customer's own choice over them, and the contract's over both.
fn overlaid(tenant: InvoicingPreferences, customer: Option<bool>, contract: &NewContract) -> InvoicingPreferences {
    InvoicingPreferences {
        automatic_payment: contract
            .automatic_payment
            .or(customer)
            .unwrap_or(tenant.automatic_payment),
        invoice_trigger: contract.invoice_trigger.unwrap_or(tenant.invoice_trigger),
        ..tenant
    }
}
