//! How single lines of orders are billed, as far as that is not the order's own way.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{
    billing::Timing,
    order_terms::{ChargingPeriod, OrderBillingPreferences},
    subscription::LineTax,
};

/// How one line of an order is billed, as far as somebody has said so; the order's preferences hold for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineBilling {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<ChargingPeriod>,
    /// The name of the rule that says where charging starts; it is shown and changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The day the line begins on, where that is not the order's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_start: Option<NaiveDate>,
    /// Whether a line with a beginning of its own keeps to the order's periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aligned: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pro_rata_partial_charging_period: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pro_rata_partial_pricing_period: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pro_rata_partial_unit: Option<bool>,
    /// The taxes that the line got after it was ordered, for their names: one a rate, the latest last. No call names them
    /// among these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taxes: Vec<LineTax>,
}

/// The same as far as a call names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineBillingChanges {
    #[serde(flatten)]
    pub named: LineBilling,
    /// The line is to begin with its order: what was said of a beginning of its own is taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begins_with_order: bool,
}

impl LineBillingChanges {
    pub fn names_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What is otherwise in `after`, but for what taxes are called.
    pub fn between(before: &LineBilling, after: &LineBilling) -> Self {
        fn named<T: PartialEq>(before: Option<&T>, after: Option<T>) -> Option<T> {
            if before == after.as_ref() { None } else { after }
        }
        let begins_with_order = before.fixed_start.is_some() && after.fixed_start.is_none();
        let after = after.clone();
        Self {
            named: LineBilling {
                timing: named(before.timing.as_ref(), after.timing),
                period: named(before.period.as_ref(), after.period),
                start: named(before.start.as_ref(), after.start),
                fixed_start: named(before.fixed_start.as_ref(), after.fixed_start),
                aligned: named(before.aligned.as_ref(), after.aligned),
                pro_rata_partial_charging_period: named(
                    before.pro_rata_partial_charging_period.as_ref(),
                    after.pro_rata_partial_charging_period,
                ),
                pro_rata_partial_pricing_period: named(
                    before.pro_rata_partial_pricing_period.as_ref(),
                    after.pro_rata_partial_pricing_period,
                ),
                pro_rata_partial_unit: named(before.pro_rata_partial_unit.as_ref(), after.pro_rata_partial_unit),
                taxes: Vec::new(),
            },
            begins_with_order,
        }
    }

    /// What was named, laid over what holds otherwise.
    pub fn over(self, base: &LineBilling) -> LineBilling {
        let (named, base) = (self.named, base.clone());
        LineBilling {
            timing: named.timing.or(base.timing),
            period: named.period.or(base.period),
            start: named.start.or(base.start),
            fixed_start: named
                .fixed_start
                .or(base.fixed_start.filter(|_| !self.begins_with_order)),
            aligned: named.aligned.or(base.aligned),
            pro_rata_partial_charging_period: named
                .pro_rata_partial_charging_period
                .or(base.pro_rata_partial_charging_period),
            pro_rata_partial_pricing_period: named
                .pro_rata_partial_pricing_period
                .or(base.pro_rata_partial_pricing_period),
            pro_rata_partial_unit: named.pro_rata_partial_unit.or(base.pro_rata_partial_unit),
            taxes: base.taxes,
        }
    }
}

impl LineBilling {
    /// Whether a part of a period costs a part of its price. Charging and pricing period are one period here: either word
    /// lets it.
    pub fn prorates(&self, order: &OrderBillingPreferences) -> bool {
        let flag = |own: Option<bool>, order: bool| own.unwrap_or(order);
        flag(
            self.pro_rata_partial_charging_period,
            order.pro_rata_partial_charging_period,
        ) || flag(
            self.pro_rata_partial_pricing_period,
            order.pro_rata_partial_pricing_period,
        )
    }

    /// Whether a part of a unit costs a part of its price.
    pub fn partial_units(&self, order: &OrderBillingPreferences) -> bool {
        self.pro_rata_partial_unit.unwrap_or(order.pro_rata_partial_unit)
    }

    /// Keeps what a tax is called, in the place of what it was called before.
    pub fn name_tax(&mut self, tax: LineTax) {
        self.taxes.retain(|known| known.rate != tax.rate);
        self.taxes.push(tax);
    }

    /// Whether its periods have a length of their own.
    pub fn has_own_length(&self) -> bool {
        matches!(self.period, Some(ChargingPeriod::Own(_)))
    }

    /// The day that its periods are counted from, where that is a beginning of its own; `aligned` is what holds of lines
    /// that do not say whether they keep to the order's periods.
    pub fn own_anchor(&self, aligned: bool) -> Option<NaiveDate> {
        self.fixed_start.filter(|_| !self.aligned.unwrap_or(aligned))
    }

    /// Whether its periods are not the order's.
    pub fn has_own_periods(&self, aligned: bool) -> bool {
        self.has_own_length() || self.own_anchor(aligned).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_word_divides_and_a_line_comes_before_its_order_word_by_word() {
        for (line, order, divided) in [
            ([None, None], [false, false], false),
            ([None, None], [true, false], true),
            ([None, None], [false, true], true),
            ([Some(true), None], [false, false], true),
            ([None, Some(true)], [false, false], true),
            ([Some(false), None], [true, false], false),
            ([Some(false), None], [true, true], true),
            ([Some(false), Some(false)], [true, true], false),
        ] {
            let own = LineBilling {
                pro_rata_partial_charging_period: line[0],
                pro_rata_partial_pricing_period: line[1],
                ..LineBilling::default()
            };
            let preferences = OrderBillingPreferences {
                pro_rata_partial_charging_period: order[0],
                pro_rata_partial_pricing_period: order[1],
                ..OrderBillingPreferences::default()
            };
            assert_eq!(own.prorates(&preferences), divided, "{line:?} over {order:?}");
        }
    }
}
