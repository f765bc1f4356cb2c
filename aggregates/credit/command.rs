//! What can be asked of a customer's credit.

use chrono::{DateTime, Utc};

use super::Source;
use crate::{
    id::{CustomerId, InvoiceId},
    money::Money,
};

#[derive(Clone, Debug)]
pub enum Command {
    Grant {
        at: DateTime<Utc>,
        customer: CustomerId,
        amount: Money,
        source: Source,
    },
    /// Pay so much of an invoice.
    Use {
        at: DateTime<Utc>,
        customer: CustomerId,
        amount: Money,
        invoice: InvoiceId,
    },
    /// An invoice that granted so much is voided. Of credit that was used nothing can be taken back.
    TakeBack {
        at: DateTime<Utc>,
        customer: CustomerId,
        amount: Money,
        invoice: InvoiceId,
    },
}
