//! What can be asked of an invoice.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    calendar::Tz,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId},
    message::Notice,
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
        /// Where the customer is: there the due date begins.
        zone: Tz,
        /// Who collects what is paid automatically, where the terms name somebody.
        processor: Option<String>,
        /// How it is told to the customer, where it is.
        notice: Option<Notice>,
    },
    /// So much was paid, under the reference of whoever took it.
    Pay {
        at: DateTime<Utc>,
        reference: String,
        amount: Money,
        method: Option<String>,
        paid_at: DateTime<Utc>,
    },
    /// So much of it is paid by the customer's credit, which gave it up in the same append.
    ApplyCredit { at: DateTime<Utc>, amount: Money },
    /// It is not to be paid: somebody says why.
    Void { at: DateTime<Utc>, reason: String },
}
