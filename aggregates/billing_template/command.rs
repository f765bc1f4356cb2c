//! What can be asked of a billing template.

use chrono::{DateTime, Utc};

use super::Template;
use crate::id::BillingTemplateId;

#[derive(Clone, Debug)]
pub enum Command {
    Create {
        at: DateTime<Utc>,
        template: BillingTemplateId,
        terms: Box<Template>,
    },
    Update {
        at: DateTime<Utc>,
        terms: Box<Template>,
    },
    /// A subscriber's cycle has begun.
    Launch {
        at: DateTime<Utc>,
    },
    Delete {
        at: DateTime<Utc>,
    },
}
