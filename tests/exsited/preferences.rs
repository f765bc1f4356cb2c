use serde_json::{Map, Value, json};

use super::{Client, SPELLINGS, new_order, shown, wrapped};
use crate::support::{Database, TestApp, on_both};

/// Every attribute of the documented request, each other than the default.
fn documented() -> Value {
    json!({
        "communication_profile": "AutoBill Communication Profile",
        "invoice_mode": "MANUAL",
        "invoice_term": "Net -7",
        "billing_period": "3 Month",
        "payment_processor": "Cheque",
        "payment_mode": "AUTOMATIC",
        "payment_term": "Net 14",
        "payment_term_alignment": "INVOICE_DATE",
        "fulfillment_mode": "AUTOMATIC",
        "fulfillment_term": "Immediately",
        "pro_rata_partial_charging_period": true,
        "pro_rata_partial_pricing_period": true,
        "pro_rata_partial_unit": true,
    })
}

const SWITCHES: [&str; 3] = [
    "pro_rata_partial_charging_period",
    "pro_rata_partial_pricing_period",
    "pro_rata_partial_unit",
];

/// The documented answer of a version: what was sent, and what the system manages.
fn answer_to(prefix: &str, sent: &Value) -> Value {
    let mut all: Map<String, Value> = sent.as_object().expect("an object").clone();
    all.insert("consolidate_invoice".into(), false.into());
    all.insert("consolidate_key".into(), "".into());
    if prefix == "/api/v4" {
        for switch in SWITCHES {
            all.remove(switch);
        }
        let proforma = json!({"acceptance_date": null, "acceptance_required": false, "acceptance_term": null,
            "payment_required": false, "terms_and_conditions": null});
        all.insert("proforma_properties".into(), proforma);
    }
    Value::Object(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_request_has_the_documented_answer_under_every_path() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        for (prefix, spelling) in SPELLINGS {
            for method in ["PATCH", "PUT"] {
                let path = format!("{prefix}/orders/{}/{spelling}", client.order().await);
                let before = test.events().await;
                let answer = client.ok(method, &path, &wrapped(prefix, &documented())).await;
                assert_eq!(
                    shown(prefix, &answer),
                    answer_to(prefix, &documented()),
                    "{method} {path}"
                );
                assert_eq!(test.events().await, before + 1);
                let read = client.ok("GET", &path, &Value::Null).await;
                assert_eq!(shown(prefix, &read), answer_to(prefix, &documented()), "{path}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_upper_case_and_booleans_in_words_are_understood() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let path = format!("/orders/{}/billing-preferences", client.order().await);
        let body = json!({"ORDER": {"PROPERTIES": {
            "INVOICE_MODE": "manual", "INVOICE_TERM": "net -7", "FULFILLMENT_TERM": "IMMEDIATELY",
            "PRO_RATA_PARTIAL_UNIT": "True", "CONSOLIDATE_INVOICE": "true", "CONSOLIDATE_KEY": "north"}}});
        let answer = shown("", &client.ok("PATCH", &path, &body).await);
        assert_eq!(answer["invoice_mode"], "MANUAL");
        assert_eq!(answer["invoice_term"], "Net -7");
        assert_eq!(answer["fulfillment_term"], "Immediately");
        assert_eq!(answer["pro_rata_partial_unit"], true);
        assert_eq!(answer["consolidate_invoice"], true);
        assert_eq!(answer["consolidate_key"], "north");
    })
    .await;
}

/// Each field with every value it may have.
fn values() -> Vec<(&'static str, Vec<Value>)> {
    let net = [7, 14, 15, 21, 30, 60, 90];
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let modes = || texts(&["AUTOMATIC", "MANUAL"]);
    let mut invoice_terms = texts(&["Billing Start Date"]);
    invoice_terms.extend(net.map(|days| json!(format!("Net {days}"))));
    invoice_terms.extend(net.map(|days| json!(format!("Net -{days}"))));
    let mut payment_terms = texts(&["Due on Receipt"]);
    payment_terms.extend(net.map(|days| json!(format!("Net {days}"))));
    let mut periods = texts(&["1 Day", "1 Week"]);
    periods.extend((1..=12).map(|count| json!(format!("{count} Month"))));
    periods.extend((1..=10).map(|count| json!(format!("{count} Year"))));
    let switch = || vec![json!(true), json!(false)];
    vec![
        (
            "communication_profile",
            texts(&["DEFAULT", "AutoBill Communication Profile"]),
        ),
        ("invoice_mode", modes()),
        ("invoice_term", invoice_terms),
        ("billing_period", periods),
        ("consolidate_invoice", switch()),
        ("consolidate_key", texts(&["north", ""])),
        (
            "payment_processor",
            texts(&["Cash", "Cheque", "Stripe", "Bank Transfer", "Bank Deposit", "securepay"]),
        ),
        ("payment_mode", modes()),
        ("payment_term", payment_terms),
        ("payment_term_alignment", texts(&["BILLING_DATE", "INVOICE_DATE"])),
        ("fulfillment_mode", modes()),
        ("fulfillment_term", texts(&["Immediately"])),
        (SWITCHES[0], switch()),
        (SWITCHES[1], switch()),
        (SWITCHES[2], switch()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_of_every_field_is_accepted_and_read_back() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let path = format!("/api/v3/orders/{}/billing-preferences", client.order().await);
        for (field, values) in values() {
            for value in values {
                let answer = client.ok("PATCH", &path, &wrapped("", &json!({field: value}))).await;
                assert_eq!(shown("", &answer)[field], value, "{field}");
                let read = client.ok("GET", &path, &Value::Null).await;
                assert_eq!(shown("", &read)[field], value, "{field}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_out_of_range_are_refused_with_the_field_named_and_leave_no_event() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        let events = test.events().await;
        for (field, _) in values() {
            let mut wrong = vec![json!(7), json!([]), json!({})];
            if field != "consolidate_key" {
                wrong.extend([json!(null), json!("no such thing"), json!("")]);
            }
            match field {
                "billing_period" => {
                    wrong.extend(["0 Month", "121 Month", "11 Year", "-2 Day", "Week", "Net 7"].map(Value::from));
                }
                "invoice_term" => wrong.extend(["Net 0", "Net -3651", "1 Month", "Due on Receipt"].map(Value::from)),
                "payment_term" => wrong.extend(["Net 0", "Net -7", "Billing Start Date"].map(Value::from)),
                _ => {}
            }
            for value in wrong {
                for (prefix, spelling) in [("/api/v3", "billing-preferences"), ("/api/v4", "billing_preferences")] {
                    let path = format!("{prefix}/orders/{order}/{spelling}");
                    let body = wrapped(prefix, &json!({field: value, "invoice_mode_": 1}));
                    for method in ["PATCH", "PUT"] {
                        let answer = client.send(method, &path, &body.to_string()).await;
                        assert_eq!(answer.status, 400, "{method} {field} {value}: {answer:?}");
                        assert_eq!(answer.json()["errors"][0]["field"], field, "{answer:?}");
                    }
                }
            }
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_of_a_request_is_named() {
    let test = TestApp::start(Database::Sqlite).await;
    let client = Client::of(&test).await;
    let path = format!("/orders/{}/billing-preferences", client.order().await);
    let body = wrapped(
        "",
        &json!({"invoice_term": "Net 0", "payment_mode": "NEVER", "invoice_mode": "MANUAL"}),
    );
    let answer = client.send("PATCH", &path, &body.to_string()).await;
    assert_eq!(answer.status, 400);
    let fields: Vec<_> = answer.json()["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|e| e["field"].clone())
        .collect();
    assert_eq!(fields, [json!("invoice_term"), json!("payment_mode")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn patch_keeps_what_is_not_sent_and_put_falls_back_to_the_account() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let account = client.account().await;
        let own = json!({"account": {"billing_preferences": {"payment_term": "Net 60", "invoice_mode": "MANUAL"}}});
        let path = format!("/api/v3/accounts/{account}/billing-preferences");
        let answer = client.ok("PUT", &path, &own).await;
        assert_eq!(answer["account"]["billing_preferences"]["payment_term"], "Net 60");
        let placed = client.ok("POST", "/api/v3/orders", &new_order(&account)).await;
        assert_eq!(placed["order"]["properties"]["payment_term"], "Net 60");
        let path = format!(
            "/api/v3/orders/{}/billing-preferences",
            placed["order"]["id"].as_str().expect("id")
        );

        let partial = wrapped("", &json!({"payment_term": "Net 7", "consolidate_key": "north"}));
        client.ok("PATCH", &path, &partial).await;
        let patched = shown(
            "",
            &client
                .ok("PATCH", &path, &wrapped("", &json!({"billing_period": "1 Year"})))
                .await,
        );
        assert_eq!(patched["payment_term"], "Net 7");
        assert_eq!(patched["consolidate_key"], "north");
        assert_eq!(patched["invoice_mode"], "MANUAL");

        let put = shown(
            "",
            &client
                .ok("PUT", &path, &wrapped("", &json!({"billing_period": "1 Week"})))
                .await,
        );
        assert_eq!(put["billing_period"], "1 Week");
        assert_eq!(put["payment_term"], "Net 60");
        assert_eq!(put["invoice_mode"], "MANUAL");
        assert_eq!(put["consolidate_key"], "");

        let events = test.events().await;
        let nothing = shown("", &client.ok("PATCH", &path, &wrapped("", &json!({}))).await);
        assert_eq!(nothing, put);
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fourth_version_answers_a_write_with_the_whole_order() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let order = client.order().await;
        let path = format!("/api/v4/orders/{order}/billing_preferences");
        let answer = client
            .ok(
                "PATCH",
                &path,
                &wrapped("/api/v4", &json!({"billing_period": "1 Week"})),
            )
            .await;
        assert_eq!(answer["order"]["object"], "order");
        assert_eq!(answer["order"]["id"], order);
        assert_eq!(answer["order"]["status"], "active");
        // Nothing is billed yet.
        assert_eq!(answer["order"]["next_billing_from_date"], "2026-10-01");
        assert_eq!(
            answer["order"]["lines"][0]["item_price_snapshot"]["pricing_rule"]["price"],
            6.25
        );
        assert_eq!(answer["order"]["total"], "12.50");
        let read = client.ok("GET", &format!("/api/v4/orders/{order}"), &Value::Null).await;
        assert_eq!(read["order"], answer["order"]);
        let by_properties = json!({"order": {"properties": {"billing_period": "1 Day"}}});
        let answer = client.ok("PUT", &path, &by_properties).await;
        assert_eq!(answer["order"]["billing_preferences"]["billing_period"], "1 Day");
    })
    .await;
}
