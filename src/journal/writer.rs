//! The writer of a shard: whatever waits becomes one transaction. While one batch is written the next one gathers and is
//! built, so there is no timer; but callers who were just answered get their turn before a small batch closes.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use aggregates::{AnyEvent, id::TenantId};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    CommandError, StoreError,
    batch::{Batch, Known, Remembered, Verdict},
    cache::Slot,
    record::{Hash, StreamKey},
    seal::Key,
    store::{self, Store},
};

/// How many jobs a batch takes.
const MAX_BATCH: usize = 512;
/// A batch of so many events is worth a transaction of its own: it is closed while the one before it is still being
/// written.
const LARGE: u64 = 512;
/// A batch of so many events takes no more jobs.
const MAX_EVENTS: u64 = 2_048;
/// After so many events whoever else is ready gets a turn.
const FEW: u64 = 128;
/// How often a batch is tried while the database asks for another try or cannot be reached.
const MAX_TRIES: u32 = 12;

/// One command's events, to be written all or not at all.
pub struct Job {
    pub tenant: TenantId,
    pub metadata: String,
    /// `None` where a command without a key changed nothing: only the versions it decided on are checked.
    pub command: Option<CommandRow>,
    pub appends: Vec<Append>,
    pub new_keys: Vec<NewKey>,
    /// Subjects whose keys are destroyed.
    pub forgotten: Vec<String>,
    pub acknowledge: oneshot::Sender<Outcome>,
}

impl Job {
    /// How many events it brings; a command without events is a row, too.
    fn weight(&self) -> u64 {
        let events: usize = self.appends.iter().map(|append| append.events.len()).sum();
        events.max(1) as u64
    }
}

pub struct CommandRow {
    pub id: String,
    pub request_hash: String,
    pub keyed: bool,
    pub reply: String,
}

/// What a command does to one stream: events, or none where it only relied on the stream's state.
pub struct Append {
    pub key: StreamKey,
    /// The stream's name in the store.
    pub stream: Arc<str>,
    pub slot: Arc<Slot>,
    pub expected: i64,
    /// Of the event of that version, as the command saw it.
    pub expected_hash: Hash,
    pub events: Vec<Pending>,
    /// It is taken to be new and gets events: where it is not new, its row in the store refuses the batch.
    pub supposed: bool,
    pub snapshot: Option<Snapshot>,
}

pub struct Pending {
    /// Its place among the events of the command.
    pub order: usize,
    pub sequence: i64,
    pub event: AnyEvent,
    pub name: &'static str,
    pub version: u32,
    pub payload: String,
    pub recorded_at: i64,
    pub key_id: Option<String>,
    pub hash: Hash,
}

pub struct Snapshot {
    pub state_version: i64,
    pub sequence: i64,
    pub hash: Hash,
    pub recorded_at: i64,
    pub state: String,
}

pub struct NewKey {
    pub subject: String,
    pub key: Key,
}

#[derive(Debug)]
pub enum Outcome {
    Committed,
    /// A stream has moved on: decide again.
    Conflict,
    /// The command took effect before.
    Duplicate,
    Failed(CommandError),
}

/// Starts the writer of a shard; it ends when the journal is dropped.
pub fn start(shard: i64, store: Arc<dyn Store>) -> mpsc::Sender<Job> {
    let (sender, waiting) = mpsc::channel(super::QUEUE);
    let writer = Writer {
        shard,
        store,
        remembered: Remembered::default(),
        next: Next::default(),
        closed: VecDeque::new(),
    };
    tokio::spawn(writer.run(waiting));
    sender
}

/// The one task that writes a shard in this process.
struct Writer {
    shard: i64,
    store: Arc<dyn Store>,
    /// With what the closed batches are about to leave.
    remembered: Remembered,
    next: Next,
    /// The first is being written; the one behind it is ready to be.
    closed: VecDeque<Closed>,
}

