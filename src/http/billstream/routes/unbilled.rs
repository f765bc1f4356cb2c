//! `/billstream/v1/unbilled`: the tenant's subscriptions that could not be billed, and why.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::super::{convert, error::Result, extract::Caller, wire::UnbilledList};
use crate::{app::App, journal::CommandError};

pub async fn list(State(app): State<Arc<App>>, Caller(principal): Caller) -> Result<Json<UnbilledList>> {
    let unbilled = app.unbilled(&principal.tenant).await.map_err(CommandError::from)?;
    Ok(Json(UnbilledList {
        unbilled: unbilled
            .into_iter()
            .map(|one| convert::unbilled(one, principal.test_mode))
            .collect(),
    }))
}
