//! The history of one customer once more, on a desk of its own: the subscriptions live through what happened to them under
//! supposed terms, and are billed by them as far as they really were.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent,
    calendar::{self, local_date},
    credit::Credit,
    id::{InvoiceId, SubscriptionId, TenantId},
    invoice::{self, Invoice, Issued},
    payment::Payment,
    subscription::{self, Agreement, Subscription, Supposed, WhatIf},
    usage::Meter,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use projections::subscription::Payer;

use super::{Refusal, replayed_bills::ReplayedBills, replayed_decisions::run_of, replayed_invoices::Selected};
use crate::{
    app::{
        contracts::followed::Followed,
        desk::{Desk, Rehearsal},
        invoicing,
        previews::{Preview, laying_out::payer, rehearse_each},
    },
    journal::CommandError,
};

/// One event of a customer's history.
pub(super) struct Past {
    pub position: i64,
    /// The command that it came of: what one command did happened together.
    pub command: String,
    /// The request that the command was a part of.
    pub request: String,
    pub at: DateTime<Utc>,
    pub stream: String,
    pub event: AnyEvent,
}

/// Up to when each is billed.
type Limits = Vec<(SubscriptionId, DateTime<Utc>)>;

/// A subscription on its way through its history.
pub(super) struct Case {
    pub id: SubscriptionId,
    pub payer: Payer,
    pub(in crate::app) what_if: WhatIf,
    /// Whether the terms of this one are replaced.
    pub(super) wanted: bool,
    /// Whether a billing run has just put what was pending on invoices.
    pub(super) run_invoices: bool,
    /// The invoices that its charges were put on; those that it shares too.
    pub was: Vec<InvoiceId>,
    pub would_be: Vec<Issued>,
    pub stuck: Option<String>,
    /// Of what was asked for in the window not all is known: what happened happens again as it was decided.
    pub replays: bool,
    /// What happened and would have been refused.
    pub refused: Vec<Refusal>,
}

/// The history of one customer: the subscriptions share the customer's credit, and some their invoices.
pub(super) struct Replay {
    pub(in crate::app) desk: Rehearsal,
    pub(in crate::app) cases: BTreeMap<String, Case>,
    pub(in crate::app) bills: ReplayedBills,
    /// What the command at hand has billed and is still to be billed here, up to when.
    pub(in crate::app) accrued: Limits,
    /// The requests that did something.
    pub(super) known: BTreeSet<String>,
    /// What it has put on invoices where no run does.
    pub(super) by_hand: Vec<(InvoiceId, Vec<(String, Selected)>)>,
}

impl Replay {
    pub fn of(tenant: &TenantId, now: DateTime<Utc>) -> Self {
        Self {
            desk: Rehearsal::new(tenant.clone(), now),
            cases: BTreeMap::new(),
            bills: ReplayedBills::default(),
            accrued: Vec::new(),
            known: BTreeSet::new(),
            by_hand: Vec::new(),
        }
    }

    pub fn take(&mut self, id: SubscriptionId, payer: Payer, wanted: bool, supposed: Supposed) {
        let case = Case {
            id,
            payer,
            what_if: WhatIf::new(supposed),
            wanted,
            run_invoices: false,
            was: Vec::new(),
            would_be: Vec::new(),
            stuck: None,
            replays: false,
            refused: Vec::new(),
        };
        let account = invoicing::credit(self.desk.tenant(), payer);
        self.desk.lay(&account, Credit::default());
        self.desk.lay(&id.to_string(), Meter::default());
        self.cases.insert(id.to_string(), case);
    }

    /// The subscriptions, and who pays them.
    pub fn streams(&self) -> impl Iterator<Item = (&str, Payer)> {
        self.cases.iter().map(|(stream, case)| (stream.as_str(), case.payer))
    }

    pub fn run(&mut self, past: &[Past], from: NaiveDate, now: DateTime<Utc>) -> Result<(), CommandError> {
        let (mut begun, mut gone_by) = (false, 0);
        let voids = |past: &Past| {
            matches!(
                past.event,
                AnyEvent::Subscription(subscription::Event::ChargesReleased { .. })
            )
        };
        if past.iter().any(voids) {
            self.desk.remember_charges();
        }
        self.bills.foresee(past);
        for together in commands(past) {
            let Some(first) = together.first() else { continue };
            if !begun && self.day_of(first.at) >= from {
                self.begin(from, first.at, &past[gone_by..])?;
                begun = true;
            }
            gone_by += together.len();
            if begun {
                self.live_through(first.at, together)?;
            } else {
                for past in together {
                    self.happened(&past.stream, &past.event);
                }
            }
        }
        if !begun {
            self.begin(from, now, &[])?;
        }
        self.bill_up_to(now, None)
    }

