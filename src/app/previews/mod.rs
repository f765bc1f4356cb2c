//! Previews: what billing and invoicing would come to now. They decide as the real thing does, on copies.

mod error;
pub(super) mod laying_out;
pub(super) mod open_bills;
mod pages;
mod purchases;

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    Refused,
    id::{CustomerId, InvoiceId, SubscriptionId, TenantId},
    invoice::Issued,
    subscription::{self, Agreement, Charge, Subscription},
    usage::Meter,
};
use chrono::{DateTime, Duration, Months, Utc};
use projections::{
    due::Standing,
    subscription::{Payer, Scope},
};

pub use self::error::{MAX_PREVIEWED, MAX_REPLAYED, PreviewError};
use super::{
    App,
    billing_run::{
        self, Together,
        units::{MOST_ON_ONE_INVOICE, Member, units},
    },
    desk::{Desk, Rehearsal},
    invoicing::{self, InvoicingError, Selection, issuing::issue},
    purchases::Bought,
};
use crate::journal::{CommandError, Request};
use open_bills::OpenBills;

/// How far ahead a preview looks.
const YEARS_AHEAD: u32 = 10;
/// How many charges a preview shows at most.
pub(super) const MOST_CHARGES: usize = 50_000;
/// How often a preview bills something at most, whether anything is charged or not.
pub(super) const MOST_STEPS: usize = 200_000;
/// After so many steps others have their turn.
const STEPS_IN_A_TURN: usize = 32;

/// What would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// What would be charged, in the order in which it would.
    pub charges: Vec<(SubscriptionId, Charge)>,
    /// What else is on the invoices: what is charged already and waits, or others would be charged that share them.
    pub beside: Vec<Charge>,
    /// The invoices that would be issued; their numbers count from 1.
    pub invoices: Vec<Issued>,
    /// The purchases that subscribers would get, in the order in which they would.
    pub purchases: Vec<Bought>,
    /// What could not be billed, and why.
    pub unbillable: Vec<(SubscriptionId, String)>,
    /// The subscribers that could not get a purchase, and why.
    pub without_purchase: Vec<(SubscriptionId, String)>,
}

impl App {
    /// What billing everything in the scope up to `until` would do. Of one subscription that shares its invoices these are
    /// shown as they will be, with what the others have on them.
    pub async fn preview_run(
        &self,
        request: &Request,
        scope: Scope,
        until: DateTime<Utc>,
    ) -> Result<Preview, PreviewError> {
        let tenant = &request.tenant;
        self.checked(tenant, scope.customer).await?;
        let (mut desk, ids) = if let Some(id) = scope.subscription {
            let mut desk = self.desk_with(request, id).await?;
            far_enough(desk.at(), until)?;
            let others = self.sharing_until(&desk, id, until).await?;
            if others.len() >= MOST_ON_ONE_INVOICE {
                return self.preview_by_pages(desk, id, others, until).await;
            }
            let ids = self.lay_all(&mut desk, id, others).await?;
            (desk, ids)
        } else {
            let views = self.journal.views();
            let ids = projections::due::subscriptions(views, tenant, scope.customer, until).await;
            (
                Rehearsal::new(tenant.clone(), request.at),
                ids.map_err(CommandError::from)?,
            )
        };
        if ids.len() > MAX_PREVIEWED {
            return Err(PreviewError::TooMany);
        }
        far_enough(desk.at(), until)?;
        let (mut preview, mut steps) = (Preview::default(), MOST_STEPS);
        for (payer, theirs) in self.by_payer(&mut desk, ids, scope.customer).await? {
            let before = preview.invoices.len();
            let mut bills = OpenBills::of(tenant, payer);
            let only = None;
            let rehearsed = rehearse(
                self,
                &mut desk,
                (&theirs, only),
                &mut bills,
                until,
                &mut preview,
                &mut steps,
            );
            let rehearsed = rehearsed.await;
            match (rehearsed, theirs.as_slice()) {
                (Ok(()), _) => {}
                (Err(CommandError::Refused(Refused::Subscription(subscription::Refused::TooMuch))), _) => {
                    return Err(CommandError::from(subscription::Refused::TooMuch).into());
                }
                (Err(error @ CommandError::Unavailable(_)), _) => return Err(error.into()),
                (Err(error), [single]) => preview.unbillable.push((*single, error.to_string())),
                (Err(error), _) => return Err(error.into()),
            }
            bills.collect(self, &mut desk, until).await?;
            bills.settle(&desk, &mut preview.invoices[before..])?;
        }
        match scope.subscription {
            Some(id) => preview.keep(id),
            None => {
                self.rehearse_purchases(&mut desk, scope.customer, until, &mut preview, &mut steps)
                    .await?;
            }
        }
        Ok(preview)
    }

