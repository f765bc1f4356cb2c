//! The writer of a shard: whatever waits becomes one transaction. The sync of one batch is the time in which the next
//! one gathers, so there is no timer.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use aggregates::{AnyEvent, id::TenantId};
use chrono::{DateTime, Utc};
use projections::{Recorded, Value, Writes, registry};
use tokio::sync::{mpsc, oneshot};

use super::{
    CommandError, StoreError,
    cache::Slot,
    record::{Hash, StreamKey},
    seal::Key,
    store::{COMMANDS, Existing, JOURNAL, SNAPSHOTS, STREAMS, SUBJECT_KEYS, Store, WriteTx},
    views,
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
    pub slot: Arc<Slot>,
    pub expected: i64,
    pub events: Vec<Pending>,
    pub snapshot: Option<Snapshot>,
}

pub struct Pending {
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
        let mut jobs = Vec::with_capacity(MAX_BATCH);
        while waiting.recv_many(&mut jobs, MAX_BATCH).await > 0 {
            write(shard, store.as_ref(), std::mem::take(&mut jobs)).await;
        }
    });
    sender
}

/// Writes the jobs in one transaction; where the store cannot take them together, one by one, so that a job that
/// cannot be written fails alone.
async fn write(shard: i64, store: &dyn Store, jobs: Vec<Job>) {
    match persist(shard, store, &jobs).await {
        Ok(verdicts) => {
            for (job, verdict) in jobs.into_iter().zip(verdicts) {
                finish(job, verdict.into());
            }
        }
        Err(error) => {
            tracing::warn!(
                shard,
                jobs = jobs.len(),
                error = &error as &dyn std::error::Error,
                "batch taken apart"
            );
            for job in jobs {
                let outcome = match persist(shard, store, std::slice::from_ref(&job)).await {
                    Ok(verdicts) => verdicts.into_iter().next().map_or(Outcome::Conflict, Into::into),
                    Err(error) => Outcome::Failed(error.into()),
                };
                finish(job, outcome);
            }
        }
    }
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

/// What becomes of a job within its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Commits,
    Conflicts,
    Duplicates,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Commits => Self::Committed,
            Verdict::Conflicts => Self::Conflict,
            Verdict::Duplicates => Self::Duplicate,
        }
    }
}

/// Writes one batch, again while the database asks for it. Where a commit's answer was lost, the command rows tell
/// whether it took effect.
async fn persist(shard: i64, store: &dyn Store, jobs: &[Job]) -> Result<Vec<Verdict>, StoreError> {
    let mut tries = 0;
    let mut unsure: Option<Vec<Verdict>> = None;
    loop {
        if let Some(verdicts) = &unsure {
            match took_effect(shard, store, jobs, verdicts).await {
                Ok(true) => return Ok(verdicts.clone()),
                Ok(false) => unsure = None,
                Err(error) if tries >= MAX_TRIES => return Err(error),
                Err(_) => {
                    tries += 1;
                    tokio::time::sleep(pause(tries)).await;
                    continue;
                }
            }
        }
        let error = match try_batch(shard, store, jobs, &mut unsure).await {
            Ok(verdicts) => return Ok(verdicts),
            Err(error) => error,
        };
        tries += 1;
        let again = matches!(error, StoreError::Contended(_) | StoreError::Unavailable(_));
        if !again || tries >= MAX_TRIES {
            return Err(error);
        }
        tokio::time::sleep(pause(tries)).await;
    }
}

fn pause(tries: u32) -> Duration {
    Duration::from_millis((1_u64 << tries.min(9)) + rand::random_range(0..4))
}

/// Whether a batch whose commit got no answer is in the log: all of it is, or none.
async fn took_effect(shard: i64, store: &dyn Store, jobs: &[Job], verdicts: &[Verdict]) -> Result<bool, StoreError> {
    let committed = jobs
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| **verdict == Verdict::Commits);
    let Some((job, command)) = committed
        .map(|(job, _)| (job, &job.command))
        .find_map(|(job, command)| command.as_ref().map(|command| (job, command)))
    else {
        return Ok(true); // nothing was written
    };
    let sql = "SELECT first_pos FROM commands WHERE shard = $1 AND tenant = $2 AND command_id = $3";
    let rows = store
        .read(
            sql,
            &[shard.into(), job.tenant.as_str().into(), command.id.as_str().into()],
        )
        .await?;
    Ok(!rows.is_empty())
}

