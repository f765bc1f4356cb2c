//! What one command did, lived through once more: what was asked for is decided again on what other terms have made of it,
//! with everything that it means for what follows, or was followed, and for usage.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent, Recordable,
    calendar::{self, local_date},
    credit::{self, Source},
    id::{InvoiceId, SubscriptionId},
    invoice,
    subscription::{self, Subscription, Used},
    usage::{self, Meter},
};
use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Refusal,
    replayed::{Past, Replay},
    replayed_invoices::{released, selected},
};
use crate::{
    app::{
        contracts::{
            followed::{Followed, leave_rest, not_followed, successor},
            upgrade_steps::upgraded_again,
        },
        desk::Desk,
        moves::moved_again,
        usage::used_days,
    },
    journal::CommandError,
};

/// What one command has come to so far.
#[derive(Default)]
struct Decided {
    /// Those of whom nothing more of it is asked: it is decided, or refused.
    settled: BTreeSet<String>,
    /// What stood for them before it.
    before: BTreeMap<String, Subscription>,
    /// Whether it signed something that goes on from another one.
    hands_over: bool,
    /// The invoices that it voided.
    voided: BTreeSet<InvoiceId>,
}

impl Replay {
    /// Lives through what one command did.
    pub(super) fn live_through(&mut self, at: DateTime<Utc>, together: &[Past]) -> Result<(), CommandError> {
        self.bill_up_to(at, run_of(at, together))?;
        let metered = self.metered(together);
        let mut decided = self.hand_over_again(together);
        let again = self.uses_credit_again(together);
        for Past { stream, event, .. } in together {
            match event {
                AnyEvent::Subscription(event) => {
                    if !is_billing(event) {
                        self.bill_together();
                    }
                    self.live_through_of(stream, event, together, &mut decided)?;
                }
                AnyEvent::Usage(event) if !leaves(event) => {
                    self.bill_together();
                    self.desk.happen::<Meter>(stream, event);
                    self.used(stream, event);
                }
                AnyEvent::Credit(credit::Event::Granted {
                    customer,
                    amount,
                    source: source @ Source::Gift { .. },
                    ..
                }) => self.bills.give(&mut self.desk, stream, *customer, *amount, source)?,
                AnyEvent::Credit(credit::Event::Used { .. }) if again => {
                    self.bills.used_again(&mut self.desk, stream)?;
                }
                AnyEvent::Invoice(event) => self.invoiced(stream, event, together)?,
                AnyEvent::Payment(event) => self.collected(event)?,
                _ => {}
            }
        }
        self.bill_together();
        for Past { event, .. } in together {
            self.bills.awaited(&mut self.desk, event)?;
        }
        self.lose(together, &metered, &decided)
    }

    /// Whether credit paid what was open and nothing else was done, also not before in the same request.
    fn uses_credit_again(&mut self, together: &[Past]) -> bool {
        let uses = |event: &AnyEvent| {
            let used = matches!(event, AnyEvent::Credit(credit::Event::Used { .. }));
            used || matches!(event, AnyEvent::Invoice(invoice::Event::CreditApplied { .. }))
        };
        if together.iter().all(|past| uses(&past.event)) {
            return together.iter().all(|past| !self.known.contains(&past.request));
        }
        self.known.extend(together.iter().map(|past| past.request.clone()));
        false
    }

    /// By stream that something is asked of: the days of which usage is metered.
    fn metered(&self, together: &[Past]) -> BTreeMap<String, BTreeMap<String, BTreeSet<NaiveDate>>> {
        let mut metered = BTreeMap::new();
        for Past { stream, event, .. } in together {
            if let (AnyEvent::Subscription(event), Some(case)) = (event, self.cases.get(stream))
                && !is_billing(event)
                && !metered.contains_key(stream)
            {
                metered.insert(stream.clone(), used_days::metered(&self.desk, case.id));
            }
        }
        metered
    }

