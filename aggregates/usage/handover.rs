//! What is known of the days from a day on, when another subscription meters them in the place of this one.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::Meter;
use crate::{
    billing::usage::Day,
    calendar::{Tz, local_date},
    money::MoneyError,
};

/// By metric: the first day.
pub type Since = BTreeMap<String, NaiveDate>;

/// What is known of metrics from a day on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub days: Vec<DayKnown>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<TotalKnown>,
}

/// What one day's records come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayKnown {
    pub metric: String,
    pub day: NaiveDate,
    pub used: Day,
    /// When that was, as far as it is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moments: Vec<MomentKnown>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MomentKnown {
    pub at: DateTime<Utc>,
    pub used: Day,
}

/// That a total was stated: what was used before its moment is contained in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalKnown {
    pub metric: String,
    /// The first day that it counts.
    pub from: NaiveDate,
    pub at: DateTime<Utc>,
}

impl Meter {
    /// What is known of the metrics from these days on. A total of before that reaches into them is one of them from their
    /// first day on: what it says was used on its own day.
    pub fn known_since(&self, since: &Since, zone: Tz) -> Known {
        let mut known = Known::default();
        for (metric, first) in since {
            for (day, used) in self.usage.known_since(metric, *first) {
                let moments = self.moments.get(metric).into_iter().flat_map(|all| all.of(day));
                let moments = moments.map(|(at, used)| MomentKnown { at, used: used.clone() });
                known.days.push(DayKnown {
                    metric: metric.clone(),
                    day,
                    used: used.clone(),
                    moments: moments.collect(),
                });
            }
            for (from, total) in self.totals.get(metric).into_iter().flatten() {
                if local_date(total.at, zone) >= *first {
                    known.totals.push(TotalKnown {
                        metric: metric.clone(),
                        from: *from.max(first),
                        at: total.at,
                    });
                }
            }
        }
        known
    }

    pub(super) fn forget_since(&mut self, since: &Since) {
        for (metric, first) in since {
            self.usage.forget_since(metric, *first);
            if let Some(moments) = self.moments.get_mut(metric) {
                moments.forget_since(*first);
            }
            if let Some(totals) = self.totals.get_mut(metric) {
                totals.split_off(first);
            }
        }
    }

    pub(super) fn take_over(&mut self, known: &Known) -> Result<(), MoneyError> {
        for one in &known.days {
            self.usage.add(&one.metric, one.day, one.used.clone())?;
            for moment in &one.moments {
                self.moments(&one.metric).add(one.day, moment.at, moment.used.clone())?;
            }
        }
        for one in &known.totals {
            self.know_total(&one.metric, one.from, one.at);
        }
        Ok(())
    }
}
