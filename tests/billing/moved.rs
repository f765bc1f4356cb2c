//! Contracts and orders that become another customer's: each pays for their own days.

use aggregates::{
    customer::{Contact, Profile},
    id::{CustomerId, SubscriptionId},
    money::Currency,
    subscription::Status,
};
use billstream::{
    app::contracts::upgrades::{Start, Target, Upgrade},
    journal::{
        follower::catch_up,
        rebuild::{Which, rebuild},
    },
};
use projections::{
    customer_timeline::timeline,
    page::{Order, Page},
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Books, printed};
use crate::{
    billstream::{NOBODY, call, post, refused},
    journal::history::quiet,
    payments::read,
    support::{
        Answer, TestApp,
        doors::{Door, Doors},
        on_both,
    },
};

pub async fn hand_over(test: &TestApp, contract: SubscriptionId, body: &Value) -> Answer {
    post(test, &format!("/billstream/v1/contracts/Cont_{contract}/move"), body).await
}

pub fn id(value: &Value) -> SubscriptionId {
    let text = value.as_str().expect("an id");
    text.trim_start_matches("Cont_").parse().expect("an id")
}

/// What moved, as a customer's timeline tells it.
async fn moves_of(books: &Books<'_>, customer: CustomerId) -> Vec<String> {
    let page = Page {
        limit: 100,
        after: None,
        order: Order::OldestFirst,
    };
    let moments = timeline(books.test.app.journal.views(), &books.tenant, customer, &page).await;
    let moments = moments.expect("readable").into_iter();
    let told = moments.filter(|moment| moment.event_type == "subscription.moved");
    told.map(|moment| moment.aggregate_id).collect()
}

