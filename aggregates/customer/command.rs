//! What can be asked of a customer.

use chrono::{DateTime, Utc};

use super::{Contact, Profile};
use crate::id::CustomerId;

#[derive(Clone, Debug)]
pub enum Command {
    Create {
        at: DateTime<Utc>,
        customer: CustomerId,
        code: String,
        profile: Profile,
        contact: Contact,
    },
    /// Replaces profile and contact by what they are from now on (the dialects merge before they ask).
    Update {
        at: DateTime<Utc>,
        profile: Profile,
        contact: Contact,
    },
    /// Forget the person: the journal destroys the key of the subject in the same append.
    Forget { at: DateTime<Utc> },
}
