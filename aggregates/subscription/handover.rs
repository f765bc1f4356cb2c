//! What of a subscription goes on under another one, which another customer pays.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::{Change, CountedBefore, Event, Now, Refused, Status, Subscription, phases, policy};
use crate::{
    billing::{Ending, Kind, Phase, Policy, Span},
    calendar::local_date,
    id::{CustomerId, LineId, SubscriptionId},
    policy::PolicyBefore,
};

impl Now<'_> {
    /// From the day on it is another customer's: what runs then ends with it, for what goes on there. What stands still is
    /// left as it was when it came to that, and what is pending has nothing that could end. That the agreement ends is said
    /// beside it.
    pub fn hand_over(
        &self,
        effective: NaiveDate,
        to: SubscriptionId,
        customer: CustomerId,
    ) -> Result<Vec<Event>, Refused> {
        let status = self.status();
        if status == Status::Cancelled {
            return Err(Refused::Cancelled);
        }
        self.not_moved()?;
        if self.agreement.customer == customer {
            return Err(Refused::SameCustomer);
        }
        self.before_end(effective)?;
        let stands_still = status == Status::Paused && self.stands_still_on(effective);
        let mut events = Vec::new();
        if status != Status::Pending {
            self.not_before_start(effective)?;
            if !stands_still {
                events = self.changed(&Change::on(effective))?;
                events.iter_mut().for_each(imply);
            }
        }
        events.push(Event::Moved {
            at: self.at,
            effective,
            to,
            customer,
            from: Some(self.agreement.customer),
        });
        Ok(events)
    }

    fn stands_still_on(&self, day: NaiveDate) -> bool {
        self.progress.stands_still_from.is_some_and(|since| since <= day)
    }

    /// Where it was handed over from the end of a period that is paid here, it stays paid: the other one begins no sooner.
    pub fn pays_on(&self, day: NaiveDate) -> Result<(), Refused> {
        let moved = self.progress.moved_to.zip(self.progress.moved_on);
        let Some((to, from)) = moved.filter(|(_, from)| day < *from) else {
            return Ok(());
        };
        let policy = self.policy();
        // Also where it was to end sooner already.
        let phases = phases::restored(&self.agreement.phases);
        let ends_there = |phase: &&Phase| phase.until == Some(from) && phase.schedule.is_some();
        for phase in phases.iter().filter(ends_there) {
            let paid = phase.pays_until(policy.of(phase.number, from).proration)?;
            let mut then = phase.clone();
            then.stop_on(day.max(phase.from), Ending::Termination);
            let paid_then = then.pays_until(policy.of(phase.number, day).proration)?;
            if paid.is_some_and(|paid| from < paid) && paid_then < paid {
                return Err(Refused::Moved { to });
            }
        }
        Ok(())
    }

    /// What is another's never goes on here, or both would be billed for the same days.
    pub fn not_moved(&self) -> Result<(), Refused> {
        match self.progress.moved_to {
            Some(to) => Err(Refused::Moved { to }),
            None => Ok(()),
        }
    }
}

impl Subscription {
    /// The lines as they are billed from `day` on, over periods that begin on the days on which they did. What this
    /// subscription keeps, because it was bought once or is not divided, is not charged again.
    pub fn handed_over(&self, at: DateTime<Utc>, day: NaiveDate) -> Result<Vec<Phase>, Refused> {
        let (agreement, policy) = self.billed_by()?;
        let today = local_date(at, agreement.zone());
        let mut handed: Vec<Phase> = Vec::new();
        let phases = phases::restored(&agreement.phases);
        let paid = paid(&agreement.phases, &phases, &policy, day)?;
        let own = agreement.phases.iter();
        let bought = own.filter(|phase| phases::is_bought_by(phase, today));
        let bought: BTreeSet<u32> = bought.map(|phase| phase.number).collect();
        for phase in phases {
            let stays = bought.contains(&phase.number) || keeps(&phase, day, today);
            if !phases::goes_on(&phase, day) || stays {
                continue;
            }
            let behind = paid.iter().filter(|(number, _)| *number == phase.number);
            let from = behind.fold(phase.from.max(day), |from, (_, paid)| from.max(*paid));
            let from = agreement.rest_left(phase.line, day).map_or(from, |paid| from.max(paid));
            if phase.until.is_none_or(|until| from < until) {
                let number = phases::next_number(&handed);
                handed.push(phases::again(&phase, number, from));
            }
        }
        Ok(handed)
    }

