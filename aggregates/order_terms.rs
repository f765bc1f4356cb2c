//! Billing preferences of an order: named terms, periods and modes, and the dates that follow from them.

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::{
    calendar::{self, Period, PeriodUnit},
    subscription::Cycle,
};

pub use crate::{
    line_billing::{LineBilling, LineBillingChanges},
    order_catalogue as catalogue,
};

/// Who takes the step: the engine by itself, or a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Automatic,
    Manual,
}

/// From which date a payment term counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// The start of the billing period; its end where it is billed in arrears.
    BillingDate,
    /// The day the invoice is issued.
    InvoiceDate,
}

/// A named number of days, or of months. They are kept with the name, so that an event explains itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    pub name: String,
    pub days: i64,
    /// Where it counts months, which days do not tell. An invoice term has none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub months: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(months: &u32) -> bool {
    *months == 0
}

impl Term {
    /// The day so long after another one. The calendar's ends hold what would lie beyond them.
    pub fn after(&self, date: NaiveDate) -> NaiveDate {
        let months = calendar::after(date, PeriodUnit::Month, self.months);
        days_after(months.unwrap_or(NaiveDate::MAX), self.days)
    }
}

/// A named length of a billing period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingPeriod {
    pub name: String,
    pub unit: PeriodUnit,
    pub count: u32,
}

/// How an order is invoiced, paid and fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a preference of its own")]
pub struct OrderBillingPreferences {
    pub communication_profile: String,
    pub invoice_mode: Mode,
    pub invoice_term: Term,
    pub billing_period: BillingPeriod,
    pub consolidate_invoice: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consolidate_key: Option<String>,
    pub payment_processor: String,
    pub payment_mode: Mode,
    pub payment_term: Term,
    pub payment_term_alignment: Alignment,
    pub fulfillment_mode: Mode,
    pub fulfillment_term: Term,
    pub pro_rata_partial_charging_period: bool,
    pub pro_rata_partial_pricing_period: bool,
    pub pro_rata_partial_unit: bool,
}

/// What an instance starts with.
impl Default for OrderBillingPreferences {
    fn default() -> Self {
        let term = |name: &str, days| Term {
            name: name.to_owned(),
            days,
            months: 0,
        };
        Self {
            communication_profile: "DEFAULT".to_owned(),
            invoice_mode: Mode::Automatic,
            invoice_term: term("Billing Start Date", 0),
            billing_period: BillingPeriod {
                name: "1 Month".to_owned(),
                unit: PeriodUnit::Month,
                count: 1,
            },
            consolidate_invoice: false,
            consolidate_key: None,
            payment_processor: "Cash".to_owned(),
            payment_mode: Mode::Manual,
            payment_term: term("Net 30", 30),
            payment_term_alignment: Alignment::BillingDate,
            fulfillment_mode: Mode::Manual,
            fulfillment_term: term("Immediately", 0),
            pro_rata_partial_charging_period: false,
            pro_rata_partial_pricing_period: false,
            pro_rata_partial_unit: false,
        }
    }
}

impl OrderBillingPreferences {
    /// Orders of the account of which this is the same share their invoices, where they share any: it is made of the key,
    /// and of who collects what is paid automatically.
    pub fn consolidation(&self) -> Option<String> {
        let key = self.consolidate_key.as_deref().unwrap_or_default();
        // Names of processors are those of the catalogue: none is blank.
        let processor = match self.payment_mode {
            Mode::Automatic => self.payment_processor.as_str(),
            Mode::Manual => "",
        };
        self.consolidate_invoice.then(|| format!("{processor}/{key}"))
    }

    /// The day the invoice is issued of what is billed from that day on.
    pub fn issue_date(&self, billing_start: NaiveDate) -> NaiveDate {
        self.invoice_term.after(billing_start)
    }

    /// The day it must be paid: never before it is issued.
    pub fn due_date(&self, billing_start: NaiveDate) -> NaiveDate {
        let issue = self.issue_date(billing_start);
        let base = match self.payment_term_alignment {
            Alignment::BillingDate => billing_start,
            Alignment::InvoiceDate => issue,
        };
        self.payment_term.after(base).max(issue)
    }

    /// The day on which what is issued then must be paid, where that counts from the issue.
    pub fn due_date_from_issue(&self, issue_date: NaiveDate) -> Option<NaiveDate> {
        match self.payment_term_alignment {
            Alignment::BillingDate => None,
            Alignment::InvoiceDate => Some(self.payment_term.after(issue_date).max(issue_date)),
        }
    }

