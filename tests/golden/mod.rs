//! Two years of three customers, one a dialect, as a finance person would read them.
//!
//! `two_years.txt` is the record. `BILLSTREAM_GOLDEN=write` writes it anew: read the difference before it is committed,
//! amount by amount.

mod page;
mod story;
mod telling;

use std::path::Path;

use crate::support::{Database, TestApp, doors::Doors};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/two_years.txt");

async fn told_on(database: Database) -> String {
    let doors = Doors::of(TestApp::start(database).await).await;
    story::two_years(&doors).await
}

/// Fails with the first line that is another one.
#[track_caller]
fn same(told: &str, recorded: &str) {
    let (mut ours, mut theirs) = (told.lines(), recorded.lines());
    for number in 1.. {
        match (ours.next(), theirs.next()) {
            (None, None) => return,
            (now, before) if now == before => {}
            (now, before) => panic!(
                "line {number} of tests/golden/two_years.txt is another one now\n  recorded: {}\n  now:      {}",
                before.unwrap_or("(the end)"),
                now.unwrap_or("(the end)")
            ),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_years_of_three_customers_are_billed_as_recorded_on_both_databases() {
    let told = told_on(Database::Sqlite).await;
    if std::env::var("BILLSTREAM_GOLDEN").is_ok_and(|wanted| wanted == "write") {
        std::fs::write(FILE, &told).expect("the record can be written");
    }
    let recorded = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    same(&told, &recorded);
    same(&told_on(Database::Postgres).await, &recorded);
    assert_eq!(told, recorded, "the line ends differ");
}
