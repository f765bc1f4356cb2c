//! What is due for billing and what could not be billed: who has to be looked at, in the order in which it fell due.

mod by_template;
pub mod duties;

use aggregates::{
    id::{CustomerId, SubscriptionId, TenantId},
    money,
    subscription::Subscription,
};
use chrono::{DateTime, Duration, Utc};
use projections::{Row, RowError, Value, due::Standing, subscription::Payer};

use super::{App, subscribers::Turn};
use crate::journal::{StoreError, Streams};

/// How long something may be due before the scheduler counts as late, where nothing else is said.
pub const LATE_AFTER: Duration = Duration::minutes(15);
/// How long a subscription that cannot be billed is left alone: doubled at every attempt, from the first to the last.
const FIRST_PAUSE: Duration = Duration::seconds(30);
const DOUBLED_AT_MOST: u32 = 7;
/// So many subscribers who wait are read and left out, page by page; where more wait they are not read at all.
const MOST_PASSED_OVER: i64 = 5000;
/// Reasons are for people: so much of one is kept.
const MAX_REASON: usize = 500;

/// Whose subscriptions and subscribers are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of every tenant that lives in real time.
    RealTime,
    Tenant(TenantId),
}

/// Which of those that are due are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub whose: Whose,
    /// Due at this moment or before it.
    pub until: DateTime<Utc>,
    /// Leaves alone what could not be billed and is to be tried again only after this moment.
    pub rested_at: Option<DateTime<Utc>>,
}

/// Who is due when. Ordered as work is done: by time first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub due: DateTime<Utc>,
    pub tenant: TenantId,
    /// Of a subscription or of a subscriber.
    pub id: SubscriptionId,
}

/// What is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owed {
    /// Charges of a subscription, and their invoices.
    Charges(Standing),
    /// The next purchase of a subscriber.
    Purchase(Turn),
}

/// A subscription or a subscriber with something to bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub place: Place,
    pub owed: Owed,
    /// How often it could not be billed since it last was.
    pub failures: i64,
}

/// What keeps something from being billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub reason: String,
    pub cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What is billed: the same would fail again.
    Itself,
    /// Others have changed the same: it may succeed a moment later.
    Contended,
    /// The database cannot be reached: nothing else could be billed either.
    Unavailable,
}

impl Fault {
    /// It cannot be billed before something else has changed.
    pub fn lasting(reason: String) -> Self {
        let cause = Cause::Itself;
        Self { reason, cause }
    }

    /// Whether the very same may succeed a moment later.
    pub fn passes(&self) -> bool {
        self.cause != Cause::Itself
    }
}

/// A subscription or a subscriber that could not be billed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbilled {
    pub subscription: SubscriptionId,
    /// When what cannot be billed fell due.
    pub since: DateTime<Utc>,
    pub reason: String,
    pub attempts: i64,
    pub retry_at: DateTime<Utc>,
}

/// Where subscriptions and subscribers that are due are found: with which columns, and under what condition.
pub(super) struct Source {
    /// `FROM ... WHERE`
    rows: &'static str,
    pub columns: &'static str,
    due: &'static str,
    id: &'static str,
    pub work: fn(&Row) -> Result<Work, RowError>,
}

static SUBSCRIPTIONS: Source = Source {
    rows: "FROM billing_due d LEFT JOIN unbilled u ON u.tenant = d.tenant AND u.subscription = d.subscription WHERE TRUE",
    columns: "d.run, d.customer, d.currency, EXISTS (SELECT 1 FROM metered_lines m WHERE m.tenant = d.tenant \
              AND m.subscription = d.subscription), d.zone || '/' || d.consolidation",
    due: "d.next_billing",
    id: "d.subscription",
    work: subscription,
};

/// Subscribers of templates that stand still wait; those of deleted templates are looked at once more, to be ended. They
/// are read by time: what waits is read and left out.
pub(super) static SUBSCRIBERS: Source = Source {
    rows: "FROM subscribers d JOIN billing_templates b ON b.tenant = d.tenant AND b.template = d.template \
           LEFT JOIN unbilled u ON u.tenant = d.tenant AND u.subscription = d.subscriber WHERE (b.active OR b.deleted)",
    columns: "d.template, d.customer, d.next_number",
    due: "d.due_at",
    id: "d.subscriber",
    work: subscriber,
};

