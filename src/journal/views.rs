//! Row writes of projections, put into the store: inline behind the events, or into a table's twin at a rebuild.

use std::{borrow::Cow, collections::BTreeMap};

use projections::{Table, Value, Writes, write::Change};

use super::store::{Existing, Step};

/// The writes as bulk statements on the tables that `name` names for them.
pub fn steps(writes: Writes, name: impl Fn(&'static Table) -> Cow<'static, str>) -> Vec<Step<'static>> {
    let mut steps = Vec::new();
    for (table, changes) in writes.into_tables() {
        let (mut puts, mut news) = (Vec::new(), Vec::new());
        let mut sets: BTreeMap<Vec<usize>, Vec<Vec<Value>>> = BTreeMap::new();
        for (key, change) in changes {
            match change {
                Change::Put(row) => puts.push(row),
                Change::New(row) => news.push(row),
                Change::Set(columns) => {
                    let (columns, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
                    let row = key.into_iter().chain(values).collect();
                    sets.entry(columns).or_default().push(row);
                }
            }
        }
        for (rows, existing) in [(puts, Existing::Replace), (news, Existing::Fail)] {
            if !rows.is_empty() {
                steps.push(Step::Insert {
                    table,
                    name: name(table),
                    rows: rows.into(),
                    existing,
                });
            }
        }
        for (columns, rows) in sets {
            steps.push(Step::Update {
                table,
                name: name(table),
                columns,
                rows,
            });
        }
    }
    steps
}
