//! Stands where the billing of one subscription will be.

use aggregates::id::{InvoiceId, SubscriptionId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::App;
use crate::journal::{CommandError, Request};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Billed {
    pub accrued: usize,
    pub invoices: Vec<InvoiceId>,
    pub next: Option<DateTime<Utc>>,
}

impl App {
    pub async fn bill_subscription(
        &self,
        _request: &Request,
        _id: SubscriptionId,
        _until: DateTime<Utc>,
    ) -> Result<Billed, CommandError> {
        Ok(Billed::default())
    }
}
