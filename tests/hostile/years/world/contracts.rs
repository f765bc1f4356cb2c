//! Plans, contracts, charges, usage and previews, at Wingback's door and our own.

use chrono::Duration;
use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{Call, MOST, Teaches, World, call};
use crate::support::doors::Door;

impl World {
    fn price(&mut self) -> Value {
        let amount = self.amount();
        let free = self.one_of(&["0", "3"]);
        let tiers = json!([{"up_to": "10", "unit": "1.25", "flat": "2"}, {"up_to": "100", "unit": "0.333"},
            {"unit": "0.2"}]);
        match self.rng.random_range(0..8) {
            0 => json!({"model": "flat", "amount": amount}),
            1 => json!({"model": "graduated", "tiers": tiers, "free_units": free}),
            2 => json!({"model": "volume", "tiers": tiers, "minimum": "5"}),
            3 => json!({"model": "package", "amount": amount, "size": "7"}),
            4 => json!({"model": "stairstep", "tiers": [{"up_to": "5", "flat": "9.99"}, {"flat": "19.99"}]}),
            _ => json!({"model": "per_unit", "amount": amount}),
        }
    }

    pub(super) fn plan(&mut self) -> Call {
        let count = self.rng.random_range(1..4);
        let lines: Vec<Value> = (0..count)
            .map(|n| {
                let kind = self.one_of(&["recurring", "recurring", "metered", "one_off"]);
                let mut line = json!({"name": format!("Line {n}"), "kind": kind, "price": self.price()});
                if kind == "metered" {
                    line["metric"] = self.one_of(&["calls", "bytes"]).into();
                    line["aggregation"] = self.one_of(&["sum", "sum", "max", "latest", "count", "unique"]).into();
                } else {
                    line["quantity"] = self.rng.random_range(1..30).to_string().into();
                    line["timing"] = self.one_of(&["advance", "advance", "arrears"]).into();
                    line["prorate"] = (!self.one_in(6)).into();
                }
                if self.one_in(2) {
                    line["tax_rate"] = self.one_of(&["20", "7.5"]).into();
                }
                line
            })
            .collect();
        let body = json!({"name": "Plan", "currency": "EUR", "lines": lines});
        call(Door::Own, "/billstream/v1/plans", body, Teaches::Plan)
    }

    fn trigger(&mut self) -> Value {
        let cycle = self.one_of(&["week", "month", "quarter"]);
        let offset = self.rng.random_range(0..7);
        let count = self.rng.random_range(1..3);
        let periodic = json!({"periodic": {"cycle": cycle, "cycle_count": count, "cycle_start_offset": offset}});
        self.one_of(&[Value::Null, json!("immediate"), json!("manual"), periodic])
    }

