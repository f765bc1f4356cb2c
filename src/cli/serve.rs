//! `billstream serve`.

use std::sync::Arc;

use tokio::{net::TcpListener, signal, sync::watch};

use super::{CliError, demo, open_or_create, print, without_password};
use crate::{http, journal::follower, processes::scheduler::Scheduler, telemetry};

pub async fn serve(listen: &str, late_after: chrono::Duration, url: &str) -> Result<(), CliError> {
    let mut app = open_or_create(url).await?;
    if let Some(app) = Arc::get_mut(&mut app) {
        app.metrics = Some(telemetry::metrics()?);
        app.late_after = late_after;
    }
    let unable = |source| CliError::Listen {
        listen: listen.to_owned(),
        source,
    };
    let listener = TcpListener::bind(listen).await.map_err(unable)?;
    let address = listener.local_addr().map_err(unable)?;
    if let Some(demo) = demo::of_an_empty_database(&app).await? {
        print(&demo.introduction(address))?;
    }
    print(&format!(
        "billstream listens on http://{address}, log in {}",
        without_password(url)
    ))?;
    tracing::info!(%address, database = app.journal.store().name(), "started");
    let journal = app.journal.clone();
    let follower = tokio::spawn(follower::run(journal.clone()));
    let (stop, stopped) = watch::channel(false);
    let scheduler = tokio::spawn(Scheduler::new(Arc::clone(&app)).run(stopped));
    http::serve(listener, app, asked_to_stop()).await.map_err(unable)?;
    follower.abort();
    stop.send_replace(true);
    if let Err(error) = scheduler.await {
        tracing::error!(%error, "the scheduler did not end in good order");
    }
    journal.store().close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Ctrl-C, or the supervisor's SIGTERM.
async fn asked_to_stop() {
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut terminated) => terminated.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signal::ctrl_c() => (),
        _ = terminated => (),
    }
}
