//! Billing: what a subscription owes is charged and put on invoices, period by period, each in one append. Subscriptions
//! that fall due together are billed together, and those of one payer that consolidate share their invoices.

pub mod units;

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    calendar::local_date,
    id::{InvoiceId, SubscriptionId, TenantId},
    invoice::{Invoice, Issued},
    number_series::NumberSeries,
    order_terms::catalogue,
    subscription::{self, Agreement, Charge, Command, Event, Subscription},
    usage::Meter,
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::{due::Standing, subscription::Payer};
use serde::{Deserialize, Serialize};

use super::{
    App,
    desk::Desk,
    invoicing::{
        self,
        bundles::{Share, Shared, collector, further_payment, in_order, payment},
        issuing::issue,
        with_credit,
    },
};
use crate::journal::{CommandError, Request, Streams};
use units::{Member, units};

/// How often a group of which others bill some is looked at again, before one of it is billed alone.
const TRIES: usize = 8;

/// What billing a subscription has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Billed {
    /// How many charges were made.
    pub accrued: usize,
    pub invoices: Vec<InvoiceId>,
    /// When there is something to bill again.
    pub next: Option<DateTime<Utc>>,
}

/// What was done of one subscription at one moment, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How often the subscription was billed, with this time.
    pub run: u32,
    pub accrued: usize,
    /// The invoices that its charges were put on.
    pub invoices: Vec<InvoiceId>,
    pub next: Option<DateTime<Utc>>,
    /// Why it was left out, where the others were billed without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What came of one moment.
#[derive(Debug, Default)]
pub(super) struct Stepped {
    /// Subscription by subscription.
    pub done: Vec<Done>,
    pub invoices: Vec<Issued>,
}

/// What came of one subscription at one moment.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub charges: Vec<Charge>,
    /// What its charges were put on; an invoice that several share is each one's.
    invoices: Vec<InvoiceId>,
    /// Why it was left out.
    pub refused: Option<String>,
}

impl App {
    /// Brings the billing of a subscription to `until`: period by period, each with the invoices of its own day. What was
    /// billed before is not billed again, whoever asks and however often. With one that consolidates, those are billed
    /// that share its invoices.
    pub async fn bill_subscription(
        &self,
        request: &Request,
        id: SubscriptionId,
        until: DateTime<Utc>,
    ) -> Result<Billed, CommandError> {
        let standing = projections::due::standing(self.journal.views(), &request.tenant, id).await?;
        let mut standing = standing.ok_or(subscription::Refused::Unknown)?;
        let mut billed = Billed {
            next: standing.next_billing,
            ..Billed::default()
        };
        while billed.next.is_some_and(|next| next <= until) {
            let step = self.bill_next(request, id, &standing).await?;
            if step.run == standing.run && step.next == billed.next {
                return Err(stands_still(id));
            }
            standing.run = step.run;
            standing.next_billing = step.next;
            billed.accrued += step.accrued;
            billed.invoices.extend(step.invoices);
            billed.next = step.next;
        }
        Ok(billed)
    }

    async fn bill_next(
        &self,
        request: &Request,
        id: SubscriptionId,
        standing: &Standing,
    ) -> Result<Step, CommandError> {
        let me = Member {
            id,
            standing: standing.clone(),
        };
        let moved = |step: &Step| {
            let stands = step.run == standing.run && step.next == standing.next_billing;
            step.refused.is_none() && !stands
        };
        // Where others have billed some of the group meanwhile, nothing is done: it is looked at again.
        let tries = if standing.consolidation.is_some() { TRIES } else { 0 };
        let mut passing = None;
        for _ in 0..tries {
            let mut found = None;
            passing = None;
            for unit in units(self.sharing(&request.tenant, &me).await?) {
                match self.bill_together(request, &unit).await {
                    Ok(steps) => {
                        let mine = unit.iter().position(|member| member.id == id);
                        found = found.or_else(|| steps.get(mine?).cloned());
                    }
                    // They are tried together again.
                    Err(error @ (CommandError::Conflict | CommandError::Unavailable(_))) => passing = Some(error),
                    // One of the others cannot be billed: this one is.
                    Err(_) if unit.len() > 1 => {}
                    Err(error) => return Err(error),
                }
            }
            if let Some(step) = found.filter(moved) {
                return Ok(step);
            }
        }
        // What shares an invoice is not split because of a fault that passes.
        if let Some(error) = passing {
            return Err(error);
        }
        let mut steps = self.bill_together(request, std::slice::from_ref(&me)).await?;
        steps.pop().ok_or_else(|| stands_still(id))
    }

