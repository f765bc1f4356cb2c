//! How far the agreement that another one goes on from has paid days of that one.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{Agreement, Offer, Refused, Subscription, handover, phases};
use crate::{
    billing::{Kind, Phase},
    id::LineId,
};

impl Agreement {
    /// The first day, from that one on, of which the agreement before has not paid the line.
    pub(super) fn unpaid_from(&self, line: LineId, day: NaiveDate) -> NaiveDate {
        self.unpaid_once_ended(line, day, NaiveDate::MAX)
    }

    /// The same, should nothing go on here from the day `ends` on.
    fn unpaid_once_ended(&self, line: LineId, day: NaiveDate, ends: NaiveDate) -> NaiveDate {
        let paid = self.paid_before.get(&line).copied();
        paid.max(self.rest_left(line, ends)).map_or(day, |paid| day.max(paid))
    }
}

impl Offer {
    /// Until when each of the lines is paid that recur, where that is behind the day on which they were to begin.
    pub(super) fn paid_before(&self, activation: NaiveDate) -> BTreeMap<LineId, NaiveDate> {
        let lines = self.lines.iter().filter(|line| line.kind == Kind::Recurring);
        let paid = lines.filter_map(|line| {
            let divided = self.divided_paid_until.filter(|_| line.prorate);
            let paid = divided.or(self.paid_until).filter(|paid| activation < *paid)?;
            Some((line.id, paid))
        });
        paid.collect()
    }
}

impl Subscription {
    /// Until when lines that go on under another agreement from the day on are paid by this one, or were by the one
    /// before it, where that is behind the day.
    pub fn paid_ahead(&self, day: NaiveDate) -> Result<BTreeMap<LineId, NaiveDate>, Refused> {
        let (agreement, policy) = self.billed_by()?;
        let phases = phases::restored(&agreement.phases);
        let paid = handover::paid(&agreement.phases, &phases, &policy, day)?;
        let line = |number: u32| phases.iter().find(|phase| phase.number == number);
        let here = paid.into_iter().filter_map(|(number, until)| {
            let phase: &Phase = line(number)?;
            Some((phase.line, until))
        });
        let mut ahead: BTreeMap<LineId, NaiveDate> = BTreeMap::new();
        let before = agreement.paid_before.keys().chain(agreement.rest_before.keys());
        let before = before.map(|line| (*line, agreement.unpaid_once_ended(*line, day, day)));
        for (line, until) in here.chain(before).filter(|(_, until)| day < *until) {
            let known = ahead.entry(line).or_insert(until);
            *known = until.max(*known);
        }
        Ok(ahead)
    }
}
