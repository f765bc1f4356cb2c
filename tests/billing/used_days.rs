//! Usage of days that a contract loses, because it is upgraded, ends, is paused or loses a line: all that was accepted is
//! billed, or shown as unmatched.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::support::{
    TestApp,
    doors::{Door, Doors},
    on_both,
    sellers::Sellers,
};

/// One contract from 1 October on, and what was used of it; calls cost 1.00.
struct Used {
    sellers: Sellers,
    contract: String,
}

impl Used {
    async fn of(test: TestApp, records: &[Value]) -> Self {
        let sellers = Sellers::of(test, 1).await;
        let contract = sellers.contract(0).await;
        let used = Self { sellers, contract };
        used.at("2026-10-10T12:00:00Z").await;
        for record in records {
            assert_eq!(used.uses(&used.contract, record).await, [1, 0, 0], "{record}");
        }
        used
    }

    fn doors(&self) -> &Doors {
        &self.sellers.doors
    }

    async fn at(&self, now: &str) {
        self.doors().move_clock(now).await;
    }

    async fn uses(&self, contract: &str, record: &Value) -> [u64; 3] {
        let mut record = record.clone();
        record["contract"] = contract.into();
        self.sellers.used(&[record]).await
    }

    /// The contract that it goes on as, under another plan.
    async fn upgraded(&self, plan: &str, activation: Option<&str>) -> String {
        let mut configuration = json!({"upgrade_strategy": "new_plan", "plan_id": plan, "currency": "eur"});
        if let Some(day) = activation {
            configuration["activation"] = day.into();
        }
        let body = json!({"upgrade_configuration": configuration, "downgrade_allowed": true});
        let path = format!("/v1/c/contract/{}/upgrade", self.contract);
        self.doors().made(Door::Wingback, &path, &body).await
    }

    async fn told(&self, call: &str, body: &Value) {
        let path = format!("/billstream/v1/contracts/{}/{call}", self.contract);
        self.doors().post(Door::Own, &path, body).await;
    }

    /// A plan of a metric at a price each.
    async fn plan(&self, metric: &str, amount: &str) -> String {
        let line = json!({"name": "Calls", "kind": "metered", "metric": metric,
            "price": {"model": "per_unit", "amount": amount}});
        let plan = json!({"name": "Another plan", "currency": "EUR", "lines": [line]});
        self.doors().made(Door::Own, "/billstream/v1/plans", &plan).await
    }

    async fn unmatched(&self) -> Vec<Value> {
        let kept = self
            .doors()
            .get(Door::Own, "/billstream/v1/usage/unmatched?limit=100")
            .await;
        kept["records"].as_array().expect("records").clone()
    }

    async fn pays(&self) -> Decimal {
        self.sellers.pays(0).await
    }
}

fn calls(id: &str, day: &str, quantity: &str) -> Value {
    json!({"metric": "calls", "id": id, "quantity": quantity, "at": format!("2026-{day}:00Z")})
}

