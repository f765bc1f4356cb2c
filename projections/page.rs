//! Keyset pages: a page is continued from the last key it showed, so nothing is shown twice or left out.

/// Which page of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: usize,
    /// The sort position of the last row shown; `None` for the first page.
    pub after: Option<i64>,
    pub order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

impl Order {
    /// The SQL words for "beyond the last row shown" and for the direction.
    pub(crate) fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::OldestFirst => (">", "ASC"),
            Self::NewestFirst => ("<", "DESC"),
        }
    }

    /// The position before the first row in this direction.
    pub(crate) fn start(self) -> i64 {
        match self {
            Self::OldestFirst => i64::MIN,
            Self::NewestFirst => i64::MAX,
        }
    }
}
