//! Subscribers who are due, read template by template: those of templates that stand still are not read at all, however
//! many wait.

use std::collections::BTreeMap;

use aggregates::id::TenantId;
use chrono::{DateTime, Utc};
use projections::{Row, RowError, Value};

use super::{Place, SUBSCRIBERS, Wanted, Whose, Work};
use crate::{app::App, journal::StoreError};

/// How many templates one statement reads.
const IN_ONE_STATEMENT: usize = 100;
/// How many subscribers of a template are read at least.
const FEWEST: usize = 16;
/// Behind every id.
const LAST_ID: &str = "~";

/// Which subscribers are wanted.
pub(in crate::app) struct Asked {
    pub until: DateTime<Utc>,
    /// Of one tenant, or of all that live in real time.
    pub tenant: Option<TenantId>,
    /// What else must hold of `d`, the subscriber, and of `u`, what could not be billed, with the values from $2 on.
    pub conditions: String,
    pub values: Vec<Value>,
}

/// A template of which somebody is due, and when the first one is.
struct Head {
    due: DateTime<Utc>,
    tenant: TenantId,
    template: String,
}

/// `$1` is until when; goes on with conditions.
const DUE: &str = "FROM subscribers d LEFT JOIN unbilled u ON u.tenant = d.tenant AND u.subscription = d.subscriber \
                   WHERE d.due_at <= $1";

