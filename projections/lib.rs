//! The read side of Billstream: which tables there are, which events fill them, and how they are asked.
//!
//! A projection is a pure function from one event to row writes. Applied inside the transaction that appends the event
//! it gives the view that the next request reads; applied to the whole log it rebuilds the same rows.

pub mod billing_template;
pub mod catalog;
pub mod credit;
pub mod customer;
pub mod customer_timeline;
pub mod due;
pub mod fulfilment;
pub mod invoice;
pub mod message;
pub mod order;
pub mod page;
pub mod payment;
pub mod preferences;
pub mod purchase;
pub mod registry;
pub mod store;
pub mod subscriber;
pub mod subscription;
pub mod table;
pub mod tenant;
pub mod usage;
pub mod usage_entry;
pub mod value;
pub mod write;

pub use registry::{PROJECTIONS, Projection};
pub use store::{ReadError, ReadStore};
pub use table::{Column, Kind, Table};
pub use value::{Row, RowError, Value};
pub use write::{Recorded, Write, Writes};