    pub(super) fn contract(&mut self) -> Option<Call> {
        let (customer, plan) = (
            self.customers.choose(&mut self.rng)?.clone(),
            self.plans.choose(&mut self.rng)?.clone(),
        );
        if self.contracts.len() >= MOST {
            return None;
        }
        let cycle = self.one_of(&[
            "month", "month", "month", "quarter", "year", "week", "once", "constant", "day",
        ]);
        let cycle = if cycle == "day" && !self.one_in(3) {
            "month"
        } else {
            cycle
        };
        let mut body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": cycle,
            "activation": self.maybe_day(40, 40), "automatic_payment": self.one_of(&[None, Some(true), Some(false)]),
            "invoice_trigger": self.trigger()});
        if self.one_in(3) {
            body["free_trial_days"] = self.rng.random_range(1..45).into();
        }
        if self.one_in(3) {
            body["discount_id"] = self.discounts.choose(&mut self.rng).cloned().into();
        }
        if self.one_in(4) && cycle == "month" {
            body["cycle_start_offset"] = self.rng.random_range(0..31).into();
        }
        Some(call(Door::Wingback, "/v1/c/contract", body, Teaches::Contract))
    }

    fn upgrade_body(&mut self) -> Option<Value> {
        let plan = self.plans.choose(&mut self.rng)?.clone();
        let date = self.day(3, 40).to_string();
        let activation = self.one_of(&[Value::Null, json!({"type": "next_cycle"}), json!(date)]);
        let units = self.rng.random_range(0..30);
        let mut configuration = if self.one_in(3) {
            json!({"upgrade_strategy": "new_plan", "plan_id": plan, "currency": "eur"})
        } else {
            json!({"upgrade_strategy": "change_unit_count", "unit_count_configuration": {"Line 0": units}})
        };
        configuration["activation"] = activation;
        Some(json!({"downgrade_allowed": true, "upgrade_configuration": configuration}))
    }

    pub(super) fn upgrade(&mut self) -> Option<Call> {
        let contract = self.favoured(&self.contracts.clone())?;
        let body = self.upgrade_body()?;
        let path = format!("/v1/c/contract/{contract}/upgrade");
        if self.one_in(4) {
            return Some(call(Door::Wingback, format!("{path}_estimate"), body, Teaches::Preview));
        }
        Some(call(Door::Wingback, path, body, Teaches::Upgraded(contract)))
    }

    /// A contract goes on as another customer's, or an order as another account's.
    pub(super) fn hand_over(&mut self) -> Option<Call> {
        let (contract, customer) = if self.one_in(2) {
            let order = self.favoured(&self.orders.clone())?;
            (order.contract, self.accounts.choose(&mut self.rng)?.1.clone())
        } else {
            let contract = self.favoured(&self.contracts.clone())?;
            (contract, self.customers.choose(&mut self.rng)?.clone())
        };
        let body = json!({"customer": customer, "effective": self.maybe_day(3, 30)});
        let path = format!("/billstream/v1/contracts/{contract}/move");
        Some(call(Door::Own, path, body, Teaches::Moved))
    }

    pub(super) fn charge(&mut self) -> Option<Call> {
        let contract = self.favoured(&self.contracts.clone())?;
        let sign = self.one_of(&["", "-"]);
        let start = self.day(40, 10);
        let body = json!({"name": "By hand", "amount": format!("{sign}{}", self.amount()),
            "period_start": start.to_string(), "period_end": (start + Duration::days(30)).to_string(),
            "flat_fee": self.one_in(2), "automatic_payment": self.one_of(&[None, Some(true), Some(false)])});
        let path = format!("/billstream/v1/contracts/{contract}/charges");
        Some(call(Door::Own, path, body, Teaches::Charge))
    }

    pub(super) fn scope(&mut self) -> Value {
        let contract = self.contracts.choose(&mut self.rng).cloned();
        let customer = self.customers.choose(&mut self.rng).cloned();
        match (self.rng.random_range(0..4), contract, customer, self.charges.last()) {
            (0, Some(contract), _, _) => json!({"contract_id": contract}),
            (1, _, Some(customer), _) => json!({"customer_id": customer}),
            (2, _, _, Some(charge)) => json!({"invoice_item_ids": [charge]}),
            _ => json!({}),
        }
    }

    pub(super) fn invoice(&mut self) -> Option<Call> {
        if self.contracts.is_empty() {
            return None;
        }
        let scope = self.scope();
        if self.one_in(4) {
            return Some(call(
                Door::Own,
                "/billstream/v1/previews/invoices",
                scope,
                Teaches::Preview,
            ));
        }
        Some(call(Door::Wingback, "/v1/c/invoice", scope, Teaches::Nothing))
    }

    pub(super) fn preferences(&mut self) -> Call {
        let policy = ["start_of_period", "end_of_period"];
        let closing = ["automatic", "manual", "15 minutes", "1 hour", "1 day"];
        let body = json!({"automatic_payment": self.one_of(&[None, Some(true), Some(false)]),
            "due_date_policy": self.one_of(&policy), "flat_fee_due_date_policy": self.one_of(&policy),
            "usage_period_closing_policy": self.one_of(&closing), "invoice_trigger": self.trigger()});
        call(Door::Wingback, "/v1/c/preferences/invoicing", body, Teaches::Nothing)
    }

    /// Some records with ids that may have come before, of times past and present, in no order.
    pub(super) fn usage(&mut self) -> Option<Call> {
        let customer = self.customers.choose(&mut self.rng)?.clone();
        let when =
            |world: &mut Self| (world.now - Duration::minutes(world.rng.random_range(-1440..100_000))).to_rfc3339();
        let mut records = Vec::new();
        for _ in 0..self.rng.random_range(1..5) {
            let metric = self.one_of(&["calls", "bytes"]);
            let units = self.rng.random_range(0..200).to_string();
            let (at, total) = (when(self), self.one_in(6));
            records.push((metric, units, at, total));
        }
        if self.one_in(3) {
            let events: Vec<Value> = records
                .iter()
                .map(|(metric, units, at, total)| {
                    json!({"customer_id": customer, "feature_slug": metric, "units": units, "timestamp": at, "is_absolute": total})
                })
                .collect();
            return Some(call(
                Door::Wingback,
                "/v1/c/usage/bulk",
                json!(events),
                Teaches::Nothing,
            ));
        }
        let mut rows = Vec::new();
        for (metric, units, at, total) in records {
            let mut row = json!({"metric": metric, "quantity": units, "at": at, "is_absolute": total});
            match self.contracts.choose(&mut self.rng).filter(|_| total) {
                Some(contract) => row["contract"] = contract.as_str().into(),
                None => row["customer"] = customer.as_str().into(),
            }
            if !self.one_in(3) {
                self.usage += 1;
                let id = if self.one_in(4) {
                    self.rng.random_range(0..self.usage)
                } else {
                    self.usage
                };
                row["id"] = format!("usage-{id}").into();
            }
            row["key"] = format!("key{}", self.rng.random_range(0..6)).into();
            rows.push(row);
        }
        Some(call(
            Door::Own,
            "/billstream/v1/usage",
            json!({"records": rows}),
            Teaches::Nothing,
        ))
    }

    pub(super) fn close(&mut self) -> Option<Call> {
        let contract = self.favoured(&self.contracts.clone())?;
        let body = json!({"through": self.day(60, 0).to_string()});
        let path = format!("/billstream/v1/contracts/{contract}/usage-periods/close");
        Some(call(Door::Own, path, body, Teaches::Nothing))
    }

    pub(super) fn preview(&mut self) -> Call {
        let until = self.later().to_rfc3339();
        let mut body = self.scope();
        if let Some(body) = body.as_object_mut() {
            body.remove("invoice_item_ids");
        }
        body["until"] = until.into();
        call(Door::Own, "/billstream/v1/previews/run", body, Teaches::Preview)
    }
}
