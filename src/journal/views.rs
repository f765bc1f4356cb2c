//! Row writes of projections, put into the store: inline behind the events, or into a table's twin at a rebuild.

use std::collections::BTreeMap;

use projections::{Table, Value, Writes, write::Change};

use super::{
    StoreError,
    store::{Existing, WriteTx},
};

/// Puts the writes into the tables that `name` names for them.
pub async fn apply_writes(
    tx: &mut dyn WriteTx,
    writes: &Writes,
    name: impl Fn(&Table) -> String + Send + Sync,
) -> Result<(), StoreError> {
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
        let name = name(table);
        tx.insert(table, &name, &puts, Existing::Replace).await?;
        for (columns, rows) in sets {
            let found = tx.update(table, &name, &columns, &rows).await?;
            if found != rows.len() as u64 {
                return Err(StoreError::RowsMissing {
                    table: table.name,
                    expected: rows.len(),
                    found,
                });
            }
        }
    }
    Ok(())
}
