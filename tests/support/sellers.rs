//! Customers whose calls are metered: contracts for them, that may move, what is used, and what they pay.

use aggregates::{
    customer::{Contact, Profile},
    id::TenantId,
};
use billstream::{clock::Clock, journal::Request};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    TestApp,
    doors::{Door, Doors},
};

/// Customers, and the id of a plan by which calls are metered at 1.00.
pub struct Sellers {
    pub doors: Doors,
    pub plan: String,
    pub customers: Vec<String>,
}

impl Sellers {
    pub async fn of(test: TestApp, customers: usize) -> Self {
        Self::living_in(test, &vec!["UTC"; customers]).await
    }

    /// Each in a time zone of their own.
    pub async fn living_in(test: TestApp, zones: &[&str]) -> Self {
        let doors = Doors::of(test).await;
        let line = json!({"name": "Calls", "kind": "metered", "metric": "calls", "prorate": true,
            "price": {"model": "per_unit", "amount": "1.00"}});
        let plan = json!({"name": "Plan", "currency": "EUR", "lines": [line]});
        let plan = doors.made(Door::Own, "/billstream/v1/plans", &plan).await;
        let mut made = Self {
            doors,
            plan,
            customers: Vec::new(),
        };
        let app = &made.doors.test.app;
        let tenant = TenantId::from_stored(&made.doors.test.tenant.tenant_id);
        for zone in zones {
            let request = Request::new(tenant.clone(), "tester", "billstream", made.doors.test.clock.now());
            let profile = Profile {
                time_zone: Some((*zone).to_owned()),
                ..Profile::default()
            };
            let customer = app.create_customer(&request, None, profile, Contact::default()).await;
            made.customers.push(format!("Cust_{}", customer.expect("a customer")));
        }
        made
    }

    /// A contract of a month at a time from 1 October on.
    pub async fn contract(&self, customer: usize) -> String {
        let contract = json!({"customer": self.customers[customer], "plan": self.plan, "currency": "eur",
            "cycle": "month", "activation": "2026-10-01"});
        self.doors.made(Door::Wingback, "/v1/c/contract", &contract).await
    }

    pub async fn hand_over(&self, contract: &str, to: usize, day: &str) -> String {
        let path = format!("/billstream/v1/contracts/{contract}/move");
        let body = json!({"customer": self.customers[to], "effective": day});
        let moved = self.doors.post(Door::Own, &path, &body).await;
        moved["contract_id"].as_str().expect("an id").to_owned()
    }

    /// How many counted, had come before, and are metered by nothing.
    pub async fn used(&self, records: &[Value]) -> [u64; 3] {
        let body = json!({"records": records});
        let answer = self.doors.post(Door::Own, "/billstream/v1/usage", &body).await;
        let count = |name: &str| answer[name].as_u64().expect("a count");
        let unmatched = answer["unmatched"].as_array().map_or(0, Vec::len);
        [count("recorded"), count("duplicates"), unmatched as u64]
    }

    pub async fn pays(&self, customer: usize) -> Decimal {
        let path = format!("/v1/c/invoice?customer={}", self.customers[customer]);
        let listed = self.doors.get(Door::Wingback, &path).await;
        let hits = listed["hits"].as_array().expect("hits").clone();
        let totals = hits
            .iter()
            .map(|hit| hit["invoice"]["total"].as_str().expect("a total"));
        totals.map(|total| total.parse::<Decimal>().expect("a number")).sum()
    }
}
