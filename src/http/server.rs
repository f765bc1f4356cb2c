//! Answers requests on a socket until it is told to stop.

use std::{future::Future, io, sync::Arc};

use axum::{ServiceExt, extract::Request};
use tokio::net::TcpListener;
use tower::util::MapRequest;

use super::{normalise, router};
use crate::app::App;

/// Serves until `shutdown` resolves; requests under way are answered first.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = MapRequest::new(router(app), normalise as fn(Request) -> Request);
    axum::serve(listener, ServiceExt::<Request>::into_make_service(service))
        .with_graceful_shutdown(shutdown)
        .await
}
