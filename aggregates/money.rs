//! Money: whole minor units and a currency. Checked arithmetic, one rounding function, no floats.

use std::fmt;

pub use iso_currency::Currency;
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

/// An amount in minor units of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("the amount is too large to hold")]
    Overflow,
    #[error("{left} and {right} cannot be added", left = left.code(), right = right.code())]
    CurrencyMismatch { left: Currency, right: Currency },
    #[error("\"{text}\" is not a decimal amount")]
    NotANumber { text: String },
    #[error("{currency} has {exponent} decimal places, \"{text}\" has more", currency = currency.code())]
    TooPrecise {
        text: String,
        currency: Currency,
        exponent: u32,
    },
}

/// Decimal places of a currency: 0 for JPY, 2 for EUR, 3 for KWD.
pub fn exponent(currency: Currency) -> u32 {
    // ISO 4217 lists no exponent for the units that are not money (gold, testing codes): they have no minor unit.
    currency.exponent().map_or(0, u32::from)
}

/// Reads a currency code in any case.
pub fn currency(code: &str) -> Option<Currency> {
    Currency::from_code(&code.to_ascii_uppercase())
}

/// Reads the code of a currency in which one can pay: gold and testing codes have no minor unit.
pub fn payable(code: &str) -> Option<Currency> {
    currency(code).filter(|currency| currency.exponent().is_some())
}

/// The value of a number written plainly or with an exponent, if a decimal can hold every digit of it.
pub fn exact_number(text: &str) -> Option<Decimal> {
    // The reader would let them stand between digits.
    if text.contains('_') {
        return None;
    }
    match text.split_once(['e', 'E']) {
        // By itself the reader of exponents rounds a number of more digits than it has room for.
        Some((digits, _)) => Decimal::from_str_exact(digits)
            .and_then(|_| Decimal::from_scientific(text))
            .ok(),
        None => Decimal::from_str_exact(text).ok(),
    }
}

/// The one rounding of the house: half away from zero, to whole minor units.
pub fn round_minor(exact: Decimal) -> Result<i64, MoneyError> {
    exact
        .round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero)
        .to_i64()
        .ok_or(MoneyError::Overflow)
}

impl Money {
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Reads a decimal string such as `12.34`. More decimal places than the currency has are refused, not rounded.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
        let exact = plain
            .then(|| Decimal::from_str_exact(text).ok())
            .flatten()
            .ok_or_else(|| MoneyError::NotANumber { text: text.to_owned() })?;
        let exponent = exponent(currency);
        let scaled = exact
            .checked_mul(Decimal::from(10_i64.pow(exponent)))
            .ok_or(MoneyError::Overflow)?;
        if !scaled.fract().is_zero() {
            return Err(MoneyError::TooPrecise {
                text: text.to_owned(),
                currency,
                exponent,
            });
        }
        Ok(Self {
            minor: scaled.to_i64().ok_or(MoneyError::Overflow)?,
            currency,
        })
    }

    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            });
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self {
            minor,
            currency: self.currency,
        })
    }

    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        let minor = other.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        self.checked_add(Self { minor, ..other })
    }

    /// Rounds an amount in units of the currency.
    pub fn rounded(exact: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let minor = exact
            .checked_mul(Decimal::from(10_i64.pow(exponent(currency))))
            .ok_or(MoneyError::Overflow)?;
        Ok(Self::new(round_minor(minor)?, currency))
    }

    /// Splits the amount by weights, to the last minor unit: what is left after rounding down goes to the largest
    /// remainders, the first among equals. Nothing comes of no weight at all.
    pub fn split(self, weights: &[u32]) -> Vec<Self> {
        let whole: i128 = weights.iter().copied().map(i128::from).sum();
        if whole == 0 {
            return Vec::new();
        }
        let exact = |weight: &u32| i128::from(self.minor.unsigned_abs()) * i128::from(*weight);
        let mut parts: Vec<i128> = weights.iter().map(|weight| exact(weight) / whole).collect();
        let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
        by_remainder.sort_by_key(|part| std::cmp::Reverse(exact(&weights[*part]) % whole));
        let left = i128::from(self.minor.unsigned_abs()) - parts.iter().sum::<i128>();
        for (part, _) in by_remainder.into_iter().zip(0..left) {
            parts[part] += 1;
        }
        let sign = i128::from(self.minor.signum());
        let minor = |part: i128| i64::try_from(sign * part).expect("a part is no larger than the whole");
        parts
            .into_iter()
            .map(|part| Self::new(minor(part), self.currency))
            .collect()
    }

    /// Adds up amounts of one currency; an empty list is zero of that currency.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    /// The amount as a decimal number in currency units, with the currency's decimal places.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, exponent(self.currency))
    }
}

