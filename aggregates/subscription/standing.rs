//! Which phases of a supposed subscription stand for those of the actual one, and what happens to them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{PhaseEnd, phases};
use crate::billing::Phase;

/// By number of each actual phase: those that stand for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing(BTreeMap<u32, Vec<u32>>);

/// The phases to which something happens: those of the actual subscription, and those of the supposed one.
#[derive(Clone, Copy)]
pub(super) struct Both<'a> {
    actual: &'a [Phase],
    supposed: &'a [Phase],
}

impl<'a> Both<'a> {
    pub fn of(actual: &'a [Phase], supposed: &'a [Phase]) -> Self {
        Self { actual, supposed }
    }
}

/// Which phases stand for one.
enum Stand<'a> {
    /// One that begins, ends and stands still with it: what happened to the one happens to the other.
    Twin(u32),
    /// The terms have made them otherwise.
    All(&'a [u32]),
}

impl Standing {
    /// Phases that stand for themselves.
    pub fn know(&mut self, phases: &[Phase]) {
        self.0
            .extend(phases.iter().map(|phase| (phase.number, vec![phase.number])));
    }

    pub fn set(&mut self, actual: u32, supposed: u32) {
        self.0.insert(actual, vec![supposed]);
    }

    /// What takes over from a supposed phase stands for what that one stood for.
    pub fn taken_over(&mut self, ended: u32, begun: &[u32]) {
        for standing in self.0.values_mut() {
            if standing.contains(&ended) {
                standing.extend(begun);
            }
        }
    }

    /// The phases that actual ones take over from stand for those too.
    pub fn succeed(&mut self, actual: &[Phase], ended: &[PhaseEnd], begun: &[Phase]) {
        for new in begun {
            let of_line = actual.iter().filter(|phase| phase.line == new.line);
            let before = of_line.filter(|phase| ended.iter().any(|end| end.phase == phase.number));
            let standing = before.filter_map(|phase| self.0.get(&phase.number)).flatten();
            let standing: BTreeSet<u32> = standing.copied().collect();
            self.0.insert(new.number, standing.into_iter().collect());
        }
    }

    fn of(&self, number: u32, both: Both<'_>) -> Stand<'_> {
        let all = self.0.get(&number).map_or(&[][..], Vec::as_slice);
        let actual = both.actual.iter().find(|phase| phase.number == number);
        let alike = |other: &u32| {
            let supposed = both.supposed.iter().find(|phase| phase.number == *other);
            actual.zip(supposed).is_some_and(|(one, other)| run_alike(one, other))
        };
        // Of several that were no day long its own number is the one.
        let twin = all
            .iter()
            .filter(|other| alike(other))
            .min_by_key(|other| **other != number);
        twin.map_or(Stand::All(all), |twin| Stand::Twin(*twin))
    }

    /// Ends, of what stands for the phases that ended.
    pub fn ended(&self, both: Both<'_>, ended: &[PhaseEnd]) -> Vec<PhaseEnd> {
        let mut all = Vec::with_capacity(ended.len());
        for end in ended {
            match self.of(end.phase, both) {
                Stand::Twin(phase) => all.push(PhaseEnd { phase, ..*end }),
                Stand::All(standing) => all.extend(standing.iter().filter_map(|number| {
                    let phase = both.supposed.iter().find(|phase| phase.number == *number);
                    let phase = phase.filter(|phase| phases::goes_on(phase, end.until))?;
                    Some(PhaseEnd {
                        phase: *number,
                        until: end.until.max(phase.from),
                        ending: end.ending,
                    })
                })),
            }
        }
        all
    }

    /// A change also puts an end off that was planned, of what is in force on its day.
    pub fn changed(&self, both: Both<'_>, ended: &[PhaseEnd], effective: NaiveDate) -> Vec<PhaseEnd> {
        let mut all = Vec::with_capacity(ended.len());
        for end in ended {
            let before = all.len();
            all.extend(self.ended(both, &[*end]));
            if all.len() == before {
                let standing = self.0.get(&end.phase).into_iter().flatten();
                let phase = standing.filter_map(|number| both.supposed.iter().find(|phase| phase.number == *number));
                let running = phase.filter(|phase| phase.from < effective && phases::goes_on(phase, effective));
                let last = running.max_by_key(|phase| phase.until);
                all.extend(last.map(|phase| PhaseEnd {
                    phase: phase.number,
                    ..*end
                }));
            }
        }
        all
    }

    /// What goes on as if it had never stood still.
    pub fn reopened(&self, both: Both<'_>, reopened: &[u32]) -> Vec<u32> {
        let mut all = Vec::with_capacity(reopened.len());
        for number in reopened {
            match self.of(*number, both) {
                Stand::Twin(phase) => all.push(phase),
                Stand::All(standing) => all.extend(standing),
            }
        }
        all
    }
}

fn run_alike(one: &Phase, other: &Phase) -> bool {
    let runs = |phase: &Phase| (phase.line, phase.from, phase.until, phase.ending, phase.stop);
    runs(one) == runs(other)
}
