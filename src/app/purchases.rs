//! Purchases: made under the next number, read, marked as paid, cancelled.

use aggregates::{
    billing_template::{self, BillingTemplate},
    customer::{Contact, Customer},
    id::{CustomerId, PurchaseId, TenantId},
    money::Money,
    number_series::{self, NumberSeries},
    purchase::{self, Order, Purchase},
    subscriber::{self, Subscriber},
};
use chrono::{DateTime, Utc};
use projections::purchase::PurchaseView;

use super::{App, desk::Desk};
use crate::journal::{CommandError, Request, Streams};

/// The one series purchase numbers are taken from.
pub(super) fn series(tenant: &TenantId) -> String {
    tenant.derive("purchases").to_string()
}

pub(super) struct NewPurchase {
    pub purchase: PurchaseId,
    pub customer: CustomerId,
    pub client: Box<Contact>,
    pub order: Order,
    /// Whether the client gets its invoice at once.
    pub sent: bool,
}

/// A purchase as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    pub purchase: PurchaseId,
    pub customer: CustomerId,
    pub order: Order,
    pub total: Money,
}

/// Makes a purchase with the next number.
pub(super) fn make_purchase<D: Desk>(desk: &mut D, series: &str, new: NewPurchase) -> Result<Bought, CommandError> {
    let at = desk.at();
    let stream = new.purchase.to_string();
    let take = number_series::Command::TakeNumber {
        for_document: stream.clone(),
    };
    let taken = desk.send::<NumberSeries>(series, &take)?;
    let [number_series::Event::NumberTaken { number, .. }] = taken.as_slice() else {
        return Err(CommandError::Corrupt("a number series gave no number".into()));
    };
    let create = purchase::Command::Create {
        at,
        purchase: new.purchase,
        customer: new.customer,
        number: *number,
        order: Box::new(new.order),
        client: new.client,
    };
    let created = desk.send::<Purchase>(&stream, &create)?;
    let [purchase::Event::Created { order, total, .. }] = created.as_slice() else {
        return Err(CommandError::Corrupt("a purchase was not made".into()));
    };
    if new.sent {
        desk.send::<Purchase>(&stream, &purchase::Command::MarkSent { at })?;
    }
    Ok(Bought {
        purchase: new.purchase,
        customer: new.customer,
        order: (**order).clone(),
        total: *total,
    })
}

/// The customer's data as it is now.
pub(super) fn client_now(desk: &impl Desk, customer: CustomerId) -> Box<Contact> {
    let state = desk.state::<Customer>(&customer.to_string());
    Box::new(state.contact().cloned().unwrap_or_default())
}

impl App {
    pub async fn purchase(&self, tenant: &TenantId, id: PurchaseId) -> Result<Option<PurchaseView>, CommandError> {
        Ok(projections::purchase::purchase(self.journal.views(), tenant, id).await?)
    }

    /// The customer as it was when the purchase was made, read from the log; empty once the customer is forgotten.
    pub async fn purchase_client(&self, tenant: &TenantId, id: PurchaseId) -> Result<Contact, CommandError> {
        let created = self
            .journal
            .first_event::<Purchase>(tenant, &id.to_string())
            .await?
            .and_then(|event| match event {
                purchase::Event::Created { personal, .. } => personal.0,
                purchase::Event::Sent { .. }
                | purchase::Event::MarkedAsPaid { .. }
                | purchase::Event::Cancelled { .. } => None,
            });
        Ok(created.map(|client| *client).unwrap_or_default())
    }

    /// For the pages a payer opens.
    pub async fn purchase_page(&self, id: PurchaseId) -> Result<Option<PurchaseView>, CommandError> {
        Ok(projections::purchase::purchase_of_any_tenant(self.journal.views(), id).await?)
    }

    /// The merchant says that a purchase was paid; now, where no time is named. Was it the first one of a subscriber, its
    /// cycle begins in the same append.
    pub async fn mark_purchase_as_paid(
        &self,
        request: &Request,
        id: PurchaseId,
        paid_on: Option<DateTime<Utc>>,
    ) -> Result<(), CommandError> {
        // Whose purchase it is never changes.
        let view = self.purchase(&request.tenant, id).await?;
        let order = view.ok_or(purchase::Refused::Unknown)?.order;
        let cycle = order.subscriber.zip(order.billing_template);
        let cycle = cycle.map(|(subscriber, template)| (subscriber.to_string(), template.to_string()));
        let mut streams = Streams::new().with::<Purchase>(id);
        if let Some((subscriber, template)) = &cycle {
            streams = streams.with::<Subscriber>(subscriber).with::<BillingTemplate>(template);
        }
        self.journal
            .execute(request, streams, |unit| {
                let at = unit.at();
                let paid_on = paid_on.unwrap_or(at);
                unit.send::<Purchase>(&id.to_string(), &purchase::Command::MarkAsPaid { at, paid_on })?;
                let Some((subscriber, template)) = &cycle else {
                    return Ok(());
                };
                // Of a deleted template no cycle begins.
                let Some(known) = unit.state::<BillingTemplate>(template).known() else {
                    return Ok(());
                };
                let limit = known.terms.recurring().and_then(|terms| terms.cycles);
                let activate = subscriber::Command::Activate { at, paid_on, limit };
                if !unit.send::<Subscriber>(subscriber, &activate)?.is_empty() {
                    unit.send::<BillingTemplate>(template, &billing_template::Command::Launch { at })?;
                }
                Ok(())
            })
            .await
    }

    pub async fn cancel_purchase(&self, request: &Request, id: PurchaseId) -> Result<(), CommandError> {
        self.journal
            .execute(request, Streams::new().with::<Purchase>(id), |unit| {
                let at = unit.at();
                unit.send::<Purchase>(&id.to_string(), &purchase::Command::Cancel { at })?;
                Ok(())
            })
            .await
    }
}
