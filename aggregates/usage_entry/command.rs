//! What can be asked of a statement of usage.

use chrono::{DateTime, Utc};

use super::Entry;

/// `by` is who asks.
#[derive(Clone, Debug)]
pub enum Command {
    Record {
        at: DateTime<Utc>,
        by: String,
        entry: Box<Entry>,
    },
    /// Says something else in the place of what was said.
    Correct {
        at: DateTime<Utc>,
        by: String,
        entry: Box<Entry>,
    },
    /// Takes it back, as if it had never been said.
    Withdraw { at: DateTime<Utc>, by: String },
}
