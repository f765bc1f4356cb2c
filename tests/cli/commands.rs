//! The commands beside `serve`, on a database that is as it should be, and on none.

use serde_json::Value;

use crate::support::{
    Database, fresh_database,
    process::{Server, create_tenant, run},
};

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_printed_as_one_line_of_json_beside_a_running_server() {
    for database in [Database::Sqlite, Database::Postgres] {
        let (url, _directory) = fresh_database(database).await;
        let _server = Server::start(&url);
        let (code, output, errors) = run(&["tenant", "create", "acme", "--json", "--database", &url]).await;
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{output}");
        assert_eq!(output.lines().count(), 1, "{output}");
        let shown: Value = serde_json::from_str(&output).expect("JSON");
        let names = |value: &Value| -> Vec<String> {
            let object = value.as_object().expect("an object");
            object.keys().cloned().collect()
        };
        assert_eq!(
            names(&shown),
            ["billstream", "chip", "exsited", "tenant_id", "wingback"]
        );
        assert_eq!(names(&shown["billstream"]), ["api_key"]);
        assert_eq!(names(&shown["wingback"]), ["api_key"]);
        assert_eq!(names(&shown["exsited"]), ["client_id", "client_secret"]);
        assert_eq!(names(&shown["chip"]), ["brand_id", "secret_key"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proofs_pass_on_a_good_database() {
    for database in [Database::Sqlite, Database::Postgres] {
        let (url, _directory) = fresh_database(database).await;
        let tenant = create_tenant(&url).await;
        let id = tenant.tenant_id.as_str();
        let commands: [(&[&str], &str); 6] = [
            (
                &["projections", "list"],
                "invoice              v5 inline live, at 5, lag 0",
            ),
            (&["projections", "rebuild"], "from 5 events"),
            (&["projections", "rebuild", "tenant"], "rebuilt tenant from 5 events"),
            (&["audit", "verify"], "5 events in 1 stream, 0 faults"),
            (&["audit", "show", "tenant", id], "tenant.created v1"),
            (&["audit", "replay"], "5 events replayed: every read model is identical"),
        ];
        for (command, says) in commands {
            let (code, output, errors) = run(&[command, &["--database", &url]].concat()).await;
            assert_eq!(code, Some(0), "{command:?}: {output}{errors}");
            assert!(output.contains(says), "{command:?}: {output}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let (url, _directory) = fresh_database(Database::Sqlite).await;
    create_tenant(&url).await;
    let missing: [(&[&str], &str); 4] = [
        (
            &["audit", "show", "contract", "none"],
            "there is no aggregate type contract; there are billing_template, plan, credit, customer, ",
        ),
        (
            &["audit", "show", "subscription", "Cont_1"],
            "there is no subscription Cont_1 (at that time); ids are written as the event feed shows them",
        ),
        (&["audit", "show", "invoice", "none"], "there is no invoice none"),
        (&["projections", "rebuild", "none"], "there is no projection \"none\""),
    ];
    for (command, says) in missing {
        let (code, _, errors) = run(&[command, &["--database", &url]].concat()).await;
        assert_eq!(code, Some(1), "{command:?}");
        assert!(errors.contains(says), "{command:?}: {errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_opened_is_named_with_the_reason() {
    let kinds = "a database is named sqlite://PATH or postgres://USER@HOST/NAME";
    for (url, reason) in [
        ("mysql://localhost/billing", kinds),
        ("billing.db", kinds),
        ("sqlite://", kinds),
        ("postgres://localhost:1/billing", "Connection refused"),
    ] {
        let (code, output, errors) = run(&["audit", "verify", "--database", url]).await;
        assert_eq!((code, output.as_str()), (Some(1), ""), "{errors}");
        assert!(errors.contains(url) && errors.contains(reason), "{url}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_serve_tenant_create_and_bench_make_a_database() {
    let commands: [&[&str]; 6] = [
        &["audit", "verify"],
        &["audit", "replay"],
        &["audit", "show", "tenant", "none"],
        &["projections", "list"],
        &["projections", "rebuild"],
        &["run-billing", "--until", "2026-10-31"],
    ];
    for database in [Database::Sqlite, Database::Postgres] {
        let (url, directory) = fresh_database(database).await;
        for command in commands {
            let (code, output, errors) = run(&[command, &["--database", &url]].concat()).await;
            assert_eq!((code, output.as_str()), (Some(1), ""), "{command:?}: {errors}");
            let place = url.trim_start_matches("sqlite://");
            let says = format!("there is no database at {place}");
            assert!(errors.contains(&says), "{command:?}: {errors}");
        }
        if let Some(directory) = directory {
            let made = std::fs::read_dir(directory.path()).expect("the directory").count();
            assert_eq!(made, 0, "nothing was made");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_no_database() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("empty.db");
    std::fs::write(&file, "").expect("a file");
    let url = format!("sqlite://{}", file.display());
    let (code, _, errors) = run(&["audit", "verify", "--database", &url]).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("there is no database at"), "{errors}");
    assert_eq!(std::fs::metadata(&file).expect("the file").len(), 0, "it stays empty");
}
