//! What is still open of an amount that is paid in parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::money::{Money, MoneyError};

/// An amount, and the payments made on it by the reference of whoever took them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    to_pay: Money,
    payments: BTreeMap<String, Money>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRefused {
    #[error("payment \"{reference}\" is known with another amount")]
    ReferenceTaken { reference: String },
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Balance {
    pub fn of(to_pay: Money) -> Self {
        Self {
            to_pay,
            payments: BTreeMap::new(),
        }
    }

    /// Notes a payment; one that is known already changes nothing.
    pub fn pay(&mut self, reference: &str, amount: Money) -> Result<(), PaymentRefused> {
        if let Some(known) = self.payments.get(reference) {
            if *known == amount {
                return Ok(());
            }
            let reference = reference.to_owned();
            return Err(PaymentRefused::ReferenceTaken { reference });
        }
        self.open()?.checked_sub(amount)?;
        self.payments.insert(reference.to_owned(), amount);
        Ok(())
    }

    pub fn has_payments(&self) -> bool {
        !self.payments.is_empty()
    }

    /// What was paid under a reference.
    pub fn known(&self, reference: &str) -> Option<Money> {
        self.payments.get(reference).copied()
    }

    /// What is to be paid by payments.
    pub fn to_pay(&self) -> Money {
        self.to_pay
    }

    /// Something else than a payment has paid a part.
    pub fn set_to_pay(&mut self, to_pay: Money) {
        self.to_pay = to_pay;
    }

    /// Notes a payment that was judged before.
    pub fn note(&mut self, reference: &str, amount: Money) {
        self.payments.insert(reference.to_owned(), amount);
    }

    /// What is left to pay; nothing where too much was paid.
    pub fn left(&self) -> Result<Money, MoneyError> {
        let open = self.open()?;
        Ok(Money::new(open.minor.max(0), open.currency))
    }

    /// What is left to pay; below zero where too much was paid.
    pub fn open(&self) -> Result<Money, MoneyError> {
        let paid = Money::sum(self.to_pay.currency, self.payments.values().copied())?;
        self.to_pay.checked_sub(paid)
    }
}
