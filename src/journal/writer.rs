//! The writer of a shard: whatever waits becomes one transaction. The sync of one batch is the time in which the next
//! one gathers, so there is no timer; but callers who were just answered get their turn before the next batch closes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aggregates::{AnyEvent, id::TenantId};
use tokio::sync::{mpsc, oneshot};

use super::{
    CommandError, StoreError,
    batch::{Batch, Known, Remembered, Verdict},
    cache::Slot,
    record::{Hash, StreamKey},
    seal::Key,
    store::{self, Store},
};

const MAX_BATCH: usize = 512;
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
    let (sender, mut waiting) = mpsc::channel(super::QUEUE);
    tokio::spawn(async move {
        let mut writer = Writer {
            shard,
            store,
            remembered: Remembered::default(),
        };
        let mut jobs = Vec::with_capacity(MAX_BATCH);
        while waiting.recv_many(&mut jobs, MAX_BATCH).await > 0 {
            gather(&mut waiting, &mut jobs).await;
            writer.write(std::mem::take(&mut jobs)).await;
        }
    });
    sender
}

/// Lets every task that is ready run, as long as that brings more jobs: a batch of one that is closed while its
/// neighbours are deciding makes them wait for a whole transaction.
async fn gather(waiting: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>) {
    loop {
        let before = jobs.len();
        tokio::task::yield_now().await;
        while jobs.len() < MAX_BATCH
            && let Ok(job) = waiting.try_recv()
        {
            jobs.push(job);
        }
        if jobs.len() == before {
            break;
        }
    }
}

/// The one task that writes a shard in this process.
struct Writer {
    shard: i64,
    store: Arc<dyn Store>,
    remembered: Remembered,
}

impl Writer {
    /// Writes the jobs in one transaction; where the store cannot take them together, one by one, so that a job that
    /// cannot be written fails alone.
    async fn write(&mut self, jobs: Vec<Job>) {
        metrics::histogram!("billstream_writer_batch_size").record(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
        match self.persist(&jobs).await {
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
                    let outcome = match self.persist(std::slice::from_ref(&job)).await {
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
    async fn persist(&mut self, jobs: &[Job]) -> Result<Vec<Verdict>, StoreError> {
        let mut tries = 0;
        let mut unsure: Option<Unsure> = None;
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
                return Err(error);
            }
            tokio::time::sleep(pause(tries)).await;
        }
    }

    /// One transaction: at once, where nobody else seems to have written since this writer's last, and under the
    /// head's lock otherwise.
    async fn try_batch(&mut self, jobs: &[Job], unsure: &mut Option<Unsure>) -> Result<Vec<Verdict>, StoreError> {
        if let Some(head) = self.remembered.head()
            && let Some(verdicts) = self.append_at(head, jobs, unsure).await?
        {
            return Ok(verdicts);
        }
        let start = Instant::now();
        let mut tx = self.store.begin().await?;
        let head = tx.lock_head(self.shard).await?;
        let remembered = self.remembered.at(head);
        let mut known = Known::read(self.store.as_ref(), self.shard, jobs, remembered).await?;
        let batch = Batch::build(self.shard, head, jobs, &mut known);
        if batch.is_empty() {
            return Ok(batch.verdicts);
        }
        store::run(tx.as_mut(), &batch.steps()).await?;
        tx.set_head(self.shard, batch.head).await?;
        if let Err(error) = tx.commit().await {
            *unsure = Some(Unsure::of(batch));
            return Err(error);
        }
        self.written(batch.head, known, start, &batch);
        Ok(batch.verdicts)
    }

    /// The whole batch as one conditional append: what it relies on was read before, and holds as long as the head
    /// stands where this writer left it. `None` where it does not, or where a row is in the way that was not known.
    async fn append_at(
        &mut self,
        head: i64,
        jobs: &[Job],
        unsure: &mut Option<Unsure>,
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        let start = Instant::now();
        let mut known = Known::read(self.store.as_ref(), self.shard, jobs, self.remembered.at(head)).await?;
        let batch = Batch::build(self.shard, head, jobs, &mut known);
        if batch.verdicts.iter().any(|verdict| *verdict != Verdict::Commits) || batch.is_empty() {
            // Others may have written: what conflicts or changes nothing is judged under the lock.
            return Ok(None);
        }
        match self.store.append(self.shard, head, batch.head, &batch.steps()).await {
            Ok(true) => {
                self.written(batch.head, known, start, &batch);
                Ok(Some(batch.verdicts))
            }
            Ok(false) | Err(StoreError::Contended(_)) => {
                self.remembered.forget();
                Ok(None)
            }
            Err(error @ StoreError::Failed(_)) => {
                self.report(&error, jobs.len(), "batch refused, tried under the head's lock");
                self.remembered.forget();
                Ok(None)
            }
            Err(error) => {
                *unsure = Some(Unsure::of(batch));
                Err(error)
            }
        }
    }

    fn written(&mut self, head: i64, known: Known, start: Instant, batch: &Batch) {
        self.remembered.keep(head, known);
        metrics::counter!("billstream_events_total").increment(batch.events.len() as u64);
        metrics::counter!("billstream_commands_total").increment(batch.commands.len() as u64);
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
