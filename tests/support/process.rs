//! The real program as a process of its own: started, asked over HTTP, killed.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::{body::Bytes, http::Request};
use billstream::app::tenants::NewTenant;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_billstream");

/// A running `billstream serve`; killed when dropped.
pub struct Server {
    child: Child,
    pub url: String,
    /// What it printed before it said where it listens.
    pub introduction: Vec<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Server {
    /// Starts the program on a free port and waits until it says where it listens.
    pub fn start(database: &str) -> Self {
        Self::start_with(database, &[])
    }

    /// The same with more arguments.
    pub fn start_with(database: &str, more: &[&str]) -> Self {
        Self::start_program(&mut Command::new(PROGRAM), database, more)
    }

    /// The same with a log of everything from `info` up.
    pub fn start_logging(database: &str, log: std::fs::File) -> Self {
        Self::start_program(
            Command::new(PROGRAM).env("BILLSTREAM_LOG", "info").stderr(log),
            database,
            &[],
        )
    }

    fn start_program(program: &mut Command, database: &str, more: &[&str]) -> Self {
        let mut child = program
            .args(["serve", "--listen", "127.0.0.1:0", "--database", database])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut introduction = Vec::new();
        let url = loop {
            let line = lines.next().expect("the program says where it listens").expect("text");
            if let Some(rest) = line.split("listens on ").nth(1) {
                break rest.split(',').next().expect("an address").to_owned();
            }
            introduction.push(line);
        };
        std::thread::spawn(move || lines.for_each(drop)); // or it would block on a full pipe
        Self {
            child,
            url,
            introduction,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Status and body, or `None` where no answer came.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, String)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).expect("a request");
        let answer = tokio::time::timeout(Duration::from_secs(60), self.client.request(request))
            .await
            .ok()?
            .ok()?;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, as a supervisor sends it: what the program answers with when it ends.
    pub async fn terminate(mut self) -> std::process::ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be waited for") {
                return status;
            }
            assert!(tokio::time::Instant::now() < deadline, "the program does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// SIGKILL: no chance to finish anything.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts the program; the caller waits for it, or kills it.
pub fn spawn(arguments: &[&str]) -> Child {
    Command::new(PROGRAM)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// Runs the program to its end: exit code, standard output, standard error.
pub async fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let done = tokio::task::spawn_blocking(move || Command::new(PROGRAM).args(arguments).output())
        .await
        .expect("no panic")
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

/// The same with a filter of what is logged.
pub fn run_logging(filter: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(PROGRAM);
    let done = program.env("BILLSTREAM_LOG", filter).args(arguments).output();
    let done = done.expect("the program starts");
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// A new tenant, made beside whatever runs on the database.
pub async fn create_tenant(database: &str) -> NewTenant {
    let (code, output, errors) = run(&["tenant", "create", "test", "--json", "--database", database]).await;
    assert_eq!(code, Some(0), "{errors}");
    serde_json::from_str(&output).expect("credentials")
}
