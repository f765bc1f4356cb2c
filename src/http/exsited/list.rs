//! Lists: which part of one is wanted, and how the parts hang together, in both generations.

use axum::{
    extract::Query,
    http::{StatusCode, Uri},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Generation, error::ApiError};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// `limit` and `offset` of the first three versions, `limit` and `cursor` of the fourth.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    limit: Option<String>,
    offset: Option<String>,
    cursor: Option<String>,
}

/// The part of a list that a call asks for.
pub(super) struct Part {
    pub limit: u32,
    offset: u32,
    /// Beyond which position, in the fourth version.
    pub after: Option<i64>,
    generation: Generation,
    path: String,
}

impl Part {
    pub fn of(uri: &Uri, generation: Generation) -> Result<Self, ApiError> {
        let unreadable = |_| ApiError::new(StatusCode::BAD_REQUEST, "invalid", "the query cannot be read");
        let Query(wanted) = Query::<Wanted>::try_from_uri(uri).map_err(unreadable)?;
        let limit = count("limit", wanted.limit.as_deref())?;
        let cursor = |cursor: String| {
            let bad = |_| ApiError::field("cursor", "invalid", "cursor: this is no cursor of this list");
            cursor.parse().map_err(bad)
        };
        Ok(Self {
            limit: limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
            offset: count("offset", wanted.offset.as_deref())?.unwrap_or_default(),
            after: match generation {
                Generation::Legacy => None,
                Generation::V4 => wanted.cursor.map(cursor).transpose()?,
            },
            generation,
            path: uri.path().to_owned(),
        })
    }

    /// How many rows to ask for: in the fourth version one more than are shown tells whether more follow.
    pub fn asked(&self) -> u32 {
        match self.generation {
            Generation::Legacy => self.limit,
            Generation::V4 => self.limit + 1,
        }
    }

    pub fn skip(&self) -> u32 {
        match self.generation {
            Generation::Legacy => self.offset,
            Generation::V4 => 0,
        }
    }

    /// The rows as a list: `records` is how many there are in all, `last` the position of the last row shown.
    pub fn answer(&self, name: &str, rows: &[Value], records: i64, more: bool, last: Option<i64>) -> Value {
        match self.generation {
            Generation::Legacy => json!({name: rows, "pagination": self.numbered(records)}),
            Generation::V4 => {
                let cursor = last.filter(|_| more).map(|last| last.to_string());
                json!({"object": "list", "url": self.path, "data": rows, "pagination": self.linked(more, cursor.as_deref())})
            }
        }
    }

    fn numbered(&self, records: i64) -> Value {
        let Self { path, limit, .. } = self;
        let beyond = i64::from(self.offset) + i64::from(*limit);
        let next = (beyond < records).then(|| format!("{path}?limit={limit}&offset={beyond}"));
        let before = self.offset.saturating_sub(*limit);
        let before = (self.offset > 0).then(|| format!("{path}?limit={limit}&offset={before}"));
        json!({
            "records": records,
            "limit": limit,
            "offset": self.offset,
            "previous_page": before.unwrap_or_default(),
            "next_page": next.unwrap_or_else(|| "NULL".to_owned()),
        })
    }

    fn linked(&self, more: bool, cursor: Option<&str>) -> Value {
        let Self { path, limit, .. } = self;
        let next = cursor.map(|cursor| format!("{path}?limit={limit}&cursor={cursor}"));
        json!({
            "limit": limit,
            "has_more": more,
            "next_cursor": cursor,
            "prev_cursor": null,
            "links": {"next": next, "prev": null},
        })
    }
}

/// A number of a list's query. Clients of the first generation send the words None and NULL for what they do not mean.
fn count(name: &str, sent: Option<&str>) -> Result<Option<u32>, ApiError> {
    match sent {
        None | Some("" | "None" | "NULL") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| ApiError::field(name, "invalid", format!("{name}: \"{text}\" is no whole number"))),
    }
}
