//! Subscriptions and charges: queries.

use aggregates::{
    billing::Explanation,
    calendar::Period,
    id::{ChargeId, CustomerId, InvoiceId, LineId, PlanId, SubscriptionId, TenantId},
    money::{Currency, Money},
    subscription::{Cycle, Status, Terms},
};
use chrono::{DateTime, NaiveDate, Utc};

use crate::{ReadError, ReadStore, Row, RowError, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    pub id: SubscriptionId,
    pub customer: CustomerId,
    pub plan: Option<PlanId>,
    pub currency: Currency,
    pub cycle: Cycle,
    pub activation: NaiveDate,
    pub status: Status,
    pub terms: Terms,
    pub position: i64,
    pub created_at: DateTime<Utc>,
}

/// A charge, and the invoice it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeView {
    pub id: ChargeId,
    pub subscription: SubscriptionId,
    pub invoice: Option<InvoiceId>,
    pub name: String,
    pub amount: Money,
    pub period: Period,
    pub flat_fee: bool,
    pub automatic_payment: bool,
    pub due_date: NaiveDate,
    /// How the amount came to be, where it was computed.
    pub explanation: Option<Explanation>,
    /// Which line of the subscription it is for; none where somebody put it there by hand.
    pub line: Option<LineId>,
}

/// Pending charges that belong on one invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingGroup {
    pub subscription: SubscriptionId,
    pub automatic_payment: bool,
}

/// A group of pending charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub group: PendingGroup,
    pub payer: Payer,
    /// Groups of one payer of which this is the same share their invoice.
    pub consolidation: Option<String>,
    /// Of those, each who collects has an invoice: `None` of what is paid by hand.
    pub collector: Option<String>,
}

/// Who pays them, and in which currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payer {
    pub customer: CustomerId,
    pub currency: Currency,
}

/// Whose pending charges are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    pub customer: Option<CustomerId>,
    pub subscription: Option<SubscriptionId>,
}

const SELECT: &str = "SELECT subscription, customer, plan, currency, cycle, activation, status, terms, position, \
                      created_at FROM subscriptions";
const SELECT_CHARGE: &str = "SELECT charge, subscription, invoice, name, amount, currency, period_start, period_end, \
                             flat_fee, automatic_payment, due_date, explanation, line FROM charges";

pub async fn subscription(
    store: &dyn ReadStore,
    tenant: &TenantId,
    id: SubscriptionId,
) -> Result<Option<SubscriptionView>, ReadError> {
    let sql = format!("{SELECT} WHERE tenant = $1 AND subscription = $2");
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), id.to_string().into()])
        .await?;
    Ok(rows.first().map(read).transpose()?)
}

pub async fn subscriptions_of(
    store: &dyn ReadStore,
    tenant: &TenantId,
    customer: CustomerId,
) -> Result<Vec<SubscriptionView>, ReadError> {
    let sql = format!("{SELECT} WHERE tenant = $1 AND customer = $2 ORDER BY position");
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), customer.to_string().into()])
        .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// The first subscriptions of a tenant, in order of their creation.
