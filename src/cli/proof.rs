//! `billstream audit` and `billstream projections`: what proves the log, and what is rebuilt from it.

use std::sync::Arc;

use aggregates::{event, id::TenantId};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde_json::json;

use super::{CliError, DatabaseArgument, counted, open, open_to_rebuild, print, progress};
use crate::{
    app::App,
    journal::{
        checkpoint::{self, Status},
        rebuild::{self, Which},
        replay,
        verify::{self, Seal},
    },
};

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Check every event, link, row and stream of the log
    Verify {
        /// A seal that an earlier audit printed: finds a tail that was cut with everything that referred to it
        #[arg(long = "seal")]
        seals: Vec<Seal>,
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// Show a stream: its history, or its state as of a time
    Show {
        /// Aggregate type: customer, subscription, invoice, ...
        aggregate_type: String,
        /// Aggregate id, as the feed shows it
        id: String,
        /// RFC 3339 time
        #[arg(long)]
        at: Option<DateTime<Utc>>,
        /// Whose stream; needed where several tenants have one of that id
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// Rebuild every read model from the log in a scratch place and compare it with the live one
    Replay {
        #[command(flatten)]
        database: DatabaseArgument,
    },
}

#[derive(Subcommand)]
pub enum ProjectionsCommand {
    /// Every projection with its status and how far it is
    List {
        #[command(flatten)]
        database: DatabaseArgument,
    },
    /// Rebuild one projection, or all of them
    Rebuild {
        name: Option<String>,
        #[command(flatten)]
        database: DatabaseArgument,
    },
}

pub async fn audit(command: AuditCommand) -> Result<(), CliError> {
    match command {
        AuditCommand::Verify { seals, database } => verify(open(&database.database).await?, &seals).await,
        AuditCommand::Show {
            aggregate_type,
            id,
            at,
            tenant,
            database,
        } => {
            show(
                open(&database.database).await?,
                &aggregate_type,
                &id,
                at,
                tenant.as_deref(),
            )
            .await
        }
        AuditCommand::Replay { database } => replay(open(&database.database).await?).await,
    }
}

pub async fn projections(command: ProjectionsCommand) -> Result<(), CliError> {
    match command {
        ProjectionsCommand::List { database } => list(open_to_rebuild(&database.database).await?).await,
        ProjectionsCommand::Rebuild { name, database } => {
            let rebuilt = rebuild_projections(&open_to_rebuild(&database.database).await?, name.as_deref()).await?;
            print(&format!(
                "rebuilt {} from {}",
                rebuilt.projections.join(", "),
                counted(rebuilt.events, "event")
            ))
        }
    }
}

pub(super) async fn rebuild_projections(app: &Arc<App>, name: Option<&str>) -> Result<rebuild::Rebuilt, CliError> {
    let which = name.map_or(Which::All, Which::Named);
    let bar = progress("rebuilding", 0);
    let rebuilt = rebuild::rebuild(&app.journal, which, app.clock.as_ref(), &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    for difference in &rebuilt.differences {
        tracing::warn!(?difference, "the old table did not hold what the log says");
    }
    Ok(rebuilt)
}

async fn verify(app: Arc<App>, seals: &[Seal]) -> Result<(), CliError> {
    let bar = progress("verifying", 0);
    let report = verify::verify(&app.journal, seals, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    for fault in &report.faults {
        print(&format!("FAULT {fault}"))?;
    }
    print(&format!(
        "{} in {}, {}",
        counted(report.events, "event"),
        counted(report.streams, "stream"),
        counted(report.faults.len() as u64, "fault")
    ))?;
    for seal in &report.seals {
        print(&format!("seal {seal}"))?;
    }
    if report.faults.is_empty() {
        Ok(())
    } else {
        Err(CliError::Faulty {
            faults: report.faults.len(),
        })
    }
}

async fn replay(app: Arc<App>) -> Result<(), CliError> {
    let bar = progress("replaying", 0);
    let replayed = replay::replay(&app.journal, app.clock.as_ref(), &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    for table in &replayed.tables {
        print(&format!(
            "{}: {} rows, {} different",
            table.table, table.rows, table.different
        ))?;
        for row in &table.first {
            print(&format!("  {row}"))?;
        }
    }
    for name in &replayed.parked {
        print(&format!("{name} is parked and was not compared"))?;
    }
    if !replayed.is_identical() {
        return Err(CliError::ReplayDiffers);
    }
    print(&format!(
        "{} replayed: every read model is identical",
        counted(replayed.events, "event")
    ))
}

async fn list(app: Arc<App>) -> Result<(), CliError> {
    let mut broken = 0_usize;
    for listed in checkpoint::list(&app.journal, app.clock.as_ref()).await? {
        let status = match &listed.status {
            Status::Live => "live".to_owned(),
            Status::Rebuilding => "rebuilding".to_owned(),
            Status::RebuildInterrupted => "ERROR: its rebuild was cut off; start it again".to_owned(),
            Status::Parked {
                shard,
                position,
                reason,
            } => {
                format!("ERROR: parked before event {position} of shard {shard}: {reason}")
            }
            Status::Outdated { stored } => format!("ERROR: its tables are of version {stored}; rebuild it"),
        };
        broken += usize::from(status.starts_with("ERROR"));
        let detail = listed.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
        print(&format!(
            "{:<20} v{} {:<6} {status}{detail}, at {}, lag {}",
            listed.name,
            listed.version,
            format!("{:?}", listed.mode).to_lowercase(),
            listed.position,
            listed.lag
        ))?;
    }
    if broken == 0 {
        Ok(())
    } else {
        Err(CliError::BrokenProjections { broken })
    }
}

async fn show(
    app: Arc<App>,
    aggregate_type: &str,
    id: &str,
    at: Option<DateTime<Utc>>,
    tenant: Option<&str>,
) -> Result<(), CliError> {
    if !event::AGGREGATE_TYPES.contains(&aggregate_type) {
        return Err(CliError::UnknownType {
            aggregate_type: aggregate_type.to_owned(),
        });
    }
    let unknown = || CliError::UnknownStream {
        aggregate_type: aggregate_type.to_owned(),
        id: id.to_owned(),
    };
    let tenants = match tenant {
        Some(tenant) => vec![TenantId::from_stored(tenant)],
        None => app.tenants().await?.into_iter().map(|tenant| tenant.id).collect(),
    };
    let mut histories = Vec::new();
    for tenant in tenants {
        let history = app.journal.stream_after(&tenant, aggregate_type, id, 0).await?;
        if !history.is_empty() {
            histories.push((tenant, history));
        }
    }
    let (tenant, history) = match histories.as_slice() {
        [] => return Err(unknown()),
        [only] => only,
        _ => {
            return Err(CliError::SeveralTenants {
                tenants: histories.len(),
            });
        }
    };
    if let Some(at) = at {
        let until: Vec<_> = history
            .iter()
            .take_while(|recording| recording.stored.time() <= at)
            .collect();
        let version = until.last().ok_or_else(unknown)?.stored.sequence;
        let events = until.iter().flat_map(|recording| &recording.events);
        let state = event::state_after(aggregate_type, events).ok_or_else(unknown)??;
        let shown = json!({"tenant": tenant.as_str(), "type": aggregate_type, "id": id, "at": at, "version": version,
            "state": state});
        return print(&serde_json::to_string_pretty(&shown)?);
    }
    for recording in history {
        let stored = &recording.stored;
        print(&format!(
            "{:>5}  {}  {} v{}\n       {}\n       {}",
            stored.sequence,
            stored.time().to_rfc3339(),
            stored.event_type,
            stored.event_version,
            recording.payload,
            stored.metadata
        ))?;
    }
    Ok(())
}
