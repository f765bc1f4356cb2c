//! How the record looks: plain, aligned text.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;

pub fn decimal(value: &Value) -> Decimal {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().unwrap_or_else(|_| panic!("{value} is no number"))
}

pub fn date(value: &Value) -> NaiveDate {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no date"));
    text.parse().unwrap_or_else(|_| panic!("{value} is no date"))
}

/// `15 Mar 2027`.
pub fn day(date: NaiveDate) -> String {
    date.format("%e %b %Y").to_string().trim_start().to_owned()
}

/// Both days are in it.
pub fn days(start: NaiveDate, end: Option<NaiveDate>) -> String {
    match end {
        None => format!("from {}", day(start)),
        Some(end) => {
            let last = end.pred_opt().expect("a day before");
            format!("{} - {}", day(start), day(last.max(start)))
        }
    }
}

/// With commas between thousands; as many decimal places as it has.
pub fn number(value: Decimal) -> String {
    let text = value.to_string();
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(whole, part)| (whole, Some(part)));
    let mut grouped = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{grouped}.{fraction}"),
        None => format!("{sign}{grouped}"),
    }
}

/// A price with at least two decimal places.
pub fn price(value: Decimal) -> String {
    let mut value = value.normalize();
    if value.scale() < 2 {
        value.rescale(2);
    }
    number(value)
}

/// One line of an invoice: what, when, how much, the amount, why.
pub fn line(name: &str, period: &str, quantity: &str, amount: &str, why: &str) -> String {
    let text = format!("    {name:<16} {period:<27} {quantity:>8} {amount:>11}   {why}");
    format!("{}\n", text.trim_end())
}

/// A sum under the lines.
pub fn sum(what: &str, amount: &str) -> String {
    format!("    {what:>53} {amount:>11}\n")
}

pub fn heading(text: &str, rule: char) -> String {
    format!("{text}\n{}\n", rule.to_string().repeat(text.len()))
}

/// Why an amount is what it is, from its explanation.
pub fn why(explanation: &Value) -> String {
    if explanation.is_null() {
        return "charged by hand".to_owned();
    }
    let (numerator, denominator) = (decimal(&explanation["numerator"]), decimal(&explanation["denominator"]));
    let full = decimal(&explanation["full_price"]);
    let before = &explanation["correction"]["billed_before"];
    let before = (!before.is_null()).then(|| format!("; {} was billed before", price(decimal(before))));
    let whole = numerator.abs() == denominator && before.is_none();
    let before = before.unwrap_or_default();
    let share = |what: &str| {
        let part = format!("{} of {denominator} days", numerator.abs());
        match explanation["notional"].as_object() {
            Some(notional) => {
                let whole = days(date(&notional["start"]), Some(date(&notional["end"])));
                format!("{what} {} x {part} ({whole}){before}", price(full))
            }
            None => format!("{what} {} x {part}{before}", price(full)),
        }
    };
    let each = decimal(&explanation["quantity"]);
    match explanation["reason"].as_str().expect("a reason") {
        "trial" => "free trial".to_owned(),
        "one_off" => "once".to_owned(),
        "period" if whole && each == Decimal::ONE => "the full period".to_owned(),
        "period" if whole => format!("the full period, {} each", price(full / each)),
        "period" => share("part of a period:"),
        "unused" if whole => "not used, given back: the full period".to_owned(),
        "unused" => share("not used, given back:"),
        "usage" => tiers(explanation),
        "usage_correction" => format!("{}{before}", tiers(explanation)),
        other => panic!("no words for {other}"),
    }
}

fn tiers(explanation: &Value) -> String {
    let steps = explanation["steps"].as_array().map_or(&[][..], Vec::as_slice);
    let steps = steps.iter().filter(|step| !decimal(&step["amount"]).is_zero());
    let words: Vec<String> = steps
        .map(|step| {
            let (units, each) = (decimal(&step["quantity"]), decimal(&step["unit"]));
            let mut word = format!("{} x {}", number(units.normalize()), price(each));
            let flat = decimal(&step["flat"]);
            if !flat.is_zero() {
                word.push_str(&format!(" + {}", price(flat)));
            }
            word
        })
        .collect();
    if words.is_empty() {
        "nothing used".to_owned()
    } else {
        words.join(" + ")
    }
}
