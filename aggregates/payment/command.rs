//! What can be asked of a payment.

use chrono::{DateTime, Utc};

use super::Wanted;

#[derive(Clone, Debug)]
pub enum Command {
    /// Ask for what is open of an invoice.
    Request { at: DateTime<Utc>, wanted: Wanted },
    /// The money was taken; `reference` is the collector's.
    Succeed { at: DateTime<Utc>, reference: String },
    /// It was not.
    Fail { at: DateTime<Utc>, reason: String },
    /// Nothing is left to collect: the invoice was paid otherwise.
    Withdraw { at: DateTime<Utc> },
}
