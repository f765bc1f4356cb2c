//! `audit verify`: is the log what was written? Every position, every link of every chain, every row that refers to an
//! event, every snapshot, and every stream once more through the stock readers of the es crates.
//!
//! It works while commands flow: events up to the head that it read first never change, and each question about rows
//! that do change is one statement, so it sees one moment.

mod rows;
mod snapshots;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

use futures::{StreamExt, stream};
use projections::Row;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{
    Journal, Progress, StoreError,
    fault::{Fault, Place},
    record::{GENESIS, Hash, Stored, shard_of},
    scan::{self, Range},
    seal::{self, Key},
    stock,
    store::{SHARDS, Store},
};

/// How many streams are read again at a time.
const PARALLEL: usize = 4;

/// What an audit has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub events: u64,
    pub streams: u64,
    pub faults: Vec<Fault>,
    /// To be kept outside the database: the next audit given these also finds a tail that was cut together with
    /// everything that referred to it.
    pub seals: Vec<Seal>,
}

/// What a shard held up to a position: `shard-position-digest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub shard: i64,
    pub pos: i64,
    pub digest: Hash,
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-", self.shard, self.pos)?;
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a seal is written shard-position-digest, the digest as 64 hex digits")]
pub struct NotASeal;

impl FromStr for Seal {
    type Err = NotASeal;

    fn from_str(text: &str) -> Result<Self, NotASeal> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(NotASeal);
        let shard = part()?.parse().map_err(|_| NotASeal)?;
        let pos = part()?.parse().map_err(|_| NotASeal)?;
        let hex = part()?;
        if hex.len() != 64 || !hex.is_ascii() {
            return Err(NotASeal);
        }
        let mut digest = GENESIS;
        for (n, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).map_err(|_| NotASeal)?;
        }
        Ok(Self { shard, pos, digest })
    }
}

/// What is remembered of a stream: its last event, and a digest of everything a standard reader should read of it.
struct Last {
    sequence: i64,
    stored: Vec<u8>,
    computed: Hash,
    reading: Hash,
    /// An event of it is no JSON: the stock reader would not survive it, and the fault is known.
    unreadable: bool,
    /// Something is wrong with an event of it, so nothing can be told from what it folds to.
    damaged: bool,
}

/// Verifies the whole log; `known` are seals of earlier audits.
pub async fn verify(journal: &Journal, known: &[Seal], progress: Progress<'_>) -> Result<Report, StoreError> {
    let store = journal.store().as_ref();
    let heads = scan::heads(store).await?;
    let events: i64 = heads.iter().sum();
    let mut audit = Audit {
        store,
        known,
        progress,
        done: 0,
        total: 2 * u64::try_from(events).unwrap_or_default(),
        report: Report::default(),
    };
    for (shard, head) in (0..SHARDS).zip(heads) {
        audit.shard(shard, head).await?;
    }
    (audit.progress)(audit.total, audit.total);
    Ok(audit.report)
}

struct Audit<'a> {
    store: &'a dyn Store,
    known: &'a [Seal],
    progress: Progress<'a>,
    done: u64,
    total: u64,
    report: Report,
}

/// A walk along a shard.
struct Walk {
    shard: i64,
    /// The last position seen.
    last: i64,
    digest: Hash,
    streams: HashMap<(String, String), Last>,
    /// Sealed events without a key, by tenant and subject: fine only where the subject was forgotten.
    keyless: HashMap<(String, String), Place>,
    /// Positions that hold something, but nothing that can be read.
    unreadable: BTreeSet<i64>,
    faults: Vec<Fault>,
}

