//! What the three customers agree to and do in two years.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    page::{decimal, heading, number, price},
    telling::{Account, Telling},
};
use crate::support::doors::{Door, Doors};

const SHIPPING: &str = "Example Shipping";
const HOSTING: &str = "Example Hosting";
const GYM: &str = "ada@example.com";

const INTRODUCTION: &str = "\
Two years of three customers, one an API, as the engine billed them
====================================================================

The clock of a tenant in test mode was moved through 24 months over HTTP; everything below is what the engine billed by
itself on the way. Periods are written with both their first and their last day in them. A part of a period costs its
days of the days of the whole period. Amounts are rounded once a line; tax is computed once an invoice.

  Example Shipping   Wingback contract, EUR, billed on the 15th, days of UTC, prices without tax of 20 %
  Example Hosting    Exsited order, AUD, billed on the 20th, days of Sydney; invoices are issued 7 days before their
                     period begins and due 30 days after it began
  ada@example.com    CHIP subscriber, MYR, billed on the 31st or the last day of a shorter month, days of Kuala Lumpur;
                     a purchase is due after 7 days
";

/// What stays the same over the story.
struct Cast {
    customer: String,
    contract: String,
    account: String,
    order: String,
    hosting: String,
    support: String,
    template: String,
    subscriber: String,
}

pub async fn two_years(doors: &Doors) -> String {
    let mut telling = Telling::from(doors, "2027-01-01").await;
    telling.text.push_str(INTRODUCTION);
    let mut cast = beginnings(&mut telling).await;
    first_year(&mut telling, &mut cast).await;
    second_year(&mut telling, &cast).await;
    totals(&mut telling, &cast).await;
    telling.text
}

fn parcels(first: &str, then: &str) -> Value {
    json!({"name": "Parcels", "kind": "metered", "metric": "parcels", "tax_rate": "20",
        "price": {"model": "graduated", "tiers": [{"up_to": "1000", "unit": first}, {"unit": then}]}})
}

async fn plan(doors: &Doors, name: &str, lines: Value) -> String {
    let body = json!({"name": name, "currency": "EUR", "lines": lines});
    doors.made(Door::Own, "/billstream/v1/plans", &body).await
}

fn flat(name: &str, amount: &str) -> Value {
    json!({"name": name, "kind": "recurring", "tax_rate": "20", "price": {"model": "flat", "amount": amount}})
}

async fn beginnings(t: &mut Telling<'_>) -> Cast {
    let doors = t.doors;
    t.tell(
        "2027-01-10",
        "Example Shipping signs for Starter: 49.00 a month, parcels at 0.04, from the 1,001st at 0.025,",
    )
    .await;
    t.note("             setup 120.00; the first 14 days are free");
    let customer = doors
        .made(Door::Wingback, "/v1/c/customer", &json!({"name": SHIPPING}))
        .await;
    let setup =
        json!({"name": "Setup", "kind": "one_off", "tax_rate": "20", "price": {"model": "flat", "amount": "120.00"}});
    let lines = json!([flat("Starter", "49.00"), parcels("0.04", "0.025"), setup]);
    let starter = plan(doors, "Starter", lines).await;
    let body = json!({"customer": customer, "plan": starter, "currency": "eur", "cycle": "month",
        "activation": "2027-01-10", "free_trial_days": 14, "cycle_start_offset": 14});
    let contract = doors.made(Door::Wingback, "/v1/c/contract", &body).await;
    t.name(bare(&customer), SHIPPING, "EUR");

    t.tell(
        "2027-01-31",
        "ada@example.com joins the gym: 89.90 with 6 % tax, 2 lockers at 15.00 less 1.00; the first",
    )
    .await;
    t.note("             month is free, then 18 months are billed");
    let zone = "Asia/Kuala_Lumpur";
    let purchase = json!({"currency": "MYR", "timezone": zone, "products": [
        {"name": "Membership", "price": 8990, "tax_percent": "6"},
        {"name": "Locker", "price": 1500, "quantity": "2", "discount": 100},
    ]});
    let body = json!({"purchase": purchase, "title": "Gym", "is_subscription": true, "subscription_active": true,
        "subscription_trial_periods": 1, "trial_rule": "elapsed", "number_of_billing_cycles": 18});
    let template = doors.made(Door::Chip, "/api/v1/billing_templates/", &body).await;
    let client = doors.made(Door::Chip, "/api/v1/clients/", &json!({"email": GYM})).await;
    let path = format!("/api/v1/billing_templates/{template}/add_subscriber/");
    let added = doors.post(Door::Chip, &path, &json!({"client_id": client})).await;
    t.name(&client, GYM, "MYR");

    t.tell(
        "2027-02-10",
        "Example Hosting orders from 20 February: 2 x Support at 60.00 and Servers at 145.50 a month,",
    )
    .await;
    t.note("             Onboarding 300.00 once");
    let body = json!({"account": {"name": HOSTING, "email_address": "accounts@example.com", "currency": "AUD",
        "time_zone": "Australia/Sydney"}});
    let account = doors.post(Door::Exsited, "/api/v3/accounts", &body).await["account"].clone();
    let line = |item: &str, quantity: &str, price: &str, kind: &str| {
        json!({"item_id": item, "item_order_quantity": quantity, "item_charge_type": kind,
            "item_price_snapshot": {"pricing_rule": {"price": price}}})
    };
    let body = json!({"order": {"account_id": account["id"], "order_start_date": "2027-02-20", "lines": [
        line("Support", "2", "60.00", "RECURRING"),
        line("Servers", "1", "145.50", "RECURRING"),
        line("Onboarding", "1", "300.00", "ONE_OFF"),
    ], "properties": {"invoice_term": "Net -7", "payment_term": "Net 30", "payment_term_alignment": "BILLING_DATE",
        "pro_rata_partial_charging_period": true}}});
    let order = doors.post(Door::Exsited, "/api/v3/orders", &body).await["order"].clone();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    t.name(&text(&account["uuid"]), HOSTING, "AUD");
    Cast {
        customer,
        contract,
        account: text(&account["uuid"]),
        order: text(&order["id"]),
        support: text(&order["lines"][0]["uuid"]),
        hosting: text(&order["lines"][1]["uuid"]),
        template,
        subscriber: text(&added["billing_template_client"]["id"]),
    }
}

