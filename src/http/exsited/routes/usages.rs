//! `/usages`: what was used on metered lines of orders.

use std::sync::Arc;

use aggregates::id::UsageEntryId;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::super::{
    Generation,
    auth::{Call, Caller, Id},
    error::{ApiError, FieldError},
    list::Part,
    usage::{self, Sent},
};
use crate::{
    app::{App, usage::statements::Statement},
    journal::Request,
};

/// Records one usage, or several of which each may fail by itself.
// UNCONFIRMED: that several are 201 whatever has become of them.
pub(in super::super) async fn create(State(app): State<Arc<App>>, call: Call) -> Result<Response, ApiError> {
    let body = match usage::sent(&call.body)? {
        Sent::One(object) => one(&app, &call, object).await?,
        Sent::Many(objects) => many(&app, &call, &objects).await?,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn one(app: &App, call: &Call, object: &Map<String, Value>) -> Result<Value, ApiError> {
    let said = usage::said(object, call.api.generation).map_err(ApiError::fields)?;
    let outcomes = app.record_line_usage(&call.request, &[said]).await?;
    match outcomes.into_iter().next() {
        Some(Ok(id)) => {
            let statement = find(app, &call.request, id).await?;
            Ok(json!({"usage": usage::recorded(&statement, call.api)}))
        }
        Some(Err(fault)) => Err(ApiError::fields(vec![usage::fault(
            &fault,
            object,
            call.api.generation,
        )])),
        None => Err(ApiError::unknown("usage")),
    }
}

async fn many(app: &App, call: &Call, sent: &[&Value]) -> Result<Value, ApiError> {
    let (api, nothing) = (call.api, Map::new());
    let mut wrong: Vec<(usize, Vec<FieldError>)> = Vec::new();
    let (mut places, mut good) = (Vec::new(), Vec::new());
    for (place, one) in sent.iter().enumerate() {
        match usage::said(one.as_object().unwrap_or(&nothing), api.generation) {
            Ok(said) => {
                places.push(place);
                good.push(said);
            }
            Err(errors) => wrong.push((place, errors)),
        }
    }
    let mut taken: Vec<UsageEntryId> = Vec::new();
    let outcomes = app.record_line_usage(&call.request, &good).await?;
    for (place, outcome) in places.into_iter().zip(outcomes) {
        match outcome {
            Ok(id) => taken.push(id),
            Err(fault) => {
                let object = sent[place].as_object().unwrap_or(&nothing);
                wrong.push((place, vec![usage::fault(&fault, object, api.generation)]));
            }
        }
    }
    wrong.sort_unstable_by_key(|(place, _)| *place);
    let failed: Vec<Value> = wrong
        .iter()
        .map(|(place, errors)| usage::failed(sent[*place], errors, api))
        .collect();
    Ok(match api.generation {
        Generation::Legacy => {
            let taken = app.line_usage(&call.request.tenant, &taken).await?;
            let success: Vec<Value> = taken.iter().map(|one| usage::recorded(one, api)).collect();
            json!({"success": success, "failed": failed})
        }
        Generation::V4 => {
            let success: Vec<Value> = taken.iter().map(|id| usage::reference(*id, api)).collect();
            json!({"usages": {"success": success, "failed": failed, "activity_logs": []}})
        }
    })
}

pub(in super::super) async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let tenant = &caller.request.tenant;
    let part = Part::of(&uri, caller.api.generation)?;
    let records = match caller.api.generation {
        Generation::Legacy => app.line_usage_count(tenant).await?,
        Generation::V4 => 0,
    };
    let mut page = app
        .line_usage_page(tenant, part.after, part.asked(), part.skip())
        .await?;
    let more = page.len() > part.limit as usize;
    page.truncate(part.limit as usize);
    let rows: Vec<Value> = page.iter().map(|one| usage::shown(one, caller.api)).collect();
    let last = page.last().map(|last| last.view.position);
    Ok(Json(part.answer("usages", &rows, records, more, last)))
}

pub(in super::super) async fn read(
    State(app): State<Arc<App>>,
    Id(id): Id,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let statement = find(&app, &caller.request, usage::usage_id(&id)?).await?;
    if statement.view.withdrawn {
        return Err(ApiError::unknown("usage"));
    }
    Ok(Json(json!({"usage": usage::shown(&statement, caller.api)})))
}

/// PATCH: what is not sent stays.
pub(in super::super) async fn merge(
    State(app): State<Arc<App>>,
    Id(id): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    change(&app, &id, &call, false).await
}

pub(in super::super) async fn replace(
    State(app): State<Arc<App>>,
    Id(id): Id,
    call: Call,
) -> Result<Json<Value>, ApiError> {
    change(&app, &id, &call, true).await
}

async fn change(app: &App, id: &str, call: &Call, replace: bool) -> Result<Json<Value>, ApiError> {
    let id = usage::usage_id(id)?;
    let correction = usage::correction(&call.body, call.api.generation, replace)?;
    match app.correct_line_usage(&call.request, id, &correction).await? {
        Ok(id) => {
            let statement = find(app, &call.request, id).await?;
            Ok(Json(usage::corrected(&statement, call.api)))
        }
        Err(fault) => {
            let object = super::super::fields::object(&call.body, "usage")?;
            Err(ApiError::fields(vec![usage::fault(
                &fault,
                object,
                call.api.generation,
            )]))
        }
    }
}

pub(in super::super) async fn withdraw(
    State(app): State<Arc<App>>,
    Id(id): Id,
    call: Call,
) -> Result<StatusCode, ApiError> {
    app.withdraw_line_usage(&call.request, usage::usage_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, request: &Request, id: UsageEntryId) -> Result<Statement, ApiError> {
    let found = app.line_usage(&request.tenant, &[id]).await?;
    found.into_iter().next().ok_or_else(|| ApiError::unknown("usage"))
}
