//! What else is due at its time than billing: collections of invoices, and fulfilments of orders.

use aggregates::id::{FulfilmentId, InvoiceId, TenantId};
use chrono::{DateTime, Utc};
use projections::{Row, RowError, Value};

use super::Whose;
use crate::{
    app::App,
    journal::{CommandError, Request, StoreError},
};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Ask for what is open of an invoice.
    Collect(InvoiceId),
    /// Open a fulfilment.
    Fulfil(FulfilmentId),
}

/// In the order in which they are done: by time first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duty {
    pub due: DateTime<Utc>,
    pub tenant: TenantId,
    pub task: Task,
}

/// A table of what is due when.
struct Source {
    table: &'static str,
    id: &'static str,
    task: fn(&Row) -> Result<Task, RowError>,
}

static SOURCES: [Source; 2] = [
    Source {
        table: "collections_due",
        id: "invoice",
        task: |row| Ok(Task::Collect(row.parse(1, "an invoice id")?)),
    },
    Source {
        table: "fulfilments",
        id: "fulfilment",
        task: |row| Ok(Task::Fulfil(row.parse(1, "a fulfilment id")?)),
    },
];

impl App {
    /// The first of what is due by then, in order of time.
    pub async fn duties(&self, whose: &Whose, until: DateTime<Utc>, limit: usize) -> Result<Vec<Duty>, StoreError> {
        let mut parameters: Vec<Value> = vec![until.into()];
        let condition = match whose {
            Whose::RealTime => {
                "NOT EXISTS (SELECT 1 FROM tenants t WHERE t.tenant = d.tenant AND t.test_clock IS NOT NULL)"
            }
            Whose::Tenant(tenant) => {
                parameters.push(tenant.as_str().into());
                "d.tenant = $2"
            }
        };
        let mut duties = Vec::new();
        for Source { table, id, task } in &SOURCES {
            let sql = format!(
                "SELECT d.tenant, d.{id}, d.due_at FROM {table} d WHERE d.due_at <= $1 AND {condition} \
                 ORDER BY d.due_at, d.tenant, d.{id} LIMIT {limit}"
            );
            for row in self.journal.store().read(&sql, &parameters).await? {
                duties.push(Duty {
                    due: row.time(2)?,
                    tenant: TenantId::from_stored(row.text(0)?),
                    task: task(&row)?,
                });
            }
        }
        duties.sort_unstable();
        duties.truncate(limit);
        Ok(duties)
    }

    /// Whether it is still to be done.
    pub async fn is_due(&self, tenant: &TenantId, task: Task) -> Result<bool, StoreError> {
        let (Source { table, id, .. }, key) = match task {
            Task::Collect(invoice) => (&SOURCES[0], invoice.to_string()),
            Task::Fulfil(fulfilment) => (&SOURCES[1], fulfilment.to_string()),
        };
        let sql = format!("SELECT 1 FROM {table} WHERE tenant = $1 AND {id} = $2 AND due_at IS NOT NULL");
        let key = [tenant.as_str().into(), key.into()];
        Ok(!self.journal.store().read(&sql, &key).await?.is_empty())
    }

    /// The first that is due in real time and not done.
    pub async fn duty_since(&self, until: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let first = self.duties(&Whose::RealTime, until, 1).await?;
        Ok(first.first().map(|duty| duty.due))
    }

    /// Does what is due; whoever does it again changes nothing.
    pub async fn do_duty(&self, request: &Request, task: Task) -> Result<(), CommandError> {
        match task {
            Task::Collect(invoice) => self.request_payment(request, invoice).await.map(|_| ()),
            Task::Fulfil(fulfilment) => self.open_fulfilment(request, fulfilment).await,
        }
    }
}
