//! `projections rebuild`: new tables from the log, put in the place of the old ones while commands keep flowing.

use std::time::Duration;

use projections::{Kind, PROJECTIONS, Projection, Table, Value, registry};

use super::{
    BuildError, Journal, Progress, StoreError,
    build::Build,
    checkpoint::{self, built},
    store::WriteTx,
};
use crate::clock::Clock;

/// What the name of a table's twin ends with.
const NEXT: &str = "__next";
/// How often the swap is tried while the database asks for another try.
const MAX_TRIES: u32 = 12;

/// Which projections are rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    All,
    Named(&'a str),
}

/// Where the old table did not hold what the log says: the number of rows, or the control sum of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub table: &'static str,
    /// `rows`, or the column.
    pub what: &'static str,
    pub old: Value,
    pub new: Value,
}

/// What a rebuild has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    pub projections: Vec<&'static str>,
    pub events: u64,
    /// Found on inline projections whose version did not change; the log wins.
    pub differences: Vec<Difference>,
}

/// Rebuilds projections from the log. What is served meanwhile stays as it is; nothing is lost; cut off at any point
/// it leaves the old tables and a mark that `list` shows.
pub async fn rebuild(
    journal: &Journal,
    which: Which<'_>,
    clock: &dyn Clock,
    progress: Progress<'_>,
) -> Result<Rebuilt, BuildError> {
    let projections: Vec<&'static Projection> = match which {
        Which::All => PROJECTIONS.iter().collect(),
        Which::Named(name) => {
            vec![registry::find(name).ok_or_else(|| BuildError::Unknown { name: name.to_owned() })?]
        }
    };
    let names: Vec<_> = projections.iter().map(|projection| projection.name).collect();
    let current = same_version(journal, clock, &projections).await?;
    let store = journal.store().clone();
    let mut build = Build::start(store, clock, projections.clone(), NEXT, &names).await?;
    match fill_and_swap(&mut build, &projections, &current, progress).await {
        Ok((events, differences)) => Ok(Rebuilt {
            projections: names,
            events,
            differences,
        }),
        Err(error) => {
            // Whoever took over has its own twins by now: then there is nothing to clean up, and this fails too.
            if let Err(second) = build.abandon(Some(&error.to_string())).await {
                tracing::warn!(error = &second as &dyn std::error::Error, "rebuild left its twins");
            }
            Err(error)
        }
    }
}

/// The tables whose old rows can be compared: inline, and of the version that is built.
async fn same_version(
    journal: &Journal,
    clock: &dyn Clock,
    projections: &[&'static Projection],
) -> Result<Vec<&'static Table>, StoreError> {
    let listed = checkpoint::list(journal, clock).await?;
    let comparable = |projection: &&&'static Projection| {
        projection.mode == registry::Mode::Inline
            && listed
                .iter()
                .any(|line| line.name == projection.name && !matches!(line.status, checkpoint::Status::Outdated { .. }))
    };
    Ok(projections
        .iter()
        .filter(comparable)
        .flat_map(|projection| projection.tables)
        .copied()
        .collect())
}

async fn fill_and_swap(
    build: &mut Build<'_>,
    projections: &[&'static Projection],
    comparable: &[&'static Table],
    progress: Progress<'_>,
) -> Result<(u64, Vec<Difference>), BuildError> {
    build.run(progress).await?;
    let mut tries = 0;
    let (heads, differences) = loop {
        tries += 1;
        match swap(build, projections, comparable).await {
            // Nothing of it took effect, and the twins stand as they stood before it.
            Err(BuildError::Store(StoreError::Contended(_))) if tries < MAX_TRIES => {
                tokio::time::sleep(Duration::from_millis(1 << tries.min(9))).await;
            }
            swapped => break swapped?,
        }
    };
    let events = u64::try_from(heads.iter().sum::<i64>()).unwrap_or_default();
    progress(events, events);
    Ok((events, differences))
}

/// The last transaction: the rest of the log, the comparison, the swap.
async fn swap(
    build: &Build<'_>,
    projections: &[&'static Projection],
    comparable: &[&'static Table],
) -> Result<(Vec<i64>, Vec<Difference>), BuildError> {
    let (mut tx, heads) = build.finish().await?;
    // The rows of projections before their tables: in the order in which followers take them.
    for projection in projections {
        built(tx.as_mut(), projection, &heads).await?;
    }
    let mut differences = Vec::new();
    for (table, name) in build.tables() {
        if comparable.contains(&table) {
            differences.extend(compare(tx.as_mut(), table, &name).await?);
        }
        tx.swap_twin(table, &name).await?;
    }
    build.end(tx.as_mut(), None).await?;
    tx.commit().await?;
    Ok((heads, differences))
}

/// Counts rows and adds up every column of numbers, modulo a prime so that no sum overflows.
async fn compare(tx: &mut dyn WriteTx, table: &'static Table, name: &str) -> Result<Vec<Difference>, StoreError> {
    let numbers: Vec<_> = table
        .columns
        .iter()
        .filter(|column| column.kind == Kind::Int)
        .map(|column| column.name)
        .collect();
    let mut sums = String::from("COUNT(*)");
    for column in &numbers {
        sums.push_str(", CAST(COALESCE(SUM(");
        sums.push_str(column);
        sums.push_str(" % 1000000007), 0) AS BIGINT)");
    }
    let old = tx.fetch(&format!("SELECT {sums} FROM {}", table.name), &[]).await?;
    let new = tx.fetch(&format!("SELECT {sums} FROM {name}"), &[]).await?;
    let (Some(old), Some(new)) = (old.first(), new.first()) else {
        return Ok(Vec::new());
    };
    let names = std::iter::once("rows").chain(numbers);
    Ok(names
        .zip(old.0.iter().zip(&new.0))
        .filter(|(_, (old, new))| old != new)
        .map(|(what, (old, new))| Difference {
            table: table.name,
            what,
            old: old.clone(),
            new: new.clone(),
        })
        .collect())
}
