//! The worked examples of the billing rules, by their numbers. 16 and 17 are about stored invoices and the scheduler; 18
//! is the documented sum of purchases, and is tested with it.

use super::*;
use crate::{
    billing::{
        Balance, Draft, DraftLine, PaymentRefused, TaxLevel, TaxPolicy, draft, price::Limits, price::Tier, settle,
    },
    id::SubscriptionId,
    money::Money,
};

fn invoice(account: &Account, charges: &[Accrued], tax: TaxPolicy, credit: Money) -> Draft {
    let subscription = SubscriptionId(Uuid::nil());
    let line = |charge: &Accrued| DraftLine {
        tax_policy: tax,
        ..DraftLine::of(subscription, charge)
    };
    draft(account.currency, charges.iter().map(line).collect(), credit).unwrap()
}

fn usd(text: &str) -> Money {
    Money::parse(text, Currency::USD).unwrap()
}

#[test]
fn example_01_a_trial_then_a_change_at_period_end() {
    let trial = monthly(1, "0", "2012-02-01").of_kind(Kind::Trial).until("2012-03-02");
    let first = monthly(2, "599.95", "2012-03-02").anchored("2012-01-31");
    let mut account = account([trial, first]);
    assert_eq!(account.bill("2012-02-01"), ["02-01->03-02 0.00"]);
    assert_eq!(account.bill("2012-03-02"), ["03-02->03-31 561.24"]);
    let second = monthly(3, "29.95", "2012-03-31").anchored("2012-01-31");
    account.change(2, "2012-03-31", second);
    assert_eq!(account.bill("2012-03-30"), [""; 0]);
    assert_eq!(
        account.bill("2012-06-30"),
        [
            "03-31->04-30 29.95",
            "04-30->05-31 29.95",
            "05-31->06-30 29.95",
            "06-30->07-31 29.95"
        ]
    );
}

#[test]
fn example_02_month_ends_clamp_and_come_back() {
    let mut account = account([monthly(1, "10", "2022-12-31").in_arrears()]);
    let days = date("2022-12-31")
        .iter_days()
        .take_while(|day| *day <= date("2024-04-29"));
    let billed: Vec<NaiveDate> = days.filter(|day| !account.bill_on(*day).is_empty()).collect();
    let expected = [
        "2023-01-31",
        "2023-02-28",
        "2023-03-31",
        "2023-04-30",
        "2023-05-31",
        "2023-06-30",
        "2023-07-31",
        "2023-08-31",
        "2023-09-30",
        "2023-10-31",
        "2023-11-30",
        "2023-12-31",
        "2024-01-31",
        "2024-02-29",
        "2024-03-31",
    ];
    assert_eq!(billed, expected.map(date));
}

#[test]
fn example_03_a_stub_of_one_day_after_a_trial() {
    let trial = monthly(1, "0", "2012-02-01").of_kind(Kind::Trial).until("2012-03-02");
    let paid = monthly(2, "599.95", "2012-03-02").anchored("2012-03-03");
    let mut account = account([trial, paid]);
    account.bill("2012-02-01");
    assert_eq!(
        account.bill("2012-03-03"),
        ["03-02->03-03 20.69", "03-03->04-03 599.95"]
    );
}

#[test]
fn example_04_change_mid_month_gives_credit() {
    let mut account = account([monthly(1, "599.95", "2012-05-01")]);
    assert_eq!(account.bill("2012-05-01"), ["05-01->06-01 599.95"]);

    account.change(1, "2012-05-07", monthly(2, "9.95", "2012-05-07").anchored("2012-05-01"));
    let charges = account.bill_on(date("2012-05-07"));
    assert_eq!(
        charges.iter().map(line).collect::<Vec<_>>(),
        ["05-07->06-01 8.02", "05-07->06-01 -483.83"]
    );
    let down = invoice(&account, &charges, TaxPolicy::default(), usd("0"));
    assert_eq!(down.settlement.credit_granted, usd("475.81"));
    assert_eq!(down.settlement.to_pay, usd("0"));

    account.change(
        2,
        "2012-05-08",
        monthly(3, "29.95", "2012-05-08").anchored("2012-05-01"),
    );
    let charges = account.bill_on(date("2012-05-08"));
    assert_eq!(
        charges.iter().map(line).collect::<Vec<_>>(),
        ["05-08->06-01 23.19", "05-08->06-01 -7.70"]
    );
    let up = invoice(&account, &charges, TaxPolicy::default(), usd("475.81"));
    assert_eq!(up.settlement.credit_applied, usd("15.49"));
    assert_eq!(
        usd("475.81").checked_sub(up.settlement.credit_applied),
        Ok(usd("460.32"))
    );
}

