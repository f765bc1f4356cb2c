//! Who is asking: a bearer key.

use aggregates::tenant::CredentialKind;
use axum::http::{header, request::Parts};

use super::error::{Error, Result};
use crate::app::{App, Principal};

pub async fn principal(app: &App, parts: &Parts) -> Result<Principal> {
    let header = parts.headers.get(header::AUTHORIZATION);
    let key = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .ok_or_else(|| Error::unauthorized("an Authorization: Bearer header is needed"))?;
    app.principal(CredentialKind::Billstream, key)
        .await?
        .map(|principal| (*principal).clone())
        .ok_or_else(|| Error::unauthorized("the key is not known"))
}
