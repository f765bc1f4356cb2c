//! Contracts: signed under a copy of the preferences in force, and charged.

use aggregates::{
    calendar::Period,
    customer::{self, Customer},
    id::{ChargeId, CustomerId, PlanId, SubscriptionId, TenantId},
    money::{Currency, Money},
    preferences::{self, Preferences},
    subscription::{self, Agreement, Command, Cycle, NewCharge, Status, Subscription, Terms},
    terms::{InvoiceTrigger, InvoicingPreferences},
};
use chrono::NaiveDate;
use projections::subscription::SubscriptionView;

use super::App;
use crate::journal::{CommandError, Request, Streams};

/// A contract to be signed. What is `None` of its invoicing comes from the customer, then from the tenant.
#[derive(Clone, Copy, Debug)]
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
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl App {
    /// Signs a contract. The preferences it copies are those in force when it takes effect: their stream is locked with
    /// it, so no change of them can fall between the copy and the signature.
    pub async fn sign_contract(&self, request: &Request, new: NewContract) -> Result<SubscriptionId, SigningError> {
        let plan = projections::catalog::plan(self.journal.views(), &request.tenant, new.plan).await;
        if plan.map_err(CommandError::from)?.is_none() {
            return Err(SigningError::UnknownPlan(new.plan));
        }
        if let Some(InvoiceTrigger::Periodic(rule)) = new.invoice_trigger
            && rule.count == 0
        {
            return Err(CommandError::from(preferences::Refused::EmptyCycle).into());
        }
        let subscription = SubscriptionId(request.derive("subscription"));
        let (stream, customer) = (subscription.to_string(), new.customer.to_string());
        let tenant = request.tenant.as_str();
        let streams = Streams::new()
            .with::<Customer>(&customer)
            .with::<Preferences>(tenant)
            .with_new::<Subscription>(&stream);
        let signed = self.journal.execute(request, streams, |unit| {
            let own = match unit.state::<Customer>(&customer) {
                Customer::Absent => return Err(customer::Refused::Unknown.into()),
                Customer::Forgotten { .. } => return Err(customer::Refused::Forgotten.into()),
                Customer::Known { profile, .. } => profile.automatic_payment,
            };
            let invoicing = overlaid(unit.state::<Preferences>(tenant).invoicing, own, &new);
            let at = unit.at();
            let agreement = Agreement {
                customer: new.customer,
                plan: Some(new.plan),
                currency: new.currency,
                cycle: new.cycle,
                activation: new.activation.unwrap_or(at.date_naive()),
                status: if new.pending { Status::Pending } else { Status::Active },
                terms: Terms::Contract { invoicing },
                order: None,
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

    pub async fn contracts_of(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
    ) -> Result<Vec<SubscriptionView>, CommandError> {
        Ok(projections::subscription::subscriptions_of(self.journal.views(), tenant, customer).await?)
    }
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