/// The lines of a customer's invoices.
pub async fn lines_of(books: &Books<'_>, customer: CustomerId) -> Vec<String> {
    let all = books.invoices().await;
    let own = all.iter().filter(|(view, _)| view.customer == customer);
    own.flat_map(printed).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_day_on_the_new_customer_pays_over_the_same_periods() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, contract) = books.monthly("31.00", "2026-10-05").await;
        let new = books.customer().await;
        books.bill(contract, "2026-10-05").await;
        test.clock.set("2026-10-15T12:00:00Z");
        let moved = hand_over(&test, contract, &json!({"customer": format!("Cust_{new}")})).await;
        assert_eq!(moved.status, 200, "{moved:?}");
        let moved = moved.json();
        assert_eq!(
            (&moved["effective"], &moved["status"], &moved["moved_from"]),
            (
                &json!("2026-10-15"),
                &json!("active"),
                &json!(format!("Cont_{contract}"))
            )
        );
        let next = id(&moved["contract_id"]);
        // The move stands in the timelines of both, and of a rebuild.
        catch_up(&test.app.journal).await.expect("caught up");
        for customer in [old, new] {
            assert_eq!(moves_of(&books, customer).await, [contract.to_string()]);
        }
        let journal = &test.app.journal;
        let mut tx = journal.store().begin().await.expect("a transaction");
        tx.execute("DELETE FROM customer_timeline", &[]).await.expect("emptied");
        tx.commit().await.expect("committed");
        let which = Which::Named("customer_timeline");
        rebuild(journal, which, test.clock.as_ref(), &quiet)
            .await
            .expect("rebuilt");
        catch_up(journal).await.expect("caught up");
        for customer in [old, new] {
            assert_eq!(moves_of(&books, customer).await, [contract.to_string()]);
        }
        assert_eq!(books.credit(old).await, "21.00");
        assert_eq!(books.credit(new).await, "none");
        assert_eq!(
            lines_of(&books, old).await,
            [
                "2026-10-05: 2026-10-05->2026-11-05 31.00",
                "2026-10-15: 2026-10-15->2026-11-05 -21.00"
            ]
        );
        assert_eq!(
            lines_of(&books, new).await,
            ["2026-10-15: 2026-10-15->2026-11-05 21.00"]
        );
        let path = format!("/billstream/v1/contracts/Cont_{contract}/reactivate");
        refused(&post(&test, &path, &json!({})).await, 409, "subscription_moved", None);
        let back = hand_over(&test, contract, &json!({"customer": format!("Cust_{new}")})).await;
        refused(&back, 409, "subscription_cancelled", None);
        // The next period, as it is previewed.
        assert_eq!(books.bill(contract, "2026-12-31").await.invoices, []);
        assert_eq!(books.bill(next, "2026-11-05").await.invoices.len(), 1);
        assert_eq!(
            lines_of(&books, new).await[1],
            "2026-11-05: 2026-11-05->2026-12-05 31.00"
        );
        let door = crate::wingback::Door::new(&test);
        let shown = door.get(&format!("/v1/c/contract/Cont_{contract}")).await.json();
        assert_eq!(shown["contract_summary"]["status"], "moved", "{shown}");
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_to_come_waits_for_its_day_and_one_under_a_key_is_made_once() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, contract) = books.monthly("10.00", "2026-10-05").await;
        let new = books.customer().await;
        books.bill(contract, "2026-10-05").await;
        let path = format!("/billstream/v1/contracts/Cont_{contract}/move");
        let bearer = format!("Bearer {}", test.tenant.billstream.api_key);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "m1")];
        let body = json!({"customer": format!("Cust_{new}"), "effective": "2026-11-05"}).to_string();
        let first = test.send("POST", &path, &headers, &body).await;
        assert_eq!(first.status, 200, "{first:?}");
        let events = test.events().await;
        let again = test.send("POST", &path, &headers, &body).await;
        assert_eq!((again.status, again.text.as_str()), (200, first.text.as_str()));
        assert_eq!(test.events().await, events);
        let sooner = json!({"customer": format!("Cust_{new}"), "effective": "2026-10-20"});
        refused(
            &hand_over(&test, contract, &sooner).await,
            409,
            "subscription_moved",
            None,
        );
        let next = id(&first.json()["contract_id"]);
        books.bill(contract, "2026-12-05").await;
        books.bill(next, "2026-12-05").await;
        assert_eq!(
            lines_of(&books, old).await,
            ["2026-10-05: 2026-10-05->2026-11-05 10.00"]
        );
        assert_eq!(
            lines_of(&books, new).await,
            [
                "2026-11-05: 2026-11-05->2026-12-05 10.00",
                "2026-12-05: 2026-12-05->2027-01-05 10.00"
            ]
        );
        let state = test.app.contract(&books.tenant, contract).await.expect("readable");
        assert_eq!(state.expect("a contract").status, Status::Cancelled);
        books.prove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_is_refused_and_leaves_nothing() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (old, contract) = books.monthly("10.00", "2026-10-05").await;
        let (new, over) = books.monthly("10.00", "2026-10-05").await;
        test.app.end(&books.request(), over, None).await.expect("ended");
        let profile = Profile {
            currency: Some(Currency::USD),
            ..Profile::default()
        };
        let dollars = test
            .app
            .create_customer(&books.request(), None, profile, Contact::default())
            .await;
        let dollars = format!("Cust_{}", dollars.expect("a customer"));
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let events = test.events().await;
        let to = |customer: &str| json!({"customer": customer});
        let new = format!("Cust_{new}");
        for (contract, body, status, code, field) in [
            (contract, json!({}), 400, "missing", Some("customer")),
            (contract, to("x"), 400, "invalid", Some("customer")),
            (contract, to(&format!("Cust_{NOBODY}")), 404, "customer_unknown", None),
            (contract, to(&format!("Cust_{old}")), 409, "same_customer", None),
            (contract, to(&dollars), 400, "customer_currency", Some("currency")),
            (over, to(&format!("Cust_{old}")), 409, "subscription_cancelled", None),
            (
                NOBODY.parse().expect("an id"),
                to(&new),
                404,
                "subscription_unknown",
                None,
            ),
            (
                contract,
                json!({"customer": new, "effective": "soon"}),
                400,
                "invalid",
                Some("effective"),
            ),
            (
                contract,
                json!({"customer": new, "effective": "2026-10-04"}),
                400,
                "before_start",
                Some("effective"),
            ),
            (
                contract,
                json!({"customer": new, "on": "2026-10-06"}),
                400,
                "invalid",
                None,
            ),
        ] {
            let answer = hand_over(&test, contract, &body).await;
            if field.is_some() || code != "invalid" {
                refused(&answer, status, code, field);
            } else {
                assert_eq!(answer.status, status, "{answer:?}");
            }
        }
        let path = format!("/billstream/v1/contracts/Cont_{contract}/move");
        let theirs = call(&test, &other.billstream.api_key, "POST", &path, &to(&new).to_string()).await;
        refused(&theirs, 404, "subscription_unknown", None);
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_goes_to_who_has_the_contract_on_its_day() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let line = json!({"name": "Calls", "kind": "metered", "metric": "calls",
            "price": {"model": "per_unit", "amount": "1.00"}});
        let plan = json!({"name": "Plan", "currency": "EUR", "lines": [line]});
        let plan = doors.made(Door::Own, "/billstream/v1/plans", &plan).await;
        let mut customers = Vec::new();
        for name in ["Old", "New"] {
            customers.push(
                doors
                    .made(Door::Wingback, "/v1/c/customer", &json!({"name": name}))
                    .await,
            );
        }
        let contract = json!({"customer": customers[0], "plan": plan, "currency": "eur", "cycle": "month",
            "activation": "2026-10-01"});
        let contract = doors.made(Door::Wingback, "/v1/c/contract", &contract).await;
        let usage = async |whose: (&str, &str), quantity: &str, day: &str| {
            let mut record = json!({"metric": "calls", "quantity": quantity, "at": format!("2026-10-{day}T09:00:00Z")});
            record[whose.0] = whose.1.into();
            let body = json!({"records": [record]});
            doors.post(Door::Own, "/billstream/v1/usage", &body).await["recorded"].clone()
        };
        let old = ("contract", contract.as_str());
        assert_eq!(usage(old, "3", "04").await, 1);
        let path = format!("/billstream/v1/contracts/{contract}/move");
        let body = json!({"customer": customers[1], "effective": "2026-10-03"});
        let answer = doors.send(Door::Own, None, "POST", &path, &body).await;
        refused(&answer, 409, "usage_recorded", None);
        let body = json!({"customer": customers[1], "effective": "2026-10-05"});
        let moved = doors.post(Door::Own, &path, &body).await;
        let next = moved["contract_id"].as_str().expect("an id").to_owned();
        // Late, of the old one's days; then of the new one's, whoever is named.
        assert_eq!(usage(("customer", &customers[0]), "4", "03").await, 1);
        assert_eq!(usage(old, "5", "05").await, 1);
        assert_eq!(usage(("contract", &next), "6", "06").await, 1);
        assert_eq!(usage(("customer", &customers[1]), "7", "07").await, 1);
        assert_eq!(usage(("customer", &customers[0]), "8", "07").await, 0);
        doors.move_clock("2026-11-02T00:00:00Z").await;
        let mut totals = Vec::new();
        for customer in &customers {
            let listed = doors
                .get(Door::Wingback, &format!("/v1/c/invoice?customer={customer}"))
                .await;
            let hits = listed["hits"].as_array().expect("hits").clone();
            let total = |hit: &Value| hit["invoice"]["total"].as_str().expect("a total").to_owned();
            totals.push(hits.iter().map(total).collect::<Vec<_>>());
        }
        assert_eq!(totals[1], ["18.00"]);
        let of_old = totals[0]
            .iter()
            .map(|total| total.parse::<Decimal>().expect("a number"));
        assert_eq!(of_old.sum::<Decimal>(), Decimal::from(7));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_on_as_an_order_of_the_other_account() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let mut accounts = Vec::new();
        for name in ["Old Ltd", "New Ltd"] {
            let account = json!({"account": {"name": name}});
            let made = doors.post(Door::Exsited, "/api/v3/accounts", &account).await["account"].clone();
            let code = made["id"].as_str().expect("an id").to_owned();
            accounts.push((code, made["uuid"].as_str().expect("an id").to_owned()));
        }
        let order = json!({"order": {"account_id": accounts[0].0, "id": "A-1", "order_start_date": "2026-10-05",
            "lines": [{"item_id": "I-1", "item_name": "Support", "item_order_quantity": "2",
                "item_price_snapshot": {"pricing_rule": {"price": "6.25"}}}],
            "properties": {"pro_rata_partial_charging_period": "true"}}});
        let made = doors.post(Door::Exsited, "/api/v3/orders", &order).await["order"].clone();
        let path = format!(
            "/billstream/v1/contracts/{}/move",
            made["uuid"].as_str().expect("an id")
        );
        let body = json!({"customer": accounts[1].1, "effective": "2026-11-05"});
        let moved = doors.post(Door::Own, &path, &body).await;
        let number = format!("A-1-{}", accounts[1].0);
        assert_eq!(moved["order_id"], number.as_str(), "{moved}");
        doors.move_clock("2026-11-06T00:00:00Z").await;
        for (order, account, dates) in [
            ("A-1", &accounts[0].0, ["2026-10-05"]),
            (number.as_str(), &accounts[1].0, ["2026-11-05"]),
        ] {
            let shown = doors
                .get(Door::Exsited, &format!("/api/v3/orders/{order}/invoices"))
                .await;
            let invoices = shown["invoices"].as_array().expect("invoices").clone();
            let issued: Vec<&str> = invoices.iter().filter_map(|one| one["issue_date"].as_str()).collect();
            assert_eq!(issued, dates, "{shown}");
            assert_eq!(
                (&invoices[0]["account_id"], &invoices[0]["total"]),
                (&json!(account), &json!("12.50"))
            );
        }
        let shown = doors.get(Door::Exsited, "/api/v3/orders/A-1").await;
        assert_eq!(shown["order"]["status"], "INACTIVE");
        let explained = read(&doors.test, "/billstream/v1/unbilled").await;
        assert_eq!(explained, json!({"unbilled": []}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_plan_follows_is_not_moved_and_what_moved_is_not_upgraded() {
    on_both(async |test| {
        let books = Books::of(&test);
        let new = books.customer().await;
        let plan = books.plan("5.00").await;
        let to = json!({"customer": format!("Cust_{new}"), "effective": "2026-10-15"});
        let upgrade = Upgrade {
            target: Target::Plan {
                plan,
                currency: None,
                cycle: None,
            },
            start: Start::NextCycle,
            downgrade_allowed: true,
            units: Vec::new(),
        };
        let (_, contract) = books.monthly("10.00", "2026-10-05").await;
        let upgraded = test.app.upgrade_contract(&books.request(), contract, &upgrade).await;
        upgraded.expect("upgraded");
        let events = test.events().await;
        refused(
            &hand_over(&test, contract, &to).await,
            409,
            "subscription_upgraded",
            None,
        );
        assert_eq!(test.events().await, events);
        let (_, contract) = books.monthly("10.00", "2026-10-05").await;
        assert_eq!(hand_over(&test, contract, &to).await.status, 200);
        let events = test.events().await;
        let late = test.app.upgrade_contract(&books.request(), contract, &upgrade).await;
        let late = late.expect_err("it is another customer's").to_string();
        assert!(late.contains("another customer's"), "{late}");
        let pause = format!("/billstream/v1/contracts/Cont_{contract}/pause");
        refused(&post(&test, &pause, &json!({})).await, 409, "subscription_moved", None);
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_that_names_an_order_that_moved_counts_once_for_the_one_it_goes_on_as() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let mut accounts = Vec::new();
        for name in ["Old Ltd", "New Ltd"] {
            let account = json!({"account": {"name": name}});
            let made = doors.post(Door::Exsited, "/api/v3/accounts", &account).await["account"].clone();
            let text = |field: &str| made[field].as_str().expect("an id").to_owned();
            accounts.push((text("id"), text("uuid")));
        }
        let order = |number: &str| {
            json!({"order": {"account_id": accounts[0].0, "id": number, "order_start_date": "2026-10-05",
                "lines": [{"item_id": "CALLS", "item_charge_type": "METERED", "item_order_quantity": "1",
                    "item_price_snapshot": {"pricing_rule": {"price": "1.00"}}}]}})
        };
        let made = doors.post(Door::Exsited, "/api/v3/orders", &order("A-1")).await["order"].clone();
        let old = made["uuid"].as_str().expect("an id").to_owned();
        let usage = async |id: &str, day: &str| {
            let record = json!({"contract": old, "metric": "CALLS", "quantity": "3", "id": id,
                "at": format!("2026-10-{day}T12:00:00Z")});
            let taken = doors
                .post(Door::Own, "/billstream/v1/usage", &json!({"records": [record]}))
                .await;
            (taken["recorded"].clone(), taken["duplicates"].clone())
        };
        assert_eq!(usage("u1", "06").await, (json!(1), json!(0)));
        let path = format!("/billstream/v1/contracts/{old}/move");
        let body = json!({"customer": accounts[1].1, "effective": "2026-10-15"});
        doors.post(Door::Own, &path, &body).await;
        assert_eq!(usage("u2", "16").await, (json!(1), json!(0)));
        // Neither of the two ids counts again behind the move.
        assert_eq!(usage("u1", "17").await, (json!(0), json!(1)));
        assert_eq!(usage("u2", "17").await, (json!(0), json!(1)));
        // The number that would be made for it is too long.
        let long = "A".repeat(60);
        let made = doors.post(Door::Exsited, "/api/v3/orders", &order(&long)).await["order"].clone();
        let path = format!(
            "/billstream/v1/contracts/{}/move",
            made["uuid"].as_str().expect("an id")
        );
        let answer = doors.send(Door::Own, None, "POST", &path, &body).await;
        refused(&answer, 400, "invalid", Some("order_id"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_counted_before_moves_does_not_count_again_whatever_it_names() {
    on_both(async |test| {
        let doors = Doors::of(test).await;
        let line = json!({"name": "Calls", "kind": "metered", "metric": "calls",
            "price": {"model": "per_unit", "amount": "1.00"}});
        let plan = json!({"name": "Plan", "currency": "EUR", "lines": [line]});
        let plan = doors.made(Door::Own, "/billstream/v1/plans", &plan).await;
        let mut customers = Vec::new();
        for name in ["One", "Two", "Three"] {
            let customer = json!({"name": name});
            customers.push(doors.made(Door::Wingback, "/v1/c/customer", &customer).await);
        }
        let contract = json!({"customer": customers[0], "plan": plan, "currency": "eur", "cycle": "month",
            "activation": "2026-09-20"});
        let mut contracts = vec![doors.made(Door::Wingback, "/v1/c/contract", &contract).await];
        let usage = async |whose: (&str, &str), id: &str, at: &str| {
            let mut record = json!({"metric": "calls", "quantity": "3", "id": id, "at": format!("{at}T09:00:00Z")});
            record[whose.0] = whose.1.into();
            let answer = doors
                .post(Door::Own, "/billstream/v1/usage", &json!({"records": [record]}))
                .await;
            (answer["recorded"].clone(), answer["duplicates"].clone())
        };
        let (new, known) = ((json!(1), json!(0)), (json!(0), json!(1)));
        assert_eq!(usage(("contract", &contracts[0]), "a", "2026-09-25").await, new);
        for (customer, day) in [(&customers[1], "2026-10-01"), (&customers[2], "2026-10-03")] {
            let path = format!("/billstream/v1/contracts/{}/move", contracts.last().expect("one"));
            let moved = doors
                .post(Door::Own, &path, &json!({"customer": customer, "effective": day}))
                .await;
            contracts.push(moved["contract_id"].as_str().expect("an id").to_owned());
            if contracts.len() == 2 {
                assert_eq!(usage(("contract", &contracts[1]), "b", "2026-10-02").await, new);
            }
        }
        // It is sent again with a later time, and names what goes on.
        for id in ["a", "b"] {
            for whose in [
                ("contract", contracts[0].as_str()),
                ("contract", &contracts[1]),
                ("contract", &contracts[2]),
                ("customer", &customers[2]),
            ] {
                assert_eq!(usage(whose, id, "2026-10-04").await, known, "{id} of {whose:?}");
            }
        }
        assert_eq!(usage(("customer", &customers[2]), "c", "2026-10-04").await, new);
        for whose in [("contract", contracts[0].as_str()), ("contract", &contracts[2])] {
            assert_eq!(usage(whose, "c", "2026-10-04").await, known);
        }
    })
    .await;
}
