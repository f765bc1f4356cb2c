use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use crate::support::{
    Database, fresh_database,
    process::{Server, create_tenant, run},
};

const KILLS: u32 = 20;
const CALLERS: usize = 8;

/// What the callers know: every key they sent, and the answers they got.
#[derive(Default)]
struct Book {
    sent: Vec<String>,
    answered: HashMap<String, String>,
}

/// Creates plans under fresh keys until told to stop.
async fn call(server: Arc<Server>, auth: String, stop: Arc<AtomicBool>, book: Arc<Mutex<Book>>, name: String) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("{name}-{n}");
        book.lock().expect("book").sent.push(key.clone());
        if let Some(id) = create_plan(&server, &auth, &key).await {
            book.lock().expect("book").answered.insert(key, id);
        }
    }
}

async fn create_plan(server: &Server, auth: &str, key: &str) -> Option<String> {
    let body = format!(r#"{{"name":"{key}","currency":"EUR","lines":[]}}"#);
    let headers = [("authorization", auth), ("idempotency-key", key)];
    let (status, text) = server.send("POST", "/billstream/v1/plans", &headers, &body).await?;
    assert_eq!(status, 201, "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    Some(answer["id"].as_str().expect("an id").to_owned())
}

async fn survives_being_killed(database: Database) {
    let (url, _directory) = fresh_database(database).await;
    let tenant = create_tenant(&url).await;
    let auth = format!("Bearer {}", tenant.billstream.api_key);
    let book = Arc::new(Mutex::new(Book::default()));
    for round in 0..KILLS {
        let mut server = Arc::new(Server::start(&url));
        let stop = Arc::new(AtomicBool::new(false));
        let before = book.lock().expect("book").answered.len();
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let name = format!("round{round}-caller{caller}");
                tokio::spawn(call(
                    Arc::clone(&server),
                    auth.clone(),
                    Arc::clone(&stop),
                    Arc::clone(&book),
                    name,
                ))
            })
            .collect();
        // Kill in the thick of it: once some answers of this round are in, the callers still sending.
        let enough = before + 20 + usize::try_from(round).expect("small") * 3;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while book.lock().expect("book").answered.len() < enough {
            assert!(
                tokio::time::Instant::now() < deadline,
                "round {round}: the server answers too little"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let process = std::process::Command::new("kill")
            .args(["-9", &server.id().to_string()])
            .status();
        assert!(process.expect("kill runs").success());
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.expect("callers do not panic");
        }
        Arc::get_mut(&mut server).expect("the callers are done").kill();
    }

    let server = Server::start(&url);
    let (sent, answered) = {
        let book = book.lock().expect("book");
        (book.sent.clone(), book.answered.clone())
    };
    println!(
        "{database:?}: {} sent, {} answered, {KILLS} kills",
        sent.len(),
        answered.len()
    );
    assert!(sent.len() > answered.len(), "no command was under way at any kill");
    for key in &sent {
        let id = create_plan(&server, &auth, key).await.expect("an answer");
        if let Some(first) = answered.get(key) {
            assert_eq!(&id, first, "{key} was acknowledged with another id");
        }
    }
    // Sent again once more, everything is there already: exactly one plan a key.
    let (status, feed) = server
        .send(
            "GET",
            "/billstream/v1/events?limit=1",
            &[("authorization", auth.as_str())],
            "",
        )
        .await
        .expect("an answer");
    assert_eq!(status, 200, "{feed}");
    let store = billstream::journal::connect(&url).await.expect("the database");
    let rows = store
        .read("SELECT COUNT(*) FROM journal WHERE event_type = 'plan.created'", &[])
        .await
        .expect("a count");
    assert_eq!(
        rows[0].int(0).expect("a number"),
        i64::try_from(sent.len()).expect("fits")
    );

    for command in ["verify", "replay"] {
        let (code, output, errors) = run(&["audit", command, "--database", &url]).await;
        assert_eq!(code, Some(0), "audit {command}: {output}{errors}");
        println!("audit {command}: {}", output.trim());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_under_load_nothing_acknowledged_is_lost_on_sqlite() {
    survives_being_killed(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_under_load_nothing_acknowledged_is_lost_on_postgres() {
    survives_being_killed(Database::Postgres).await;
}
