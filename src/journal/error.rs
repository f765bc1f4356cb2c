//! What can go wrong between a command and the log.

use aggregates::Refused;
use projections::{ReadError, RowError};

/// A failure of the database, sorted by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("a database is named sqlite://PATH or postgres://USER@HOST/NAME")]
    UnknownKind,
    /// Another transaction was in the way (40001, 40P01, BUSY): the same batch can be tried again at once.
    #[error("the database asked for another try")]
    Contended(#[source] sqlx::Error),
    /// The connection broke: whether a commit under way took effect must be looked up.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// A statement failed: trying the same again would fail again.
    #[error("the database refused a statement")]
    Failed(#[source] sqlx::Error),
    #[error("a migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error(
        "the tables of projection {name} are of version {stored}, this program wants {wanted}: \
         run `billstream projections rebuild {name}`"
    )]
    Outdated {
        name: &'static str,
        stored: i64,
        wanted: i64,
    },
    #[error("a row of the store is damaged")]
    Damaged(#[from] RowError),
    #[error("{expected} rows of {table} were to change, {found} did: the view does not match the log")]
    RowsMissing {
        table: &'static str,
        expected: usize,
        found: u64,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner) => match inner.code().as_deref() {
                // Postgres: serialization failure, deadlock. SQLite: BUSY and its kinds, LOCKED.
                Some("40001" | "40P01" | "5" | "261" | "517" | "773" | "6") => Self::Contended(error),
                // Postgres: shut down, crashed, starting up.
                Some("57P01" | "57P02" | "57P03") => Self::Unavailable(error),
                Some(code) if code.starts_with("08") => Self::Unavailable(error),
                _ => Self::Failed(error),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Failed(error),
        }
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(error) => Self::Damaged(error),
            error => Self::Unavailable(Box::new(error)),
        }
    }
}

/// Why a command did not take effect. Nothing of it is in the log.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The domain says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The idempotency key was used before, for another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// Others changed the same things again and again; the caller may try again.
    #[error("the same data is being changed by others; try again")]
    Conflict,
    /// The database cannot be written now; whether the command took effect can be told by its key.
    #[error("the log cannot be written at the moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What the log or a view holds cannot be understood.
    #[error("stored data is damaged")]
    Corrupt(#[source] Box<dyn std::error::Error + Send + Sync>),
}

macro_rules! refusals {
    ($($module:ident),+ $(,)?) => {$(
        impl From<aggregates::$module::Refused> for CommandError {
            fn from(refused: aggregates::$module::Refused) -> Self {
                Self::Refused(refused.into())
            }
        }
    )+};
}

refusals!(
    billing_template,
    catalog,
    credit,
    customer,
    discount,
    fulfilment,
    invoice,
    message,
    number_series,
    payment,
    preferences,
    purchase,
    subscriber,
    subscription,
    tenant,
    usage,
    usage_entry
);

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(_) | StoreError::RowsMissing { .. } => Self::Corrupt(Box::new(error)),
            StoreError::Contended(_) => Self::Conflict,
            _ => Self::Unavailable(Box::new(error)),
        }
    }
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(_) => Self::Corrupt(Box::new(error)),
            ReadError::Unavailable(source) => Self::Unavailable(source),
        }
    }
}