    /// The day on which what was used at a moment counts; `None` where that is of who had this before, or has it now: also
    /// where this stood still from the day of the move on, and that day counts as used.
    pub fn usage_day(&self, at: DateTime<Utc>) -> Option<NaiveDate> {
        let agreement = self.agreement()?;
        let moved_on = self.progress().and_then(|progress| progress.moved_on);
        let until = moved_on.and_then(|day| agreement.usage_until(day));
        let is_here = until.is_none_or(|until| at < until);
        agreement.usage_day(at).filter(|_| is_here)
    }

    /// The day on which it goes on, where it stands still on that day and was to.
    pub fn goes_on_from(&self, day: NaiveDate) -> Option<NaiveDate> {
        let from = self.progress().and_then(|progress| progress.went_on_from);
        from.filter(|from| day < *from)
    }

    /// The policies, of now and of before, by which periods are counted that are under way on the day: what goes on in them under
    /// another agreement is counted as it is charged, or given back, here.
    pub fn counted(&self, day: NaiveDate) -> Vec<CountedBefore> {
        let Self::Signed {
            agreement, progress, ..
        } = self
        else {
            return Vec::new();
        };
        let phases = phases::restored(&agreement.phases);
        let under_way = |phase: &&Phase| phase.from <= day && phase.until.is_none_or(|until| day <= until);
        let mut counted: Vec<CountedBefore> = Vec::with_capacity(progress.policies.len());
        let mut now = policy::charged_by_now(agreement);
        // The rest of a period is divided as its first days are here, also where nothing of it is charged yet.
        for phase in phases.iter().filter(under_way) {
            let is_known = |before: &PolicyBefore| before.billed_through.get(&phase.number) > Some(&day);
            let period = policy::schedule_of(phase).and_then(|schedule| schedule.containing(day));
            let shared = period.filter(|period| is_shared(&phases, phase, *period, day));
            if let Some(period) = shared.filter(|_| !progress.policies.iter().any(is_known)) {
                let reaches = now.billed_through.entry(phase.number).or_insert(period.end);
                *reaches = period.end.max(*reaches);
            }
        }
        for before in progress.policies.iter().chain([&now]) {
            let of_this = counted.len();
            for phase in phases.iter().filter(under_way) {
                let reaches = before.billed_through.get(&phase.number).copied();
                let Some(reaches) = reaches.filter(|reaches| day < *reaches) else {
                    continue;
                };
                let (line, policy, schedule) = (phase.line, before.policy, phase.schedule);
                let mut same = counted.iter_mut().skip(of_this);
                if let Some(same) = same.find(|other| other.schedule == schedule) {
                    let known = same.through.entry(line).or_insert(reaches);
                    *known = (*known).max(reaches);
                } else {
                    counted.push(CountedBefore {
                        policy,
                        schedule,
                        through: BTreeMap::from([(line, reaches)]),
                    });
                }
            }
        }
        counted
    }

    /// The lines of what is handed over that go on in the middle of a period of which they had a day here, or before they
    /// came here: that is delivered there.
    pub fn under_way(&self, handed: &[Phase], day: NaiveDate) -> BTreeSet<LineId> {
        let Some(agreement) = self.agreement() else {
            return BTreeSet::new();
        };
        let is_begun = |next: &Phase| {
            let first = handed
                .iter()
                .filter(|phase| phase.line == next.line)
                .map(|phase| phase.from);
            let period = next.schedule.and_then(|schedule| schedule.containing(next.from));
            let was_here = |start: NaiveDate| {
                let mut own = agreement.phases.iter().filter(|phase| phase.line == next.line);
                own.any(|phase| phase.from.max(start) < phase.until.map_or(day, |until| until.min(day)))
            };
            let came_begun =
                |start: NaiveDate| agreement.under_way.contains(&next.line) && start < agreement.activation;
            first.min() == Some(next.from)
                && period.is_some_and(|period| was_here(period.start) || came_begun(period.start))
        };
        handed
            .iter()
            .filter(|phase| is_begun(phase))
            .map(|phase| phase.line)
            .collect()
    }
}

