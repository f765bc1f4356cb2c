//! What can be asked of a subscriber.

use chrono::{DateTime, Utc};

use super::{Choices, EndReason, Pause, Rhythm};
use crate::id::{BillingTemplateId, CustomerId, PurchaseId, SubscriptionId};

#[derive(Clone, Debug)]
pub enum Command {
    /// `first_purchase` is made where the rhythm begins at once, and only there.
    Add {
        at: DateTime<Utc>,
        subscriber: SubscriptionId,
        template: BillingTemplateId,
        customer: CustomerId,
        rhythm: Rhythm,
        time_zone: String,
        choices: Choices,
        first_purchase: Option<PurchaseId>,
    },
    /// The first purchase was paid. `limit` is how many purchases the template allows.
    Activate {
        at: DateTime<Utc>,
        paid_on: DateTime<Utc>,
        limit: Option<u32>,
    },
    ChangeChoices {
        at: DateTime<Utc>,
        choices: Choices,
    },
    Pause {
        at: DateTime<Utc>,
    },
    Resume {
        at: DateTime<Utc>,
    },
    /// Leave out the dates that have passed while the template stood still.
    SkipPauses {
        at: DateTime<Utc>,
        template: Vec<Pause>,
    },
    /// The purchase of the period `number` is made now.
    Bill {
        at: DateTime<Utc>,
        number: u32,
        purchase: PurchaseId,
        limit: Option<u32>,
    },
    End {
        at: DateTime<Utc>,
        reason: EndReason,
    },
}
