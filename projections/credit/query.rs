//! Credit: queries.

use aggregates::{
    id::{CustomerId, TenantId},
    money::{self, Money},
};

use crate::{ReadError, ReadStore, Row, RowError};

/// What a customer has, one amount a currency.
pub async fn balances(store: &dyn ReadStore, tenant: &TenantId, customer: CustomerId) -> Result<Vec<Money>, ReadError> {
    let sql = "SELECT currency, balance FROM credit_balances WHERE tenant = $1 AND customer = $2 ORDER BY currency";
    let rows = store
        .fetch(sql, &[tenant.as_str().into(), customer.to_string().into()])
        .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn read(row: &Row) -> Result<Money, RowError> {
    let currency = money::currency(row.text(0)?).ok_or_else(|| row.error(0, "a currency"))?;
    Ok(Money::new(row.int(1)?, currency))
}