    /// The day on which what a period is billed for is to be delivered.
    pub fn fulfilment_date(&self, period: Period) -> NaiveDate {
        self.fulfillment_term.after(period.start)
    }
}

/// How long the charging periods of a line are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargingPeriod {
    SameAsBilling,
    Own(BillingPeriod),
}

/// The calendar's ends hold what would lie beyond them.
fn days_after(date: NaiveDate, days: i64) -> NaiveDate {
    let end = if days < 0 { NaiveDate::MIN } else { NaiveDate::MAX };
    TimeDelta::try_days(days)
        .and_then(|days| date.checked_add_signed(days))
        .unwrap_or(end)
}

impl BillingPeriod {
    pub fn cycle(&self) -> Cycle {
        match self.unit {
            PeriodUnit::Day => Cycle::Day,
            PeriodUnit::Week => Cycle::Week,
            PeriodUnit::Month => Cycle::Month,
            PeriodUnit::Quarter => Cycle::Quarter,
            PeriodUnit::Year => Cycle::Year,
        }
    }

    /// Where the first period that starts after `today` starts, counted from `anchor`: the day after the end of the
    /// period that `today` lies in. `None` when the calendar ends.
    pub fn next_after(&self, anchor: NaiveDate, today: NaiveDate) -> Option<NaiveDate> {
        let start = |n: u32| calendar::after(anchor, self.unit, self.count.checked_mul(n)?);
        let (mut low, mut high) = (0, 4_000_000_u32.checked_div(self.count)?);
        while low < high {
            let middle = low + (high - low) / 2;
            if start(middle).is_none_or(|start| start > today) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        start(low)
    }
}

/// Preferences as far as somebody has named them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBillingChanges {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub communication_profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_mode: Option<Mode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_term: Option<Term>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_period: Option<BillingPeriod>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consolidate_invoice: Option<bool>,
    /// Blank text takes the key away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consolidate_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_processor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_mode: Option<Mode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_term: Option<Term>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_term_alignment: Option<Alignment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfillment_mode: Option<Mode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfillment_term: Option<Term>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pro_rata_partial_charging_period: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pro_rata_partial_pricing_period: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pro_rata_partial_unit: Option<bool>,
}

impl OrderBillingChanges {
    pub fn names_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What is otherwise in `after`.
    pub fn between(before: &OrderBillingPreferences, after: &OrderBillingPreferences) -> Self {
        fn named<T: Clone + PartialEq>(before: &T, after: &T) -> Option<T> {
            (before != after).then(|| after.clone())
        }
        Self {
            communication_profile: named(&before.communication_profile, &after.communication_profile),
            invoice_mode: named(&before.invoice_mode, &after.invoice_mode),
            invoice_term: named(&before.invoice_term, &after.invoice_term),
            billing_period: named(&before.billing_period, &after.billing_period),
            consolidate_invoice: named(&before.consolidate_invoice, &after.consolidate_invoice),
            consolidate_key: named(&before.consolidate_key, &after.consolidate_key).map(Option::unwrap_or_default),
            payment_processor: named(&before.payment_processor, &after.payment_processor),
            payment_mode: named(&before.payment_mode, &after.payment_mode),
            payment_term: named(&before.payment_term, &after.payment_term),
            payment_term_alignment: named(&before.payment_term_alignment, &after.payment_term_alignment),
            fulfillment_mode: named(&before.fulfillment_mode, &after.fulfillment_mode),
            fulfillment_term: named(&before.fulfillment_term, &after.fulfillment_term),
            pro_rata_partial_charging_period: named(
                &before.pro_rata_partial_charging_period,
                &after.pro_rata_partial_charging_period,
            ),
            pro_rata_partial_pricing_period: named(
                &before.pro_rata_partial_pricing_period,
                &after.pro_rata_partial_pricing_period,
            ),
            pro_rata_partial_unit: named(&before.pro_rata_partial_unit, &after.pro_rata_partial_unit),
        }
    }

