//! What every door says of invoices, orders and purchases adds up.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::support::doors::{Door, Doors};

pub fn amount(value: &Value) -> Decimal {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no text"));
    text.parse().expect("an amount")
}

/// Nothing is said of what is not taxed, nor of what has no discount.
fn said(value: &Value) -> Decimal {
    if value.is_null() { Decimal::ZERO } else { amount(value) }
}

fn sum(lines: &Value, field: &str) -> Decimal {
    let lines = lines.as_array().expect("lines").iter();
    lines.map(|line| said(&line[field])).sum()
}

/// What every door says of an invoice agrees with itself, and with the others.
pub async fn invoice_balances(doors: &Doors, id: &str) -> Value {
    let path = format!("/billstream/v1/invoices/{id}/explain");
    let explained = doors.get(Door::Own, &path).await;
    let of = |field: &str| amount(&explained[field]);
    assert_eq!(of("net") + of("tax"), of("total"), "{explained}");
    assert_eq!(sum(&explained["lines"], "tax"), of("tax"), "{explained}");
    let lines = explained["lines"].as_array().expect("lines").iter();
    let nets = lines.map(|line| {
        let contains_tax = line["explanation"]["tax"]["mode"] == "inclusive";
        let tax = if contains_tax {
            said(&line["tax"])
        } else {
            Decimal::ZERO
        };
        amount(&line["amount"]) - tax
    });
    assert_eq!(nets.sum::<Decimal>(), of("net"), "{explained}");
    let owed = if explained["voided"].is_null() {
        of("total")
    } else {
        Decimal::ZERO
    };
    let to_pay = owed + of("credit_granted") - of("credit_applied");
    assert_eq!(to_pay, of("to_pay"), "{explained}");
    assert!(
        to_pay >= Decimal::ZERO && of("credit_granted") >= Decimal::ZERO,
        "{explained}"
    );
    assert!(
        explained["due_date"].as_str() >= explained["issue_date"].as_str(),
        "{explained}"
    );

    let whole = doors.get(Door::Wingback, &format!("/v1/c/invoice/Inv_{id}")).await;
    let lines = &whole["invoice_lines"];
    assert_eq!(amount(&whole["invoice"]["total"]), of("total"), "{whole}");
    assert_eq!(sum(lines, "total_excluding_tax"), of("net"), "{whole}");
    assert_eq!(sum(lines, "tax_amount"), of("tax"), "{whole}");
    for line in lines.as_array().expect("lines") {
        let net = amount(&line["subtotal"]) - said(&line["discount_amount"]);
        assert_eq!(net, amount(&line["total_excluding_tax"]), "{whole}");
    }
    let costs = &whole["cost_summary"];
    assert_eq!(amount(&costs["subtotal"]), of("net"), "{whole}");
    assert_eq!(amount(&costs["tax_amount"]), of("tax"), "{whole}");
    assert_eq!(amount(&costs["total_including_tax"]), of("total"), "{whole}");
    explained
}

/// The same of orders and of their invoices, all of which are shown together.
pub async fn orders_balance(doors: &Doors) {
    let orders = doors.get(Door::Exsited, "/api/v3/orders?limit=100").await;
    for order in orders["orders"].as_array().expect("orders") {
        let path = format!("/api/v3/orders/{}", order["id"].as_str().expect("a number"));
        adds_up(&doors.get(Door::Exsited, &path).await["order"], "tax");
        let invoices = doors.get(Door::Exsited, &format!("{path}/invoices")).await["invoices"].clone();
        for invoice in invoices.as_array().expect("invoices") {
            adds_up(invoice, "tax_total");
        }
    }
}

/// Subtotal and tax are the total, of each line and of all of them.
fn adds_up(whole: &Value, tax: &str) {
    for line in whole["lines"].as_array().expect("lines") {
        assert_eq!(
            amount(&line["subtotal"]) + said(&line["tax"]),
            amount(&line["total"]),
            "{whole}"
        );
    }
    for (field, of_lines) in [("subtotal", "subtotal"), (tax, "tax"), ("total", "total")] {
        assert_eq!(
            sum(&whole["lines"], of_lines),
            amount(&whole[field]),
            "{field}: {whole}"
        );
    }
}

/// The products of a purchase come to its total.
pub async fn purchase_balances(doors: &Doors, id: &str) {
    let whole = doors.get(Door::Chip, &format!("/api/v1/purchases/{id}/")).await;
    let mut total = Decimal::ZERO;
    for product in whole["purchase"]["products"].as_array().expect("products") {
        let cents = |field: &str| Decimal::from(product[field].as_i64().expect("minor units"));
        let net = cents("price") * amount(&product["quantity"]) - cents("discount");
        let gross = net * (Decimal::ONE + amount(&product["tax_percent"]) / Decimal::ONE_HUNDRED);
        total += gross.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
    }
    assert_eq!(
        whole["purchase"]["total"].as_i64().map(Decimal::from),
        Some(total),
        "{whole}"
    );
}
