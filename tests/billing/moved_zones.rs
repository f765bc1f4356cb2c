//! Usage near the midnight on which a contract moves to a customer in another time zone: one of the two meters it.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::support::{
    TestApp,
    doors::{Door, Doors},
    on_both,
    sellers::Sellers,
};

/// The zones of the old and of the new customer, and when 15 October begins for the old one.
const MOVES: [([&str; 2], &str); 5] = [
    (["America/New_York", "Australia/Sydney"], "2026-10-15T04:00:00Z"),
    (["Australia/Sydney", "America/New_York"], "2026-10-14T13:00:00Z"),
    (["Pacific/Kiritimati", "Pacific/Niue"], "2026-10-14T10:00:00Z"),
    (["Pacific/Niue", "Pacific/Kiritimati"], "2026-10-15T11:00:00Z"),
    (["Asia/Kolkata", "Asia/Kolkata"], "2026-10-14T18:30:00Z"),
];

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn used(contract: &str, id: &str, at: DateTime<Utc>) -> Value {
    json!({"contract": contract, "metric": "calls", "quantity": "1", "id": id, "at": at.to_rfc3339()})
}

/// Moments around every midnight of the move, and the instants on both sides of it.
fn moments(midnight: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let first = time("2026-10-13T00:00:00Z");
    let hours = (0..96).map(|hour| first + TimeDelta::hours(hour) + TimeDelta::minutes(1));
    let around = [-1, 0, 1].map(|second| midnight + TimeDelta::seconds(second));
    hours.chain(around).collect()
}