    /// Usage that is metered no more is so where it came out otherwise; where it did not, what happened to it happens.
    fn lose(
        &mut self,
        together: &[Past],
        metered: &BTreeMap<String, BTreeMap<String, BTreeSet<NaiveDate>>>,
        decided: &Decided,
    ) -> Result<(), CommandError> {
        let is_other = |replay: &Self, stream: &str| {
            let case = replay.cases.get(stream).filter(|case| !case.replays);
            case.is_some_and(|case| replay.desk.state::<Subscription>(stream) != case.what_if.actual())
        };
        for (stream, metered) in metered {
            let id = self.cases.get(stream).map(|case| case.id);
            let signed = self.desk.state::<Subscription>(stream).agreement().is_some();
            if let Some(id) = id.filter(|_| signed && is_other(self, stream) && !decided.settled.contains(stream)) {
                used_days::keep_lost(&mut self.desk, id, metered)?;
            }
        }
        for Past { stream, event, .. } in together {
            let AnyEvent::Usage(event) = event else { continue };
            let own = match event {
                usage::Event::HandedOver { to: None, .. } => is_other(self, stream),
                _ => !leaves(event),
            };
            if !own && !decided.settled.contains(stream) {
                self.desk.happen::<Meter>(stream, event);
            }
        }
        Ok(())
    }

    /// What goes on as another subscription goes on as it would have: what that one begins with is told by what the first
    /// one would have been.
    fn hand_over_again(&mut self, together: &[Past]) -> Decided {
        let mut decided = Decided::default();
        for Past { stream, event, .. } in together {
            let AnyEvent::Subscription(subscription::Event::Signed {
                at,
                agreement,
                subscription,
                ..
            }) = event
            else {
                continue;
            };
            let tenant = self.desk.tenant().clone();
            let old = together.iter().map(|past| &past.stream).find(|old| {
                let case = self.cases.get(*old).filter(|_| *old != stream);
                case.is_some_and(|case| match agreement.moved_from {
                    Some(before) => before == case.id,
                    None => successor(&tenant, case.id) == *subscription,
                })
            });
            let Some(case) = old.and_then(|old| self.cases.get(old)) else {
                continue;
            };
            decided.hands_over = true;
            let (id, replays) = (case.id, case.replays || case.stuck.is_some());
            if replays || self.desk.state::<Subscription>(&id.to_string()) == case.what_if.actual() {
                continue;
            }
            self.bill_together();
            self.desk.move_to(*at);
            let moves = agreement.moved_from.is_some();
            let done = self.desk.attempt(|desk| {
                if moves {
                    moved_again(desk, id, *subscription, agreement)
                } else {
                    upgraded_again(desk, id, agreement)
                }
            });
            let event = if moves {
                "subscription.moved"
            } else {
                "subscription.signed"
            };
            if let (Err(error), Some(case)) = (done, self.cases.get_mut(&id.to_string())) {
                case.refused.push(Refusal {
                    at: *at,
                    event,
                    reason: error.to_string(),
                });
            }
            decided.settled.extend([id.to_string(), stream.clone()]);
        }
        decided
    }

