//! Subscribers of billing templates: added, paused, resumed, and billed period by period.

use aggregates::{
    billing_template::{self, BillingTemplate},
    customer::{self, Customer},
    id::{BillingTemplateId, CustomerId, PurchaseId, SubscriptionId, TenantId},
    number_series::NumberSeries,
    purchase::Purchase,
    subscriber::{self, Choices, Command, EndReason, Known, Subscriber},
};
use chrono::{DateTime, Utc};
use projections::{
    page::Page,
    subscriber::{DueSubscriber, SubscriberView},
};
use serde::{Deserialize, Serialize};

use super::{
    App,
    purchases::{NewPurchase, client_now, make_purchase, series},
};
use crate::journal::{CommandError, Request, Streams, Unit};

/// How many periods one call bills: what is left is due at once again.
const MAX_PERIODS: usize = 1000;

/// A new subscriber, and the purchase to be paid before the cycle begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    pub subscriber: SubscriptionId,
    pub purchase: Option<PurchaseId>,
}

/// What became of one look at a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    Billed(PurchaseId),
    /// Its next period is another one now.
    Moved,
    NothingDue,
}

/// The purchase of a period: the same whoever bills it, and however often that is tried.
fn purchase_of(tenant: &TenantId, subscriber: SubscriptionId, number: u32) -> PurchaseId {
    PurchaseId(tenant.derive(&format!("subscriber/{subscriber}/{number}")))
}

impl App {
    /// Adds a customer to the subscribers of a template. Where its first period begins at once, a purchase is made that
    /// starts the cycle when it is paid.
    pub async fn add_subscriber(
        &self,
        request: &Request,
        template: BillingTemplateId,
        customer: CustomerId,
        choices: &Choices,
    ) -> Result<Added, CommandError> {
        let series = series(&request.tenant);
        let subscriber = SubscriptionId(request.derive("subscriber"));
        let first = purchase_of(&request.tenant, subscriber, 0);
        let streams = Streams::new()
            .with::<BillingTemplate>(template)
            .with::<Customer>(customer)
            .with::<NumberSeries>(&series)
            .with_new::<Subscriber>(subscriber)
            .with_new::<Purchase>(first);
        self.journal
            .execute(request, streams, |unit| {
                let at = unit.at();
                let known = unit.state::<BillingTemplate>(&template.to_string()).known();
                let terms = &known.ok_or(billing_template::Refused::Unknown)?.terms;
                let recurring = terms.recurring().ok_or(billing_template::Refused::WrongKind)?;
                if !matches!(unit.state::<Customer>(&customer.to_string()), Customer::Known { .. }) {
                    return Err(customer::Refused::Unknown.into());
                }
                let purchase = (recurring.rhythm.first() == 0).then_some(first);
                let order = terms.cycle(template, subscriber, choices, at)?;
                let add = Command::Add {
                    at,
                    subscriber,
                    template,
                    customer,
                    rhythm: recurring.rhythm,
                    time_zone: terms.details.time_zone.clone(),
                    choices: choices.clone(),
                    first_purchase: purchase,
                };
                unit.send::<Subscriber>(&subscriber.to_string(), &add)?;
                if let Some(purchase) = purchase {
                    let new = NewPurchase {
                        purchase,
                        customer,
                        client: client_now(unit, customer),
                        order,
                        sent: choices.send_invoice_on_add_subscriber,
                    };
                    make_purchase(unit, &series, new)?;
                } else {
                    let launch = billing_template::Command::Launch { at };
                    unit.send::<BillingTemplate>(&template.to_string(), &launch)?;
                }
                Ok(Added { subscriber, purchase })
            })
            .await
    }

    /// Changes what the merchant may choose, and with `paused` whether the subscriber is billed. `merge` may run several
    /// times.
    pub async fn change_subscriber(
        &self,
        request: &Request,
        id: SubscriptionId,
        paused: Option<bool>,
        merge: impl Fn(&mut Choices) + Send + Sync,
    ) -> Result<(), CommandError> {
        let stream = id.to_string();
        self.journal
            .execute(request, Streams::new().with::<Subscriber>(&stream), |unit| {
                let at = unit.at();
                let known = unit.state::<Subscriber>(&stream).known();
                let mut choices = known.ok_or(subscriber::Refused::Unknown)?.choices.clone();
                merge(&mut choices);
                unit.send::<Subscriber>(&stream, &Command::ChangeChoices { at, choices })?;
                match paused {
                    Some(true) => unit.send::<Subscriber>(&stream, &Command::Pause { at })?,
                    Some(false) => unit.send::<Subscriber>(&stream, &Command::Resume { at })?,
                    None => Vec::new(),
                };
                Ok(())
            })
            .await
    }

