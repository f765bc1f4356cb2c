//! Taxes of order lines: as they are ordered, shown and invoiced.

use serde_json::{Value, json};

use super::Client;
use crate::support::on_both;

fn line(price: &str, more: &Value) -> Value {
    let mut line = json!({"item_id": "ITEM-1", "item_price_snapshot": {"pricing_rule": {"price": price}}});
    let fields = line.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    line
}

async fn order(client: &Client<'_>, inclusive: bool, lines: Vec<Value>) -> Value {
    let account = client.account().await;
    let body = json!({"order": {
        "account_id": account, "order_start_date": "2026-10-05", "price_tax_inclusive": inclusive, "lines": lines,
    }});
    client.ok("POST", "/api/v3/orders", &body).await["order"].clone()
}

fn sums<'a>(value: &'a Value, tax: &str) -> [&'a str; 3] {
    ["subtotal", tax, "total"].map(|name| value[name].as_str().expect("an amount"))
}

async fn invoiced(client: &Client<'_>, order: &Value) -> Value {
    let path = format!("/api/v3/orders/{}/invoices", order["id"].as_str().expect("an id"));
    client.ok("POST", &path, &json!({})).await["invoice"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_taxed_at_the_rate_it_is_ordered_with() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let gst = json!({"item_price_tax": {"code": "GST", "rate": "10"}});
        let exempt = json!({"item_price_tax": {"name": "GST", "rate": 10}, "tax_exempt_when_sold": "true"});
        let lines = vec![line("100", &gst), line("50", &exempt), line("7", &json!({}))];
        let made = order(&client, false, lines).await;
        assert_eq!(sums(&made, "tax"), ["157.00", "10.00", "167.00"]);
        assert_eq!(made["lines"][0]["item_price_tax"], json!({"code": "GST", "rate": "10"}));
        assert_eq!(sums(&made["lines"][0], "tax"), ["100.00", "10.00", "110.00"]);
        assert_eq!(made["lines"][1]["item_price_tax"], Value::Null);
        let invoice = invoiced(&client, &made).await;
        assert_eq!(sums(&invoice, "tax_total"), ["157.00", "10.00", "167.00"]);
        // Prices that contain their tax.
        let made = order(&client, true, vec![line("110", &gst)]).await;
        assert_eq!(sums(&made, "tax"), ["100.00", "10.00", "110.00"]);
        assert_eq!(
            sums(&invoiced(&client, &made).await, "tax_total"),
            ["100.00", "10.00", "110.00"]
        );
        let path = format!("/api/v4/orders/{}", made["id"].as_str().expect("an id"));
        let read = client.ok("GET", &path, &Value::Null).await;
        assert_eq!(
            read["order"]["lines"][0]["item_price_tax"],
            json!({"object": "tax", "name": "GST", "rate": 10})
        );
        let listed = client.ok("GET", "/api/v4/orders", &Value::Null).await;
        assert_eq!(listed["data"][1]["tax"], "10.00");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_order_can_tax_its_lines_otherwise() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let tax = |rate: &str| json!({"item_price_tax": {"name": "GST", "rate": rate}});
        let made = order(&client, false, vec![line("100", &tax("10"))]).await;
        invoiced(&client, &made).await;
        let path = format!("/api/v3/orders/{}/change", made["id"].as_str().expect("an id"));
        let events = test.events().await;
        for (tax, field) in [
            (json!({"name": "GST"}), "rate"),
            (json!({"rate": "-1"}), "rate"),
            (json!({"rate": "ten"}), "rate"),
            (json!({"rate": "1000.5"}), "rate"),
            (json!({"rate": 10, "name": 7}), "name"),
        ] {
            let more = json!({"op": "add", "item_price_tax": tax});
            let body = json!({"order": {"lines": [line("1", &more)]}}).to_string();
            let answer = client.send("POST", &path, &body).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            let place = format!("lines[0].item_price_tax.{field}");
            assert_eq!(answer.json()["errors"][0]["field"], place, "{answer:?}");
        }
        // With its tax the total would be no amount any more.
        let price = json!({"op": "add", "item_price_tax": {"rate": "1000"}});
        let body = json!({"order": {"lines": [line("90000000000000000", &price)]}}).to_string();
        for call in [path.clone(), format!("{path}/preview")] {
            let answer = client.send("POST", &call, &body).await;
            assert_eq!(answer.status, 400, "{answer:?}");
        }
        assert_eq!(test.events().await, events);
        let changes = json!({"order": {"effective_date": "2026-11-05", "lines": [
            {"op": "change", "uuid": made["lines"][0]["uuid"], "item_price_tax": {"rate": "20"}},
            line("10", &json!({"op": "add", "item_price_tax": {"rate": "5", "name": "Reduced"}})),
        ]}});
        client.ok("POST", &path, &changes).await;
        test.clock.set("2026-11-05T12:00:00Z");
        let client = Client::of(&test).await;
        let invoice = invoiced(&client, &made).await;
        assert_eq!(sums(&invoice, "tax_total"), ["110.00", "20.50", "130.50"]);
        let path = format!("/api/v3/orders/{}", made["id"].as_str().expect("an id"));
        let read = client.ok("GET", &path, &Value::Null).await;
        assert_eq!(sums(&read["order"], "tax"), ["110.00", "20.50", "130.50"]);
        let taxes: Vec<_> = [0, 1].map(|n| &read["order"]["lines"][n]["item_price_tax"]).to_vec();
        assert_eq!(
            taxes,
            [
                &json!({"code": "GST", "rate": "20"}),
                &json!({"code": "Reduced", "rate": "5"})
            ]
        );
        // Another name comes with another rate, and the way a line is billed does not take it away.
        let changes = json!({"order": {"lines": [
            {"op": "change", "uuid": made["lines"][0]["uuid"], "item_price_tax": {"rate": "30", "name": "Levy"}},
        ]}});
        let change = format!("{path}/change");
        client.ok("POST", &change, &changes).await;
        let uuid = made["lines"][0]["uuid"].as_str().expect("an id");
        let own = json!({"order": {"line": {"item_properties": {"pro_rata_partial_unit": "true"}}}});
        let own_path = format!("{path}/lines/{uuid}/billing_preferences");
        client.ok("PUT", &own_path, &own).await;
        let read = client.ok("GET", &path, &Value::Null).await;
        let lines = read["order"]["lines"].as_array().expect("lines");
        let line = lines.iter().find(|line| line["uuid"] == uuid).expect("the line");
        assert_eq!(line["item_price_tax"], json!({"code": "Levy", "rate": "30"}));
    })
    .await;
}

