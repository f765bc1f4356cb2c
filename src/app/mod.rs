//! Use cases: what the doors of all dialects lead to. No HTTP words here, and no SQL.

pub mod access;
pub mod audit;
pub mod billing;
pub mod billing_run;
pub mod changes;
pub mod contracts;
pub mod credits;
pub mod customers;
mod desk;
pub mod invoices;
pub mod invoicing;
pub mod orders;
pub mod plans;
pub mod preferences;
pub mod preview;
pub mod tenants;
pub mod usage;

use std::sync::Arc;

use aggregates::id::TenantId;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    clock::Clock,
    journal::{Journal, Request},
};

/// Everything a request handler needs.
pub struct App {
    pub journal: Journal,
    pub clock: Arc<dyn Clock>,
    pub access: access::Access,
    /// Where metrics are read from, when they are recorded.
    pub metrics: Option<PrometheusHandle>,
}

/// Who a request comes from, once its credential was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub tenant: TenantId,
    /// The public part of the credential used.
    pub actor: String,
}

impl App {
    pub fn new(journal: Journal, clock: Arc<dyn Clock>) -> Self {
        Self {
            journal,
            clock,
            access: access::Access::default(),
            metrics: None,
        }
    }

    /// The envelope of a command that comes in now.
    pub fn request(&self, principal: &Principal, dialect: &'static str) -> Request {
        Request::new(
            principal.tenant.clone(),
            principal.actor.clone(),
            dialect,
            self.clock.now(),
        )
    }
}
