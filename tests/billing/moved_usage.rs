//! Usage of contracts that become another customer's.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::support::{
    doors::{Door, Doors},
    on_both,
    sellers::Sellers,
};

fn record(whose: (&str, &str), id: &str, quantity: &str, day: &str) -> Value {
    let mut record = json!({"metric": "calls", "quantity": quantity, "at": format!("2026-10-{day}T09:00:00Z")});
    record[whose.0] = whose.1.into();
    if !id.is_empty() {
        record["id"] = id.into();
    }
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_counted_for_a_customer_before_a_move_are_free_for_other_contracts_of_the_next() {
    on_both(async |test| {
        let sellers = Sellers::of(test, 2).await;
        let (moves, stays) = (sellers.contract(0).await, sellers.contract(1).await);
        let of_first = ("contract", moves.as_str());
        let first = [record(of_first, "1", "2", "01"), record(of_first, "2", "3", "01")];
        assert_eq!(sellers.used(&first).await, [2, 0, 0]);
        let next = sellers.hand_over(&moves, 1, "2026-10-02").await;
        // The one that they had is the first that meters what names the customer alone.
        let own = ("customer", sellers.customers[1].as_str());
        let second = [record(own, "1", "5", "03"), record(own, "2", "7", "03")];
        assert_eq!(sellers.used(&second).await, [2, 0, 0]);
        assert_eq!(sellers.used(&second).await, [0, 2, 0]);
        // Of what moved they have counted before it did, and elsewhere.
        let of_next = ("contract", next.as_str());
        assert_eq!(sellers.used(&[record(of_next, "1", "2", "03")]).await, [0, 1, 0]);
        assert_eq!(
            sellers.used(&[record(("contract", &stays), "2", "7", "03")]).await,
            [0, 1, 0]
        );
        sellers.doors.move_clock("2026-11-02T00:00:00Z").await;
        assert_eq!(sellers.pays(0).await, Decimal::from(5));
        assert_eq!(sellers.pays(1).await, Decimal::from(12));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_meters_uses_up_no_id() {
    on_both(async |test| {
        let sellers = Sellers::of(test, 1).await;
        for _ in 0..2 {
            sellers.contract(0).await;
        }
        let own = ("customer", sellers.customers[0].as_str());
        let mut early = record(own, "1", "2", "01");
        early["at"] = "2026-09-20T09:00:00Z".into();
        let records = [early, record(own, "1", "2", "02"), record(own, "1", "2", "02")];
        assert_eq!(sellers.used(&records).await, [1, 1, 1]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_behind_moves_leaves_each_customer_what_they_have_used() {
    on_both(async |test| {
        let sellers = Sellers::of(test, 3).await;
        let first = sellers.contract(0).await;
        let total = |contract: &str, quantity: &str, day: &str| {
            let mut total = record(("contract", contract), "", quantity, day);
            total["is_absolute"] = true.into();
            total
        };
        assert_eq!(sellers.used(&[total(&first, "60", "01")]).await, [1, 0, 0]);
        let second = sellers.hand_over(&first, 1, "2026-10-02").await;
        // The last one counts, whoever it names.
        assert_eq!(sellers.used(&[total(&second, "70", "02")]).await, [1, 0, 0]);
        assert_eq!(sellers.used(&[total(&first, "75", "03")]).await, [1, 0, 0]);
        let third = sellers.hand_over(&second, 2, "2026-10-04").await;
        assert_eq!(sellers.used(&[total(&first, "100", "05")]).await, [1, 0, 0]);
        sellers.doors.move_clock("2026-11-02T00:00:00Z").await;
        // A total of the next period is all theirs.
        let mut november = total(&third, "40", "01");
        november["at"] = "2026-11-01T09:00:00Z".into();
        assert_eq!(sellers.used(&[november]).await, [1, 0, 0]);
        sellers.doors.move_clock("2026-12-02T00:00:00Z").await;
        for (customer, pays) in [(0, 60), (1, 15), (2, 25 + 40)] {
            assert_eq!(sellers.pays(customer).await, Decimal::from(pays), "{customer}");
        }
    })
    .await;
}

/// Of a day at a time; a total where it is absolute.
fn said(contract: &str, at: &str, quantity: &str, absolute: bool) -> Value {
    json!({"contract": contract, "metric": "calls", "quantity": quantity, "at": format!("2026-{at}:00Z"),
        "is_absolute": absolute})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_heard_late_of_the_days_before_a_move_is_taken_out_of_what_a_total_left_behind_it() {
    on_both(async |test| {
        let sellers = Sellers::of(test, 3).await;
        let first = sellers.contract(0).await;
        let second = sellers.hand_over(&first, 1, "2026-10-02").await;
        let third = sellers.hand_over(&second, 2, "2026-10-04").await;
        for one in [
            said(&first, "10-01T09:00", "60", true),
            said(&second, "10-02T09:00", "70", true),
            said(&third, "10-05T09:00", "100", true),
            // Late: 65, 5 and 30; then 65, 8 and 27.
            said(&first, "10-01T10:00", "5", false),
            said(&second, "10-03T09:00", "3", false),
            // The second one's total was less than that: 80, 3 and 17.
            said(&first, "10-01T11:00", "80", true),
        ] {
            assert_eq!(sellers.used(std::slice::from_ref(&one)).await, [1, 0, 0], "{one}");
        }
        sellers.doors.move_clock("2026-11-02T00:00:00Z").await;
        for (customer, pays) in [(0, 80), (1, 3), (2, 17)] {
            assert_eq!(sellers.pays(customer).await, Decimal::from(pays), "{customer}");
        }
        // What is billed is corrected.
        for one in [
            said(&first, "10-01T12:00", "4", false),
            said(&third, "11-05T09:00", "50", true),
            // This one had no days before.
            said(&first, "10-01T13:00", "2", false),
        ] {
            assert_eq!(sellers.used(std::slice::from_ref(&one)).await, [1, 0, 0], "{one}");
        }
        sellers.doors.move_clock("2026-12-02T00:00:00Z").await;
        for (customer, pays) in [(0, 86), (1, 3), (2, 11 + 50)] {
            assert_eq!(sellers.pays(customer).await, Decimal::from(pays), "{customer}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_of_the_days_before_an_order_moved_falls_to_who_the_total_is_stated_of() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let mut accounts = Vec::new();
        for name in ["Old Ltd", "New Ltd"] {
            let account = json!({"account": {"name": name}});
            let made = doors.post(Door::Exsited, "/api/v3/accounts", &account).await["account"].clone();
            accounts.push(["id", "uuid"].map(|field| made[field].as_str().expect("an id").to_owned()));
        }
        let order = json!({"order": {"account_id": accounts[0][0], "id": "A-1", "order_start_date": "2026-10-01",
            "lines": [{"item_id": "CALLS", "item_charge_type": "METERED", "item_order_quantity": "1",
                "item_price_snapshot": {"pricing_rule": {"price": "1.00"}}}]}});
        let made = doors.post(Door::Exsited, "/api/v3/orders", &order).await["order"].clone();
        let mut usages = Vec::new();
        for quantity in [10, 20, 30] {
            let usage = json!({"usage": {"charge_item_id": made["lines"][0]["charge_item_uuid"],
                "quantity": quantity, "start_time": "2026-10-02T09:00:00Z"}});
            let usage = doors.post(Door::Exsited, "/api/v4/usages", &usage).await["usage"]["id"].clone();
            usages.push(format!("/api/v4/usages/{}", usage.as_str().expect("an id")));
        }
        let path = format!(
            "/billstream/v1/contracts/{}/move",
            made["uuid"].as_str().expect("an id")
        );
        let body = json!({"customer": accounts[1][1], "effective": "2026-10-05", "order_id": "A-2"});
        let moved = doors.post(Door::Own, &path, &body).await;
        let mut total = said(
            moved["contract_id"].as_str().expect("an id"),
            "10-06T09:00",
            "100",
            true,
        );
        total["metric"] = "CALLS".into();
        let taken = doors
            .post(Door::Own, "/billstream/v1/usage", &json!({"records": [total]}))
            .await;
        assert_eq!(taken["recorded"], 1);
        let fifteen = json!({"usage": {"quantity": 15}});
        doors.ok(Door::Exsited, "PUT", &usages[0], &fifteen).await;
        doors.ok(Door::Exsited, "DELETE", &usages[1], &Value::Null).await;
        let late = json!({"usage": {"charge_item_id": made["lines"][0]["charge_item_uuid"], "quantity": 7,
            "start_time": "2026-10-03T09:00:00Z"}});
        doors.post(Door::Exsited, "/api/v4/usages", &late).await;
        doors.move_clock("2026-11-03T00:00:00Z").await;
        for (order, pays) in [("A-1", 52), ("A-2", 48)] {
            let path = format!("/api/v3/orders/{order}/invoices");
            let shown = doors.get(Door::Exsited, &path).await;
            let totals = shown["invoices"].as_array().expect("invoices").iter();
            let totals = totals.map(|invoice| invoice["total"].as_str().expect("a total"));
            let total: Decimal = totals.map(|total| total.parse::<Decimal>().expect("a number")).sum();
            assert_eq!(total, Decimal::from(pays), "{order}: {shown}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_of_the_day_of_a_move_counts_for_who_has_it_then_also_where_it_stands_still_from_that_day_on() {
    on_both(async |test| {
        let sellers = Sellers::of(test, 2).await;
        let policy = json!({"proration": "inclusive_days"});
        sellers
            .doors
            .ok(Door::Own, "PUT", "/billstream/v1/policy", &policy)
            .await;
        let old = sellers.contract(0).await;
        let path = format!("/billstream/v1/contracts/{old}/pause");
        sellers.doors.post(Door::Own, &path, &json!({"on": "2026-10-10"})).await;
        let next = sellers.hand_over(&old, 1, "2026-10-10").await;
        sellers.doors.move_clock("2026-10-11T00:00:00Z").await;
        for (n, contract) in [&old, &next].into_iter().enumerate() {
            let mut total = record(("contract", contract), &n.to_string(), "8", "10");
            total["is_absolute"] = true.into();
            assert_eq!(sellers.used(&[total]).await, [1, 0, 0], "{contract}");
        }
        sellers.doors.move_clock("2026-11-02T00:00:00Z").await;
        assert_eq!(
            [sellers.pays(0).await, sellers.pays(1).await],
            [0, 8].map(Decimal::from)
        );
    })
    .await;
}