    /// What is named, where that is what is supposed of it.
    #[must_use]
    pub fn where_supposed(self, supposed: &Self) -> Self {
        fn as_supposed<T>(named: Option<T>, supposed: Option<T>) -> Option<T> {
            named.map(|named| supposed.unwrap_or(named))
        }
        let supposed = supposed.clone();
        Self {
            communication_profile: as_supposed(self.communication_profile, supposed.communication_profile),
            invoice_mode: as_supposed(self.invoice_mode, supposed.invoice_mode),
            invoice_term: as_supposed(self.invoice_term, supposed.invoice_term),
            billing_period: as_supposed(self.billing_period, supposed.billing_period),
            consolidate_invoice: as_supposed(self.consolidate_invoice, supposed.consolidate_invoice),
            consolidate_key: as_supposed(self.consolidate_key, supposed.consolidate_key),
            payment_processor: as_supposed(self.payment_processor, supposed.payment_processor),
            payment_mode: as_supposed(self.payment_mode, supposed.payment_mode),
            payment_term: as_supposed(self.payment_term, supposed.payment_term),
            payment_term_alignment: as_supposed(self.payment_term_alignment, supposed.payment_term_alignment),
            fulfillment_mode: as_supposed(self.fulfillment_mode, supposed.fulfillment_mode),
            fulfillment_term: as_supposed(self.fulfillment_term, supposed.fulfillment_term),
            pro_rata_partial_charging_period: as_supposed(
                self.pro_rata_partial_charging_period,
                supposed.pro_rata_partial_charging_period,
            ),
            pro_rata_partial_pricing_period: as_supposed(
                self.pro_rata_partial_pricing_period,
                supposed.pro_rata_partial_pricing_period,
            ),
            pro_rata_partial_unit: as_supposed(self.pro_rata_partial_unit, supposed.pro_rata_partial_unit),
        }
    }

