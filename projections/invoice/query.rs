//! Invoices: queries.

use aggregates::{
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId, TenantId},
    money::{Currency, Money},
};
use chrono::{DateTime, NaiveDate, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value, page::Page, payment};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceView {
    pub id: InvoiceId,
    pub number: i64,
    pub customer: CustomerId,
    pub subscription: SubscriptionId,
    pub currency: Currency,
    pub issue_date: NaiveDate,
    pub due_date: NaiveDate,
    pub automatic_payment: bool,
    /// With tax.
    pub total: Money,
    pub tax: Money,
    /// Without the tax.
    pub net: Money,
    pub credit_granted: Money,
    pub credit_applied: Money,
    /// By payments.
    pub to_pay: Money,
    /// What payments have paid of that.
    pub paid: Money,
    /// What is left to pay.
    pub balance: Money,
    /// What has become of its collection, once that was asked for.
    pub collection: Option<payment::Status>,
    /// When and why it was voided: nothing of it is to be paid then.
    pub voided: Option<Voided>,
    pub position: i64,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voided {
    pub at: DateTime<Utc>,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineView {
    pub charge: ChargeId,
    pub name: String,
    /// Minor units of the invoice's currency.
    pub amount: i64,
    pub period: Period,
    pub flat_fee: bool,
    pub due_date: NaiveDate,
    /// Whose it is, where it is not of the subscription that the invoice names.
    pub subscription: Option<SubscriptionId>,
    /// In percent, as it was written.
    pub tax_rate: Option<String>,
    /// The line's part of the tax, where it is taxed and that is known.
    pub tax: Option<i64>,
    /// Without the tax.
    pub net: i64,
    /// With the tax.
    pub gross: i64,
}

/// A payment that came in. What of its amount was not applied is the customer's credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoicePayment {
    pub reference: String,
    pub amount: Money,
    pub applied: Money,
    pub method: Option<String>,
    pub paid_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
    pub position: i64,
}

/// Which invoices are wanted; issue dates inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub customer: Option<CustomerId>,
    pub subscription: Option<SubscriptionId>,
    pub issued_from: Option<NaiveDate>,
    pub issued_until: Option<NaiveDate>,
}

impl Filter {
    fn sql(&self, tenant: &TenantId) -> (String, Vec<Value>) {
        let mut sql = "tenant = $1".to_owned();
        let mut parameters: Vec<Value> = vec![tenant.as_str().into()];
        if let Some(subscription) = self.subscription {
            parameters.push(subscription.to_string().into());
            // Its own, and those of others that it shares.
            sql.push_str(
                " AND invoice IN (SELECT i.invoice FROM invoices i WHERE i.tenant = $1 AND i.subscription = $2 \
                 UNION SELECT l.invoice FROM invoice_lines l WHERE l.tenant = $1 AND l.subscription = $2)",
            );
        }
        let conditions = [
            ("customer =", self.customer.map(|customer| customer.to_string().into())),
            ("issue_date >=", self.issued_from.map(Value::from)),
            ("issue_date <=", self.issued_until.map(Value::from)),
        ];
        for (condition, value) in conditions {
            if let Some(value) = value {
                parameters.push(value);
                sql.push_str(&format!(" AND {condition} ${}", parameters.len()));
            }
        }
        (sql, parameters)
    }
}

const SELECT: &str = "SELECT invoice, number, customer, subscription, currency, issue_date, due_date, \
                      automatic_payment, total, position, created_at, tax, credit_granted, credit_applied, to_pay, \
                      paid, balance, collection, voided_at, void_reason FROM invoices";

pub async fn invoice(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: InvoiceId,
) -> Result<Option<InvoiceView>, ReadError> {
    let sql = format!("{SELECT} WHERE tenant = $1 AND invoice = $2");
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), id.to_string().into()])
        .await?;
    Ok(rows.first().map(read).transpose()?)
}

