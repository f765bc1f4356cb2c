//! Agreements that older programs recorded go on under this one: every command finds its way, and what comes is billed.

use super::{
    handed::{hand_over, upgrade},
    told::{Told, flat, undivided},
    *,
};
use crate::{
    Decider,
    billing::{Proration, Timing},
    order_terms::LineBilling,
    policy::PolicyChanges,
};

/// The signings in every form in which they were ever stored.
fn signings() -> Vec<(String, Event)> {
    let golden = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")).unwrap();
    let files = golden.map(|file| file.unwrap().path());
    let mut signings: Vec<_> = files
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let event = || serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            name.starts_with("subscription.signed.v1").then(|| (name, event()))
        })
        .collect();
    signings.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(signings.len() > 10);
    signings
}

const COMMANDS: [&str; 12] = [
    "activate",
    "pause",
    "resume",
    "cancel",
    "reactivate",
    "change",
    "prefer",
    "prefer a line",
    "count otherwise",
    "close",
    "move",
    "upgrade",
];

/// A refusal says why; that something cannot be reckoned is none.
fn allowed<T>(answer: Result<T, Refused>, what: &str) -> bool {
    if let Err(refused) = &answer {
        let is_fault = matches!(
            refused,
            Refused::Money(_) | Refused::Billing(_) | Refused::BeyondCalendar
        );
        assert!(!is_fault, "{what}: {refused}");
    }
    answer.is_ok()
}

fn take(told: &mut Told, command: &str, day: &str, what: &str) -> Option<Told> {
    let at = told.at();
    let first = told.state.agreement().unwrap().phases.first().map(|phase| phase.line);
    let line = first.unwrap_or(LineId(Uuid::from_u128(1)));
    match command {
        "activate" => allowed(told.activate(day), what),
        "pause" => allowed(told.pause(day), what),
        "resume" => allowed(told.resume(day), what),
        "cancel" => allowed(told.cancel(day), what),
        "reactivate" => allowed(told.reactivate(day), what),
        "change" => allowed(
            told.replace(day, vec![], &[flat(1, "20.00"), undivided(2, "30.00")]),
            what,
        ),
        "prefer" => allowed(told.send(&update(bill_weekly())), what),
        "prefer a line" => {
            let billing = Box::new(LineBilling {
                timing: Some(Timing::Arrears),
                ..LineBilling::default()
            });
            allowed(told.send(&Command::UpdateLineBilling { at, line, billing }), what)
        }
        "count otherwise" => {
            let changes = PolicyChanges {
                proration: Some(Proration::Seconds),
                ..PolicyChanges::default()
            };
            allowed(told.send(&Command::UpdatePolicy { at, changes }), what)
        }
        "close" => allowed(told.send(&Command::CloseUsage { at, through: date(day) }), what),
        "move" => {
            let moved = hand_over(told, day);
            allowed(moved.as_ref().map(drop).map_err(Clone::clone), what);
            return moved.ok();
        }
        _ => {
            let change = Box::new(Change::on(date(day)));
            if told.state.agreement().unwrap().order.is_some() {
                return None;
            }
            let asked = told.state.decide(&Command::Change { at, change });
            return allowed(asked, what).then(|| upgrade(told, day, &[flat(1, "40.00")], Cycle::Month));
        }
    };
    None
}

/// Half a year.
fn bill(told: &mut Told, what: &str) {
    for charge in told.bill_on(date("2027-06-01")) {
        assert!(charge.explanation.is_some(), "{what}: {charge:?}");
    }
}

#[test]
fn every_command_to_what_was_ever_recorded_finds_its_way() {
    for (name, event) in signings() {
        for is_billed in [false, true] {
            for first in COMMANDS {
                for second in COMMANDS {
                    let what = format!("{name}: {first}, {second}");
                    let mut told = Told::recorded(&event, date("2026-12-10"));
                    if is_billed {
                        told.bill_on(date("2026-12-10"));
                    }
                    let next = take(&mut told, first, "2026-12-10", &what);
                    let mut chain: Vec<Told> = [told].into_iter().chain(next).collect();
                    let last = chain.last_mut().unwrap();
                    last.on("2026-12-20");
                    let next = take(last, second, "2026-12-20", &what);
                    chain.extend(next);
                    for told in &mut chain {
                        bill(told, &what);
                    }
                }
            }
        }
    }
}
