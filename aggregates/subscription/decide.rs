//! Subscriptions: the decisions.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Agreement, Charge, Command, Cycle, Event, NOTHING_USED, Now, Offer, Refused, Status, Terms, Used, apply, change,
    charge, phases, policy, run, stop,
};
use crate::{
    Decider,
    billing::{Kind, Phase, Policy},
    catalog::PlanLine,
    id::{ChargeId, LineId, SubscriptionId},
    policy::PolicyBefore,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subscription {
    #[default]
    Absent,
    Signed {
        id: SubscriptionId,
        /// Its phases say how far they are billed.
        agreement: Box<Agreement>,
        /// Charges that are on no invoice yet, in order of their ids.
        pending: BTreeMap<ChargeId, Charge>,
        progress: Box<Progress>,
    },
}

/// How far the billing has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How often the subscription was billed.
    pub run: u32,
    /// When there is something to do.
    pub next_billing: Option<DateTime<Utc>>,
    /// The local day up to which everything is charged.
    pub accrued_until: Option<NaiveDate>,
    /// The day of a cancellation that is still to come.
    pub ends: Option<NaiveDate>,
    /// The first day of a pause, or of an end, also of one that is still to come: whichever is first.
    pub stands_still_from: Option<NaiveDate>,
    /// Of what is cancelled: the day of that, also where it had stood still before.
    #[serde(default)]
    pub cancelled_from: Option<NaiveDate>,
    /// The first day after the latest pause or end that it went on from.
    #[serde(default)]
    pub went_on_from: Option<NaiveDate>,
    /// With closing by hand: usage of days before this one is closed.
    #[serde(default)]
    pub usage_closed: Option<NaiveDate>,
    /// Since when a correction is due for usage that came late.
    #[serde(default)]
    pub usage_arrived: Option<DateTime<Utc>>,
    /// The policies of before, oldest first.
    #[serde(default)]
    pub policies: Vec<PolicyBefore>,
    /// What it goes on as, where it is another customer's.
    #[serde(default)]
    pub moved_to: Option<SubscriptionId>,
    /// From which day on.
    #[serde(default)]
    pub moved_on: Option<NaiveDate>,
    /// Of an order: the first day of the latest period that something is delivered for.
    #[serde(default)]
    pub fulfilled: Option<NaiveDate>,
    /// Of an order: by line, the first day of the latest period for which it is delivered.
    #[serde(default)]
    pub delivered: BTreeMap<LineId, NaiveDate>,
    /// Of an order, by number of each phase that is delivered further than it is charged, or less far: how far.
    #[serde(default)]
    pub delivered_through: BTreeMap<u32, NaiveDate>,
    /// Of an order: how often what was withdrawn of it was planned once more.
    #[serde(default)]
    pub again: u32,
    /// The last day of which that is said.
    #[serde(default)]
    pub again_until: Option<NaiveDate>,
    /// By line, as which of those its latest fulfilment was planned, where it was one.
    #[serde(default)]
    pub renewed: BTreeMap<LineId, u32>,
}

impl Subscription {
    pub fn agreement(&self) -> Option<&Agreement> {
        match self {
            Self::Absent => None,
            Self::Signed { agreement, .. } => Some(agreement),
        }
    }

    pub fn progress(&self) -> Option<&Progress> {
        match self {
            Self::Absent => None,
            Self::Signed { progress, .. } => Some(progress),
        }
    }

    /// The first of the wanted phases that has a day. Where the day on which something is terminated counts as used, what
    /// was used on it is metered, as it is billed.
    pub fn phase_on(&self, day: NaiveDate, wanted: impl Fn(&Phase) -> bool) -> Option<&Phase> {
        let Self::Signed {
            agreement, progress, ..
        } = self
        else {
            return None;
        };
        let begun = || {
            agreement
                .phases
                .iter()
                .filter(|phase| phase.from <= day && wanted(phase))
        };
        let running = begun().find(|phase| phase.until.is_none_or(|until| day < until));
        running.or_else(|| {
            let mut last = begun().filter(|phase| phase.until == Some(day)).peekable();
            last.peek()?;
            let policy = Policy {
                before: progress.policies.clone(),
                ..agreement.policy()
            };
            last.find(|phase| {
                let end = phase.end(policy.of(phase.number, day).proration);
                end.is_ok_and(|end| end.is_some_and(|end| day < end))
            })
        })
    }

