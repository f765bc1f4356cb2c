//! What a subscription would have come to under other terms: its history once more, with the terms replaced from a day on.
//!
//! Nobody asked for other things: changes, pauses and ends are asked for when they were, and decided again on what the
//! other terms have made of it. Charges and invoices are left out of the history: whoever takes it again bills again.
//! Where nothing has come out otherwise yet, what happened happens: what was billed is what was billed, whatever this
//! program would decide today.

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Agreement, Charge, Command, Event, InvoiceCalendar, NOTHING_USED, Now, Refused, Status, Subscription, Terms, Used,
    phases, standing::Standing,
};
use crate::{
    Decider,
    order_terms::{OrderBillingChanges, OrderBillingPreferences},
    policy::{BillingPolicy, PolicyChanges, PolicyOwner},
    preferences::InvoicingChanges,
};

/// What is supposed to have been otherwise. Each part concerns the subscriptions that have such terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supposed {
    pub invoicing: InvoicingChanges,
    pub order: OrderBillingChanges,
    pub policy: PolicyChanges,
}

/// A history on its way: what has become of the subscription, and how that is found in the supposed one, which the
/// caller holds and bills.
#[derive(Clone, Debug, Default)]
pub struct WhatIf {
    pub(super) actual: Subscription,
    pub(super) supposed: Supposed,
    pub(super) standing: Standing,
    /// What was asked for is not known of all that happened: it happens again as it was decided.
    replays: bool,
}

impl WhatIf {
    pub fn new(supposed: Supposed) -> Self {
        Self {
            supposed,
            ..Self::default()
        }
    }

    /// Changes of before were written without what was asked for. Of a history that has such ones all that happened
    /// happens again as it was decided, to what stands for what it happened to.
    #[must_use]
    pub fn replaying(self, replays: bool) -> Self {
        Self { replays, ..self }
    }

    /// What has really become of it so far.
    pub fn actual(&self) -> &Subscription {
        &self.actual
    }

    /// Takes what happened before the terms are replaced.
    pub fn happened(&mut self, event: &Event) {
        self.actual.apply(event);
    }

    /// Replaces the terms: from here on the answer bills by the supposed ones.
    pub fn begin(&mut self, at: DateTime<Utc>) -> Result<Subscription, Refused> {
        let mut subscription = self.actual.clone();
        let Some(agreement) = self.actual.agreement().cloned() else {
            return Ok(subscription);
        };
        self.standing.know(&agreement.phases);
        if agreement.status == Status::Cancelled {
            self.keep_terms();
            return Ok(subscription);
        }
        match &agreement.terms {
            Terms::Contract { invoicing } => {
                let invoicing_then = self.supposed.invoicing.over(*invoicing);
                if invoicing_then != *invoicing {
                    set_terms(&mut subscription, self.terms(&agreement.terms));
                    reckon(&mut subscription, at)?;
                }
            }
            Terms::Order { billing } => {
                let then = self.supposed.order.clone().over(billing);
                self.bill_by(&mut subscription, at, then)?;
            }
        }
        Self::policy(&mut subscription, at, self.supposed.policy)?;
        Ok(subscription)
    }

    /// Nobody could have changed the terms: it goes on as it was agreed, with what is changed of that.
    pub fn keep_terms(&mut self) {
        self.supposed = Supposed::default();
    }

    /// Lets the supposed subscription live through what happened to the actual one. That charges and invoices were made
    /// is noted of the actual one only. What would have been refused changes nothing of the supposed one.
    pub fn live_through(&mut self, subscription: &mut Subscription, event: &Event) -> Result<(), Refused> {
        self.live_through_knowing(subscription, event, &NOTHING_USED)
    }

    /// The same, where usage is recorded: what stops is metered as far as that reaches.
    pub fn live_through_knowing(
        &mut self,
        subscription: &mut Subscription,
        event: &Event,
        used: &Used,
    ) -> Result<(), Refused> {
        let lived = self.counterpart(subscription, event, used);
        self.actual.apply(event);
        lived
    }

    /// The same of what is as it was agreed, whatever is supposed: it goes on from something that is.
    pub fn live_through_as_agreed(&mut self, subscription: &mut Subscription, event: &Event) {
        self.happens(subscription, event);
        self.actual.apply(event);
    }

    fn happens(&mut self, subscription: &mut Subscription, event: &Event) {
        subscription.apply(event);
        if let Some(agreement) = subscription.agreement() {
            self.standing.know(&agreement.phases);
        }
    }

