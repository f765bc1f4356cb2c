//! What can be asked of a message. That there is one follows from what it tells of.

use chrono::{DateTime, Utc};

use super::About;

#[derive(Clone, Debug)]
pub enum Command {
    /// It was delivered.
    Send { at: DateTime<Utc>, about: About },
    /// It was not.
    Fail {
        at: DateTime<Utc>,
        about: About,
        reason: String,
    },
}
