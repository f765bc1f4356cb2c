//! Every stored form of an event, kept for ever: what the log holds today must be read by every later program.
//!
//! `golden/<event type>.v<version>[.<variant>].json` holds a payload as it is before sealing. A file is added, never
//! changed: a form that changes is a new version, with an upcaster from the old one.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{AnyEvent, Recordable};

struct Golden {
    file: String,
    event: String,
    version: u32,
    payload: String,
}

fn house() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden() -> Vec<Golden> {
    let files = fs::read_dir(house().join("golden")).unwrap();
    let mut all: Vec<_> = files
        .map(|file| {
            let path = file.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let parts: Vec<_> = file.split('.').collect();
            let version = parts[2].strip_prefix('v').and_then(|version| version.parse().ok());
            Golden {
                event: parts[..2].join("."),
                version: version.unwrap_or_else(|| panic!("{file}: no version")),
                payload: fs::read_to_string(&path).unwrap(),
                file,
            }
        })
        .collect();
    all.sort_by(|a, b| a.file.cmp(&b.file));
    all
}

/// The payload as it would be stored, and the version of its form.
fn stored(event: &AnyEvent) -> (Value, u32) {
    fn of(event: &impl Recordable) -> (Value, u32) {
        (serde_json::to_value(event).unwrap(), Recordable::version(event))
    }
    match event {
        AnyEvent::BillingTemplate(event) => of(event),
        AnyEvent::Catalog(event) => of(event),
        AnyEvent::Credit(event) => of(event),
        AnyEvent::Customer(event) => of(event),
        AnyEvent::Discount(event) => of(event),
        AnyEvent::Fulfilment(event) => of(event),
        AnyEvent::Invoice(event) => of(event),
        AnyEvent::Message(event) => of(event),
        AnyEvent::NumberSeries(event) => of(event),
        AnyEvent::Payment(event) => of(event),
        AnyEvent::Preferences(event) => of(event),
        AnyEvent::Purchase(event) => of(event),
        AnyEvent::Subscriber(event) => of(event),
        AnyEvent::Subscription(event) => of(event),
        AnyEvent::Tenant(event) => of(event),
        AnyEvent::Usage(event) => of(event),
        AnyEvent::UsageEntry(event) => of(event),
    }
}

/// The names that the `fn name` of an `event.rs` gives.
fn names(source: &str) -> Vec<String> {
    let start = source.find("fn name(").expect("events have names");
    let rest = &source[start..];
    let end = rest.find("\n    }\n").expect("the function ends");
    rest[..end].split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_stored_form_reads_back_and_is_written_the_same_again() {
    for golden in golden() {
        let file = &golden.file;
        let (aggregate, _) = golden.event.split_once('.').unwrap();
        let event = AnyEvent::decode(aggregate, &golden.event, golden.version, &golden.payload)
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(event.name(), golden.event, "{file}");
        let (payload, version) = stored(&event);
        assert_eq!(version, golden.version, "{file}");
        assert_eq!(
            payload,
            serde_json::from_str::<Value>(&golden.payload).unwrap(),
            "{file}"
        );
    }
}

#[test]
fn every_event_that_can_be_recorded_has_a_golden_file() {
    let kept: BTreeSet<_> = golden().into_iter().map(|golden| golden.event).collect();
    let mut named = BTreeSet::new();
    for entry in fs::read_dir(house()).unwrap() {
        let source = entry.unwrap().path().join("event.rs");
        if source.is_file() {
            let found = names(&fs::read_to_string(&source).unwrap());
            assert!(!found.is_empty(), "{}", source.display());
            named.extend(found);
        }
    }
    assert!(named.len() > 10, "only {named:?} were found");
    assert_eq!(kept, named);
}

#[test]
fn personal_data_is_where_the_journal_seals_it_and_nowhere_else() {
    for golden in golden() {
        let mut payload: Value = serde_json::from_str(&golden.payload).unwrap();
        let fields = payload.as_object_mut().unwrap();
        let personal = fields.remove("personal");
        let (aggregate, _) = golden.event.split_once('.').unwrap();
        let event = AnyEvent::decode(aggregate, &golden.event, golden.version, &golden.payload).unwrap();
        assert_eq!(event.subject().is_some(), personal.is_some(), "{}", golden.file);
        assert!(!payload.to_string().contains("ada@example.com"), "{}", golden.file);
    }
}
