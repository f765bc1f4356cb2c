//! What happened to a subscriber, and what one is.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{Rhythm, Upcoming};
use crate::{
    Recordable,
    id::{BillingTemplateId, CustomerId, PurchaseId, SubscriptionId},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its first purchase is not paid yet: the cycle has not begun.
    Pending,
    Active,
    Paused,
    /// It is over.
    Inactive,
}

/// What the merchant may choose, and change, for one subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_methods: Option<Vec<String>>,
    pub send_invoice_on_charge_failure: bool,
    pub send_invoice_on_add_subscriber: bool,
    pub send_receipt: bool,
    /// Stands as the reference of its purchases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_reference: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// As many purchases were made as the template allows.
    CyclesOver,
    TemplateDeleted,
    CustomerForgotten,
    /// There is no later date.
    CalendarOver,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The rhythm is a copy of the template's, fixed from now on. With a first purchase it waits for that to be paid,
    /// else it is active at once.
    Added {
        at: DateTime<Utc>,
        subscriber: SubscriptionId,
        template: BillingTemplateId,
        customer: CustomerId,
        rhythm: Rhythm,
        /// In whose days it is billed.
        time_zone: String,
        anchor: NaiveDate,
        choices: Choices,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_purchase: Option<PurchaseId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upcoming: Option<Upcoming>,
    },
    /// The first purchase was paid: dates are counted from that day.
    Activated {
        at: DateTime<Utc>,
        anchor: NaiveDate,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upcoming: Option<Upcoming>,
    },
    ChoicesChanged {
        at: DateTime<Utc>,
        choices: Choices,
    },
    Paused {
        at: DateTime<Utc>,
    },
    Resumed {
        at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upcoming: Option<Upcoming>,
    },
    /// The purchase of one period was made.
    Billed {
        at: DateTime<Utc>,
        period: Upcoming,
        purchase: PurchaseId,
        /// With this one.
        cycles_passed: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upcoming: Option<Upcoming>,
    },
    /// Dates have passed while the template stood still.
    PeriodsSkipped {
        at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upcoming: Option<Upcoming>,
    },
    Ended {
        at: DateTime<Utc>,
        reason: EndReason,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Added { .. } => "subscriber.added",
            Self::Activated { .. } => "subscriber.activated",
            Self::ChoicesChanged { .. } => "subscriber.choices_changed",
            Self::Paused { .. } => "subscriber.paused",
            Self::Resumed { .. } => "subscriber.resumed",
            Self::Billed { .. } => "subscriber.billed",
            Self::PeriodsSkipped { .. } => "subscriber.periods_skipped",
            Self::Ended { .. } => "subscriber.ended",
        }
    }
}
