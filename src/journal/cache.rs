//! Aggregates kept in memory between commands, one slot a stream. A slot is locked from the decision until the
//! events are queued for the writer, so the next command on the stream decides on what the log is about to hold.

use std::{
    any::Any,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use quick_cache::sync::Cache as LruCache;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::record::{Hash, StreamKey};

/// An aggregate as of `version`, type-erased.
pub struct Loaded {
    pub state: Box<dyn Any + Send + Sync>,
    pub version: i64,
    pub hash: Hash,
    /// When its last event was recorded: time never runs backwards within a stream.
    pub last_at: i64,
    /// The slot's epoch when this was loaded; see [`Slot::evict`].
    pub epoch: u64,
}

/// The place of one stream.
#[derive(Default)]
pub struct Slot {
    epoch: AtomicU64,
    loaded: Arc<Mutex<Option<Loaded>>>,
}

impl Slot {
    /// Makes what is loaded worthless, without waiting for the lock: the writer must never wait for a decision.
    pub fn evict(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Whether nothing is loaded, and nobody is about to load it.
    pub fn is_empty(&self) -> bool {
        let loaded = self.loaded.try_lock();
        loaded.is_ok_and(|loaded| loaded.is_none())
    }

    /// Puts there what was loaded aside, unless others were faster or have evicted it since.
    pub fn fill(&self, aside: Loaded) {
        if let Ok(mut loaded) = self.loaded.try_lock()
            && loaded.is_none()
            && aside.epoch == self.epoch()
        {
            *loaded = Some(aside);
        }
    }
}

/// A locked slot; empty where the stream must be loaded first.
pub struct SlotGuard {
    pub slot: Arc<Slot>,
    pub loaded: OwnedMutexGuard<Option<Loaded>>,
}

pub struct Cache {
    slots: LruCache<StreamKey, Arc<Slot>>,
}

impl Cache {
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: LruCache::new(capacity),
        }
    }

    pub fn slot(&self, key: &StreamKey) -> Arc<Slot> {
        match self
            .slots
            .get_or_insert_with(key, || Ok::<_, Infallible>(Arc::default()))
        {
            Ok(slot) => slot,
            Err(never) => match never {},
        }
    }

    /// Locks the slot of a stream. It may have been dropped from the cache meanwhile: two holders of one stream then
    /// meet at the writer, where the version decides.
    pub async fn lock(&self, key: &StreamKey) -> SlotGuard {
        let slot = self.slot(key);
        let mut loaded = Arc::clone(&slot.loaded).lock_owned().await;
        if loaded.as_ref().is_some_and(|loaded| loaded.epoch != slot.epoch()) {
            *loaded = None;
        }
        SlotGuard { slot, loaded }
    }
}
