//! What can be asked of a subscription.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Agreement, NewCharge};
use crate::{
    id::{ChargeId, InvoiceId, SubscriptionId},
    order_terms::OrderBillingPreferences,
};

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
    /// From now on the order is billed so; what is billed already stays as it is.
    UpdateBillingPreferences {
        at: DateTime<Utc>,
        preferences: Box<OrderBillingPreferences>,
    },
    Cancel {
        at: DateTime<Utc>,
        effective: NaiveDate,
    },
}
