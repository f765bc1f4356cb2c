//! The command line: one program that serves, bills, makes tenants, proves its log and measures itself.

mod bench;
mod bench_billing;
mod bench_usage;
mod demo;
mod proof;
mod run_billing;
mod serve;

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use aggregates::event;
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    app::{App, tenants::NewTenant},
    clock::SystemClock,
    journal::{self, Journal, StoreError},
    telemetry,
};

#[derive(Parser)]
#[command(
    name = "billstream",
    version,
    about = "An event-sourced billing engine that speaks three billing APIs"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve all APIs over HTTP
    Serve {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: String,
        /// How long something may be due for billing before `/health/ready` fails: 90s, 15m, 2h
        #[arg(long, default_value = "15m", value_parser = run_billing::duration)]
        late_after: chrono::Duration,
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// Bill what is due, once and now, also beside a running server
    RunBilling {
        /// A date (to its end in UTC) or a time such as 2026-10-31T12:00:00Z
        #[arg(long, value_parser = run_billing::until)]
        until: chrono::DateTime<chrono::Utc>,
        /// Only this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// Make tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// List and rebuild read models
    #[command(subcommand)]
    Projections(proof::ProjectionsCommand),
    /// Prove the log
    #[command(subcommand)]
    Audit(proof::AuditCommand),
    /// Measure this machine
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

#[derive(Subcommand)]
enum TenantCommand {
    /// Create a tenant and show its credentials, this once
    Create {
        name: String,
        /// Give it a clock of its own, which stands still until `POST /billstream/v1/clock` moves it
        #[arg(long)]
        test_mode: bool,
        /// Where its customers have their days, unless they name another zone: Europe/Berlin
        #[arg(long)]
        time_zone: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseArgument,
    },
}

#[derive(Args)]
struct DatabaseArgument {
    /// `sqlite://PATH` or `postgres://...`
    #[arg(long, env = "BILLSTREAM_DATABASE", default_value = "sqlite://data/billstream.db")]
    database: String,
}

/// What ends a command with a message and exit code 1.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("the database {url} cannot be opened")]
    Open { url: String, source: StoreError },
    #[error("there is no database at {place}: `serve` and `tenant create` make one")]
    NoDatabase { place: String },
    #[error("the directory for {url} cannot be made")]
    Directory { url: String, source: io::Error },
    #[error("cannot listen on {listen}")]
    Listen { listen: String, source: io::Error },
    #[error("metrics cannot be recorded")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("the demo tenant cannot be made")]
    Demo(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Command(#[from] crate::journal::CommandError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    ReadLog(#[from] crate::journal::ReadLogError),
    #[error(transparent)]
    Build(#[from] crate::journal::BuildError),
    #[error("{} could not be billed", counted(*failed, "subscription"))]
    Unbilled { failed: u64 },
    #[error("{} could not be billed; of collections and fulfilments {undone} failed", counted(*billed, "subscription"))]
    Undone { billed: u64, undone: u64 },
    #[error("there is no tenant {id}")]
    UnknownTenant { id: String },
    #[error("tenant {id} is in test mode: it is billed when its clock is moved")]
    TestTenant { id: String },
    #[error("the log has {}", counted(*faults as u64, "fault"))]
    Faulty { faults: usize },
    #[error("a read model differs from what the log leads to")]
    ReplayDiffers,
    #[error("{broken} projections are not as they should be")]
    BrokenProjections { broken: usize },
    #[error("there is no aggregate type {aggregate_type}; there are {}", event::AGGREGATE_TYPES.join(", "))]
    UnknownType { aggregate_type: String },
    #[error("there is no {aggregate_type} {id} (at that time); ids are written as the event feed shows them")]
    UnknownStream { aggregate_type: String, id: String },
    #[error("{tenants} tenants have a stream of that id: say which with --tenant")]
    SeveralTenants { tenants: usize },
    #[error("output failed")]
    Output(#[from] io::Error),
    #[error("the measurement failed: {0}")]
    Bench(String),
    #[error("output is not JSON")]
    Json(#[from] serde_json::Error),
}

pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = telemetry::log() {
        explain(&error);
        return ExitCode::FAILURE;
    }
    let done = match cli.command {
        Command::Serve {
            listen,
            late_after,
            database,
        } => serve::serve(&listen, late_after, &database.database).await,
        Command::RunBilling {
            until,
            tenant,
            json,
            database,
        } => run_billing::run(&database.database, until, tenant.as_deref(), json).await,
        Command::Tenant(TenantCommand::Create {
            name,
            test_mode,
            time_zone,
            json,
            database,
        }) => create_tenant(&name, test_mode, time_zone.as_deref(), json, &database.database).await,
        Command::Projections(command) => proof::projections(command).await,
        Command::Audit(command) => proof::audit(command).await,
        Command::Bench(command) => bench::run(command).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            explain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The error and everything behind it, on standard error.
fn explain(error: &dyn std::error::Error) {
    let mut text = format!("billstream: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some say what is behind them themselves.
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text.push_str(&format!(": {reason}"));
        }
        cause = error.source();
    }
    // Where even standard error is closed there is nobody left to tell.
    drop(writeln!(io::stderr(), "{text}"));
}

fn print(text: &str) -> Result<(), CliError> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// `1 fault`, `2 faults`.
fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A bar on standard error, where that is a terminal.
fn progress(what: &'static str, steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}");
    ProgressBar::new(steps)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what)
}

/// Opens the database, making it and the directory of a SQLite file where they are missing.
async fn open_or_create(url: &str) -> Result<Arc<App>, CliError> {
    make_directory(url)?;
    app(url, Journal::open(url).await)
}

/// Opens a database that must be there: what proves or bills an empty one by mistake would report success.
async fn open(url: &str) -> Result<Arc<App>, CliError> {
    must_exist(url).await?;
    app(url, Journal::open(url).await)
}

/// The same even where its read models are of another version than this program's.
async fn open_to_rebuild(url: &str) -> Result<Arc<App>, CliError> {
    must_exist(url).await?;
    app(url, Journal::open_to_rebuild(url).await)
}

fn app(url: &str, journal: Result<Journal, StoreError>) -> Result<Arc<App>, CliError> {
    let journal = journal.map_err(|source| cannot_open(url, source))?;
    Ok(Arc::new(App::new(journal, Arc::new(SystemClock))))
}

fn cannot_open(url: &str, source: StoreError) -> CliError {
    CliError::Open {
        url: without_password(url),
        source,
    }
}

async fn must_exist(url: &str) -> Result<(), CliError> {
    if journal::exists(url).await.map_err(|source| cannot_open(url, source))? {
        return Ok(());
    }
    let place = match url.strip_prefix("sqlite://") {
        Some(path) => file(path).to_owned(),
        None => without_password(url),
    };
    Err(CliError::NoDatabase { place })
}

/// A database's address as it may be shown: terminals and logs are read by more people than may know its password.
fn without_password(url: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(url, rest)| (url, Some(rest)));
    let mut shown = address.to_owned();
    if let Some(user) = address.find("://").map(|scheme| scheme + 3)
        && let Some(host) = address.rfind('@').filter(|host| *host > user)
        && let Some(colon) = address[user..host].find(':')
    {
        shown.replace_range(user + colon + 1..host, "***");
    }
    if let Some(parameters) = parameters {
        let hidden = |parameter: &str| match parameter.split_once('=') {
            Some((name, _)) if name.contains("password") => format!("{name}=***"),
            _ => parameter.to_owned(),
        };
        let parameters: Vec<_> = parameters.split('&').map(hidden).collect();
        shown.push_str(&format!("?{}", parameters.join("&")));
    }
    shown
}

/// The path in what follows `sqlite://`.
fn file(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

fn make_directory(url: &str) -> Result<(), CliError> {
    if let Some(path) = url.strip_prefix("sqlite://")
        && let Some(directory) = Path::new(file(path)).parent()
    {
        std::fs::create_dir_all(directory).map_err(|source| CliError::Directory {
            url: url.to_owned(),
            source,
        })?;
    }
    Ok(())
}

async fn create_tenant(
    name: &str,
    test_mode: bool,
    time_zone: Option<&str>,
    json: bool,
    url: &str,
) -> Result<(), CliError> {
    let app = open_or_create(url).await?;
    let tenant = app.create_tenant_in(name, test_mode, time_zone).await?;
    if json {
        return print(&serde_json::to_string(&tenant)?);
    }
    print(&credentials(&tenant))
}

fn credentials(tenant: &NewTenant) -> String {
    format!(
        "tenant {}\n  own API      Authorization: Bearer {}\n  Wingback     wb-key: {}\n  Exsited      client_id {}\n\
         {:15}client_secret {}\n  CHIP         Authorization: Bearer {}\n{:15}brand_id {}\n\
         Keep them: they are stored as hashes only.",
        tenant.tenant_id,
        tenant.billstream.api_key,
        tenant.wingback.api_key,
        tenant.exsited.client_id,
        "",
        tenant.exsited.client_secret,
        tenant.chip.secret_key,
        "",
        tenant.chip.brand_id,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            (
                "sqlite://data/billstream.db?mode=rwc",
                "sqlite://data/billstream.db?mode=rwc",
            ),
            ("postgres://me@host:5432/db", "postgres://me@host:5432/db"),
            ("postgres://me:se@c/ret@host/db", "postgres://me:***@host/db"),
            (
                "postgresql://host/db?user=me&password=secret&host=/run",
                "postgresql://host/db?user=me&password=***&host=/run",
            ),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
