//! Duties: collections that are asked for on their due date, and fulfilments that are opened on their day. Each is one
//! command under an id of its own, whoever sends it.

use std::{collections::BTreeSet, sync::Arc};

use aggregates::id::TenantId;
use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt, stream};

use super::{
    halving::guarded,
    run::{DOOR, How},
};
use crate::{
    app::{
        App,
        due::{
            Whose,
            duties::{Duty, Task},
        },
    },
    journal::{Request, StoreError},
};

/// How many are read at once.
const PAGE: usize = 500;
/// How many are done at the same time.
const PARALLEL: usize = 64;

pub type Key = (TenantId, Task);

/// What a run has come to.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// What is left alone: it failed in this run, or somebody said so.
    alone: BTreeSet<Key>,
    /// What failed in this run.
    pub failed: Vec<Key>,
    /// What was tried last: what of it is still due stands still.
    tried: BTreeSet<Key>,
}

impl Left {
    pub fn alone(alone: BTreeSet<Key>) -> Self {
        Self {
            alone,
            ..Self::default()
        }
    }

    fn fail(&mut self, key: Key, reason: &str) {
        metrics::counter!("billstream_duties_failed_total").increment(1);
        tracing::warn!(tenant = %key.0, task = ?key.1, reason, "what is due cannot be done");
        self.alone.insert(key.clone());
        self.failed.push(key);
    }

    /// The first of what is due and not left alone.
    pub async fn next(&mut self, app: &App, whose: &Whose, until: DateTime<Utc>) -> Result<Vec<Duty>, StoreError> {
        loop {
            let mut duties = app.duties(whose, until, PAGE + self.alone.len()).await?;
            duties.retain(|duty| !self.alone.contains(&key(duty)));
            duties.truncate(PAGE);
            let found = duties.len();
            duties.retain(|duty| !self.tried.contains(&key(duty)));
            if found == duties.len() {
                return Ok(duties);
            }
            // Something was done and is due all the same: it would come for ever.
            for key in std::mem::take(&mut self.tried) {
                if app.is_due(&key.0, key.1).await? {
                    self.fail(key, "it stands still");
                }
            }
        }
    }

    /// Does them, many at a time; once `stop` is ready no more are begun.
    pub async fn tackle(
        &mut self,
        app: &Arc<App>,
        duties: Vec<Duty>,
        how: &How,
        stop: impl Future<Output = ()> + Send,
    ) {
        let done = stream::iter(duties).take_until(stop).map(|duty| async move {
            let reason = one(app, &duty, how).await;
            (key(&duty), reason)
        });
        let done: Vec<_> = done.buffer_unordered(PARALLEL).collect().await;
        self.tried.clear();
        for (key, reason) in done {
            match reason {
                Some(reason) => self.fail(key, &reason),
                None => drop(self.tried.insert(key)),
            }
        }
    }

    /// One page; whether there may be more.
    pub async fn page(
        &mut self,
        app: &Arc<App>,
        whose: &Whose,
        how: &How,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<bool, StoreError> {
        // None is asked for before its day, whatever is billed ahead.
        let now = how.at.unwrap_or_else(|| app.clock.now());
        let duties = self.next(app, whose, how.until.min(now)).await?;
        let full = duties.len() == PAGE;
        self.tackle(app, duties, how, stop).await;
        // Where so many fail the rest waits for the next round.
        Ok(full && self.failed.len() < PAGE)
    }
}

fn key(duty: &Duty) -> Key {
    (duty.tenant.clone(), duty.task)
}

/// Does everything that is due, until nothing is left or `stop` is ready. `known` is left alone; what fails is added to
/// it, and answered.
pub async fn everything(
    app: &Arc<App>,
    whose: &Whose,
    how: &How,
    known: &mut BTreeSet<Key>,
    stop: impl Future<Output = ()> + Send,
) -> Result<Vec<Key>, StoreError> {
    let stop = stop.shared();
    let mut left = Left::alone(std::mem::take(known));
    while stop.clone().now_or_never().is_none() {
        if !left.page(app, whose, how, stop.clone()).await? {
            break;
        }
    }
    *known = left.alone;
    Ok(left.failed)
}

/// Why it cannot be done, if it cannot.
async fn one(app: &Arc<App>, duty: &Duty, how: &How) -> Option<String> {
    let now = how.at.unwrap_or_else(|| app.clock.now());
    let key = match duty.task {
        Task::Collect(invoice) => format!("collect/{invoice}"),
        Task::Fulfil(fulfilment) => format!("fulfil/{fulfilment}"),
    };
    let request = Request::new(duty.tenant.clone(), how.actor.as_str(), DOOR, now).with_key(&key, &[]);
    let failed = guarded(app.do_duty(&request, duty.task)).await.err();
    failed.map(|fault| fault.reason)
}
