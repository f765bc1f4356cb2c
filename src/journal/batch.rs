//! One transaction of the writer: which commands may commit, and the rows they become.

use std::{
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

/// Rows of one each stream, and whether there was none before.
type StreamRows = HashMap<StreamName, (bool, Vec<Value>)>;

/// How many stream tips a writer keeps.
const REMEMBERED: usize = 25_000;

fn name(append: &Append) -> StreamName {
    (append.key.aggregate_type, Arc::clone(&append.stream))
}

/// Stream tips as of a head position: true as long as the log's head stands where this process left it, or is about to.
#[derive(Default)]
pub struct Remembered {
    head: Option<i64>,
    tips: HashMap<StreamName, Tip>,
    /// Those before them. A batch that is not written yet has left its tips here or there: no other two are.
    older: HashMap<StreamName, Tip>,
    /// What the last batch has written, or is about to.
    commands: HashSet<(String, String)>,
    subjects: HashSet<(String, String)>,
}

impl Remembered {
    /// The head this process left, while it has written and nobody else was seen to have.
    pub fn head(&self) -> Option<i64> {
        self.head
    }

    /// The head stands there: nothing is known, where another process has moved it.
    pub fn stand_at(&mut self, head: i64) {
        if self.head != Some(head) {
            self.forget();
        }
    }

    pub fn keep(&mut self, head: i64, known: Known) {
        if self.tips.len() > REMEMBERED {
            self.older = std::mem::take(&mut self.tips);
        }
        self.head = Some(head);
        self.tips.extend(known.tips);
        self.commands = known.commands;
        self.subjects = known.subjects;
    }

    fn tip(&self, name: &StreamName) -> Option<&Tip> {
        self.tips.get(name).or_else(|| self.older.get(name))
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

/// What the log holds of the things the jobs rely on: as of the head that they are written behind.
#[derive(Default)]
pub struct Known {
    tips: HashMap<StreamName, Tip>,
    commands: HashSet<(String, String)>,
    subjects: HashSet<(String, String)>,
}

impl Known {
    /// Finds out what more jobs rely on. With `trust` no look is taken at streams that are supposed to be new.
    pub async fn learn(
        &mut self,
        store: &dyn Store,
        shard: i64,
        jobs: &[Job],
        (remembered, trust): (&Remembered, bool),
    ) -> Result<(), StoreError> {
        let mut unknown: HashMap<(String, String), StreamName> = HashMap::new();
        let mut commands = Vec::new();
        let mut subjects = Vec::new();
        for job in jobs {
            for append in &job.appends {
                let name = name(append);
                if self.tips.contains_key(&name) {
                    continue;
                }
                if let Some(tip) = remembered.tip(&name) {
                    self.tips.insert(name, *tip);
                } else if append.supposed && trust {
                    self.tips.insert(name, (0, GENESIS));
                } else {
                    unknown.insert((name.0.to_owned(), name.1.to_string()), name);
                }
            }
            let tenant = || job.tenant.as_str().to_owned();
            if let Some(command) = job.command.as_ref().filter(|command| command.keyed) {
                let name = (tenant(), command.id.clone());
                if remembered.commands.contains(&name) {
                    self.commands.insert(name);
                } else {
                    commands.push(vec![shard.into(), name.1.into(), name.0.into()]);
                }
            }
            for key in &job.new_keys {
                let name = (tenant(), key.subject.clone());
                if remembered.subjects.contains(&name) {
                    self.subjects.insert(name);
                } else {
                    subjects.push(vec![shard.into(), name.0.into(), name.1.into()]);
                }
            }
        }
        let key = |(kind, stream): &StreamName| vec![stream.as_ref().into(), (*kind).into(), shard.into()];
        let keys: Vec<Vec<Value>> = unknown.values().map(key).collect();
        self.tips
            .extend(unknown.values().cloned().map(|name| (name, (0, GENESIS))));
        for row in store.select(&STREAMS, &keys).await? {
            if let Some(name) = unknown.get(&(row.text(1)?.to_owned(), row.text(0)?.to_owned())) {
                let hash = Hash::try_from(row.bytes(4)?).map_err(|_| row.error(4, "a hash of 32 bytes"))?;
                self.tips.insert(name.clone(), (row.int(3)?, hash));
            }
        }
        for row in store.select(&COMMANDS, &commands).await? {
            self.commands.insert((row.text(2)?.to_owned(), row.text(1)?.to_owned()));
        }
        for row in store.select(&SUBJECT_KEYS, &subjects).await? {
            self.subjects.insert((row.text(1)?.to_owned(), row.text(2)?.to_owned()));
        }
        Ok(())
    }
}

/// The rows of one transaction.
#[derive(Default)]
pub struct Batch {
    shard: i64,
    /// The head that it is written behind.
    pub from: i64,
    /// The head that it leaves.
    pub head: i64,
    /// Hash of the last event.
    pub last: Option<Hash>,
    pub verdicts: Vec<Verdict>,
    /// How many there are.
    pub commands: u64,
    event_rows: Vec<Vec<Value>>,
    streams: StreamRows,
    command_rows: Vec<Vec<Value>>,
    snapshots: StreamRows,
    keys: Vec<Vec<Value>>,
    forgotten: Vec<Vec<Value>>,
    views: Writes,
}

impl Batch {
    /// An empty one behind that head.
    pub fn at(shard: i64, head: i64) -> Self {
        Self {
            shard,
            from: head,
            head,
            ..Self::default()
        }
    }

    /// Judges jobs by what is known of the log and the jobs before them, and takes those in that may commit.
    pub fn take(&mut self, jobs: &[Job], known: &mut Known) {
        for job in jobs {
            let verdict = known.judge(job);
            if verdict == Verdict::Commits {
                self.add(job);
            }
            self.verdicts.push(verdict);
        }
    }

    /// Whether every job may commit, and something is written.
    pub fn all_commit(&self) -> bool {
        !self.is_empty() && self.verdicts.iter().all(|verdict| *verdict == Verdict::Commits)
    }

    pub fn is_empty(&self) -> bool {
        self.commands == 0
    }

    pub fn events(&self) -> u64 {
        (self.head - self.from).unsigned_abs()
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
                let name = name(append);
                let new = match self.streams.get(&name) {
                    Some((new, _)) => *new,
                    None => append.expected == 0,
                };
                self.streams.insert(name, (new, row));
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
                self.snapshots.insert(name(append), (false, row));
            }
        }
        let tenant = || Value::from(job.tenant.as_str());
        self.commands += 1;
        self.command_rows.push(vec![
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
        self.event_rows.push(vec![
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

    /// The bulk statements, but for the move of the head. They take the rows with them.
    pub fn take_steps(&mut self) -> Vec<Step<'static>> {
        let streams = std::mem::take(&mut self.streams);
        let (begun, moved): (StreamRows, StreamRows) = streams.into_iter().partition(|(_, (new, _))| *new);
        let insert = |table: &'static Table, rows: Vec<Vec<Value>>, existing| Step::Insert {
            table,
            name: table.name.into(),
            rows: rows.into(),
            existing,
        };
        let mut steps = vec![
            insert(&JOURNAL, std::mem::take(&mut self.event_rows), Existing::Fail),
            insert(&STREAMS, in_key_order(begun), Existing::Fail),
            insert(&STREAMS, in_key_order(moved), Existing::Replace),
            insert(&COMMANDS, std::mem::take(&mut self.command_rows), Existing::Fail),
            insert(
                &SNAPSHOTS,
                in_key_order(std::mem::take(&mut self.snapshots)),
                Existing::Replace,
            ),
            insert(&SUBJECT_KEYS, std::mem::take(&mut self.keys), Existing::Fail),
            Step::Delete {
                table: &SUBJECT_KEYS,
                keys: std::mem::take(&mut self.forgotten).into(),
            },
        ];
        steps.retain(|step| match step {
            Step::Insert { rows, .. } => !rows.is_empty(),
            Step::Update { rows, .. } => !rows.is_empty(),
            Step::Delete { keys, .. } => !keys.is_empty(),
        });
        steps.extend(views::steps(std::mem::take(&mut self.views), |table| table.name.into()));
        steps
    }
}

/// Rows of one each stream, so that neighbours are written one after the other.
fn in_key_order(rows: StreamRows) -> Vec<Vec<Value>> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_unstable_by(|((_, a), _), ((_, b), _)| a.cmp(b));
    rows.into_iter().map(|(_, (_, row))| row).collect()
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
