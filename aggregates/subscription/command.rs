//! What can be asked of a subscription.

use chrono::{DateTime, Utc};

use super::{Agreement, NewCharge};
use crate::id::{ChargeId, InvoiceId, SubscriptionId};

#[derive(Clone, Debug)]
pub enum Command {
    Sign {
        at: DateTime<Utc>,
        subscription: SubscriptionId,
        agreement: Box<Agreement>,
    },
    AddCharge {
        at: DateTime<Utc>,
        charge: NewCharge,
    },
    /// Put these pending charges on an invoice. They must be of one payment mode.
    InvoiceCharges {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        charges: Vec<ChargeId>,
    },
}
