//! What is due for billing and what could not be billed: who has to be looked at, in the order in which it fell due.

use aggregates::{
    id::{SubscriptionId, TenantId},
    money,
};
use chrono::{DateTime, Duration, Utc};
use projections::{
    Row, RowError, Value,
    due::{Due, Standing},
    subscription::Payer,
};

use super::App;
use crate::journal::StoreError;

/// How long something may be due before the scheduler counts as late, where nothing else is said.
pub const LATE_AFTER: Duration = Duration::minutes(15);
/// How long a subscription that cannot be billed is left alone: doubled at every attempt, from the first to the last.
const FIRST_PAUSE: Duration = Duration::seconds(30);
const DOUBLED_AT_MOST: u32 = 7;
/// Reasons are for people: so much of one is kept.
const MAX_REASON: usize = 500;

/// Whose subscriptions are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of every tenant that lives in real time.
    RealTime,
    Tenant(TenantId),
}

/// Which of the due subscriptions are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub whose: Whose,
    /// Due at this moment or before it.
    pub until: DateTime<Utc>,
    /// Leaves alone what could not be billed and is to be tried again only after this moment.
    pub rested_at: Option<DateTime<Utc>>,
}

/// A subscription with something to bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub due: Due,
    /// How often it could not be billed since it last was.
    pub failures: i64,
}

/// A subscription that could not be billed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbilled {
    pub subscription: SubscriptionId,
    /// When what cannot be billed fell due.
    pub since: DateTime<Utc>,
    pub reason: String,
    pub attempts: i64,
    pub retry_at: DateTime<Utc>,
}

impl App {
    /// The next page of what is due, in order of time, after the last one of the page before.
    pub async fn work(&self, wanted: &Wanted, after: Option<&Due>, limit: i64) -> Result<Vec<Work>, StoreError> {
        let mut parameters: Vec<Value> = vec![wanted.until.into(), limit.into()];
        let mut conditions = String::new();
        let mut condition = |sql: &str, values: Vec<Value>, parameters: &mut Vec<Value>| {
            let mut sql = sql.to_owned();
            for value in values {
                parameters.push(value);
                sql = sql.replacen('?', &format!("${}", parameters.len()), 1);
            }
            conditions.push_str(" AND ");
            conditions.push_str(&sql);
        };
        match &wanted.whose {
            Whose::RealTime => condition(
                "NOT EXISTS (SELECT 1 FROM tenants t WHERE t.tenant = d.tenant AND t.test_clock IS NOT NULL)",
                Vec::new(),
                &mut parameters,
            ),
            Whose::Tenant(tenant) => condition("d.tenant = ?", vec![tenant.as_str().into()], &mut parameters),
        }
        if let Some(now) = wanted.rested_at {
            condition(
                "(u.retry_at IS NULL OR u.retry_at <= ?)",
                vec![now.into()],
                &mut parameters,
            );
        }
        if let Some(last) = after {
            let place = vec![
                last.next_billing.into(),
                last.tenant.as_str().into(),
                last.subscription.to_string().into(),
            ];
            condition(
                "(d.next_billing, d.tenant, d.subscription) > (?, ?, ?)",
                place,
                &mut parameters,
            );
        }
        let sql = format!(
            "SELECT d.tenant, d.subscription, d.next_billing, d.run, d.customer, d.currency, COALESCE(u.attempts, 0), \
             EXISTS (SELECT 1 FROM metered_lines m WHERE m.tenant = d.tenant AND m.subscription = d.subscription) \
             FROM billing_due d \
             LEFT JOIN unbilled u ON u.tenant = d.tenant AND u.subscription = d.subscription \
             WHERE d.next_billing <= $1{conditions} ORDER BY d.next_billing, d.tenant, d.subscription LIMIT $2"
        );
        let rows = self.journal.store().read(&sql, &parameters).await?;
        Ok(rows.iter().map(work).collect::<Result<_, _>>()?)
    }

