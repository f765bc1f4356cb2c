//! The billing function: what a subscription owes up to a moment, and why. Preview, what-if and the real run call it.
//!
//! A subscription is a list of *phases*: one line under one price and one schedule, over `[from, until)`. A change of
//! plan, price, quantity or period ends phases and begins others; so do trial, pause, move and cancellation. Every
//! phase says how far it is billed; [`accrue`] brings all of them to where they should be at a moment: it charges what
//! is due, and takes back what was charged in advance for time that a phase no longer has.

mod accrual;
mod phase;
pub mod price;
mod schedule;
pub mod usage;

pub use accrual::{Accrual, Accrued, BillingError, Explanation, Policy, Proration, Reason, accrue};
pub use phase::{Discount, Kind, Phase, Timing};
pub use price::Price;
pub use schedule::Schedule;
pub use usage::{Aggregation, Usage, UsageRecord};