impl Audit<'_> {
    async fn shard(&mut self, shard: i64, head: i64) -> Result<(), StoreError> {
        let mut walk = Walk {
            shard,
            last: 0,
            digest: GENESIS,
            streams: HashMap::new(),
            keyless: HashMap::new(),
            unreadable: BTreeSet::new(),
            faults: Vec::new(),
        };
        for page in (Range {
            shard,
            after: 0,
            to: head,
        })
        .pages()
        {
            for row in self.rows(page, &mut walk).await? {
                self.report.events += 1;
                walk.event(row, self.known);
            }
            self.step(u64::try_from(page.to - page.after).unwrap_or_default());
        }
        if walk.last.max(walk.unreadable.last().copied().unwrap_or_default()) < head {
            let last = walk.last;
            walk.faults.push(Fault::TailCut { shard, head, last });
        }
        for seal in self.known.iter().filter(|seal| seal.shard == shard && seal.pos > head) {
            walk.faults.push(Fault::SealBroken { shard, pos: seal.pos });
        }
        self.report.seals.push(Seal {
            shard,
            pos: walk.last,
            digest: walk.digest,
        });
        self.report.streams += walk.streams.len() as u64;
        self.beyond_head(&mut walk).await?;
        self.stream_rows(&mut walk).await?;
        self.command_rows(&mut walk).await?;
        self.missing_commands(&mut walk).await?;
        self.replies(&mut walk, head).await?;
        self.lost_keys(&mut walk).await?;
        self.kept_keys(&mut walk).await?;
        self.snapshots(&mut walk).await?;
        self.second_reading(&mut walk).await?;
        self.report.faults.append(&mut walk.faults);
        Ok(())
    }

    fn step(&mut self, events: u64) {
        self.done += events;
        (self.progress)(self.done, self.total);
    }

    /// The rows of a page. Where a row is so damaged that the database cannot hand it out, each is read by itself.
    async fn rows(&self, page: Range, walk: &mut Walk) -> Result<Vec<Row>, StoreError> {
        let columns: Vec<_> = Stored::COLUMNS
            .split(", ")
            .map(|column| format!("j.{column}"))
            .collect();
        let sql = format!(
            "SELECT {}, CASE WHEN j.key_id IS NULL THEN NULL ELSE (SELECT k.key FROM subject_keys k \
             WHERE k.shard = j.shard AND k.tenant = j.tenant AND k.subject = j.key_id) END \
             FROM journal j WHERE j.shard = $1 AND j.pos > $2 AND j.pos <= $3 ORDER BY j.pos",
            columns.join(", ")
        );
        match self.store.read(&sql, &page.parameters()).await {
            Err(StoreError::Failed(_)) => {}
            read => return read,
        }
        let mut rows = Vec::new();
        for pos in page.after + 1..=page.to {
            let one = Range {
                after: pos - 1,
                to: pos,
                ..page
            };
            match self.store.read(&sql, &one.parameters()).await {
                Ok(read) => rows.extend(read),
                Err(StoreError::Failed(error)) => {
                    walk.unreadable.insert(pos);
                    walk.faults.push(Fault::Unreadable {
                        shard: page.shard,
                        pos,
                        reason: error.to_string(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(rows)
    }

    async fn second_reading(&mut self, walk: &mut Walk) -> Result<(), StoreError> {
        let store = self.store;
        let shard = walk.shard;
        let streams = std::mem::take(&mut walk.streams);
        let mut readings = stream::iter(streams)
            .map(|((aggregate_type, stream), last)| async move {
                let faults = if last.unreadable {
                    Ok(Vec::new())
                } else {
                    stock::second_reading(store, shard, &aggregate_type, &stream, last.sequence, &last.reading).await
                };
                (last.sequence, faults)
            })
            .buffer_unordered(PARALLEL);
        while let Some((events, faults)) = readings.next().await {
            walk.faults.extend(faults?);
            self.done += u64::try_from(events).unwrap_or_default();
            (self.progress)(self.done.min(self.total), self.total);
        }
        Ok(())
    }
}

impl Walk {
    fn event(&mut self, mut row: Row, known: &[Seal]) {
        let shard = self.shard;
        let pos = row.int(1).unwrap_or_default();
        while self.unreadable.contains(&(self.last + 1)) {
            self.last += 1;
        }
        if pos > self.last + 1 {
            let (from, to) = (self.last + 1, pos - 1);
            self.faults.push(Fault::Missing { shard, from, to });
        }
        self.last = pos;
        let key = scan::key(&row, 14);
        row.0.truncate(14);
        let (stored, key) = match (Stored::read(row), key) {
            (Ok(stored), Ok(key)) => (stored, key),
            (Err(error), _) | (_, Err(error)) => {
                let reason = error.to_string();
                self.faults.push(Fault::Unreadable { shard, pos, reason });
                return;
            }
        };
        let mut digest = Sha256::new();
        digest.update(self.digest);
        digest.update(&stored.hash);
        self.digest = digest.finalize().into();
        if known
            .iter()
            .any(|seal| seal.shard == shard && seal.pos == pos && seal.digest != self.digest)
        {
            self.faults.push(Fault::SealBroken { shard, pos });
        }
        let place = place(&stored);
        let faults = self.faults.len();
        self.chain(&stored, &place);
        self.content(&stored, &place, key.as_ref());
        if self.faults.len() > faults
            && let Some(last) = self.streams.get_mut(&(stored.aggregate_type, place.stream))
        {
            last.damaged = true;
        }
    }

    /// The event's place in the chain of its stream. After a fault the walk goes on from what stands there, so that
    /// one damage is one fault.
    fn chain(&mut self, stored: &Stored, place: &Place) {
        let belongs = shard_of(&stored.tenant);
        if belongs != self.shard {
            let place = place.clone();
            self.faults.push(Fault::WrongShard { place, belongs });
        }
        let key = (stored.aggregate_type.clone(), place.stream.clone());
        let last = self.streams.entry(key).or_insert(Last {
            sequence: 0,
            stored: GENESIS.to_vec(),
            computed: GENESIS,
            reading: GENESIS,
            unreadable: false,
            damaged: false,
        });
        if stored.sequence == last.sequence + 1 {
            last.computed = match stored.link(&last.stored) {
                link if link.as_slice() == stored.hash => link,
                link => {
                    // The hash of the event before may be what was damaged.
                    let other = stored.link(&last.computed);
                    if other.as_slice() == stored.hash {
                        other
                    } else {
                        self.faults.push(Fault::WrongHash { place: place.clone() });
                        link
                    }
                }
            };
        } else {
            self.faults.push(Fault::SequenceGap {
                place: place.clone(),
                expected: last.sequence + 1,
            });
            last.computed = Hash::try_from(stored.hash.as_slice()).unwrap_or(GENESIS);
        }
        last.sequence = stored.sequence;
        last.stored.clone_from(&stored.hash);
        match stock::reading(stored) {
            Ok(now) => last.reading = stock::then(&last.reading, &now),
            Err(_) => last.unreadable = true,
        }
    }

    /// What the event says: opened, decoded, and in agreement with the columns that no hash covers.
    fn content(&mut self, stored: &Stored, place: &Place, key: Option<&Key>) {
        let place = || place.clone();
        let metadata = serde_json::from_str::<Json>(&stored.metadata).unwrap_or_default();
        if metadata.get("command_id").and_then(Json::as_str) != Some(&stored.command_id) {
            self.faults.push(Fault::WrongCommand { place: place() });
        }
        let opened = match &stored.key_id {
            None => Ok(stored.payload.clone()),
            Some(_) => seal::unseal(&stored.payload, key),
        };
        if let (Some(subject), None) = (&stored.key_id, key) {
            self.keyless
                .entry((stored.tenant.to_string(), subject.clone()))
                .or_insert_with(place);
        }
        let payload = match opened {
            Ok(payload) => payload,
            Err(error) => {
                let reason = error.to_string();
                self.faults.push(Fault::Sealed { place: place(), reason });
                return;
            }
        };
        match stored.decode(&payload) {
            Ok(events) => {
                let subject = events.iter().find_map(aggregates::AnyEvent::subject);
                if !events.is_empty() && subject != stored.key_id {
                    self.faults.push(Fault::WrongSubject { place: place() });
                }
            }
            Err(error) => {
                let reason = error.to_string();
                self.faults.push(Fault::Undecodable { place: place(), reason });
            }
        }
    }
}

fn place(stored: &Stored) -> Place {
    Place {
        shard: stored.shard,
        pos: stored.pos,
        aggregate_type: stored.aggregate_type.clone(),
        stream: super::qualified(&stored.tenant, &stored.aggregate_id),
        sequence: stored.sequence,
    }
}
