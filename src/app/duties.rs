//! What else is due at its time than billing: collections of invoices, and fulfilments of orders.

use aggregates::id::{FulfilmentId, InvoiceId, TenantId};
use chrono::{DateTime, Utc};
use projections::{Row, RowError, Value};

use super::{App, due::Whose};
use crate::journal::{CommandError, Request, StoreError};

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

    /// Does what is due; whoever does it again changes nothing.
    pub async fn do_duty(&self, request: &Request, task: Task) -> Result<(), CommandError> {
        match task {
            Task::Collect(invoice) => self.request_payment(request, invoice).await.map(|_| ()),
            Task::Fulfil(fulfilment) => self.open_fulfilment(request, fulfilment).await,
        }
    }
}
