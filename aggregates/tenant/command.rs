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
        credentials: Vec<Credential>,
    },
}
