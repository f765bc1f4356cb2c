//! Fulfilments in our API's words.

use aggregates::id::FulfilmentId;
use chrono::NaiveDate;
use projections::fulfilment::{FulfilmentView, Status};
use serde::Serialize;

use super::{
    convert::{id, print_id, print_time},
    error::Result,
};

#[derive(Debug, Serialize)]
pub struct Fulfilments {
    pub fulfilments: Vec<Fulfilment>,
    pub next_after: i64,
}

#[derive(Debug, Serialize)]
pub struct Fulfilment {
    pub id: String,
    pub contract_id: String,
    pub order: Option<String>,
    pub period_start: NaiveDate,
    pub period_end: Option<NaiveDate>,
    pub automatic: bool,
    pub status: Status,
    /// When it is opened, while it is planned.
    pub due_at: Option<String>,
    pub opened_at: Option<String>,
    pub completed_at: Option<String>,
    /// The one line it is for, where that came to the order behind the planning of the period.
    pub line: Option<String>,
}

pub fn fulfilment_id(text: &str) -> Result<FulfilmentId> {
    id("fulfilment_id", "Ful", "a fulfilment", text).map(FulfilmentId)
}

pub fn fulfilment(view: FulfilmentView) -> Fulfilment {
    Fulfilment {
        id: print_id("Ful", view.id.0),
        contract_id: print_id("Cont", view.subscription.0),
        order: view.order,
        period_start: view.period.start,
        period_end: view.period.end,
        automatic: view.automatic,
        status: view.status,
        due_at: view.due_at.map(print_time),
        opened_at: view.opened_at.map(print_time),
        completed_at: view.completed_at.map(print_time),
        line: view.line.map(|line| line.to_string()),
    }
}
