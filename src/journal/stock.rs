//! The second reader: streams once more through the stock repositories of the es crates, another code path than ours.

use cqrs_es::persist::SerializedEvent;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{
    StoreError,
    fault::Fault,
    record::{GENESIS, Hash, Stored},
    store::Store,
};

/// The digest of a stream's reading with one event more.
pub(super) fn then(before: &Hash, reading: &Hash) -> Hash {
    let mut digest = Sha256::new();
    digest.update(before);
    digest.update(reading);
    digest.finalize().into()
}

/// What a standard reader should read of an event.
pub(super) fn reading(stored: &Stored) -> Result<Hash, serde_json::Error> {
    let payload: Json = serde_json::from_str(&stored.payload)?;
    let metadata: Json = serde_json::from_str(&stored.metadata)?;
    let version = stored.event_version.to_string();
    Ok(digest(
        stored.sequence,
        &[
            &stored.event_type,
            &version,
            &payload.to_string(),
            &metadata.to_string(),
        ],
    ))
}

fn stock_reading(event: &SerializedEvent) -> Hash {
    let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
    let (payload, metadata) = (event.payload.to_string(), event.metadata.to_string());
    digest(
        sequence,
        &[&event.event_type, &event.event_version, &payload, &metadata],
    )
}

fn digest(sequence: i64, texts: &[&str]) -> Hash {
    let mut digest = Sha256::new();
    digest.update(sequence.to_be_bytes());
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    digest.finalize().into()
}

/// Reads a stream up to its event `last` through the stock repository, and compares it with the digest of what the
/// audit has seen of it.
pub(super) async fn second_reading(
    store: &dyn Store,
    shard: i64,
    aggregate_type: &str,
    stream: &str,
    last: i64,
    seen: &Hash,
) -> Result<Vec<Fault>, StoreError> {
    let failed = |reason: String| {
        vec![Fault::StockReader {
            shard,
            aggregate_type: aggregate_type.to_owned(),
            stream: stream.to_owned(),
            reason,
        }]
    };
    let stock = match store.stock_events(aggregate_type, stream).await {
        Ok(Some(events)) => events,
        Ok(None) => return Ok(failed("no aggregate is called so".to_owned())),
        Err(error) => return Ok(failed(error.to_string())),
    };
    let up_to_last = |event: &&SerializedEvent| i64::try_from(event.sequence).is_ok_and(|n| n <= last);
    let mut whole = GENESIS;
    for event in stock.iter().filter(up_to_last) {
        whole = then(&whole, &stock_reading(event));
    }
    if whole == *seen {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {} FROM journal WHERE shard = $1 AND aggregate_type = $2 AND stream = $3 AND sequence <= $4 \
         ORDER BY sequence",
        Stored::COLUMNS
    );
    let parameters = [shard.into(), aggregate_type.into(), stream.into(), last.into()];
    let mut faults = Vec::new();
    for row in store.read(&sql, &parameters).await? {
        let ours = Stored::read(row)?;
        let theirs = stock
            .iter()
            .find(|event| i64::try_from(event.sequence) == Ok(ours.sequence));
        if let Some(what) = difference(&ours, theirs) {
            faults.push(Fault::OtherReading {
                shard,
                aggregate_type: aggregate_type.to_owned(),
                stream: stream.to_owned(),
                sequence: ours.sequence,
                what,
            });
        }
    }
    if faults.is_empty() {
        return Ok(failed(
            "it reads events that are not in the log, or in another order".to_owned(),
        ));
    }
    Ok(faults)
}

/// What the two readers disagree on.
fn difference(ours: &Stored, theirs: Option<&SerializedEvent>) -> Option<&'static str> {
    let Some(theirs) = theirs else { return Some("nothing") };
    let same = |text: &str, json: &Json| serde_json::from_str::<Json>(text).is_ok_and(|text| text == *json);
    if ours.event_type != theirs.event_type {
        return Some("event type");
    }
    if ours.event_version.to_string() != theirs.event_version {
        return Some("event version");
    }
    if !same(&ours.payload, &theirs.payload) {
        return Some("payload");
    }
    (!same(&ours.metadata, &theirs.metadata)).then_some("metadata")
}