/// Lines + tax = total, of an invoice and of each of its lines.
fn adds_up(invoice: &Value) {
    let amount = |value: &Value| -> rust_decimal::Decimal {
        value
            .as_str()
            .map_or(rust_decimal::Decimal::ZERO, |text| text.parse().expect("an amount"))
    };
    let tax = if invoice["tax_total"].is_string() {
        "tax_total"
    } else {
        "tax"
    };
    assert_eq!(
        amount(&invoice["subtotal"]) + amount(&invoice[tax]),
        amount(&invoice["total"]),
        "{invoice}"
    );
    let lines = invoice["lines"].as_array().into_iter().flatten();
    for field in ["subtotal", "tax", "total"] {
        let sum: rust_decimal::Decimal = lines.clone().map(|line| amount(&line[field])).sum();
        let whole = if field == "tax" { tax } else { field };
        assert_eq!(sum, amount(&invoice[whole]), "{field} of {invoice}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_of_a_change_shows_the_lines_and_taxes_of_the_invoice() {
    on_both(async |test| {
        let client = Client::of(&test).await;
        let gst = json!({"item_price_tax": {"code": "GST", "rate": "10"}, "item_order_quantity": "3",
            "item_properties": {"pro_rata_partial_charging_period": "true"}});
        let made = order(&client, false, vec![line("20", &gst)]).await;
        adds_up(&invoiced(&client, &made).await);
        let path = format!("/api/v3/orders/{}/change", made["id"].as_str().expect("an id"));
        let change = json!({"order": {"effective_date": "2026-10-15", "lines": [
            {"op": "change", "uuid": made["lines"][0]["uuid"], "item_price_snapshot": {"pricing_rule": {"price": "35"}}},
        ]}});
        let previewed = client.ok("POST", &format!("{path}/preview"), &change).await["order"].clone();
        client.ok("POST", &path, &change).await;
        test.clock.set("2026-10-15T12:00:00Z");
        let client = Client::of(&test).await;
        let invoice = invoiced(&client, &made).await;
        adds_up(&invoice);
        let number = format!("INV-{}-0002", made["account_id"].as_str().expect("a code"));
        assert_eq!(invoice["id"], number);
        let draft = &previewed["invoices"][0];
        adds_up(draft);
        for field in ["subtotal", "tax_total", "total", "due", "lines"] {
            assert_eq!(draft[field], invoice[field], "{field}");
        }
        assert_eq!(previewed["charges"], invoice["lines"]);
        let lines = invoice["lines"].as_array().expect("lines");
        for line in lines {
            assert_eq!(
                (&line["item_order_quantity"], &line["item_charge_type"], &line["charge_item_uuid"]),
                (&json!("3"), &json!("RECURRING"), &made["lines"][0]["uuid"]),
                "{line}"
            );
            assert_eq!((&line["item_id"], &line["item_price_tax"]["rate"]), (&json!("ITEM-1"), &json!("10")), "{line}");
        }
        let prices: Vec<_> = lines
            .iter()
            .map(|line| line["pricing_snapshot_price"].as_str().expect("a price"))
            .collect();
        assert!(prices.contains(&"35.000000") && prices.contains(&"20.000000"), "{prices:?}");
        let path = format!("/api/v4/orders/{}/invoices", made["id"].as_str().expect("an id"));
        let listed = client.ok("GET", &path, &Value::Null).await;
        let line = &listed["data"][0]["lines"][0];
        assert_eq!((&line["item_order_quantity"], &line["object"]), (&json!(3), &json!("invoice_line")), "{line}");
    })
    .await;
}