    /// What is agreed, and the policies of now and of before that it is billed by.
    pub(super) fn billed_by(&self) -> Result<(&Agreement, Policy), Refused> {
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
        Ok((agreement, policy))
    }

    /// The phase that meters what is used on a day.
    pub fn meter(&self, metric: &str, day: NaiveDate) -> Option<&Phase> {
        self.phase_on(day, |phase| phase.meters(metric))
    }

    /// The charges that can be put on an invoice now.
    pub fn pending(&self) -> impl Iterator<Item = &Charge> {
        match self {
            Self::Absent => None,
            Self::Signed { pending, .. } => Some(pending.values()),
        }
        .into_iter()
        .flatten()
    }

    /// A line as it is billed on a day; where it is not, as it is billed first afterwards, or was last.
    pub fn line(&self, id: LineId, day: NaiveDate) -> Option<PlanLine> {
        let phases = phases::restored(&self.agreement()?.phases);
        let last = || phases.iter().rev().find(|phase| phase.line == id);
        let phase = change::in_force(&phases, id, day).or_else(last)?;
        Some(PlanLine {
            id,
            name: phase.name.clone(),
            kind: phase.kind.clone(),
            timing: phase.timing,
            price: phase.price.clone(),
            quantity: phase.quantity,
            flat_fee: phase.flat_fee,
            prorate: phase.prorate,
            tax_rate: phase.tax_rate,
        })
    }
}

impl Decider for Subscription {
    const TYPE: &'static str = "subscription";
    const STATE_VERSION: u32 = 18;
    const SNAPSHOT_EVERY: i64 = 256;
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match command {
            Command::Knowing { used, command } => self.decide_knowing(used, command),
            command => self.decide_knowing(&NOTHING_USED, command),
        }
    }

    fn apply(&mut self, event: &Event) {
        if let Event::Signed {
            subscription,
            agreement,
            next_billing,
            ..
        } = event
        {
            *self = Self::Signed {
                id: *subscription,
                agreement: agreement.clone(),
                pending: BTreeMap::new(),
                progress: Box::new(Progress {
                    next_billing: *next_billing,
                    policies: policy::begun(agreement),
                    went_on_from: agreement.goes_on_from,
                    fulfilled: Some(agreement.activation).filter(|_| !agreement.under_way.is_empty()),
                    delivered: agreement
                        .under_way
                        .iter()
                        .map(|line| (*line, apply::goes_on(agreement, *line)))
                        .collect(),
                    ..Progress::default()
                }),
            };
            return;
        }
        if let Self::Signed {
            agreement,
            pending,
            progress,
            ..
        } = self
        {
            apply::move_on(agreement, pending, progress, event);
        }
    }
}

