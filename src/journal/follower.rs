//! Asynchronous projections: a page of events and the checkpoint behind it in one transaction, so that each event
//! counts exactly once, however many processes follow. An event that cannot be taken, or that the projection panics
//! on, parks the projection.

use std::time::Duration;

use projections::{Projection, Writes};

use super::{
    BuildError, Journal, StoreError,
    scan::{self, Range},
    store::{self, SHARDS, WriteTx},
    views,
};

/// How many positions are taken at once.
const PAGE: i64 = 1_000;
/// How long a follower that has caught up waits before it looks again.
const PAUSE: Duration = Duration::from_millis(200);

/// What came of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to do.
    Idle,
    Advanced {
        to: i64,
    },
    /// Another follower, or a rebuild, has moved the checkpoint meanwhile.
    Overtaken,
    /// The projection waits before an event that it cannot take.
    Parked,
}

/// Follows the log until the task is aborted; stopped at any point it loses nothing.
pub async fn run(journal: Journal) {
    loop {
        match catch_up(&journal).await {
            Ok(()) => {}
            Err(BuildError::Store(StoreError::Contended(_))) => continue,
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "asynchronous projections are waiting"
            ),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Brings every asynchronous projection that is not parked up to the head.
pub async fn catch_up(journal: &Journal) -> Result<(), BuildError> {
    for projection in scan::asynchronous() {
        for shard in 0..SHARDS {
            while matches!(
                step(journal, projection, shard).await?,
                Step::Advanced { .. } | Step::Overtaken
            ) {}
        }
    }
    Ok(())
}

/// Takes one page; where the page cannot be written as a whole, event by event up to the one that is at fault.
pub async fn step(journal: &Journal, projection: &'static Projection, shard: i64) -> Result<Step, BuildError> {
    let store = journal.store().as_ref();
    let heads = scan::heads(store).await?;
    let head = usize::try_from(shard).ok().and_then(|shard| heads.get(shard)).copied();
    let head = head.unwrap_or_default();
    let checkpoint = "SELECT status, pos FROM projections WHERE name = $1 AND shard = $2";
    let rows = store.read(checkpoint, &[projection.name.into(), shard.into()]).await?;
    let (status, after) = match rows.first() {
        Some(row) => (
            row.text(0).map_err(StoreError::from)?,
            row.int(1).map_err(StoreError::from)?,
        ),
        None => return Ok(Step::Idle),
    };
    if status == "parked" {
        return Ok(Step::Parked);
    }
    if after >= head {
        return Ok(Step::Idle);
    }
    let mut tx = store.begin().await?;
    match step_in(tx.as_mut(), projection, shard, head).await {
        Ok(step) => {
            tx.commit().await?;
            Ok(step)
        }
        Err(BuildError::Store(StoreError::Failed(_) | StoreError::RowsMissing { .. } | StoreError::Damaged(_))) => {
            drop(tx);
            let mut tx = store.begin().await?;
            match take(tx.as_mut(), projection, shard, head, 1).await {
                Ok(step) => {
                    tx.commit().await?;
                    Ok(step)
                }
                Err(BuildError::Store(
                    error @ (StoreError::Failed(_) | StoreError::RowsMissing { .. } | StoreError::Damaged(_)),
                )) => {
                    drop(tx);
                    let mut tx = store.begin().await?;
                    let step = park(tx.as_mut(), projection, shard, after, &error.to_string()).await?;
                    tx.commit().await?;
                    Ok(step)
                }
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// One page within a transaction.
pub(super) async fn step_in(
    tx: &mut dyn WriteTx,
    projection: &'static Projection,
    shard: i64,
    head: i64,
) -> Result<Step, BuildError> {
    take(tx, projection, shard, head, PAGE).await
}

async fn take(
    tx: &mut dyn WriteTx,
    projection: &'static Projection,
    shard: i64,
    head: i64,
    page: i64,
) -> Result<Step, BuildError> {
    let sql = "SELECT pos, fence, status FROM projections WHERE name = $1 AND shard = $2";
    let rows = tx.fetch(sql, &[projection.name.into(), shard.into()]).await?;
    let Some(row) = rows.first() else { return Ok(Step::Idle) };
    let (after, fence) = (
        row.int(0).map_err(StoreError::from)?,
        row.int(1).map_err(StoreError::from)?,
    );
    if row.text(2).map_err(StoreError::from)? == "parked" {
        return Ok(Step::Parked);
    }
    let to = head.min(after + page);
    if after >= to {
        return Ok(Step::Idle);
    }
    let range = Range { shard, after, to };
    let rows = tx.fetch(&scan::sql(&[projection]), &range.parameters()).await?;
    let mut writes = Writes::default();
    match scan::fold(&rows, &[projection], &mut writes) {
        Ok(()) => {}
        // What lies before the poison is good. It is folded again: a panic may have left half of an event's writes.
        Err(poison) if poison.pos > after + 1 => {
            let good = rows
                .iter()
                .take_while(|row| row.int(0).is_ok_and(|pos| pos < poison.pos))
                .count();
            let mut writes = Writes::default();
            return match scan::fold(&rows[..good], &[projection], &mut writes) {
                Ok(()) => commit_page(tx, projection, (shard, after, fence), poison.pos - 1, writes).await,
                Err(poison) => park(tx, projection, shard, after, &poison.to_string()).await,
            };
        }
        Err(poison) => return park(tx, projection, shard, after, &poison.to_string()).await,
    }
    commit_page(tx, projection, (shard, after, fence), to, writes).await
}

/// The checkpoint first: its row decides which of several followers writes.
async fn commit_page(
    tx: &mut dyn WriteTx,
    projection: &'static Projection,
    (shard, after, fence): (i64, i64, i64),
    to: i64,
    writes: Writes,
) -> Result<Step, BuildError> {
    let sql = "UPDATE projections SET pos = $5 \
               WHERE name = $1 AND shard = $2 AND pos = $3 AND fence = $4 AND status = 'live'";
    let parameters = [
        projection.name.into(),
        shard.into(),
        after.into(),
        fence.into(),
        to.into(),
    ];
    if tx.execute(sql, &parameters).await? == 0 {
        return Ok(Step::Overtaken);
    }
    store::run(tx, &views::steps(writes, |table| table.name.into())).await?;
    Ok(Step::Advanced { to })
}

async fn park(
    tx: &mut dyn WriteTx,
    projection: &'static Projection,
    shard: i64,
    after: i64,
    reason: &str,
) -> Result<Step, BuildError> {
    let sql = "UPDATE projections SET status = 'parked', detail = $4 \
               WHERE name = $1 AND shard = $2 AND pos = $3 AND status = 'live'";
    let parameters = [projection.name.into(), shard.into(), after.into(), reason.into()];
    if tx.execute(sql, &parameters).await? == 0 {
        return Ok(Step::Overtaken);
    }
    tracing::error!(projection = projection.name, shard, after, reason, "projection parked");
    Ok(Step::Parked)
}

/// Lets a parked projection go on, once what it could not take has been dealt with.
pub async fn resume(journal: &Journal, name: &str) -> Result<(), BuildError> {
    let mut tx = journal.store().begin().await?;
    let sql = "UPDATE projections SET status = 'live', detail = NULL WHERE name = $1 AND shard >= 0";
    if tx.execute(sql, &[name.into()]).await? == 0 {
        return Err(BuildError::Unknown { name: name.to_owned() });
    }
    Ok(tx.commit().await?)
}
