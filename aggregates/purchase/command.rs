//! What can be asked of a purchase.

use chrono::{DateTime, Utc};

use super::Order;
use crate::{
    customer::Contact,
    id::{CustomerId, PurchaseId},
};

#[derive(Clone, Debug)]
pub enum Command {
    /// `client` is the customer's data as it is now: later changes of the customer do not reach the purchase.
    Create {
        at: DateTime<Utc>,
        purchase: PurchaseId,
        customer: CustomerId,
        number: u64,
        order: Box<Order>,
        client: Box<Contact>,
    },
    /// The invoice was sent to the client.
    MarkSent { at: DateTime<Utc> },
    /// It was paid outside of here, on `paid_on`.
    MarkAsPaid { at: DateTime<Utc>, paid_on: DateTime<Utc> },
    /// It is not to be paid any more.
    Cancel { at: DateTime<Utc> },
}
