//! The calendar by which what is pending is put on invoices, where there is one.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::Agreement;
use crate::{
    billing::Schedule,
    terms::{InvoiceTrigger, PeriodRule},
};

/// How the days on which invoices are made periodically are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceCalendar {
    /// From the activation on, each offset from its own natural start.
    FromActivation,
    /// That of the agreement which this one goes on from.
    Kept(Schedule),
}

impl Agreement {
    /// Its calendar, as one that goes on from it keeps it.
    pub fn kept_calendar(&self) -> Option<InvoiceCalendar> {
        match self.terms.trigger() {
            InvoiceTrigger::Periodic(rule) => self.invoiced_by(rule).map(InvoiceCalendar::Kept),
            InvoiceTrigger::Immediate | InvoiceTrigger::Manual => None,
        }
    }

    fn invoiced_by(&self, rule: PeriodRule) -> Option<Schedule> {
        let offset = rule.offset_days.unwrap_or(0);
        match self.invoice_calendar {
            Some(InvoiceCalendar::Kept(schedule)) => Some(schedule),
            Some(InvoiceCalendar::FromActivation) => {
                Schedule::with_offset(rule.unit, rule.count, self.activation, offset)
            }
            // Agreed before calendars were told: it is invoiced on the days it always was.
            None => Schedule::from_offset(rule.unit, rule.count, self.activation, offset),
        }
    }

    /// The first day behind `day` on which invoices are made periodically.
    pub(super) fn next_invoicing(&self, rule: PeriodRule, day: NaiveDate) -> Option<NaiveDate> {
        Some(self.invoiced_by(rule)?.containing(day)?.end)
    }

    /// Whether what is pending is put on invoices on that day.
    pub(super) fn invoices_on(&self, day: NaiveDate) -> bool {
        match self.terms.trigger() {
            InvoiceTrigger::Immediate => true,
            InvoiceTrigger::Manual => false,
            InvoiceTrigger::Periodic(rule) => day
                .checked_sub_days(Days::new(1))
                .is_some_and(|before| self.next_invoicing(rule, before) == Some(day)),
        }
    }

    /// One that is agreed now, and goes on from no other, has the calendar of its own rule.
    pub(super) fn set_calendar(&mut self) {
        if matches!(self.terms.trigger(), InvoiceTrigger::Periodic(_)) {
            self.invoice_calendar.get_or_insert(InvoiceCalendar::FromActivation);
        }
    }
}
