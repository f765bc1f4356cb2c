//! What an audit can find wrong with the log, each naming the exact place.

use std::fmt;

/// Where an event stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub shard: i64,
    pub pos: i64,
    pub aggregate_type: String,
    /// `tenant/aggregate id`
    pub stream: String,
    pub sequence: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shard,
            pos,
            aggregate_type,
            stream,
            sequence,
        } = self;
        write!(
            f,
            "shard {shard}, position {pos}: event {sequence} of {aggregate_type} {stream}"
        )
    }
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("shard {shard}: the events at positions {from} to {to} are missing")]
    Missing { shard: i64, from: i64, to: i64 },
    #[error("shard {shard}: the head is {head}, but the last event is at {last}: the tail was cut")]
    TailCut { shard: i64, head: i64, last: i64 },
    #[error("shard {shard}: {events} events stand beyond the head")]
    BeyondHead { shard: i64, events: i64 },
    #[error("shard {shard}, position {pos}: the row cannot be read: {reason}")]
    Unreadable { shard: i64, pos: i64, reason: String },
    #[error("{place} does not have the hash it was written with")]
    WrongHash { place: Place },
    #[error("{place} should be event {expected} of its stream")]
    SequenceGap { place: Place, expected: i64 },
    #[error("{place} belongs to a tenant of shard {belongs}")]
    WrongShard { place: Place, belongs: i64 },
    #[error("{place} names another command than its metadata does")]
    WrongCommand { place: Place },
    #[error("{place} is not sealed for the subject it is about")]
    WrongSubject { place: Place },
    #[error("{place} cannot be opened: {reason}")]
    Sealed { place: Place, reason: String },
    #[error("{place}: the key of {subject} is gone, though {subject} was never forgotten")]
    KeyLost { place: Place, subject: String },
    #[error("shard {shard}, position {pos}: {subject} of {tenant} was forgotten there, but the key is still kept")]
    KeyKept {
        shard: i64,
        pos: i64,
        tenant: String,
        subject: String,
    },
    #[error(
        "shard {shard}, position {pos}: the row of command {command_id} of {tenant}, which wrote there, is missing"
    )]
    CommandMissing {
        shard: i64,
        pos: i64,
        tenant: String,
        command_id: String,
    },
    #[error(
        "shard {shard}, position {pos}: the reply stored for command {command_id} of {tenant}, which wrote there, is \
         not the one that was given"
    )]
    ReplyChanged {
        shard: i64,
        pos: i64,
        tenant: String,
        command_id: String,
    },
    #[error("{place} does not read back: {reason}")]
    Undecodable { place: Place, reason: String },
    #[error("{aggregate_type} {stream} (shard {shard}) has events, but no row among the streams")]
    StreamUnknown {
        shard: i64,
        aggregate_type: String,
        stream: String,
    },
    #[error(
        "{aggregate_type} {stream} (shard {shard}) is at version {version} among the streams, its last event is {last}"
    )]
    StreamVersion {
        shard: i64,
        aggregate_type: String,
        stream: String,
        version: i64,
        last: i64,
    },
    #[error(
        "{aggregate_type} {stream} (shard {shard}) has another hash among the streams than its event {version} has"
    )]
    StreamHash {
        shard: i64,
        aggregate_type: String,
        stream: String,
        version: i64,
    },
    #[error(
        "command {command_id} of {tenant} (shard {shard}) wrote positions {first} to {last}, which do not hold its events"
    )]
    CommandNowhere {
        shard: i64,
        tenant: String,
        command_id: String,
        first: i64,
        last: i64,
    },
    #[error("{aggregate_type} {stream} (shard {shard}), event {sequence}: the standard reader reads another {what}")]
    OtherReading {
        shard: i64,
        aggregate_type: String,
        stream: String,
        sequence: i64,
        what: &'static str,
    },
    #[error("{aggregate_type} {stream} (shard {shard}): the standard reader fails: {reason}")]
    StockReader {
        shard: i64,
        aggregate_type: String,
        stream: String,
        reason: String,
    },
    #[error(
        "{aggregate_type} {stream} (shard {shard}): the {what} of its snapshot after event {sequence} is not what its \
         events give"
    )]
    Snapshot {
        shard: i64,
        aggregate_type: String,
        stream: String,
        sequence: i64,
        what: &'static str,
    },
    #[error("shard {shard}: what was sealed up to position {pos} is not what stands there now")]
    SealBroken { shard: i64, pos: i64 },
}
