//! Plans: queries.

use aggregates::{
    catalog::PlanLine,
    id::{PlanId, TenantId},
    money::Currency,
};

use crate::{ReadError, ReadStore, Row};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanView {
    pub id: PlanId,
    pub name: String,
    pub currency: Currency,
    pub lines: Vec<PlanLine>,
}

pub async fn plan(store: &dyn ReadStore, tenant: &TenantId, plan: PlanId) -> Result<Option<PlanView>, ReadError> {
    let rows = store
        .fetch(
            "SELECT plan, name, currency, lines FROM plans WHERE tenant = $1 AND plan = $2",
            &[tenant.as_str().into(), plan.to_string().into()],
        )
        .await?;
    Ok(rows.first().map(read).transpose()?)
}

fn read(row: &Row) -> Result<PlanView, crate::RowError> {
    Ok(PlanView {
        id: row.parse(0, "a plan id")?,
        name: row.text(1)?.to_owned(),
        currency: aggregates::money::currency(row.text(2)?).ok_or_else(|| row.error(2, "a currency"))?,
        lines: row.json(3, "lines")?,
    })
}
