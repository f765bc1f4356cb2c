//! A log on SQLite holds the keys that open personal data: its files are their owner's alone.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use billstream::journal::Journal;

fn rights(path: &Path) -> u32 {
    let found = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    found.permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_new_log_are_their_owners_alone_and_those_that_are_there_keep_their_rights() {
    for (before, after) in [(None, 0o600), (Some(0o640), 0o640)] {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("billstream.db");
        if let Some(before) = before {
            fs::write(&file, "").expect("written");
            fs::set_permissions(&file, fs::Permissions::from_mode(before)).expect("set");
        }
        let journal = Journal::open(&format!("sqlite://{}", file.display()))
            .await
            .expect("a journal");
        for name in ["billstream.db", "billstream.db-wal", "billstream.db-shm"] {
            assert_eq!(rights(&directory.path().join(name)), after, "{name}");
        }
        drop(journal);
    }
}
