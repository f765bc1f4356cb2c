//! Previews of one subscription that shares its invoices with more than one invoice takes: what the others put on them is
//! worked out one subscription after the other, and what is on other invoices is kept as a sum, because it uses credit.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    credit::Credit,
    id::{ChargeId, InvoiceId, SubscriptionId, TenantId},
    invoice::Issued,
    subscription::{self, Agreement, Charge, Subscription},
    usage::Meter,
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use futures::{StreamExt, stream};
use projections::subscription::Payer;

use super::{MOST_CHARGES, Preview, member, open_bills::OpenBills};
use crate::{
    app::{
        App,
        billing_run::{
            self, Together, due_of,
            units::{MOST_ON_ONE_INVOICE, Member},
        },
        desk::{Desk, Rehearsal},
        invoicing::{
            self,
            bundles::{Shared, collector},
            issuing::{Bill, issue_bill},
        },
    },
    journal::CommandError,
};

/// How often those that share invoices are billed at most, all of them together.
const MOST_SHARED_STEPS: usize = 500_000;
/// How many charges are held at once at most.
const MOST_HELD: usize = 2 * MOST_CHARGES;
/// How many are read while one is worked out.
const READ_AHEAD: usize = 8;

/// What is billed in one append at a moment.
#[derive(Default)]
struct Unit {
    members: Vec<Member>,
    shared: Shared<Bill>,
    day: Option<NaiveDate>,
    held: usize,
}

/// The same once everybody is in it who will be.
enum Closed {
    /// With whom the asked one is in it.
    Asked(Unit),
    /// The others' invoices, each with all of it as one charge.
    Others(NaiveDate, Vec<Bill>),
}

/// What one subscription comes to at a moment.
struct Part {
    day: Option<NaiveDate>,
    bills: Vec<((bool, Option<String>), Bill)>,
    charges: Vec<Charge>,
}

/// All that is shared, moment by moment.
struct Pages {
    tenant: TenantId,
    now: DateTime<Utc>,
    payer: Payer,
    asked: SubscriptionId,
    open: BTreeMap<DateTime<Utc>, Unit>,
    closed: BTreeMap<DateTime<Utc>, Vec<Closed>>,
    steps: usize,
    held: usize,
}

impl App {
    /// Bills one subscription that lies on the desk, with these others that share its invoices, until then: what is kept is
    /// what concerns it. What keeps it from being billed is an error where it is `strict`, and noted otherwise.
    pub(in crate::app) async fn rehearse_by_pages(
        &self,
        desk: &mut Rehearsal,
        (asked, strict): (SubscriptionId, bool),
        mut ids: Vec<SubscriptionId>,
        until: DateTime<Utc>,
        bills: &mut OpenBills,
        preview: &mut Preview,
    ) -> Result<(), CommandError> {
        let mut pages = Pages {
            tenant: desk.tenant().clone(),
            now: desk.at(),
            payer: bills.payer,
            asked,
            open: BTreeMap::new(),
            closed: BTreeMap::new(),
            steps: 0,
            held: 0,
        };
        ids.push(asked);
        ids.sort();
        ids.dedup();
        // Each by itself, in order of the ids: so units fill up as they do when all are due together.
        let tenant = &pages.tenant.clone();
        let mut read = stream::iter(ids)
            .map(|id| async move { (id, self.copied(tenant, id, asked).await) })
            .buffered(READ_AHEAD);
        while let Some((id, copied)) = read.next().await {
            let own = if id == asked {
                Some((desk.state::<Subscription>(&id.to_string()).clone(), meter(desk, id)))
            } else {
                match copied {
                    Err(error @ CommandError::Unavailable(_)) => return Err(error),
                    // What cannot be read is billed by nobody, and keeps no other one from it.
                    copied => copied.ok().flatten(),
                }
            };
            let Some((state, meter)) = own else { continue };
            let failed = pages.work_out(id, state, meter, until, preview).await?;
            if let Some(error) = failed.filter(|_| id == asked) {
                if strict {
                    return Err(error);
                }
                preview.unbillable.push((id, error.to_string()));
            }
        }
        drop(read);
        pages.close_all()?;
        pages.issue(self, desk, until, bills, preview).await
    }