    fn counterpart(&mut self, subscription: &mut Subscription, event: &Event, used: &Used) -> Result<(), Refused> {
        if is_billing(event) {
            return Ok(());
        }
        if *subscription == self.actual && !self.says_otherwise(event) {
            self.happens(subscription, event);
            return Ok(());
        }
        match event {
            Event::Signed { at, agreement, .. } => self.signed(subscription, *at, agreement, event),
            _ if self.replays => self.replay(subscription, event),
            _ => {
                let mut then = subscription.clone();
                for command in self.asked(subscription, event)? {
                    Self::ask(&mut then, event, &knowing(used, command))?;
                }
                *subscription = then;
                Ok(())
            }
        }
    }

    fn ask(subscription: &mut Subscription, event: &Event, command: &Command) -> Result<(), Refused> {
        match (send(subscription, command), event) {
            // Under the supposed terms nobody would have had to.
            (Err(Refused::ClosesByItself), _) => Ok(()),
            // Once that could be told.
            (Err(Refused::UsageToCome { .. }), Event::UsageClosed { at, .. }) => {
                happen(subscription, event);
                reckon(subscription, *at)
            }
            (decided, _) => decided.map(drop),
        }
    }

    /// Usage of these metrics and days has come.
    pub fn used(
        &self,
        subscription: &mut Subscription,
        at: DateTime<Utc>,
        days: Vec<(String, NaiveDate)>,
    ) -> Result<(), Refused> {
        if self.replays || *subscription == self.actual || subscription.agreement().is_none() {
            return Ok(());
        }
        send(subscription, &Command::NoteUsage { at, days }).map(drop)
    }

    /// Whether what is supposed is otherwise than the event has it.
    fn says_otherwise(&self, event: &Event) -> bool {
        let supposed = &self.supposed;
        match event {
            Event::Signed { agreement, .. } => {
                let policy = agreement.rules();
                self.terms(&agreement.terms) != agreement.terms
                    || policy.changed(&supposed.policy, PolicyOwner::Subscription).is_some()
            }
            Event::BillingPreferencesUpdated { billing, .. } => {
                let named = self.preferred(billing);
                named.is_some_and(|named| named.clone().where_supposed(&supposed.order) != named)
            }
            Event::PolicyUpdated { policy, .. } => {
                let set = self.set(policy);
                set.where_supposed(&supposed.policy) != set
            }
            Event::Changed { asked: Some(asked), .. } => {
                let of_period = || asked.billing_period.is_some() && supposed.order.billing_period.is_some();
                let ordered = asked.ordered.as_deref();
                ordered.map_or_else(of_period, |ordered| self.ordered(ordered) != *ordered)
            }
            _ => false,
        }
    }

    /// What the event sets otherwise than the policy was.
    fn set(&self, policy: &BillingPolicy) -> PolicyChanges {
        let before = self.actual.agreement().map_or(*policy, Agreement::rules);
        PolicyChanges::between(before, *policy)
    }

    /// The same, but for what is supposed of it.
    pub(super) fn policy_over(&self, policy: &BillingPolicy) -> PolicyChanges {
        self.set(policy).where_supposed(&self.supposed.policy)
    }

    fn signed(
        &mut self,
        subscription: &mut Subscription,
        at: DateTime<Utc>,
        agreed: &Agreement,
        event: &Event,
    ) -> Result<(), Refused> {
        let Event::Signed { subscription: id, .. } = event else {
            return Ok(());
        };
        let mut agreement = agreed.clone();
        agreement.terms = self.terms(&agreed.terms);
        if agreement.terms.trigger() != agreed.terms.trigger() {
            agreement.invoice_calendar = Some(InvoiceCalendar::FromActivation);
        }
        let policy = agreed.rules().changed(&self.supposed.policy, PolicyOwner::Subscription);
        if policy.is_some() {
            // What it goes on from is supposed to have been billed by the same policy.
            agreement.counted = Vec::new();
        }
        agreement.policy = policy.or(agreed.policy);
        if let (Some(order), Terms::Order { billing }) = (&agreed.order, &agreement.terms) {
            agreement.cycle = billing.billing_period.cycle();
            if agreed.status != Status::Pending && agreed.moved_from.is_none() {
                // What is signed is made of the order; so are those that stand for what was.
                agreement.phases = phases::of_order(order, billing, agreed.activation);
            }
        }
        self.standing.know(&agreed.phases);
        let agreement = Box::new(agreement);
        let subscription_id = *id;
        send(
            subscription,
            &Command::Sign {
                at,
                subscription: subscription_id,
                agreement,
            },
        )
        .map(drop)
    }

    pub(super) fn terms(&self, terms: &Terms) -> Terms {
        match terms {
            Terms::Contract { invoicing } => Terms::Contract {
                invoicing: self.supposed.invoicing.over(*invoicing),
            },
            Terms::Order { billing } => Terms::Order {
                billing: Box::new(self.supposed.order.clone().over(billing)),
            },
        }
    }