    /// Whether usage that has come is due for correction is asked of what stands for its subscription.
    fn used(&mut self, stream: &str, event: &usage::Event) {
        let meter = self.desk.state::<Meter>(stream);
        let days_of = |records: Vec<_>, time_zone: &Option<String>, first_day: Option<NaiveDate>| {
            let zone = time_zone.as_deref().and_then(calendar::time_zone);
            let zone = zone.unwrap_or(calendar::Tz::UTC);
            let day = |at| Some(local_date(at, zone)).max(first_day);
            let days = records.into_iter().filter_map(|(metric, at)| Some((metric, day(at)?)));
            days.collect::<BTreeSet<(String, NaiveDate)>>()
        };
        let told = |record: &aggregates::billing::UsageRecord| (record.metric.clone(), record.at);
        let (at, days) = match event {
            usage::Event::Recorded {
                at,
                time_zone,
                first_day,
                records,
                ..
            } => {
                let records = records.iter().map(told).collect();
                (*at, days_of(records, time_zone, *first_day))
            }
            usage::Event::Adjusted {
                at,
                time_zone,
                first_day,
                taken,
                given,
                ..
            } => {
                let records = taken.iter().chain(given).map(told).collect();
                (*at, days_of(records, time_zone, *first_day))
            }
            usage::Event::TheirsChanged { at, theirs, .. } => {
                let total = |theirs: &usage::Theirs| {
                    let mut known = meter.shared_totals(&theirs.metric);
                    let total = known.find(|total| total.before.end == theirs.total_from);
                    total.map(|total| (theirs.metric.clone(), total.day))
                };
                (*at, theirs.iter().filter_map(total).collect())
            }
            usage::Event::HandedOver { .. } | usage::Event::TakenOver { .. } | usage::Event::Unmatched { .. } => return,
        };
        let Some(case) = self.cases.get_mut(stream) else { return };
        let mut supposed = self.desk.state::<Subscription>(stream).clone();
        if let Err(refused) = case.what_if.used(&mut supposed, at, days.into_iter().collect()) {
            case.stuck.get_or_insert(refused.to_string());
        }
        self.desk.lay(stream, supposed);
    }

    fn live_through_of(
        &mut self,
        stream: &str,
        event: &subscription::Event,
        together: &[Past],
        decided: &mut Decided,
    ) -> Result<(), CommandError> {
        let Some(case) = self.cases.get(stream) else {
            return Ok(());
        };
        let by_hand = match event {
            subscription::Event::ChargesInvoiced { charges, .. } if !case.run_invoices => {
                Some(selected(case.what_if.actual(), charges))
            }
            _ => None,
        };
        // Under the supposed terms it may never have been signed.
        let nobody = self.desk.state::<Subscription>(stream).agreement().is_none();
        let is_nothing = nobody && case.what_if.actual().agreement().is_some();
        if is_billing(event) || is_nothing || decided.settled.contains(stream) {
            if let Some(case) = self.cases.get_mut(stream) {
                case.what_if.happened(event);
            }
        } else {
            self.decide_again(stream, event, decided)?;
        }
        let Some(case) = self.cases.get_mut(stream) else {
            return Ok(());
        };
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
            subscription::Event::ChargesReleased { at, invoice, .. } => {
                // What waits again waits for another run, or for somebody who asks for it.
                case.run_invoices = false;
                let invoice = *invoice;
                if decided.voided.insert(invoice) {
                    let released = released(together, invoice);
                    self.void(*at, invoice, &released)?;
                }
            }
            _ => case.run_invoices = false,
        }
        Ok(())
    }

    /// Asks again for what was asked for: of what was refused nothing is left that was asked for with it.
    fn decide_again(
        &mut self,
        stream: &str,
        event: &subscription::Event,
        decided: &mut Decided,
    ) -> Result<(), CommandError> {
        let used = self.used_days(stream);
        let as_agreed = self.takes_over_what_was(event);
        let mut supposed = self.desk.state::<Subscription>(stream).clone();
        let Some(case) = self.cases.get_mut(stream) else {
            return Ok(());
        };
        let (id, replays) = (case.id, case.replays);
        let is_other = supposed != *case.what_if.actual();
        let followed = Followed::of(&self.desk, id)?.filter(|_| is_other && !replays);
        let before = decided.before.entry(stream.to_owned());
        let before = before.or_insert_with(|| supposed.clone()).clone();
        let lived = if as_agreed {
            case.what_if.live_through_as_agreed(&mut supposed, event);
            Ok(())
        } else {
            case.what_if.live_through_knowing(&mut supposed, event, &used)
        };
        for charge in supposed.pending() {
            self.desk.remember_one(charge);
        }
        self.desk.lay(stream, supposed);
        let refused = match (lived, followed) {
            (Err(refused), _) => Some(refused.to_string()),
            (Ok(()), Some(followed)) => followed.still(&self.desk, id).err().map(|error| error.to_string()),
            (Ok(()), None) => None,
        };
        let Some(reason) = refused else {
            if !decided.hands_over && !replays && !self.follows_replayed(stream) {
                if matches!(event, subscription::Event::Cancelled { .. }) {
                    not_followed(&mut self.desk, id)?;
                }
                leave_rest(&mut self.desk, id)?;
            }
            return Ok(());
        };
        let Some(case) = self.cases.get_mut(stream) else {
            return Ok(());
        };
        if replays {
            case.stuck.get_or_insert(reason);
            return Ok(());
        }
        case.refused.push(Refusal {
            at: self.desk.at(),
            event: event.name(),
            reason,
        });
        decided.settled.insert(stream.to_owned());
        self.desk.lay(stream, before);
        Ok(())
    }

    /// Whether somebody takes over something that is what it was, with its terms, though its terms are replaced, too.
    fn takes_over_what_was(&self, event: &subscription::Event) -> bool {
        let old = match event {
            subscription::Event::Signed { agreement, .. } => agreement.moved_from,
            _ => None,
        };
        let old = old.map(|old| old.to_string());
        let case = old.and_then(|old| Some((self.cases.get(&old)?, old)));
        let case = case.filter(|(case, _)| case.wanted && case.stuck.is_none());
        case.is_some_and(|(case, old)| self.desk.state::<Subscription>(&old) == case.what_if.actual())
    }

    /// Whether it goes on from a contract of which all happens as it was decided.
    fn follows_replayed(&self, stream: &str) -> bool {
        let agreement = self.desk.state::<Subscription>(stream).agreement();
        let old: Option<SubscriptionId> = agreement.and_then(|agreement| agreement.upgraded_from);
        let old = old.and_then(|old| self.cases.get(&old.to_string()));
        old.is_some_and(|old| old.replays)
    }

    /// By metric: the last day of which usage is recorded of what stands for it.
    fn used_days(&self, stream: &str) -> Used {
        let agreement = self.desk.state::<Subscription>(stream).agreement();
        let Some(agreement) = agreement.filter(|_| self.desk.holds::<Meter>(stream)) else {
            return Used::new();
        };
        let today = local_date(self.desk.at(), agreement.zone());
        used_days::used(agreement, self.desk.state(stream), |_| today)
    }
}

