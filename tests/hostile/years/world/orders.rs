//! Accounts and orders, at Exsited's door.

use chrono::Duration;
use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{Call, MOST, Order, Teaches, World, ZONES, call};
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
        let kind = self.one_of(&["RECURRING", "RECURRING", "METERED", "ONE_OFF"]);
        let mut line = json!({"item_id": format!("ITEM-{}", self.rng.random_range(0..5)), "item_charge_type": kind,
            "item_order_quantity": self.rng.random_range(1..20).to_string(),
            "item_price_snapshot": {"pricing_rule": {"price": self.amount()}}});
        if self.one_in(2) {
            line["item_price_tax"] = self.tax();
        }
        line
    }

    fn tax(&mut self) -> Value {
        json!({"code": "GST", "rate": self.one_of(&["10", "7.5"])})
    }

    fn recorded(&mut self) -> Option<Value> {
        let order = self.favoured(&self.orders.clone())?;
        let line = order.metered.choose(&mut self.rng)?;
        let at = self.now - Duration::minutes(self.rng.random_range(-1440..60_000));
        Some(
            json!({"charge_item_uuid": line, "quantity": self.rng.random_range(0..200).to_string(),
            "end_time": at.format("%Y-%m-%d %H:%M:%S").to_string()}),
        )
    }

    /// One record of a metered line, or several.
    pub(super) fn order_usage(&mut self) -> Option<Call> {
        let body = if self.one_in(2) {
            json!({"usage": self.recorded()?})
        } else {
            let several: Vec<Value> = (0..3).filter_map(|_| self.recorded()).collect();
            json!({"usages": several})
        };
        Some(call(Door::Exsited, "/api/v3/usages", body, Teaches::Usages))
    }

    pub(super) fn order_usage_change(&mut self) -> Option<Call> {
        let usage = self.favoured(&self.usages.clone())?;
        let path = format!("/api/v3/usages/{usage}");
        let quantity = self.rng.random_range(0..200).to_string();
        let body = json!({"usage": {"quantity": quantity}});
        let mut change = call(Door::Exsited, path, body, Teaches::Nothing);
        change.method = self.one_of(&["PATCH", "PUT", "DELETE"]);
        if change.method == "DELETE" {
            change.body = Value::Null;
        }
        Some(change)
    }

    pub(super) fn order(&mut self) -> Option<Call> {
        let account = self.accounts.choose(&mut self.rng)?.0.clone();
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
            "lines": lines, "properties": properties, "price_tax_inclusive": self.one_in(3)}});
        Some(call(
            Door::Exsited,
            "/api/v3/orders",
            body,
            Teaches::Order(String::new()),
        ))
    }

    pub(super) fn order_change(&mut self) -> Option<Call> {
        let Order { number, lines, .. } = self.favoured(&self.orders.clone())?;
        let line = lines.choose(&mut self.rng)?.clone();
        let mut changes = vec![match self.rng.random_range(0..7) {
            0 => json!({"op": "remove", "uuid": line}),
            1 => {
                let mut added = self.order_line();
                added["op"] = "add".into();
                added
            }
            2 => json!({"op": "change", "uuid": line, "item_order_quantity": self.rng.random_range(0..20).to_string()}),
            3 => json!({"op": "change", "uuid": line, "item_price_tax": self.tax()}),
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
        let number = self.favoured(&self.orders.clone())?.number;
        let what = self.one_of(&["cancel", "reactivate", "invoices", "activate", "reactivate"]);
        let body = json!({"order": {"effective_date": self.maybe_day(20, 40)}});
        let path = format!("/api/v3/orders/{number}/{what}");
        Some(call(Door::Exsited, path, body, Teaches::Nothing))
    }

    pub(super) fn order_preferences(&mut self) -> Option<Call> {
        let number = self.favoured(&self.orders.clone())?.number;
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
