//! Row writes, and how the writes of many events become one write a row.

use std::collections::{BTreeMap, HashMap};

use aggregates::{AnyEvent, id::TenantId};
use chrono::{DateTime, Utc};

use crate::{Table, Value};

/// An event as it stands in the log, as far as a projection needs it.
#[derive(Clone, Debug)]
pub struct Recorded<'a> {
    pub tenant: &'a TenantId,
    /// Position in the tenant's shard: later events have higher ones.
    pub position: i64,
    pub aggregate_id: &'a str,
    pub sequence: i64,
    pub recorded_at: DateTime<Utc>,
    pub event: &'a AnyEvent,
}

/// One write to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The whole row, new or replaced, in the order of the table's columns.
    Put(&'static Table, Vec<Value>),
    /// The whole row, of which there was none before: cheaper than to look whether there is one.
    New(&'static Table, Vec<Value>),
    /// Some columns (by index) of the row with this key; the row exists.
    Set(&'static Table, Vec<Value>, Vec<(usize, Value)>),
}

/// What has become of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put(Vec<Value>),
    New(Vec<Value>),
    Set(BTreeMap<usize, Value>),
}

/// Writes folded to at most one a row.
#[derive(Debug, Default)]
pub struct Writes {
    tables: BTreeMap<&'static str, (&'static Table, HashMap<Vec<Value>, Change>)>,
    rows: usize,
}

impl Writes {
    pub fn push(&mut self, write: Write) {
        let (table, key) = match &write {
            Write::Put(table, row) | Write::New(table, row) => (*table, row[..table.key].to_vec()),
            Write::Set(table, key, _) => (*table, key.clone()),
        };
        let (_, rows) = self.tables.entry(table.name).or_insert_with(|| (table, HashMap::new()));
        match (rows.get_mut(&key), write) {
            (Some(Change::New(now)), Write::Put(_, row)) => *now = row,
            (Some(change), Write::Put(_, row) | Write::New(_, row)) => *change = Change::Put(row),
            (Some(Change::Put(row) | Change::New(row)), Write::Set(_, _, columns)) => {
                for (column, value) in columns {
                    row[column] = value;
                }
            }
            (Some(Change::Set(now)), Write::Set(_, _, columns)) => now.extend(columns),
            (None, Write::Put(_, row)) => {
                rows.insert(key, Change::Put(row));
                self.rows += 1;
            }
            (None, Write::New(_, row)) => {
                rows.insert(key, Change::New(row));
                self.rows += 1;
            }
            (None, Write::Set(_, _, columns)) => {
                rows.insert(key, Change::Set(columns.into_iter().collect()));
                self.rows += 1;
            }
        }
    }

    /// How many rows are written.
    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The changes, table by table, each in order of its keys: so that two writers lock rows in the same order.
    pub fn into_tables(self) -> impl Iterator<Item = (&'static Table, Vec<(Vec<Value>, Change)>)> {
        self.tables.into_values().map(|(table, rows)| {
            let mut rows: Vec<_> = rows.into_iter().collect();
            rows.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            (table, rows)
        })
    }

    /// The same, to look at.
    pub fn tables(&self) -> impl Iterator<Item = (&'static Table, Vec<(&Vec<Value>, &Change)>)> {
        self.tables.values().map(|(table, rows)| {
            let mut rows: Vec<_> = rows.iter().collect();
            rows.sort_unstable_by_key(|(key, _)| *key);
            (*table, rows)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    static TABLE: Table = Table {
        name: "t",
        columns: &[table::text("tenant"), table::int("a"), table::int("b")],
        key: 1,
    };

    fn key() -> Vec<Value> {
        vec!["x".into()]
    }

    #[test]
    fn a_set_after_a_put_is_one_put() {
        let mut writes = Writes::default();
        writes.push(Write::Put(&TABLE, vec!["x".into(), 1.into(), 2.into()]));
        writes.push(Write::Set(&TABLE, key(), vec![(2, 9.into())]));
        assert_eq!(writes.len(), 1);
        let (_, rows) = writes.tables().next().unwrap();
        let row = Change::Put(vec!["x".into(), 1.into(), 9.into()]);
        assert_eq!(rows, [(&key(), &row)]);
    }

    #[test]
    fn what_becomes_of_a_new_row_is_still_new() {
        let mut writes = Writes::default();
        writes.push(Write::New(&TABLE, vec!["x".into(), 1.into(), 2.into()]));
        writes.push(Write::Set(&TABLE, key(), vec![(2, 9.into())]));
        let now = |writes: &Writes| writes.tables().next().map(|(_, rows)| rows[0].1.clone());
        assert_eq!(now(&writes), Some(Change::New(vec!["x".into(), 1.into(), 9.into()])));
        writes.push(Write::Put(&TABLE, vec!["x".into(), 5.into(), 6.into()]));
        assert_eq!(now(&writes), Some(Change::New(vec!["x".into(), 5.into(), 6.into()])));
        assert_eq!(writes.len(), 1);
    }

    #[test]
    fn sets_of_one_row_are_one_set_and_the_later_wins() {
        let mut writes = Writes::default();
        writes.push(Write::Set(&TABLE, key(), vec![(1, 1.into())]));
        writes.push(Write::Set(&TABLE, key(), vec![(1, 2.into()), (2, 3.into())]));
        let (_, rows) = writes.tables().next().unwrap();
        let row = Change::Set([(1, 2.into()), (2, 3.into())].into());
        assert_eq!(rows, [(&key(), &row)]);
    }
}
