//! The house rules that cargo cannot see: which module may use which.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who may use whom. A module may always use itself and what is below it.
const ALLOWED: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("telemetry", &[]),
    ("journal", &["clock"]),
    ("app", &["clock", "journal"]),
    ("processes", &["app", "clock", "journal"]),
    ("http::wingback", &["app", "clock", "journal", "http"]),
    ("http::exsited", &["app", "clock", "journal", "http"]),
    ("http::chip", &["app", "clock", "journal", "http"]),
    ("http::billstream", &["app", "clock", "journal", "http", "processes"]),
    ("http", &["app", "clock", "journal"]),
    ("cli", &["app", "clock", "http", "journal", "processes", "telemetry"]),
];

/// The room a module path belongs to: the longest name of the table that it starts with.
fn room(path: &str) -> Option<&'static str> {
    let belongs = |name: &str| path == name || path.starts_with(&format!("{name}::"));
    ALLOWED
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| belongs(name))
        .max_by_key(|name| name.len())
}

/// Every `crate::a::b` in a source text, tests and nested braces included.
fn uses(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    for (start, _) in code.match_indices("crate::") {
        expand("", &code[start + "crate::".len()..], &mut found);
    }
    found
}

/// Reads `a::{b, c::d}` into `a::b`, `a::c::d`; stops at the end of the path.
fn expand(prefix: &str, rest: &str, found: &mut Vec<String>) {
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(rest.len());
    let (path, after) = rest.split_at(end);
    let Some(group) = after.strip_prefix('{') else {
        found.push(format!("{prefix}{path}"));
        return;
    };
    let prefix = format!("{prefix}{path}");
    let mut depth = 0_usize;
    let mut item = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, item.trim(), found);
                item.clear();
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    if !item.trim().is_empty() {
        expand(&prefix, item.trim(), found);
    }
}

/// What a file of the module `from` uses and may not.
fn forbidden(from: &str, source: &str) -> Vec<String> {
    let Some(home) = room(from) else {
        return vec![format!("{from} is not in the table of rooms")];
    };
    let allowed = ALLOWED
        .iter()
        .find(|(name, _)| *name == home)
        .map_or(&[][..], |(_, allowed)| *allowed);
    uses(source)
        .into_iter()
        .filter(|used| match room(used) {
            Some(target) => target != home && !target.starts_with(&format!("{home}::")) && !allowed.contains(&target),
            None => false,
        })
        .map(|used| format!("{from} uses {used}"))
        .collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn module_of(root: &Path, file: &Path) -> String {
    let path = file.strip_prefix(root).expect("below src").with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let parts = if parts.last().is_some_and(|last| last == "mod") {
        &parts[..parts.len() - 1]
    } else {
        &parts[..]
    };
    parts.join("::")
}

#[test]
fn no_module_uses_what_its_room_may_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "only {} files were found", files.len());
    let mut faults = Vec::new();
    for file in files {
        let module = module_of(&root, &file);
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        faults.extend(forbidden(&module, &fs::read_to_string(&file).expect("text")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_rule_catches_a_dialect_that_uses_another_and_a_journal_that_uses_http() {
    assert_eq!(
        forbidden("http::chip::wire", "use crate::http::exsited::wire;"),
        ["http::chip::wire uses http::exsited::wire"]
    );
    assert_eq!(
        forbidden("journal::writer", "use crate::{clock, http::{self, chip::Body}};").len(),
        2,
        "nested use lists are read"
    );
    assert!(forbidden("http::chip::wire", "use crate::{app::App, http::chip::error};").is_empty());
}
