//! What the tests stand on: a real Postgres, an engine on either database, and requests to it.

pub mod doors;
pub mod postgres;
pub mod process;
pub mod sellers;
pub mod store;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use axum::{Router, body::Body, http::Request};
use billstream::{
    app::{App, tenants::NewTenant},
    clock::Clock,
    http,
    journal::Journal,
};
use chrono::{DateTime, Utc};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// A clock that stands still until it is set.
pub struct TestClock(Mutex<DateTime<Utc>>);

impl TestClock {
    pub fn set(&self, now: &str) {
        *self.0.lock().expect("clock") = now.parse().expect("a time");
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("clock")
    }
}

/// An engine on a database of its own, with a tenant, as it stands on 2026-10-05 at noon.
pub struct TestApp {
    pub app: Arc<App>,
    pub router: Router,
    pub clock: Arc<TestClock>,
    pub tenant: NewTenant,
    pub database: String,
    _directory: Option<tempfile::TempDir>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// Runs a test on SQLite and on a real Postgres.
pub async fn on_both(test: impl AsyncFn(TestApp)) {
    for database in [Database::Sqlite, Database::Postgres] {
        println!("on {database:?}");
        test(TestApp::start(database).await).await;
    }
}

/// A fresh database: its URL, and the directory that holds it while the value lives.
pub async fn fresh_database(database: Database) -> (String, Option<tempfile::TempDir>) {
    match database {
        Database::Sqlite => {
            let directory = tempfile::tempdir().expect("a directory");
            (
                format!("sqlite://{}", directory.path().join("billstream.db").display()),
                Some(directory),
            )
        }
        Database::Postgres => {
            let url = tokio::task::spawn_blocking(|| postgres::server().fresh_database())
                .await
                .expect("a database");
            (url, None)
        }
    }
}

/// Drops the future in the middle, after it was asked so many times.
pub async fn cut_off<F: Future>(future: F, mut asked: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if asked == 0 => Poll::Ready(None),
        Poll::Pending => {
            asked -= 1;
            Poll::Pending
        }
    })
    .await
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: axum::http::HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl TestApp {
    pub async fn start(database: Database) -> Self {
        let (url, directory) = fresh_database(database).await;
        let clock = Arc::new(TestClock(Mutex::new("2026-10-05T12:00:00Z".parse().expect("a time"))));
        let journal = Journal::open(&url).await.expect("a journal");
        let app = Arc::new(App::new(journal, Arc::clone(&clock) as Arc<dyn Clock>));
        let tenant = app.create_tenant("test").await.expect("a tenant");
        let router = http::router(Arc::clone(&app));
        Self {
            app,
            router,
            clock,
            tenant,
            database: url,
            _directory: directory,
        }
    }

    /// Sends a request as it is; `headers` as `name: value`.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(http::normalise(request))
            .await
            .expect("routers do not fail");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }

    /// How many events the log holds.
    pub async fn events(&self) -> i64 {
        let rows = self
            .app
            .journal
            .store()
            .read("SELECT COUNT(*) FROM journal", &[])
            .await
            .expect("a count");
        rows[0].int(0).expect("a number")
    }
}