#[test]
fn example_05_a_year_given_back_on_its_first_day() {
    let year = monthly(1, "2399.95", "2012-05-01").every(PeriodUnit::Year, 1);
    let mut account = account([year]);
    account.bill("2012-05-01");
    account.change(1, "2012-05-01", monthly(2, "249.95", "2012-05-01"));
    let charges = account.bill_on(date("2012-05-01"));
    let lines: Vec<_> = charges.iter().map(line).collect();
    assert_eq!(lines, ["05-01->06-01 249.95", "05-01->05-01 -2399.95"]);
    let first = invoice(&account, &charges, TaxPolicy::default(), usd("0"));
    assert_eq!(first.settlement.credit_granted, usd("2150.00"));
    let june = account.bill_on(date("2012-06-01"));
    let second = invoice(&account, &june, TaxPolicy::default(), usd("2150.00"));
    assert_eq!((second.total, second.settlement.to_pay), (usd("249.95"), usd("0")));
}

#[test]
fn example_06_a_stub_before_the_anchor() {
    let trial = monthly(1, "0", "2012-03-06").of_kind(Kind::Trial).until("2012-04-05");
    let paid = monthly(2, "9.95", "2012-04-05").anchored("2012-04-15");
    let mut account = account([trial, paid]);
    account.bill("2012-03-06");
    assert_eq!(account.bill("2012-04-05"), ["04-05->04-15 3.21"]);
}

#[test]
fn example_07_a_pause_gives_credit_that_pays_the_rest() {
    let mut account = account([monthly(1, "249.95", "2012-03-02")]);
    assert_eq!(account.bill("2012-03-02"), ["03-02->04-02 249.95"]);
    account.end(1, "2012-03-04");
    assert_eq!(account.bill("2012-03-04"), ["03-04->04-02 -233.82"]);
    assert_eq!(account.bill("2012-04-04"), [""; 0]);
    account
        .phases
        .push(monthly(2, "249.95", "2012-04-05").anchored("2012-03-02"));
    let charges = account.bill_on(date("2012-04-05"));
    assert_eq!(charges.iter().map(line).collect::<Vec<_>>(), ["04-05->05-02 224.96"]);
    let resumed = invoice(&account, &charges, TaxPolicy::default(), usd("233.82"));
    assert_eq!(resumed.settlement.credit_applied, usd("224.96"));
    assert_eq!(resumed.settlement.to_pay, usd("0"));
}

#[test]
fn example_08_a_credit_pays_what_is_open_and_then_the_next_invoice() {
    let granted = usd("300.00");
    let unpaid = settle(usd("249.95"), granted).unwrap();
    assert_eq!(unpaid.to_pay, usd("0"));
    let left = granted.checked_sub(unpaid.credit_applied).unwrap();
    assert_eq!(left, usd("50.05"));
    assert_eq!(settle(usd("249.95"), left).unwrap().to_pay, usd("199.90"));
}

/// One-off lines of one day.
fn one_offs(amounts: &[&str], rate: &str) -> Account {
    let phases = amounts.iter().zip(1..).map(|(amount, number)| {
        let mut phase = monthly(number, amount, "2026-01-01").of_kind(Kind::OneOff);
        phase.tax_rate = Some(super::number(rate));
        phase
    });
    account(phases)
}

fn net_tax_total(mut account: Account, level: TaxLevel) -> [String; 3] {
    let charges = account.bill_on(date("2026-01-01"));
    let policy = TaxPolicy {
        level,
        ..TaxPolicy::default()
    };
    let none = Money::zero(account.currency);
    let draft = invoice(&account, &charges, policy, none);
    [draft.net, draft.tax, draft.total].map(|amount| amount.to_string())
}

#[test]
fn example_09_tax_of_the_invoice_and_of_its_lines_differ() {
    let lines = || one_offs(&["68.33", "68.33"], "20");
    assert_eq!(net_tax_total(lines(), TaxLevel::Invoice), ["136.66", "27.33", "163.99"]);
    assert_eq!(net_tax_total(lines(), TaxLevel::Line), ["136.66", "27.34", "164.00"]);
}

