//! Billing: what a subscription owes is charged and put on invoices, period by period, each in one append.

use aggregates::{
    calendar::local_date,
    id::{InvoiceId, SubscriptionId, TenantId},
    invoice::{Invoice, Issued},
    number_series::NumberSeries,
    subscription::{self, Agreement, Charge, Command, Event, Subscription},
    usage::Meter,
};
use chrono::{DateTime, Utc};
use projections::{due::Standing, subscription::Payer};
use serde::{Deserialize, Serialize};

use super::{
    App,
    desk::Desk,
    invoicing::{self, with_credit},
};
use crate::journal::{CommandError, Request, Streams};

/// What billing a subscription has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Billed {
    /// How many charges were made.
    pub accrued: usize,
    pub invoices: Vec<InvoiceId>,
    /// When there is something to bill again.
    pub next: Option<DateTime<Utc>>,
}

/// What was done at one moment, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    /// How often the subscription was billed, with this time.
    run: u32,
    accrued: usize,
    invoices: Vec<InvoiceId>,
    next: Option<DateTime<Utc>>,
}

/// What came of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub charges: Vec<Charge>,
    pub invoices: Vec<Issued>,
}

impl App {
    /// Brings the billing of a subscription to `until`: period by period, each with the invoices of its own day. What was
    /// billed before is not billed again, whoever asks and however often.
    pub async fn bill_subscription(
        &self,
        request: &Request,
        id: SubscriptionId,
        until: DateTime<Utc>,
    ) -> Result<Billed, CommandError> {
        let standing = projections::due::standing(self.journal.views(), &request.tenant, id).await?;
        let standing = standing.ok_or(subscription::Refused::Unknown)?;
        self.bill_from(request, id, standing, until).await
    }

    /// The same for a subscription that was found due: its standing need not be read again.
    pub async fn bill_due(
        &self,
        request: &Request,
        id: SubscriptionId,
        standing: Standing,
        until: DateTime<Utc>,
    ) -> Result<Billed, CommandError> {
        self.bill_from(request, id, standing, until).await
    }

    /// The invoices that this very request has made, should it have been sent before; in the order in which it did.
    pub(super) async fn billed_before(&self, request: &Request) -> Result<Vec<InvoiceId>, CommandError> {
        if !request.keyed {
            return Ok(Vec::new());
        }
        let mut steps: Vec<Step> = self.journal.part_replies(request).await?;
        steps.sort_by_key(|step| step.run);
        Ok(steps.into_iter().flat_map(|step| step.invoices).collect())
    }

    async fn bill_from(
        &self,
        request: &Request,
        id: SubscriptionId,
        standing: Standing,
        until: DateTime<Utc>,
    ) -> Result<Billed, CommandError> {
        let mut billed = Billed {
            next: standing.next_billing,
            ..Billed::default()
        };
        let mut run = standing.run;
        while billed.next.is_some_and(|next| next <= until) {
            let step = self
                .bill_step(request, id, (standing.payer, standing.metered), run, until)
                .await?;
            if step.run == run && step.next == billed.next {
                return Err(CommandError::Corrupt(
                    format!("the billing of {id} stands still").into(),
                ));
            }
            run = step.run;
            billed.accrued += step.accrued;
            billed.invoices.extend(step.invoices);
            billed.next = step.next;
        }
        Ok(billed)
    }