    /// What was named, laid over what holds otherwise.
    pub fn over(self, base: &OrderBillingPreferences) -> OrderBillingPreferences {
        let base = base.clone();
        OrderBillingPreferences {
            communication_profile: self.communication_profile.unwrap_or(base.communication_profile),
            invoice_mode: self.invoice_mode.unwrap_or(base.invoice_mode),
            invoice_term: self.invoice_term.unwrap_or(base.invoice_term),
            billing_period: self.billing_period.unwrap_or(base.billing_period),
            consolidate_invoice: self.consolidate_invoice.unwrap_or(base.consolidate_invoice),
            consolidate_key: match self.consolidate_key {
                Some(key) => Some(key).filter(|key| !key.trim().is_empty()),
                None => base.consolidate_key,
            },
            payment_processor: self.payment_processor.unwrap_or(base.payment_processor),
            payment_mode: self.payment_mode.unwrap_or(base.payment_mode),
            payment_term: self.payment_term.unwrap_or(base.payment_term),
            payment_term_alignment: self.payment_term_alignment.unwrap_or(base.payment_term_alignment),
            fulfillment_mode: self.fulfillment_mode.unwrap_or(base.fulfillment_mode),
            fulfillment_term: self.fulfillment_term.unwrap_or(base.fulfillment_term),
            pro_rata_partial_charging_period: self
                .pro_rata_partial_charging_period
                .unwrap_or(base.pro_rata_partial_charging_period),
            pro_rata_partial_pricing_period: self
                .pro_rata_partial_pricing_period
                .unwrap_or(base.pro_rata_partial_pricing_period),
            pro_rata_partial_unit: self.pro_rata_partial_unit.unwrap_or(base.pro_rata_partial_unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn preferences(invoice: &str, payment: &str, alignment: Alignment) -> OrderBillingPreferences {
        let term = |terms, name| catalogue::find(terms, |term: &Term| &term.name, name).unwrap();
        OrderBillingPreferences {
            invoice_term: term(catalogue::invoice_terms(), invoice),
            payment_term: term(catalogue::payment_terms(), payment),
            payment_term_alignment: alignment,
            ..OrderBillingPreferences::default()
        }
    }

    #[test]
    fn issue_and_due_dates_follow_the_terms() {
        use Alignment::{BillingDate, InvoiceDate};
        for (invoice, payment, alignment, issue, due) in [
            ("Billing Start Date", "Net 30", BillingDate, "2026-10-01", "2026-10-31"),
            ("Billing Start Date", "Net 30", InvoiceDate, "2026-10-01", "2026-10-31"),
            ("Net -7", "Net 30", BillingDate, "2026-09-24", "2026-10-31"),
            ("Net -7", "Net 30", InvoiceDate, "2026-09-24", "2026-10-24"),
            ("Net -7", "Due on Receipt", BillingDate, "2026-09-24", "2026-10-01"),
            ("Net 7", "Due on Receipt", BillingDate, "2026-10-08", "2026-10-08"),
        ] {
            let preferences = preferences(invoice, payment, alignment);
            let start = date("2026-10-01");
            let dates = (preferences.issue_date(start), preferences.due_date(start));
            assert_eq!(dates, (date(issue), date(due)), "{invoice}, {payment}, {alignment:?}");
        }
    }

    #[test]
    fn the_ends_of_the_calendar_hold() {
        let preferences = preferences("Net 90", "Net 90", Alignment::InvoiceDate);
        assert_eq!(preferences.due_date(NaiveDate::MAX), NaiveDate::MAX);
    }

    #[test]
    fn names_are_found_in_any_case_and_nothing_else_is() {
        assert_eq!(catalogue::billing_period(" 12 MONTH ").unwrap().name, "12 Month");
        assert_eq!(catalogue::billing_period("18 months").unwrap().name, "18 Month");
        for unknown in [
            "0 Month",
            "121 Month",
            "11 Year",
            "Net 7",
            "+1 Month",
            "1 2 Month",
            "",
            "Month",
        ] {
            assert_eq!(catalogue::billing_period(unknown), None, "{unknown}");
        }
        for period in catalogue::billing_periods() {
            assert_eq!(catalogue::billing_period(&period.name), Some(period));
        }
    }

    #[test]
    fn terms_that_are_not_listed_are_read_as_they_are_written() {
        let after =
            |term: Option<Term>| term.map(|term| (term.name.clone(), term.after(date("2026-01-31")).to_string()));
        let says = |name: &str, day: &str| Some((name.to_owned(), day.to_owned()));
        assert_eq!(after(catalogue::payment_term("net 45")), says("Net 45", "2026-03-17"));
        assert_eq!(after(catalogue::payment_term("2 weeks")), says("2 Week", "2026-02-14"));
        assert_eq!(after(catalogue::payment_term("1 Month")), says("1 Month", "2026-02-28"));
        assert_eq!(
            after(catalogue::fulfillment_term("1 quarter")),
            says("1 Quarter", "2026-04-30")
        );
        assert_eq!(after(catalogue::invoice_term("Net -3")), says("Net -3", "2026-01-28"));
        for unknown in [
            "Net",
            "Net 0",
            "Net +5",
            "Net 1.5",
            "Net --7",
            "Net 3651",
            "0 Day",
            "2 Fortnight",
            "-2 Day",
        ] {
            for term in [
                catalogue::payment_term,
                catalogue::invoice_term,
                catalogue::fulfillment_term,
            ] {
                assert_eq!(term(unknown), None, "{unknown}");
            }
        }
        assert_eq!(catalogue::payment_term("Net -7"), None);
        assert_eq!(catalogue::invoice_term("1 Month"), None);
    }

    #[test]
    fn a_term_of_days_is_stored_as_it_always_was() {
        let stored = serde_json::to_value(catalogue::payment_term("Net 30").unwrap()).unwrap();
        assert_eq!(stored, serde_json::json!({"name": "Net 30", "days": 30}));
    }

    #[test]
    fn the_next_period_starts_where_the_present_one_ends() {
        let monthly = OrderBillingPreferences::default().billing_period;
        let anchor = date("2024-08-06");
        for (today, next) in [
            ("2024-08-05", "2024-08-06"),
            ("2024-08-06", "2024-09-06"),
            ("2024-09-05", "2024-09-06"),
            ("2024-09-06", "2024-10-06"),
        ] {
            assert_eq!(monthly.next_after(anchor, date(today)), Some(date(next)), "{today}");
        }
        let clamped = monthly.next_after(date("2026-01-31"), date("2026-02-28"));
        assert_eq!(clamped, Some(date("2026-03-31")));
        assert_eq!(monthly.next_after(anchor, NaiveDate::MAX), None);
    }

    #[test]
    fn what_is_not_named_stays_and_a_blank_key_goes() {
        let base = OrderBillingPreferences {
            consolidate_key: Some("A".to_owned()),
            ..OrderBillingPreferences::default()
        };
        assert_eq!(OrderBillingChanges::default().over(&base), base);
        let blank = OrderBillingChanges {
            consolidate_key: Some(" ".to_owned()),
            ..OrderBillingChanges::default()
        };
        assert_eq!(blank.over(&base), OrderBillingPreferences::default());
    }
}
