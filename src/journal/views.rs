//! Row writes of projections, put into the store: inline behind the events, or into a table's twin at a rebuild.

use std::{borrow::Cow, collections::BTreeMap};

use projections::{Table, Value, Writes, write::Change};

use super::store::{Existing, Step};

/// The writes as bulk statements on the tables that `name` names for them.
pub fn steps(writes: &Writes, name: impl Fn(&'static Table) -> Cow<'static, str>) -> Vec<Step<'static>> {
    let mut steps = Vec::new();
    for (table, changes) in writes.tables() {
        let mut puts = Vec::new();
        let mut sets: BTreeMap<Vec<usize>, Vec<Vec<Value>>> = BTreeMap::new();
        for (key, change) in changes {
            match change {
                Change::Put(row) => puts.push(row.clone()),
                Change::Set(columns) => {
                    let row = key.iter().chain(columns.values()).cloned().collect();
                    sets.entry(columns.keys().copied().collect()).or_default().push(row);
                }
            }
        }
        if !puts.is_empty() {
            steps.push(Step::Insert {
                table,
                name: name(table),
                rows: puts.into(),
                existing: Existing::Replace,
            });
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