fn bare(id: &str) -> &str {
    id.split_once('_').map_or(id, |(_, bare)| bare)
}

/// Parcels of a day, as the customer reports them on it.
async fn ships(t: &mut Telling<'_>, cast: &Cast, on: &str, units: &str) {
    t.tell(
        on,
        &format!(
            "Example Shipping reports {} parcels",
            number(units.parse().expect("a number"))
        ),
    )
    .await;
    let body = json!({"customer_id": cast.customer, "feature_slug": "parcels", "units": units});
    t.doors.ok(Door::Wingback, "POST", "/v1/c/usage", &body).await;
}

/// Parcels of a day that is past.
async fn shipped(t: &Telling<'_>, cast: &Cast, of: &str, units: &str, total: bool) {
    let event = json!({"customer_id": cast.customer, "feature_slug": "parcels", "units": units, "is_absolute": total,
        "timestamp": format!("{of}T12:00:00Z")});
    let faults = t
        .doors
        .ok(Door::Wingback, "POST", "/v1/c/usage/bulk", &json!([event]))
        .await;
    assert_eq!(faults, json!([]));
}

/// The oldest purchases that are not paid yet.
async fn pays(t: &mut Telling<'_>, on: &str, from: usize, to: usize) {
    let which = if from == to {
        format!("purchase {from}")
    } else {
        format!("purchases {from} to {to}")
    };
    t.tell(on, &format!("ada@example.com has paid {which} in cash")).await;
    for id in t.purchases[from - 1..to].to_vec() {
        let path = format!("/api/v1/purchases/{id}/mark_as_paid/");
        let paid = t.doors.post(Door::Chip, &path, &json!({})).await;
        assert_eq!(paid["status"], "paid");
        let amount = Decimal::new(paid["payment"]["amount"].as_i64().expect("minor units"), 2);
        t.accounts.get_mut(GYM).expect("an account").paid += amount;
    }
}

async fn gym(t: &Telling<'_>, cast: &Cast, status: &str) {
    let path = format!(
        "/api/v1/billing_templates/{}/clients/{}/",
        cast.template, cast.subscriber
    );
    let now = t.doors.ok(Door::Chip, "PATCH", &path, &json!({"status": status})).await;
    assert_eq!(now["status"], status);
}

/// A call on the order; the change is previewed first where it can be.
async fn order(t: &Telling<'_>, cast: &Cast, call: &str, body: Value) {
    let path = format!("/api/v3/orders/{}/{call}", cast.order);
    t.doors.post(Door::Exsited, &path, &json!({"order": body})).await;
}

fn set(line: &str, quantity: &str, price: &str) -> Value {
    json!({"op": "change", "uuid": line, "item_order_quantity": quantity,
        "item_price_snapshot": {"pricing_rule": {"price": price}}})
}

