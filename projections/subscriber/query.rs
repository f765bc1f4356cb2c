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
