//! Invoices as they would be: tax in its modes, and credit.

use super::*;
use crate::{
    billing::{DraftLine, Settlement, TaxLevel, TaxMode, TaxPolicy, draft, settle},
    calendar::Period,
    id::ChargeId,
    money::Money,
};

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn lines(amounts: &[(i64, Option<&str>)], tax_policy: TaxPolicy) -> Vec<DraftLine> {
    let line = |(amount, rate): &(i64, Option<&str>)| DraftLine {
        charge: ChargeId(Uuid::nil()),
        name: "line".to_owned(),
        period: Period {
            start: date("2026-01-01"),
            end: None,
        },
        amount: usd(*amount),
        tax_rate: rate.map(number),
        tax_policy,
        tax: None,
    };
    amounts.iter().map(line).collect()
}

fn policy(level: TaxLevel, mode: TaxMode) -> TaxPolicy {
    TaxPolicy { level, mode }
}

#[test]
fn each_rate_has_its_total_and_untaxed_lines_have_none() {
    let amounts = [
        (10_000, Some("20")),
        (50, Some("5")),
        (3_333, Some("20.0")),
        (700, None),
        (10, Some("0")),
    ];
    let draft = draft(Currency::USD, lines(&amounts, TaxPolicy::default()), usd(0)).unwrap();
    let rates: Vec<_> = draft
        .taxes
        .iter()
        .map(|total| (total.rate, total.base.minor, total.tax.minor))
        .collect();
    let expected = [("0", 10, 0), ("5", 50, 3), ("20", 13_333, 2_667)];
    assert_eq!(rates, expected.map(|(rate, base, tax)| (number(rate), base, tax)));
    assert_eq!(
        (draft.net, draft.tax, draft.total),
        (usd(14_093), usd(2_670), usd(16_763))
    );
}

#[test]
fn prices_that_contain_their_tax_are_what_is_paid() {
    for (level, tax) in [(TaxLevel::Invoice, 334), (TaxLevel::Line, 334)] {
        let amounts = [(1_001, Some("20")), (1_001, Some("20"))];
        let lines = lines(&amounts, policy(level, TaxMode::Inclusive));
        let draft = draft(Currency::USD, lines, usd(0)).unwrap();
        assert_eq!(
            (draft.net, draft.tax, draft.total),
            (usd(2_002 - tax), usd(tax), usd(2_002))
        );
    }
}

#[test]
fn a_line_has_its_own_tax_or_its_part_of_the_tax_on_the_sum() {
    let of = |level| {
        let amounts = [(6_833, Some("20")), (100, None), (6_833, Some("20"))];
        let lines = lines(&amounts, policy(level, TaxMode::Exclusive));
        let draft = draft(Currency::USD, lines, usd(0)).unwrap();
        draft.lines.iter().map(|line| line.tax).collect::<Vec<_>>()
    };
    assert_eq!(of(TaxLevel::Line), [Some(usd(1_367)), None, Some(usd(1_367))]);
    assert_eq!(of(TaxLevel::Invoice), [Some(usd(1_367)), None, Some(usd(1_366))]);
}

#[test]
fn each_line_is_taxed_as_it_was_charged() {
    let exclusive = lines(&[(1_000, Some("20"))], policy(TaxLevel::Invoice, TaxMode::Exclusive));
    let inclusive = lines(&[(1_200, Some("20"))], policy(TaxLevel::Line, TaxMode::Inclusive));
    let draft = draft(Currency::USD, [exclusive, inclusive].concat(), usd(0)).unwrap();
    assert_eq!((draft.net, draft.tax, draft.total), (usd(2_000), usd(400), usd(2_400)));
    let nets: Vec<_> = draft.lines.iter().map(|line| line.net().unwrap()).collect();
    assert_eq!(nets, [usd(1_000), usd(1_000)]);
    assert_eq!(draft.taxes.len(), 1, "one rate has one total: {:?}", draft.taxes);
}

#[test]
fn a_total_below_zero_becomes_credit_with_its_tax() {
    let lines = lines(&[(1_000, Some("20")), (-5_000, Some("20"))], TaxPolicy::default());
    let draft = draft(Currency::USD, lines, usd(300)).unwrap();
    assert_eq!(draft.total, usd(-4_800));
    let expected = Settlement {
        credit_granted: usd(4_800),
        credit_applied: usd(0),
        to_pay: usd(0),
    };
    assert_eq!(draft.settlement, expected);
}

