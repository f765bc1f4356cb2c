//! `audit replay`: every read model made again from the log and compared with the live one, row by row.

use std::fmt;

use projections::{PROJECTIONS, Projection, Row, Table, registry::Mode};

use super::{
    BuildError, Journal, Progress, StoreError,
    build::Build,
    follower::{self, Step},
    store::WriteTx,
};
use crate::clock::Clock;

/// What the name of a scratch table ends with.
const SCRATCH: &str = "__replay";
/// Replays take turns under this name.
const LEASE: &str = "audit replay";
/// How many differing rows of a table are shown.
const SHOWN: usize = 5;

/// A row that is not as the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowFault {
    /// The live view holds it, the log does not lead to it.
    NotInLog(Row),
    /// The log leads to it, the live view does not hold it.
    NotInView(Row),
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, row) = match self {
            Self::NotInLog(row) => ("in the view, not from the log", row),
            Self::NotInView(row) => ("from the log, not in the view", row),
        };
        write!(f, "{word}: {:?}", row.0)
    }
}

/// One table compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub table: &'static str,
    pub rows: i64,
    /// Rows of either side without an equal on the other.
    pub different: i64,
    /// The first of them.
    pub first: Vec<RowFault>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub events: u64,
    pub tables: Vec<Compared>,
    /// Projections that are parked, and so behind the log: not compared.
    pub parked: Vec<&'static str>,
}

impl Replayed {
    pub fn is_identical(&self) -> bool {
        self.parked.is_empty() && self.tables.iter().all(|table| table.different == 0)
    }
}

/// Builds every read model from the log into scratch tables and compares. Commands keep flowing, but for the moment of
/// the comparison, which must see the log and the views standing still.
pub async fn replay(journal: &Journal, clock: &dyn Clock, progress: Progress<'_>) -> Result<Replayed, BuildError> {
    let store = journal.store().clone();
    let projections = PROJECTIONS.iter().collect();
    let mut build = Build::start(store, clock, projections, SCRATCH, &[LEASE]).await?;
    let result = build_and_compare(journal, &mut build, progress).await;
    let detail = result.as_ref().err().map(ToString::to_string);
    let cleaned = build.abandon(detail.as_deref()).await;
    let replayed = result?;
    cleaned?;
    Ok(replayed)
}

async fn build_and_compare(
    journal: &Journal,
    build: &mut Build<'_>,
    progress: Progress<'_>,
) -> Result<Replayed, BuildError> {
    build.run(progress).await?;
    follower::catch_up(journal).await?;
    let (mut tx, heads) = build.finish().await?;
    let mut replayed = Replayed {
        events: u64::try_from(heads.iter().sum::<i64>()).unwrap_or_default(),
        ..Replayed::default()
    };
    for projection in PROJECTIONS {
        if projection.mode == Mode::Async && !caught_up(tx.as_mut(), projection, &heads).await? {
            replayed.parked.push(projection.name);
            continue;
        }
        for table in projection.tables {
            let compared = compare(tx.as_mut(), table, &format!("{}{SCRATCH}", table.name)).await?;
            replayed.tables.push(compared);
        }
    }
    // What was done in it is not wanted: the scratch tables go, and a follower does its own work.
    drop(tx);
    progress(replayed.events, replayed.events);
    Ok(replayed)
}

/// Brings an asynchronous projection up to the heads within the transaction.
async fn caught_up(tx: &mut dyn WriteTx, projection: &'static Projection, heads: &[i64]) -> Result<bool, BuildError> {
    for (shard, head) in (0_i64..).zip(heads) {
        loop {
            match follower::step_in(tx, projection, shard, *head).await? {
                Step::Idle => break,
                Step::Advanced { .. } | Step::Overtaken => {}
                Step::Parked => return Ok(false),
            }
        }
    }
    Ok(true)
}

async fn compare(tx: &mut dyn WriteTx, table: &'static Table, scratch: &str) -> Result<Compared, StoreError> {
    let columns = table
        .columns
        .iter()
        .map(|column| column.name)
        .collect::<Vec<_>>()
        .join(", ");
    let (live, mut different, mut first) = (table.name, 0, Vec::new());
    let sides = [
        (live, scratch, RowFault::NotInLog as fn(Row) -> RowFault),
        (scratch, live, RowFault::NotInView),
    ];
    for (one, other, fault) in sides {
        let only = format!("(SELECT {columns} FROM {one} EXCEPT SELECT {columns} FROM {other}) AS only_here");
        let count = tx.fetch(&format!("SELECT COUNT(*) FROM {only}"), &[]).await?;
        let count = count.first().map_or(Ok(0), |row| row.int(0))?;
        different += count;
        if count > 0 {
            let sql = format!("SELECT {columns} FROM {only} ORDER BY {columns} LIMIT {SHOWN}");
            first.extend(tx.fetch(&sql, &[]).await?.into_iter().map(fault));
        }
    }
    let rows = tx.fetch(&format!("SELECT COUNT(*) FROM {scratch}"), &[]).await?;
    Ok(Compared {
        table: table.name,
        rows: rows.first().map_or(Ok(0), |row| row.int(0))?,
        different,
        first,
    })
}
