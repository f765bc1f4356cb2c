//! `billstream bench`: how many durable commands a second, and how fast views are rebuilt. One JSON line a run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aggregates::{
    calendar::PeriodUnit,
    id::TenantId,
    preferences::InvoicingChanges,
    terms::{InvoiceTrigger, PeriodRule},
};
use clap::{Subcommand, ValueEnum};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;

use super::{CliError, DatabaseArgument, open_or_create, print};
use crate::{app::App, journal::Request};

/// Not counted: caches fill, connections open.
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub enum BenchCommand {
    /// Durable commands a second of the engine: inline views, hash chain and command rows on
    Commands {
        #[arg(long, default_value_t = 32)]
        clients: u32,
        #[arg(long, value_enum, default_value_t = Streams::Many)]
        streams: Streams,
        /// How many streams each client goes round
        #[arg(long, default_value_t = 25)]
        streams_per_client: u32,
        #[arg(long, default_value_t = 8)]
        seconds: u64,
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// Fill the log with events to rebuild from
    Fill {
        #[arg(long, default_value_t = 1_000_000)]
        events: u32,
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// Rebuild the `preferences` view from what is in the log
    Rebuild {
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// Invoices a second of a billing run over contracts of three lines, all due; the database should be an empty one
    Billing {
        #[arg(long, default_value_t = 100_000)]
        subscriptions: u32,
        /// How many of them a customer has
        #[arg(long, default_value_t = 10)]
        each: u32,
        /// Only makes what is due, for `run-billing` to bill
        #[arg(long)]
        fill_only: bool,
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// Usage records a second, sent in bulk: matched, counted and durable
    Usage {
        /// How many customers with a metered contract each
        #[arg(long, default_value_t = 100)]
        customers: u32,
        /// How many records one call brings
        #[arg(long, default_value_t = 20_000)]
        records: usize,
        /// Send the records without ids: then none is looked for among those that came before
        #[arg(long)]
        without_ids: bool,
        #[arg(long, default_value_t = 8)]
        seconds: u64,
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// `POST /v1/c/preferences/invoicing` against a running server
    Http {
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
        /// The tenant's `wb-key`
        #[arg(long)]
        key: String,
        #[arg(long, default_value_t = 64)]
        connections: u32,
        #[arg(long, default_value_t = 8)]
        seconds: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Streams {
    /// Each client has streams of its own
    Many,
    /// All clients on one stream
    Hot,
}

pub async fn run(command: BenchCommand) -> Result<(), CliError> {
    match command {
        BenchCommand::Commands {
            clients,
            streams,
            streams_per_client,
            seconds,
            database,
        } => {
            let app = open_or_create(&database.database).await?;
            let load = Load {
                app,
                streams,
                streams_per_client,
            };
            let figures = measure(clients, seconds, |client| engine_client(&load, client)).await?;
            load.app.journal.store().close().await;
            print(&figures.to_string())
        }
        BenchCommand::Billing {
            subscriptions,
            each,
            fill_only,
            database,
        } => super::bench_billing::billing(&database.database, subscriptions, each, fill_only).await,
        BenchCommand::Fill { events, database } => fill(open_or_create(&database.database).await?, events).await,
        BenchCommand::Rebuild { database } => {
            let app = open_or_create(&database.database).await?;
            let start = Instant::now();
            let rebuilt = super::proof::rebuild_projections(&app, Some("preferences")).await?;
            let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
            let per_second = rebuilt.events * 1000 / millis;
            print(&json!({"events": rebuilt.events, "milliseconds": millis, "per_second": per_second}).to_string())
        }
        BenchCommand::Usage {
            customers,
            records,
            without_ids,
            seconds,
            database,
        } => {
            let app = open_or_create(&database.database).await?;
            super::bench_usage::run(&app, customers, records, !without_ids, seconds).await
        }
        BenchCommand::Http {
            url,
            key,
            connections,
            seconds,
        } => {
            let figures = measure(connections, seconds, |client| http_client(&url, &key, client)).await?;
            print(&figures.to_string())
        }
    }
}

/// Preferences changed again and again, over 25,600 tenants.
async fn fill(app: Arc<App>, events: u32) -> Result<(), CliError> {
    const CLIENTS: u32 = 256;
    let progress = super::progress("filling the log", u64::from(events));
    let load = Load {
        app,
        streams: Streams::Many,
        streams_per_client: 100,
    };
    let running: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (mut round, progress) = (engine_client(&load, client), progress.clone());
            let share = events / CLIENTS + u32::from(client < events % CLIENTS);
            tokio::spawn(async move {
                for n in 0..share {
                    round(n).await?;
                    progress.inc(1);
                }
                Ok::<_, CliError>(())
            })
        })
        .collect();
    for client in running {
        client.await.map_err(|error| CliError::Bench(error.to_string()))??;
    }
    progress.finish();
    load.app.journal.store().close().await;
    Ok(())
}

struct Load {
    app: Arc<App>,
    streams: Streams,
    streams_per_client: u32,
}

/// One round of a client; `n` counts its rounds.
type Round = Box<dyn FnMut(u32) -> futures::future::BoxFuture<'static, Result<(), CliError>> + Send>;

/// A change that differs from the one before, so that every command writes an event.
fn change(client: u32, n: u32) -> InvoicingChanges {
    let rule = PeriodRule {
        unit: PeriodUnit::Month,
        count: n + 1,
        offset_days: Some(client),
    };
    InvoicingChanges {
        invoice_trigger: Some(InvoiceTrigger::Periodic(rule)),
        ..InvoicingChanges::default()
    }
}

fn engine_client(load: &Load, client: u32) -> Round {
    let app = Arc::clone(&load.app);
    let tenants: Vec<TenantId> = match load.streams {
        Streams::Hot => vec![TenantId::from_stored("t_hot")],
        Streams::Many => (0..load.streams_per_client)
            .map(|n| TenantId::from_stored(&format!("t_bench_{client}_{n}")))
            .collect(),
    };
    Box::new(move |n| {
        let app = Arc::clone(&app);
        let tenant = tenants[usize::try_from(n).unwrap_or_default() % tenants.len()].clone();
        Box::pin(async move {
            let request = Request::new(tenant, "bench", "bench", app.clock.now());
            app.update_invoicing_preferences(&request, change(client, n)).await?;
            Ok(())
        })
    })
}

fn http_client(url: &str, key: &str, client: u32) -> Round {
    let http = Client::builder(TokioExecutor::new()).build_http::<Full<axum::body::Bytes>>();
    let (url, key) = (format!("{url}/v1/c/preferences/invoicing"), key.to_owned());
    Box::new(move |n| {
        let (http, url, key) = (http.clone(), url.clone(), key.clone());
        Box::pin(async move {
            let periodic = json!({"cycle": "month", "cycle_count": n + 1, "cycle_start_offset": client});
            let body = json!({"invoice_trigger": {"periodic": periodic}}).to_string();
            let request = axum::http::Request::post(url)
                .header("wb-key", key)
                .header("content-type", "application/json")
                .body(Full::from(body))
                .map_err(|error| CliError::Bench(error.to_string()))?;
            let answer = http
                .request(request)
                .await
                .map_err(|error| CliError::Bench(error.to_string()))?;
            let status = answer.status();
            let body = answer
                .into_body()
                .collect()
                .await
                .map_err(|error| CliError::Bench(error.to_string()))?;
            if !status.is_success() {
                let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
                return Err(CliError::Bench(format!("{status}: {text}")));
            }
            Ok(())
        })
    })
}

/// Runs the clients, each with its next command as soon as the last is durable.
async fn measure(clients: u32, seconds: u64, client: impl Fn(u32) -> Round) -> Result<serde_json::Value, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    let counting = Arc::new(AtomicBool::new(false));
    let running: Vec<_> = (0..clients)
        .map(|n| {
            let (stop, counting, mut round) = (Arc::clone(&stop), Arc::clone(&counting), client(n));
            tokio::spawn(async move {
                let mut latencies = Histogram::<u64>::new(3).map_err(|error| CliError::Bench(error.to_string()))?;
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let counted = counting.load(Ordering::Relaxed);
                    round(n).await?;
                    n += 1;
                    if counted {
                        latencies
                            .record(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))
                            .map_err(|error| CliError::Bench(error.to_string()))?;
                    }
                }
                Ok::<_, CliError>(latencies)
            })
        })
        .collect();
    tokio::time::sleep(WARM_UP).await;
    counting.store(true, Ordering::Relaxed);
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    counting.store(false, Ordering::Relaxed);
    let elapsed = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut all = Histogram::<u64>::new(3).map_err(|error| CliError::Bench(error.to_string()))?;
    for client in running {
        let latencies = client.await.map_err(|error| CliError::Bench(error.to_string()))??;
        all.add(latencies).map_err(|error| CliError::Bench(error.to_string()))?;
    }
    let commands = all.len();
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    Ok(json!({
        "commands": commands,
        "milliseconds": millis,
        "per_second": commands * 1000 / millis,
        "p50_microseconds": all.value_at_percentile(50.0),
        "p99_microseconds": all.value_at_percentile(99.0),
    }))
}
