//! Price models at the edges of their tiers, and the prices that nobody can agree on.

use super::*;
use crate::billing::{
    Discount,
    price::{Limits, PriceRefused, Tier},
};

fn tier(up_to: Option<&str>, unit: &str, flat: &str) -> Tier {
    Tier {
        up_to: up_to.map(number),
        unit: number(unit),
        flat: number(flat),
    }
}

fn tiers() -> Vec<Tier> {
    vec![
        tier(Some("100"), "2", "5"),
        tier(Some("200"), "1", "7"),
        tier(None, "0.5", "9"),
    ]
}

fn stairs() -> Vec<Tier> {
    vec![tier(Some("100"), "0", "5"), tier(None, "0", "9")]
}

fn no_limits() -> Limits {
    Limits::default()
}

#[track_caller]
fn costs(price: &Price, expected: &[(&str, &str)]) {
    assert_eq!(price.validate(), Ok(()));
    for (quantity, amount) in expected {
        let cost = price.cost(number(quantity)).unwrap();
        assert_eq!(cost.amount, number(amount), "{quantity} units");
        let steps: Decimal = cost.steps.iter().map(|step| step.amount).sum();
        assert_eq!(steps, cost.amount, "the steps for {quantity} units");
    }
}

#[test]
fn a_flat_price_does_not_ask_how_much() {
    costs(&flat("9.95"), &[("0", "9.95"), ("1", "9.95"), ("1000", "9.95")]);
}

#[test]
fn per_unit() {
    let price = Price::PerUnit {
        amount: number("0.004"),
        limits: no_limits(),
    };
    costs(&price, &[("0", "0"), ("1", "0.004"), ("2.5", "0.01"), ("-3", "0")]);
}

#[test]
fn a_tier_up_to_100_includes_exactly_100() {
    let (tiers, limits) = (tiers(), no_limits());
    let graduated = Price::Graduated {
        tiers: tiers.clone(),
        limits: limits.clone(),
    };
    costs(
        &graduated,
        &[
            ("0", "0"),
            ("99", "203"),
            ("100", "205"),
            ("101", "213"),
            ("200", "312"),
            ("201", "321.5"),
        ],
    );
    let volume = Price::Volume { tiers, limits };
    costs(
        &volume,
        &[
            ("0", "0"),
            ("99", "203"),
            ("100", "205"),
            ("101", "108"),
            ("200", "207"),
            ("201", "109.5"),
        ],
    );
    let stairstep = Price::Stairstep {
        tiers: stairs(),
        limits: no_limits(),
    };
    costs(
        &stairstep,
        &[("0", "0"), ("1", "5"), ("100", "5"), ("100.01", "9"), ("1000", "9")],
    );
}

#[test]
fn nothing_used_costs_a_flat_fee_only_where_the_price_says_so() {
    let limits = Limits {
        flat_fee_at_zero: true,
        ..no_limits()
    };
    for (price, fee) in [
        (
            Price::Graduated {
                tiers: tiers(),
                limits: limits.clone(),
            },
            "5",
        ),
        (
            Price::Volume {
                tiers: tiers(),
                limits: limits.clone(),
            },
            "5",
        ),
        (
            Price::Stairstep {
                tiers: stairs(),
                limits,
            },
            "5",
        ),
    ] {
        costs(&price, &[("0", fee)]);
    }
}

#[test]
fn a_package_is_paid_from_its_first_unit_to_its_last() {
    let price = Price::Package {
        amount: number("100"),
        size: number("10"),
        limits: no_limits(),
    };
    costs(
        &price,
        &[
            ("0", "0"),
            ("0.1", "100"),
            ("10", "100"),
            ("10.1", "200"),
            ("20", "200"),
        ],
    );
}

#[test]
fn free_units_come_off_first_and_limits_hold_last() {
    let price = Price::PerUnit {
        amount: number("2"),
        limits: Limits {
            free_units: number("10"),
            minimum: Some(number("6")),
            maximum: Some(number("50")),
            flat_fee_at_zero: false,
        },
    };
    costs(
        &price,
        &[
            ("0", "6"),
            ("10", "6"),
            ("13", "6"),
            ("14", "8"),
            ("35", "50"),
            ("36", "50"),
            ("1000", "50"),
        ],
    );
}

#[test]
fn an_amount_too_large_to_hold_is_an_error_and_not_a_wrong_amount() {
    let price = Price::PerUnit {
        amount: Decimal::MAX,
        limits: no_limits(),
    };
    assert_eq!(price.cost(number("2")), Err(crate::money::MoneyError::Overflow));
}

#[test]
fn a_price_that_cannot_be_agreed_is_refused_by_name() {
    let graduated = |tiers| Price::Graduated {
        tiers,
        limits: no_limits(),
    };
    let limited = |limits| Price::PerUnit {
        amount: number("1"),
        limits,
    };
    for (price, refused, code) in [
        (graduated(vec![]), PriceRefused::NoTiers, "price_without_tiers"),
        (
            graduated(vec![tier(Some("0"), "1", "0"), tier(None, "1", "0")]),
            PriceRefused::TierNotAscending { tier: 0 },
            "tier_not_ascending",
        ),
        (
            graduated(vec![
                tier(Some("9"), "1", "0"),
                tier(Some("9"), "1", "0"),
                tier(None, "1", "0"),
            ]),
            PriceRefused::TierNotAscending { tier: 1 },
            "tier_not_ascending",
        ),
        (
            graduated(vec![tier(None, "1", "0"), tier(None, "1", "0")]),
            PriceRefused::OpenTierNotLast { tier: 0 },
            "open_tier_not_last",
        ),
        (
            graduated(vec![tier(Some("9"), "1", "0")]),
            PriceRefused::LastTierClosed,
            "last_tier_closed",
        ),
        (
            Price::Stairstep {
                tiers: tiers(),
                limits: no_limits(),
            },
            PriceRefused::UnitPriceInStairstep { tier: 0 },
            "unit_price_in_stairstep",
        ),
        (
            Price::Package {
                amount: number("1"),
                size: Decimal::ZERO,
                limits: no_limits(),
            },
            PriceRefused::EmptyPackage,
            "package_empty",
        ),
        (
            flat("-1"),
            PriceRefused::Negative { what: "the price" },
            "price_negative",
        ),
        (
            limited(Limits {
                minimum: Some(number("2")),
                maximum: Some(number("1")),
                ..no_limits()
            }),
            PriceRefused::MinimumAboveMaximum,
            "minimum_above_maximum",
        ),
    ] {
        assert_eq!(price.validate(), Err(refused.clone()));
        assert_eq!(refused.code(), code);
    }
}

#[test]
fn a_discount_is_between_nothing_and_all() {
    let discount = |percent: &str, fixed: &str| Discount {
        percent: Some(number(percent)),
        fixed: Some(number(fixed)),
        ..Discount::default()
    };
    let negative = Err(PriceRefused::Negative { what: "the discount" });
    assert_eq!(discount("0", "0").validate(), Ok(()));
    assert_eq!(discount("100", "1000").validate(), Ok(()));
    assert_eq!(discount("100.01", "0").validate(), Err(PriceRefused::DiscountAboveAll));
    assert_eq!(discount("-1", "0").validate(), negative);
    assert_eq!(discount("0", "-1").validate(), negative);
}