#[test]
fn example_10_each_line_is_rounded_once() {
    let six_and_two = ["0.004", "0.004", "0.004", "0.004", "0.004", "0.004", "0.01", "0.01"];
    let few = one_offs(&six_and_two, "40");
    assert_eq!(net_tax_total(few, TaxLevel::Invoice), ["0.02", "0.01", "0.03"]);
    let many = one_offs(&["0.014"; 8], "40");
    assert_eq!(net_tax_total(many, TaxLevel::Invoice), ["0.08", "0.03", "0.11"]);
}

#[test]
fn example_11_currencies_have_their_own_minor_units() {
    let stub = |currency, amount| {
        let mut phase = monthly(1, amount, "2012-04-05").anchored("2012-04-15");
        phase.tax_rate = Some(number("5"));
        let mut account = account([phase]);
        account.currency = currency;
        account
    };
    let yen = stub(Currency::JPY, "1000").bill("2012-04-05");
    assert_eq!(yen, ["04-05->04-15 323"]);
    let mut dinar = stub(Currency::KWD, "10.000");
    let charges = dinar.bill_on(date("2012-04-05"));
    let none = Money::zero(Currency::KWD);
    let draft = invoice(&dinar, &charges, TaxPolicy::default(), none);
    let sums = [draft.net, draft.tax, draft.total].map(|amount| amount.to_string());
    assert_eq!(sums, ["3.226", "0.161", "3.387"]);

    let parts = |money: Money, weights: &[u32]| -> Vec<String> {
        money.split(weights).iter().map(ToString::to_string).collect()
    };
    assert_eq!(parts(usd("100.00"), &[1, 2, 3]), ["16.67", "33.33", "50.00"]);
    assert_eq!(parts(Money::new(5, Currency::JPY), &[1, 1, 1]), ["2", "2", "1"]);
}

#[test]
fn example_12_graduated_tiers_with_flat_fees() {
    let tier = |up_to: Option<i64>, unit: i64, flat: i64| Tier {
        up_to: up_to.map(Decimal::from),
        unit: Decimal::from(unit),
        flat: Decimal::from(flat),
    };
    let price = Price::Graduated {
        tiers: vec![tier(Some(10), 10, 2), tier(Some(20), 5, 3), tier(None, 5, 3)],
        limits: Limits {
            flat_fee_at_zero: true,
            ..Limits::default()
        },
    };
    for (quantity, amount) in [(0, 2), (1, 12), (10, 102), (11, 110), (12, 115), (21, 163)] {
        let cost = price.cost(Decimal::from(quantity)).unwrap();
        assert_eq!(cost.amount, Decimal::from(amount), "{quantity} units");
    }
}

#[test]
fn example_13_packages_are_paid_when_they_are_begun() {
    for (free, amount) in [("0", "1300"), ("10", "1200"), ("200", "0")] {
        let price = Price::Package {
            amount: number("100"),
            size: number("10"),
            limits: Limits {
                free_units: number(free),
                ..Limits::default()
            },
        };
        assert_eq!(price.cost(number("121")).unwrap().amount, number(amount), "{free} free");
    }
}

#[test]
fn example_14_months_of_thirty_days() {
    let first = monthly(1, "19.95", "2023-05-15").until("2023-05-23");
    let second = monthly(2, "19.95", "2023-05-23")
        .anchored("2023-05-15")
        .until("2023-06-15");
    let mut account = account([first, second]).prorating(Proration::ThirtyDayMonths);
    let charges = account.bill_on(date("2023-06-15"));
    assert_eq!(
        charges.iter().map(line).collect::<Vec<_>>(),
        ["05-15->05-23 5.32", "05-23->06-15 14.63"]
    );
    let factors: Vec<_> = charges
        .iter()
        .map(|charge| (charge.explanation.numerator, charge.explanation.denominator))
        .collect();
    assert_eq!(factors, [(8, 30), (22, 30)]);
}

#[test]
fn example_15_the_same_payment_twice_counts_once() {
    let mut balance = Balance::of(usd("249.95"));
    for _ in 0..2 {
        assert_eq!(balance.pay("ch_1", usd("10.00")), Ok(()));
        assert_eq!(balance.open(), Ok(usd("239.95")));
    }
    let reference = "ch_1".to_owned();
    assert_eq!(
        balance.pay("ch_1", usd("11.00")),
        Err(PaymentRefused::ReferenceTaken { reference })
    );
    assert_eq!(balance.open(), Ok(usd("239.95")));
}
