//! The history of one customer once more, on a desk of its own: the subscriptions live through what happened to them under
//! supposed terms, and are billed by them as far as they really were.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent,
    calendar::{self, local_date},
    credit::{self, Credit},
    id::{ChargeId, InvoiceId, SubscriptionId, TenantId},
    invoice::Issued,
    subscription::{self, Agreement, Charge, Subscription, Supposed, WhatIf},
    usage::Meter,
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use projections::subscription::Payer;

use super::{
    bundles::{Share, Shared, collector, in_order},
    desk::{Desk, Rehearsal},
    invoicing,
    issuing::issue,
    preview::{Preview, rehearse_each},
    preview_desk::payer,
    replayed_credit::ReplayedCredit,
};
use crate::journal::CommandError;

/// One event of a customer's history.
pub(super) struct Past {
    pub position: i64,
    /// The command that it came of: what one command did happened together.
    pub command: String,
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
    what_if: WhatIf,
    /// Whether the terms of this one are replaced.
    wanted: bool,
    /// Whether a billing run has just put what was pending on invoices.
    run_invoices: bool,
    /// The invoices that its charges were put on; those that it shares too.
    pub was: Vec<InvoiceId>,
    pub would_be: Vec<Issued>,
    pub stuck: Option<String>,
}

/// The history of one customer: the subscriptions share the customer's credit, and some their invoices.
pub(super) struct Replay {
    desk: Rehearsal,
    cases: BTreeMap<String, Case>,
    credit: ReplayedCredit,
    /// What the command at hand has billed and is still to be billed here, up to when.
    accrued: Limits,
    /// What it has put on invoices where no run does.
    by_hand: Vec<(InvoiceId, Vec<(String, Selected)>)>,
}

