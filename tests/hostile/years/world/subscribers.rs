//! Templates, their subscribers and purchases, at CHIP's door.

use chrono::Duration;
use rand::{Rng, seq::IndexedRandom};
use serde_json::json;

use super::{Call, MOST, Teaches, World, ZONES, call};
use crate::support::doors::Door;

impl World {
    pub(super) fn template(&mut self) -> Call {
        let product = json!({"name": "Product", "price": self.rng.random_range(1..50_000), "quantity": "1.5",
            "discount": 1, "tax_percent": self.one_of(&["0", "6"])});
        let purchase = json!({"currency": "MYR", "timezone": self.one_of(&ZONES), "products": [product]});
        let mut body = json!({"purchase": purchase, "title": "Template", "is_subscription": true,
            "subscription_active": true, "subscription_period": self.rng.random_range(1..3),
            "subscription_period_units": self.one_of(&["months", "months", "weeks"]),
            "subscription_trial_periods": self.rng.random_range(0..2),
            "subscription_charge_period_end": self.one_in(2),
            "number_of_billing_cycles": self.one_of(&[0, 0, 5])});
        match self.templates.choose(&mut self.rng).cloned() {
            Some((id, mut before)) if self.one_in(2) => {
                before["subscription_active"] = self.one_in(2).into();
                let path = format!("/api/v1/billing_templates/{id}/");
                let mut put = call(Door::Chip, path, before, Teaches::Nothing);
                put.method = "PUT";
                put
            }
            _ => {
                if self.one_in(2) {
                    body["trial_rule"] = "elapsed".into();
                }
                call(Door::Chip, "/api/v1/billing_templates/", body, Teaches::Template)
            }
        }
    }

    pub(super) fn subscriber(&mut self) -> Option<Call> {
        let client = self.clients.choose(&mut self.rng)?.clone();
        if self.one_in(3) {
            let due = (self.now + Duration::days(7)).timestamp();
            let product = json!({"name": "Visit", "price": self.rng.random_range(1..50_000)});
            let body = json!({"clients": [{"client_id": client}, {"email": "walk-in@example.com"}],
                "invoice_due": due, "purchase": {"products": [product]}});
            return Some(call(Door::Chip, "/api/v1/billing/", body, Teaches::Purchases));
        }
        let (template, _) = self.templates.choose(&mut self.rng)?.clone();
        if self.subscribers.len() >= MOST {
            return None;
        }
        let path = format!("/api/v1/billing_templates/{template}/add_subscriber/");
        let body = json!({"client_id": client});
        Some(call(Door::Chip, path, body, Teaches::Subscriber(template)))
    }

    pub(super) fn pause(&mut self) -> Option<Call> {
        let (template, subscriber) = self.subscribers.choose(&mut self.rng)?.clone();
        let status = self.one_of(&["subscription_paused", "active"]);
        let path = format!("/api/v1/billing_templates/{template}/clients/{subscriber}/");
        let mut change = call(Door::Chip, path, json!({"status": status}), Teaches::Nothing);
        change.method = "PATCH";
        Some(change)
    }

    pub(super) fn purchase(&mut self) -> Option<Call> {
        let id = self.purchases.choose(&mut self.rng)?.clone();
        let what = self.one_of(&["mark_as_paid", "mark_as_paid", "mark_as_paid", "cancel"]);
        let path = format!("/api/v1/purchases/{id}/{what}/");
        Some(call(Door::Chip, path, json!({}), Teaches::Nothing))
    }
}
