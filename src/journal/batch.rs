//! One transaction of the writer: which commands may commit, and the rows they become.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use projections::{Recorded, Table, Value, Writes, registry};

use super::{
    StoreError,
    record::{GENESIS, Hash},
    store::{COMMANDS, Existing, JOURNAL, SNAPSHOTS, STREAMS, SUBJECT_KEYS, Step, Store},
    views,
    writer::{Append, CommandRow, Job, Outcome, Pending},
};

/// Aggregate type and the stream's name in the store.
type StreamName = (&'static str, Arc<str>);

/// Where a stream stands: its version, and the hash that tells this history from another of the same length. Another
/// process may have put a different event where this one's refused job was going to: what was decided after that job
/// has the right version and the wrong past.
type Tip = (i64, Hash);

/// How many stream tips a writer keeps.
const REMEMBERED: usize = 200_000;

fn name(append: &Append) -> StreamName {
    (append.key.aggregate_type, Arc::clone(&append.stream))
}

/// Stream tips as of a head position: true as long as the log's head stands where this process left it.
#[derive(Default)]
pub struct Remembered {
    head: Option<i64>,
    tips: HashMap<StreamName, Tip>,
}

impl Remembered {
    /// The head this process left, while it has written and nobody else was seen to have.
    pub fn head(&self) -> Option<i64> {
        self.head
    }

    /// What is known at this head: nothing, where another process has written.
    pub fn at(&mut self, head: i64) -> &HashMap<StreamName, Tip> {
        if self.head != Some(head) || self.tips.len() > REMEMBERED {
            self.tips.clear();
        }
        &self.tips
    }

    pub fn keep(&mut self, head: i64, known: Known) {
        self.head = Some(head);
        self.tips.extend(known.tips);
    }

    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// What becomes of a job within its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
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

/// What the log holds, under the head's lock, of the things the jobs rely on.
pub struct Known {
    tips: HashMap<StreamName, Tip>,
    commands: HashSet<(String, String)>,
    subjects: HashSet<(String, String)>,
}

impl Known {
    pub async fn read(
        store: &dyn Store,
        shard: i64,
        jobs: &[Job],
        remembered: &HashMap<StreamName, Tip>,
    ) -> Result<Self, StoreError> {
        let mut tips = HashMap::with_capacity(jobs.len());
        let mut unknown: HashMap<(String, String), StreamName> = HashMap::new();
        let mut commands = Vec::new();
        let mut subjects = Vec::new();
        for job in jobs {
            for append in &job.appends {
                let name = name(append);
                if let Some(tip) = remembered.get(&name) {
                    tips.insert(name, *tip);
                } else {
                    unknown.insert((name.0.to_owned(), name.1.to_string()), name);
                }
            }
            if let Some(command) = job.command.as_ref().filter(|command| command.keyed) {
                commands.push(vec![
                    shard.into(),
                    command.id.as_str().into(),
                    job.tenant.as_str().into(),
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
        let key = |(kind, stream): &StreamName| vec![stream.as_ref().into(), (*kind).into(), shard.into()];
        let keys: Vec<Vec<Value>> = unknown.values().map(key).collect();
        tips.extend(unknown.values().cloned().map(|name| (name, (0, GENESIS))));
        for row in store.select(&STREAMS, &keys).await? {
            if let Some(name) = unknown.get(&(row.text(1)?.to_owned(), row.text(0)?.to_owned())) {
                let hash = Hash::try_from(row.bytes(4)?).map_err(|_| row.error(4, "a hash of 32 bytes"))?;
                tips.insert(name.clone(), (row.int(3)?, hash));
            }
        }
        let mut known = Self {
            tips,
            commands: HashSet::new(),
            subjects: HashSet::new(),
        };
        for row in store.select(&COMMANDS, &commands).await? {
            known
                .commands
                .insert((row.text(2)?.to_owned(), row.text(1)?.to_owned()));
        }
        for row in store.select(&SUBJECT_KEYS, &subjects).await? {
            known
                .subjects
                .insert((row.text(1)?.to_owned(), row.text(2)?.to_owned()));
        }
        Ok(known)
    }
}

/// The rows of one transaction.
#[derive(Default)]
pub struct Batch {
    shard: i64,
    pub head: i64,
    /// Hash of the last event.
    pub last: Option<Hash>,
    pub verdicts: Vec<Verdict>,
    pub events: Vec<Vec<Value>>,
    streams: HashMap<StreamName, Vec<Value>>,
    pub commands: Vec<Vec<Value>>,
    snapshots: HashMap<StreamName, Vec<Value>>,
    keys: Vec<Vec<Value>>,
    forgotten: Vec<Vec<Value>>,
    views: Writes,
}

impl Batch {
    pub fn build(shard: i64, head: i64, jobs: &[Job], known: &mut Known) -> Self {
        let mut batch = Self {
            shard,
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

    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    fn add(&mut self, job: &Job) {
        let Some(command) = &job.command else { return };
        let first = self.head + 1;
        for (append, event) in in_order(job) {
            self.head += 1;
            self.event(job, command, append, event);
        }
        for append in &job.appends {
            if let Some(last) = append.events.last() {
                let row = vec![
                    append.stream.as_ref().into(),
                    append.key.aggregate_type.into(),
                    self.shard.into(),
                    last.sequence.into(),
                    last.hash.to_vec().into(),
                ];
                self.streams.insert(name(append), row);
            }
            if let Some(snapshot) = &append.snapshot {
                let row = vec![
                    self.shard.into(),
                    append.key.aggregate_type.into(),
                    append.stream.as_ref().into(),
                    snapshot.state_version.into(),
                    snapshot.sequence.into(),
                    snapshot.hash.to_vec().into(),
                    snapshot.recorded_at.into(),
                    snapshot.state.as_str().into(),
                ];
                self.snapshots.insert(name(append), row);
            }
        }
        let tenant = || Value::from(job.tenant.as_str());
        self.commands.push(vec![
            self.shard.into(),
            command.id.as_str().into(),
            tenant(),
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
            // A key made earlier in the batch is not in the table yet, where the deletion would find it.
            self.keys
                .retain(|key| key[1] != tenant() || key[2] != Value::from(subject.as_str()));
            self.forgotten
                .push(vec![self.shard.into(), tenant(), subject.as_str().into()]);
        }
    }

    fn event(&mut self, job: &Job, command: &CommandRow, append: &Append, event: &Pending) {
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
        self.last = Some(event.hash);
        self.events.push(vec![
            self.shard.into(),
            self.head.into(),
            job.tenant.as_str().into(),
            append.key.aggregate_type.into(),
            append.stream.as_ref().into(),
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
    }

    /// The bulk statements, but for the move of the head.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let insert = |table: &'static Table, rows, existing| Step::Insert {
            table,
            name: table.name.into(),
            rows,
            existing,
        };
        let mut steps = vec![
            insert(&JOURNAL, (&self.events).into(), Existing::Fail),
            insert(&STREAMS, in_key_order(&self.streams), Existing::Replace),
            insert(&COMMANDS, (&self.commands).into(), Existing::Fail),
            insert(&SNAPSHOTS, in_key_order(&self.snapshots), Existing::Replace),
            insert(&SUBJECT_KEYS, (&self.keys).into(), Existing::Fail),
            Step::Delete {
                table: &SUBJECT_KEYS,
                keys: (&self.forgotten).into(),
            },
        ];
        steps.retain(|step| match step {
            Step::Insert { rows, .. } => !rows.is_empty(),
            Step::Update { rows, .. } => !rows.is_empty(),
            Step::Delete { keys, .. } => !keys.is_empty(),
        });
        steps.extend(views::steps(&self.views, |table| table.name.into()));
        steps
    }
}

/// Rows of one each stream, so that neighbours are written one after the other.
fn in_key_order(rows: &HashMap<StreamName, Vec<Value>>) -> Cow<'static, [Vec<Value>]> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_unstable_by(|((_, a), _), ((_, b), _)| a.cmp(b));
    rows.into_iter().map(|(_, row)| row.clone()).collect()
}

/// The events of a job over all its streams, in the order in which they were decided.
fn in_order(job: &Job) -> Vec<(&Append, &Pending)> {
    let mut events: Vec<_> = job
        .appends
        .iter()
        .flat_map(|append| append.events.iter().map(move |event| (append, event)))
        .collect();
    events.sort_by_key(|(_, event)| event.order);
    events
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
        let stands = |append: &Append| self.tips.get(&name(append)) == Some(&(append.expected, append.expected_hash));
        if !job.appends.iter().all(stands) {
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
                self.tips.insert(name(append), (last.sequence, last.hash));
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