/// What is taken back at once is taken back with exactly the tax that was charged; in several invoices each has the tax on
/// what it takes back, so that they are off by less than one minor unit each.
#[test]
fn tax_is_taken_back_exactly_on_one_invoice_and_to_the_minor_unit_on_several() {
    let rates = proptest::sample::select(vec!["5", "7", "19", "20", "8.875"]);
    let amounts = proptest::collection::vec(1_i64..100_000, 1..6);
    let modes = proptest::sample::select(vec![TaxMode::Exclusive, TaxMode::Inclusive]);
    crate::random::hold(&(amounts, rates, modes), |(amounts, rate, mode)| {
        for level in [TaxLevel::Invoice, TaxLevel::Line] {
            let tax = |amounts: &[i64]| {
                let amounts: Vec<_> = amounts.iter().map(|amount| (*amount, Some(rate))).collect();
                let made = draft(Currency::USD, lines(&amounts, policy(level, mode)), usd(0)).unwrap();
                let of_lines: Vec<_> = made.lines.iter().map(|line| line.tax.unwrap().minor).collect();
                (made.tax.minor, of_lines)
            };
            let back: Vec<i64> = amounts.iter().map(|amount| -amount).collect();
            let (charged, of_lines) = tax(&amounts);
            let (given_back, back_of_lines) = tax(&back);
            proptest::prop_assert_eq!(given_back, -charged);
            let negated: Vec<_> = of_lines.iter().map(|tax| -tax).collect();
            proptest::prop_assert_eq!(back_of_lines, negated);
            let one_by_one: i64 = back.iter().map(|amount| tax(&[*amount]).0).sum();
            let off = (one_by_one + charged).abs();
            match level {
                TaxLevel::Line => proptest::prop_assert_eq!(off, 0),
                TaxLevel::Invoice => proptest::prop_assert!(off < i64::try_from(back.len()).unwrap().max(1)),
            }
        }
        Ok(())
    });
}

#[test]
fn credit_pays_as_far_as_it_goes() {
    for (total, credit, applied, to_pay) in [
        (1_000, 0, 0, 1_000),
        (1_000, 999, 999, 1),
        (1_000, 1_000, 1_000, 0),
        (1_000, 1_001, 1_000, 0),
        (0, 1_000, 0, 0),
        (1_000, -5, 0, 1_000),
    ] {
        let settlement = settle(usd(total), usd(credit)).unwrap();
        assert_eq!(
            (settlement.credit_applied, settlement.to_pay),
            (usd(applied), usd(to_pay))
        );
        assert_eq!(settlement.credit_granted, usd(0));
    }
}

#[test]
fn credit_of_another_currency_pays_nothing() {
    assert!(settle(usd(100), Money::new(100, Currency::EUR)).is_err());
}

proptest::proptest! {
    #[test]
    fn lines_and_tax_and_credit_add_up(
        amounts in proptest::collection::vec((-1_000_000_i64..1_000_000, 0_u32..30), 0..8),
        credit in 0_i64..1_000_000,
        by_line in proptest::bool::ANY,
        inclusive in proptest::bool::ANY,
    ) {
        let rates: Vec<String> = amounts.iter().map(|(_, rate)| rate.to_string()).collect();
        let amounts: Vec<_> = amounts.iter().zip(&rates).map(|((amount, _), rate)| (*amount, Some(rate.as_str()))).collect();
        let level = if by_line { TaxLevel::Line } else { TaxLevel::Invoice };
        let mode = if inclusive { TaxMode::Inclusive } else { TaxMode::Exclusive };
        let draft_of = |lines| draft(Currency::USD, lines, usd(credit)).unwrap();
        let reversed: Vec<_> = amounts.iter().map(|(amount, rate)| (-amount, *rate)).collect();
        let back = draft_of(lines(&reversed, policy(level, mode)));
        let draft = draft_of(lines(&amounts, policy(level, mode)));
        proptest::prop_assert_eq!((back.net.minor, back.tax.minor), (-draft.net.minor, -draft.tax.minor));
        for (back, line) in back.lines.iter().zip(&draft.lines) {
            proptest::prop_assert_eq!(back.tax.map(|tax| -tax.minor), line.tax.map(|tax| tax.minor));
        }
        let nets = draft.lines.iter().map(|line| line.net().unwrap());
        proptest::prop_assert_eq!(Money::sum(Currency::USD, nets), Ok(draft.net));
        let taxes = draft.lines.iter().filter_map(|line| line.tax);
        proptest::prop_assert_eq!(Money::sum(Currency::USD, taxes), Ok(draft.tax));
        let Settlement { credit_granted, credit_applied, to_pay } = draft.settlement;
        proptest::prop_assert_eq!(draft.net.checked_add(draft.tax), Ok(draft.total));
        let settled = draft.total.checked_add(credit_granted).and_then(|sum| sum.checked_sub(credit_applied));
        proptest::prop_assert_eq!(settled, Ok(to_pay));
        proptest::prop_assert!(to_pay.minor >= 0 && credit_applied.minor <= credit);
        proptest::prop_assert!(credit_granted.minor == 0 || credit_applied.minor == 0);
        let bases = Money::sum(Currency::USD, draft.taxes.iter().map(|rate| rate.base));
        proptest::prop_assert_eq!(bases, Ok(draft.net));
    }
}