    /// The same of one subscription that shares its invoices with so many that not all are on one.
    async fn preview_by_pages(
        &self,
        mut desk: Rehearsal,
        id: SubscriptionId,
        others: Vec<SubscriptionId>,
        until: DateTime<Utc>,
    ) -> Result<Preview, PreviewError> {
        let payer = self.lay(&mut desk, id).await?;
        let payer = payer.ok_or(PreviewError::UnknownSubscription(id))?;
        let (mut preview, mut bills) = (Preview::default(), OpenBills::of(desk.tenant(), payer));
        let asked = (id, false);
        self.rehearse_by_pages(&mut desk, asked, others, until, &mut bills, &mut preview)
            .await?;
        Ok(preview)
    }

    /// Whether there is such a customer, where one is named.
    async fn checked(&self, tenant: &TenantId, customer: Option<CustomerId>) -> Result<(), PreviewError> {
        let Some(id) = customer else { return Ok(()) };
        let found = projections::customer::customer(self.journal.views(), tenant, id).await;
        match found.map_err(CommandError::from)? {
            Some(_) => Ok(()),
            None => Err(PreviewError::UnknownCustomer(id)),
        }
    }

    /// The invoices that [`App::create_invoices`] would make of the selection.
    pub async fn preview_invoices(
        &self,
        request: &Request,
        selection: &Selection,
    ) -> Result<Vec<Issued>, InvoicingError> {
        let tenant = &request.tenant;
        let bundles = match selection {
            Selection::Pending(scope) => {
                self.check(tenant, *scope).await?;
                self.pending(tenant, *scope).await?
            }
            Selection::Charges(charges, scope) => {
                self.check(tenant, *scope).await?;
                self.named(tenant, charges, *scope).await?
            }
        };
        let mut desk = Rehearsal::new(tenant.clone(), request.at);
        let mut invoices = Vec::new();
        for bundle in bundles {
            for id in &bundle.subscriptions {
                if !desk.holds::<Subscription>(&id.to_string()) {
                    self.lay(&mut desk, *id).await?;
                }
            }
            let shares = bundle.shares(&desk);
            let Some(first) = shares.first().map(|share| share.subscription) else {
                continue;
            };
            let invoice = InvoiceId(tenant.derive(&format!("preview/{first}/{}", bundle.automatic_payment)));
            let today = invoicing::today(&desk, first);
            invoices.push(issue(&mut desk, bundle.payer, invoice, today, shares)?);
        }
        Ok(invoices)
    }
}

impl Preview {
    fn wait(&mut self, desk: &Rehearsal, id: SubscriptionId) {
        let pending = desk.state::<Subscription>(&id.to_string()).pending();
        self.beside.extend(pending.cloned());
    }

    /// Only what concerns one subscription: its invoices have lines of others where they are shared.
    pub(super) fn keep(&mut self, id: SubscriptionId) {
        self.invoices.retain(|issued| {
            let mut owners = issued.lines.iter().map(|line| line.subscription);
            owners.any(|owner| owner.unwrap_or(issued.subscription) == id)
        });
        let (own, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.charges)
            .into_iter()
            .partition(|(owner, _)| *owner == id);
        self.charges = own;
        let lines = self.invoices.iter().flat_map(|issued| &issued.lines);
        let on_invoices: BTreeSet<_> = lines.map(|line| line.charge).collect();
        self.beside.extend(others.into_iter().map(|(_, charge)| charge));
        self.beside.retain(|charge| on_invoices.contains(&charge.id));
        self.unbillable.retain(|(owner, _)| *owner == id);
    }

