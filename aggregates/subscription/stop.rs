//! Where a subscription begins, stands still, goes on and ends.

use chrono::{DateTime, Months, NaiveDate, Utc};

use super::{
    Agreement, Event, NOTHING_USED, Now, PhaseEnd, Progress, Refused, Status, Subscription, delivery,
    phases::{self, ends},
    policy::{self, lasting, takes_over},
};
use crate::{
    billing::{Ending, Kind, Phase},
    calendar::local_date,
    id::LineId,
};

/// How long ago an agreement may begin.
const YEARS_BACK: u32 = 20;

/// What begins is billed from its beginning on, period by period: so many years at most.
pub(super) fn recent(at: DateTime<Utc>, activation: NaiveDate) -> Result<(), Refused> {
    let earliest = at.date_naive().checked_sub_months(Months::new(12 * YEARS_BACK));
    match earliest {
        Some(earliest) if activation < earliest => Err(Refused::TooLongAgo { earliest }),
        Some(_) | None => Ok(()),
    }
}

/// What stops on a day, when there is something to bill then, and what else is due.
type Stopped = (Vec<PhaseEnd>, Option<DateTime<Utc>>, Option<Event>);

/// How far lines that end are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// All of them.
    pub until: NaiveDate,
    /// Those that are divided, where there are any.
    pub divided_until: Option<NaiveDate>,
}

impl Subscription {
    /// Whether it stands still then, and may go on.
    pub(super) fn is_paused(&self, at: DateTime<Utc>) -> bool {
        let Self::Signed {
            agreement,
            progress,
            pending,
            ..
        } = self
        else {
            return false;
        };
        let now = Now {
            agreement,
            progress,
            waiting: !pending.is_empty(),
            used: &NOTHING_USED,
            at,
        };
        now.status() == Status::Paused
    }

    /// From when on what comes in the place of lines that end on `day` can be charged so that no day is paid twice, and
    /// none is left out.
    pub fn paid_until(&self, day: NaiveDate) -> Result<Paid, Refused> {
        let (agreement, policy) = self.billed_by()?;
        let mut paid = Paid {
            until: day,
            divided_until: None,
        };
        for phase in phases::restored(&agreement.phases) {
            let recurring = phase.kind == Kind::Recurring && phase.schedule.is_some();
            if !recurring || phase.ending != Ending::Change {
                continue;
            }
            if phase.from >= day {
                paid.until = paid.until.max(agreement.unpaid_from(phase.line, day));
                continue;
            }
            let proration = policy.of(phase.number, day).proration;
            let until = phase.pays_until(proration)?;
            paid.until = until.map_or(paid.until, |until| until.max(paid.until));
            if phase.is_divided(proration) && phase.until == Some(day) {
                paid.divided_until = Some(day);
            }
        }
        Ok(paid)
    }
}

/// Whose period is taken over by nothing once these have ended: who began it pays for it then.
fn left_behind(phases: &[Phase], ended: &[PhaseEnd]) -> Vec<PhaseEnd> {
    let mut then = phases.to_vec();
    phases::stop(&mut then, ended);
    let is_taken_over = |all: &[Phase], phase: &Phase| lasting(all).any(|other| takes_over(other, phase));
    let ends = |phase: &Phase| ended.iter().any(|end| end.phase == phase.number);
    let left = phases.iter().filter(|phase| {
        let replaced = phase.ending == Ending::Replaced && !ends(phase);
        replaced && is_taken_over(phases, phase) && !is_taken_over(&then, phase)
    });
    let end = |phase: &Phase| {
        Some(PhaseEnd {
            phase: phase.number,
            until: phase.until?,
            ending: Ending::Change,
        })
    };
    left.filter_map(end).collect()
}

