//! Agreements with a customer: a Wingback contract and an Exsited order are one thing here.

mod agreement;
mod apply;
mod asked;
mod change;
mod charge;
mod command;
mod decide;
mod delivery;
mod event;
mod follow;
mod handover;
mod invoicing;
mod line;
mod order;
mod order_change;
mod origins;
mod paid_before;
mod phases;
mod policy;
mod refused;
mod rest;
mod run;
mod settled;
mod standing;
mod stop;
#[cfg(test)]
mod tests;
mod translated;
mod what_if;

use chrono::{DateTime, Utc};

pub use agreement::*;
pub use charge::*;
use command::NOTHING_USED;
pub use command::{Change, Command, Said, Used};
pub use decide::{Progress, Subscription};
pub use event::*;
pub use invoicing::InvoiceCalendar;
pub use order::*;
pub use order_change::{LineChange, OrderChange, TaxChange};
pub use origins::{Metered, Origin, Origins};
pub use refused::Refused;
pub use stop::Paid;
pub use what_if::{Supposed, WhatIf};

/// What a command meets.
#[derive(Clone, Copy)]
struct Now<'a> {
    agreement: &'a Agreement,
    progress: &'a Progress,
    /// Whether charges are on no invoice yet.
    waiting: bool,
    /// What is metered stops no sooner.
    used: &'a Used,
    at: DateTime<Utc>,
}

crate::cqrs_aggregate!(Subscription, Event);
