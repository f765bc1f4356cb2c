//! The scheduler: bills what falls due in real time, for as long as the server runs.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use tokio::sync::watch;

use super::{
    duties,
    lease::Lease,
    run::{self, How, Summary},
};
use crate::{
    app::{
        App,
        due::{Wanted, Whose},
    },
    journal::StoreError,
};

const ACTOR: &str = "scheduler";
/// How long it waits before it looks again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a duty that failed is left alone.
const REST: TimeDelta = TimeDelta::minutes(1);

/// A scheduler of this process. Of several on one database one works; the others wait for its lease to end.
pub struct Scheduler {
    app: Arc<App>,
    lease: Lease,
    /// Duties that failed, and until when they are left alone.
    resting: HashMap<duties::Key, DateTime<Utc>>,
}

impl Scheduler {
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            lease: Lease::on("scheduler"),
            resting: HashMap::new(),
        }
    }

    /// Works until it is told to stop; then what is under way is finished. Killed at any point, the next one goes on.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            if let Err(error) = self.round(asked(stopped.clone())).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "billing is waiting for the database");
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = asked_once(&mut stopped) => {}
            }
        }
        if let Err(error) = self.lease.give_back(&self.app).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the scheduler's lease is left to end by itself");
        }
    }

    /// Bills and does everything that is due now, if it is this process's turn. The lease is kept while that takes, and where
    /// it is lost nothing more is begun.
    pub async fn round(&mut self, stop: impl Future<Output = ()> + Send) -> Result<Option<Summary>, StoreError> {
        if !self.lease.hold(&self.app).await? {
            return Ok(None);
        }
        self.app.tidy_unbilled().await?;
        self.measure().await?;
        let (app, lease) = (&self.app, &mut self.lease);
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = lost(lease, app) => {}
            }
        };
        let stop = stop.shared();
        let mut summary = Summary::default();
        self.resting.retain(|_, until| *until > app.clock.now());
        let mut left = duties::Left::alone(self.resting.keys().cloned().collect());
        loop {
            let now = app.clock.now();
            let wanted = Wanted {
                whose: Whose::RealTime,
                until: now,
                rested_at: Some(now),
            };
            let how = How {
                actor: ACTOR.to_owned(),
                until: now,
                at: None,
            };
            // What is billed comes first: the duties follow from it, and however many there are billing is not kept.
            summary.add(run::everything(app, &wanted, &how, &|| {}, stop.clone()).await?);
            let more = left.page(app, &wanted.whose, &how, stop.clone()).await?;
            if !more || stop.clone().now_or_never().is_some() {
                break;
            }
        }
        // It holds the lease.
        drop(stop);
        let rested = self.app.clock.now() + REST;
        self.resting.extend(left.failed.into_iter().map(|key| (key, rested)));
        if summary != Summary::default() {
            tracing::info!(?summary, "billed");
            self.measure().await?;
        }
        Ok(Some(summary))
    }

    async fn measure(&self) -> Result<(), StoreError> {
        let now = self.app.clock.now();
        let since = self.app.behind_since(now).await?;
        let seconds = since.map_or(0, |since| (now - since).num_seconds());
        metrics::gauge!("billstream_billing_lag_seconds").set(u32::try_from(seconds).unwrap_or(u32::MAX));
        let unbilled = self.app.unbilled_count().await?;
        metrics::gauge!("billstream_unbilled_subscriptions").set(u32::try_from(unbilled).unwrap_or(u32::MAX));
        Ok(())
    }
}

/// Ready when the lease is no longer this process's.
async fn lost(lease: &mut Lease, app: &App) {
    loop {
        tokio::time::sleep(PAUSE).await;
        match lease.hold(app).await {
            Ok(true) => {}
            Ok(false) => return,
            // What fails here fails the run as well.
            Err(error) => tracing::debug!(%error, "the scheduler's lease could not be renewed"),
        }
    }
}

async fn asked(mut stopped: watch::Receiver<bool>) {
    asked_once(&mut stopped).await;
}

/// Ready when it is to stop; where nobody is left to say so, too.
async fn asked_once(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}