impl Replay {
    pub fn of(tenant: &TenantId, now: DateTime<Utc>) -> Self {
        Self {
            desk: Rehearsal::new(tenant.clone(), now),
            cases: BTreeMap::new(),
            credit: ReplayedCredit::default(),
            accrued: Vec::new(),
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
        let mut begun = false;
        for together in past.chunk_by(|one, other| one.command == other.command) {
            let Some(first) = together.first() else { continue };
            if !begun && self.day_of(first.at) >= from {
                self.begin(first.at);
                begun = true;
            }
            if begun {
                self.live_through(first.at, together)?;
            } else {
                for past in together {
                    self.happened(&past.stream, &past.event);
                }
            }
        }
        if !begun {
            self.begin(now);
        }
        self.bill_up_to(now);
        Ok(())
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

    /// The day that it was where the customer is.
    fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        let mut agreements = self.cases.values().filter_map(|case| case.what_if.actual().agreement());
        let zone = agreements.next().map_or(calendar::Tz::UTC, Agreement::zone);
        local_date(at, zone)
    }

    fn happened(&mut self, stream: &str, event: &AnyEvent) {
        match event {
            AnyEvent::Subscription(event) => {
                if let Some(case) = self.cases.get_mut(stream) {
                    case.what_if.happened(event);
                }
            }
            AnyEvent::Usage(event) => self.desk.happen::<Meter>(stream, event),
            AnyEvent::Credit(event) => {
                self.credit.happened(event);
                self.desk.happen::<Credit>(stream, event);
            }
            _ => {}
        }
    }

    fn begin(&mut self, at: DateTime<Utc>) {
        for (stream, case) in &mut self.cases {
            match case.what_if.begin(at) {
                Ok(supposed) => self.desk.lay(stream, supposed),
                Err(refused) => {
                    self.desk.lay(stream, case.what_if.actual().clone());
                    case.stuck = Some(refused.to_string());
                }
            }
        }
    }

    /// Lives through what one command did.
    fn live_through(&mut self, at: DateTime<Utc>, together: &[Past]) -> Result<(), CommandError> {
        self.bill_up_to(at);
        for Past { stream, event, .. } in together {
            let billing = matches!(
                event,
                AnyEvent::Subscription(
                    subscription::Event::Accrued { .. } | subscription::Event::ChargesInvoiced { .. }
                )
            );
            match event {
                AnyEvent::Subscription(event) => {
                    if !billing {
                        self.bill_together();
                    }
                    self.live_through_of(stream, event)?;
                }
                AnyEvent::Usage(event) => {
                    self.bill_together();
                    self.desk.happen::<Meter>(stream, event);
                }
                AnyEvent::Credit(event) => self.credited(stream, event)?,
                _ => {}
            }
        }
        self.bill_together();
        Ok(())
    }

    /// Whether the invoice is of what is not billed here any more.
    fn is_real(&self, invoice: InvoiceId) -> bool {
        let mut stuck = self.cases.values().filter(|case| case.stuck.is_some());
        stuck.any(|case| case.was.contains(&invoice))
    }

    fn credited(&mut self, account: &str, event: &credit::Event) -> Result<(), CommandError> {
        let invoice = match event {
            credit::Event::Granted {
                source: credit::Source::Invoice { invoice },
                ..
            }
            | credit::Event::Used { invoice, .. } => Some(*invoice),
            credit::Event::Granted { .. } | credit::Event::TakenBack { .. } => None,
        };
        let really = invoice.is_some_and(|invoice| self.is_real(invoice));
        self.credit.credited(&mut self.desk, account, event, really)
    }

    fn live_through_of(&mut self, stream: &str, event: &subscription::Event) -> Result<(), CommandError> {
        let Some(case) = self.cases.get_mut(stream) else {
            return Ok(());
        };
        let by_hand = match event {
            subscription::Event::ChargesInvoiced { charges, .. } if !case.run_invoices => {
                Some(selected(case.what_if.actual(), charges))
            }
            _ => None,
        };
        self.credit.issuing(match event {
            subscription::Event::ChargesInvoiced { invoice, .. } => Some(*invoice),
            _ => None,
        });
        let mut supposed = self.desk.state::<Subscription>(stream).clone();
        if let Err(refused) = case.what_if.live_through(&mut supposed, event) {
            case.stuck.get_or_insert(refused.to_string());
        }
        self.desk.lay(stream, supposed);
        match event {
            subscription::Event::Accrued { until, invoicing, .. } => {
                case.run_invoices = *invoicing;
                self.accrued.push((case.id, *until));
            }
            subscription::Event::ChargesInvoiced { invoice, .. } => {
                case.was.push(*invoice);
                let Some(selected) = by_hand else { return Ok(()) };
                match self.by_hand.iter_mut().find(|(known, _)| known == invoice) {
                    Some((_, shares)) => shares.push((stream.to_owned(), selected)),
                    None => self.by_hand.push((*invoice, vec![(stream.to_owned(), selected)])),
                }
            }
            subscription::Event::ChargesReleased {
                at, invoice, charges, ..
            } => {
                let reason = "an invoice of it was voided: what stands for it cannot be told";
                case.stuck.get_or_insert(reason.to_owned());
                let released: BTreeSet<ChargeId> = charges.iter().map(|charge| charge.id).collect();
                let has_one = |issued: &&Issued| issued.lines.iter().any(|line| released.contains(&line.charge));
                let stands_for = case.would_be.iter().filter(has_one).map(|issued| issued.invoice);
                let (stands_for, payer) = (stands_for.collect(), case.payer);
                self.credit.void(&mut self.desk, payer, *at, *invoice, stands_for)?;
            }
            _ => case.run_invoices = false,
        }
        Ok(())
    }

    /// Bills what the supposed terms make due by then, as far as the real billing had come by then.
    fn bill_up_to(&mut self, at: DateTime<Utc>) {
        self.desk.move_to(at);
        let until = |case: &Case| {
            let progress = case.what_if.actual().progress();
            let behind = progress.and_then(|progress| progress.next_billing);
            let until = match behind.filter(|next| *next <= at) {
                Some(next) => next - Duration::microseconds(1),
                None => at,
            };
            (case.id, until)
        };
        self.accrued = self.cases.values().map(until).collect();
        self.bill_together();
    }

    /// Bills what was billed together, and then makes the invoices that somebody made.
    fn bill_together(&mut self) {
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
        for (payer, theirs) in by_payer.into_values() {
            let mut preview = Preview::default();
            let failed = rehearse_each(&mut self.desk, &theirs, payer, &mut preview).err();
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
    fn made(&mut self, issued: &Issued) {
        self.credit.made(issued);
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

    fn invoice_by_hand(&mut self, invoice: InvoiceId, selected: &[(String, Selected)]) {
        let mut shared = Shared::default();
        for automatic in [false, true] {
            for (stream, selected) in selected {
                if let Some(share) = self.share(stream, selected, automatic) {
                    let collector = collector(&self.desk, share.subscription, automatic);
                    shared.put((automatic, collector), share);
                }
            }
        }
        for (n, (payment, shares)) in shared.invoices().into_iter().enumerate() {
            let Some(case) = shares
                .first()
                .and_then(|share| self.cases.get(&share.subscription.to_string()))
            else {
                continue;
            };
            let id = if n == 0 {
                invoice
            } else {
                InvoiceId(self.desk.tenant().derive(&format!("what-if/{invoice}/{payment}")))
            };
            let (payer, today) = (case.payer, invoicing::today(&self.desk, case.id));
            let theirs: Vec<SubscriptionId> = shares.iter().map(|share| share.subscription).collect();
            match issue(&mut self.desk, payer, id, today, shares) {
                Ok(issued) => self.made(&issued),
                Err(error) => {
                    for id in theirs {
                        if let Some(case) = self.cases.get_mut(&id.to_string()) {
                            case.stuck.get_or_insert(error.to_string());
                        }
                    }
                }
            }
        }
    }

    /// What of the charges that stand for those that somebody chose is to be paid so.
    fn share(&self, stream: &str, selected: &Selected, automatic: bool) -> Option<Share> {
        let case = self.cases.get(stream).filter(|case| case.stuck.is_none())?;
        let state = self.desk.state::<Subscription>(stream);
        let terms = state.agreement().map(|agreement| agreement.terms.automatic_payment());
        let chosen = |charge: &Charge| match selected {
            Selected::All { by_terms: true, .. } => charge.automatic_payment == terms.unwrap_or(false),
            Selected::All { automatic, .. } => charge.automatic_payment == *automatic,
            Selected::These(ids) => ids.contains(&charge.id),
        };
        let charges = state.pending().filter(|charge| charge.automatic_payment == automatic);
        let charges = in_order(state, charges.filter(|charge| chosen(charge)));
        let share = Share {
            subscription: case.id,
            charges,
        };
        Some(share).filter(|share| !share.charges.is_empty())
    }
}

/// What it has or would have a charge on.
fn invoices(case: &Case) -> impl Iterator<Item = InvoiceId> {
    let would_be = case.would_be.iter().map(|issued| issued.invoice);
    case.was.iter().copied().chain(would_be)
}

/// Which charges somebody put on an invoice.
enum Selected {
    /// All that were paid so.
    All {
        automatic: bool,
        by_terms: bool,
    },
    These(BTreeSet<ChargeId>),
}

fn selected(actual: &Subscription, charges: &[ChargeId]) -> Selected {
    let named: BTreeSet<ChargeId> = charges.iter().copied().collect();
    let automatic = actual.pending().find(|charge| named.contains(&charge.id));
    let automatic = automatic.is_some_and(|charge| charge.automatic_payment);
    let of_kind = actual.pending().filter(|charge| charge.automatic_payment == automatic);
    if of_kind.count() == named.len() {
        let terms = actual.agreement().map(|agreement| agreement.terms.automatic_payment());
        let by_terms = terms == Some(automatic);
        return Selected::All { automatic, by_terms };
    }
    Selected::These(named)
}