    /// A copy of a subscription and of what it used; `None` of the one that lies on the desk.
    async fn copied(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
        asked: SubscriptionId,
    ) -> Result<Option<(Subscription, Option<Meter>)>, CommandError> {
        if id == asked {
            return Ok(None);
        }
        let stream = id.to_string();
        let state: Subscription = self.journal.state(tenant, &stream).await?;
        let metered = state.agreement().is_some_and(Agreement::is_metered);
        let meter = if metered {
            Some(self.journal.state(tenant, &stream).await?)
        } else {
            None
        };
        Ok(Some((state, meter)))
    }
}

fn meter(desk: &Rehearsal, id: SubscriptionId) -> Option<Meter> {
    let stream = id.to_string();
    desk.holds::<Meter>(&stream)
        .then(|| desk.state::<Meter>(&stream).clone())
}

impl Pages {
    /// Takes one through all its moments; answers with what keeps it from being billed, if anything does.
    async fn work_out(
        &mut self,
        id: SubscriptionId,
        state: Subscription,
        meter: Option<Meter>,
        until: DateTime<Utc>,
        preview: &mut Preview,
    ) -> Result<Option<CommandError>, CommandError> {
        let mut desk = Rehearsal::new(self.tenant.clone(), self.now);
        let stream = id.to_string();
        desk.lay(&stream, state);
        desk.lay(&stream, meter.unwrap_or_default());
        loop {
            let member = match member(&desk, id, self.payer) {
                Ok(member) => member,
                Err(error) => return Ok(Some(error)),
            };
            let Some(moment) = member.standing.next_billing.filter(|next| *next <= until) else {
                return Ok(None);
            };
            self.steps += 1;
            if self.steps > MOST_SHARED_STEPS {
                return Err(subscription::Refused::TooMuch.into());
            }
            let part = desk.attempt(|desk| part(desk, &member, moment));
            let (part, failed) = match part {
                Ok(part) => (Some(part), None),
                // It is left out of what the others are billed with, and not looked at again.
                Err(error) => (None, Some(error)),
            };
            self.put(moment, member, part, preview)?;
            if failed.is_some() {
                return Ok(failed);
            }
            tokio::task::consume_budget().await;
        }
    }

    fn put(
        &mut self,
        moment: DateTime<Utc>,
        member: Member,
        part: Option<Part>,
        preview: &mut Preview,
    ) -> Result<(), CommandError> {
        let is_asked = member.id == self.asked;
        let unit = self.open.entry(moment).or_default();
        if let Some(part) = part {
            for (paid, bill) in part.bills {
                unit.held += bill.charges.len();
                self.held += bill.charges.len();
                unit.shared.put(paid, bill);
            }
            unit.day = part.day.or(unit.day);
            if is_asked {
                let own = part.charges.into_iter().map(|charge| (member.id, charge));
                preview.charges.extend(own);
            }
        }
        unit.members.push(member);
        let is_full = unit.members.len() == MOST_ON_ONE_INVOICE;
        if self.held > MOST_HELD || preview.charges.len() > MOST_CHARGES {
            return Err(subscription::Refused::TooMuch.into());
        }
        if is_full { self.close(moment) } else { Ok(()) }
    }

    fn close_all(&mut self) -> Result<(), CommandError> {
        while let Some(moment) = self.open.keys().next().copied() {
            self.close(moment)?;
        }
        Ok(())
    }

    /// The next one that is due then is billed in another append.
    fn close(&mut self, moment: DateTime<Utc>) -> Result<(), CommandError> {
        let Some(unit) = self.open.remove(&moment) else {
            return Ok(());
        };
        let closed = if unit.members.iter().any(|member| member.id == self.asked) {
            Closed::Asked(unit)
        } else {
            self.held -= unit.held;
            let Some(day) = unit.day else { return Ok(()) };
            let mut summed = Vec::new();
            for (_, parts) in unit.shared.invoices() {
                summed.extend(self.summed(day, parts)?);
            }
            Closed::Others(day, summed)
        };
        self.closed.entry(moment).or_default().push(closed);
        Ok(())
    }

