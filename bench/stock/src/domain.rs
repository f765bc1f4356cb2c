//! The measured domain: a preferences aggregate with one command, one event and one view.

use std::convert::Infallible;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent, EventEnvelope, View};
use serde::{Deserialize, Serialize};

/// Replaces the invoicing preferences of one customer.
#[derive(Clone, Debug)]
pub struct UpdateInvoicing {
    pub due_days: u32,
    pub memo: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PreferencesEvent {
    InvoicingUpdated {
        revision: u64,
        due_days: u32,
        grouping: String,
        memo: String,
    },
}

impl DomainEvent for PreferencesEvent {
    fn event_type(&self) -> String {
        "InvoicingUpdated".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Preferences {
    revision: u64,
    due_days: u32,
    memo: String,
}

impl Aggregate for Preferences {
    const TYPE: &'static str = "preferences";
    type Command = UpdateInvoicing;
    type Event = PreferencesEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(&mut self, command: UpdateInvoicing, (): &(), sink: &EventSink<Self>) -> Result<(), Infallible> {
        let event = PreferencesEvent::InvoicingUpdated {
            revision: self.revision + 1,
            due_days: command.due_days,
            grouping: "per_subscription".to_owned(),
            memo: command.memo,
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: PreferencesEvent) {
        let PreferencesEvent::InvoicingUpdated {
            revision,
            due_days,
            memo,
            ..
        } = event;
        *self = Self {
            revision,
            due_days,
            memo,
        };
    }
}

/// The one view kept by a `GenericQuery`: the newest preferences and how many events it has seen.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PreferencesView {
    seen: u64,
    due_days: u32,
    memo: String,
}

impl View<Preferences> for PreferencesView {
    fn update(&mut self, event: &EventEnvelope<Preferences>) {
        let PreferencesEvent::InvoicingUpdated { due_days, memo, .. } = &event.payload;
        self.seen += 1;
        self.due_days = *due_days;
        self.memo.clone_from(memo);
    }
}

/// A memo that makes the stored JSON of an event about `payload_bytes` long (never shorter than an empty memo allows).
pub fn memo_for(payload_bytes: usize) -> Result<String, serde_json::Error> {
    let bare = PreferencesEvent::InvoicingUpdated {
        revision: 1,
        due_days: 30,
        grouping: "per_subscription".to_owned(),
        memo: String::new(),
    };
    let bare_bytes = serde_json::to_vec(&bare)?.len();
    Ok("Payable within thirty days of issue. "
        .chars()
        .cycle()
        .take(payload_bytes.saturating_sub(bare_bytes))
        .collect())
}
