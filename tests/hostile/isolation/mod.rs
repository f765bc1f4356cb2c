//! No door shows or lets change what is another tenant's: what exists there answers like what exists nowhere.

mod billstream;
mod chip;
mod exsited;
mod wingback;
mod world;

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;

use self::world::{Keys, filled, unknown};
use crate::support::on_both;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Door {
    Billstream,
    Chip,
    Exsited,
    Operations,
    Wingback,
}

impl Door {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Billstream, "billstream/mod.rs"),
        (Self::Chip, "chip/mod.rs"),
        (Self::Exsited, "exsited/mod.rs"),
        (Self::Operations, "operations.rs"),
        (Self::Wingback, "wingback/mod.rs"),
    ];

    /// What the paths of its routes begin with.
    fn prefixes(self, path: &str) -> &'static [&'static str] {
        match self {
            Self::Exsited => &["", "/api/v1", "/api/v2", "/api/v3", "/api/v4"],
            Self::Chip if !path.starts_with("/p/") => &["", "/api/v1"],
            Self::Chip | Self::Billstream | Self::Operations | Self::Wingback => &[""],
        }
    }
}

/// Answers without a credential, by design: tokens are asked for there, pages are opened by whoever pays.
const OPEN: [&str; 6] = [
    "/oauth2/token",
    "/p/{purchase}",
    "/p/{purchase}/invoice",
    "/health/live",
    "/health/ready",
    "/metrics",
];

/// Method, path, and a body.
type Route = (&'static str, &'static str, &'static str);

const OPERATIONS: &[Route] = &[
    ("GET", "/health/live", ""),
    ("GET", "/health/ready", ""),
    ("GET", "/metrics", ""),
];

/// Every route of every door.
const ROUTES: [(Door, &[Route]); 5] = [
    (Door::Billstream, billstream::ROUTES),
    (Door::Chip, chip::ROUTES),
    (Door::Exsited, exsited::ROUTES),
    (Door::Operations, OPERATIONS),
    (Door::Wingback, wingback::ROUTES),
];

/// Everything in braces becomes `{}`: source and table name their parameters differently.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let part = |part: &str| {
        if part.starts_with('{') {
            "{}".to_owned()
        } else {
            part.to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Method and shape of every route that a source text declares.
fn declared(source: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for opening in [".route(", "both("] {
        for (start, _) in source.match_indices(opening) {
            let rest = &source[start + opening.len()..];
            let mut depth = 1;
            let end = rest.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            let call = &rest[..end.expect("the call ends")];
            let Some(path) = call.split('"').nth(1).filter(|path| !path.contains("{path}")) else {
                continue; // where `both` is made of two routes
            };
            for method in ["get", "post", "put", "patch", "delete", "any", "head", "on"] {
                let calls = call.match_indices(&format!("{method}(")).any(|(at, _)| {
                    let before = call[..at].chars().next_back();
                    before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
                });
                if calls {
                    found.insert((method.to_uppercase(), shape(path)));
                }
            }
        }
    }
    found
}

#[test]
fn the_table_names_every_route_and_no_other() {
    let http = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut count = 0;
    for (door, file) in Door::ALL {
        let declared = declared(&fs::read_to_string(http.join(file)).expect("a source"));
        let listed = ROUTES
            .iter()
            .filter(|(of, _)| *of == door)
            .flat_map(|(_, routes)| *routes);
        let listed: BTreeSet<_> = listed
            .map(|(method, path, _)| ((*method).to_owned(), shape(path)))
            .collect();
        assert_eq!(
            declared, listed,
            "{door:?}: left what the source declares, right the table of this test"
        );
        count += declared.len();
    }
    assert!(count > 35, "only {count} routes were found");
    // A route elsewhere would not be seen above.
    let mut files = vec![http.clone()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                fs::read_dir(&path)
                    .expect("a directory")
                    .map(|entry| entry.expect("an entry").path()),
            );
        } else if !Door::ALL.iter().any(|(_, file)| http.join(file) == path) {
            let source = fs::read_to_string(&path).expect("a source");
            for way in [".route(", ".route_service(", ".nest(", ".nest_service("] {
                assert!(!source.contains(way), "{} has a route of its own", path.display());
            }
        }
    }
}

