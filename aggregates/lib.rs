//! The write side of Billstream: what may happen, and what did.
//!
//! Everything here is pure: no clock, no random ids, no SQL, no HTTP, no async. A command carries its time and its
//! ids; `decide` turns state and command into events or a refusal; `apply` turns state and event into state.
//!
//! # Glossary: our noun, and the nouns of the three APIs spoken over it
//!
//! | here | Wingback-style | Exsited-style | CHIP-style |
//! |---|---|---|---|
//! | [`tenant`] | `wb_customer` | instance | company and brand |
//! | [`customer`] | customer | account | client |
//! | [`subscription`] | contract | order | - |
//! | charge (a line not yet billed) | invoice item | charge | - |
//! | [`invoice`] | invoice | invoice | - |
//! | [`payment`] (one that is collected) | payment execution | payment | - |
//! | [`fulfilment`] | - | fulfilment | - |
//! | [`message`] | - | mail of a communication profile | - |
//! | [`usage`] | usage event | - | - |
//! | [`usage_entry`] | - | usage | - |
//! | [`credit`] | credit | credit | balance |
//! | [`purchase`] | - | - | purchase |
//! | [`preferences`] | invoicing preferences | - | - |
//! | [`catalog`] | plan | item | - |
//! | [`discount`] | discount | - | - |
//! | [`billing_template`] | - | - | billing template |
//! | [`subscriber`] | - | - | billing template client |

pub mod billing;
pub mod billing_start;
pub mod billing_template;
pub mod calendar;
pub mod catalog;
pub mod credit;
pub mod customer;
pub mod decider;
pub mod discount;
pub mod event;
pub mod fulfilment;
#[cfg(test)]
mod golden;
pub mod id;
pub mod invoice;
mod line_billing;
pub mod message;
pub mod money;
mod named_terms;
pub mod number_series;
pub mod order_catalogue;
pub mod order_terms;
pub mod payment;
pub mod personal;
pub mod policy;
pub mod preferences;
pub mod purchase;
#[cfg(test)]
mod random;
pub mod refused;
pub mod subscriber;
pub mod subscription;
pub mod tenant;
pub mod terms;
pub mod usage;
pub mod usage_entry;

pub use decider::{Decider, Recordable};
pub use event::AnyEvent;
pub use refused::Refused;