pub async fn lines(store: &dyn ReadStore, tenant: &TenantId, id: InvoiceId) -> Result<Vec<LineView>, ReadError> {
    let sql = "SELECT charge, name, amount, period_start, period_end, flat_fee, due_date, subscription, tax_rate, tax, net FROM invoice_lines \
               WHERE tenant = $1 AND invoice = $2 ORDER BY line";
    let rows = store
        .fetch(sql, &[tenant.as_str().into(), id.to_string().into()])
        .await?;
    Ok(rows.iter().map(read_line).collect::<Result<_, _>>()?)
}

/// A page of invoices in order of their creation.
pub async fn invoices(
    store: &dyn ReadStore,
    tenant: &TenantId,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<InvoiceView>, ReadError> {
    invoices_beyond(store, tenant, filter, page, 0).await
}

/// The same without the first `skip`.
pub async fn invoices_beyond(
    store: &dyn ReadStore,
    tenant: &TenantId,
    filter: &Filter,
    page: &Page,
    skip: u32,
) -> Result<Vec<InvoiceView>, ReadError> {
    let (condition, mut parameters) = filter.sql(tenant);
    let (beyond, direction) = page.order.sql();
    parameters.push(page.after.unwrap_or(page.order.start()).into());
    let sql = format!(
        "{SELECT} WHERE {condition} AND position {beyond} ${} ORDER BY position {direction} LIMIT {} OFFSET {skip}",
        parameters.len(),
        page.limit
    );
    let rows = store.fetch(&sql, &parameters).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Invoices of a customer of which something is left to pay that nobody is collecting, oldest first.
pub async fn open(
    store: &dyn ReadStore,
    tenant: &TenantId,
    customer: CustomerId,
    currency: Currency,
    limit: usize,
) -> Result<Vec<InvoiceId>, ReadError> {
    let sql = format!(
        "SELECT invoice FROM invoices WHERE tenant = $1 AND customer = $2 AND currency = $3 AND balance > 0 \
         AND (collection IS NULL OR collection <> 'requested') ORDER BY position LIMIT {limit}"
    );
    let of = [
        tenant.as_str().into(),
        customer.to_string().into(),
        currency.code().into(),
    ];
    let rows = store.fetch(&sql, &of).await?;
    let id = |row: &Row| row.parse(0, "an invoice id");
    Ok(rows.iter().map(id).collect::<Result<_, _>>()?)
}

/// The same with when each is collected, if it is to be.
pub async fn collections(
    store: &dyn ReadStore,
    tenant: &TenantId,
    customer: CustomerId,
    currency: Currency,
    limit: usize,
) -> Result<Vec<(InvoiceId, Option<DateTime<Utc>>)>, ReadError> {
    let sql = format!(
        "SELECT i.invoice, c.due_at FROM invoices i \
         LEFT JOIN collections_due c ON c.tenant = i.tenant AND c.invoice = i.invoice \
         WHERE i.tenant = $1 AND i.customer = $2 AND i.currency = $3 AND i.balance > 0 \
         AND (i.collection IS NULL OR i.collection <> 'requested') ORDER BY i.position LIMIT {limit}"
    );
    let of = [
        tenant.as_str().into(),
        customer.to_string().into(),
        currency.code().into(),
    ];
    let read = |row: &Row| Ok((row.parse(0, "an invoice id")?, row.optional_time(1)?));
    let rows = store.fetch(&sql, &of).await?;
    Ok(rows.iter().map(read).collect::<Result<_, RowError>>()?)
}

const PAYMENTS: &str = "SELECT reference, amount, applied, method, paid_at, recorded_at, position FROM invoice_payments \
                        WHERE tenant = $1 AND invoice = $2";

/// A page of the payments of an invoice beyond a position, in the order in which they were recorded.
pub async fn payments(
    store: &dyn ReadStore,
    tenant: &TenantId,
    invoice: &InvoiceView,
    after: i64,
    limit: usize,
) -> Result<Vec<InvoicePayment>, ReadError> {
    let sql = format!("{PAYMENTS} AND position > $3 ORDER BY position LIMIT {limit}");
    let of = [tenant.as_str().into(), invoice.id.to_string().into(), after.into()];
    let rows = store.fetch(&sql, &of).await?;
    let read = |row: &Row| read_payment(row, invoice.currency);
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// The payment of a reference.
pub async fn payment(
    store: &dyn ReadStore,
    tenant: &TenantId,
    invoice: &InvoiceView,
    reference: &str,
) -> Result<Option<InvoicePayment>, ReadError> {
    let sql = format!("{PAYMENTS} AND reference = $3");
    let of = [tenant.as_str().into(), invoice.id.to_string().into(), reference.into()];
    let rows = store.fetch(&sql, &of).await?;
    let read = |row: &Row| read_payment(row, invoice.currency);
    Ok(rows.first().map(read).transpose()?)
}

fn read_payment(row: &Row, currency: Currency) -> Result<InvoicePayment, RowError> {
    Ok(InvoicePayment {
        reference: row.text(0)?.to_owned(),
        amount: Money::new(row.int(1)?, currency),
        applied: Money::new(row.int(2)?, currency),
        method: row.optional_text(3)?.map(str::to_owned),
        paid_at: row.time(4)?,
        recorded_at: row.time(5)?,
        position: row.int(6)?,
    })
}

pub async fn count(store: &dyn ReadStore, tenant: &TenantId, filter: &Filter) -> Result<i64, ReadError> {
    let (condition, parameters) = filter.sql(tenant);
    let rows = store
        .fetch(&format!("SELECT COUNT(*) FROM invoices WHERE {condition}"), &parameters)
        .await?;
    rows.first().map_or(Ok(0), |row| Ok(row.int(0)?))
}

fn read(row: &Row) -> Result<InvoiceView, RowError> {
    let currency = aggregates::money::currency(row.text(4)?).ok_or_else(|| row.error(4, "a currency"))?;
    let (total, tax) = (Money::new(row.int(8)?, currency), Money::new(row.int(11)?, currency));
    Ok(InvoiceView {
        id: row.parse(0, "an invoice id")?,
        number: row.int(1)?,
        customer: row.parse(2, "a customer id")?,
        subscription: row.parse(3, "a subscription id")?,
        currency,
        issue_date: row.date(5)?,
        due_date: row.date(6)?,
        automatic_payment: row.bool(7)?,
        total,
        position: row.int(9)?,
        created_at: row.time(10)?,
        tax,
        net: total
            .checked_sub(tax)
            .map_err(|_| row.error(11, "the tax of a total"))?,
        credit_granted: Money::new(row.int(12)?, currency),
        credit_applied: Money::new(row.int(13)?, currency),
        to_pay: Money::new(row.int(14)?, currency),
        paid: Money::new(row.int(15)?, currency),
        balance: Money::new(row.int(16)?, currency),
        collection: match row.get(17) {
            Value::Null => None,
            _ => Some(row.word(17, "a status of a payment")?),
        },
        voided: match row.get(18) {
            Value::Null => None,
            _ => Some(Voided {
                at: row.time(18)?,
                reason: row.optional_text(19)?.unwrap_or_default().to_owned(),
            }),
        },
    })
}

fn optional_int(row: &Row, column: usize) -> Result<Option<i64>, RowError> {
    match row.get(column) {
        Value::Null => Ok(None),
        _ => row.int(column).map(Some),
    }
}

fn read_line(row: &Row) -> Result<LineView, RowError> {
    let tax = optional_int(row, 9)?;
    let net = optional_int(row, 10)?.unwrap_or(row.int(2)?);
    let gross = net.checked_add(tax.unwrap_or_default());
    Ok(LineView {
        charge: row.parse(0, "a charge id")?,
        name: row.text(1)?.to_owned(),
        amount: row.int(2)?,
        period: Period {
            start: row.date(3)?,
            end: row.optional_date(4)?,
        },
        flat_fee: row.bool(5)?,
        due_date: row.date(6)?,
        subscription: match row.get(7) {
            Value::Null => None,
            _ => Some(row.parse(7, "a subscription id")?),
        },
        tax_rate: row.optional_text(8)?.map(str::to_owned),
        tax,
        net,
        gross: gross.ok_or_else(|| row.error(10, "an amount with its tax"))?,
    })
}