async fn first_year(t: &mut Telling<'_>, cast: &mut Cast) {
    ships(t, cast, "2027-02-11", "640").await;
    t.tell("2027-03-02", "Example Shipping reports late: 60 parcels of 5 February")
        .await;
    shipped(t, cast, "2027-02-05", "60", false).await;
    ships(t, cast, "2027-03-10", "1200").await;
    pays(t, "2027-04-02", 1, 2).await;
    ships(t, cast, "2027-04-14", "1000").await;

    t.tell(
        "2027-05-05",
        "Example Hosting needs less from today: 1 x Support at 60.00, Servers at 45.50",
    )
    .await;
    let lines = json!([set(&cast.support, "1", "60.00"), set(&cast.hosting, "1", "45.50")]);
    order(
        t,
        cast,
        "change",
        json!({"effective_date": "2027-05-05", "lines": lines}),
    )
    .await;
    ships(t, cast, "2027-05-20", "400").await;

    t.tell(
        "2027-06-25",
        "Example Shipping upgrades to Team: 149.00 a month, 10 seats at 12.00, parcels at 0.03, from",
    )
    .await;
    t.note("             the 1,001st at 0.02");
    let seats = json!({"name": "Seats", "kind": "recurring", "tax_rate": "20", "quantity": "10",
        "price": {"model": "per_unit", "amount": "12.00"}});
    let lines = json!([flat("Team", "149.00"), seats, parcels("0.03", "0.02")]);
    let team = plan(t.doors, "Team", lines).await;
    let body = json!({"upgrade_configuration": {"upgrade_strategy": "new_plan", "plan_id": team, "currency": "eur"}});
    let path = format!("/v1/c/contract/{}/upgrade", cast.contract);
    cast.contract = t.doors.made(Door::Wingback, &path, &body).await;

    ships(t, cast, "2027-07-05", "500").await;
    t.tell("2027-07-10", "ada@example.com is away: her membership is paused")
        .await;
    gym(t, cast, "subscription_paused").await;
    ships(t, cast, "2027-08-10", "3000").await;
    t.tell(
        "2027-08-16",
        "Example Hosting grows from 18 August: Servers at 95.50 (the next period is invoiced already)",
    )
    .await;
    let lines = json!([set(&cast.hosting, "1", "95.50")]);
    order(
        t,
        cast,
        "change",
        json!({"effective_date": "2027-08-18", "lines": lines}),
    )
    .await;
    t.tell(
        "2027-08-20",
        "Example Shipping corrects: up to 10 August it was 2,800 parcels since 15 July, not 3,000",
    )
    .await;
    shipped(t, cast, "2027-08-10", "2800", true).await;

    t.tell("2027-09-12", "ada@example.com is back: her membership goes on")
        .await;
    gym(t, cast, "active").await;
    t.tell(
        "2027-09-13",
        "Example Shipping sends 700 parcels twice under one id: they count once",
    )
    .await;
    for (recorded, duplicates) in [(1, 0), (0, 1)] {
        let record = json!({"customer": cast.customer, "metric": "parcels", "quantity": "700", "id": "manifest-77"});
        let answer = t
            .doors
            .post(Door::Own, "/billstream/v1/usage", &json!({"records": [record]}))
            .await;
        assert_eq!(
            (&answer["recorded"], &answer["duplicates"]),
            (&json!(recorded), &json!(duplicates))
        );
    }

    t.tell("2027-10-04", "Example Hosting cancels: 29 November is its last day")
        .await;
    order(t, cast, "cancel", json!({"effective_date": "2027-11-30"})).await;
    t.tell("2027-10-05", "Example Shipping hires: 25 seats from today")
        .await;
    units(t, cast, 25).await;
    pays(t, "2027-10-12", 3, 5).await;
    ships(t, cast, "2027-11-11", "990").await;
    ships(t, cast, "2027-12-12", "2400").await;
}

async fn units(t: &Telling<'_>, cast: &Cast, seats: u32) {
    let body = json!({"downgrade_allowed": true, "upgrade_configuration": {"upgrade_strategy": "change_unit_count",
        "unit_count_configuration": {"seats": seats}}});
    t.doors
        .made(
            Door::Wingback,
            &format!("/v1/c/contract/{}/upgrade", cast.contract),
            &body,
        )
        .await;
}