/// The moment that somebody billed, where that is all it did. It may have been later by then: what else falls due at that
/// moment is done behind it.
pub(super) fn run_of(at: DateTime<Utc>, together: &[Past]) -> Option<DateTime<Utc>> {
    let of_run = |past: &Past| match &past.event {
        AnyEvent::Subscription(event) => is_billing(event),
        _ => true,
    };
    let moment = |past: &Past| match &past.event {
        AnyEvent::Subscription(subscription::Event::Accrued { until, .. }) => Some(*until),
        AnyEvent::Subscription(subscription::Event::Ended { .. }) => Some(at),
        _ => None,
    };
    let billed = together.iter().all(of_run);
    together.iter().filter_map(moment).min().filter(|_| billed)
}

fn is_billing(event: &subscription::Event) -> bool {
    matches!(
        event,
        subscription::Event::Accrued { .. }
            | subscription::Event::ChargesInvoiced { .. }
            | subscription::Event::ChargesReleased { .. }
            | subscription::Event::Ended { .. }
    )
}

/// Whether it tells of usage that counts elsewhere from then on, or nowhere.
fn leaves(event: &usage::Event) -> bool {
    match event {
        usage::Event::HandedOver { .. } | usage::Event::TakenOver { .. } => true,
        usage::Event::Recorded { .. }
        | usage::Event::Adjusted { .. }
        | usage::Event::TheirsChanged { .. }
        | usage::Event::Unmatched { .. } => false,
    }
}
