//! What may happen next in the life of a tenant: requests at all four doors, made up from a seed.

mod contracts;
mod money;
mod orders;
mod subscribers;

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
    Discount,
    /// A contract or an order that goes on as another customer's.
    Moved,
    /// Of lines of orders, one or several.
    Usages,
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

#[derive(Clone)]
struct Order {
    number: String,
    /// What it is to our own door.
    contract: String,
    lines: Vec<String>,
    metered: Vec<String>,
}

impl Order {
    fn of(order: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let lines = order["lines"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let metered = lines.clone().filter(|line| line["item_charge_type"] == "METERED");
        Self {
            number: text(&order["id"]),
            contract: text(&order["uuid"]),
            metered: metered.map(|line| text(&line["charge_item_uuid"])).collect(),
            lines: lines.map(|line| text(&line["uuid"])).collect(),
        }
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
    discounts: Vec<String>,
    /// Their codes and ids.
    accounts: Vec<(String, String)>,
    orders: Vec<Order>,
    /// What is recorded of lines of orders.
    usages: Vec<String>,
    templates: Vec<(String, Value)>,
    clients: Vec<String>,
    subscribers: Vec<(String, String)>,
    purchases: Vec<String>,
    invoices: Vec<String>,
    /// Payments that were asked for.
    collections: Vec<String>,
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
            discounts: Vec::new(),
            accounts: Vec::new(),
            usages: Vec::new(),
            orders: Vec::new(),
            templates: Vec::new(),
            clients: Vec::new(),
            subscribers: Vec::new(),
            purchases: Vec::new(),
            invoices: Vec::new(),
            collections: Vec::new(),
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
            let found = match self.rng.random_range(0..114) {
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
                97..98 => self.gift(),
                98..99 => {
                    if self.one_in(2) {
                        self.payment()
                    } else {
                        self.collected()
                    }
                }
                99..103 => self.order_usage(),
                103..106 => self.order_usage_change(),
                106..110 => self.hand_over(),
                110..112 => (self.discounts.len() < MOST).then(|| self.discount()),
                _ => Some(self.preview()),
            };
            if let Some(found) = found {
                return found;
            }
        }
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
            (Teaches::Discount, Some(id)) => self.discounts.push(id),
            (Teaches::Moved, _) => {
                let contract = text(&answer["contract_id"]).filter(|_| answer["order_id"].is_null());
                self.contracts.extend(contract);
            }
            (Teaches::Usages, _) => {
                let several = answer["success"].as_array().map_or(&[][..], Vec::as_slice);
                let made = several.iter().chain([&answer["usage"]]);
                self.usages.extend(made.filter_map(|usage| text(&usage["uuid"])));
            }
            (Teaches::Account, _) => {
                let account = text(&answer["account"]["id"]).zip(text(&answer["account"]["uuid"]));
                self.accounts.extend(account);
            }
            (Teaches::Order(number), _) => {
                let order = Order::of(&answer["order"]);
                match self.orders.iter_mut().find(|known| known.number == *number) {
                    Some(known) => *known = order,
                    None => self.orders.push(order),
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

    /// What billing has made by itself.
    pub fn made(&mut self, invoices: &[String], purchases: &[String], collections: &[String]) {
        self.invoices.extend_from_slice(invoices);
        self.purchases.extend_from_slice(purchases);
        self.collections.extend_from_slice(collections);
    }
}