impl Now<'_> {
    pub(super) fn today(&self) -> NaiveDate {
        local_date(self.at, self.agreement.zone())
    }

    /// What the status is on the day: an end that has come counts, also where nobody has billed since.
    pub(super) fn status(&self) -> Status {
        let today = self.today();
        match self.progress.ends {
            Some(end) if end <= today => Status::Cancelled,
            Some(_) | None => self.agreement.status,
        }
    }

    pub(super) fn running(&self) -> Result<(), Refused> {
        match self.status() {
            Status::Active => Ok(()),
            Status::Pending => Err(Refused::Pending),
            Status::Paused => Err(Refused::Paused),
            Status::Cancelled => Err(Refused::Cancelled),
        }
    }

    pub(super) fn not_before_start(&self, day: NaiveDate) -> Result<(), Refused> {
        let start = self.agreement.activation;
        if day < start {
            return Err(Refused::BeforeStart { start });
        }
        Ok(())
    }

    /// Nothing begins on the day of the end, or after it.
    pub(super) fn before_end(&self, day: NaiveDate) -> Result<(), Refused> {
        match self.progress.ends.filter(|end| *end <= day) {
            Some(end) => Err(Refused::EndsAlready { end }),
            None => Ok(()),
        }
    }

    /// These phases stopped where the subscription stands still, or is to end; and what that takes from them.
    pub(super) fn stopped(&self, phases: &[Phase]) -> (Vec<Phase>, Vec<PhaseEnd>) {
        let mut phases = phases.to_vec();
        let stopped = match self.progress.stands_still_from {
            Some(day) => self.withdrawn(self.stops(&phases, day), &phases),
            None => Vec::new(),
        };
        phases::stop(&mut phases, &stopped);
        (phases, stopped)
    }

    /// What stops on the day.
    fn stops(&self, phases: &[Phase], day: NaiveDate) -> Vec<PhaseEnd> {
        self.but_bought(ends(phases, day, Ending::Termination), phases)
    }

    /// What ends, but for what is bought by now: that never ends.
    pub(super) fn but_bought(&self, mut ended: Vec<PhaseEnd>, phases: &[Phase]) -> Vec<PhaseEnd> {
        let today = self.today();
        let bought: Vec<u32> = phases
            .iter()
            .filter(|phase| phases::is_bought_by(phase, today))
            .map(|phase| phase.number)
            .collect();
        ended.retain(|end| !bought.contains(&end.phase));
        ended
    }

    /// What is billed ahead of the day it is bought on, and will not be bought, is given back. Once the day has come, what
    /// was bought stays bought.
    pub(super) fn withdrawn(&self, ended: Vec<PhaseEnd>, phases: &[Phase]) -> Vec<PhaseEnd> {
        let today = local_date(self.at, self.agreement.zone());
        let is_withdrawn = |end: &PhaseEnd, phase: &Phase| {
            let never_begins = phase.number == end.phase && phase.from == end.until && today < phase.from;
            never_begins && phase.kind == Kind::OneOff && phase.is_bought()
        };
        let ended = ended.into_iter().map(|end| PhaseEnd {
            ending: if phases.iter().any(|phase| is_withdrawn(&end, phase)) {
                Ending::Withdrawn
            } else {
                end.ending
            },
            ..end
        });
        ended.collect()
    }

    /// What is metered stops no sooner than behind the last day of which usage is recorded: all that was accepted is billed,
    /// here where no other phase meters it then.
    pub(super) fn as_used(&self, ended: &[PhaseEnd], phases: &[Phase], begun: &[Phase]) -> Vec<PhaseEnd> {
        let stays = |phase: &&Phase| ended.iter().all(|end| end.phase != phase.number);
        let others: Vec<&Phase> = phases.iter().filter(stays).chain(begun).collect();
        let metered_from = |metric: &str, day: NaiveDate| {
            let others = others
                .iter()
                .filter(|phase| phase.meters(metric) && phases::goes_on(phase, day));
            others.map(|phase| phase.from.max(day)).min()
        };
        let until = |end: &PhaseEnd| {
            let phase = phases.iter().find(|phase| phase.number == end.phase)?;
            let Kind::Metered { metric, .. } = &phase.kind else {
                return None;
            };
            let used = self.used.get(metric)?.succ_opt()?;
            let other = metered_from(metric, end.until);
            // Where it stood still already, and the day on which it stopped counted as used, it still does.
            let own = phase.end(self.policy().of(phase.number, end.until).proration).ok()?;
            let until = [own, other].into_iter().flatten().fold(used, NaiveDate::min);
            Some(until).filter(|until| *until > end.until)
        };
        // No day behind the last one that was used counts as used, too.
        let ends = |end: &PhaseEnd| match until(end) {
            Some(until) => PhaseEnd {
                until,
                ending: Ending::Change,
                ..*end
            },
            None => *end,
        };
        ended.iter().map(ends).collect()
    }

    /// A pending agreement begins on `activation`.
    pub fn activate(&self, activation: NaiveDate) -> Result<Vec<Event>, Refused> {
        match self.status() {
            Status::Pending => {}
            Status::Active | Status::Paused => return Ok(Vec::new()), // already so: a retry is not an error
            Status::Cancelled => return Err(Refused::Cancelled),
        }
        self.not_moved()?;
        self.before_end(activation)?;
        if self.agreement.moved_from.is_some() {
            // Until then it was another customer's, and waited there.
            self.not_before_start(activation)?;
        }
        recent(self.at, activation)?;
        let (phases, trial_end) = match &self.agreement.offer {
            Some(offer) => phases::of_offer(offer, self.agreement.cycle, activation)?,
            None => (Vec::new(), None),
        };
        let active = Agreement {
            activation,
            status: Status::Active,
            ..self.agreement.clone()
        };
        let then = Now {
            agreement: &active,
            ..*self
        };
        let (begun, stopped) = then.stopped(&phases);
        Ok(vec![Event::Activated {
            at: self.at,
            activation,
            next_billing: then.next_billing(&begun)?,
            phases,
            stopped,
            trial_end,
        }])
    }

    pub fn pause(&self, from: NaiveDate) -> Result<Vec<Event>, Refused> {
        if self.status() == Status::Paused {
            return Ok(Vec::new()); // already so: a retry is not an error
        }
        self.running()?;
        self.not_moved()?;
        self.not_before_start(from)?;
        self.before_end(from)?;
        let (ended, next_billing, corrected) = self.stop(from, self.progress)?;
        let paused = Event::Paused {
            at: self.at,
            from,
            ended,
            next_billing,
        };
        Ok([paused].into_iter().chain(corrected).collect())
    }

    /// Ends on `effective`, the first day that is not paid for, unless the policy counts it as used.
    pub fn cancel(&self, effective: NaiveDate) -> Result<Vec<Event>, Refused> {
        let progress = self.progress;
        if self.status() == Status::Cancelled || progress.ends == Some(effective) {
            return Ok(Vec::new()); // already so: a retry is not an error
        }
        // What is pending may be called off before the day that was named for its beginning.
        if self.agreement.status != Status::Pending {
            self.not_before_start(effective)?;
        }
        if let Some(end) = progress.ends.filter(|end| *end < effective) {
            return Err(Refused::EndsAlready { end });
        }
        self.pays_on(effective)?;
        let scheduled = effective > local_date(self.at, self.agreement.zone());
        let then = Progress {
            ends: Some(effective).filter(|_| scheduled),
            ..progress.clone()
        };
        // What waited for the beginning of what is pending waits for that no more.
        let over = Agreement {
            status: if scheduled {
                self.agreement.status
            } else {
                Status::Cancelled
            },
            ..self.agreement.clone()
        };
        let now = Now {
            agreement: &over,
            ..*self
        };
        let (ended, next_billing, corrected) = now.stop(effective, &then)?;
        let cancelled = Event::Cancelled {
            at: self.at,
            effective,
            scheduled,
            ended,
            next_billing,
        };
        Ok([cancelled].into_iter().chain(corrected).collect())
    }

    fn stop(&self, day: NaiveDate, progress: &Progress) -> Result<Stopped, Refused> {
        let mut phases = self.agreement.phases.clone();
        let mut ended = self.withdrawn(self.stops(&phases, day), &phases);
        ended = self.as_used(&ended, &phases, &[]);
        ended.extend(left_behind(&phases, &ended));
        phases::stop(&mut phases, &ended);
        phases::Decided::on(self.today(), &[], &ended).note(&mut phases);
        let next = Now { progress, ..*self }.next_billing(&phases)?;
        let corrected = self.corrected(&ended, &phases, next);
        Ok((ended, next, corrected))
    }

    /// Usage that came late is corrected with the next period: of what has none any more, now.
    pub(super) fn corrected(&self, ended: &[PhaseEnd], phases: &[Phase], next: Option<DateTime<Utc>>) -> Option<Event> {
        let over = |phase: &Phase| {
            let ends = ended.iter().any(|end| end.phase == phase.number);
            ends && !phase.billed_usage.is_empty() && phase.billed_through == phase.until
        };
        let (at, next_billing) = (self.at, self.at);
        let due = phases.iter().any(over) && next.is_none_or(|next| next > at);
        due.then_some(Event::UsageArrived { at, next_billing })
    }

    /// What was paused goes on, to the day of the end where there is one.
    pub fn resume(&self, from: NaiveDate) -> Result<Vec<Event>, Refused> {
        match self.status() {
            Status::Paused => {}
            Status::Active => return Ok(Vec::new()), // already so: a retry is not an error
            Status::Pending => return Err(Refused::Pending),
            Status::Cancelled => return Err(Refused::Cancelled),
        }
        self.not_moved()?;
        self.before_end(from)?;
        self.go_on(from, self.progress.ends, &[])
    }

    /// A cancelled agreement goes on from `from`; one whose end is still to come goes on from there, as if it had never
    /// been cancelled.
    pub fn reactivate(&self, from: NaiveDate, undelivered: &[LineId]) -> Result<Vec<Event>, Refused> {
        self.not_moved()?;
        let end = self.progress.ends.or(self.progress.cancelled_from);
        if self.agreement.upgraded_from.is_some() && end.is_some_and(|end| end <= self.agreement.activation) {
            // The one that it was to follow pays in its place.
            return Err(Refused::Cancelled);
        }
        let from = match (self.status(), self.progress.ends) {
            // It was cancelled before it ever began.
            (Status::Cancelled, _) if self.agreement.offer.is_some() => return Err(Refused::Cancelled),
            (Status::Cancelled, _) => from,
            (Status::Active, Some(end)) => from.max(end),
            (Status::Active, None) => return Ok(Vec::new()), // already so: a retry is not an error
            (Status::Pending, _) => return Err(Refused::Pending),
            (Status::Paused, _) => return Err(Refused::Paused),
        };
        self.go_on(from, None, undelivered)
    }

    /// What stands still goes on. A phase that loses no day by it goes on itself; of any other the days to come are a
    /// phase of their own.
    fn go_on(&self, from: NaiveDate, until: Option<NaiveDate>, undelivered: &[LineId]) -> Result<Vec<Event>, Refused> {
        let since = self.progress.stands_still_from;
        if let Some(since) = since.filter(|since| from < *since) {
            return Err(Refused::BeforePause { from: since });
        }
        let rules = self.policy();
        let (mut reopened, mut begun) = (Vec::new(), Vec::new());
        let mut number = phases::next_number(&self.agreement.phases);
        for phase in self.agreement.phases.iter().filter(|phase| phase.stop.is_some()) {
            let proration = rules.of(phase.number, phase.until.unwrap_or(phase.from)).proration;
            let paid = phase.pays_until(proration)?;
            let phase = phase.clone().restored();
            let unpaid = self.agreement.rest_left(phase.line, NaiveDate::MAX);
            let is_paid = unpaid.is_some_and(|unpaid| phase.from < unpaid);
            if paid.is_none_or(|paid| from <= paid) && !phase.is_replaced_before(from) && !is_paid {
                reopened.push(phase.number);
                continue;
            }
            let from = unpaid.map_or(from, |unpaid| from.max(unpaid));
            if phases::goes_on(&phase, from) {
                begun.push(phases::again(&phase, number, from.max(phase.from)));
                number = number.saturating_add(1);
            }
        }
        let mut progress = Progress {
            ends: until,
            stands_still_from: until,
            ..self.progress.clone()
        };
        let mut phases = phases::going_on(&self.agreement.phases, &reopened, &begun);
        policy::went_on(&mut phases, &mut progress, &self.agreement.rules());
        let then = Now {
            progress: &progress,
            ..*self
        };
        let (mut phases, stopped) = then.stopped(&phases);
        let decided = phases::Decided::on(self.today(), &begun, &[]);
        decided.reopening(&reopened, &self.agreement.phases).note(&mut phases);
        let delivered = |line: &LineId| self.progress.delivered.get(line);
        let planned_before = undelivered.iter().filter_map(delivered).any(|last| from <= *last);
        let again = if planned_before {
            self.progress.again.saturating_add(1)
        } else {
            0
        };
        let mut delivered = self.progress.clone();
        delivery::planned_again(&mut delivered, again, from, undelivered);
        let delivered = Now {
            progress: &delivered,
            ..*self
        };
        let fulfilments = delivered.delivered_again(from, undelivered, &phases);
        Ok(vec![Event::Resumed {
            at: self.at,
            from,
            next_billing: then.next_billing(&phases)?,
            reopened,
            begun,
            stopped,
            ends: until,
            undelivered: undelivered.to_vec(),
            again,
            fulfilments,
        }])
    }
}
