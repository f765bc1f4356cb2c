//! Billing policy: the tenant's, which new subscriptions copy, and each subscription's own.

use aggregates::{
    id::{SubscriptionId, TenantId},
    policy::{BillingPolicy, PolicyChanges},
    preferences::{self, Preferences},
    subscription::{self, Agreement, Subscription},
};

use super::{
    App,
    contracts::followed::{Followed, with_successor},
};
use crate::journal::{CommandError, Request, Streams};

impl App {
    pub async fn policy(&self, tenant: &TenantId) -> Result<BillingPolicy, CommandError> {
        let preferences: Preferences = self.journal.state(tenant, tenant.as_str()).await?;
        Ok(preferences.policy)
    }

    /// Merges the changes; answers with the policy in force afterwards. Subscriptions keep what they have copied.
    pub async fn update_policy(
        &self,
        request: &Request,
        changes: PolicyChanges,
    ) -> Result<BillingPolicy, CommandError> {
        let id = request.tenant.as_str();
        self.journal
            .execute(request, Streams::new().with::<Preferences>(id), |unit| {
                let at = unit.at();
                unit.send::<Preferences>(id, &preferences::Command::UpdatePolicy { at, changes })?;
                Ok(unit.state::<Preferences>(id).policy)
            })
            .await
    }

    /// What a subscription is billed by.
    pub async fn policy_of(&self, tenant: &TenantId, id: SubscriptionId) -> Result<BillingPolicy, CommandError> {
        let subscription: Subscription = self.journal.state(tenant, &id.to_string()).await?;
        let agreement = subscription.agreement().ok_or(subscription::Refused::Unknown)?;
        Ok(agreement.rules())
    }

    /// Merges the changes; they reach what is not charged yet.
    pub async fn update_policy_of(
        &self,
        request: &Request,
        id: SubscriptionId,
        changes: PolicyChanges,
    ) -> Result<BillingPolicy, CommandError> {
        let stream = id.to_string();
        self.journal
            .execute(request, with_successor(&request.tenant, id), |unit| {
                let at = unit.at();
                let followed = Followed::of(unit, id)?;
                unit.send::<Subscription>(&stream, &subscription::Command::UpdatePolicy { at, changes })?;
                if let Some(followed) = followed {
                    followed.still(unit, id)?;
                }
                let agreement = unit.state::<Subscription>(&stream).agreement().map(Agreement::rules);
                Ok(agreement.ok_or(subscription::Refused::Unknown)?)
            })
            .await
    }
}