    fn take(&mut self, rehearsed: Rehearsed) {
        self.charges.extend(rehearsed.charges);
        self.invoices.extend(rehearsed.invoices);
        self.unbillable.extend(rehearsed.refused);
    }
}

/// What one append would do.
#[derive(Default)]
struct Rehearsed {
    charges: Vec<(SubscriptionId, Charge)>,
    invoices: Vec<Issued>,
    /// Who is left out, and why.
    refused: Vec<(SubscriptionId, String)>,
    /// Who is due when again.
    due: Vec<(DateTime<Utc>, SubscriptionId)>,
}

/// Nobody computes for ever.
pub(super) fn far_enough(now: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), CommandError> {
    match now.checked_add_months(Months::new(12 * YEARS_AHEAD)) {
        Some(latest) if until > latest => {
            let latest = latest.date_naive();
            Err(subscription::Refused::TooFarAhead { latest }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Bills what one payer's subscriptions owe until then, moment by moment, as a moved clock does: what is collected before
/// a moment has used credit. What cannot be billed is noted on the preview; of the one that is `asked` for, if any, that is
/// an error. `steps` is how many may still be made.
pub(super) async fn rehearse(
    app: &App,
    desk: &mut Rehearsal,
    (ids, asked): (&[SubscriptionId], Option<SubscriptionId>),
    bills: &mut OpenBills,
    until: DateTime<Utc>,
    preview: &mut Preview,
    steps: &mut usize,
) -> Result<(), CommandError> {
    let mut queue = waiting(desk, ids, until, preview)?;
    let mut in_this_turn = 0;
    while let Some(moment) = next_moment(&queue, until) {
        bills.collect(app, desk, moment - Duration::microseconds(1)).await?;
        let before = preview.invoices.len();
        let made = rehearse_moment(desk, moment, (bills.payer, asked), &mut queue, preview)?;
        bills.take(&preview.invoices[before..]);
        *steps = steps.saturating_sub(made);
        if *steps == 0 {
            return Err(subscription::Refused::TooMuch.into());
        }
        in_this_turn += made;
        if in_this_turn >= STEPS_IN_A_TURN {
            in_this_turn = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// The same for those who have a thread of their own, each of one payer's as far as it says. `between` is told what was made since, and the next moment.
pub(super) fn rehearse_each(
    desk: &mut Rehearsal,
    each: &[(SubscriptionId, DateTime<Utc>)],
    payer: Payer,
    preview: &mut Preview,
    mut between: impl FnMut(&mut Rehearsal, &[Issued], Option<DateTime<Utc>>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let until: BTreeMap<SubscriptionId, DateTime<Utc>> = each.iter().copied().collect();
    let wanted = |(moment, id): &(DateTime<Utc>, SubscriptionId)| until.get(id).is_some_and(|until| moment <= until);
    let mut queue = Queue::new();
    for (id, until) in each {
        far_enough(desk.at(), *until)?;
        queue.extend(billing_run::standing(desk, *id)?.1.map(|next| (next, *id)));
    }
    queue.retain(wanted);
    let mut told = preview.invoices.len();
    while let Some((moment, _)) = queue.first().copied() {
        between(desk, &preview.invoices[told..], Some(moment))?;
        told = preview.invoices.len();
        rehearse_moment(desk, moment, (payer, None), &mut queue, preview)?;
        queue.retain(wanted);
    }
    between(desk, &preview.invoices[told..], None)
}

/// Who is due when first.
type Queue = BTreeSet<(DateTime<Utc>, SubscriptionId)>;

fn waiting(
    desk: &Rehearsal,
    ids: &[SubscriptionId],
    until: DateTime<Utc>,
    preview: &mut Preview,
) -> Result<Queue, CommandError> {
    far_enough(desk.at(), until)?;
    let mut queue = Queue::new();
    for id in ids {
        preview.wait(desk, *id);
        queue.extend(billing_run::standing(desk, *id)?.1.map(|next| (next, *id)));
    }
    Ok(queue)
}

fn next_moment(queue: &Queue, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
    queue
        .first()
        .map(|(moment, _)| *moment)
        .filter(|moment| *moment <= until)
}

/// Everybody who is due at a moment; answers with how many that were.
fn rehearse_moment(
    desk: &mut Rehearsal,
    moment: DateTime<Utc>,
    (payer, asked): (Payer, Option<SubscriptionId>),
    queue: &mut Queue,
    preview: &mut Preview,
) -> Result<usize, CommandError> {
    let mut cohort = Vec::new();
    while let Some((_, id)) = queue.first().copied().filter(|(next, _)| *next == moment) {
        queue.pop_first();
        cohort.push(member(desk, id, payer)?);
    }
    let made = cohort.len();
    for unit in units(cohort) {
        // Where one append fails, each half of it is one by itself: so whoever bills finds what cannot be billed.
        let mut parts = vec![unit.as_slice()];
        while let Some(part) = parts.pop() {
            match desk.attempt(|desk| rehearse_unit(desk, part, asked)) {
                Ok(mut rehearsed) => {
                    queue.extend(rehearsed.due.drain(..));
                    preview.take(rehearsed);
                }
                Err(_) if part.len() > 1 => {
                    let (one, other) = part.split_at(part.len() / 2);
                    parts.extend([other, one]);
                }
                Err(error) => match part.first().map(|member| member.id) {
                    Some(id) if Some(id) != asked => preview.unbillable.push((id, error.to_string())),
                    Some(_) | None => return Err(error),
                },
            }
        }
        if preview.charges.len() > MOST_CHARGES {
            return Err(subscription::Refused::TooMuch.into());
        }
    }
    Ok(made)
}

pub(super) fn member(desk: &Rehearsal, id: SubscriptionId, payer: Payer) -> Result<Member, CommandError> {
    let (run, next_billing) = billing_run::standing(desk, id)?;
    let agreement = desk.state::<Subscription>(&id.to_string()).agreement();
    let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
    Ok(Member {
        id,
        standing: Standing {
            run,
            payer,
            next_billing,
            metered: agreement.is_metered(),
            consolidation: agreement.consolidation(),
        },
    })
}

/// One append, as it were. One that is `asked` for is not left out: it is found by itself, with what keeps it.
fn rehearse_unit(
    desk: &mut Rehearsal,
    unit: &[Member],
    asked: Option<SubscriptionId>,
) -> Result<Rehearsed, CommandError> {
    let tenant = desk.tenant().clone();
    let Some(together) = Together::of(&tenant, unit) else {
        return Ok(Rehearsed::default());
    };
    for Member { id, .. } in unit {
        let stream = id.to_string();
        let agreement = desk.state::<Subscription>(&stream).agreement();
        if agreement.is_some_and(Agreement::is_metered) && !desk.holds::<Meter>(&stream) {
            // It becomes metered by what is previewed: nothing has been used yet.
            desk.lay(&stream, Meter::default());
        }
    }
    let stepped = billing_run::step(desk, &together, unit)?;
    let mut rehearsed = Rehearsed {
        invoices: stepped.invoices,
        ..Rehearsed::default()
    };
    for (member, done) in unit.iter().zip(stepped.done) {
        if let Some(refused) = done.refused {
            if asked == Some(member.id) {
                return Err(billing_run::stands_still(member.id));
            }
            rehearsed.refused.push((member.id, refused));
            continue;
        }
        let charges = done.charges.into_iter().map(|charge| (member.id, charge));
        rehearsed.charges.extend(charges);
        let (run, next) = billing_run::standing(desk, member.id)?;
        if (run, next) == (member.standing.run, member.standing.next_billing) {
            return Err(billing_run::stands_still(member.id));
        }
        rehearsed.due.extend(next.map(|next| (next, member.id)));
    }
    Ok(rehearsed)
}
