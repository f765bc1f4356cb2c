//! Messages in our API's words.

use aggregates::{
    id::MessageId,
    message::{Channel, Occasion},
};
use projections::message::{MessageView, Status};
use serde::Serialize;

use super::{
    convert::{id, print_id, print_time},
    error::Result,
};

#[derive(Debug, Serialize)]
pub struct Messages {
    pub messages: Vec<Message>,
    pub next_after: i64,
}

#[derive(Debug, Serialize)]
pub struct Message {
    pub id: String,
    pub invoice_id: String,
    pub customer_id: String,
    pub occasion: Occasion,
    pub profile: String,
    pub channel: Channel,
    pub template: String,
    pub status: Status,
    pub reason: Option<String>,
    pub requested_at: String,
    pub settled_at: Option<String>,
}

pub fn message_id(text: &str) -> Result<MessageId> {
    id("message_id", "Msg", "a message", text).map(MessageId)
}

pub fn message(view: MessageView) -> Message {
    Message {
        id: print_id("Msg", view.id.0),
        invoice_id: print_id("Inv", view.invoice.0),
        customer_id: print_id("Cust", view.customer.0),
        occasion: view.occasion,
        profile: view.notice.profile,
        channel: view.notice.channel,
        template: view.notice.template,
        status: view.status,
        reason: view.reason,
        requested_at: print_time(view.requested_at),
        settled_at: view.settled_at.map(print_time),
    }
}