/// Writes the amount with exactly the currency's decimal places: `12.30`, `1000` (JPY), `3.226` (KWD).
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print_with_the_places_of_their_currency() {
        assert_eq!(Money::new(1230, Currency::EUR).to_string(), "12.30");
        assert_eq!(Money::new(-5, Currency::USD).to_string(), "-0.05");
        assert_eq!(Money::new(1000, Currency::JPY).to_string(), "1000");
        assert_eq!(Money::new(3226, Currency::KWD).to_string(), "3.226");
    }

    #[test]
    fn amounts_with_too_many_places_are_refused_not_rounded() {
        assert_eq!(
            Money::parse("12.34", Currency::EUR),
            Ok(Money::new(1234, Currency::EUR))
        );
        assert_eq!(
            Money::parse("12.340", Currency::EUR),
            Ok(Money::new(1234, Currency::EUR))
        );
        assert!(matches!(
            Money::parse("12.345", Currency::EUR),
            Err(MoneyError::TooPrecise { .. })
        ));
        assert!(matches!(
            Money::parse("1.5", Currency::JPY),
            Err(MoneyError::TooPrecise { .. })
        ));
        for text in ["", "1e3", "abc", "1,5", "--1", " 1", "0x1", "1_000"] {
            assert!(
                matches!(Money::parse(text, Currency::EUR), Err(MoneyError::NotANumber { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        for (exact, rounded) in [("0.5", 1), ("-0.5", -1), ("1.4999", 1), ("2.5", 3), ("-2.5", -3)] {
            assert_eq!(round_minor(exact.parse().unwrap()), Ok(rounded), "{exact}");
        }
        assert_eq!(round_minor(Decimal::MAX), Err(MoneyError::Overflow));
    }

    #[test]
    fn sums_are_checked() {
        let eur = |minor| Money::new(minor, Currency::EUR);
        assert_eq!(Money::sum(Currency::EUR, [eur(1), eur(2)]), Ok(eur(3)));
        assert_eq!(eur(i64::MAX).checked_add(eur(1)), Err(MoneyError::Overflow));
        assert!(matches!(
            eur(1).checked_add(Money::new(1, Currency::USD)),
            Err(MoneyError::CurrencyMismatch { .. })
        ));
    }

    #[test]
    fn what_does_not_divide_goes_to_the_largest_remainders() {
        let split = |minor, weights: &[u32]| -> Vec<i64> {
            let parts = Money::new(minor, Currency::EUR).split(weights);
            parts.iter().map(|part| part.minor).collect()
        };
        assert_eq!(split(5, &[1, 1, 1]), [2, 2, 1]);
        assert_eq!(split(-5, &[1, 1, 1]), [-2, -2, -1]);
        assert_eq!(split(10000, &[1, 2, 3]), [1667, 3333, 5000]);
        assert_eq!(split(1, &[1, 0, 3]), [0, 0, 1]);
        assert_eq!(split(i64::MIN, &[u32::MAX]), [i64::MIN]);
        assert_eq!(split(5, &[0, 0]), Vec::<i64>::new());
    }

    proptest::proptest! {
        #[test]
        fn the_parts_of_a_split_add_up(minor in proptest::num::i64::ANY, weights in proptest::collection::vec(0_u32.., 1..9)) {
            let whole = Money::new(minor, Currency::EUR);
            let parts = whole.split(&weights);
            if !parts.is_empty() {
                proptest::prop_assert_eq!(parts.iter().map(|part| i128::from(part.minor)).sum::<i128>(), i128::from(minor));
            }
        }

        #[test]
        fn every_amount_reads_back_as_it_was_written(minor in proptest::num::i64::ANY) {
            for currency in [Currency::JPY, Currency::EUR, Currency::KWD] {
                let money = Money::new(minor, currency);
                proptest::prop_assert_eq!(Money::parse(&money.to_string(), currency), Ok(money));
            }
        }
    }
}
