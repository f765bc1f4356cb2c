//! Calls that change an order: what they say of its lines and of the way it is billed, and what is billed otherwise by that.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Agreement, Change, ChargeType, LineTax, OrderLine, Refused, Subscription, Terms};
use crate::{
    billing::{Aggregation, Kind, Phase, Price, Timing, price::Limits},
    catalog::PlanLine,
    id::LineId,
    order_terms::{LineBilling, LineBillingChanges, OrderBillingChanges, OrderBillingPreferences},
};

/// What an order is to be billed for from `effective` (today when absent) on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineChange>,
    /// Of the order, from its next charges on; another billing period is counted from the day of the change.
    #[serde(default, skip_serializing_if = "OrderBillingChanges::names_nothing")]
    pub billing: OrderBillingChanges,
}

/// How a line is billed holds from its next charge on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineChange {
    Add {
        line: OrderLine,
        #[serde(default, skip_serializing_if = "names_nothing")]
        billing: Box<LineBillingChanges>,
    },
    /// What is absent stays.
    Set {
        line: LineId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quantity: Option<Decimal>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Decimal>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tax: Option<TaxChange>,
        #[serde(default, skip_serializing_if = "names_nothing")]
        billing: Box<LineBillingChanges>,
    },
    Remove(LineId),
}

fn names_nothing(billing: &LineBillingChanges) -> bool {
    billing.names_nothing()
}

/// How a line is taxed from the day of the change on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxChange {
    Exempt,
    /// Without a name it is called as the line's tax is called already.
    By(LineTax),
}

impl LineChange {
    pub fn line(&self) -> LineId {
        match self {
            Self::Add { line, .. } => line.id,
            Self::Set { line, .. } | Self::Remove(line) => *line,
        }
    }

    /// What it says of how the line is billed.
    pub fn billing(&self) -> Option<&LineBillingChanges> {
        match self {
            Self::Add { billing, .. } | Self::Set { billing, .. } => {
                Some(&**billing).filter(|billing| !billing.names_nothing())
            }
            Self::Remove(_) => None,
        }
    }

    /// The tax it puts on the line.
    pub fn tax(&self) -> Option<&LineTax> {
        match self {
            Self::Add { line, .. } => line.tax.as_ref(),
            Self::Set {
                tax: Some(TaxChange::By(tax)),
                ..
            } => Some(tax),
            Self::Set { .. } | Self::Remove(_) => None,
        }
    }
}

impl Subscription {
    /// What is billed otherwise from the day on, and what of that is otherwise again from later days on. Nothing where
    /// only the way it is billed changes.
    pub fn ordered(&self, wanted: &OrderChange, effective: NaiveDate) -> Result<Vec<Change>, Refused> {
        let agreement = self.agreement().ok_or(Refused::Unknown)?;
        let Terms::Order { billing } = &agreement.terms else {
            return Err(Refused::NotAnOrder);
        };
        let ordering = Ordering {
            state: self,
            agreement,
            now: billing,
            then: wanted.billing.clone().over(billing),
            wanted,
            effective,
        };
        let change = ordering.change()?;
        if change.replaced.is_empty() {
            return Ok(Vec::new());
        }
        let behind = ordering.behind(&change);
        Ok([change].into_iter().chain(behind).collect())
    }

    /// The lines that begin anew where the order's periods come to be of another length: those that run on the day, but
    /// for what has a length of its own, and for what is replaced.
    fn begins_anew(&self, day: NaiveDate, replaced: &[LineId]) -> Vec<PlanLine> {
        let Some(agreement) = self.agreement() else {
            return Vec::new();
        };
        let mut lines: Vec<PlanLine> = Vec::new();
        for phase in agreement
            .phases
            .iter()
            .filter(|phase| is_of_periods(agreement, phase, day))
        {
            let known = replaced.contains(&phase.line) || lines.iter().any(|line| line.id == phase.line);
            if !known {
                lines.extend(self.line(phase.line, day));
            }
        }
        lines
    }
}

