use rust_decimal::Decimal;
use uuid::Uuid;

use super::*;
use crate::{
    Decider,
    billing::{Discount, PriceRefused},
    id::DiscountId,
    money::Currency,
};

fn create(name: &str, percent: Option<i64>, fixed: Option<i64>, currency: Option<Currency>) -> Command {
    Command::Create {
        at: "2026-10-05T12:00:00Z".parse().unwrap(),
        discount: DiscountId(Uuid::from_u128(1)),
        name: name.to_owned(),
        currency,
        terms: Discount {
            percent: percent.map(Decimal::from),
            fixed: fixed.map(Decimal::from),
            ..Discount::default()
        },
    }
}

#[test]
fn a_discount_takes_something_off_and_is_made_once() {
    let state = DiscountRecord::default();
    let eur = Some(Currency::EUR);
    for good in [
        create("Spring", Some(100), None, None),
        create("Spring", None, Some(5), eur),
        create("Spring", Some(10), Some(5), eur),
    ] {
        let events = state.decide(&good).unwrap();
        let mut made = state.clone();
        made.apply(&events[0]);
        assert_eq!(made.decide(&good), Err(Refused::AlreadyExists));
    }
    for (wrong, why) in [
        (create(" ", Some(10), None, None), Refused::NameMissing),
        (create("Spring", None, None, eur), Refused::Nothing),
        (create("Spring", None, Some(5), None), Refused::CurrencyMissing),
        (
            create("Spring", Some(101), None, None),
            Refused::Amount(PriceRefused::DiscountAboveAll),
        ),
    ] {
        assert_eq!(state.decide(&wrong), Err(why));
    }
}
