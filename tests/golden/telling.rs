//! Moves the clock month by month, and writes down what happened and what was billed.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::page::{date, day, days, decimal, heading, line, number, price, sum, why};
use crate::support::doors::{Door, Doors};

/// What has been billed to one customer, as the text says it.
#[derive(Default)]
pub struct Account {
    pub currency: String,
    pub documents: usize,
    pub lines: Decimal,
    pub tax: Decimal,
    pub total: Decimal,
    pub granted: Decimal,
    pub used: Decimal,
    pub to_pay: Decimal,
    pub paid: Decimal,
}

pub struct Telling<'a> {
    pub doors: &'a Doors,
    pub text: String,
    /// What was written down this month before anything is billed.
    notes: Vec<String>,
    /// The first day of the month that is being told.
    month: NaiveDate,
    /// How much of the feed is told.
    told: i64,
    /// Names of customers by their ids, and what they were billed.
    pub names: BTreeMap<String, String>,
    pub accounts: BTreeMap<String, Account>,
    /// The purchases of the subscriber, oldest first.
    pub purchases: Vec<String>,
}

impl<'a> Telling<'a> {
    /// Begins with the month that this day is the first of.
    pub async fn from(doors: &'a Doors, first: &str) -> Self {
        doors.move_clock(&format!("{first}T00:00:00Z")).await;
        let (_, told) = doors.feed(0).await;
        Self {
            doors,
            text: String::new(),
            notes: Vec::new(),
            month: first.parse().expect("a date"),
            told,
            names: BTreeMap::new(),
            accounts: BTreeMap::new(),
            purchases: Vec::new(),
        }
    }

    /// Lets the time come to nine in the morning, UTC, of a day; months that end on the way are told.
    pub async fn on(&mut self, day: &str) {
        let to: NaiveDate = day.parse().expect("a date");
        while self.next_month() <= to {
            self.end_month().await;
        }
        self.doors.move_clock(&format!("{day}T09:00:00Z")).await;
    }

    pub fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// What happens on a day.
    pub async fn tell(&mut self, on: &str, what: &str) {
        self.on(on).await;
        let on: NaiveDate = on.parse().expect("a date");
        self.notes.push(format!("{:>11}  {what}", day(on)));
    }

    pub fn name(&mut self, id: &str, name: &str, currency: &str) {
        self.names.insert(id.to_owned(), name.to_owned());
        let account = self.accounts.entry(name.to_owned()).or_default();
        account.currency = currency.to_owned();
    }

    fn next_month(&self) -> NaiveDate {
        self.month + Months::new(1)
    }

    /// To the last second of the month, and everything that was billed in it.
    pub async fn end_month(&mut self) {
        let next = self.next_month();
        let end: DateTime<Utc> = next.and_hms_opt(0, 0, 0).expect("midnight").and_utc() - TimeDelta::seconds(1);
        let moved = self.doors.move_clock(&end.to_rfc3339()).await;
        assert!(moved.get("unbilled").is_none(), "{moved}");
        let title = self.month.format("%B %Y").to_string().to_uppercase();
        self.text.push_str(&format!("\n\n{}", heading(&title, '=')));
        for note in std::mem::take(&mut self.notes) {
            self.text.push_str(&format!("{note}\n"));
        }
        let (events, told) = self.doors.feed(self.told).await;
        self.told = told;
        let mut billed = 0;
        for event in events {
            let id = event["stream"]["id"].as_str().expect("an id");
            match event["type"].as_str().expect("a type") {
                "invoice.issued" => self.invoice(id).await,
                "purchase.created" => self.purchase(id).await,
                _ => continue,
            }
            billed += 1;
        }
        if billed == 0 {
            self.text.push_str("\nNothing was billed.\n");
        }
        self.month = next;
        assert!(self.month.year() < 2100);
    }

    fn whose(&self, id: &Value) -> String {
        let id = id.as_str().expect("an id");
        let bare = id.split_once('_').map_or(id, |(_, bare)| bare);
        self.names.get(bare).unwrap_or_else(|| panic!("who is {id}?")).clone()
    }

