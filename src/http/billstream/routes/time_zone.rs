//! `/billstream/v1/time-zone`: where customers that name no time zone have their days.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::super::{
    error::{Error, Result},
    extract::{Caller, Command},
    wire::{TimeZone, TimeZoneInput},
};
use crate::app::App;

pub async fn show(State(app): State<Arc<App>>, Caller(principal): Caller) -> Result<Json<TimeZone>> {
    Ok(printed(app.time_zone(&principal.tenant).await?))
}

/// Sets it for customers that are created from now on.
pub async fn update(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<TimeZoneInput>,
) -> Result<Json<TimeZone>> {
    let time_zone = body.time_zone.as_deref().ok_or_else(|| Error::missing("time_zone"))?;
    Ok(printed(app.set_time_zone(&request, time_zone).await?))
}

fn printed(time_zone: Option<String>) -> Json<TimeZone> {
    let time_zone = time_zone.unwrap_or_else(|| "UTC".to_owned());
    Json(TimeZone { time_zone })
}
