//! What can be asked of an invoice.

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    id::{CustomerId, InvoiceId, SubscriptionId},
    money::Money,
    subscription::Charge,
};

#[derive(Clone, Debug)]
pub enum Command {
    /// Issue an invoice over charges that the subscription gave up in the same append.
    Issue {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        number: u64,
        customer: CustomerId,
        subscription: SubscriptionId,
        issue_date: NaiveDate,
        charges: Vec<Charge>,
        /// What the customer has, in the currency of the charges.
        credit: Money,
    },
}
