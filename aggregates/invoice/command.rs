//! What can be asked of an invoice.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    billing::TaxPolicy,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId},
    money::Money,
    subscription::Charge,
};

#[derive(Clone, Debug)]
pub enum Command {
    /// Issue an invoice over charges that the subscription gave up in the same append; or several subscriptions did, of
    /// which it is the first.
    Issue {
        at: DateTime<Utc>,
        invoice: InvoiceId,
        number: u64,
        customer: CustomerId,
        subscription: SubscriptionId,
        issue_date: NaiveDate,
        charges: Vec<Charge>,
        /// Whose charges they are, where they are of other subscriptions.
        others: BTreeMap<ChargeId, SubscriptionId>,
        /// What the customer has, in the currency of the charges.
        credit: Money,
        tax: TaxPolicy,
    },
}