    /// One append: what falls due next, and its invoices. Where others have billed since the `run` that is known, nothing
    /// is done but to tell how far they came.
    async fn bill_step(
        &self,
        request: &Request,
        id: SubscriptionId,
        (payer, metered): (Payer, bool),
        run: u32,
        until: DateTime<Utc>,
    ) -> Result<Step, CommandError> {
        // What may be billed is told by the subscription itself, not by a stored reply.
        let part = Request {
            keyed: false,
            ..request.part(&format!("bill/{id}/{run}"))
        };
        let tenant = &request.tenant;
        let streams = with_credit(Streams::new(), tenant, payer);
        let streams = if metered { streams.with::<Meter>(id) } else { streams };
        let streams = streams
            .with::<Subscription>(id)
            .with_new::<Invoice>(invoice_id(tenant, id, run, false))
            .with_new::<Invoice>(invoice_id(tenant, id, run, true))
            .with::<NumberSeries>(invoicing::series(tenant));
        self.journal
            .execute(&part, streams, |unit| {
                let (now, next) = standing(unit, id)?;
                if now != run {
                    return Ok(Step {
                        run: now,
                        accrued: 0,
                        invoices: Vec::new(),
                        next,
                    });
                }
                let done = step(unit, id, payer, until)?;
                let (run, next) = standing(unit, id)?;
                Ok(Step {
                    run,
                    accrued: done.charges.len(),
                    invoices: done.invoices.iter().map(|issued| issued.invoice).collect(),
                    next,
                })
            })
            .await
    }
}

/// The invoice of a run over automatic or over manual charges: there is one for ever.
fn invoice_id(tenant: &TenantId, subscription: SubscriptionId, run: u32, automatic: bool) -> InvoiceId {
    let payment = if automatic { "automatic" } else { "manual" };
    InvoiceId(tenant.derive_beside(subscription.0, &format!("invoice/{subscription}/{run}/{payment}")))
}

/// How often a subscription was billed, and when there is something to bill again.
pub(super) fn standing(desk: &impl Desk, id: SubscriptionId) -> Result<(u32, Option<DateTime<Utc>>), CommandError> {
    let progress = desk.state::<Subscription>(&id.to_string()).progress();
    let progress = progress.ok_or(subscription::Refused::Unknown)?;
    Ok((progress.run, progress.next_billing))
}

/// A moment that comes again and again would be billed for ever.
pub(super) fn stands_still(id: SubscriptionId) -> CommandError {
    CommandError::Corrupt(format!("the billing of subscription {id} stands still").into())
}

/// Charges what falls due next, at the moment at which it does, and makes the invoices that the terms want then.
pub(super) fn step<D: Desk>(
    desk: &mut D,
    id: SubscriptionId,
    payer: Payer,
    until: DateTime<Utc>,
) -> Result<Done, CommandError> {
    let mut done = Done::default();
    let (run, next) = standing(desk, id)?;
    let Some(moment) = next.filter(|next| *next <= until) else {
        return Ok(done);
    };
    let stream = id.to_string();
    let agreement = desk.state::<Subscription>(&stream).agreement();
    let usage = if agreement.is_some_and(Agreement::is_metered) {
        if !desk.holds::<Meter>(&stream) {
            // It became metered since somebody looked.
            return Err(CommandError::Conflict);
        }
        Box::new(desk.state::<Meter>(&stream).usage().clone())
    } else {
        Box::default()
    };
    let accrue = Command::Accrue {
        at: desk.at(),
        until: moment,
        usage,
    };
    let mut invoices = false;
    for event in desk.send::<Subscription>(&stream, &accrue)? {
        if let Event::Accrued { charges, invoicing, .. } = event {
            done.charges = charges;
            invoices = invoicing;
        }
    }
    if !invoices {
        return Ok(done);
    }
    let agreement = desk.state::<Subscription>(&stream).agreement();
    let zone = agreement.ok_or(subscription::Refused::Unknown)?.zone();
    for automatic in [false, true] {
        let pending = desk.state::<Subscription>(&stream).pending();
        let mut charges: Vec<Charge> = pending
            .filter(|charge| charge.automatic_payment == automatic)
            .cloned()
            .collect();
        // What waited comes first, then what fell due now, in its order.
        charges.sort_by_key(|charge| {
            let now = done.charges.iter().position(|due| due.id == charge.id);
            (now, charge.period.start, charge.id)
        });
        if !charges.is_empty() {
            let invoice = invoice_id(desk.tenant(), id, run, automatic);
            let day = local_date(moment, zone);
            done.invoices
                .push(invoicing::issue(desk, id, payer, invoice, day, charges)?);
        }
    }
    Ok(done)
}
