//! Phases and explanations are kept in events: their written form is for ever.

use serde_json::json;

use super::*;
use crate::{
    billing::{Aggregation, Discount, Explanation, price::Limits, price::Tier},
    money::Money,
};

fn everything() -> Phase {
    let mut phase = monthly(7, "0", "2026-01-01")
        .of_kind(Kind::Metered {
            metric: "calls".to_owned(),
            aggregation: Aggregation::Sum,
        })
        .terminated("2026-03-15");
    phase.price = Price::Stairstep {
        tiers: vec![
            Tier {
                up_to: Some(number("10")),
                unit: Decimal::ZERO,
                flat: number("5"),
            },
            Tier {
                up_to: None,
                unit: Decimal::ZERO,
                flat: number("9.50"),
            },
        ],
        limits: Limits {
            free_units: number("1"),
            ..Limits::default()
        },
    };
    phase.discount = Some(Discount {
        percent: Some(number("12.5")),
        fixed: None,
        ..Discount::default()
    });
    phase.tax_rate = Some(number("19"));
    phase.billed_through = Some(date("2026-02-01"));
    (phase.given_back, phase.charged_to) = (1, Some(date("2026-03-01")));
    let billed = crate::billing::BilledUsage {
        through: date("2026-02-01"),
        quantity: number("3"),
        before: None,
        amount: Money::new(500, Currency::EUR),
        corrections: 0,
    };
    phase.billed_usage.insert(date("2026-01-01"), billed);
    phase
}

#[test]
fn a_phase_reads_back_as_it_was_written() {
    let written = json!({
        "number": 7, "line": "00000000-0000-0000-0000-000000000000", "name": "phase 7",
        "kind": {"kind": "metered", "metric": "calls", "aggregation": "sum"},
        "timing": "advance",
        "price": {
            "model": "stairstep",
            "tiers": [{"up_to": "10", "unit": "0", "flat": "5"}, {"unit": "0", "flat": "9.50"}],
            "limits": {"free_units": "1"}
        },
        "quantity": "1", "flat_fee": true, "prorate": true,
        "discount": {"percent": "12.5"}, "tax_rate": "19",
        "schedule": {"unit": "month", "count": 1, "anchor": "2026-01-01"},
        "from": "2026-01-01", "until": "2026-03-15", "ending": "termination",
        "billed_through": "2026-02-01", "given_back": 1, "charged_to": "2026-03-01",
        "billed_usage": {"2026-01-01": {
            "through": "2026-02-01", "quantity": "3", "amount": {"minor": 500, "currency": "EUR"}, "corrections": 0
        }}
    });
    assert_eq!(serde_json::to_value(everything()).unwrap(), written);
    assert_eq!(serde_json::from_value::<Phase>(written).unwrap(), everything());
}

#[test]
fn an_explanation_reads_back_as_it_was_written() {
    let mut account = account([everything()]);
    account.currency = Currency::EUR;
    account.use_metric("calls", "2026-01-05T00:00:00Z", "50");
    for charge in account.bill_on(date("2026-03-16")) {
        let text = serde_json::to_string(&charge.explanation).unwrap();
        assert_eq!(serde_json::from_str::<Explanation>(&text).unwrap(), charge.explanation);
    }
}
