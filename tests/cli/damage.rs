//! Damage to a database: the command that meets it fails and names the place.

use crate::support::{
    Database, fresh_database,
    process::{create_tenant, run},
};

async fn damage(url: &str, sql: &str) {
    let store = billstream::journal::connect(url).await.expect("the database");
    let mut tx = store.begin().await.expect("a transaction");
    let rows = tx.execute(sql, &[]).await.expect("executed");
    tx.commit().await.expect("committed");
    store.close().await;
    assert!(rows > 0, "nothing was damaged by {sql}");
}

/// Damages a database with one tenant, and expects the command to fail and to say this.
async fn is_found(sql: &str, command: &[&str], says: &[&str]) {
    for database in [Database::Sqlite, Database::Postgres] {
        let (url, _directory) = fresh_database(database).await;
        let tenant = create_tenant(&url).await;
        damage(&url, sql).await;
        let id = [tenant.tenant_id.as_str()];
        let arguments = if command == ["audit", "show", "tenant"] {
            &id[..]
        } else {
            &[]
        };
        let (code, output, errors) = run(&[command, arguments, &["--database", &url]].concat()).await;
        assert_eq!(code, Some(1), "{command:?}: {output}{errors}");
        for words in says {
            assert!(
                output.contains(words) || errors.contains(words),
                "{command:?}: {output}{errors}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_event_is_found_by_verify() {
    let sql = "UPDATE journal SET payload = replace(payload, 'wingback', 'exsited') WHERE sequence = 3";
    is_found(
        sql,
        &["audit", "verify"],
        &["event 3 of tenant", "does not have the hash", "1 fault\n"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_event_is_found_by_verify() {
    let sql = "DELETE FROM journal WHERE sequence = 3";
    is_found(
        sql,
        &["audit", "verify"],
        &["the events at positions 3 to 3 are missing"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_view_is_found_by_replay() {
    let sql = "UPDATE tenants SET name = 'another'";
    is_found(sql, &["audit", "replay"], &["tenants: 1 rows, 2 different", "another"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_another_version_is_found_by_the_list_and_named_by_everything_else() {
    let sql = "UPDATE projections SET version = 0 WHERE name = 'invoice' AND shard = -1";
    is_found(
        sql,
        &["projections", "list"],
        &["invoice", "its tables are of version 0"],
    )
    .await;
    is_found(sql, &["audit", "verify"], &["projections rebuild invoice"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_stops_rebuild_replay_and_show() {
    let sql = "UPDATE journal SET payload = '{' WHERE sequence = 3";
    for command in [
        &["projections", "rebuild"][..],
        &["audit", "replay"],
        &["audit", "show", "tenant"],
    ] {
        is_found(sql, command, &["event 3 of shard", "tenant.credential_issued"]).await;
    }
}