impl App {
    /// The first of those who are wanted beyond a place, in order of time. It looks at every template that does not stand
    /// still once, and reads about as many subscribers as are wanted.
    pub(in crate::app) async fn due_by_template(
        &self,
        asked: &Asked,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Work>, StoreError> {
        let (mut found, mut after) = (Vec::new(), after.cloned());
        while found.len() < limit {
            let heads = self.heads(asked, after.as_ref()).await?;
            let some = self.merged(asked, after.as_ref(), &heads, limit - found.len()).await?;
            let Some(last) = some.last() else { break };
            after = Some(last.place.clone());
            found.extend(some);
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Since when somebody is due, if anybody is.
    pub(super) async fn first_by_template(&self, asked: &Asked) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.heads(asked, None).await?.first().map(|head| head.due))
    }

    /// Those of whom somebody is due, in order of the first of each.
    async fn heads(&self, asked: &Asked, after: Option<&Place>) -> Result<Vec<Head>, StoreError> {
        let mut values = asked.values();
        let mut bind = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        let beyond = after.map(|last| {
            let place = [last.due.into(), last.tenant.as_str().into(), last.id.to_string().into()];
            let [due, tenant, id] = place.map(&mut bind);
            format!(
                " AND (d.due_at, d.subscriber) > ({due}, CASE WHEN t.tenant < {tenant} THEN '{LAST_ID}' \
                 WHEN t.tenant = {tenant} THEN {id} ELSE '' END)"
            )
        });
        let whose = match &asked.tenant {
            Some(tenant) => format!("t.tenant = {}", bind(tenant.as_str().into())),
            None => {
                "NOT EXISTS (SELECT 1 FROM tenants o WHERE o.tenant = t.tenant AND o.test_clock IS NOT NULL)".into()
            }
        };
        let sql = format!(
            "SELECT due, tenant, template FROM (SELECT t.tenant, t.template, (SELECT d.due_at {DUE} \
             AND d.tenant = t.tenant AND d.template = t.template{}{} ORDER BY d.due_at, d.subscriber LIMIT 1) AS due \
             FROM billing_templates t WHERE (t.active OR t.deleted) AND {whose}) heads \
             WHERE due IS NOT NULL ORDER BY due, tenant, template",
            asked.conditions,
            beyond.unwrap_or_default()
        );
        let rows = self.journal.store().read(&sql, &values).await?;
        let head = |row: &Row| {
            Ok(Head {
                due: row.time(0)?,
                tenant: TenantId::from_stored(row.text(1)?),
                template: row.text(2)?.to_owned(),
            })
        };
        Ok(rows.iter().map(head).collect::<Result<_, RowError>>()?)
    }

    /// The first of all of them, as many as are wanted if there are, or fewer; nobody only where nobody is due.
    async fn merged(
        &self,
        asked: &Asked,
        after: Option<&Place>,
        heads: &[Head],
        limit: usize,
    ) -> Result<Vec<Work>, StoreError> {
        let share = (2 * limit / heads.len().max(1)).clamp(FEWEST, limit.max(FEWEST));
        let mut found: Vec<Work> = Vec::new();
        // Up to where nobody is left out: where a template has more to come, and where the next one begins.
        let mut whole: Option<Place> = None;
        for some in heads.chunks(IN_ONE_STATEMENT) {
            let enough = found.get(limit.saturating_sub(1)).map(|work| &work.place);
            let next = some.first().map(|head| head.due);
            if enough.is_some_and(|last| Some(last.due) < next && whole.as_ref().is_none_or(|whole| last <= whole)) {
                found.truncate(limit);
                break;
            }
            let mut of_each: BTreeMap<(TenantId, String), Vec<Work>> = BTreeMap::new();
            for row in self.first_of_each(asked, after, some, share).await? {
                let of = (TenantId::from_stored(row.text(0)?), row.text(4)?.to_owned());
                of_each.entry(of).or_default().push((SUBSCRIBERS.work)(&row)?);
            }
            for mut theirs in of_each.into_values() {
                theirs.sort_by(|one, other| one.place.cmp(&other.place));
                if let Some(last) = theirs.last().filter(|_| theirs.len() >= share) {
                    let more = last.place.clone();
                    whole = Some(whole.map_or(more.clone(), |known| known.min(more)));
                }
                found.extend(theirs);
            }
            found.sort_by(|one, other| one.place.cmp(&other.place));
        }
        if let Some(whole) = whole {
            found.retain(|work| work.place <= whole);
        }
        Ok(found)
    }

    /// So many of each of these, in one statement.
    async fn first_of_each(
        &self,
        asked: &Asked,
        after: Option<&Place>,
        heads: &[Head],
        share: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut values = asked.values();
        let mut bind = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        let mut parts = Vec::with_capacity(heads.len());
        for Head { tenant, template, .. } in heads {
            let beyond = after.map(|last| {
                let id = match tenant.cmp(&last.tenant) {
                    std::cmp::Ordering::Less => LAST_ID.to_owned(),
                    std::cmp::Ordering::Equal => last.id.to_string(),
                    std::cmp::Ordering::Greater => String::new(),
                };
                let (due, id) = (bind(last.due.into()), bind(id.into()));
                format!(" AND (d.due_at, d.subscriber) > ({due}, {id})")
            });
            let (tenant, template) = (bind(tenant.as_str().into()), bind(template.as_str().into()));
            parts.push(format!(
                "SELECT * FROM (SELECT d.tenant, d.subscriber, d.due_at, COALESCE(u.attempts, 0) AS attempts, {} {DUE} \
                 AND d.tenant = {tenant} AND d.template = {template}{}{} \
                 ORDER BY d.due_at, d.subscriber LIMIT {share}) of_one",
                SUBSCRIBERS.columns,
                asked.conditions,
                beyond.unwrap_or_default()
            ));
        }
        self.journal.store().read(&parts.join(" UNION ALL "), &values).await
    }
}

impl Wanted {
    /// The same, template by template.
    pub(in crate::app) fn asked(&self) -> Asked {
        let (mut conditions, mut values) = (String::new(), Vec::new());
        if let Some(now) = self.rested_at {
            values.push(now.into());
            conditions.push_str(" AND (u.retry_at IS NULL OR u.retry_at <= $2)");
        }
        Asked {
            until: self.until,
            tenant: match &self.whose {
                Whose::RealTime => None,
                Whose::Tenant(tenant) => Some(tenant.clone()),
            },
            conditions,
            values,
        }
    }
}

impl Asked {
    fn values(&self) -> Vec<Value> {
        let mut values = vec![self.until.into()];
        values.extend(self.values.iter().cloned());
        values
    }
}