/// A contract that moves on 15 October.
struct Moved {
    zones: [&'static str; 2],
    midnight: DateTime<Utc>,
    /// What it was, and what it goes on as.
    contracts: [String; 2],
    /// The place of the old customer; the new one is the next.
    customer: usize,
}

async fn all_moves(test: TestApp) -> (Sellers, Vec<Moved>) {
    let zones: Vec<&str> = MOVES.iter().flat_map(|(zones, _)| *zones).collect();
    let sellers = Sellers::living_in(test, &zones).await;
    let mut all = Vec::new();
    for (n, (zones, midnight)) in MOVES.into_iter().enumerate() {
        let customer = 2 * n;
        let old = sellers.contract(customer).await;
        let new = sellers.hand_over(&old, customer + 1, "2026-10-15").await;
        all.push(Moved {
            zones,
            midnight: time(midnight),
            contracts: [old, new],
            customer,
        });
    }
    (sellers, all)
}

impl Moved {
    async fn is_paid_by_who_had_it(&self, sellers: &Sellers, moments: &[DateTime<Utc>]) {
        let before = moments.iter().filter(|at| **at < self.midnight).count();
        for (customer, own) in [(0, before), (1, moments.len() - before)] {
            let pays = sellers.pays(self.customer + customer).await;
            assert_eq!(pays, Decimal::from(own), "{:?} {customer}", self.zones);
        }
    }
}

async fn nothing_is_unmatched(sellers: &Sellers) {
    let kept = sellers.doors.get(Door::Own, "/billstream/v1/usage/unmatched").await;
    assert_eq!(kept["records"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_around_the_midnights_of_a_move_is_metered_once_whichever_contract_it_names() {
    for first in [0, 1] {
        on_both(async |test| {
            let (sellers, all) = all_moves(test).await;
            for moved in &all {
                let moments = moments(moved.midnight);
                let naming = |contract: usize| -> Vec<Value> {
                    let numbered = moments.iter().enumerate();
                    let used = |(n, at): (usize, &DateTime<Utc>)| used(&moved.contracts[contract], &n.to_string(), *at);
                    numbered.map(used).collect()
                };
                let (count, zones) = (moments.len() as u64, moved.zones);
                assert_eq!(sellers.used(&naming(first)).await, [count, 0, 0], "{zones:?} {first}");
                for again in [1 - first, first] {
                    assert_eq!(sellers.used(&naming(again)).await, [0, count, 0], "{zones:?} {again}");
                }
            }
            sellers.doors.move_clock("2026-11-03T00:00:00Z").await;
            for moved in &all {
                moved.is_paid_by_who_had_it(&sellers, &moments(moved.midnight)).await;
            }
            nothing_is_unmatched(&sellers).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_counted_on_one_side_of_a_move_does_not_count_on_the_other() {
    on_both(async |test| {
        let (sellers, all) = all_moves(test).await;
        let around = |moved: &Moved| [moved.midnight - TimeDelta::seconds(1), moved.midnight];
        for moved in &all {
            let zones = moved.zones;
            let [before, behind] = around(moved);
            for (id, first, then) in [("a", behind, before), ("b", before, behind)] {
                let [old, new] = &moved.contracts;
                assert_eq!(sellers.used(&[used(new, id, first)]).await, [1, 0, 0], "{zones:?} {id}");
                for contract in [old, new] {
                    for at in [then, first] {
                        let again = sellers.used(&[used(contract, id, at)]).await;
                        assert_eq!(again, [0, 1, 0], "{zones:?} {id} {at}");
                    }
                }
            }
        }
        sellers.doors.move_clock("2026-11-03T00:00:00Z").await;
        for moved in &all {
            moved.is_paid_by_who_had_it(&sellers, &around(moved)).await;
        }
        nothing_is_unmatched(&sellers).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_moves_from_zone_to_zone_is_metered_by_one_of_them_at_every_moment() {
    on_both(async |test| {
        let zones = [
            "Australia/Sydney",
            "America/New_York",
            "Pacific/Kiritimati",
            "Europe/Berlin",
        ];
        let sellers = Sellers::living_in(test, &zones).await;
        let mut contracts = vec![sellers.contract(0).await];
        // The second has no day of its own; the third has one, and no moment of it.
        for (customer, day) in [(1, "2026-10-15"), (2, "2026-10-15"), (3, "2026-10-16")] {
            let last = contracts.last().expect("one");
            let next = sellers.hand_over(last, customer, day).await;
            contracts.push(next);
        }
        let first = time("2026-10-13T00:00:00Z");
        let mut hours = 0..96;
        for (n, hour) in (&mut hours).enumerate() {
            let at = first + TimeDelta::hours(hour);
            let named = &contracts[n % contracts.len()];
            assert_eq!(
                sellers.used(&[used(named, &n.to_string(), at)]).await,
                [1, 0, 0],
                "{at} {n}"
            );
        }
        nothing_is_unmatched(&sellers).await;
        sellers.doors.move_clock("2026-11-03T00:00:00Z").await;
        // Sydney's 15 October begins at 13:00 on the day before, Kiritimati's 16 at 10:00 on the 15th.
        for (customer, pays) in [(0, 24 + 13), (1, 0), (2, 11 + 10), (3, 14 + 24)] {
            assert_eq!(sellers.pays(customer).await, Decimal::from(pays), "{customer}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_of_the_hours_before_the_first_day_of_an_order_that_moved_can_be_said_and_corrected() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let mut accounts = Vec::new();
        for zone in ["Australia/Sydney", "America/New_York"] {
            let account = json!({"account": {"name": zone, "time_zone": zone}});
            let made = doors.post(Door::Exsited, "/api/v3/accounts", &account).await["account"].clone();
            accounts.push(["id", "uuid"].map(|field| made[field].as_str().expect("an id").to_owned()));
        }
        let order = json!({"order": {"account_id": accounts[0][0], "id": "A-1", "order_start_date": "2026-10-01",
            "lines": [{"item_id": "CALLS", "item_charge_type": "METERED", "item_order_quantity": "1",
                "item_price_snapshot": {"pricing_rule": {"price": "1.00"}}}]}});
        let made = doors.post(Door::Exsited, "/api/v3/orders", &order).await["order"].clone();
        let path = format!("/billstream/v1/contracts/{}/move", made["uuid"].as_str().expect("an id"));
        let body = json!({"customer": accounts[1][1], "effective": "2026-10-15", "order_id": "A-2"});
        doors.post(Door::Own, &path, &body).await;
        let moved = doors.get(Door::Exsited, "/api/v3/orders/A-2").await["order"].clone();
        let lines = [&made, &moved].map(|order| order["lines"][0]["charge_item_uuid"].clone());
        let usage = |line: &Value, quantity: u32, at: &str| {
            json!({"usage": {"charge_item_id": line, "quantity": quantity, "start_time": at}})
        };
        // In Sydney it is the 15th, in New York the 14th.
        let said = async |line: usize, quantity: u32, at: &str| {
            let made = doors.post(Door::Exsited, "/api/v4/usages", &usage(&lines[line], quantity, at)).await;
            made["usage"]["id"].as_str().expect("an id").to_owned()
        };
        let corrected = said(1, 100, "2026-10-14T13:00:00Z").await;
        let gone = said(1, 1000, "2026-10-14T20:00:00Z").await;
        said(0, 7, "2026-10-14T12:59:59Z").await;
        for (line, at) in [(0, "2026-10-14T13:00:00Z"), (1, "2026-10-14T12:59:59Z")] {
            let body = usage(&lines[line], 1, at);
            let answer = doors.send(Door::Exsited, None, "POST", "/api/v4/usages", &body).await;
            assert_eq!(answer.status, 400, "{line} {answer:?}");
        }
        let body = json!({"usage": {"quantity": 30}});
        doors.ok(Door::Exsited, "PUT", &format!("/api/v4/usages/{corrected}"), &body).await;
        doors.ok(Door::Exsited, "DELETE", &format!("/api/v4/usages/{gone}"), &Value::Null).await;
        doors.move_clock("2026-11-03T00:00:00Z").await;
        for (order, total) in [("A-1", "7.00"), ("A-2", "30.00")] {
            let path = format!("/api/v3/orders/{order}/invoices");
            let shown = doors.get(Door::Exsited, &path).await;
            let totals = shown["invoices"].as_array().expect("invoices").iter();
            let totals: Vec<_> = totals.map(|invoice| invoice["total"].clone()).collect();
            assert!(totals.contains(&json!(total)), "{order}: {shown}");
        }
    })
    .await;
}
