//! Every connection to Postgres is cut while commands flow: nothing acknowledged is lost, nothing is booked twice.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aggregates::{id::PlanId, id::TenantId, money};
use billstream::{
    app::App,
    journal::{CommandError, Request, replay::replay, verify::verify},
};
use sqlx::{Connection, PgConnection};

use crate::{
    journal::history::{quiet, rows},
    support::{Database, TestApp},
};

const CUTS: usize = 15;
const CALLERS: usize = 8;

/// What the callers know: every key they sent, and the answers they got.
#[derive(Default)]
struct Book {
    sent: Vec<String>,
    answered: HashMap<String, PlanId>,
}

async fn create_plan(app: &App, tenant: &TenantId, key: &str) -> Result<PlanId, CommandError> {
    let request = Request::new(tenant.clone(), "tester", "billstream", app.clock.now());
    let request = request.with_key(key, &[key.as_bytes()]);
    app.create_plan(&request, key, money::currency("EUR").expect("a currency"))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_from_postgres_again_and_again_every_command_takes_effect_once() {
    let test = TestApp::start(Database::Postgres).await;
    let tenant = TenantId::from_stored(&test.tenant.tenant_id);
    let (book, stop) = (Arc::new(Mutex::new(Book::default())), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (app, tenant) = (Arc::clone(&test.app), tenant.clone());
            let (book, stop) = (Arc::clone(&book), Arc::clone(&stop));
            tokio::spawn(async move {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let key = format!("caller{caller}-{n}");
                    book.lock().expect("book").sent.push(key.clone());
                    match create_plan(&app, &tenant, &key).await {
                        Ok(id) => drop(book.lock().expect("book").answered.insert(key, id)),
                        Err(CommandError::Unavailable(_)) => {} // sent again at the end
                        Err(error) => panic!("{key}: {error:?}"),
                    }
                }
            })
        })
        .collect();

    let mut knife = PgConnection::connect(&test.database).await.expect("a connection");
    let mut cut = 0;
    for round in 0..CUTS {
        let enough = book.lock().expect("book").answered.len() + 10 + round * 3;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while book.lock().expect("book").answered.len() < enough {
            assert!(tokio::time::Instant::now() < deadline, "round {round}: too few answers");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        cut += sqlx::query(sql).fetch_all(&mut knife).await.expect("cut").len();
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("callers do not panic");
    }
    knife.close().await.expect("closed");

    let (sent, answered) = {
        let book = book.lock().expect("book");
        (book.sent.clone(), book.answered.clone())
    };
    assert!(cut >= CUTS, "only {cut} connections were cut");
    for key in &sent {
        // The last cut may be found out only now, by whoever uses the connection next.
        let mut accepted = create_plan(&test.app, &tenant, key).await;
        for _ in 0..CUTS {
            if matches!(accepted, Err(CommandError::Unavailable(_))) {
                accepted = create_plan(&test.app, &tenant, key).await;
            }
        }
        let id = accepted.expect("accepted");
        if let Some(first) = answered.get(key) {
            assert_eq!(&id, first, "{key} was acknowledged with another id");
        }
    }
    let created = "SELECT COUNT(*) FROM journal WHERE event_type = 'plan.created'";
    let expected = i64::try_from(sent.len()).expect("fits");
    assert_eq!(rows(&test, created, &[]).await[0].int(0), Ok(expected));
    assert_eq!(
        rows(&test, "SELECT COUNT(*) FROM plans", &[]).await[0].int(0),
        Ok(expected)
    );
    let report = verify(&test.app.journal, &[], &quiet).await.expect("readable");
    assert_eq!(report.faults, []);
    let replayed = replay(&test.app.journal, test.clock.as_ref(), &quiet)
        .await
        .expect("replayed");
    assert!(replayed.is_identical(), "{replayed:#?}");
}
