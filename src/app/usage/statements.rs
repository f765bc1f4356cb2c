//! Usage said of lines of orders, as it is read: each statement, and whether it has been billed.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    billing::Phase,
    id::{SubscriptionId, TenantId, UsageEntryId},
    subscription::{Agreement, Subscription},
    usage_entry::Entry,
};
use projections::usage_entry::UsageEntryView;

use crate::{app::App, journal::CommandError};

/// A statement, and whether the period it is for has been billed.
#[derive(Clone, Debug)]
pub struct Statement {
    pub view: UsageEntryView,
    pub charged: bool,
}

impl App {
    /// These statements, also those that were taken back.
    pub async fn line_usage(&self, tenant: &TenantId, ids: &[UsageEntryId]) -> Result<Vec<Statement>, CommandError> {
        let views = projections::usage_entry::usage_entries(self.journal.views(), tenant, ids).await?;
        self.statements(tenant, views).await
    }

    /// Statements that stand, in order of their creation.
    pub async fn line_usage_page(
        &self,
        tenant: &TenantId,
        after: Option<i64>,
        limit: u32,
        skip: u32,
    ) -> Result<Vec<Statement>, CommandError> {
        let views = projections::usage_entry::standing(self.journal.views(), tenant, after, limit, skip).await?;
        self.statements(tenant, views).await
    }

    pub async fn line_usage_count(&self, tenant: &TenantId) -> Result<i64, CommandError> {
        Ok(projections::usage_entry::count_standing(self.journal.views(), tenant).await?)
    }

    async fn statements(&self, tenant: &TenantId, views: Vec<UsageEntryView>) -> Result<Vec<Statement>, CommandError> {
        let named: BTreeSet<SubscriptionId> = views.iter().map(|view| view.entry.subscription).collect();
        let mut orders: BTreeMap<SubscriptionId, Subscription> = BTreeMap::new();
        for order in named {
            orders.insert(order, self.subscription_state(tenant, order).await?);
        }
        let mut statements = Vec::with_capacity(views.len());
        for view in views {
            let agreement = orders.get(&view.entry.subscription).and_then(Subscription::agreement);
            let charged = agreement.is_some_and(|agreement| is_charged(agreement, &view.entry));
            statements.push(Statement { view, charged });
        }
        Ok(statements)
    }
}

/// Whether usage of its day has been billed.
fn is_charged(agreement: &Agreement, entry: &Entry) -> bool {
    let Some(day) = agreement.usage_day(entry.record().at) else {
        return false;
    };
    let billed = |phase: &Phase| {
        let before = phase.billed_usage.range(..=day).next_back();
        before.is_some_and(|(_, billed)| day < billed.through)
    };
    let mut phases = agreement.phases.iter().filter(|phase| phase.line == entry.line);
    phases.any(billed)
}