    /// What was asked for. What shares an invoice with something that cannot be compared cannot be either.
    pub fn compared(self) -> Vec<Case> {
        let mut cases: Vec<Case> = self.cases.into_values().collect();
        loop {
            let stuck = cases.iter().filter(|case| case.stuck.is_some());
            let theirs: BTreeSet<InvoiceId> = stuck.flat_map(invoices).collect();
            let sharing = cases
                .iter_mut()
                .filter(|case| case.stuck.is_none() && invoices(case).any(|id| theirs.contains(&id)));
            let mut more = false;
            for case in sharing {
                case.stuck = Some("it shares an invoice with one that cannot be billed".to_owned());
                more = true;
            }
            if !more {
                break;
            }
        }
        cases.retain(|case| case.wanted);
        cases
    }

    /// Where the customer is.
    fn zone(&self) -> calendar::Tz {
        let mut agreements = self.cases.values().filter_map(|case| case.what_if.actual().agreement());
        agreements.next().map_or(calendar::Tz::UTC, Agreement::zone)
    }

    /// The day that it was there.
    fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        local_date(at, self.zone())
    }

    fn happened(&mut self, stream: &str, event: &AnyEvent) {
        self.bills.happened(event);
        match event {
            AnyEvent::Subscription(event) => {
                if let Some(case) = self.cases.get_mut(stream) {
                    case.what_if.happened(event);
                    self.desk.remember(event);
                }
            }
            AnyEvent::Usage(event) => self.desk.happen::<Meter>(stream, event),
            AnyEvent::Credit(event) => self.desk.happen::<Credit>(stream, event),
            AnyEvent::Invoice(event) => {
                self.desk.happen::<Invoice>(stream, event);
                if let invoice::Event::Issued { issued, .. } = event {
                    self.bills.issued(issued);
                    self.bills.took(&mut self.desk, issued);
                }
            }
            AnyEvent::Payment(event) => self.desk.happen::<Payment>(stream, event),
            _ => {}
        }
    }

    /// The terms are replaced on the first day of the window, before the first thing happens in it.
    fn begin(&mut self, from: NaiveDate, first: DateTime<Utc>, window: &[Past]) -> Result<(), CommandError> {
        self.bills.begin(&self.desk)?;
        let at = calendar::midnight(from, self.zone()).map_or(first, |from| from.min(first));
        for Past { stream, event, .. } in window {
            if let (Some(case), AnyEvent::Subscription(event)) = (self.cases.get_mut(stream), event) {
                case.replays |= !event.is_asked();
            }
        }
        for (stream, case) in &self.cases {
            self.desk.lay(stream, case.what_if.actual().clone());
        }
        for (stream, case) in &mut self.cases {
            case.what_if = std::mem::take(&mut case.what_if).replaying(case.replays);
            let followed = Followed::of(&self.desk, case.id).ok().flatten();
            match case.what_if.begin(at) {
                Ok(supposed) => self.desk.lay(stream, supposed),
                // What is another's keeps its terms to its end.
                Err(subscription::Refused::Moved { .. }) => {}
                Err(refused) => case.stuck = Some(refused.to_string()),
            }
            // So does what pays for days that the contract which is to follow it relies on.
            if followed.is_some_and(|followed| followed.still(&self.desk, case.id).is_err()) {
                case.what_if.keep_terms();
                self.desk.lay(stream, case.what_if.actual().clone());
            }
        }
        Ok(())
    }

    /// Whether the invoice is of what is not billed here any more.
    pub(super) fn is_real(&self, invoice: InvoiceId) -> bool {
        let mut stuck = self.cases.values().filter(|case| case.stuck.is_some());
        stuck.any(|case| case.was.contains(&invoice))
    }

    /// Bills what the supposed terms make due by then, as far as the real billing had come by then, and collects what is.
    /// What falls due at the moment that a `run` bills is billed together with it, and collected behind it; what does since,
    /// behind that.
    pub(super) fn bill_up_to(&mut self, at: DateTime<Utc>, run: Option<DateTime<Utc>>) -> Result<(), CommandError> {
        self.desk.move_to(at);
        let reached = run.map_or(at, |moment| moment.min(at));
        let before = run.map_or(at, |moment| (moment - TimeDelta::microseconds(1)).min(at));
        let until = |case: &Case| {
            let progress = case.what_if.actual().progress();
            let behind = progress.and_then(|progress| progress.next_billing);
            let until = match behind.filter(|next| *next <= at) {
                Some(next) => next - TimeDelta::microseconds(1),
                None => at,
            };
            (case.id, until)
        };
        let all: Limits = self.cases.values().map(until).collect();
        self.accrued = all.iter().map(|(id, until)| (*id, before.min(*until))).collect();
        self.bill_together();
        self.bills.collect(&mut self.desk, None, reached, run.is_some())?;
        if run.is_some() {
            self.accrued = all.iter().map(|(id, until)| (*id, reached.min(*until))).collect();
        }
        Ok(())
    }

    /// Bills what was billed together, and then makes the invoices that somebody made.
    pub(in crate::app) fn bill_together(&mut self) {
        let mut by_payer: BTreeMap<String, (Payer, Limits)> = BTreeMap::new();
        for (id, until) in std::mem::take(&mut self.accrued) {
            let stream = id.to_string();
            let Some(case) = self.cases.get(&stream) else { continue };
            let signed = self.desk.holds::<Subscription>(&stream);
            let known = signed && payer(self.desk.state::<Subscription>(&stream)).is_some();
            if case.stuck.is_none() && known {
                let account = invoicing::credit(self.desk.tenant(), case.payer);
                let (_, theirs) = by_payer.entry(account).or_insert_with(|| (case.payer, Vec::new()));
                theirs.push((id, until));
            }
        }
        for (account, (payer, theirs)) in by_payer {
            let (mut preview, bills) = (Preview::default(), &mut self.bills);
            // What is due before a moment is collected before anything is billed at it.
            let between = |desk: &mut Rehearsal, made: &[Issued], next: Option<DateTime<Utc>>| {
                for issued in made {
                    bills.took(desk, issued);
                }
                next.map_or(Ok(()), |next| bills.collect(desk, Some(&account), next, true))
            };
            let failed = rehearse_each(&mut self.desk, &theirs, payer, &mut preview, between).err();
            let failed = failed.map(|error| error.to_string());
            let failed = failed
                .iter()
                .flat_map(|reason| theirs.iter().map(move |(id, _)| (*id, reason.clone())));
            for (id, reason) in preview.unbillable.into_iter().chain(failed) {
                if let Some(case) = self.cases.get_mut(&id.to_string()) {
                    case.stuck.get_or_insert(reason);
                }
            }
            preview.invoices.into_iter().for_each(|issued| self.made(&issued));
        }
        for (invoice, shares) in std::mem::take(&mut self.by_hand) {
            self.invoice_by_hand(invoice, &shares);
        }
    }

    /// An invoice would be that of everybody who has a charge on it.
    pub(in crate::app) fn made(&mut self, issued: &Issued) {
        let owners = issued
            .lines
            .iter()
            .map(|line| line.subscription.unwrap_or(issued.subscription));
        for owner in owners.collect::<BTreeSet<_>>() {
            if let Some(case) = self.cases.get_mut(&owner.to_string()) {
                case.would_be.push(issued.clone());
            }
        }
    }
}

