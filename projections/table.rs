//! What the store must know of a view table: its columns, and which of them are its key.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Int,
    Bool,
    Text,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
}

/// A table; its first `key` columns are its primary key, and the first of all is the shard or the tenant.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [Column],
    pub key: usize,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

pub const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int }
}
pub const fn boolean(name: &'static str) -> Column {
    Column { name, kind: Kind::Bool }
}
pub const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}
pub const fn bytes(name: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Bytes,
    }
}
