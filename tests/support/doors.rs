//! A tenant in test mode at all four doors, with its clock in the caller's hand.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aggregates::id::TenantId;
use billstream::{
    app::App,
    clock::Clock,
    http,
    journal::{Journal, Request, Streams},
};
use serde_json::{Value, json};

use super::{Answer, TestApp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Wingback,
    Exsited,
    Chip,
    Own,
}

/// Requests are sent as the tenant's own programs would.
pub struct Doors {
    pub test: TestApp,
    token: Mutex<String>,
    /// How many hold the engine while it does nothing.
    idle: usize,
    /// Engines that others took the place of, until what they had begun is over.
    left: Vec<Arc<App>>,
    settlements: u32,
}

impl Doors {
    /// The engine with a new tenant in test mode for its own.
    pub async fn of(mut test: TestApp) -> Self {
        test.tenant = test.app.create_test_tenant("rehearsal").await.expect("a tenant");
        let doors = Self {
            idle: Arc::strong_count(&test.app),
            test,
            token: Mutex::default(),
            left: Vec::new(),
            settlements: 0,
        };
        doors.renew().await;
        doors
    }

    /// Another engine on the same database in place of this one, whatever this one was about to do.
    pub async fn reopen(&mut self) {
        let journal = Journal::open(&self.test.database).await.expect("a journal");
        let clock = Arc::clone(&self.test.clock) as Arc<dyn Clock>;
        let app = Arc::new(App::new(journal, clock));
        self.test.router = http::router(Arc::clone(&app));
        self.idle = Arc::strong_count(&app);
        let before = std::mem::replace(&mut self.test.app, app);
        self.left.push(before);
    }

    /// Waits for what was begun by calls that were cut off. Whoever goes away while payers are billed leaves their turns
    /// to end by themselves: such a turn is over when it lets go of its engine. And a command that waits for its commit
    /// takes effect all the same, also one that the same call does not send again, because its answer is known already:
    /// each engine's writer takes its commands in order, so what is behind them is committed after them.
    pub async fn settled(&mut self) {
        while self.left.iter().any(|left| Arc::strong_count(left) > 1) || Arc::strong_count(&self.test.app) > self.idle
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for engine in self.left.iter().chain([&self.test.app]) {
            self.settlements += 1;
            let key = format!("settled-{}", self.settlements);
            let tenant = TenantId::from_stored(&self.test.tenant.tenant_id);
            let request = Request::new(tenant, "tester", "billstream", engine.clock.now()).with_key(&key, &[]);
            let behind = engine.journal.execute(&request, Streams::new(), |_| Ok(()));
            behind.await.expect("a writer that goes on");
        }
        self.left.clear();
    }

    async fn renew(&self) {
        let keys = &self.test.tenant.exsited;
        let body = json!({"grant_type": "client_credentials", "client_id": keys.client_id, "client_secret": keys.client_secret});
        let path = "/api/v3/oauth2/token";
        let answer = self.test.send("POST", path, &[], &body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        drop(std::mem::replace(&mut *self.token.lock().expect("the token"), token));
    }

    /// A request, under a key where one is given.
    pub async fn send(&self, door: Door, key: Option<&str>, method: &str, path: &str, body: &Value) -> Answer {
        let answer = self.send_once(door, key, method, path, body).await;
        if door == Door::Exsited && answer.status == 401 {
            // An hour has gone by on the clock.
            self.renew().await;
            return self.send_once(door, key, method, path, body).await;
        }
        answer
    }

    async fn send_once(&self, door: Door, key: Option<&str>, method: &str, path: &str, body: &Value) -> Answer {
        let tenant = &self.test.tenant;
        let (name, credential) = match door {
            Door::Wingback => ("wb-key", tenant.wingback.api_key.clone()),
            Door::Exsited => (
                "authorization",
                format!("Bearer {}", self.token.lock().expect("the token")),
            ),
            Door::Chip => ("authorization", format!("Bearer {}", tenant.chip.secret_key)),
            Door::Own => ("authorization", format!("Bearer {}", tenant.billstream.api_key)),
        };
        let mut headers = vec![
            (name, credential.as_str()),
            ("content-type", "application/json"),
            ("host", "billing.example.com"),
        ];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.test.send(method, path, &headers, &body).await
    }

    /// A request that must be accepted.
    pub async fn ok(&self, door: Door, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(door, None, method, path, body).await;
        let accepted = (200..300).contains(&answer.status);
        assert!(accepted, "{door:?} {method} {path} {body}: {answer:?}");
        if answer.text.is_empty() {
            Value::Null
        } else {
            answer.json()
        }
    }

    pub async fn get(&self, door: Door, path: &str) -> Value {
        self.ok(door, "GET", path, &Value::Null).await
    }

    pub async fn post(&self, door: Door, path: &str, body: &Value) -> Value {
        self.ok(door, "POST", path, body).await
    }

    /// The same for an answer that is a bare id.
    pub async fn made(&self, door: Door, path: &str, body: &Value) -> String {
        let answer = self.post(door, path, body).await;
        let id = answer.as_str().or_else(|| answer["id"].as_str());
        id.unwrap_or_else(|| panic!("{path}: no id in {answer}")).to_owned()
    }

    /// Moves the clock; what the move says was billed.
    pub async fn move_clock(&self, now: &str) -> Value {
        self.post(Door::Own, "/billstream/v1/clock", &json!({"now": now})).await
    }

    /// The tenant's events after this position, and the position of the last one.
    pub async fn feed(&self, mut after: i64) -> (Vec<Value>, i64) {
        let mut events = Vec::new();
        loop {
            let page = self
                .get(Door::Own, &format!("/billstream/v1/events?limit=1000&after={after}"))
                .await;
            let found = page["events"].as_array().expect("events");
            if found.is_empty() {
                return (events, after);
            }
            events.extend(found.iter().cloned());
            after = page["next_after"].as_i64().expect("a position");
        }
    }
}