/// Whether the period has days before that one: of the phase, or of what it goes on with on that day.
fn is_shared(phases: &[Phase], phase: &Phase, period: Span, day: NaiveDate) -> bool {
    let goes_before = |before: &&Phase| before.from < day && policy::follows(phases, before, phase);
    let has_days = |begun: &Phase| {
        let lasts = begun.until.is_none_or(|until| period.start < until);
        lasts && period.start.max(begun.from) < day
    };
    let before = policy::lasting(phases).filter(goes_before);
    before.chain([phase]).any(has_days)
}

/// What ends so was not asked to: it is handed over.
fn imply(event: &mut Event) {
    if let Event::Changed { asked, implied, .. } = event {
        (*asked, *implied) = (None, true);
    }
}

/// What is charged once stays with who was charged. What is to be bought later was not bought yet.
fn keeps(phase: &Phase, day: NaiveDate, today: NaiveDate) -> bool {
    let once = match phase.kind {
        Kind::OneOff => true,
        Kind::Recurring => phase.schedule.is_none(),
        Kind::Trial | Kind::Metered { .. } => false,
    };
    let bought = phase.is_bought() && phase.from <= today;
    once && (bought || phase.from < day)
}

/// Until when phases are paid for where they end on the day, or stood still before, by number: what comes in their place is
/// not paid sooner.
pub(super) fn paid(
    actual: &[Phase],
    phases: &[Phase],
    policy: &Policy,
    day: NaiveDate,
) -> Result<Vec<(u32, NaiveDate)>, Refused> {
    let mut paid: Vec<(u32, NaiveDate)> = Vec::new();
    let recurring = |phase: &&Phase| phase.kind == Kind::Recurring && phase.schedule.is_some();
    for phase in phases.iter().filter(recurring) {
        let before = phases
            .iter()
            .filter(|before| before.number != phase.number && comes_for(phases, phase, before));
        let mut until = before
            .filter_map(|before| paid.iter().find(|(number, _)| *number == before.number))
            .map(|(_, until)| *until)
            .max();
        let stands_still = |actual: &&Phase| {
            actual.number == phase.number && actual.stop.is_some() && actual.until.is_some_and(|until| until <= day)
        };
        if let Some(still) = actual.iter().find(stands_still).filter(|still| still.from < day) {
            let proration = policy.of(still.number, still.until.unwrap_or(day)).proration;
            until = until.max(still.pays_until(proration)?);
        } else if phase.from < day {
            until = until.max(pays_beyond(phases, phase, policy, day)?);
        }
        paid.extend(until.map(|until| (phase.number, until)));
    }
    Ok(paid)
}

/// Until when a phase that began before the day pays, where it goes no further than that.
fn pays_beyond(phases: &[Phase], phase: &Phase, policy: &Policy, day: NaiveDate) -> Result<Option<NaiveDate>, Refused> {
    let mut ended = phase.clone();
    let is_begun = |other: &Phase| other.from < day && policy::takes_over(other, phase);
    if phases::goes_on(phase, day) {
        ended.end_on(day, Ending::Change);
    } else if phase.ending == Ending::Replaced && !policy::lasting(phases).any(is_begun) {
        ended.ending = Ending::Change;
    }
    let until = ended.until.unwrap_or(day);
    let paid = ended.pays_until(policy.of(phase.number, until).proration)?;
    Ok(paid.filter(|paid| phase.until.is_none_or(|ended| day <= ended) || day < *paid))
}

/// Whether a phase comes in the place of another one: of the same line, or of a line that nothing else follows.
fn comes_for(phases: &[Phase], phase: &Phase, before: &Phase) -> bool {
    if phase.line == before.line {
        return before.from <= phase.from;
    }
    let takes_over = before.ending == Ending::Replaced && before.until == Some(phase.from);
    let follows = |other: &Phase| other.line == before.line && before.until == Some(other.from);
    takes_over && before.schedule == phase.schedule && !phases.iter().any(follows)
}