/// Whether the phase runs on the day, or later, over periods of the order's length.
fn is_of_periods(agreement: &Agreement, phase: &Phase, day: NaiveDate) -> bool {
    let running = phase.until.is_none_or(|until| until > day.max(phase.from));
    let own_length = agreement
        .line_billing(phase.line)
        .is_some_and(LineBilling::has_own_length);
    phase.kind != Kind::OneOff && running && !own_length
}

/// A call on its way to what it comes to for the order as it is.
struct Ordering<'a> {
    state: &'a Subscription,
    agreement: &'a Agreement,
    now: &'a OrderBillingPreferences,
    /// The order's preferences with what the call names of them.
    then: OrderBillingPreferences,
    wanted: &'a OrderChange,
    effective: NaiveDate,
}

impl Ordering<'_> {
    fn is_reshaped(&self) -> bool {
        self.then.billing_period != self.now.billing_period
    }

    /// Whether the line begins anew because the order's periods come to be of another length.
    fn begins_anew(&self, line: LineId) -> bool {
        let mut phases = self.agreement.phases.iter().filter(|phase| phase.line == line);
        self.is_reshaped() && phases.any(|phase| is_of_periods(self.agreement, phase, self.effective))
    }

    /// How the line is billed once the call has said its word.
    fn own(&self, line: LineId, named: Option<&LineBillingChanges>) -> LineBilling {
        let own = self.agreement.line_billing(line).cloned().unwrap_or_default();
        match named {
            Some(named) => named.clone().over(&own),
            None => own,
        }
    }

    fn change(&self) -> Result<Change, Refused> {
        let (mut replaced, mut lines) = (Vec::new(), Vec::new());
        for change in &self.wanted.lines {
            match change {
                LineChange::Add { line, billing } => {
                    replaced.push(line.id);
                    let new = self.added(line, billing, &lines);
                    lines.push(new);
                }
                LineChange::Remove(line) => replaced.push(*line),
                LineChange::Set { line, .. } => {
                    if let Some(changed) = self.set(change)? {
                        replaced.push(*line);
                        lines.push(changed);
                    }
                }
            }
        }
        let billing_period = Some(self.then.billing_period.clone()).filter(|_| self.is_reshaped());
        if billing_period.is_some() {
            // The period is the same for all lines that have none of their own: those that stay as they are begin anew as
            // well.
            for line in self.state.begins_anew(self.effective, &replaced) {
                let prorate = self.own(line.id, None).prorates(&self.then);
                replaced.push(line.id);
                lines.push(PlanLine { prorate, ..line });
            }
        }
        Ok(Change {
            replaced,
            lines,
            billing_period,
            ordered: Some(Box::new(self.wanted.clone())),
            ..Change::on(self.effective)
        })
    }

    /// A line that comes to the order, as its phases have them.
    fn added(&self, line: &OrderLine, billing: &LineBillingChanges, begun: &[PlanLine]) -> PlanLine {
        let own = billing.clone().over(&LineBilling::default());
        let (kind, timing) = match line.charge_type {
            ChargeType::OneOff => (Kind::OneOff, Timing::Advance),
            ChargeType::Recurring => (Kind::Recurring, Timing::Advance),
            ChargeType::Metered => {
                // What was used must not count for two lines of one item.
                let metric = if self.is_metered(begun, &line.item) {
                    line.id.to_string()
                } else {
                    line.item.clone()
                };
                let aggregation = Aggregation::Sum;
                (Kind::Metered { metric, aggregation }, Timing::Arrears)
            }
        };
        PlanLine {
            id: line.id,
            // The order keeps no item of a line that was not in it from the start: its name stands for it.
            name: line.item.clone(),
            flat_fee: line.charge_type != ChargeType::Metered,
            kind,
            timing,
            price: per_unit(line.price),
            quantity: units(line.quantity, own.partial_units(&self.then)),
            prorate: own.prorates(&self.then),
            tax_rate: line.tax.as_ref().map(|tax| tax.rate),
        }
    }

    /// Whether a line of the order meters that from the day on, or one of those that begin does.
    fn is_metered(&self, begun: &[PlanLine], metric: &str) -> bool {
        let goes_on = |phase: &Phase| phase.until.is_none_or(|until| until > self.effective.max(phase.from));
        let own = |line: &PlanLine| matches!(&line.kind, Kind::Metered { metric: own, .. } if own == metric);
        let mut phases = self.agreement.phases.iter().filter(|phase| phase.meters(metric));
        phases.any(goes_on) || begun.iter().any(own)
    }

    /// The line as it is billed from the day on; none where nothing but the way it is billed changes.
    fn set(&self, change: &LineChange) -> Result<Option<PlanLine>, Refused> {
        let LineChange::Set {
            line,
            quantity,
            price,
            tax,
            billing,
        } = change
        else {
            return Ok(None);
        };
        let now = self.state.line(*line, self.effective);
        let now = now.ok_or(Refused::UnknownLine { line: *line })?;
        let says_nothing = (quantity, price, tax) == (&None, &None, &None);
        if says_nothing && !billing.names_nothing() && !self.begins_anew(*line) {
            return Ok(None);
        }
        let own = self.own(*line, Some(billing));
        let flags = [
            self.wanted.billing.pro_rata_partial_charging_period,
            self.wanted.billing.pro_rata_partial_pricing_period,
            billing.named.pro_rata_partial_charging_period,
            billing.named.pro_rata_partial_pricing_period,
        ];
        // Over periods of another length nothing is kept.
        let is_divided_anew = self.is_reshaped() || flags.iter().any(Option::is_some);
        Ok(Some(PlanLine {
            quantity: quantity.map_or(now.quantity, |said| units(said, own.partial_units(&self.then))),
            price: match (*price, now.price) {
                (None, kept) => kept,
                (Some(amount), Price::PerUnit { limits, .. }) => Price::PerUnit { amount, limits },
                (Some(amount), _) => per_unit(amount),
            },
            prorate: if is_divided_anew {
                own.prorates(&self.then)
            } else {
                now.prorate
            },
            tax_rate: match tax {
                None => now.tax_rate,
                Some(TaxChange::Exempt) => None,
                Some(TaxChange::By(tax)) => Some(tax.rate),
            },
            ..now
        }))
    }

    /// A period that keeps the division in which it was charged keeps it in a change of prices, too: behind it the lines go
    /// on as the order or the line prefers since. By the days on which they do.
    fn behind(&self, change: &Change) -> Vec<Change> {
        let prefers = |line: LineId| {
            let set = |change: &&LineChange| matches!(change, LineChange::Set { .. }) && change.line() == line;
            let set = self.wanted.lines.iter().find(set)?;
            Some(self.own(line, set.billing()).prorates(&self.then))
        };
        let mut behind: BTreeMap<NaiveDate, Change> = BTreeMap::new();
        for line in change.lines.iter().filter(|line| line.kind == Kind::Recurring) {
            let phase = self.state.phase_on(self.effective, |phase| phase.line == line.id);
            let period = phase.and_then(|phase| phase.schedule?.containing(self.effective));
            let other = prefers(line.id).is_some_and(|prefers| prefers != line.prorate);
            let Some(period) = period.filter(|_| other) else {
                continue;
            };
            let next = behind.entry(period.end).or_insert_with(|| Change {
                implied: true,
                ..Change::on(period.end)
            });
            next.replaced.push(line.id);
            next.lines.push(PlanLine {
                prorate: !line.prorate,
                ..line.clone()
            });
        }
        behind.into_values().collect()
    }
}

/// What is charged of that many.
fn units(said: Decimal, partial: bool) -> Decimal {
    if partial { said } else { said.ceil() }
}

fn per_unit(amount: Decimal) -> Price {
    Price::PerUnit {
        amount,
        limits: Limits::default(),
    }
}
