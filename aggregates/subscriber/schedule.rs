//! When a subscriber is billed: dates counted from an anchor, trial periods before the first, pauses that dates pass in.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::calendar::{self, PeriodUnit, Tz};

/// What trial periods put off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialRule {
    /// As the vendor's documents say in numbers: with k trial periods the first purchase is made k + 1 periods after the
    /// launch, and one period later where periods are charged at their end.
    #[default]
    Literal,
    /// The trial lasts k periods; then it goes on as it would without one.
    Elapsed,
}

impl TrialRule {
    /// Whether it goes without saying.
    pub fn is_literal(&self) -> bool {
        *self == Self::Literal
    }
}

/// How often purchases are made, and when the first one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    /// A period is this many units.
    pub period: u32,
    pub unit: PeriodUnit,
    pub charge_period_end: bool,
    pub trial_periods: u32,
    #[serde(default, skip_serializing_if = "TrialRule::is_literal")]
    pub trial_rule: TrialRule,
}

/// Days on which nothing is billed: from `from` on, and before `to` where it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub from: NaiveDate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDate>,
}

/// The next purchase: how many periods after the anchor it is made, and on which day that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    pub number: u32,
    pub date: NaiveDate,
    /// When that day begins.
    pub begins: DateTime<Utc>,
}

/// Which date comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    On(Upcoming),
    /// It lies in a pause that is not over.
    Held,
    /// The calendar ends before.
    Never,
}

impl Rhythm {
    /// How many periods after the launch the first purchase is made; 0 means at once.
    pub fn first(&self) -> u32 {
        let end = u32::from(self.charge_period_end);
        match (self.trial_rule, self.trial_periods) {
            (_, 0) => end,
            (TrialRule::Literal, trial) => trial.saturating_add(1).saturating_add(end),
            (TrialRule::Elapsed, trial) => trial.saturating_add(end),
        }
    }

    /// The day `number` periods after the anchor: counted from the anchor, so that the 30th comes back after February.
    pub fn date(&self, anchor: NaiveDate, number: u32) -> Option<NaiveDate> {
        let date = calendar::after(anchor, self.unit, self.period.checked_mul(number)?)?;
        Some(date).filter(|date| calendar::has_plain_year(*date))
    }

    /// The first date from `number` on that no pause covers: dates that pass in a pause are not made up for.
    pub fn next(&self, anchor: NaiveDate, zone: Tz, number: u32, pauses: &[Pause]) -> Next {
        let mut number = number;
        loop {
            let Some(date) = self.date(anchor, number) else {
                return Next::Never;
            };
            let covering = pauses
                .iter()
                .find(|pause| pause.from <= date && pause.to.is_none_or(|to| date < to));
            match covering {
                None => {
                    let begins = calendar::midnight(date, zone);
                    return begins.map_or(Next::Never, |begins| Next::On(Upcoming { number, date, begins }));
                }
                Some(Pause { to: None, .. }) => return Next::Held,
                Some(Pause { to: Some(_), .. }) => match number.checked_add(1) {
                    Some(next) => number = next,
                    None => return Next::Never,
                },
            }
        }
    }
}
