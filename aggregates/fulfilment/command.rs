//! What can be asked of a fulfilment.

use chrono::{DateTime, Utc};

use super::Task;

#[derive(Clone, Debug)]
pub enum Command {
    /// Open it; an automatic one is completed at once.
    Open {
        at: DateTime<Utc>,
        task: Task,
    },
    Complete {
        at: DateTime<Utc>,
    },
    /// Its order was over before its day came: it is never opened.
    Withdraw {
        at: DateTime<Utc>,
        task: Task,
    },
}
