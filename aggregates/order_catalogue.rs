//! The names an instance lists, and those that are made as they are: `Net 45`, `2 Week`. Names are found in any case and
//! kept as they are written here.

use crate::{
    calendar::PeriodUnit,
    message::{Channel, Notice, Occasion},
    named_terms::Named,
    order_terms::{BillingPeriod, Term},
};

const NET_DAYS: [i64; 7] = [7, 14, 15, 21, 30, 60, 90];
/// The names of communication profiles, and which templates their mails are made of, where they have any.
// UNCONFIRMED: how the profile is called by which nothing is mailed.
const PROFILES: [(&str, Option<&str>); 3] = [
    ("DEFAULT", Some("default")),
    ("AutoBill Communication Profile", Some("autobill")),
    ("No Communication", None),
];
const PROCESSORS: [&str; 6] = ["Cash", "Cheque", "Stripe", "Bank Transfer", "Bank Deposit", "securepay"];

pub fn invoice_terms() -> Vec<Term> {
    let early = NET_DAYS.map(|days| net(-days));
    let late = NET_DAYS.map(net);
    [vec![named("Billing Start Date", 0)], late.to_vec(), early.to_vec()].concat()
}

pub fn payment_terms() -> Vec<Term> {
    [vec![named("Due on Receipt", 0)], NET_DAYS.map(net).to_vec()].concat()
}

pub fn fulfillment_terms() -> Vec<Term> {
    [vec![named("Immediately", 0)], NET_DAYS.map(net).to_vec()].concat()
}

pub fn billing_periods() -> Vec<BillingPeriod> {
    let period = |unit, word: &str, count| BillingPeriod {
        name: format!("{count} {word}"),
        unit,
        count,
    };
    let short = [period(PeriodUnit::Day, "Day", 1), period(PeriodUnit::Week, "Week", 1)];
    let months = (1..=12).map(|count| period(PeriodUnit::Month, "Month", count));
    let years = (1..=10).map(|count| period(PeriodUnit::Year, "Year", count));
    short.into_iter().chain(months).chain(years).collect()
}

pub fn communication_profiles() -> Vec<String> {
    PROFILES.map(|(name, _)| name.to_owned()).to_vec()
}

/// How the profile of that name tells something; `None` where it does not.
pub fn notice(profile: &str, occasion: Occasion) -> Option<Notice> {
    let known = PROFILES.iter().find(|(name, _)| *name == profile);
    let (_, templates) = known?;
    let template = match occasion {
        Occasion::Invoice => "invoice",
        Occasion::PaymentFailed => "payment_failed",
    };
    Some(Notice {
        profile: profile.to_owned(),
        channel: Channel::Email,
        template: format!("{}/{template}", (*templates)?),
    })
}

pub fn payment_processors() -> Vec<String> {
    PROCESSORS.map(str::to_owned).to_vec()
}

/// The term of that name: one of the list, or `Net 10`, `Net -10`, `10 Day`, `2 Week`.
pub fn invoice_term(name: &str) -> Option<Term> {
    let listed = find(invoice_terms(), |term| &term.name, name);
    listed.or_else(|| {
        let term = Named::read(name)?.term()?;
        (term.months == 0).then_some(term)
    })
}

/// The term of that name: one of the list, or `Net 10`, `10 Day`, `2 Week`, `1 Month`, `1 Quarter`, `1 Year`.
pub fn payment_term(name: &str) -> Option<Term> {
    find(payment_terms(), |term| &term.name, name).or_else(|| later(name))
}

/// As [`payment_term`].
pub fn fulfillment_term(name: &str) -> Option<Term> {
    find(fulfillment_terms(), |term| &term.name, name).or_else(|| later(name))
}

fn later(name: &str) -> Option<Term> {
    let term = Named::read(name)?.term()?;
    (term.days >= 0).then_some(term)
}

/// The period of that name: `10 Day`, `2 Week`, `18 Month`, `1 Quarter`, `3 Year`.
pub fn billing_period(name: &str) -> Option<BillingPeriod> {
    Named::read(name)?.period()
}

/// The record that is called so, whatever the case and the space around it.
pub fn find<T>(records: Vec<T>, name: impl Fn(&T) -> &str, wanted: &str) -> Option<T> {
    let wanted = wanted.trim();
    records
        .into_iter()
        .find(|record| name(record).eq_ignore_ascii_case(wanted))
}

fn net(days: i64) -> Term {
    named(&format!("Net {days}"), days)
}

fn named(name: &str, days: i64) -> Term {
    Term {
        name: name.to_owned(),
        days,
        months: 0,
    }
}
