//! Plans: what contracts are signed for.

use aggregates::{
    catalog::{Command, Plan},
    id::{PlanId, TenantId},
    money::Currency,
};
use projections::catalog::PlanView;

use super::App;
use crate::journal::{CommandError, Request, Streams};

impl App {
    pub async fn create_plan(&self, request: &Request, name: &str, currency: Currency) -> Result<PlanId, CommandError> {
        let plan = PlanId(request.derive("plan"));
        let stream = plan.to_string();
        self.journal
            .execute(request, Streams::new().with_new::<Plan>(&stream), |unit| {
                let create = Command::Create {
                    at: unit.at(),
                    plan,
                    name: name.to_owned(),
                    currency,
                };
                unit.send::<Plan>(&stream, &create)?;
                Ok(plan)
            })
            .await
    }

    pub async fn plan(&self, tenant: &TenantId, plan: PlanId) -> Result<Option<PlanView>, CommandError> {
        Ok(projections::catalog::plan(self.journal.views(), tenant, plan).await?)
    }
}