pub async fn subscriptions(
    store: &dyn ReadStore,
    tenant: &TenantId,
    limit: usize,
) -> Result<Vec<SubscriptionView>, ReadError> {
    let sql = format!("{SELECT} WHERE tenant = $1 ORDER BY position LIMIT {limit}");
    let rows = store.fetch(&sql, &[tenant.as_str().into()]).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub async fn charge(store: &dyn ReadStore, tenant: &TenantId, id: ChargeId) -> Result<Option<ChargeView>, ReadError> {
    let sql = format!("{SELECT_CHARGE} WHERE tenant = $1 AND charge = $2");
    let rows = store
        .fetch(&sql, &[tenant.as_str().into(), id.to_string().into()])
        .await?;
    Ok(rows.first().map(read_charge).transpose()?)
}

/// The charges on an invoice, in the order of its lines.
pub async fn charges_of(
    store: &dyn ReadStore,
    tenant: &TenantId,
    invoice: InvoiceId,
) -> Result<Vec<ChargeView>, ReadError> {
    let sql = "SELECT c.charge, c.subscription, c.invoice, c.name, c.amount, c.currency, c.period_start, c.period_end, \
               c.flat_fee, c.automatic_payment, c.due_date, c.explanation, c.line FROM invoice_lines l \
               JOIN charges c ON c.tenant = l.tenant AND c.charge = l.charge \
               WHERE l.tenant = $1 AND l.invoice = $2 ORDER BY l.line";
    let rows = store
        .fetch(sql, &[tenant.as_str().into(), invoice.to_string().into()])
        .await?;
    Ok(rows.iter().map(read_charge).collect::<Result<_, _>>()?)
}

/// Every group of pending charges in the scope, in order of the subscriptions' creation; manual before automatic.
pub async fn pending_groups(store: &dyn ReadStore, tenant: &TenantId, scope: Scope) -> Result<Vec<Pending>, ReadError> {
    let mut sql =
        "SELECT c.subscription, c.automatic_payment, s.customer, s.currency, d.zone || '/' || d.consolidation, \
                   CASE WHEN c.automatic_payment AND d.consolidation IS NOT NULL THEN s.terms END FROM charges c \
                   JOIN subscriptions s ON s.tenant = c.tenant AND s.subscription = c.subscription \
                   JOIN billing_due d ON d.tenant = c.tenant AND d.subscription = c.subscription \
                   WHERE c.tenant = $1 AND c.status = 'pending'"
            .to_owned();
    let mut parameters: Vec<Value> = vec![tenant.as_str().into()];
    if let Some(customer) = scope.customer {
        parameters.push(customer.to_string().into());
        sql.push_str(" AND s.customer = $");
        sql.push_str(&parameters.len().to_string());
    }
    if let Some(subscription) = scope.subscription {
        parameters.push(subscription.to_string().into());
        sql.push_str(" AND c.subscription = $");
        sql.push_str(&parameters.len().to_string());
    }
    sql.push_str(
        " GROUP BY s.position, c.subscription, c.automatic_payment, s.customer, s.currency, d.zone, \
         d.consolidation, s.terms ORDER BY s.position, c.automatic_payment",
    );
    let rows = store.fetch(&sql, &parameters).await?;
    let group = |row: &Row| -> Result<Pending, RowError> {
        let group = PendingGroup {
            subscription: row.parse(0, "a subscription id")?,
            automatic_payment: row.bool(1)?,
        };
        let payer = Payer {
            customer: row.parse(2, "a customer id")?,
            currency: read_currency(row, 3)?,
        };
        Ok(Pending {
            group,
            payer,
            consolidation: match row.get(4) {
                Value::Null => None,
                _ => Some(row.text(4)?.to_owned()),
            },
            collector: match row.get(5) {
                Value::Null => None,
                _ => row.json::<Terms>(5, "terms")?.processor().map(str::to_owned),
            },
        })
    };
    Ok(rows.iter().map(group).collect::<Result<_, _>>()?)
}

fn read_currency(row: &Row, column: usize) -> Result<Currency, RowError> {
    aggregates::money::currency(row.text(column)?).ok_or_else(|| row.error(column, "a currency"))
}

fn read(row: &Row) -> Result<SubscriptionView, RowError> {
    Ok(SubscriptionView {
        id: row.parse(0, "a subscription id")?,
        customer: row.parse(1, "a customer id")?,
        plan: match row.get(2) {
            Value::Null => None,
            _ => Some(row.parse(2, "a plan id")?),
        },
        currency: read_currency(row, 3)?,
        cycle: row.word(4, "a cycle")?,
        activation: row.date(5)?,
        status: row.word(6, "a status")?,
        terms: row.json(7, "terms")?,
        position: row.int(8)?,
        created_at: row.time(9)?,
    })
}

fn read_charge(row: &Row) -> Result<ChargeView, RowError> {
    Ok(ChargeView {
        id: row.parse(0, "a charge id")?,
        subscription: row.parse(1, "a subscription id")?,
        invoice: match row.get(2) {
            Value::Null => None,
            _ => Some(row.parse(2, "an invoice id")?),
        },
        name: row.text(3)?.to_owned(),
        amount: Money::new(row.int(4)?, read_currency(row, 5)?),
        period: Period {
            start: row.date(6)?,
            end: row.optional_date(7)?,
        },
        flat_fee: row.bool(8)?,
        automatic_payment: row.bool(9)?,
        due_date: row.date(10)?,
        explanation: match row.get(11) {
            Value::Null => None,
            _ => Some(row.json(11, "an explanation")?),
        },
        line: match row.get(12) {
            Value::Null => None,
            _ => Some(row.parse(12, "a line id")?),
        },
    })
}
