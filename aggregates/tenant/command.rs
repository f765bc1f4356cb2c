//! What can be asked of a tenant.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Credential;

#[derive(Clone, Debug)]
pub enum Command {
    Create {
        at: DateTime<Utc>,
        name: String,
        company_id: Uuid,
        brand_id: Uuid,
        /// Whether the tenant has a clock of its own, which starts at `at` and stands still until it is moved.
        test_mode: bool,
        credentials: Vec<Credential>,
    },
    /// Forward only.
    MoveClock { to: DateTime<Utc> },
}
