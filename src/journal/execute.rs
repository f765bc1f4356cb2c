//! From a command to its events in the log: lock, decide, queue, wait; again where others were faster.

use std::{collections::HashMap, time::Duration};

use aggregates::{calendar, id::TenantId};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::oneshot, time::Instant};

use super::{
    CommandError, Journal, Request, Streams, Unit,
    cache::Loaded,
    record::{self, Linked, Metadata, StreamKey},
    seal::{self, Key},
    store::COMMANDS,
    unit::{self, Held, LookedUp},
    writer::{Append, CommandRow, Job, NewKey, Outcome, Pending, Snapshot},
};

/// How long a command tries again while others change the same streams.
const PATIENCE: Duration = Duration::from_secs(25);

impl Journal {
    /// Executes a command: `decide` runs on the states of `streams`, and everything it sends takes effect at once or
    /// not at all. Sent again under the same key it returns the stored reply. `decide` may run several times, so it
    /// must depend on nothing but the states.
    pub async fn execute<R, F>(&self, request: &Request, streams: Streams, decide: F) -> Result<R, CommandError>
    where
        R: Serialize + DeserializeOwned + Send,
        F: Fn(&mut Unit<'_>) -> Result<R, CommandError> + Send + Sync,
    {
        if request.keyed
            && let Some(reply) = self.reply(request).await?
        {
            return Ok(reply);
        }
        let deadline = Instant::now() + PATIENCE;
        let mut trust = Trust::All;
        let mut pause = Duration::from_micros(200);
        loop {
            let (reply, acknowledged) = match self.attempt(request, &streams, &decide, trust).await {
                Ok(queued) => queued,
                Err(Attempt::Stale) => {
                    trust = Trust::Nothing;
                    continue;
                }
                Err(Attempt::Final(error)) if request.keyed => {
                    // Refused perhaps because a twin of this command took effect since the first look.
                    return self.reply(request).await?.ok_or(error);
                }
                Err(Attempt::Final(error)) => return Err(error),
            };
            let outcome = acknowledged
                .await
                .map_err(|_| CommandError::Unavailable("the writer has stopped".into()))?;
            match outcome {
                Outcome::Committed => return Ok(reply),
                Outcome::Duplicate => return self.reply(request).await?.ok_or(CommandError::Conflict),
                Outcome::Failed(error) => return Err(error),
                Outcome::Conflict if Instant::now() >= deadline => return Err(CommandError::Conflict),
                Outcome::Conflict => {
                    if trust == Trust::All {
                        trust = Trust::Remembered;
                    }
                    let jitter = rand::random_range(1..=4);
                    tokio::time::sleep(pause * jitter / 4).await;
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
            }
        }
    }

    /// The reply stored for this command, if it has taken effect before.
    pub async fn reply<R: DeserializeOwned>(&self, request: &Request) -> Result<Option<R>, CommandError> {
        let sql = format!(
            "SELECT request_hash, reply FROM {} WHERE shard = $1 AND tenant = $2 AND command_id = $3",
            COMMANDS.name
        );
        let key = [
            record::shard_of(&request.tenant).into(),
            request.tenant.as_str().into(),
            request.command_id.as_str().into(),
        ];
        let rows = self.inner.store.read(&sql, &key).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        if row.text(0).map_err(corrupt)? != request.request_hash {
            return Err(CommandError::KeyReused);
        }
        serde_json::from_str(row.text(1).map_err(corrupt)?)
            .map(Some)
            .map_err(corrupt)
    }

    /// The replies stored for the parts of this request, in no order.
    pub async fn part_replies<R: DeserializeOwned>(&self, request: &Request) -> Result<Vec<R>, CommandError> {
        let sql = format!(
            "SELECT request_hash, reply FROM {} WHERE shard = $1 AND tenant = $2 AND command_id >= $3 AND command_id < $4",
            COMMANDS.name
        );
        // '$' follows '#': every part of the request lies between the two.
        let range = [
            record::shard_of(&request.tenant).into(),
            request.tenant.as_str().into(),
            format!("{}#", request.command_id).into(),
            format!("{}$", request.command_id).into(),
        ];
        let mut replies = Vec::new();
        for row in self.inner.store.read(&sql, &range).await? {
            if row.text(0).map_err(corrupt)? != request.request_hash {
                return Err(CommandError::KeyReused);
            }
            replies.push(serde_json::from_str(row.text(1).map_err(corrupt)?).map_err(corrupt)?);
        }
        Ok(replies)
    }

    async fn attempt<R, F>(
        &self,
        request: &Request,
        streams: &Streams,
        decide: &F,
        trust: Trust,
    ) -> Result<(R, oneshot::Receiver<Outcome>), Attempt>
    where
        R: Serialize + Send,
        F: Fn(&mut Unit<'_>) -> Result<R, CommandError> + Send + Sync,
    {
        let mut held = self.hold(&request.tenant, streams, trust).await?;
        let mut unit = Unit {
            tenant: &request.tenant,
            at: request.at,
            held: &mut held.streams,
            decided: 0,
            forgotten: Vec::new(),
        };
        let decided = decide(&mut unit);
        let forgotten = unit.forgotten;
        let reply = match decided {
            Ok(reply) => reply,
            // A refusal on a remembered state may be about a past that another process has moved on from.
            Err(_) if held.streams.iter().any(|held| !held.fresh) => return Err(Attempt::Stale),
            Err(error) => return Err(error.into()),
        };
        let text = serde_json::to_string(&reply).map_err(corrupt)?;
        let (acknowledge, acknowledged) = oneshot::channel();
        let mut job = self.job(request, &mut held.streams, text, acknowledge).await?;
        job.forgotten = forgotten;
        let writer = usize::try_from(record::shard_of(&request.tenant))
            .ok()
            .and_then(|n| self.inner.writers.get(n));
        let queued = match writer {
            Some(writer) => writer.send(job).await,
            None => return Err(CommandError::Corrupt("a tenant of a shard that does not exist".into()).into()),
        };
        queued.map_err(|_| CommandError::Unavailable("the writer has stopped".into()))?;
        held.queued = true;
        Ok((reply, acknowledged))
    }

    /// Locks every stream, always in the same order, and loads those that are not in memory.
    async fn hold(&self, tenant: &TenantId, streams: &Streams, trust: Trust) -> Result<HeldStreams, CommandError> {
        let mut wanted: Vec<_> = streams
            .wanted
            .iter()
            .map(|wanted| {
                let (aggregate_type, id) = (wanted.aggregate_type, wanted.id.clone());
                (
                    StreamKey {
                        hot: wanted.hot,
                        tenant: tenant.clone(),
                        aggregate_type,
                        id,
                    },
                    wanted,
                )
            })
            .collect();
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.dedup_by(|again, first| again.0 == first.0);
        let mut held = HeldStreams {
            streams: Vec::with_capacity(wanted.len()),
            queued: false,
        };
        for (key, wanted) in wanted {
            let mut guard = self.inner.cache.lock(&key).await;
            if trust == Trust::Nothing {
                *guard.loaded = None;
            }
            let (mut loaded_now, mut supposed) = (false, None);
            if guard.loaded.is_none() {
                let epoch = guard.slot.epoch();
                let mut loaded = if wanted.looked_up != LookedUp::Before && trust == Trust::All {
                    supposed = Some(wanted.looked_up);
                    unit::empty(&wanted.kind)
                } else {
                    loaded_now = true;
                    self.load(&key, &wanted.kind).await?
                };
                loaded.epoch = epoch;
                *guard.loaded = Some(loaded);
            }
            let (expected, expected_hash) = guard
                .loaded
                .as_ref()
                .map_or((0, record::GENESIS), |loaded| (loaded.version, loaded.hash));
            held.streams.push(Held {
                key,
                guard,
                kind: wanted.kind,
                expected,
                expected_hash,
                events: Vec::new(),
                fresh: loaded_now,
                supposed,
            });
        }
        Ok(held)
    }

    /// Turns what was decided into rows to be, and moves the slots on to what the log is about to hold.
    async fn job(
        &self,
        request: &Request,
        held: &mut [Held],
        reply: String,
        acknowledge: oneshot::Sender<Outcome>,
    ) -> Result<Job, CommandError> {
        let metadata = serde_json::to_string(&Metadata {
            actor: &request.actor,
            dialect: request.dialect,
            request_id: &request.request_id,
            command_id: &request.command_id,
            reply_sha256: &record::reply_hash(&reply),
            tzdb: calendar::TZDB,
        })
        .map_err(corrupt)?;
        let mut keys = Keys::default();
        let mut appends = Vec::with_capacity(held.len());
        for held in held.iter_mut() {
            let Held {
                key,
                guard,
                kind,
                expected,
                expected_hash,
                events,
                supposed,
                ..
            } = held;
            if *supposed == Some(LookedUp::IfBegun) && events.is_empty() {
                *guard.loaded = None;
                continue;
            }
            let Some(loaded) = guard.loaded.as_mut() else { continue };
            let mut pending = Vec::with_capacity(events.len());
            for new in events.drain(..) {
                let payload = match &new.subject {
                    None => new.payload,
                    Some(subject) => {
                        let key = self.subject_key(&request.tenant, subject, &mut keys).await?;
                        seal::seal(&new.payload, &key).map_err(corrupt)?
                    }
                };
                loaded.version += 1;
                loaded.last_at = loaded.last_at.max(request.at.timestamp_micros());
                loaded.hash = record::link(
                    &loaded.hash,
                    &Linked {
                        tenant: key.tenant.as_str(),
                        aggregate_type: key.aggregate_type,
                        aggregate_id: &key.id,
                        sequence: loaded.version,
                        event_type: new.name,
                        event_version: new.version,
                        recorded_at: loaded.last_at,
                        payload: &payload,
                        metadata: &metadata,
                    },
                );
                pending.push(Pending {
                    order: new.order,
                    sequence: loaded.version,
                    event: new.event,
                    name: new.name,
                    version: new.version,
                    payload,
                    recorded_at: loaded.last_at,
                    key_id: new.subject,
                    hash: loaded.hash,
                });
            }
            let snapshot = snapshot(loaded, kind, *expected)?;
            let slot = std::sync::Arc::clone(&guard.slot);
            appends.push(Append {
                key: key.clone(),
                stream: key.qualified().into(),
                slot,
                expected: *expected,
                expected_hash: *expected_hash,
                supposed: supposed.is_some() && !pending.is_empty(),
                events: pending,
                snapshot,
            });
        }
        let changes = appends.iter().any(|append| !append.events.is_empty());
        let command = (changes || request.keyed).then(|| CommandRow {
            id: request.command_id.clone(),
            request_hash: request.request_hash.clone(),
            keyed: request.keyed,
            reply,
        });
        let tenant = request.tenant.clone();
        Ok(Job {
            tenant,
            metadata,
            command,
            appends,
            new_keys: keys.new,
            forgotten: Vec::new(),
            acknowledge,
        })
    }

    /// The key of a subject: looked up before by this command, from the store, or made now.
    async fn subject_key(&self, tenant: &TenantId, subject: &str, keys: &mut Keys) -> Result<Key, CommandError> {
        if let Some(key) = keys.known.get(subject) {
            return Ok(*key);
        }
        let key = if let Some(key) = self.stored_subject_key(tenant, subject).await? {
            key
        } else {
            let (subject, key) = (subject.to_owned(), seal::new_key());
            keys.new.push(NewKey { subject, key });
            key
        };
        keys.known.insert(subject.to_owned(), key);
        Ok(key)
    }
}

/// The subjects' keys that one command seals with.
#[derive(Default)]
struct Keys {
    known: HashMap<String, Key>,
    /// Those made by this command.
    new: Vec<NewKey>,
}

/// A snapshot is due where the stream passes a multiple of its interval.
fn snapshot(loaded: &Loaded, kind: &unit::AggregateKind, expected: i64) -> Result<Option<Snapshot>, CommandError> {
    let every = kind.snapshot_every;
    if every == 0 || expected / every == loaded.version / every {
        return Ok(None);
    }
    let state = (kind.save)(loaded.state.as_ref()).map_err(corrupt)?;
    Ok(Some(Snapshot {
        state_version: i64::from(kind.state_version),
        sequence: loaded.version,
        hash: loaded.hash,
        recorded_at: loaded.last_at,
        state,
    }))
}

/// Streams locked by one command. Dropped before its events were queued (refused, failed, the caller gone), what the
/// command did to the remembered states is thrown away.
struct HeldStreams {
    streams: Vec<Held>,
    queued: bool,
}

impl Drop for HeldStreams {
    fn drop(&mut self) {
        if self.queued {
            return;
        }
        for held in &mut self.streams {
            *held.guard.loaded = None;
        }
    }
}

/// What a command decides on without asking the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Remembered states, and that new ids are new.
    All,
    /// Remembered states.
    Remembered,
    Nothing,
}

enum Attempt {
    /// Decide again on states read from the log.
    Stale,
    Final(CommandError),
}

impl From<CommandError> for Attempt {
    fn from(error: CommandError) -> Self {
        Self::Final(error)
    }
}

pub(super) fn corrupt(error: impl std::error::Error + Send + Sync + 'static) -> CommandError {
    CommandError::Corrupt(Box::new(error))
}
