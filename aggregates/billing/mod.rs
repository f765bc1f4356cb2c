//! The billing function: what a subscription owes up to a moment, and why. Preview, what-if and the real run call it.
//!
//! A subscription is a list of *phases*: one line under one price and one schedule, over `[from, until)`. A change of
//! plan, price, quantity or period ends phases and begins others; so do trial, pause, move and cancellation. Every
//! phase says how far it is billed; [`accrue`] brings all of them to where they should be at a moment: it charges what
//! is due, and takes back what was charged in advance for time that a phase no longer has. [`draft`] makes an invoice
//! of charges.

mod accrual;
mod balance;
mod draft;
mod item;
mod metered;
mod parts;
mod phase;
pub mod price;
mod progress;
mod proration;
mod schedule;
mod tax;
#[cfg(test)]
mod tests;
pub mod usage;

#[cfg(test)]
pub(crate) use accrual::ADVANCED;
pub use accrual::{
    Accrual, Accrued, BillingError, ChargeKey, Correction, Explanation, MOST_CHARGES, Policy, Reason, accrue, charge_id,
};
pub use balance::{Balance, PaymentRefused};
pub use draft::{Draft, DraftLine, Settlement, draft, settle};
pub use phase::{BilledUsage, Discount, Ending, Kind, Phase, Stop, Timing};
pub use price::{Price, PriceRefused};
pub use proration::{Proration, Share};
pub use schedule::{Schedule, Span};
pub use tax::{RateTotal, TaxLevel, TaxMode, TaxPolicy, Taxable, Taxed, by_line as tax_by_line};
pub use usage::{Aggregation, Usage, UsageRecord};
