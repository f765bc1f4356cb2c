//! Duties: collections that are asked for on their due date, and fulfilments that are opened on their day. Each is one
//! command under an id of its own, whoever sends it.

use std::{collections::BTreeSet, sync::Arc};

use aggregates::id::TenantId;
use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt, stream};

use super::run::{self, DOOR, How};
use crate::{
    app::{
        App,
        due::Whose,
        duties::{Duty, Task},
    },
    journal::{Request, StoreError},
};

/// How many are read at once.
const PAGE: usize = 1_000;
/// How many are done at the same time.
const PARALLEL: usize = 64;

pub type Key = (TenantId, Task);

/// Does everything that is due, until nothing is left or `stop` is ready. `known` holds what is left alone; what is
/// tried is added to it, and what fails is answered.
pub async fn everything(
    app: &Arc<App>,
    whose: &Whose,
    how: &How,
    known: &mut BTreeSet<Key>,
    stop: impl Future<Output = ()> + Send,
) -> Result<Vec<Key>, StoreError> {
    let stop = stop.shared();
    let mut failed = Vec::new();
    while stop.clone().now_or_never().is_none() {
        let duties = fresh(app, whose, how.until, known).await?;
        if duties.is_empty() {
            break;
        }
        failed.extend(all(app, duties, how, known).await);
    }
    Ok(failed)
}

/// The first of what is due and not known.
pub(super) async fn fresh(
    app: &App,
    whose: &Whose,
    until: DateTime<Utc>,
    known: &BTreeSet<Key>,
) -> Result<Vec<Duty>, StoreError> {
    let mut duties = app.duties(whose, until, PAGE + known.len()).await?;
    duties.retain(|duty| !known.contains(&(duty.tenant.clone(), duty.task)));
    Ok(duties)
}

/// Does them, many at a time; answers with those that failed.
pub(super) async fn all(app: &Arc<App>, duties: Vec<Duty>, how: &How, known: &mut BTreeSet<Key>) -> Vec<Key> {
    known.extend(duties.iter().map(|duty| (duty.tenant.clone(), duty.task)));
    let done = stream::iter(duties).map(|duty| async move {
        let reason = one(app, &duty, how).await?;
        metrics::counter!("billstream_duties_failed_total").increment(1);
        tracing::warn!(tenant = %duty.tenant, task = ?duty.task, reason, "what is due cannot be done");
        Some((duty.tenant, duty.task))
    });
    let done: Vec<_> = done.buffer_unordered(PARALLEL).collect().await;
    done.into_iter().flatten().collect()
}

/// Why it cannot be done, if it cannot.
async fn one(app: &Arc<App>, duty: &Duty, how: &How) -> Option<String> {
    let now = how.at.unwrap_or_else(|| app.clock.now());
    let key = match duty.task {
        Task::Collect(invoice) => format!("collect/{invoice}"),
        Task::Fulfil(fulfilment) => format!("fulfil/{fulfilment}"),
    };
    let request = Request::new(duty.tenant.clone(), how.actor.as_str(), DOOR, now).with_key(&key, &[]);
    run::guarded(app.do_duty(&request, duty.task)).await
}
