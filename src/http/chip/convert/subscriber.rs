//! Billing template clients, in and out.

use aggregates::{
    id::CustomerId,
    subscriber::{Choices, Status},
};
use projections::{billing_template::BillingTemplateView, subscriber::SubscriberView};
use serde_json::{Value, json};

use super::billing::PAYMENT_METHODS;
use crate::http::chip::{
    error::Errors,
    fields::{self, Change, Fields, boolean, text, words},
    wire::Json,
};

const STATUSES: &[&str] = &["pending", "inactive", "active", "subscription_paused"];

/// What a request says of a subscriber. What is `None` was not sent.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    payment_methods: Change<Vec<String>>,
    send_invoice_on_charge_failure: Option<bool>,
    send_invoice_on_add_subscriber: Option<bool>,
    send_receipt: Option<bool>,
    invoice_reference: Change<String>,
}

impl Sent {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            payment_methods: fields.change("payment_method_whitelist", words(PAYMENT_METHODS, 1)),
            send_invoice_on_charge_failure: fields.optional("send_invoice_on_charge_failure", boolean),
            send_invoice_on_add_subscriber: fields.optional("send_invoice_on_add_subscriber", boolean),
            send_receipt: fields.optional("send_receipt", boolean),
            invoice_reference: fields.change("invoice_reference", text(128)),
        }
    }

    pub fn apply(&self, choices: &mut Choices) {
        let set = |sent: Option<bool>, now: &mut bool| *now = sent.unwrap_or(*now);
        self.payment_methods.apply(&mut choices.payment_methods);
        self.invoice_reference.apply(&mut choices.invoice_reference);
        set(
            self.send_invoice_on_charge_failure,
            &mut choices.send_invoice_on_charge_failure,
        );
        set(
            self.send_invoice_on_add_subscriber,
            &mut choices.send_invoice_on_add_subscriber,
        );
        set(self.send_receipt, &mut choices.send_receipt);
    }
}

/// Reads a new subscriber. Its status is read-only here.
pub fn added(body: &Json) -> Result<(CustomerId, Choices), Errors> {
    let mut fields = Fields::of(body)?;
    let customer = fields.required("client_id", fields::uuid);
    let sent = Sent::read(&mut fields);
    fields.finish()?;
    let mut choices = Choices {
        payment_methods: None,
        send_invoice_on_charge_failure: true,
        send_invoice_on_add_subscriber: false,
        send_receipt: true,
        invoice_reference: None,
    };
    sent.apply(&mut choices);
    Ok((CustomerId(customer.ok_or(Errors::Clean)?), choices))
}

/// Reads a change: what is sent, and whether the subscriber is to be paused or to go on. `now` is its status.
pub fn changed(body: &Json, now: Status) -> Result<(Sent, Option<bool>), Errors> {
    let mut fields = Fields::of(body)?;
    let sent = Sent::read(&mut fields);
    let paused = fields.optional("status", |json| paused(json, now));
    fields.finish()?;
    Ok((sent, paused.flatten()))
}

/// Which change a status asks for. One that is not the merchant's to set may only be sent as it is.
fn paused(json: &Json, now: Status) -> Result<Option<bool>, Errors> {
    let word = fields::one_of(STATUSES)(json)?;
    match (word.as_str(), now) {
        (word, now) if word == status_word(now) => Ok(None),
        ("subscription_paused", Status::Active) => Ok(Some(true)),
        ("active", Status::Paused) => Ok(Some(false)),
        _ => Err(read_only()),
    }
}

// UNCONFIRMED: whether the vendor refuses this or does not heed it.
pub fn read_only() -> Errors {
    Errors::here(
        "Only a launched subscriber is paused and resumed; this status is read-only.",
        "read_only",
    )
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Inactive => "inactive",
        Status::Active => "active",
        Status::Paused => "subscription_paused",
    }
}

/// While its template stands still there is no day of its next purchase.
pub fn show(view: &SubscriberView, template: &BillingTemplateView) -> Value {
    let choices = &view.choices;
    let runs = template.terms.recurring().is_some_and(|recurring| recurring.active);
    let next = view.next_billing.filter(|_| runs);
    json!({
        "type": "billing_template_client",
        "id": view.id.to_string(),
        "created_on": view.created_at.timestamp(),
        "updated_on": view.updated_at.timestamp(),
        "client_id": view.customer.to_string(),
        "status": status_word(view.status),
        "subscription_billing_scheduled_on": next.map(|date| date.to_string()),
        "payment_method_whitelist": choices.payment_methods,
        "send_invoice_on_charge_failure": choices.send_invoice_on_charge_failure,
        "send_invoice_on_add_subscriber": choices.send_invoice_on_add_subscriber,
        "send_receipt": choices.send_receipt,
        "invoice_reference": choices.invoice_reference,
        "number_of_billing_cycles_passed": view.cycles_passed,
    })
}
