//! What is owed on a subscription and not yet invoiced.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Terms;
use crate::{
    billing::{Accrued, Explanation, TaxPolicy, charge_id},
    calendar::Period,
    id::{ChargeId, LineId, SubscriptionId},
    money::Money,
};

/// A charge as it is put on the subscription: `automatic_payment` is `None` where the terms decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCharge {
    pub id: ChargeId,
    pub name: String,
    pub amount: Money,
    pub period: Period,
    pub flat_fee: bool,
    pub automatic_payment: Option<bool>,
}

/// A charge with everything settled that its invoice needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub id: ChargeId,
    pub name: String,
    pub amount: Money,
    pub period: Period,
    pub flat_fee: bool,
    pub automatic_payment: bool,
    pub due_date: NaiveDate,
    /// Which line of the subscription it is for; none where somebody put it there by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineId>,
    /// In percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_rate: Option<Decimal>,
    /// How the amount came to be, where it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Box<Explanation>>,
}

impl Charge {
    /// How it is taxed, if it is.
    pub fn tax_policy(&self) -> TaxPolicy {
        let explained = self.explanation.as_ref().and_then(|explanation| explanation.tax);
        explained.unwrap_or_default()
    }

    /// An accrued amount under the terms of the subscription.
    pub fn accrued(subscription: SubscriptionId, terms: &Terms, accrued: Accrued) -> Self {
        Self {
            id: charge_id(subscription, &accrued),
            automatic_payment: terms.automatic_payment(),
            due_date: terms.due_date(accrued.flat_fee, accrued.period),
            name: accrued.name,
            amount: accrued.amount,
            period: accrued.period,
            flat_fee: accrued.flat_fee,
            line: Some(accrued.line),
            tax_rate: accrued.tax_rate,
            explanation: Some(Box::new(accrued.explanation)),
        }
    }
}