    async fn invoice(&mut self, id: &str) {
        let path = format!("/billstream/v1/invoices/{id}/explain");
        let invoice = self.doors.get(Door::Own, &path).await;
        let name = self.whose(&invoice["customer_id"]);
        let number_of = invoice["number"].as_u64().expect("a number");
        self.text.push_str(&format!(
            "\n{}   Invoice INV-{number_of:06}   {name}   due {}\n",
            day(date(&invoice["issue_date"])),
            day(date(&invoice["due_date"]))
        ));
        let mut net = Decimal::ZERO;
        for of in invoice["lines"].as_array().expect("lines") {
            let amount = decimal(&of["amount"]);
            net += amount;
            let end = of["period_end"].as_str().map(|end| end.parse().expect("a date"));
            let period = days(date(&of["period_start"]), end);
            let quantity = match of["explanation"]["quantity"].as_str() {
                Some(quantity) => number(quantity.parse::<Decimal>().expect("a quantity").normalize()),
                None => String::new(),
            };
            let title = of["name"].as_str().expect("a name");
            let text = line(title, &period, &quantity, &number(amount), &why(&of["explanation"]));
            self.text.push_str(&text);
        }
        let amount = |field: &str| decimal(&invoice[field]);
        let (tax, total) = (amount("tax"), amount("total"));
        let (granted, used, to_pay) = (amount("credit_granted"), amount("credit_applied"), amount("to_pay"));
        assert_eq!(net + tax, total, "{name}: lines and tax are not the total of {invoice}");
        assert_eq!(
            total + granted - used,
            to_pay,
            "{name}: credit does not explain what is to pay of {invoice}"
        );
        let currency = self.accounts[&name].currency.clone();
        assert_eq!(invoice["currency"], currency.as_str());
        if !tax.is_zero() {
            self.text.push_str(&sum("without tax", &number(net)));
            self.text.push_str(&sum("tax", &number(tax)));
        }
        self.text.push_str(&sum(&format!("total {currency}"), &number(total)));
        if !granted.is_zero() {
            self.text.push_str(&sum("becomes credit", &number(granted)));
        }
        if !used.is_zero() {
            self.text.push_str(&sum("paid from credit", &number(-used)));
        }
        if to_pay != total {
            self.text.push_str(&sum("to pay", &number(to_pay)));
        }
        let account = self.accounts.get_mut(&name).expect("an account");
        account.documents += 1;
        account.lines += net;
        account.tax += tax;
        account.total += total;
        account.granted += granted;
        account.used += used;
        account.to_pay += to_pay;
    }

    async fn purchase(&mut self, id: &str) {
        let purchase = self.doors.get(Door::Chip, &format!("/api/v1/purchases/{id}/")).await;
        let name = self.whose(&purchase["client_id"]);
        let due = DateTime::from_timestamp(purchase["due"].as_i64().expect("a time"), 0).expect("a time");
        let zone: aggregates::calendar::Tz = purchase["purchase"]["timezone"]
            .as_str()
            .expect("a zone")
            .parse()
            .expect("a zone");
        self.purchases.push(id.to_owned());
        self.text.push_str(&format!(
            "\n{}   Purchase {}   {name}   due {}   (cycle {})\n",
            day(date(&purchase["issued"])),
            purchase["reference_generated"].as_str().expect("a number"),
            day(due.with_timezone(&zone).date_naive()),
            self.purchases.len(),
        ));
        let (mut net, mut total) = (Decimal::ZERO, Decimal::ZERO);
        for product in purchase["purchase"]["products"].as_array().expect("products") {
            let cents = |field: &str| Decimal::new(product[field].as_i64().expect("minor units"), 2);
            let (quantity, each, off) = (
                decimal(&product["quantity"]).normalize(),
                cents("price"),
                cents("discount"),
            );
            let rate = decimal(&product["tax_percent"]).normalize();
            let before_tax = quantity * each - off;
            let with_tax = before_tax * (Decimal::ONE + rate / Decimal::ONE_HUNDRED);
            let with_tax = with_tax.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
            net += before_tax;
            total += with_tax;
            let mut why = format!("{} x {}", number(quantity), price(each));
            if !off.is_zero() {
                why.push_str(&format!(" - {} discount", price(off)));
            }
            if !rate.is_zero() {
                why.push_str(&format!(", with {rate} % tax"));
            }
            let title = product["name"].as_str().expect("a name");
            self.text
                .push_str(&line(title, "", &number(quantity), &price(with_tax), &why));
        }
        let stated = Decimal::new(purchase["purchase"]["total"].as_i64().expect("minor units"), 2);
        assert_eq!(total, stated, "{name}: the products are not the total of {purchase}");
        let currency = self.accounts[&name].currency.clone();
        assert_eq!(purchase["purchase"]["currency"], currency.as_str());
        self.text.push_str(&sum(&format!("total {currency}"), &price(total)));
        let account = self.accounts.get_mut(&name).expect("an account");
        account.documents += 1;
        account.lines += net;
        account.tax += total - net;
        account.total += total;
        account.to_pay += total;
    }
}
