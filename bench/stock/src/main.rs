//! Measures the stock stack: `CqrsFramework` over postgres-es or sqlite-es with one `GenericQuery` view.
//!
//! A command is done when its events are committed and the view has been dispatched, as the stock framework does it.
//! Durability is real in both: Postgres is left as the server is configured, SQLite runs in WAL with `synchronous=FULL`
//! (the crate's own pool uses NORMAL, which loses commits at a power loss). The pool holds at most 32 connections.
//! Every run uses streams of its own, so it may be repeated on one database.

mod domain;
mod schema;

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use cqrs_es::persist::{GenericQuery, PersistenceError};
use cqrs_es::{AggregateError, CqrsFramework, EventStore, Query};
use domain::{Preferences, PreferencesView, UpdateInvoicing, memo_for};
use hdrhistogram::Histogram;
use postgres_es::{PostgresViewRepository, postgres_cqrs};
use sqlite_es::{SqliteViewRepository, sqlite_cqrs};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

const MAX_CONNECTIONS: u32 = 32;
const WARM_UP: Duration = Duration::from_secs(1);

type Failure = Box<dyn Error + Send + Sync>;

/// Measure cqrs-es with postgres-es or sqlite-es; prints one JSON line.
#[derive(Clone, Debug, Parser)]
struct Args {
    /// postgres://... or sqlite://path; the tables are created when missing
    #[arg(long)]
    database: String,
    /// Concurrent callers (the pool holds at most 32 connections, so more callers wait for one)
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// many: every client rotates over streams of its own; hot: all clients on one stream
    #[arg(long, value_enum, default_value_t = Streams::Many)]
    streams: Streams,
    /// How many streams every client rotates over
    #[arg(long, default_value_t = 25)]
    streams_per_client: u32,
    /// Measured seconds, after one second of warm-up
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// About how long the stored JSON of one event is
    #[arg(long, default_value_t = 300)]
    payload_bytes: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Streams {
    Many,
    Hot,
}

/// What one client counted inside the measured window.
struct Tally {
    latency_us: Histogram<u64>,
    conflicts: u64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let view_errors = Arc::new(AtomicU64::new(0));
    if args.database.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(&args.database)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(60))
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(Duration::from_secs(60))
            .connect_with(options)
            .await?;
        sqlx::raw_sql(schema::SQLITE).execute(&pool).await?;
        let views = SqliteViewRepository::<PreferencesView, Preferences>::new("preferences_view", pool.clone());
        let mut query = GenericQuery::new(Arc::new(views));
        query.use_error_handler(counting(&view_errors));
        measure(
            sqlite_cqrs(pool, vec![Box::new(query) as Box<dyn Query<Preferences>>], ()),
            &args,
            &view_errors,
        )
        .await
    } else {
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .connect(&args.database)
            .await?;
        sqlx::raw_sql(schema::POSTGRES).execute(&pool).await?;
        let views = PostgresViewRepository::<PreferencesView, Preferences>::new("preferences_view", pool.clone());
        let mut query = GenericQuery::new(Arc::new(views));
        query.use_error_handler(counting(&view_errors));
        measure(
            postgres_cqrs(pool, vec![Box::new(query) as Box<dyn Query<Preferences>>], ()),
            &args,
            &view_errors,
        )
        .await
    }
}

/// `GenericQuery` swallows a failed view update unless it is given a handler; this one counts them.
fn counting(errors: &Arc<AtomicU64>) -> Box<dyn Fn(PersistenceError) + Send + Sync> {
    let errors = Arc::clone(errors);
    Box::new(move |_| {
        errors.fetch_add(1, Ordering::Relaxed);
    })
}

/// Runs all clients to the end of the window and prints the JSON line.
async fn measure<S>(engine: CqrsFramework<Preferences, S>, args: &Args, view_errors: &AtomicU64) -> Result<(), Failure>
where
    S: EventStore<Preferences> + Send + Sync + 'static,
    S::AC: Send,
{
    let engine = Arc::new(engine);
    let memo = memo_for(args.payload_bytes)?;
    let run = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    let from = Instant::now() + WARM_UP;
    let until = from + Duration::from_secs(args.seconds);
    let clients: Vec<_> = (0..args.clients)
        .map(|number| {
            let (engine, memo, run) = (Arc::clone(&engine), memo.clone(), run.clone());
            let streams = match args.streams {
                Streams::Many => args.streams_per_client,
                Streams::Hot => 0,
            };
            tokio::spawn(async move { client(&engine, number, streams, &run, &memo, from, until).await })
        })
        .collect();
    let mut total = Tally {
        latency_us: Histogram::new(3)?,
        conflicts: 0,
    };
    for task in clients {
        let tally = task.await??;
        total.latency_us.add(&tally.latency_us)?;
        total.conflicts += tally.conflicts;
    }
    let commands = total.latency_us.len();
    let seconds = (until - from).as_secs_f64();
    let millis = |quantile: f64| total.latency_us.value_at_quantile(quantile) as f64 / 1_000.0;
    println!(
        "{{\"commands\":{commands},\"seconds\":{seconds:.1},\"per_second\":{:.0},\"p50_ms\":{:.3},\"p99_ms\":{:.3},\"conflicts\":{},\"view_errors\":{}}}",
        commands as f64 / seconds,
        millis(0.50),
        millis(0.99),
        total.conflicts,
        view_errors.load(Ordering::Relaxed),
    );
    Ok(())
}

/// One caller on `streams` streams of its own, or on the hot one: sends a command, repeats it while it meets a conflict, and counts it when it has committed.
async fn client<S>(
    engine: &CqrsFramework<Preferences, S>,
    number: u32,
    streams: u32,
    run: &str,
    memo: &str,
    from: Instant,
    until: Instant,
) -> Result<Tally, Failure>
where
    S: EventStore<Preferences>,
{
    let mut tally = Tally {
        latency_us: Histogram::new(3)?,
        conflicts: 0,
    };
    for turn in 0_u64.. {
        let started = Instant::now();
        if started >= until {
            break;
        }
        let stream = match turn.checked_rem(u64::from(streams)) {
            Some(own) => format!("{run}-{number}-{own}"),
            None => format!("{run}-hot"),
        };
        let mut conflicts = 0;
        loop {
            let command = UpdateInvoicing {
                due_days: (turn % 90) as u32,
                memo: memo.to_owned(),
            };
            match engine.execute(&stream, command).await {
                Ok(()) => break,
                Err(AggregateError::AggregateConflict) => conflicts += 1,
                Err(other) => return Err(format!("command on {stream} failed: {other}").into()),
            }
        }
        let finished = Instant::now();
        if finished >= from && finished < until {
            tally
                .latency_us
                .record(u64::try_from((finished - started).as_micros())?)?;
            tally.conflicts += conflicts;
        }
    }
    Ok(tally)
}