/// Every path and body that a line of the table stands for, placeholders still in it.
fn requests() -> impl Iterator<Item = (Door, &'static str, String, &'static str)> {
    let routes = ROUTES
        .iter()
        .flat_map(|(door, routes)| routes.iter().map(move |route| (door, route)));
    routes.flat_map(|(door, (method, path, body))| {
        let spellings: &[&str] = if path.contains("{spelling}") {
            &["billing-preferences", "billing_preferences"]
        } else {
            &[""]
        };
        door.prefixes(path).iter().flat_map(move |prefix| {
            // The lists of settings are everybody's, their ids a tenant's own, and v4 spells them otherwise.
            let path = path.replace("{list}", "payment_terms");
            let path = match *prefix {
                "/api/v4" => path.replace("{setting}", "{setting_v4}"),
                _ => path,
            };
            spellings.iter().map(move |spelling| {
                (
                    *door,
                    *method,
                    format!("{prefix}{}", path.replace("{spelling}", spelling)),
                    *body,
                )
            })
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_credential_nothing_is_shown_and_nothing_happens() {
    on_both(async |test| {
        let ids = Keys::of(&test, &test.tenant).await.fill(&test).await;
        let events = test.events().await;
        for (_, method, path, body) in requests().filter(|request| !OPEN.iter().any(|open| request.2.ends_with(open))) {
            let (path, body) = (filled(&path, &ids), filled(body, &ids));
            for headers in [&[][..], &[("authorization", "Bearer wrong"), ("wb-key", "wrong")]] {
                let answer = test.send(method, &path, headers, &body).await;
                assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
                assert!(
                    !answer.text.to_lowercase().contains("northwind"),
                    "{method} {path}: {answer:?}"
                );
            }
        }
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_tenants_answers_like_what_is_nobodys() {
    on_both(async |test| {
        let theirs = Keys::of(&test, &test.tenant).await;
        let mut foreign = theirs.fill(&test).await;
        let other = test.app.create_tenant("other").await.expect("a tenant");
        let other = Keys::of(&test, &other).await;
        let own = other
            .made(&test, Door::Wingback, "/v1/c/customer", json!({"name": "Own"}))
            .await;
        let own = own.as_str().expect("an id").to_owned();
        let mut nobodys = unknown();
        foreign.push(("own_customer", own.clone()));
        nobodys.push(("own_customer", own));
        let events = test.events().await;
        for (door, method, path, body) in requests() {
            let names = |template: &str| {
                foreign
                    .iter()
                    .any(|(name, _)| template.contains(&format!("{{{name}}}")))
            };
            if OPEN.iter().any(|open| path.ends_with(open)) || !(names(&path) || names(body)) {
                continue;
            }
            let mut answers = Vec::new();
            for ids in [&foreign, &nobodys] {
                let (path, body) = (filled(&path, ids), filled(body, ids));
                let answer = other.send(&test, door, method, &path, &body).await;
                let text = ids
                    .iter()
                    .fold(answer.text.clone(), |text, (name, id)| text.replace(id, name));
                assert!(
                    !text.to_lowercase().contains("northwind"),
                    "{method} {path}: {answer:?}"
                );
                answers.push((answer.status, text));
            }
            assert_eq!(answers[0], answers[1], "{method} {path} {body}");
            let list = path.contains('?') && !path.contains("?at=");
            assert!(
                list || (400..500).contains(&answers[0].0),
                "{method} {path}: {answers:?}"
            );
            let in_path = names(path.split('?').next().unwrap_or_default());
            assert!(!in_path || answers[0].0 == 404, "{method} {path}: {answers:?}");
            assert_eq!(test.events().await, events, "{method} {path} {body}");
            if method == "GET" {
                let path = filled(&path, &foreign);
                let owner = theirs.send(&test, door, method, &path, "").await;
                assert_eq!(owner.status, 200, "the owner reads it: {path}: {owner:?}");
            }
        }
    })
    .await;
}
