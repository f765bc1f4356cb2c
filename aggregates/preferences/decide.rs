//! A tenant's preferences: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Event, InvoicingChanges, Refused};
use crate::{
    Decider, calendar,
    policy::{BillingPolicy, PolicyOwner},
    terms::{InvoiceTrigger, InvoicingPreferences},
};

/// A tenant that never changed anything has the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    pub invoicing: InvoicingPreferences,
    #[serde(default)]
    pub policy: BillingPolicy,
    /// IANA name; UTC when absent.
    #[serde(default)]
    pub time_zone: Option<String>,
}

impl Decider for Preferences {
    const TYPE: &'static str = "preferences";
    const STATE_VERSION: u32 = 3;
    const SNAPSHOT_EVERY: i64 = 256;
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match command {
            Command::UpdateInvoicingPreferences { at, changes } => {
                if let Some(InvoiceTrigger::Periodic(rule)) = changes.invoice_trigger
                    && rule.count == 0
                {
                    return Err(Refused::EmptyCycle);
                }
                let (preferences, changed) = merge(self.invoicing, changes);
                if changed.is_empty() {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::InvoicingUpdated {
                    at: *at,
                    changed,
                    preferences,
                }])
            }
            Command::UpdatePolicy { at, changes } => {
                let policy = self.policy.changed(changes, PolicyOwner::Tenant);
                let updated = policy.map(|policy| Event::PolicyUpdated { at: *at, policy });
                Ok(updated.into_iter().collect())
            }
            Command::SetTimeZone { at, time_zone } => {
                let Some(zone) = calendar::time_zone(time_zone) else {
                    return Err(Refused::UnknownTimeZone(time_zone.clone()));
                };
                let time_zone = zone.name();
                if self.time_zone.as_deref() == Some(time_zone) {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::TimeZoneSet {
                    at: *at,
                    time_zone: time_zone.to_owned(),
                }])
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::InvoicingUpdated { preferences, .. } => self.invoicing = *preferences,
            Event::PolicyUpdated { policy, .. } => self.policy = *policy,
            Event::TimeZoneSet { time_zone, .. } => self.time_zone = Some(time_zone.clone()),
        }
    }
}

impl InvoicingChanges {
    /// What was named, laid over what holds otherwise.
    pub fn over(&self, now: InvoicingPreferences) -> InvoicingPreferences {
        merge(now, self).0
    }
}

fn merge(mut now: InvoicingPreferences, wanted: &InvoicingChanges) -> (InvoicingPreferences, Vec<String>) {
    fn set<T: PartialEq + Copy>(field: &mut T, value: Option<T>, name: &str, changed: &mut Vec<String>) {
        if let Some(value) = value
            && *field != value
        {
            *field = value;
            changed.push(name.to_owned());
        }
    }
    let mut changed = Vec::new();
    set(
        &mut now.automatic_payment,
        wanted.automatic_payment,
        "automatic_payment",
        &mut changed,
    );
    set(
        &mut now.due_date_policy,
        wanted.due_date_policy,
        "due_date_policy",
        &mut changed,
    );
    set(
        &mut now.flat_fee_due_date_policy,
        wanted.flat_fee_due_date_policy,
        "flat_fee_due_date_policy",
        &mut changed,
    );
    set(
        &mut now.invoice_trigger,
        wanted.invoice_trigger,
        "invoice_trigger",
        &mut changed,
    );
    set(
        &mut now.usage_period_closing,
        wanted.usage_period_closing,
        "usage_period_closing",
        &mut changed,
    );
    (now, changed)
}