/// What somebody billed at a moment: from when on, and the first of the subscriptions.
struct Billed<'a> {
    at: DateTime<Utc>,
    moment: DateTime<Utc>,
    first: &'a str,
}

/// Whoever bills all that is due at a moment is done with it by then.
const DONE_WITHIN: TimeDelta = TimeDelta::hours(1);

impl<'a> Billed<'a> {
    fn of(together: &'a [Past]) -> Option<Self> {
        let at = together.first()?.at;
        let billed = together
            .iter()
            .filter(|past| matches!(past.event, AnyEvent::Subscription(_)));
        Some(Self {
            at,
            moment: run_of(at, together)?,
            first: billed.map(|past| past.stream.as_str()).min()?,
        })
    }

    /// Whether somebody who bills in the order of the subscriptions went on to the other: what shares an invoice has the
    /// place of the first.
    fn goes_on_to(&self, other: &Self) -> bool {
        self.moment == other.moment && self.first < other.first && other.at - self.at < DONE_WITHIN
    }
}

/// What happened, command by command, but what was billed at one moment at once: whatever else these terms make due then
/// has its place among it.
fn commands(past: &[Past]) -> impl Iterator<Item = &[Past]> {
    let by_command = past.chunk_by(|one, other| one.command == other.command);
    let billed = by_command.filter_map(|together: &[Past]| {
        let command = together.first()?.command.as_str();
        Some((command, Billed::of(together)?))
    });
    let billed: BTreeMap<&str, Billed> = billed.collect();
    past.chunk_by(move |one, other| {
        let both = billed.get(one.command.as_str()).zip(billed.get(other.command.as_str()));
        one.command == other.command || both.is_some_and(|(one, other)| one.goes_on_to(other))
    })
}

/// What it has or would have a charge on.
fn invoices(case: &Case) -> impl Iterator<Item = InvoiceId> {
    let would_be = case.would_be.iter().map(|issued| issued.invoice);
    case.was.iter().copied().chain(would_be)
}
