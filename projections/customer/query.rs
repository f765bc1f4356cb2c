//! Customers: queries.

use aggregates::{
    customer::{Contact, Profile},
    id::{CustomerId, TenantId},
};
use chrono::{DateTime, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value, page::Page};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerView {
    pub id: CustomerId,
    /// The six-character account code.
    pub code: String,
    pub profile: Profile,
    /// Empty once the customer is forgotten.
    pub contact: Contact,
    pub forgotten: bool,
    /// Sort position: the log position of the creation.
    pub position: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

const SELECT: &str =
    "SELECT customer, code, profile, contact, forgotten, position, created_at, updated_at FROM customers";

pub async fn customer(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: CustomerId,
) -> Result<Option<CustomerView>, ReadError> {
    one(store, "customer = $2", tenant, id.to_string().into()).await
}

/// By account code, in any case.
pub async fn customer_by_code(
    store: &dyn ReadStore,
    tenant: &TenantId,
    code: &str,
) -> Result<Option<CustomerView>, ReadError> {
    one(store, "code = $2", tenant, code.to_ascii_uppercase().into()).await
}

/// The oldest customer with this main e-mail address, in any case.
pub async fn customer_by_email(
    store: &dyn ReadStore,
    tenant: &TenantId,
    email: &str,
) -> Result<Option<CustomerView>, ReadError> {
    one(store, "email = $2", tenant, email.to_lowercase().into()).await
}

/// The oldest customer with this reference of the caller's.
pub async fn customer_by_reference(
    store: &dyn ReadStore,
    tenant: &TenantId,
    reference: &str,
) -> Result<Option<CustomerView>, ReadError> {
    one(store, "reference = $2", tenant, reference.into()).await
}

/// Which customers are wanted: those that have all of what is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub reference: Option<String>,
    /// The main e-mail address, in any case.
    pub email: Option<String>,
}

impl Filter {
    fn sql(&self, tenant: &TenantId) -> (String, Vec<Value>) {
        let mut sql = "tenant = $1 AND NOT forgotten".to_owned();
        let mut parameters: Vec<Value> = vec![tenant.as_str().into()];
        let conditions = [
            ("reference =", self.reference.clone()),
            ("email =", self.email.as_ref().map(|email| email.to_lowercase())),
        ];
        for (condition, value) in conditions {
            if let Some(value) = value {
                parameters.push(value.into());
                for part in [" AND ", condition, " $", &parameters.len().to_string()] {
                    sql.push_str(part);
                }
            }
        }
        (sql, parameters)
    }
}

/// A page of the customers that the filter lets through, in order of their creation.
pub async fn find(
    store: &dyn ReadStore,
    tenant: &TenantId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<CustomerView>, ReadError> {
    let (condition, mut parameters) = filter.sql(tenant);
    let (beyond, direction) = page.order.sql();
    parameters.push(page.after.unwrap_or(page.order.start()).into());
    let sql = format!(
        "{SELECT} WHERE {condition} AND position {beyond} ${} ORDER BY position {direction} LIMIT {}",
        parameters.len(),
        page.limit
    );
    let rows = store.fetch(&sql, &parameters).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub async fn count(store: &dyn ReadStore, tenant: &TenantId, filter: &Filter) -> Result<i64, ReadError> {
    let (condition, parameters) = filter.sql(tenant);
    let sql = format!("SELECT COUNT(*) FROM customers WHERE {condition}");
    let rows = store.fetch(&sql, &parameters).await?;
    rows.first().map_or(Ok(0), |row| Ok(row.int(0)?))
}

/// A page of customers that are not forgotten, in order of their creation.
pub async fn customers(store: &dyn ReadStore, tenant: &TenantId, page: &Page) -> Result<Vec<CustomerView>, ReadError> {
    let (beyond, direction) = page.order.sql();
    let sql = format!(
        "{SELECT} WHERE tenant = $1 AND position {beyond} $2 AND NOT forgotten ORDER BY position {direction} LIMIT {}",
        page.limit
    );
    let after = page.after.unwrap_or(page.order.start());
    let rows = store.fetch(&sql, &[tenant.as_str().into(), after.into()]).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

async fn one(
    store: &dyn ReadStore,
    condition: &str,
    tenant: &TenantId,
    value: Value,
) -> Result<Option<CustomerView>, ReadError> {
    let sql = format!("{SELECT} WHERE tenant = $1 AND {condition} ORDER BY position LIMIT 1");
    let rows = store.fetch(&sql, &[tenant.as_str().into(), value]).await?;
    Ok(rows.first().map(read).transpose()?)
}

fn read(row: &Row) -> Result<CustomerView, RowError> {
    Ok(CustomerView {
        id: row.parse(0, "a customer id")?,
        code: row.text(1)?.to_owned(),
        profile: row.json(2, "a profile")?,
        contact: match row.get(3) {
            Value::Null => Contact::default(),
            _ => row.json(3, "a contact")?,
        },
        forgotten: row.bool(4)?,
        position: row.int(5)?,
        created_at: row.time(6)?,
        updated_at: row.time(7)?,
    })
}