    /// An invoice as one charge: of what it comes to with its taxes, due when it is.
    fn summed(&self, day: NaiveDate, parts: Vec<Bill>) -> Result<Option<Bill>, CommandError> {
        let Some(bill) = Bill::of(parts) else { return Ok(None) };
        let Some(first) = bill.charges.first().cloned() else {
            return Ok(None);
        };
        let mut desk = Rehearsal::new(self.tenant.clone(), self.now);
        desk.lay(&invoicing::credit(&self.tenant, self.payer), Credit::default());
        let like = bill.with(first.clone());
        let issued = issue_bill(&mut desk, self.payer, self.name("sum"), day, bill)?;
        Ok(Some(like.with(Charge {
            amount: issued.total,
            due_date: issued.due_date,
            tax_rate: None,
            explanation: None,
            ..first
        })))
    }

    /// An invoice that nobody is shown.
    fn name(&self, name: &str) -> InvoiceId {
        InvoiceId(self.tenant.derive(&format!("preview/{name}")))
    }

    /// Issues it all in order of time.
    async fn issue(
        mut self,
        app: &App,
        desk: &mut Rehearsal,
        until: DateTime<Utc>,
        bills: &mut OpenBills,
        preview: &mut Preview,
    ) -> Result<(), CommandError> {
        let own: BTreeSet<ChargeId> = preview.charges.iter().map(|(_, charge)| charge.id).collect();
        for (moment, closed) in std::mem::take(&mut self.closed) {
            bills.collect(app, desk, moment - Duration::microseconds(1)).await?;
            let mut made = Vec::new();
            for (n, closed) in closed.into_iter().enumerate() {
                match closed {
                    Closed::Asked(unit) => made.extend(self.issue_shared(desk, unit, &own, preview)?),
                    Closed::Others(day, summed) => {
                        for (m, bill) in summed.into_iter().enumerate() {
                            let id = self.name(&format!("{moment}/{n}/{m}"));
                            made.push(issue_bill(desk, self.payer, id, day, bill)?);
                        }
                    }
                }
            }
            bills.take(&made);
            tokio::task::consume_budget().await;
        }
        bills.collect(app, desk, until).await?;
        bills.settle(desk, &mut preview.invoices)
    }

    /// The invoices of those with whom the asked one is billed; its own are those that are shown.
    fn issue_shared(
        &self,
        desk: &mut Rehearsal,
        unit: Unit,
        own: &BTreeSet<ChargeId>,
        preview: &mut Preview,
    ) -> Result<Vec<Issued>, CommandError> {
        let (Some(day), Some(together)) = (unit.day, Together::of(&self.tenant, &unit.members)) else {
            return Ok(Vec::new());
        };
        let mut made = Vec::new();
        for (payment, parts) in unit.shared.invoices() {
            let is_own = parts.iter().any(|part| part.subscription == self.asked);
            let Some(bill) = Bill::of(parts) else { continue };
            if is_own {
                let beside = bill.charges.iter().filter(|charge| !own.contains(&charge.id));
                preview.beside.extend(beside.cloned());
            }
            let invoice = together.invoice(&self.tenant, &payment);
            let issued = issue_bill(desk, self.payer, invoice, day, bill)?;
            if is_own {
                preview.invoices.push(issued.clone());
            }
            made.push(issued);
        }
        if preview.charges.len() + preview.beside.len() > MOST_CHARGES {
            return Err(subscription::Refused::TooMuch.into());
        }
        Ok(made)
    }
}

/// What is due of one at a moment, taken from it.
fn part(desk: &mut Rehearsal, member: &Member, moment: DateTime<Utc>) -> Result<Part, CommandError> {
    let (id, standing) = (member.id, &member.standing);
    let (done, invoiced) = due_of(desk, id, moment, standing.consolidation.as_deref())?;
    let mut part = Part {
        day: None,
        bills: Vec::new(),
        charges: done.charges,
    };
    if let Some((day, shares)) = invoiced {
        part.day = Some(day);
        for (automatic, share) in shares {
            let paid = (automatic, collector(desk, id, automatic));
            let nowhere = InvoiceId(desk.tenant().derive("preview"));
            let bill = Bill::take(desk, standing.payer, nowhere, day, share)?;
            part.bills.push((paid, bill));
        }
    }
    if billing_run::standing(desk, id)? == (standing.run, standing.next_billing) {
        return Err(billing_run::stands_still(id));
    }
    Ok(part)
}
