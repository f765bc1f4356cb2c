//! Use cases: what the doors of all dialects lead to. No HTTP words here, and no SQL.

pub mod access;
pub mod audit;
pub mod billing_run;
pub mod changes;
pub mod contracts;
pub mod credits;
pub mod customers;
mod desk;
pub mod discounts;
pub mod due;
pub mod fulfilments;
pub mod invoicing;
pub mod messages;
pub mod moves;
pub mod orders;
pub mod origins;
pub mod payments;
pub mod plans;
pub mod policy;
pub mod preferences;
pub mod previews;
pub mod purchases;
pub mod send_billing;
pub mod subscribers;
pub mod templates;
pub mod tenants;
pub mod usage;
pub mod what_if;

use std::sync::Arc;

use aggregates::id::TenantId;
use chrono::{DateTime, Duration, Utc};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    clock::Clock,
    journal::{CommandError, Journal, Request},
};

/// Everything a request handler needs.
pub struct App {
    pub journal: Journal,
    pub clock: Arc<dyn Clock>,
    pub access: access::Access,
    /// Where metrics are read from, when they are recorded.
    pub metrics: Option<PrometheusHandle>,
    /// How long something may be due before this process is not ready.
    pub late_after: Duration,
}

/// Who a request comes from, once its credential was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub tenant: TenantId,
    /// The public part of the credential used.
    pub actor: String,
    /// Whether the tenant has a clock of its own. It never changes, so it may be remembered; the clock may not.
    pub test_mode: bool,
}

impl App {
    pub fn new(journal: Journal, clock: Arc<dyn Clock>) -> Self {
        Self {
            journal,
            clock,
            access: access::Access::default(),
            metrics: None,
            late_after: due::LATE_AFTER,
        }
    }

    /// The envelope of a command that comes in now.
    pub async fn request(&self, principal: &Principal, dialect: &'static str) -> Result<Request, CommandError> {
        let now = self.now(principal).await?;
        let (tenant, actor) = (principal.tenant.clone(), principal.actor.clone());
        Ok(Request::new(tenant, actor, dialect, now))
    }

    /// What time it is for the tenant: what its own clock shows, where it has one.
    pub async fn now(&self, principal: &Principal) -> Result<DateTime<Utc>, CommandError> {
        if !principal.test_mode {
            return Ok(self.clock.now());
        }
        self.now_of(&principal.tenant).await
    }

    /// The same where the caller does not know whether the tenant has a clock of its own.
    pub async fn now_of(&self, tenant: &TenantId) -> Result<DateTime<Utc>, CommandError> {
        let shown = self.tenant(tenant).await?.and_then(|tenant| tenant.test_clock);
        Ok(shown.unwrap_or_else(|| self.clock.now()))
    }
}