async fn try_batch(
    shard: i64,
    store: &dyn Store,
    jobs: &[Job],
    unsure: &mut Option<Vec<Verdict>>,
) -> Result<Vec<Verdict>, StoreError> {
    let mut tx = store.begin().await?;
    let head = tx.lock_head(shard).await?;
    let known = Known::read(tx.as_mut(), shard, jobs).await?;
    let batch = Batch::build(shard, head, jobs, known);
    if !batch.is_empty() {
        batch.write(tx.as_mut()).await?;
        let committed = tx.commit().await;
        if let Err(error) = committed {
            *unsure = Some(batch.verdicts);
            return Err(error);
        }
    }
    Ok(batch.verdicts)
}

/// What the log holds, under the head's lock, of the things the jobs rely on.
struct Known {
    /// By aggregate type and qualified stream; what is not here is at 0.
    versions: HashMap<(String, String), i64>,
    commands: HashSet<(String, String)>,
    subjects: HashSet<(String, String)>,
}

impl Known {
    async fn read(tx: &mut dyn WriteTx, shard: i64, jobs: &[Job]) -> Result<Self, StoreError> {
        let mut streams: HashMap<(&'static str, String), Vec<Value>> = HashMap::new();
        let mut commands = Vec::new();
        let mut subjects = Vec::new();
        for job in jobs {
            for append in &job.appends {
                let (kind, stream) = (append.key.aggregate_type, append.key.qualified());
                streams
                    .entry((kind, stream))
                    .or_insert_with_key(|(kind, stream)| vec![shard.into(), (*kind).into(), stream.as_str().into()]);
            }
            if let Some(command) = job.command.as_ref().filter(|command| command.keyed) {
                commands.push(vec![
                    shard.into(),
                    job.tenant.as_str().into(),
                    command.id.as_str().into(),
                ]);
            }
            for key in &job.new_keys {
                subjects.push(vec![
                    shard.into(),
                    job.tenant.as_str().into(),
                    key.subject.as_str().into(),
                ]);
            }
        }
        let keys: Vec<_> = streams.into_values().collect();
        let mut versions = HashMap::with_capacity(keys.len());
        for row in tx.select(&STREAMS, &keys).await? {
            versions.insert((row.text(1)?.to_owned(), row.text(2)?.to_owned()), row.int(3)?);
        }
        let mut known = Self {
            versions,
            commands: HashSet::new(),
            subjects: HashSet::new(),
        };
        if !commands.is_empty() {
            for row in tx.select(&COMMANDS, &commands).await? {
                known
                    .commands
                    .insert((row.text(1)?.to_owned(), row.text(2)?.to_owned()));
            }
        }
        if !subjects.is_empty() {
            for row in tx.select(&SUBJECT_KEYS, &subjects).await? {
                known
                    .subjects
                    .insert((row.text(1)?.to_owned(), row.text(2)?.to_owned()));
            }
        }
        Ok(known)
    }
}

/// The rows of one transaction.
#[derive(Default)]
struct Batch {
    shard: i64,
    first: i64,
    head: i64,
    verdicts: Vec<Verdict>,
    events: Vec<Vec<Value>>,
    streams: HashMap<(&'static str, String), Vec<Value>>,
    commands: Vec<Vec<Value>>,
    snapshots: HashMap<(&'static str, String), Vec<Value>>,
    keys: Vec<Vec<Value>>,
    forgotten: Vec<Vec<Value>>,
    views: Writes,
}

impl Batch {
    fn build(shard: i64, head: i64, jobs: &[Job], mut known: Known) -> Self {
        let mut batch = Self {
            shard,
            first: head,
            head,
            ..Self::default()
        };
        for job in jobs {
            let verdict = known.judge(job);
            if verdict == Verdict::Commits {
                batch.add(job);
            }
            batch.verdicts.push(verdict);
        }
        batch
    }

    fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    fn add(&mut self, job: &Job) {
        let Some(command) = &job.command else { return };
        let first = self.head + 1;
        for append in &job.appends {
            if append.events.is_empty() {
                continue;
            }
            let stream = append.key.qualified();
            for event in &append.events {
                self.head += 1;
                self.event(job, command, append, &stream, event);
            }
            if let Some(snapshot) = &append.snapshot {
                let row = vec![
                    self.shard.into(),
                    append.key.aggregate_type.into(),
                    stream.as_str().into(),
                    snapshot.state_version.into(),
                    snapshot.sequence.into(),
                    snapshot.hash.to_vec().into(),
                    snapshot.recorded_at.into(),
                    snapshot.state.as_str().into(),
                ];
                self.snapshots.insert((append.key.aggregate_type, stream), row);
            }
        }
        let tenant = || Value::from(job.tenant.as_str());
        self.commands.push(vec![
            self.shard.into(),
            tenant(),
            command.id.as_str().into(),
            command.request_hash.as_str().into(),
            if self.head < first { 0 } else { first }.into(),
            if self.head < first { 0 } else { self.head }.into(),
            command.reply.as_str().into(),
        ]);
        for key in &job.new_keys {
            self.keys.push(vec![
                self.shard.into(),
                tenant(),
                key.subject.as_str().into(),
                key.key.to_vec().into(),
            ]);
        }
        for subject in &job.forgotten {
            self.forgotten
                .push(vec![self.shard.into(), tenant(), subject.as_str().into()]);
        }
    }

    fn event(&mut self, job: &Job, command: &CommandRow, append: &Append, stream: &str, event: &Pending) {
        registry::apply_inline(
            &Recorded {
                tenant: &job.tenant,
                position: self.head,
                aggregate_id: &append.key.id,
                sequence: event.sequence,
                recorded_at: DateTime::<Utc>::from_timestamp_micros(event.recorded_at).unwrap_or_default(),
                event: &event.event,
            },
            &mut self.views,
        );
        self.events.push(vec![
            self.shard.into(),
            self.head.into(),
            job.tenant.as_str().into(),
            append.key.aggregate_type.into(),
            stream.into(),
            event.sequence.into(),
            event.name.into(),
            i64::from(event.version).into(),
            event.payload.as_str().into(),
            job.metadata.as_str().into(),
            event.recorded_at.into(),
            command.id.as_str().into(),
            event.key_id.clone().into(),
            event.hash.to_vec().into(),
        ]);
        self.streams.insert(
            (append.key.aggregate_type, stream.to_owned()),
            vec![
                self.shard.into(),
                append.key.aggregate_type.into(),
                stream.into(),
                event.sequence.into(),
                event.hash.to_vec().into(),
            ],
        );
    }

    async fn write(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        tx.insert(&JOURNAL, JOURNAL.name, &self.events, Existing::Fail).await?;
        let streams: Vec<_> = self.streams.values().cloned().collect();
        tx.insert(&STREAMS, STREAMS.name, &streams, Existing::Replace).await?;
        tx.insert(&COMMANDS, COMMANDS.name, &self.commands, Existing::Fail)
            .await?;
        let snapshots: Vec<_> = self.snapshots.values().cloned().collect();
        tx.insert(&SNAPSHOTS, SNAPSHOTS.name, &snapshots, Existing::Replace)
            .await?;
        tx.insert(&SUBJECT_KEYS, SUBJECT_KEYS.name, &self.keys, Existing::Fail)
            .await?;
        tx.delete(&SUBJECT_KEYS, &self.forgotten).await?;
        views::apply_writes(tx, &self.views, |table| table.name.to_owned()).await?;
        if self.head > self.first {
            tx.set_head(self.shard, self.head).await?;
        }
        Ok(())
    }
}

impl Known {
    /// Whether a job may commit, given the log and the jobs before it in the batch; if so, it counts as done.
    fn judge(&mut self, job: &Job) -> Verdict {
        let tenant = job.tenant.as_str();
        if let Some(command) = &job.command
            && command.keyed
            && self.commands.contains(&(tenant.to_owned(), command.id.clone()))
        {
            return Verdict::Duplicates;
        }
        let version_of = |known: &Self, append: &Append| {
            let key = (append.key.aggregate_type.to_owned(), append.key.qualified());
            known.versions.get(&key).copied().unwrap_or_default()
        };
        if job
            .appends
            .iter()
            .any(|append| version_of(self, append) != append.expected)
        {
            return Verdict::Conflicts;
        }
        if job
            .new_keys
            .iter()
            .any(|key| self.subjects.contains(&(tenant.to_owned(), key.subject.clone())))
        {
            return Verdict::Conflicts;
        }
        for append in &job.appends {
            if let Some(last) = append.events.last() {
                let key = (append.key.aggregate_type.to_owned(), append.key.qualified());
                self.versions.insert(key, last.sequence);
            }
        }
        if let Some(command) = job.command.as_ref().filter(|command| command.keyed) {
            self.commands.insert((tenant.to_owned(), command.id.clone()));
        }
        for key in &job.new_keys {
            self.subjects.insert((tenant.to_owned(), key.subject.clone()));
        }
        Verdict::Commits
    }
}
