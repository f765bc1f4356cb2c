//! Accounts and orders, at Exsited's door.

use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{Call, MOST, Teaches, World, ZONES, call};
use crate::support::doors::Door;

impl World {
    pub(super) fn account(&mut self) -> Call {
        let body = json!({"account": {"name": "Example", "time_zone": self.one_of(&ZONES), "currency": "AUD",
            "email_address": "accounts@example.com"}});
        call(Door::Exsited, "/api/v3/accounts", body, Teaches::Account)
    }

    fn properties(&mut self) -> Value {
        json!({
            "invoice_term": self.one_of(&["Billing Start Date", "Net -7", "Net 7", "Net -30"]),
            "payment_term": self.one_of(&["Net 30", "Due on Receipt"]),
            "payment_term_alignment": self.one_of(&["BILLING_DATE", "INVOICE_DATE"]),
            "payment_mode": self.one_of(&["AUTOMATIC", "MANUAL"]),
            "consolidate_invoice": self.one_in(3),
            "consolidate_key": self.one_of(&["", "north"]),
        })
    }

    fn order_line(&mut self) -> Value {
        let kind = self.one_of(&["RECURRING", "RECURRING", "RECURRING", "ONE_OFF"]);
        json!({"item_id": format!("ITEM-{}", self.rng.random_range(0..5)), "item_charge_type": kind,
            "item_order_quantity": self.rng.random_range(1..20).to_string(),
            "item_price_snapshot": {"pricing_rule": {"price": self.amount()}}})
    }

    pub(super) fn order(&mut self) -> Option<Call> {
        let account = self.accounts.choose(&mut self.rng)?.clone();
        if self.orders.len() >= MOST {
            return None;
        }
        let mut properties = self.properties();
        properties["billing_period"] = self
            .one_of(&["1 Month", "1 Month", "3 Month", "1 Week", "1 Year"])
            .into();
        properties["invoice_mode"] = self.one_of(&["AUTOMATIC", "AUTOMATIC", "AUTOMATIC", "MANUAL"]).into();
        properties["pro_rata_partial_charging_period"] = (!self.one_in(4)).into();
        let lines: Vec<Value> = (0..self.rng.random_range(1..4)).map(|_| self.order_line()).collect();
        let body = json!({"order": {"account_id": account, "order_start_date": self.day(40, 40).to_string(),
            "lines": lines, "properties": properties}});
        Some(call(
            Door::Exsited,
            "/api/v3/orders",
            body,
            Teaches::Order(String::new()),
        ))
    }

    pub(super) fn order_change(&mut self) -> Option<Call> {
        let (number, lines) = self.favoured(&self.orders.clone())?;
        let line = lines.choose(&mut self.rng)?.clone();
        let mut changes = vec![match self.rng.random_range(0..6) {
            0 => json!({"op": "remove", "uuid": line}),
            1 => {
                let mut added = self.order_line();
                added["op"] = "add".into();
                added
            }
            2 => json!({"op": "change", "uuid": line, "item_order_quantity": self.rng.random_range(0..20).to_string()}),
            _ => json!({"op": "change", "uuid": line,
                "item_price_snapshot": {"pricing_rule": {"price": self.amount()}}}),
        }];
        let mut body = json!({"effective_date": self.maybe_day(20, 40)});
        if self.one_in(8) {
            body["properties"] = json!({"billing_period": self.one_of(&["1 Month", "2 Month", "1 Week", "1 Year"])});
            if self.one_in(2) {
                changes.clear();
            }
        }
        body["lines"] = changes.into();
        let path = format!("/api/v3/orders/{number}/change");
        if self.one_in(4) {
            return Some(call(
                Door::Exsited,
                format!("{path}/preview"),
                json!({"order": body}),
                Teaches::Preview,
            ));
        }
        Some(call(
            Door::Exsited,
            path,
            json!({"order": body}),
            Teaches::Order(number),
        ))
    }

    pub(super) fn order_state(&mut self) -> Option<Call> {
        let (number, _) = self.favoured(&self.orders.clone())?;
        let what = self.one_of(&["cancel", "reactivate", "invoices", "activate", "reactivate"]);
        let body = json!({"order": {"effective_date": self.maybe_day(20, 40)}});
        let path = format!("/api/v3/orders/{number}/{what}");
        Some(call(Door::Exsited, path, body, Teaches::Nothing))
    }

    pub(super) fn order_preferences(&mut self) -> Option<Call> {
        let (number, _) = self.favoured(&self.orders.clone())?;
        let body = json!({"order": {"properties": self.properties()}});
        let mut patch = call(
            Door::Exsited,
            format!("/api/v3/orders/{number}/billing-preferences"),
            body,
            Teaches::Nothing,
        );
        patch.method = "PATCH";
        Some(patch)
    }
}