    /// Makes the purchases of every period that has begun by `until`, oldest first; answers with those it made. However
    /// often and by how many this is asked, every period is billed once: its purchase's id follows from it.
    pub async fn bill_subscriber(
        &self,
        request: &Request,
        id: SubscriptionId,
        until: DateTime<Utc>,
    ) -> Result<Vec<PurchaseId>, CommandError> {
        let until = until.min(request.at);
        let mut made = Vec::new();
        for _ in 0..MAX_PERIODS {
            let view = self.subscriber(&request.tenant, id).await?;
            let view = view.ok_or(subscriber::Refused::Unknown)?;
            let Some(number) = view.next_number else { break };
            match self.bill_period(request, &view, number, until).await? {
                Step::Billed(purchase) => made.push(purchase),
                Step::Moved => {}
                Step::NothingDue => break,
            }
        }
        Ok(made)
    }

    async fn bill_period(
        &self,
        request: &Request,
        view: &SubscriberView,
        number: u32,
        until: DateTime<Utc>,
    ) -> Result<Step, CommandError> {
        let series = series(&request.tenant);
        let purchase = purchase_of(&request.tenant, view.id, number);
        let streams = Streams::new()
            .with::<Subscriber>(view.id)
            .with::<BillingTemplate>(view.template)
            .with::<Customer>(view.customer)
            .with::<NumberSeries>(&series)
            .with_new::<Purchase>(purchase);
        let part = request.part(&format!("subscriber/{}/{number}", view.id));
        self.journal
            .execute(&part, streams, |unit| {
                let (at, stream) = (unit.at(), view.id.to_string());
                let Some(known) = unit.state::<BillingTemplate>(&view.template.to_string()).known() else {
                    return end(unit, &stream, EndReason::TemplateDeleted);
                };
                if !matches!(
                    unit.state::<Customer>(&view.customer.to_string()),
                    Customer::Known { .. }
                ) {
                    return end(unit, &stream, EndReason::CustomerForgotten);
                }
                let (terms, halted) = (known.terms.clone(), known.pauses(state(unit, &stream)?.zone()));
                let skip = Command::SkipPauses {
                    at,
                    template: halted.clone(),
                };
                unit.send::<Subscriber>(&stream, &skip)?;
                let now = state(unit, &stream)?;
                match now.billable(&halted) {
                    Some(next) if next.number != number => return Ok(Step::Moved),
                    Some(next) if next.begins <= until => {}
                    Some(_) | None => return Ok(Step::NothingDue),
                }
                let order = terms.cycle(view.template, view.id, &now.choices, at)?;
                let bill = Command::Bill {
                    at,
                    number,
                    purchase,
                    limit: terms.recurring().and_then(|terms| terms.cycles),
                };
                unit.send::<Subscriber>(&stream, &bill)?;
                let new = NewPurchase {
                    purchase,
                    customer: view.customer,
                    client: client_now(unit, view.customer),
                    order,
                    sent: true,
                };
                make_purchase(unit, &series, new)?;
                Ok(Step::Billed(purchase))
            })
            .await
    }

    /// Whether a call under this key has changed a subscriber before.
    pub async fn subscriber_changed(&self, request: &Request) -> Result<bool, CommandError> {
        if !request.keyed {
            return Ok(false);
        }
        Ok(self.journal.reply::<()>(request).await?.is_some())
    }

    pub async fn subscriber(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
    ) -> Result<Option<SubscriberView>, CommandError> {
        Ok(projections::subscriber::subscriber(self.journal.views(), tenant, id).await?)
    }

    pub async fn subscribers_of(
        &self,
        tenant: &TenantId,
        template: BillingTemplateId,
        page: &Page,
    ) -> Result<Vec<SubscriberView>, CommandError> {
        Ok(projections::subscriber::subscribers_of(self.journal.views(), tenant, template, page).await?)
    }

    /// The subscribers of all tenants that are to be billed by then, the longest due first.
    pub async fn due_subscribers(
        &self,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<DueSubscriber>, CommandError> {
        Ok(projections::subscriber::due_subscribers(self.journal.views(), until, limit).await?)
    }
}

fn state<'a>(unit: &'a Unit<'_>, stream: &str) -> Result<&'a Known, CommandError> {
    let known = unit.state::<Subscriber>(stream).known();
    known.ok_or_else(|| subscriber::Refused::Unknown.into())
}

fn end(unit: &mut Unit<'_>, stream: &str, reason: EndReason) -> Result<Step, CommandError> {
    let at = unit.at();
    unit.send::<Subscriber>(stream, &Command::End { at, reason })?;
    Ok(Step::NothingDue)
}
