//! The door through which queries read, whichever database is behind it.

use async_trait::async_trait;

use crate::{Row, RowError, Value};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the database could not be read")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("a view is damaged")]
    Damaged(#[from] RowError),
}

/// SQL with `$1`, `$2`, ... for its parameters, in the words both databases know.
#[async_trait]
pub trait ReadStore: Send + Sync {
    async fn fetch(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, ReadError>;
}