async fn second_year(t: &mut Telling<'_>, cast: &Cast) {
    t.tell("2028-01-20", "Example Shipping sells its fleet: 5 seats from today")
        .await;
    units(t, cast, 5).await;
    t.tell("2028-02-08", "Example Hosting comes back from 10 February")
        .await;
    order(t, cast, "reactivate", json!({"effective_date": "2028-02-10"})).await;
    ships(t, cast, "2028-02-29", "150").await;
    ships(t, cast, "2028-04-30", "1010").await;
    t.tell(
        "2028-05-03",
        "Example Shipping is charged for a training day, 450.00, and invoiced at once",
    )
    .await;
    let body =
        json!({"name": "Training day", "amount": "450.00", "period_start": "2028-05-03", "period_end": "2028-05-04"});
    let path = format!("/billstream/v1/contracts/{}/charges", cast.contract);
    t.doors.made(Door::Own, &path, &body).await;
    t.doors
        .ok(
            Door::Wingback,
            "POST",
            "/v1/c/invoice",
            &json!({"contract_id": cast.contract}),
        )
        .await;
    pays(t, "2028-05-10", 6, 12).await;
    ships(t, cast, "2028-07-31", "1750").await;
    t.tell("2028-10-20", "The gym's 18 months are over").await;
    pays(t, "2028-10-25", 13, 16).await;
    ships(t, cast, "2028-11-30", "80").await;
    t.on("2028-12-31").await;
    t.end_month().await;
}

/// The sums of what was told, beside what the doors say of it.
async fn totals(t: &mut Telling<'_>, cast: &Cast) {
    let mut text = format!("\n\n{}", heading("TOTALS OF THE TWO YEARS", '='));
    let names = [SHIPPING, HOSTING, GYM];
    text.push_str(&format!("\n{:<24}", ""));
    for name in names {
        text.push_str(&format!(" {name:>18}"));
    }
    let mut row = |what: &str, cell: &dyn Fn(&Account) -> String| {
        text.push_str(&format!("\n{what:<24}"));
        for name in names {
            text.push_str(&format!(" {:>18}", cell(&t.accounts[name])));
        }
    };
    row("currency", &|of| of.currency.clone());
    row("invoices or purchases", &|of| of.documents.to_string());
    row("sum of all lines", &|of| price(of.lines));
    row("tax", &|of| price(of.tax));
    row("sum of all totals", &|of| price(of.total));
    row("became credit", &|of| price(of.granted));
    row("paid from credit", &|of| price(of.used));
    row("credit that is left", &|of| price(of.granted - of.used));
    row("to pay", &|of| price(of.to_pay));
    row("marked as paid", &|of| price(of.paid));
    text.push('\n');
    t.text.push_str(&text);

    for (name, account) in &t.accounts {
        assert_eq!(
            account.lines + account.tax,
            account.total,
            "{name}: lines and tax are not the total"
        );
    }
    for (name, id) in [(SHIPPING, bare(&cast.customer)), (HOSTING, cast.account.as_str())] {
        let account = &t.accounts[name];
        let tenant = aggregates::id::TenantId::from_stored(&t.doors.test.tenant.tenant_id);
        let left = t
            .doors
            .test
            .app
            .credit_of(&tenant, id.parse().expect("an id"))
            .await
            .expect("a balance");
        let left: Decimal = left
            .iter()
            .map(|left| left.to_string().parse::<Decimal>().expect("an amount"))
            .sum();
        assert_eq!(
            account.granted,
            account.used + left,
            "{name}: credit is granted, used or left"
        );
        assert_eq!(account.total, account.to_pay + account.used - account.granted, "{name}");
    }
    listed(t, cast).await;
}

/// The dialects' own lists come to the same sums.
async fn listed(t: &Telling<'_>, cast: &Cast) {
    let sum = |rows: &Value, at: &str| -> Decimal {
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|row| decimal(row.pointer(at).expect("an amount"))).sum()
    };
    let path = format!("/v1/c/invoice?limit=1000&customer={}", cast.customer);
    let page = t.doors.get(Door::Wingback, &path).await;
    assert_eq!(sum(&page["hits"], "/invoice/total"), t.accounts[SHIPPING].total);
    let mut lines = Decimal::ZERO;
    for hit in page["hits"].as_array().expect("hits") {
        let path = format!("/v1/c/invoice/{}", hit["invoice"]["id"].as_str().expect("an id"));
        let whole = t.doors.get(Door::Wingback, &path).await;
        assert_eq!(whole["invoice"]["total"], whole["cost_summary"]["total_including_tax"]);
        lines += sum(&whole["invoice_lines"], "/total_excluding_tax");
    }
    assert_eq!(lines, t.accounts[SHIPPING].lines);
    let page = t
        .doors
        .get(Door::Exsited, &format!("/api/v3/orders/{}/invoices", cast.order))
        .await;
    assert_eq!(sum(&page["invoices"], "/total"), t.accounts[HOSTING].total);
    assert_eq!(sum(&page["invoices"], "/due"), t.accounts[HOSTING].to_pay);
    let mut purchases = Decimal::ZERO;
    for id in &t.purchases {
        let whole = t.doors.get(Door::Chip, &format!("/api/v1/purchases/{id}/")).await;
        purchases += Decimal::new(whole["purchase"]["total"].as_i64().expect("minor units"), 2);
    }
    assert_eq!(purchases, t.accounts[GYM].total);
}
