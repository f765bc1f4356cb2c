//! Where billing starts: `billing_start_date` and what belongs to it, of accounts and of orders.

use aggregates::{
    billing_start::{BillingStart, StartRule},
    calendar,
};
use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{Generation, error::ApiError, fields::Reader};

const RULES: [(&str, StartRule); 7] = [
    ("ORDER_START_DATE", StartRule::OrderStart),
    ("ORDER_ACTIVATION_DATE", StartRule::OrderActivation),
    ("DAY_OF_MONTH", StartRule::DayOfMonth),
    ("RATING_START_DATE", StartRule::RatingStart),
    ("SUBSCRIPTION_START_DATE", StartRule::SubscriptionStart),
    ("SUBSCRIPTION_ACTIVATION_DATE", StartRule::SubscriptionActivation),
    ("SUBSCRIPTION_ACCEPTANCE_DATE", StartRule::SubscriptionAcceptance),
];

fn rule(text: &str) -> Option<StartRule> {
    let mut rules = RULES.iter();
    rules.find_map(|(word, rule)| word.eq_ignore_ascii_case(text.trim()).then_some(*rule))
}

pub(super) fn word(rule: StartRule) -> &'static str {
    let mut rules = RULES.iter();
    rules
        .find_map(|(word, known)| (*known == rule).then_some(*word))
        .unwrap_or(RULES[0].0)
}

/// What an account says of the start of billing; `None` where it says nothing.
pub(super) fn of_account(reader: &mut Reader<'_>) -> Option<BillingStart> {
    let named = reader.text("billing_start_date");
    let rule = match named.as_deref().map(rule) {
        None => None,
        Some(Some(rule)) => Some(rule),
        // The vendor's code for a date, and for any other text that is no rule.
        Some(None) => {
            let message = "a rule such as ORDER_START_DATE was expected";
            reader.wrong("billing_start_date", "matches_invalid", message);
            None
        }
    };
    let day = day(reader);
    let aligned = reader
        .boolean("charging_and_billing_alignment")
        .or_else(|| reader.boolean("charges_aligned_to_billing"));
    start(reader, rule, day, aligned)
}

/// What an order says of its start: a day or a rule, and a day of the month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Start {
    pub date: Option<NaiveDate>,
    rule: Option<StartRule>,
    day: Option<u32>,
}

pub(super) fn of_order(reader: &mut Reader<'_>) -> Start {
    let text = reader.text("billing_start_date");
    let date = text.as_deref().and_then(calendar::iso_date);
    let rule = text.as_deref().and_then(rule);
    if text.is_some() && date.is_none() && rule.is_none() {
        let message = "a date as YYYY-MM-DD or a rule such as ORDER_START_DATE was expected";
        reader.wrong("billing_start_date", "invalid", message);
    }
    let day = day(reader);
    Start { date, rule, day }
}

impl Start {
    /// With what the account says for the rest. An order that names a day has no use for the account's rule; of a rule of
    /// its own, the account may know the day of the month.
    pub fn over(self, account: Option<BillingStart>) -> Result<Option<BillingStart>, ApiError> {
        if self == Self::default() {
            return Ok(account);
        }
        let known = account.unwrap_or_default();
        let (rule, inherited) = match (self.date, self.rule) {
            (Some(_), _) => (StartRule::default(), None),
            (None, Some(rule)) => (rule, known.day.filter(|_| rule == StartRule::DayOfMonth)),
            // UNCONFIRMED: what a day without the rule means; it is kept and shown.
            (None, None) => (known.rule, known.day),
        };
        let day = self.day.or(inherited);
        if rule == StartRule::DayOfMonth && day.is_none() {
            let message = format!("{DAY}: {NEEDS_DAY}");
            return Err(ApiError::field(DAY, "required", message));
        }
        Ok(Some(BillingStart {
            rule,
            day,
            aligned: known.aligned,
            dated: self.date.is_some(),
        }))
    }
}

const DAY: &str = "billing_start_day_of_month";
const NEEDS_DAY: &str = "DAY_OF_MONTH needs a day of the month";

fn start(
    reader: &mut Reader<'_>,
    rule: Option<StartRule>,
    day: Option<u32>,
    aligned: Option<bool>,
) -> Option<BillingStart> {
    if rule == Some(StartRule::DayOfMonth) && day.is_none() && reader.errors.is_empty() {
        reader.wrong(DAY, "required", NEEDS_DAY);
    }
    if rule.is_none() && day.is_none() && aligned.is_none() {
        return None;
    }
    // UNCONFIRMED: what a day without the rule means; it is kept and shown.
    let rule = rule.unwrap_or_default();
    Some(BillingStart {
        rule,
        day,
        aligned,
        dated: false,
    })
}

/// A number from 1 to 31, or as the vendor's labels have it: `1st of The Month`, `End of the Month`.
fn day(reader: &mut Reader<'_>) -> Option<u32> {
    let text = match reader.value(DAY)? {
        Value::Null => return None,
        Value::String(text) if text.trim().is_empty() => return None,
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let label = &text[digits.len()..];
    let labelled = [
        "",
        "st of the month",
        "nd of the month",
        "rd of the month",
        "th of the month",
    ]
    .contains(&label);
    let day = if text == "end of the month" {
        Some(31)
    } else {
        digits.parse().ok().filter(|day| labelled && (1..=31).contains(day))
    };
    if day.is_none() {
        reader.wrong(DAY, "invalid", "a day of the month from 1 to 31 was expected");
    }
    day
}

/// What an account's preferences show of it, in the names of each version.
pub(super) fn show(start: Option<BillingStart>, generation: Generation, map: &mut serde_json::Map<String, Value>) {
    let start = start.unwrap_or_default();
    let aligned = start.aligned.unwrap_or(true);
    let fields = match generation {
        Generation::Legacy => json!({
            "billing_start_date": word(start.rule),
            "billing_start_day_of_month": start.day.map(|day| day.to_string()),
            "charging_and_billing_alignment": aligned.to_string(),
        }),
        // UNCONFIRMED: what stands in those that an account cannot be given here.
        Generation::V4 => json!({
            "billing_start_date": word(start.rule),
            "billing_start_day_of_month": start.day,
            "charges_aligned_to_billing": aligned,
            "billing_mode": "IN_ADVANCE",
            "charging_period": "Same as billing period",
            "charging_start_date": word(start.rule),
            "communication_group": null,
            "event_profile": null,
        }),
    };
    if let Value::Object(fields) = fields {
        map.extend(fields);
    }
}
