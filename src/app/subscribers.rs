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
use projections::{page::Page, subscriber::SubscriberView};
use serde::{Deserialize, Serialize};

use super::{
    App,
    desk::Desk,
    purchases::{Bought, NewPurchase, client_now, make_purchase, series},
};
use crate::journal::{CommandError, Request, Streams};

/// A new subscriber, and the purchase to be paid before the cycle begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    pub subscriber: SubscriptionId,
    pub purchase: Option<PurchaseId>,
}

/// Whose turn it is: what the next purchase of a subscriber is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    pub template: BillingTemplateId,
    pub customer: CustomerId,
    /// How many periods after its anchor the subscriber is billed next.
    pub number: u32,
}

/// What became of one turn of a subscriber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The purchase that was made; none where dates were passed over, the subscriber ended, or others were faster.
    pub purchase: Option<PurchaseId>,
    /// The next period, and when it begins; none while it is halted, and where there never is one.
    pub next: Option<(u32, DateTime<Utc>)>,
}

/// The purchase of a period: the same whoever bills it, and however often that is tried.
pub(super) fn purchase_of(tenant: &TenantId, subscriber: SubscriptionId, number: u32) -> PurchaseId {
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

    /// Makes the purchase of the period whose turn it is, if it has begun by `until`. However often and by how many this
    /// is asked, every period is billed once: its purchase's id follows from it.
    pub async fn bill_subscriber(
        &self,
        request: &Request,
        id: SubscriptionId,
        turn: Turn,
        until: DateTime<Utc>,
    ) -> Result<Taken, CommandError> {
        let series = series(&request.tenant);
        let purchase = purchase_of(&request.tenant, id, turn.number);
        let streams = Streams::new()
            .with::<Subscriber>(id)
            .with::<BillingTemplate>(turn.template)
            .with::<Customer>(turn.customer)
            .with::<NumberSeries>(&series)
            .with_new::<Purchase>(purchase);
        // What may be billed is told by the subscriber itself, not by a stored reply.
        let part = Request {
            keyed: false,
            ..request.part(&format!("subscriber/{id}/{}", turn.number))
        };
        let until = until.min(request.at);
        self.journal
            .execute(&part, streams, |unit| Ok(take(unit, id, turn, until)?.0))
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
}

/// What becomes of the turn, and the purchase as it was made.
pub(super) fn take<D: Desk>(
    desk: &mut D,
    id: SubscriptionId,
    turn: Turn,
    until: DateTime<Utc>,
) -> Result<(Taken, Option<Bought>), CommandError> {
    let (at, stream) = (desk.at(), id.to_string());
    let Turn {
        template,
        customer,
        number,
    } = turn;
    let Some(known) = desk.state::<BillingTemplate>(&template.to_string()).known() else {
        return end(desk, &stream, EndReason::TemplateDeleted);
    };
    if !matches!(desk.state::<Customer>(&customer.to_string()), Customer::Known { .. }) {
        return end(desk, &stream, EndReason::CustomerForgotten);
    }
    let (terms, halted) = (known.terms.clone(), known.pauses(state(desk, &stream)?.zone()));
    let skip = Command::SkipPauses {
        at,
        template: halted.clone(),
    };
    desk.send::<Subscriber>(&stream, &skip)?;
    let now = state(desk, &stream)?;
    let (mut taken, mut bought) = (Taken::default(), None);
    let purchase = purchase_of(desk.tenant(), id, number);
    if let Some(next) = now.billable(&halted)
        && next.number == number
        && next.begins <= until
    {
        let order = terms.cycle(template, id, &now.choices, at)?;
        let bill = Command::Bill {
            at,
            number,
            purchase,
            limit: terms.recurring().and_then(|terms| terms.cycles),
        };
        desk.send::<Subscriber>(&stream, &bill)?;
        let new = NewPurchase {
            purchase,
            customer,
            client: client_now(desk, customer),
            order,
            sent: true,
        };
        bought = Some(make_purchase(desk, &series(desk.tenant()), new)?);
        taken.purchase = Some(purchase);
    }
    let next = state(desk, &stream)?.billable(&halted);
    taken.next = next.map(|next| (next.number, next.begins));
    Ok((taken, bought))
}

fn state<'a>(desk: &'a impl Desk, stream: &str) -> Result<&'a Known, CommandError> {
    let known = desk.state::<Subscriber>(stream).known();
    known.ok_or_else(|| subscriber::Refused::Unknown.into())
}

fn end<D: Desk>(desk: &mut D, stream: &str, reason: EndReason) -> Result<(Taken, Option<Bought>), CommandError> {
    let at = desk.at();
    desk.send::<Subscriber>(stream, &Command::End { at, reason })?;
    Ok((Taken::default(), None))
}
