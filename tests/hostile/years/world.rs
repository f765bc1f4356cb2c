//! What may happen next in the life of a tenant: requests at all four doors, made up from a seed.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

use crate::support::doors::Door;

/// So many of a kind are made at most: a run of the clock stays cheap.
const MOST: usize = 9;
/// Time zones with daylight saving in either half of the year, by half an hour, and without.
const ZONES: [&str; 5] = [
    "America/New_York",
    "Australia/Sydney",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/London",
];

/// What an answer tells about the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Teaches {
    Nothing,
    Plan,
    Customer,
    Contract,
    /// The contract that goes on in place of this one.
    Upgraded(String),
    Charge,
    Account,
    Order(String),
    Template,
    Client,
    Subscriber(String),
    Purchases,
    /// A preview: nothing may be written.
    Preview,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    pub door: Door,
    pub method: &'static str,
    pub path: String,
    pub body: Value,
    pub teaches: Teaches,
}

fn call(door: Door, path: impl Into<String>, body: Value, teaches: Teaches) -> Call {
    Call {
        door,
        method: "POST",
        path: path.into(),
        body,
        teaches,
    }
}

/// What is known of the world so far: what later requests can be about.
pub struct World {
    pub rng: StdRng,
    pub now: DateTime<Utc>,
    plans: Vec<String>,
    customers: Vec<String>,
    contracts: Vec<String>,
    charges: Vec<String>,
    accounts: Vec<String>,
    /// An order's number, and the uuids of its lines.
    orders: Vec<(String, Vec<String>)>,
    templates: Vec<(String, Value)>,
    clients: Vec<String>,
    subscribers: Vec<(String, String)>,
    purchases: Vec<String>,
    usage: u32,
}

