//! The server itself: connections in, normalised requests to the router, an orderly end.

use std::{future::Future, io, sync::Arc};

use axum::{ServiceExt, extract::Request, serve::ListenerExt};
use tower::util::MapRequest;

use super::{normalise, router};
use crate::app::App;

/// Serves until `shutdown` completes, then lets the requests under way finish.
pub async fn serve(
    listener: tokio::net::TcpListener,
    app: Arc<App>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection refuses TCP_NODELAY");
        }
    });
    let service = MapRequest::new(router(app), normalise as fn(Request) -> Request);
    axum::serve(listener, ServiceExt::<Request>::into_make_service(service))
        .with_graceful_shutdown(shutdown)
        .await
}