    /// Those that are due at the same moment and consolidate alike, in order of their ids: it is one of them.
    pub(super) async fn sharing(&self, tenant: &TenantId, member: &Member) -> Result<Vec<Member>, CommandError> {
        let mut sharing: Vec<Member> = projections::due::sharing(self.journal.views(), tenant, &member.standing)
            .await?
            .into_iter()
            .map(|(id, standing)| Member { id, standing })
            .filter(|other| other.id != member.id)
            .collect();
        sharing.push(member.clone());
        sharing.sort_by_key(|member| member.id);
        Ok(sharing)
    }

    /// The invoices that this very request has made, should it have been sent before; in the order in which it did.
    pub(super) async fn billed_before(&self, request: &Request) -> Result<Vec<InvoiceId>, CommandError> {
        if !request.keyed {
            return Ok(Vec::new());
        }
        let replies: Vec<Vec<Step>> = self.journal.part_replies(request).await?;
        let mut steps: Vec<Step> = replies.into_iter().flatten().collect();
        steps.sort_by_key(|step| step.run);
        let mut invoices = Vec::new();
        for invoice in steps.into_iter().flat_map(|step| step.invoices) {
            if !invoices.contains(&invoice) {
                invoices.push(invoice);
            }
        }
        Ok(invoices)
    }

    /// One append: what falls due next of each of these, and their invoices; answers in the same
    /// order. Where others have billed one since its `run` that is known, nothing is done of it but to tell how far they
    /// came; of those that consolidate, nothing at all then. Of several, one that is refused is left out.
    pub async fn bill_together(&self, request: &Request, members: &[Member]) -> Result<Vec<Step>, CommandError> {
        let Some(unit) = Together::of(&request.tenant, members) else {
            return Ok(Vec::new());
        };
        // What may be billed is told by the subscriptions themselves, not by a stored reply.
        let part = Request {
            keyed: false,
            ..request.part(&format!("bill/{}", unit.name))
        };
        let streams = unit.streams(&request.tenant, members);
        self.journal
            .execute(&part, streams, |desk| bill(desk, &unit, members))
            .await
    }
}

/// Subscriptions that are billed in one append; one payer's, where they consolidate.
pub(super) struct Together {
    /// The same for the same subscriptions that were billed as often: what is made of it is called by it, once for ever.
    name: String,
    first: SubscriptionId,
    /// Who pays what they share.
    payer: Payer,
    /// What falls due until then.
    until: DateTime<Utc>,
    consolidation: Option<String>,
    several: bool,
}

impl Together {
    /// `None` where nothing is due.
    pub fn of(tenant: &TenantId, members: &[Member]) -> Option<Self> {
        let first = members.first()?;
        let names: Vec<String> = members.iter().map(Member::name).collect();
        let name = match names.as_slice() {
            [single] => single.clone(),
            several => format!("together/{}", tenant.derive(&several.join(","))),
        };
        Some(Self {
            name,
            first: first.id,
            payer: first.standing.payer,
            until: first.standing.next_billing?,
            consolidation: first.standing.consolidation.clone(),
            several: members.len() > 1,
        })
    }

    /// What is shared and paid so: there is one for ever.
    pub fn invoice(&self, tenant: &TenantId, payment: &str) -> InvoiceId {
        invoice_id(tenant, self.first, &self.name, payment)
    }

    fn streams(&self, tenant: &TenantId, members: &[Member]) -> Streams {
        let mut streams = Streams::new();
        for member in members {
            streams = with_credit(streams, tenant, member.standing.payer);
            if member.standing.metered {
                streams = streams.with::<Meter>(member.id);
            }
            streams = streams.with::<Subscription>(member.id);
            if self.consolidation.is_none() {
                streams = streams
                    .with_spare::<Invoice>(invoice_id(tenant, member.id, &member.name(), payment(false)))
                    .with_spare::<Invoice>(invoice_id(tenant, member.id, &member.name(), payment(true)));
            }
        }
        if self.consolidation.is_some() {
            // Who collects what waits of another time is known when the orders are looked at.
            let further = catalogue::payment_processors();
            let further = further.iter().map(|collector| further_payment(collector));
            for payment in [false, true].map(payment).map(str::to_owned).into_iter().chain(further) {
                streams = streams.with_spare::<Invoice>(self.invoice(tenant, &payment));
            }
        }
        streams.with::<NumberSeries>(invoicing::series(tenant))
    }
}

/// The invoice of one billing over automatic or over manual charges: there is one for ever.
fn invoice_id(tenant: &TenantId, beside: SubscriptionId, billing: &str, payment: &str) -> InvoiceId {
    InvoiceId(tenant.derive_beside(beside.0, &format!("invoice/{billing}/{payment}")))
}