impl Subscription {
    fn decide_knowing(&self, used: &Used, command: &Command) -> Result<Vec<Event>, Refused> {
        match self {
            Self::Absent => match command {
                Command::Sign {
                    at,
                    subscription,
                    agreement,
                } => sign(*at, *subscription, agreement),
                Command::AddCharge { .. }
                | Command::InvoiceCharges { .. }
                | Command::ReleaseCharges { .. }
                | Command::UpdateBillingPreferences { .. }
                | Command::UpdateLineBilling { .. }
                | Command::UpdatePolicy { .. }
                | Command::Cancel { .. }
                | Command::Activate { .. }
                | Command::Accrue { .. }
                | Command::Change { .. }
                | Command::NoteUsage { .. }
                | Command::CloseUsage { .. }
                | Command::Pause { .. }
                | Command::Resume { .. }
                | Command::HandOver { .. }
                | Command::NotFollowed { .. }
                | Command::Knowing { .. }
                | Command::Reactivate { .. } => Err(Refused::Unknown),
            },
            Self::Signed {
                id,
                agreement,
                pending,
                progress,
            } => {
                let now = |at: &DateTime<Utc>| Now {
                    agreement,
                    progress,
                    waiting: !pending.is_empty(),
                    used,
                    at: *at,
                };
                match command {
                    Command::Sign { .. } => Err(Refused::AlreadyExists),
                    Command::AddCharge { at, charge: new } => charge::add(now(at), pending, new),
                    Command::InvoiceCharges { at, invoice, charges } => {
                        charge::invoice(pending, *at, *invoice, charges)
                    }
                    Command::ReleaseCharges { at, invoice, charges } => {
                        charge::release(now(at), pending, *invoice, charges)
                    }
                    Command::UpdateBillingPreferences { at, preferences } => {
                        now(at).update_billing_preferences(preferences)
                    }
                    Command::UpdateLineBilling { at, line, billing } => now(at).update_line_billing(*line, billing),
                    Command::UpdatePolicy { at, changes } => now(at).update_policy(*changes),
                    Command::Cancel { at, effective } => now(at).cancel(*effective),
                    Command::Activate { at, activation } => now(at).activate(*activation),
                    Command::Accrue { at, until, usage } => run::accrue(*id, now(at), pending, *until, usage),
                    Command::Change { at, change } => now(at).change(change),
                    Command::NoteUsage { at, days } => Ok(now(at).note_usage(days)),
                    Command::CloseUsage { at, through } => now(at).close_usage(*through),
                    Command::Pause { at, from } => now(at).pause(*from),
                    Command::Resume { at, from } => now(at).resume(*from),
                    Command::HandOver {
                        at,
                        effective,
                        to,
                        customer,
                    } => now(at).hand_over(*effective, *to, *customer),
                    Command::NotFollowed { at, effective } => now(at).not_followed(*effective),
                    Command::Reactivate { at, from, undelivered } => now(at).reactivate(*from, undelivered),
                    Command::Knowing { used, command } => self.decide_knowing(used, command),
                }
            }
        }
    }
}

/// What was agreed is frozen into phases: later changes of the plan or of preferences do not reach it.
fn sign(at: DateTime<Utc>, subscription: SubscriptionId, agreed: &Agreement) -> Result<Vec<Event>, Refused> {
    let mut agreement = agreed.clone();
    agreement.set_calendar();
    if agreement.status != Status::Pending {
        stop::recent(at, agreement.activation)?;
    }
    if let Some(order) = &agreement.order {
        order.totals(agreement.currency).map_err(|(_, error)| error)?;
    }
    // Periods are whole days: an hour's price for each would be a wrong one.
    let by_cycle = |offer: &Offer| offer.lines.iter().any(|line| line.kind != Kind::OneOff);
    if agreement.cycle == Cycle::Hour && agreement.offer.as_deref().is_some_and(by_cycle) {
        return Err(Refused::Hourly);
    }
    if agreement.status != Status::Pending && agreement.moved_from.is_none() {
        if let Some(offer) = agreement.offer.take() {
            (agreement.phases, agreement.trial_end) = phases::of_offer(&offer, agreement.cycle, agreement.activation)?;
            agreement.paid_before = offer.paid_before(agreement.activation);
        }
        if let (Some(order), Terms::Order { billing }) = (&agreement.order, &agreement.terms) {
            agreement.phases = phases::of_order(order, billing, agreement.activation);
        }
    }
    let progress = Progress {
        policies: policy::begun(&agreement),
        ..Progress::default()
    };
    let now = Now {
        agreement: &agreement,
        progress: &progress,
        waiting: false,
        used: &NOTHING_USED,
        at,
    };
    let next_billing = now.next_billing(&agreement.phases)?;
    Ok(vec![Event::Signed {
        at,
        subscription,
        agreement: Box::new(agreement),
        next_billing,
    }])
}
