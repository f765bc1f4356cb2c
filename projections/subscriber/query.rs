//! Subscribers: queries.

use aggregates::{
    id::{BillingTemplateId, CustomerId, SubscriptionId, TenantId},
    subscriber::{Choices, Status},
};
use chrono::{DateTime, NaiveDate, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value, page::Page};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriberView {
    pub id: SubscriptionId,
    pub template: BillingTemplateId,
    pub customer: CustomerId,
    pub status: Status,
    pub choices: Choices,
    /// How many periods after its anchor it is billed next, and on which day that is.
    pub next_number: Option<u32>,
    pub next_billing: Option<NaiveDate>,
    pub cycles_passed: u32,
    pub position: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A subscriber who is to be billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSubscriber {
    pub tenant: TenantId,
    pub id: SubscriptionId,
    pub due_at: DateTime<Utc>,
}

const SELECT: &str = "SELECT subscriber, template, customer, status, choices, next_number, next_billing, \
                      cycles_passed, position, created_at, updated_at FROM subscribers";

pub async fn subscriber(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: SubscriptionId,
) -> Result<Option<SubscriberView>, ReadError> {
    let sql = format!("{SELECT} WHERE tenant = $1 AND subscriber = $2");
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), id.to_string().into()])
        .await?;
    Ok(rows.first().map(read).transpose()?)
}

pub async fn subscribers_of(
    store: &dyn ReadStore,
    tenant: &TenantId,
    template: BillingTemplateId,
    page: &Page,
) -> Result<Vec<SubscriberView>, ReadError> {
    let (beyond, direction) = page.order.sql();
    let after = page.after.unwrap_or_else(|| page.order.start());
    let sql = format!(
        "{SELECT} WHERE tenant = $1 AND template = $2 AND position {beyond} $3 ORDER BY position {direction} LIMIT {}",
        page.limit
    );
    let parameters = [tenant.as_str().into(), template.to_string().into(), after.into()];
    let rows = store.fetch(&sql, &parameters).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Those of all tenants whose day has begun by then, the longest due first. Subscribers of templates that stand still
/// wait; those of deleted templates are shown once more, to be ended.
pub async fn due_subscribers(
    store: &dyn ReadStore,
    until: DateTime<Utc>,
    limit: usize,
) -> Result<Vec<DueSubscriber>, ReadError> {
    let sql = format!(
        "SELECT s.tenant, s.subscriber, s.due_at FROM subscribers s JOIN billing_templates t \
         ON t.tenant = s.tenant AND t.template = s.template \
         WHERE s.due_at <= $1 AND (t.active = $2 OR t.deleted = $2) ORDER BY s.due_at, s.tenant, s.subscriber LIMIT {limit}"
    );
    let rows = store.fetch(&sql, &[until.into(), true.into()]).await?;
    let due = |row: &Row| -> Result<DueSubscriber, RowError> {
        Ok(DueSubscriber {
            tenant: TenantId::from_stored(row.text(0)?),
            id: row.parse(1, "a subscriber id")?,
            due_at: row.time(2)?,
        })
    };
    Ok(rows.iter().map(due).collect::<Result<_, _>>()?)
}

fn read(row: &Row) -> Result<SubscriberView, RowError> {
    Ok(SubscriberView {
        id: row.parse(0, "a subscriber id")?,
        template: row.parse(1, "a billing template id")?,
        customer: row.parse(2, "a customer id")?,
        status: row.word(3, "a status")?,
        choices: row.json(4, "choices")?,
        next_number: match row.get(5) {
            Value::Null => None,
            _ => Some(count(row, 5)?),
        },
        next_billing: row.optional_date(6)?,
        cycles_passed: count(row, 7)?,
        position: row.int(8)?,
        created_at: row.time(9)?,
        updated_at: row.time(10)?,
    })
}

fn count(row: &Row, column: usize) -> Result<u32, RowError> {
    u32::try_from(row.int(column)?).map_err(|_| row.error(column, "a count"))
}
