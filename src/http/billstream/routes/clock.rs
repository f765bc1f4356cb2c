//! `/billstream/v1/clock`: what time it is for the tenant; one in test mode moves it.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::super::{
    convert,
    error::{Error, Result},
    extract::{Caller, Command},
    wire::{Clock, ClockBilled, ClockInput, ClockMoved},
};
use crate::{app::App, processes};

pub async fn show(State(app): State<Arc<App>>, Caller(principal): Caller) -> Result<Json<Clock>> {
    Ok(Json(Clock {
        now: convert::print_time(app.now(&principal).await?),
        test_mode: principal.test_mode,
    }))
}

/// Answers when everything that falls due until then is billed.
pub async fn move_on(
    State(app): State<Arc<App>>,
    Command { request, body }: Command<ClockInput>,
) -> Result<Json<ClockMoved>> {
    let now = body.now.as_deref().ok_or_else(|| Error::missing("now"))?;
    let to = convert::moment("now", now)?;
    let moved = processes::clock::move_clock(&app, &request, to).await?;
    Ok(Json(ClockMoved {
        now: convert::print_time(moved.now),
        billed: ClockBilled {
            charges: moved.charges,
            invoices: moved.invoices,
            purchases: (moved.purchases > 0).then_some(moved.purchases),
        },
        unbilled: (moved.unbilled > 0).then_some(moved.unbilled),
    }))
}