const IN_REAL_TIME: &str =
    "NOT EXISTS (SELECT 1 FROM tenants t WHERE t.tenant = d.tenant AND t.test_clock IS NOT NULL)";

impl App {
    /// The next page of what is due, in order of time, after the last one of the page before.
    pub async fn work(&self, wanted: &Wanted, after: Option<&Place>, limit: usize) -> Result<Vec<Work>, StoreError> {
        let mut page = self.page(&SUBSCRIPTIONS, wanted, after, limit).await?;
        if self.many_wait(wanted).await? {
            page.extend(self.due_by_template(&wanted.asked(), after, limit).await?);
        } else {
            page.extend(self.page(&SUBSCRIBERS, wanted, after, limit).await?);
        }
        page.sort_by(|one, other| one.place.cmp(&other.place));
        page.truncate(limit);
        Ok(page)
    }

    /// Whether so many wait that those who are due are read template by template: of a tenant, on the tenant's own.
    async fn many_wait(&self, wanted: &Wanted) -> Result<bool, StoreError> {
        let mut parameters = vec![wanted.until.into()];
        let whose = match &wanted.whose {
            Whose::RealTime => "",
            Whose::Tenant(tenant) => {
                parameters.push(tenant.as_str().into());
                " AND b.tenant = $2"
            }
        };
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM billing_templates b CROSS JOIN subscribers d \
             WHERE b.recurring AND NOT b.active AND NOT b.deleted{whose} AND d.tenant = b.tenant \
             AND d.template = b.template AND d.due_at <= $1 LIMIT {}) waiting",
            MOST_PASSED_OVER + 1
        );
        let rows = self.journal.store().read(&sql, &parameters).await?;
        let waiting = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(waiting > MOST_PASSED_OVER)
    }

    /// The subscribers of a tenant who get a purchase by then, of one customer or of all, in order of time.
    pub async fn subscribers_due(
        &self,
        tenant: &TenantId,
        customer: Option<CustomerId>,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<(Place, Turn)>, StoreError> {
        let wanted = Wanted {
            whose: Whose::Tenant(tenant.clone()),
            until,
            rested_at: None,
        };
        let rows = if self.many_wait(&wanted).await? {
            let mut asked = wanted.asked();
            if let Some(customer) = customer {
                asked.values.push(customer.to_string().into());
                asked.conditions = format!(" AND d.customer = ${}", asked.values.len() + 1);
            }
            self.due_by_template(&asked, None, limit).await?
        } else {
            let (mut conditions, mut parameters) = SUBSCRIBERS.wanted(&wanted);
            if let Some(customer) = customer {
                parameters.push(customer.to_string().into());
                conditions.push_str(&format!(" AND d.customer = ${}", parameters.len()));
            }
            self.rows(&SUBSCRIBERS, &conditions, &parameters, limit).await?
        };
        let turn = |work: Work| match work.owed {
            Owed::Purchase(turn) => Some((work.place, turn)),
            Owed::Charges(_) => None,
        };
        Ok(rows.into_iter().filter_map(turn).collect())
    }

    /// Those of the wanted that are due at the same moment as this one and share its invoices, in order of their ids.
    pub async fn work_sharing(&self, wanted: &Wanted, work: &Work) -> Result<Vec<Work>, StoreError> {
        let Owed::Charges(Standing {
            payer,
            consolidation: Some(alike),
            ..
        }) = &work.owed
        else {
            return Ok(vec![work.clone()]);
        };
        let (tenant, due) = (work.place.tenant.as_str().into(), work.place.due.into());
        let customer = payer.customer.to_string().into();
        let parameters = [
            tenant,
            due,
            customer,
            payer.currency.code().into(),
            alike.as_str().into(),
        ];
        let Source {
            rows,
            columns,
            work: read,
            ..
        } = SUBSCRIPTIONS;
        let sql = format!(
            "SELECT d.tenant, d.subscription, d.next_billing, COALESCE(u.attempts, 0), {columns}, u.retry_at {rows} \
             AND d.tenant = $1 AND d.next_billing = $2 AND d.customer = $3 AND d.currency = $4 \
             AND d.zone || '/' || d.consolidation = $5 ORDER BY d.subscription"
        );
        let rows = self.journal.store().read(&sql, &parameters).await?;
        let mut sharing = Vec::with_capacity(rows.len());
        for row in &rows {
            let rests = match (row.get(9), wanted.rested_at) {
                (Value::Null, _) | (_, None) => false,
                (_, Some(now)) => row.time(9)? > now,
            };
            if !rests {
                sharing.push(read(row)?);
            }
        }
        Ok(sharing)
    }

    /// Brings into memory what billing the page needs.
    pub async fn load_ahead(&self, page: &[Work]) -> Result<(), StoreError> {
        for work in page.chunk_by(|one, other| one.place.tenant == other.place.tenant) {
            let subscriptions = work.iter().filter(|work| matches!(work.owed, Owed::Charges(_)));
            let streams = subscriptions.fold(Streams::new(), |streams, work| {
                streams.with::<Subscription>(work.place.id)
            });
            if let Some(first) = work.first() {
                self.journal.load_ahead(&first.place.tenant, &streams).await?;
            }
        }
        Ok(())
    }

    async fn page(
        &self,
        source: &Source,
        wanted: &Wanted,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Work>, StoreError> {
        let Source { due, id, .. } = source;
        let (mut conditions, mut parameters) = source.wanted(wanted);
        let mut bind = |value: Value| {
            parameters.push(value);
            format!("${}", parameters.len())
        };
        if let Some(now) = wanted.rested_at {
            let now = bind(now.into());
            conditions.push_str(&format!(" AND (u.retry_at IS NULL OR u.retry_at <= {now})"));
        }
        if let Some(last) = after {
            let place = [last.due.into(), last.tenant.as_str().into(), last.id.to_string().into()];
            let [at, tenant, last] = place.map(&mut bind);
            conditions.push_str(&format!(" AND ({due}, d.tenant, {id}) > ({at}, {tenant}, {last})"));
        }
        self.rows(source, &conditions, &parameters, limit).await
    }

    async fn rows(
        &self,
        source: &Source,
        conditions: &str,
        parameters: &[Value],
        limit: usize,
    ) -> Result<Vec<Work>, StoreError> {
        let Source {
            rows,
            columns,
            due,
            id,
            work,
        } = source;
        let sql = format!(
            "SELECT d.tenant, {id}, {due}, COALESCE(u.attempts, 0), {columns} {rows}{conditions} \
             ORDER BY {due}, d.tenant, {id} LIMIT {limit}"
        );
        let rows = self.journal.store().read(&sql, parameters).await?;
        Ok(rows.iter().map(work).collect::<Result<_, _>>()?)
    }

    /// How many are wanted.
    pub async fn count_due(&self, wanted: &Wanted) -> Result<u64, StoreError> {
        let mut count = 0;
        for source in [&SUBSCRIPTIONS, &SUBSCRIBERS] {
            let (conditions, parameters) = source.wanted(wanted);
            let sql = format!("SELECT COUNT(*) {}{conditions}", source.rows);
            let rows = self.journal.store().read(&sql, &parameters).await?;
            count += rows.first().map_or(Ok(0), |row| row.int(0))?;
        }
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Since when something has been due that nobody has billed or put on the list, collections and fulfilments too: how far the scheduler is behind.
    pub async fn behind_since(&self, until: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let wanted = Wanted {
            whose: Whose::RealTime,
            until,
            rested_at: None,
        };
        let mut since = self.duty_since(until).await?;
        let mut sources = vec![&SUBSCRIPTIONS];
        if self.many_wait(&wanted).await? {
            let mut asked = wanted.asked();
            asked.conditions.push_str(" AND u.attempts IS NULL");
            since = [since, self.first_by_template(&asked).await?]
                .into_iter()
                .flatten()
                .min();
        } else {
            sources.push(&SUBSCRIBERS);
        }
        for source in sources {
            let (conditions, parameters) = source.wanted(&wanted);
            let Source { rows, due, .. } = source;
            let sql = format!("SELECT {due} {rows}{conditions} AND u.attempts IS NULL ORDER BY {due} LIMIT 1");
            let rows = self.journal.store().read(&sql, &parameters).await?;
            let first = rows.first().map(|row| row.time(0)).transpose()?;
            since = [since, first].into_iter().flatten().min();
        }
        Ok(since)
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

    /// How many could not be billed, over all tenants.
    pub async fn unbilled_count(&self) -> Result<i64, StoreError> {
        let rows = self.journal.store().read("SELECT COUNT(*) FROM unbilled", &[]).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.int(0))?)
    }

    /// Puts it on the list, or notes one more attempt.
    pub async fn note_unbilled(&self, place: &Place, fault: &Fault, now: DateTime<Utc>) -> Result<(), StoreError> {
        let key = [place.tenant.as_str().into(), place.id.to_string().into()];
        let mut tx = self.journal.store().begin().await?;
        let sql = "SELECT attempts FROM unbilled WHERE tenant = $1 AND subscription = $2";
        let rows = tx.fetch(sql, &key).await?;
        let attempts = rows.first().map_or(Ok(0), |row| row.int(0))?;
        // Those that share an invoice wait equally long for a fault to pass, however often each has failed before.
        let doubled = if fault.passes() {
            0
        } else {
            u32::try_from(attempts).unwrap_or(u32::MAX).min(DOUBLED_AT_MOST)
        };
        let retry_at = now + FIRST_PAUSE * (1_i32 << doubled);
        let reason: String = fault.reason.chars().take(MAX_REASON).collect();
        let sql = "INSERT INTO unbilled (tenant, subscription, since, reason, attempts, retry_at) \
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, subscription) DO UPDATE \
                   SET since = $3, reason = $4, attempts = $5, retry_at = $6";
        let values = [place.due.into(), reason.into(), (attempts + 1).into(), retry_at.into()];
        tx.execute(sql, &[&key[..], &values[..]].concat()).await?;
        tx.commit().await
    }

    /// Takes off the list what is not due any more: billed by others, ended, or halted.
    pub async fn tidy_unbilled(&self) -> Result<(), StoreError> {
        const DONE: &str = "FROM unbilled WHERE NOT EXISTS (SELECT 1 FROM billing_due d \
                            WHERE d.tenant = unbilled.tenant AND d.subscription = unbilled.subscription \
                            AND d.next_billing <= unbilled.since) \
                            AND NOT EXISTS (SELECT 1 FROM subscribers d \
                            JOIN billing_templates b ON b.tenant = d.tenant AND b.template = d.template \
                            WHERE d.tenant = unbilled.tenant AND d.subscriber = unbilled.subscription \
                            AND d.due_at <= unbilled.since AND (b.active OR b.deleted))";
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
    pub async fn note_billed(&self, place: &Place) -> Result<(), StoreError> {
        let mut tx = self.journal.store().begin().await?;
        let sql = "DELETE FROM unbilled WHERE tenant = $1 AND subscription = $2";
        let key = [place.tenant.as_str().into(), place.id.to_string().into()];
        tx.execute(sql, &key).await?;
        tx.commit().await
    }
}

impl Source {
    /// The conditions that say which are wanted, with the values in them.
    fn wanted(&self, wanted: &Wanted) -> (String, Vec<Value>) {
        let until = format!(" AND {} <= $1 AND ", self.due);
        match &wanted.whose {
            Whose::RealTime => (until + IN_REAL_TIME, vec![wanted.until.into()]),
            Whose::Tenant(tenant) => (
                until + "d.tenant = $2",
                vec![wanted.until.into(), tenant.as_str().into()],
            ),
        }
    }
}

fn subscription(row: &Row) -> Result<Work, RowError> {
    let payer = Payer {
        customer: row.parse(5, "a customer id")?,
        currency: money::currency(row.text(6)?).ok_or_else(|| row.error(6, "a currency"))?,
    };
    let standing = Standing {
        run: u32::try_from(row.int(4)?).map_err(|_| row.error(4, "a number of runs"))?,
        payer,
        next_billing: Some(row.time(2)?),
        metered: row.bool(7)?,
        consolidation: match row.get(8) {
            Value::Null => None,
            _ => Some(row.text(8)?.to_owned()),
        },
    };
    work(row, Owed::Charges(standing))
}

fn subscriber(row: &Row) -> Result<Work, RowError> {
    let turn = Turn {
        template: row.parse(4, "a billing template id")?,
        customer: row.parse(5, "a customer id")?,
        number: u32::try_from(row.int(6)?).map_err(|_| row.error(6, "a count"))?,
    };
    work(row, Owed::Purchase(turn))
}

fn work(row: &Row, owed: Owed) -> Result<Work, RowError> {
    let place = Place {
        due: row.time(2)?,
        tenant: TenantId::from_stored(row.text(0)?),
        id: row.parse(1, "an id")?,
    };
    let failures = row.int(3)?;
    Ok(Work { place, owed, failures })
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
