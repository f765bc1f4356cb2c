//! Billing templates: queries.

use aggregates::{
    billing_template::Template,
    id::{BillingTemplateId, TenantId},
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{ReadError, ReadStore, Row, RowError, Value, page::Page};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingTemplateView {
    pub id: BillingTemplateId,
    pub terms: Template,
    /// Whether a subscriber's cycle has begun.
    pub launched: bool,
    pub position: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Which templates are meant; all where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub recurring: Option<bool>,
    pub brand: Option<Uuid>,
}

const SELECT: &str = "SELECT template, terms, launched, position, created_at, updated_at FROM billing_templates";

/// Deleted ones are not there any more.
pub async fn billing_template(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: BillingTemplateId,
) -> Result<Option<BillingTemplateView>, ReadError> {
    let sql = format!("{SELECT} WHERE tenant = $1 AND template = $2 AND deleted = $3");
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), id.to_string().into(), false.into()])
        .await?;
    Ok(rows.first().map(read).transpose()?)
}

pub async fn billing_templates(
    store: &dyn ReadStore,
    tenant: &TenantId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<BillingTemplateView>, ReadError> {
    let (beyond, direction) = page.order.sql();
    let after = page.after.unwrap_or_else(|| page.order.start());
    let mut parameters: Vec<Value> = vec![tenant.as_str().into(), false.into(), after.into()];
    let mut conditions = String::new();
    let mut condition = |column: &str, value: Value| {
        parameters.push(value);
        conditions.push_str(&format!(" AND {column} = ${}", parameters.len()));
    };
    if let Some(recurring) = filter.recurring {
        condition("recurring", recurring.into());
    }
    if let Some(brand) = filter.brand {
        condition("brand", brand.to_string().into());
    }
    let sql = format!(
        "{SELECT} WHERE tenant = $1 AND deleted = $2 AND position {beyond} $3{conditions} \
         ORDER BY position {direction} LIMIT {}",
        page.limit
    );
    let rows = store.fetch(&sql, &parameters).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn read(row: &Row) -> Result<BillingTemplateView, RowError> {
    Ok(BillingTemplateView {
        id: row.parse(0, "a billing template id")?,
        terms: row.json(1, "a billing template")?,
        launched: row.bool(2)?,
        position: row.int(3)?,
        created_at: row.time(4)?,
        updated_at: row.time(5)?,
    })
}
