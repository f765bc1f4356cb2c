//! Plans: what contracts are signed for.

use aggregates::{
    billing::{Kind, Price, Timing},
    catalog::{Command, Plan, PlanLine},
    id::{LineId, PlanId, TenantId},
    money::Currency,
};
use projections::catalog::PlanView;
use rust_decimal::Decimal;

use super::App;
use crate::journal::{CommandError, Request, Streams};

/// A line of a plan, before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    pub name: String,
    pub kind: Kind,
    pub timing: Timing,
    pub price: Price,
    pub quantity: Decimal,
    pub flat_fee: bool,
    pub prorate: bool,
    /// In percent.
    pub tax_rate: Option<Decimal>,
}

impl NewLine {
    fn with_id(self, id: LineId) -> PlanLine {
        PlanLine {
            id,
            name: self.name,
            kind: self.kind,
            timing: self.timing,
            price: self.price,
            quantity: self.quantity,
            flat_fee: self.flat_fee,
            prorate: self.prorate,
            tax_rate: self.tax_rate,
        }
    }
}

impl App {
    /// A plan without lines: only what is charged by hand is billed.
    pub async fn create_plan(&self, request: &Request, name: &str, currency: Currency) -> Result<PlanId, CommandError> {
        self.create_plan_with(request, name, currency, Vec::new()).await
    }

    /// The ids of the lines are made here.
    pub async fn create_plan_with(
        &self,
        request: &Request,
        name: &str,
        currency: Currency,
        lines: Vec<NewLine>,
    ) -> Result<PlanId, CommandError> {
        let plan = PlanId(request.derive("plan"));
        let lines: Vec<_> = lines
            .into_iter()
            .enumerate()
            .map(|(number, new)| new.with_id(LineId(request.derive(&format!("line/{number}")))))
            .collect();
        let stream = plan.to_string();
        self.journal
            .execute(request, Streams::new().with_new::<Plan>(&stream), |unit| {
                let create = Command::Create {
                    at: unit.at(),
                    plan,
                    name: name.to_owned(),
                    currency,
                    lines: lines.clone(),
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