/// The batch that gathers.
#[derive(Default)]
struct Next {
    jobs: Vec<Job>,
    /// How many they bring.
    events: u64,
    /// `None` where nothing is known that it could be built on, or where that could not be read.
    built: Option<(Batch, Known)>,
}

impl Next {
    /// How many more jobs it takes.
    fn room(&self) -> usize {
        if self.events < MAX_EVENTS {
            MAX_BATCH.saturating_sub(self.jobs.len())
        } else {
            0
        }
    }
}

/// A batch that the store writes behind the one before it.
struct Closed {
    jobs: Vec<Job>,
    batch: Batch,
    start: Instant,
    /// Told once the batch before it is written. Dropped, nothing is done.
    go: Option<oneshot::Sender<()>>,
    appending: JoinHandle<Result<bool, StoreError>>,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        let mut some = Vec::with_capacity(MAX_BATCH);
        loop {
            let room = self.next.room();
            tokio::select! {
                biased;
                appended = appended(&mut self.closed) => self.settle(appended).await,
                taken = waiting.recv_many(&mut some, room), if room > 0 => {
                    if taken == 0 {
                        break;
                    }
                    self.build(&mut some).await;
                }
            }
            let (jobs, large) = (self.next.jobs.len(), self.next.events >= LARGE);
            match self.closed.len() {
                0 | 1 if large => self.close().await,
                0 if jobs > 0 => {
                    self.neighbours(&mut waiting, &mut some).await;
                    self.close().await;
                }
                _ => {}
            }
        }
        self.finish().await;
        self.close().await;
        self.finish().await;
    }

    /// Lets every task that is ready run, as long as that brings more jobs: a batch of one that is closed while its
    /// neighbours are deciding makes them wait for a whole transaction.
    async fn neighbours(&mut self, waiting: &mut mpsc::Receiver<Job>, some: &mut Vec<Job>) {
        loop {
            tokio::task::yield_now().await;
            while some.len() < self.next.room()
                && let Ok(job) = waiting.try_recv()
            {
                some.push(job);
            }
            if some.is_empty() {
                break;
            }
            self.build(some).await;
        }
    }

    /// Adds jobs to the next batch.
    async fn build(&mut self, some: &mut Vec<Job>) {
        let next = &mut self.next;
        if next.jobs.is_empty() {
            let head = self.remembered.head();
            next.built = head.map(|head| (Batch::at(self.shard, head), Known::default()));
        }
        if let Some((batch, known)) = &mut next.built {
            match known
                .learn(self.store.as_ref(), self.shard, some, (&self.remembered, true))
                .await
            {
                Ok(()) => {
                    let mut taken = 0;
                    for job in some.iter() {
                        batch.take(std::slice::from_ref(job), known);
                        taken += job.weight();
                        if taken >= FEW {
                            taken = 0;
                            tokio::task::yield_now().await;
                        }
                    }
                }
                // Whoever writes it finds out what is wrong.
                Err(_) => next.built = None,
            }
        }
        next.events += some.iter().map(Job::weight).sum::<u64>();
        next.jobs.append(some);
    }

    /// Has the next batch written: behind the one under way where it is built and all of it may commit, else once that
    /// is done and under the head's lock.
    async fn close(&mut self) {
        let Next { jobs, built, .. } = std::mem::take(&mut self.next);
        if jobs.is_empty() {
            return;
        }
        metrics::histogram!("billstream_writer_batch_size").record(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
        let built = built.filter(|(batch, _)| batch.all_commit());
        let Some((mut batch, known)) = built else {
            // Others may have written: what conflicts or changes nothing is judged under the lock.
            self.finish().await;
            return self.write(jobs, None).await;
        };
        let steps = batch.take_steps();
        let (store, shard, from, to) = (Arc::clone(&self.store), self.shard, batch.from, batch.head);
        self.remembered.keep(to, known);
        let (go, gone) = oneshot::channel();
        self.closed.push_back(Closed {
            jobs,
            batch,
            start: Instant::now(),
            go: Some(go),
            appending: tokio::spawn(async move { store.append(shard, from, to, &steps, gone).await }),
        });
        self.let_go();
    }

    /// Lets the store write the first of the closed batches.
    fn let_go(&mut self) {
        if let Some(first) = self.closed.front_mut()
            && let Some(go) = first.go.take()
        {
            // It may have ended by then: why is read where it is settled.
            let _: Result<(), ()> = go.send(());
            first.start = Instant::now();
        }
    }

    /// Waits until nothing is under way.
    async fn finish(&mut self) {
        while !self.closed.is_empty() {
            let appended = appended(&mut self.closed).await;
            self.settle(appended).await;
        }
    }

    /// What has come of the batch under way is told to its callers. Where it has to be written otherwise, what was built
    /// on it is worthless and comes after it, likewise.
    async fn settle(&mut self, appended: Result<bool, StoreError>) {
        let Some(Closed { jobs, batch, start, .. }) = self.closed.pop_front() else {
            return;
        };
        let unsure = match appended {
            Ok(true) => {
                self.let_go();
                Self::written(start, &batch);
                for (job, verdict) in jobs.into_iter().zip(batch.verdicts) {
                    finish(job, verdict.into());
                }
                return;
            }
            Ok(false) | Err(StoreError::Contended(_)) => None,
            Err(error @ StoreError::Failed(_)) => {
                self.report(&error, jobs.len(), "batch refused, tried under the head's lock");
                None
            }
            Err(_) => Some(Unsure::of(batch)),
        };
        self.remembered.forget();
        self.next.built = None;
        let behind = std::mem::take(&mut self.closed);
        self.write(jobs, unsure).await;
        for closed in behind {
            let Closed {
                jobs, go, appending, ..
            } = closed;
            drop(go);
            // It was never told to go on: it has done nothing.
            drop(appending.await);
            self.write(jobs, None).await;
        }
    }

    /// Writes the jobs in one transaction under the head's lock; where the store cannot take them together, one by one,
    /// so that a job that cannot be written fails alone.
    async fn write(&mut self, jobs: Vec<Job>, unsure: Option<Unsure>) {
        match self.persist(&jobs, unsure).await {
            Ok(verdicts) => {
                for (job, verdict) in jobs.into_iter().zip(verdicts) {
                    finish(job, verdict.into());
                }
            }
            // What is wrong is not one of the jobs: one by one they would only wait longer.
            Err(error @ StoreError::Unavailable(_)) => {
                self.report(&error, jobs.len(), "batch given up");
                for job in jobs {
                    finish(
                        job,
                        Outcome::Failed(CommandError::Unavailable("the database cannot be reached".into())),
                    );
                }
            }
            Err(error) => {
                self.report(&error, jobs.len(), "batch taken apart");
                for job in jobs {
                    let outcome = match self.persist(std::slice::from_ref(&job), None).await {
                        Ok(verdicts) => verdicts.into_iter().next().map_or(Outcome::Conflict, Into::into),
                        Err(error) => Outcome::Failed(error.into()),
                    };
                    finish(job, outcome);
                }
            }
        }
    }

    fn report(&self, error: &StoreError, jobs: usize, what: &str) {
        let error = error as &dyn std::error::Error;
        tracing::warn!(shard = self.shard, jobs, error, "{what}");
    }

    /// Writes one batch, again while the database asks for it. Where a commit's answer was lost, the command rows tell
    /// whether it took effect.
    async fn persist(&mut self, jobs: &[Job], mut unsure: Option<Unsure>) -> Result<Vec<Verdict>, StoreError> {
        let mut tries = 0;
        loop {
            let attempt = match unsure.take() {
                Some(lost) => match self.took_effect(&lost).await {
                    Ok(true) => return Ok(lost.verdicts),
                    Ok(false) => continue,
                    Err(error) => {
                        unsure = Some(lost);
                        Err(error)
                    }
                },
                None => self.try_batch(jobs, &mut unsure).await,
            };
            let error = match attempt {
                Ok(verdicts) => return Ok(verdicts),
                Err(error) => error,
            };
            self.remembered.forget();
            tries += 1;
            let again = matches!(error, StoreError::Contended(_) | StoreError::Unavailable(_));
            if !again || tries >= MAX_TRIES {
                return Err(match (unsure, error) {
                    // Nobody knows whether it took effect: it must not be done again.
                    (Some(_), StoreError::Failed(cause) | StoreError::Contended(cause)) => {
                        StoreError::Unavailable(cause)
                    }
                    (_, error) => error,
                });
            }
            tokio::time::sleep(pause(tries)).await;
        }
    }

    /// One transaction under the head's lock.
    async fn try_batch(&mut self, jobs: &[Job], unsure: &mut Option<Unsure>) -> Result<Vec<Verdict>, StoreError> {
        let start = Instant::now();
        let mut tx = self.store.begin().await?;
        let head = tx.lock_head(self.shard).await?;
        self.remembered.stand_at(head);
        let mut known = Known::default();
        known
            .learn(self.store.as_ref(), self.shard, jobs, (&self.remembered, false))
            .await?;
        let mut batch = Batch::at(self.shard, head);
        batch.take(jobs, &mut known);
        if batch.is_empty() {
            return Ok(batch.verdicts);
        }
        store::run(tx.as_mut(), &batch.take_steps()).await?;
        tx.set_head(self.shard, batch.head).await?;
        if let Err(error) = tx.commit().await {
            *unsure = Some(Unsure::of(batch));
            return Err(error);
        }
        self.remembered.keep(batch.head, known);
        Self::written(start, &batch);
        Ok(batch.verdicts)
    }

    fn written(start: Instant, batch: &Batch) {
        metrics::counter!("billstream_events_total").increment(batch.events());
        metrics::counter!("billstream_commands_total").increment(batch.commands);
        metrics::histogram!("billstream_writer_transaction_seconds").record(start.elapsed());
    }

    /// Whether a batch whose commit got no answer is in the log: all of it is, or none. Its last event tells, which no
    /// other batch can have at that place; a batch without events is simply tried again, and its keys found there.
    async fn took_effect(&self, lost: &Unsure) -> Result<bool, StoreError> {
        let Some((pos, hash)) = lost.last else { return Ok(false) };
        // Behind the head's lock: a commit that lost its connection may still be under way.
        let mut tx = self.store.begin().await?;
        tx.lock_head(self.shard).await?;
        let sql = "SELECT 1 FROM journal WHERE shard = $1 AND pos = $2 AND hash = $3";
        let place = [self.shard.into(), pos.into(), hash.to_vec().into()];
        Ok(!tx.fetch(sql, &place).await?.is_empty())
    }
}

/// A batch whose commit got no answer.
struct Unsure {
    verdicts: Vec<Verdict>,
    /// Position and hash of its last event.
    last: Option<(i64, Hash)>,
}

impl Unsure {
    fn of(batch: Batch) -> Self {
        Self {
            last: batch.last.map(|hash| (batch.head, hash)),
            verdicts: batch.verdicts,
        }
    }
}

/// What the store says of the batch under way, once it does; never, where there is none.
async fn appended(closed: &mut VecDeque<Closed>) -> Result<bool, StoreError> {
    match closed.front_mut() {
        Some(first) => (&mut first.appending)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(sqlx::Error::WorkerCrashed))),
        None => std::future::pending().await,
    }
}

fn pause(tries: u32) -> Duration {
    Duration::from_millis((1_u64 << tries.min(9)) + rand::random_range(0..4))
}

/// Tells the caller; what is remembered of the streams of a job that did not commit is worthless.
fn finish(job: Job, outcome: Outcome) {
    if !matches!(outcome, Outcome::Committed) {
        for append in &job.appends {
            append.slot.evict();
        }
    }
    // The caller may be gone: what was written stays written.
    drop(job.acknowledge.send(outcome));
}
