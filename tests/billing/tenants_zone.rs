//! A customer who names no time zone has days in the tenant's.

use serde_json::json;

use crate::support::{
    Answer, Database, TestApp,
    doors::{Door, Doors},
    fresh_database, on_both,
    process::run,
};

const ZONE: &str = "/billstream/v1/time-zone";

#[tokio::test(flavor = "multi_thread")]
async fn who_names_no_zone_has_days_in_the_tenants() {
    on_both(async |test: TestApp| {
        let doors = Doors::of(test).await;
        let utc = json!({"time_zone": "UTC"});
        assert_eq!(doors.get(Door::Own, ZONE).await, utc);
        let before = doors
            .made(Door::Wingback, "/v1/c/customer", &json!({"name": "Ada"}))
            .await;
        let kuala_lumpur = json!({"time_zone": "Asia/Kuala_Lumpur"});
        let set = doors.ok(Door::Own, "PUT", ZONE, &kuala_lumpur).await;
        assert_eq!(
            (set, doors.get(Door::Own, ZONE).await),
            (kuala_lumpur.clone(), kuala_lumpur)
        );

        // Past four in the afternoon it is tomorrow in Kuala Lumpur.
        doors.move_clock("2026-10-05T16:30:00Z").await;
        let after = doors
            .made(Door::Wingback, "/v1/c/customer", &json!({"name": "Bea"}))
            .await;
        for (customer, day) in [(before, "2026-10-05"), (after, "2026-10-06")] {
            let plan = json!({"name": "Plan", "currency": "EUR",
                "lines": [{"name": "Seat", "kind": "recurring", "price": {"model": "flat", "amount": "10.00"}}]});
            let plan = doors.made(Door::Own, "/billstream/v1/plans", &plan).await;
            let body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month"});
            let contract = doors.made(Door::Wingback, "/v1/c/contract", &body).await;
            let shown = doors.get(Door::Wingback, &format!("/v1/c/contract/{contract}")).await;
            assert_eq!(
                shown["contract_summary"]["activation"],
                format!("{day}T00:00:00Z"),
                "{shown}"
            );
        }

        for (zone, day) in [(None, "2026-10-06"), (Some("Europe/Berlin"), "2026-10-05")] {
            let mut account = json!({"name": "Cy"});
            if let Some(zone) = zone {
                account["time_zone"] = json!(zone);
            }
            let account = doors
                .post(Door::Exsited, "/accounts", &json!({"account": account}))
                .await;
            let order = json!({"order": {"account_id": account["account"]["id"], "lines": [{"item_id": "ITEM-1",
                "item_order_quantity": 1, "item_price_snapshot": {"pricing_rule": {"price": "10.00"}}}]}});
            let order = doors.post(Door::Exsited, "/orders", &order).await;
            assert_eq!(order["order"]["order_start_date"], day, "{order}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_does_not_exist_is_refused_and_the_one_before_stays() {
    on_both(async |test: TestApp| {
        let doors = Doors::of(test).await;
        doors
            .ok(Door::Own, "PUT", ZONE, &json!({"time_zone": "Europe/Berlin"}))
            .await;
        for (body, code) in [
            (json!({"time_zone": "Mars/Olympus_Mons"}), "time_zone_unknown"),
            (json!({"time_zone": null}), "missing"),
            (json!({"zone": "UTC"}), "unknown field `zone`"),
        ] {
            let Answer { status, text: said, .. } = doors.send(Door::Own, None, "PUT", ZONE, &body).await;
            assert_eq!(status, 400, "{said}");
            assert!(said.contains(code), "{body}: {said}");
        }
        let now = doors.get(Door::Own, ZONE).await;
        assert_eq!(now, json!({"time_zone": "Europe/Berlin"}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_created_in_a_zone_or_not_at_all() {
    for database in [Database::Sqlite, Database::Postgres] {
        let (url, _directory) = fresh_database(database).await;
        let create = |zone| ["tenant", "create", "acme", "--time-zone", zone, "--database", &url];
        let (code, _, errors) = run(&create("Mars/Olympus_Mons")).await;
        assert_eq!(code, Some(1));
        assert!(errors.contains("\"Mars/Olympus_Mons\" is no time zone"), "{errors}");
        let (code, output, errors) = run(&create("Europe/Berlin")).await;
        assert_eq!(code, Some(0), "{output}{errors}");
        let store = billstream::journal::connect(&url).await.expect("the database");
        let count = |sql: &'static str| {
            let store = &store;
            async move { store.read(sql, &[]).await.expect("a row")[0].int(0).expect("a number") }
        };
        assert_eq!(count("SELECT COUNT(*) FROM tenants").await, 1);
        let set = "SELECT COUNT(*) FROM journal WHERE event_type = 'preferences.time_zone_set'";
        assert_eq!(count(set).await, 1);
    }
}