fn bill<D: Desk>(desk: &mut D, unit: &Together, members: &[Member]) -> Result<Vec<Step>, CommandError> {
    let mut due = Vec::with_capacity(members.len());
    for member in members {
        if standing(desk, member.id)?.0 == member.standing.run {
            due.push(member.clone());
        }
    }
    if unit.consolidation.is_some() && due.len() < members.len() {
        due.clear();
    }
    let done = step(desk, unit, &due)?.done;
    let mut done: BTreeMap<SubscriptionId, Done> = due.iter().map(|member| member.id).zip(done).collect();
    let told = |member: &Member| {
        let (run, next) = standing(desk, member.id)?;
        let done = done.remove(&member.id).unwrap_or_default();
        Ok(Step {
            run,
            accrued: done.charges.len(),
            invoices: done.invoices,
            next,
            refused: done.refused,
        })
    };
    members.iter().map(told).collect()
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

/// Charges what falls due next of each, at the moment at which it does, and makes the invoices that the terms want then.
pub(super) fn step<D: Desk>(desk: &mut D, unit: &Together, members: &[Member]) -> Result<Stepped, CommandError> {
    let mut all = Stepped::default();
    let mut shared = Shared::default();
    let mut day = None;
    for member in members {
        let (mut done, invoiced) = match due_of(desk, member.id, unit.until, unit.consolidation.as_deref()) {
            Err(CommandError::Refused(refused)) if unit.several => {
                let refused = Some(refused.to_string());
                (
                    Done {
                        refused,
                        ..Done::default()
                    },
                    None,
                )
            }
            due => due?,
        };
        if let Some((issue_date, shares)) = invoiced {
            for (automatic, share) in shares {
                if unit.consolidation.is_some() {
                    shared.put((automatic, collector(desk, member.id, automatic)), share);
                    day = Some(issue_date);
                    continue;
                }
                let invoice = invoice_id(desk.tenant(), member.id, &member.name(), payment(automatic));
                let payer = member.standing.payer;
                let issued = issue(desk, payer, invoice, issue_date, vec![share])?;
                done.invoices.push(invoice);
                all.invoices.push(issued);
            }
        }
        all.done.push(done);
    }
    for (payment, shares) in shared.invoices() {
        let Some(day) = day else { continue };
        let sharing: BTreeSet<SubscriptionId> = shares.iter().map(|share| share.subscription).collect();
        let invoice = unit.invoice(desk.tenant(), &payment);
        let issued = issue(desk, unit.payer, invoice, day, shares)?;
        for (done, _) in all
            .done
            .iter_mut()
            .zip(members)
            .filter(|(_, member)| sharing.contains(&member.id))
        {
            done.invoices.push(invoice);
        }
        all.invoices.push(issued);
    }
    Ok(all)
}

/// With whom the subscription shares its invoices, if it does.
fn consolidation(desk: &impl Desk, id: SubscriptionId) -> Option<String> {
    let agreement = desk.state::<Subscription>(&id.to_string()).agreement();
    agreement.and_then(Agreement::consolidation)
}

/// What waits for an invoice of that payment: what waited before comes first, then what fell due now, in its order.
fn waiting(desk: &impl Desk, id: SubscriptionId, automatic: bool, due: &[Charge]) -> Share {
    let state = desk.state::<Subscription>(&id.to_string());
    let pending = state.pending().filter(|charge| charge.automatic_payment == automatic);
    let mut charges = in_order(state, pending);
    charges.sort_by_key(|charge| due.iter().position(|due| due.id == charge.id));
    Share {
        subscription: id,
        charges,
    }
}

/// What one has to put on invoices, by whether it is paid automatically, and on which day.
type Invoiced = Option<(NaiveDate, Vec<(bool, Share)>)>;

/// Charges what falls due next of one that consolidates so; with what it puts on invoices, where it does.
pub(super) fn due_of<D: Desk>(
    desk: &mut D,
    id: SubscriptionId,
    until: DateTime<Utc>,
    alike: Option<&str>,
) -> Result<(Done, Invoiced), CommandError> {
    let (done, invoiced_on) = accrue(desk, id, until)?;
    let Some(day) = invoiced_on else {
        return Ok((done, None));
    };
    // Its terms may have changed since somebody looked.
    if consolidation(desk, id).as_deref() != alike {
        return Err(CommandError::Conflict);
    }
    let shares = [false, true].map(|automatic| (automatic, waiting(desk, id, automatic, &done.charges)));
    let shares = shares.into_iter().filter(|(_, share)| !share.charges.is_empty());
    Ok((done, Some((day, shares.collect()))))
}

/// Charges what falls due next of one; with the day on which it is put on invoices, where it is.
fn accrue<D: Desk>(
    desk: &mut D,
    id: SubscriptionId,
    until: DateTime<Utc>,
) -> Result<(Done, Option<NaiveDate>), CommandError> {
    let mut done = Done::default();
    let (_, next) = standing(desk, id)?;
    let Some(moment) = next.filter(|next| *next <= until) else {
        return Ok((done, None));
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
    let agreement = desk.state::<Subscription>(&stream).agreement();
    let zone = agreement.ok_or(subscription::Refused::Unknown)?.zone();
    Ok((done, invoices.then(|| local_date(moment, zone))))
}