    /// A charge by hand, due and paid as the supposed terms say where they are what said it.
    pub(super) fn charge_added(&self, subscription: &mut Subscription, at: DateTime<Utc>, charge: &Charge) {
        let (Some(now), Some(then)) = (self.actual.agreement(), subscription.agreement()) else {
            return;
        };
        let mut charge = charge.clone();
        charge.due_date = then.terms.due_date(charge.flat_fee, charge.period, charge.period.start);
        if charge.automatic_payment == now.terms.automatic_payment() {
            charge.automatic_payment = then.terms.automatic_payment();
        }
        let waiting = subscription.pending().next().is_some();
        let next_billing = subscription.progress().and_then(|progress| {
            let now = Now {
                agreement: then,
                progress,
                waiting,
                used: &NOTHING_USED,
                at,
            };
            now.next_with_charge()
        });
        subscription.apply(&Event::ChargeAdded {
            at,
            charge,
            next_billing,
        });
    }

    pub(super) fn policy(
        subscription: &mut Subscription,
        at: DateTime<Utc>,
        changes: PolicyChanges,
    ) -> Result<(), Refused> {
        send(subscription, &Command::UpdatePolicy { at, changes }).map(drop)
    }

    pub(super) fn bill_by(
        &mut self,
        subscription: &mut Subscription,
        at: DateTime<Utc>,
        billing: OrderBillingPreferences,
    ) -> Result<(), Refused> {
        let before = subscription.agreement().map(|agreement| agreement.phases.clone());
        let preferences = Box::new(billing);
        for event in send(subscription, &Command::UpdateBillingPreferences { at, preferences })? {
            let Event::BillingPreferencesUpdated { ended, begun, .. } = event else {
                continue;
            };
            let line = |number: u32| before.iter().flatten().find(|phase| phase.number == number);
            for end in &ended {
                let line = line(end.phase).map(|phase| phase.line);
                let after = begun.iter().filter(|phase| Some(phase.line) == line);
                let after: Vec<u32> = after.map(|phase| phase.number).collect();
                self.standing.taken_over(end.phase, &after);
            }
        }
        Ok(())
    }
}

pub(super) fn send(subscription: &mut Subscription, command: &Command) -> Result<Vec<Event>, Refused> {
    let events = subscription.decide(command)?;
    for event in &events {
        subscription.apply(event);
    }
    Ok(events)
}

fn set_terms(subscription: &mut Subscription, terms: Terms) {
    if let Subscription::Signed { agreement, .. } = subscription {
        if agreement.terms.trigger() != terms.trigger() {
            agreement.invoice_calendar = Some(InvoiceCalendar::FromActivation);
        }
        agreement.terms = terms;
    }
}

/// Finds anew when there is something to do next.
pub(super) fn reckon(subscription: &mut Subscription, at: DateTime<Utc>) -> Result<(), Refused> {
    if let Subscription::Signed {
        agreement,
        pending,
        progress,
        ..
    } = subscription
    {
        let now = Now {
            agreement,
            progress,
            waiting: !pending.is_empty(),
            used: &NOTHING_USED,
            at,
        };
        progress.next_billing = now.next_billing(&agreement.phases)?;
    }
    Ok(())
}

/// Something happens that leaves what is due as it was, until that is reckoned.
pub(super) fn happen(subscription: &mut Subscription, event: &Event) {
    let due = subscription.progress().and_then(|progress| progress.next_billing);
    subscription.apply(event);
    if let Subscription::Signed { progress, .. } = subscription {
        progress.next_billing = due;
    }
}

/// Preferences that change no phase.
pub(super) fn noted(at: DateTime<Utc>, billing: OrderBillingPreferences) -> Event {
    Event::BillingPreferencesUpdated {
        at,
        billing: Box::new(billing),
        ended: Vec::new(),
        begun: Vec::new(),
        stopped: Vec::new(),
        implied: false,
        next_billing: None,
    }
}

/// What is another's is handed over knowing nothing: usage behind the move forbids it.
fn knowing(used: &Used, command: Command) -> Command {
    if used.is_empty() || matches!(command, Command::HandOver { .. }) {
        return command;
    }
    let (used, command) = (used.clone(), Box::new(command));
    Command::Knowing { used, command }
}

/// What whoever takes the history again does himself.
fn is_billing(event: &Event) -> bool {
    matches!(
        event,
        Event::Accrued { .. } | Event::ChargesInvoiced { .. } | Event::ChargesReleased { .. } | Event::Ended { .. }
    )
}
