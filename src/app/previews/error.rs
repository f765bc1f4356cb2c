//! What keeps a preview from being made, of the time to come or of other terms.

use aggregates::id::{CustomerId, SubscriptionId};

use crate::journal::CommandError;

/// How many subscriptions one preview looks at, but for those that share the invoices of one that is asked for.
pub const MAX_PREVIEWED: usize = 10_000;
/// How many subscriptions one call takes through their history again.
pub const MAX_REPLAYED: usize = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    #[error("there is no customer {0}")]
    UnknownCustomer(CustomerId),
    #[error("there is no subscription {0}")]
    UnknownSubscription(SubscriptionId),
    #[error("more than {MAX_PREVIEWED} subscriptions have something to bill: name a customer or a subscription")]
    TooMany,
    #[error("more than {MAX_REPLAYED} subscriptions would have to be billed anew: name a customer or a subscription")]
    TooManyToReplay,
    #[error(transparent)]
    Command(#[from] CommandError),
}
