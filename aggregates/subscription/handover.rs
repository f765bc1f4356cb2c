//! What of a subscription goes on under another one, which another customer pays.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Event, Now, Refused, Subscription, phases};
use crate::{
    billing::{Ending, Kind, Phase, Policy},
    calendar::local_date,
    id::{CustomerId, SubscriptionId},
};

impl Now<'_> {
    /// From the day on it is another customer's. That it ends is said beside it.
    pub fn hand_over(
        &self,
        effective: NaiveDate,
        to: SubscriptionId,
        customer: CustomerId,
    ) -> Result<Vec<Event>, Refused> {
        if self.agreement.customer == customer {
            return Err(Refused::SameCustomer);
        }
        self.running()?;
        self.not_moved()?;
        Ok(vec![Event::Moved {
            at: self.at,
            effective,
            to,
            customer,
        }])
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
        let Self::Signed {
            agreement, progress, ..
        } = self
        else {
            return Err(Refused::Unknown);
        };
        let policy = Policy {
            before: progress.policies.clone(),
            ..agreement.policy()
        };
        let today = local_date(at, agreement.zone());
        let mut handed: Vec<Phase> = Vec::new();
        for phase in phases::restored(&agreement.phases) {
            if !phases::goes_on(&phase, day) || keeps(&phase, day, today) {
                continue;
            }
            let from = paid_until(&phase, &policy, day)?;
            if phase.until.is_none_or(|until| from < until) {
                let number = phases::next_number(&handed);
                handed.push(phases::again(&phase, number, from));
            }
        }
        Ok(handed)
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

/// The first day that is not paid for already, or on which the phase begins.
fn paid_until(phase: &Phase, policy: &Policy, day: NaiveDate) -> Result<NaiveDate, Refused> {
    let from = phase.from.max(day);
    let recurring = phase.kind == Kind::Recurring && phase.schedule.is_some();
    if !recurring || phase.from >= day {
        return Ok(from);
    }
    let mut ended = phase.clone();
    ended.end_on(day, Ending::Change);
    let paid = ended.pays_until(policy.of(phase.number, day).proration)?;
    Ok(paid.map_or(from, |paid| paid.max(from)))
}