impl World {
    pub fn new(seed: u64, now: DateTime<Utc>) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            now,
            plans: Vec::new(),
            customers: Vec::new(),
            contracts: Vec::new(),
            charges: Vec::new(),
            accounts: Vec::new(),
            orders: Vec::new(),
            templates: Vec::new(),
            clients: Vec::new(),
            subscribers: Vec::new(),
            purchases: Vec::new(),
            usage: 0,
        }
    }

    pub fn one_in(&mut self, n: u32) -> bool {
        self.rng.random_ratio(1, n)
    }

    /// One of them, more often the one that was made last: what happens to one thing makes more trouble together.
    fn favoured<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if self.one_in(2) {
            of.last().cloned()
        } else {
            of.choose(&mut self.rng).cloned()
        }
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.rng).expect("there is one").clone()
    }

    /// A day at most so far from today.
    fn day(&mut self, back: i64, ahead: i64) -> NaiveDate {
        self.now.date_naive() + Duration::days(self.rng.random_range(-back..=ahead))
    }

    fn maybe_day(&mut self, back: i64, ahead: i64) -> Value {
        if self.one_in(3) {
            Value::Null
        } else {
            self.day(back, ahead).to_string().into()
        }
    }

    fn amount(&mut self) -> String {
        format!("{}.{:02}", self.rng.random_range(0..300), self.rng.random_range(0..100))
    }

    /// Where the clock is moved to next: days, months, often to where months end and clocks change.
    pub fn later(&mut self) -> DateTime<Utc> {
        let days = match self.rng.random_range(0..10) {
            0..4 => self.rng.random_range(0..4),
            4..8 => self.rng.random_range(4..40),
            _ => self.rng.random_range(40..93),
        };
        let mut day = (self.now + Duration::days(days)).date_naive();
        if self.one_in(4) {
            // The last day of its month: the 29th of a February in time.
            while (day + Duration::days(1)).format("%d").to_string() != "01" {
                day += Duration::days(1);
            }
        }
        let minutes = self.one_of(&[0, 1, 419, 420, 421, 720, 900, 1439]);
        let time = day.and_hms_opt(0, 0, 0).expect("midnight").and_utc() + Duration::minutes(minutes);
        time.max(self.now)
    }

    pub fn next(&mut self) -> Call {
        loop {
            let found = match self.rng.random_range(0..100) {
                0..3 => Some(self.plan()),
                3..6 => (self.customers.len() < MOST).then(|| {
                    let body = json!({"name": "Example"});
                    call(Door::Wingback, "/v1/c/customer", body, Teaches::Customer)
                }),
                6..14 => self.contract(),
                14..24 => self.upgrade(),
                24..28 => self.charge(),
                28..33 => self.invoice(),
                33..35 => Some(self.preferences()),
                35..47 => self.usage(),
                47..49 => self.close(),
                49..51 => (self.accounts.len() < MOST).then(|| self.account()),
                51..58 => self.order(),
                58..68 => self.order_change(),
                68..79 => self.order_state(),
                79..82 => self.order_preferences(),
                82..84 => Some(self.template()),
                84..86 => (self.clients.len() < MOST).then(|| {
                    let body = json!({"email": format!("person{}@example.com", self.clients.len())});
                    call(Door::Chip, "/api/v1/clients/", body, Teaches::Client)
                }),
                86..90 => self.subscriber(),
                90..93 => self.pause(),
                93..96 => self.purchase(),
                96..97 => self.forget(),
                _ => Some(self.preview()),
            };
            if let Some(found) = found {
                return found;
            }
        }
    }

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

    fn plan(&mut self) -> Call {
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

    fn contract(&mut self) -> Option<Call> {
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

    fn upgrade(&mut self) -> Option<Call> {
        let contract = self.favoured(&self.contracts.clone())?;
        let body = self.upgrade_body()?;
        let path = format!("/v1/c/contract/{contract}/upgrade");
        if self.one_in(4) {
            return Some(call(Door::Wingback, format!("{path}_estimate"), body, Teaches::Preview));
        }
        Some(call(Door::Wingback, path, body, Teaches::Upgraded(contract)))
    }

    fn charge(&mut self) -> Option<Call> {
        let contract = self.favoured(&self.contracts.clone())?;
        let sign = self.one_of(&["", "-"]);
        let start = self.day(40, 10);
        let body = json!({"name": "By hand", "amount": format!("{sign}{}", self.amount()),
            "period_start": start.to_string(), "period_end": (start + Duration::days(30)).to_string(),
            "flat_fee": self.one_in(2), "automatic_payment": self.one_of(&[None, Some(true), Some(false)])});
        let path = format!("/billstream/v1/contracts/{contract}/charges");
        Some(call(Door::Own, path, body, Teaches::Charge))
    }

    fn scope(&mut self) -> Value {
        let contract = self.contracts.choose(&mut self.rng).cloned();
        let customer = self.customers.choose(&mut self.rng).cloned();
        match (self.rng.random_range(0..4), contract, customer, self.charges.last()) {
            (0, Some(contract), _, _) => json!({"contract_id": contract}),
            (1, _, Some(customer), _) => json!({"customer_id": customer}),
            (2, _, _, Some(charge)) => json!({"invoice_item_ids": [charge]}),
            _ => json!({}),
        }
    }

    fn invoice(&mut self) -> Option<Call> {
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

    fn preferences(&mut self) -> Call {
        let policy = ["start_of_period", "end_of_period"];
        let closing = ["automatic", "manual", "15 minutes", "1 hour", "1 day"];
        let body = json!({"automatic_payment": self.one_of(&[None, Some(true), Some(false)]),
            "due_date_policy": self.one_of(&policy), "flat_fee_due_date_policy": self.one_of(&policy),
            "usage_period_closing_policy": self.one_of(&closing), "invoice_trigger": self.trigger()});
        call(Door::Wingback, "/v1/c/preferences/invoicing", body, Teaches::Nothing)
    }

    /// Some records with ids that may have come before, of times past and present, in no order.
    fn usage(&mut self) -> Option<Call> {
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

    fn close(&mut self) -> Option<Call> {
        let contract = self.favoured(&self.contracts.clone())?;
        let body = json!({"through": self.day(60, 0).to_string()});
        let path = format!("/billstream/v1/contracts/{contract}/usage-periods/close");
        Some(call(Door::Own, path, body, Teaches::Nothing))
    }

    fn account(&mut self) -> Call {
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
        })
    }

    fn order_line(&mut self) -> Value {
        let kind = self.one_of(&["RECURRING", "RECURRING", "RECURRING", "ONE_OFF"]);
        json!({"item_id": format!("ITEM-{}", self.rng.random_range(0..5)), "item_charge_type": kind,
            "item_order_quantity": self.rng.random_range(1..20).to_string(),
            "item_price_snapshot": {"pricing_rule": {"price": self.amount()}}})
    }

    fn order(&mut self) -> Option<Call> {
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

    fn order_change(&mut self) -> Option<Call> {
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

    fn order_state(&mut self) -> Option<Call> {
        let (number, _) = self.favoured(&self.orders.clone())?;
        let what = self.one_of(&["cancel", "reactivate", "invoices", "activate", "reactivate"]);
        let body = json!({"order": {"effective_date": self.maybe_day(20, 40)}});
        let path = format!("/api/v3/orders/{number}/{what}");
        Some(call(Door::Exsited, path, body, Teaches::Nothing))
    }

    fn order_preferences(&mut self) -> Option<Call> {
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

    fn template(&mut self) -> Call {
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

    fn subscriber(&mut self) -> Option<Call> {
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

    fn pause(&mut self) -> Option<Call> {
        let (template, subscriber) = self.subscribers.choose(&mut self.rng)?.clone();
        let status = self.one_of(&["subscription_paused", "active"]);
        let path = format!("/api/v1/billing_templates/{template}/clients/{subscriber}/");
        let mut patch = call(Door::Chip, path, json!({"status": status}), Teaches::Nothing);
        patch.method = "PATCH";
        Some(patch)
    }

    /// A person asks to be forgotten, which few do.
    fn forget(&mut self) -> Option<Call> {
        let at_chip = self.one_in(2);
        let path = match (
            at_chip,
            self.clients.choose(&mut self.rng),
            self.customers.choose(&mut self.rng),
        ) {
            (true, Some(client), _) => format!("/api/v1/clients/{client}/"),
            (false, _, Some(customer)) => format!("/v1/c/customer/{customer}"),
            _ => return None,
        };
        let door = if at_chip { Door::Chip } else { Door::Wingback };
        let mut delete = call(door, path, Value::Null, Teaches::Nothing);
        delete.method = "DELETE";
        Some(delete)
    }

    fn purchase(&mut self) -> Option<Call> {
        let id = self.purchases.choose(&mut self.rng)?.clone();
        let what = self.one_of(&["mark_as_paid", "mark_as_paid", "mark_as_paid", "cancel"]);
        let path = format!("/api/v1/purchases/{id}/{what}/");
        Some(call(Door::Chip, path, json!({}), Teaches::Nothing))
    }

    fn preview(&mut self) -> Call {
        let until = self.later().to_rfc3339();
        let mut body = self.scope();
        if let Some(body) = body.as_object_mut() {
            body.remove("invoice_item_ids");
        }
        body["until"] = until.into();
        call(Door::Own, "/billstream/v1/previews/run", body, Teaches::Preview)
    }

    /// Takes up what an answer has told.
    pub fn learn(&mut self, teaches: &Teaches, answer: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let id = text(answer).or_else(|| text(&answer["id"]));
        match (teaches, id) {
            (Teaches::Nothing | Teaches::Preview, _) => {}
            (Teaches::Plan, Some(id)) => self.plans.push(id),
            (Teaches::Customer, Some(id)) => self.customers.push(id),
            (Teaches::Contract, Some(id)) => self.contracts.push(id),
            (Teaches::Upgraded(before), Some(id)) => {
                // Nothing keeps the old one from being asked for again.
                if id != *before {
                    self.contracts.push(id);
                }
            }
            (Teaches::Charge, Some(id)) => self.charges.push(id),
            (Teaches::Template, Some(id)) => {
                let mut body = answer.clone();
                body["purchase"] = json!({"currency": "MYR", "products": answer["purchase"]["products"]});
                self.templates.push((id, body));
            }
            (Teaches::Client, Some(id)) => self.clients.push(id),
            (Teaches::Account, _) => self.accounts.extend(text(&answer["account"]["id"])),
            (Teaches::Order(number), _) => {
                let lines = answer["order"]["lines"].as_array().map_or(&[][..], Vec::as_slice);
                let lines: Vec<String> = lines.iter().filter_map(|line| text(&line["uuid"])).collect();
                match self.orders.iter_mut().find(|order| order.0 == *number) {
                    Some(order) => order.1 = lines,
                    None => self.orders.extend(text(&answer["order"]["id"]).map(|id| (id, lines))),
                }
            }
            (Teaches::Subscriber(template), _) => {
                let added = text(&answer["billing_template_client"]["id"]);
                self.subscribers.extend(added.map(|id| (template.clone(), id)));
                self.purchases.extend(text(&answer["purchase"]["id"]));
            }
            (Teaches::Purchases, _) => {
                let ids = answer.as_array().map_or(&[][..], Vec::as_slice);
                self.purchases.extend(ids.iter().filter_map(text));
            }
            (teaches, None) => panic!("{teaches:?}: nothing is told by {answer}"),
        }
    }

    /// Purchases that the clock has made.
    pub fn bought(&mut self, purchase: &str) {
        self.purchases.push(purchase.to_owned());
    }
}