fn total(day: &str, quantity: &str) -> Value {
    json!({"metric": "calls", "is_absolute": true, "quantity": quantity, "at": format!("2026-{day}:00Z")})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_on_the_day_of_an_upgrade_or_behind_it_is_billed_by_the_contract_that_follows() {
    for (activation, old) in [(None, 7), (Some("2026-10-05"), 0), (Some("2026-10-10"), 7)] {
        on_both(async |test| {
            let used = Used::of(
                test,
                &[calls("a", "10-07T11:00", "7"), calls("b", "10-10T11:00", "500")],
            )
            .await;
            let next = used.upgraded(&used.plan("calls", "2.00").await, activation).await;
            // It counts once, whatever is named.
            for contract in [&next, &used.contract] {
                for known in [calls("a", "10-07T11:00", "7"), calls("b", "10-10T11:00", "500")] {
                    assert_eq!(used.uses(contract, &known).await, [0, 1, 0], "{known}");
                }
            }
            assert_eq!(used.uses(&next, &calls("c", "10-11T11:00", "1")).await, [1, 0, 0]);
            used.at("2026-11-02T00:00:00Z").await;
            assert_eq!(
                used.pays().await,
                Decimal::from(old + 2 * (508 - old)),
                "{activation:?}"
            );
            assert_eq!(used.unmatched().await, Vec::<Value>::new());
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_contract_that_follows_does_not_meter_is_billed_by_the_one_that_was() {
    on_both(async |test| {
        let used = Used::of(
            test,
            &[calls("a", "10-07T11:00", "7"), calls("b", "10-10T11:00", "500")],
        )
        .await;
        used.upgraded(&used.plan("storage", "2.00").await, Some("2026-10-05"))
            .await;
        assert_eq!(
            used.uses(&used.contract, &calls("b", "10-10T11:00", "500")).await,
            [0, 1, 0]
        );
        used.at("2026-11-02T00:00:00Z").await;
        assert_eq!(used.pays().await, Decimal::from(507));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_behind_an_upgrade_leaves_what_was_used_before_it() {
    on_both(async |test| {
        let used = Used::of(test, &[total("10-09T11:00", "500")]).await;
        let next = used.upgraded(&used.plan("calls", "1.00").await, None).await;
        used.at("2026-10-16T00:00:00Z").await;
        assert_eq!(used.uses(&next, &total("10-15T11:00", "600")).await, [1, 0, 0]);
        used.at("2026-11-02T00:00:00Z").await;
        assert_eq!(used.pays().await, Decimal::from(600));
        // A total of the next period is all its own.
        assert_eq!(used.uses(&next, &total("11-01T11:00", "40")).await, [1, 0, 0]);
        used.at("2026-12-02T00:00:00Z").await;
        assert_eq!(used.pays().await, Decimal::from(640));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_that_is_handed_over_still_contains_what_comes_late() {
    on_both(async |test| {
        let used = Used::of(test, &[total("10-09T11:00", "500"), calls("a", "10-09T12:00", "3")]).await;
        let next = used
            .upgraded(&used.plan("calls", "1.00").await, Some("2026-10-05"))
            .await;
        for late in [calls("b", "10-02T11:00", "9"), calls("c", "10-08T11:00", "9")] {
            assert_eq!(used.uses(&next, &late).await, [1, 0, 0]);
        }
        // What came behind the total adds to a later look at the same day.
        assert_eq!(used.uses(&next, &total("10-09T11:30", "510")).await, [1, 0, 0]);
        used.at("2026-11-02T00:00:00Z").await;
        assert_eq!(used.pays().await, Decimal::from(513));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_on_the_day_of_an_end_or_a_pause_or_behind_it_is_billed() {
    for (call, body) in [
        ("end", json!({})),
        ("end", json!({"on": "2026-10-05"})),
        ("pause", json!({})),
        ("pause", json!({"on": "2026-10-05"})),
    ] {
        on_both(async |test| {
            let used = Used::of(
                test,
                &[calls("a", "10-07T11:00", "7"), calls("b", "10-10T11:00", "500")],
            )
            .await;
            used.told(call, &body).await;
            // Behind the day it is metered no more.
            used.at("2026-10-11T12:00:00Z").await;
            assert_eq!(
                used.uses(&used.contract, &calls("c", "10-11T11:00", "1")).await,
                [0, 0, 1]
            );
            used.at("2026-11-02T00:00:00Z").await;
            assert_eq!(used.pays().await, Decimal::from(507), "{call} {body}");
            assert_eq!(used.unmatched().await.len(), 1);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_of_days_to_come_is_unmatched_when_its_line_ends() {
    on_both(async |test| {
        let used = Used::of(
            test,
            &[calls("a", "10-10T11:00", "7"), calls("b", "10-20T11:00", "500")],
        )
        .await;
        used.told("pause", &json!({})).await;
        let kept = used.unmatched().await;
        let shown = ["metric", "quantity", "reason", "contract", "at"].map(|field| kept[0][field].clone());
        let told = [
            "calls",
            "500",
            "not_metered_then",
            &used.contract,
            "2026-10-20T11:00:00.000000Z",
        ];
        assert_eq!((kept.len(), shown), (1, told.map(Value::from)));
        used.told("resume", &json!({"on": "2026-10-15"})).await;
        used.at("2026-11-02T00:00:00Z").await;
        assert_eq!(used.pays().await, Decimal::from(7));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_in_a_free_trial_is_taken_and_costs_nothing() {
    on_both(async |test| {
        let sellers = Sellers::of(test, 1).await;
        let contract = json!({"customer": sellers.customers[0], "plan": sellers.plan, "currency": "eur",
            "cycle": "month", "activation": "2026-10-01", "free_trial_days": 14});
        sellers.doors.made(Door::Wingback, "/v1/c/contract", &contract).await;
        for (day, status) in [("09-30", 400), ("10-01", 200), ("10-05", 200)] {
            let event = json!({"customer_id": sellers.customers[0], "feature_slug": "calls", "units": 9,
                "timestamp": format!("2026-{day}T09:00:00Z")});
            let answer = sellers
                .doors
                .send(Door::Wingback, None, "POST", "/v1/c/usage", &event)
                .await;
            assert_eq!(answer.status, status, "{day}: {answer:?}");
        }
        let kept = sellers.doors.get(Door::Own, "/billstream/v1/usage/unmatched").await;
        let reasons: Vec<_> = kept["records"]
            .as_array()
            .expect("records")
            .iter()
            .map(|one| &one["reason"])
            .collect();
        assert_eq!(reasons, ["before_start", "in_trial", "in_trial"]);
        assert_eq!(kept["records"][1]["until"], "2026-10-15");
        sellers.doors.move_clock("2026-12-02T00:00:00Z").await;
        assert_eq!(sellers.pays(0).await, Decimal::ZERO);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_says_nothing_of_what_is_counted_by_records_or_keys() {
    on_both(async |test| {
        let sellers = Sellers::of(test, 1).await;
        let line = |name: &str| {
            json!({"name": name, "kind": "metered", "metric": name, "aggregation": name,
                "price": {"model": "per_unit", "amount": "1.00"}})
        };
        let plan = json!({"name": "Plan", "currency": "EUR", "lines": [line("count"), line("unique"), line("max")]});
        let plan = sellers.doors.made(Door::Own, "/billstream/v1/plans", &plan).await;
        let contract = json!({"customer": sellers.customers[0], "plan": plan, "currency": "eur",
            "cycle": "month", "activation": "2026-10-01"});
        let contract = sellers.doors.made(Door::Wingback, "/v1/c/contract", &contract).await;
        let total = |metric: &str| {
            json!({"contract": contract, "metric": metric, "key": "ann", "is_absolute": true, "quantity": "50",
                "at": "2026-10-05T09:00:00Z"})
        };
        let counted = sellers.used(&[total("count"), total("unique"), total("max")]).await;
        assert_eq!(counted, [1, 0, 2]);
        let event = json!({"customer_id": sellers.customers[0], "feature_slug": "count", "units": 50,
            "is_absolute": true});
        let answer = sellers
            .doors
            .send(Door::Wingback, None, "POST", "/v1/c/usage", &event)
            .await;
        assert_eq!(
            (answer.status, answer.text.contains("is_absolute")),
            (400, true),
            "{answer:?}"
        );
        let kept = sellers.doors.get(Door::Own, "/billstream/v1/usage/unmatched").await;
        assert_eq!(kept["records"][0]["reason"], "no_totals");
        sellers.doors.move_clock("2026-11-02T00:00:00Z").await;
        assert_eq!(sellers.pays(0).await, Decimal::from(50));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usage_of_an_order_that_is_cancelled_or_loses_the_line_is_charged() {
    for call in ["cancel", "change"] {
        on_both(async |test| {
            let doors = Doors::of(test).await;
            let account = json!({"account": {"name": "Old Ltd"}});
            let account = doors.post(Door::Exsited, "/api/v3/accounts", &account).await["account"]["id"].clone();
            let line = |item: &str, kind: &str| {
                json!({"item_id": item, "item_charge_type": kind, "item_order_quantity": "1",
                    "item_price_snapshot": {"pricing_rule": {"price": "1.00"}}})
            };
            let order = json!({"order": {"account_id": account, "id": "A-1", "order_start_date": "2026-10-01",
                "lines": [line("CALLS", "METERED"), line("MORE", "METERED")]}});
            let made = doors.post(Door::Exsited, "/api/v3/orders", &order).await["order"].clone();
            let calls = &made["lines"][0];
            let usage = json!({"usage": {"charge_item_id": calls["charge_item_uuid"], "quantity": 30,
                "start_time": "2026-10-05T09:00:00Z"}});
            let usage = doors.post(Door::Exsited, "/api/v4/usages", &usage).await["usage"]["id"].clone();
            let body = match call {
                "cancel" => json!({"order": {"effective_date": "2026-10-03"}}),
                _ => json!({"order": {"effective_date": "2026-10-05", "lines": [{"op": "remove", "uuid": calls["uuid"]}]}}),
            };
            doors.post(Door::Exsited, &format!("/api/v3/orders/A-1/{call}"), &body).await;
            doors.move_clock("2026-11-03T00:00:00Z").await;
            let path = format!("/api/v3/usages/{}", usage.as_str().expect("an id"));
            let charged = doors.get(Door::Exsited, &path).await["usage"]["charge_status"].clone();
            assert_eq!(charged, "CHARGED", "{call}");
            let shown = doors.get(Door::Exsited, "/api/v3/orders/A-1/invoices").await;
            let totals = shown["invoices"].as_array().expect("invoices").iter();
            let totals = totals.map(|invoice| invoice["total"].as_str().expect("a total"));
            let total: Decimal = totals.map(|total| total.parse::<Decimal>().expect("a number")).sum();
            assert_eq!(total, Decimal::from(30), "{call}");
        })
        .await;
    }
}