    /// How many are wanted.
    pub async fn count_due(&self, wanted: &Wanted) -> Result<u64, StoreError> {
        let (sql, tenant) = match &wanted.whose {
            Whose::RealTime => (
                "SELECT COUNT(*) FROM billing_due d WHERE d.next_billing <= $1 AND NOT EXISTS \
                 (SELECT 1 FROM tenants t WHERE t.tenant = d.tenant AND t.test_clock IS NOT NULL)",
                None,
            ),
            Whose::Tenant(tenant) => (
                "SELECT COUNT(*) FROM billing_due d WHERE d.next_billing <= $1 AND d.tenant = $2",
                Some(Value::from(tenant.as_str())),
            ),
        };
        let parameters: Vec<Value> = std::iter::once(wanted.until.into()).chain(tenant).collect();
        let rows = self.journal.store().read(sql, &parameters).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Since when something has been due that nobody has billed or put on the list: how far the scheduler is behind.
    pub async fn behind_since(&self, until: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let sql = "SELECT d.next_billing FROM billing_due d WHERE d.next_billing <= $1 \
                   AND NOT EXISTS (SELECT 1 FROM tenants t WHERE t.tenant = d.tenant AND t.test_clock IS NOT NULL) \
                   AND NOT EXISTS (SELECT 1 FROM unbilled u WHERE u.tenant = d.tenant AND u.subscription = d.subscription) \
                   ORDER BY d.next_billing LIMIT 1";
        let rows = self.journal.store().read(sql, &[until.into()]).await?;
        Ok(rows.first().map(|row| row.time(0)).transpose()?)
    }

    /// Since when billing is late, if it is.
    pub async fn late_since(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.behind_since(self.clock.now() - self.late_after).await
    }

    /// What of the tenant's could not be billed, oldest first.
    pub async fn unbilled(&self, tenant: &TenantId) -> Result<Vec<Unbilled>, StoreError> {
        let sql = "SELECT subscription, since, reason, attempts, retry_at FROM unbilled WHERE tenant = $1 \
                   ORDER BY since, subscription";
        let rows = self.journal.store().read(sql, &[tenant.as_str().into()]).await?;
        Ok(rows.iter().map(unbilled).collect::<Result<_, _>>()?)
    }

    /// How many subscriptions could not be billed, over all tenants.
    pub async fn unbilled_count(&self) -> Result<i64, StoreError> {
        let rows = self.journal.store().read("SELECT COUNT(*) FROM unbilled", &[]).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.int(0))?)
    }

    /// Puts it on the list, or notes one more attempt.
    pub async fn note_unbilled(&self, due: &Due, reason: &str) -> Result<(), StoreError> {
        let key = [due.tenant.as_str().into(), due.subscription.to_string().into()];
        let mut tx = self.journal.store().begin().await?;
        let sql = "SELECT attempts FROM unbilled WHERE tenant = $1 AND subscription = $2";
        let rows = tx.fetch(sql, &key).await?;
        let attempts = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let doubled = u32::try_from(attempts).unwrap_or(u32::MAX).min(DOUBLED_AT_MOST);
        let retry_at = self.clock.now() + FIRST_PAUSE * (1_i32 << doubled);
        let reason: String = reason.chars().take(MAX_REASON).collect();
        let sql = "INSERT INTO unbilled (tenant, subscription, since, reason, attempts, retry_at) \
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, subscription) DO UPDATE \
                   SET since = $3, reason = $4, attempts = $5, retry_at = $6";
        let values = [
            due.next_billing.into(),
            reason.into(),
            (attempts + 1).into(),
            retry_at.into(),
        ];
        tx.execute(sql, &[&key[..], &values[..]].concat()).await?;
        tx.commit().await
    }

    /// Takes off the list what is not due any more: billed by others, or ended.
    pub async fn tidy_unbilled(&self) -> Result<(), StoreError> {
        const DONE: &str = "FROM unbilled WHERE NOT EXISTS (SELECT 1 FROM billing_due d \
                            WHERE d.tenant = unbilled.tenant AND d.subscription = unbilled.subscription \
                            AND d.next_billing <= unbilled.since)";
        // Looked at first: mostly there is nothing to write.
        let store = self.journal.store();
        if store.read(&format!("SELECT 1 {DONE} LIMIT 1"), &[]).await?.is_empty() {
            return Ok(());
        }
        let mut tx = store.begin().await?;
        tx.execute(&format!("DELETE {DONE}"), &[]).await?;
        tx.commit().await
    }

    /// It is billed: off the list.
    pub async fn note_billed(&self, due: &Due) -> Result<(), StoreError> {
        let mut tx = self.journal.store().begin().await?;
        let sql = "DELETE FROM unbilled WHERE tenant = $1 AND subscription = $2";
        let key = [due.tenant.as_str().into(), due.subscription.to_string().into()];
        tx.execute(sql, &key).await?;
        tx.commit().await
    }
}

fn work(row: &Row) -> Result<Work, RowError> {
    let next_billing = row.time(2)?;
    let payer = Payer {
        customer: row.parse(4, "a customer id")?,
        currency: money::currency(row.text(5)?).ok_or_else(|| row.error(5, "a currency"))?,
    };
    let standing = Standing {
        run: u32::try_from(row.int(3)?).map_err(|_| row.error(3, "a number of runs"))?,
        payer,
        next_billing: Some(next_billing),
        metered: row.bool(7)?,
    };
    let due = Due {
        tenant: TenantId::from_stored(row.text(0)?),
        subscription: row.parse(1, "a subscription id")?,
        next_billing,
        standing,
    };
    Ok(Work {
        due,
        failures: row.int(6)?,
    })
}

fn unbilled(row: &Row) -> Result<Unbilled, RowError> {
    Ok(Unbilled {
        subscription: row.parse(0, "a subscription id")?,
        since: row.time(1)?,
        reason: row.text(2)?.to_owned(),
        attempts: row.int(3)?,
        retry_at: row.time(4)?,
    })
}
