//! A real Postgres for the tests: one throw-away server per test process, one fresh database per test.
//!
//! The server listens on a unix socket in its own temporary directory and on nothing else. It outlives no test run:
//! a watchdog shell holds the other end of a pipe, and when this process ends (normally, by a panic or by `kill -9`)
//! it stops the server and removes the directory. Nothing here skips: without Postgres the tests fail and say why.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The directory with `initdb`, `pg_ctl` and `createdb`; without it they are looked for.
const BIN_VARIABLE: &str = "BILLSTREAM_TEST_PG_BIN";
/// Both the system account a root caller steps down to and the database's superuser.
const USER: &str = "postgres";
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "createdb"];
/// A unix socket path may hold 107 bytes; `/.s.PGSQL.5432` takes 14 of them.
const LONGEST_SOCKET_DIRECTORY: usize = 107 - 14;
/// Waits for the pipe to close, then cleans up: `$1` is the directory, the rest is the command that stops the server.
const WATCHDOG: &str = r#"dir=$1; shift; cat >/dev/null; "$@" >/dev/null 2>&1; rm -rf -- "$dir""#;

/// Whether the server waits for the disk at each commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// As in production: for measuring, and for tests about lost power.
    On,
    /// Same semantics for everything but a crash of the machine, and much faster.
    Off,
}

/// A running Postgres that ends with this process.
pub struct Server {
    directory: PathBuf,
    programs: Programs,
    databases: AtomicU32,
    watchdog: Child,
}

/// The server shared by all tests of this process, started at its first use.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(Fsync::Off))
}

impl Server {
    /// Starts a server of its own, for a test that stops it or needs other settings than [`server`].
    pub fn start(fsync: Fsync) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("billstream-pg-")
            .tempdir()
            .expect("a temporary directory for Postgres can be created");
        assert!(
            directory.path().as_os_str().len() <= LONGEST_SOCKET_DIRECTORY,
            "{} is too long for a unix socket: set TMPDIR to a shorter path",
            directory.path().display()
        );
        let programs = Programs::find(StepDown::needed(directory.path()));
        if let Some(account) = programs.step_down {
            chown(directory.path(), Some(account.uid), Some(account.gid)).expect("root can give a directory away");
        }
        // From here on the watchdog removes the directory, after a failing start too.
        let directory = directory.keep();
        let data = directory.join("data");
        let watchdog = watchdog(&directory, &programs, &data);
        let started = Self {
            directory,
            programs,
            databases: AtomicU32::new(0),
            watchdog,
        };
        started.run("initdb", |command| {
            command.arg("--pgdata").arg(&data).args(["--username", USER]);
            command.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        });
        let options = started.options(fsync);
        started.run("pg_ctl", |command| {
            command
                .args(["start", "--wait", "--silent", "--timeout=60"])
                .arg("--pgdata")
                .arg(&data);
            command.arg("--log").arg(started.log()).args(["--options", &options])
        });
        started
    }

    /// Creates an empty database and returns its URL.
    pub fn fresh_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.run("createdb", |command| {
            command
                .arg("--host")
                .arg(&self.directory)
                .args(["--username", USER, "--no-password", &name])
        });
        format!("postgres://{USER}@localhost/{name}?host={}", self.directory.display())
    }

    /// Stops the server at once, as a crash would, and removes its files.
    pub fn stop(mut self) {
        drop(self.watchdog.stdin.take());
        let status = self.watchdog.wait().expect("the watchdog can be waited for");
        assert!(
            status.success(),
            "the watchdog could not remove {}: {status}",
            self.directory.display()
        );
    }

    fn options(&self, fsync: Fsync) -> String {
        let durable = if fsync == Fsync::On { "on" } else { "off" };
        let mut options = format!(
            "-c listen_addresses='' -c unix_socket_directories={}",
            self.directory.display()
        );
        write!(
            options,
            " -c max_connections=300 -c fsync={durable} -c full_page_writes={durable}"
        )
        .expect("a String takes every write");
        options
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Runs one of the Postgres programs to its end; a failure shows what it and the server printed.
    #[track_caller]
    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command) -> &mut Command) {
        let mut command = self.programs.command(program);
        arguments(command.current_dir(&self.directory).stdin(Stdio::null()));
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{program} could not be run: {error}"));
        assert!(
            output.status.success(),
            "{program} failed ({}):\n{}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            std::fs::read_to_string(self.log()).unwrap_or_default()
        );
    }
}

/// Starts the shell that stops the server once our end of its pipe is closed, whatever closes it.
fn watchdog(directory: &Path, programs: &Programs, data: &Path) -> Child {
    let stop = programs.command("pg_ctl");
    Command::new("sh")
        .args(["-c", WATCHDOG, "watchdog"])
        .arg(directory)
        .arg(stop.get_program())
        .args(stop.get_args())
        .args(["stop", "--mode=immediate", "--silent", "--pgdata"])
        .arg(data)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Its own process group: Ctrl-C must end the tests, not the one who cleans up after them.
        .process_group(0)
        .spawn()
        .expect("sh can be run")
}

/// Where the Postgres programs are and who runs them.
struct Programs {
    bin: PathBuf,
    step_down: Option<StepDown>,
}

impl Programs {
    fn find(step_down: Option<StepDown>) -> Self {
        let candidates = match std::env::var_os(BIN_VARIABLE) {
            Some(bin) => vec![PathBuf::from(bin)],
            None => Self::candidates(),
        };
        let tried = candidates
            .iter()
            .fold(String::new(), |tried, bin| format!("{tried}\n  {}", bin.display()));
        candidates
            .into_iter()
            .map(|bin| Self { bin, step_down })
            .find(|programs| PROGRAMS.iter().all(|program| programs.works(program)))
            .unwrap_or_else(|| {
                panic!(
                    "these tests need a real Postgres, and no working {PROGRAMS:?} were found. Install Postgres (Debian: \
                     apt-get install postgresql), or set {BIN_VARIABLE} to the directory that holds them. Tried:{tried}"
                )
            })
    }

    /// Every directory on PATH that has an `initdb` (and where that really lives, as it may be a link), then Debian's.
    fn candidates() -> Vec<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut found = Vec::new();
        for directory in std::env::split_paths(&path) {
            if let Ok(real) = directory.join("initdb").canonicalize() {
                found.extend(real.parent().map(Path::to_path_buf));
                found.push(directory);
            }
        }
        let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
            })
            .collect();
        debian.sort();
        found.extend(debian.into_iter().rev().map(|(_version, bin)| bin));
        found
    }

    fn works(&self, program: &str) -> bool {
        let mut command = self.command(program);
        command
            .arg("--version")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        if self.step_down.is_none() {
            return Command::new(path);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", USER, "--"]).arg(path);
        command
    }
}

/// The account that runs Postgres when the tests run as root, which Postgres refuses to.
#[derive(Clone, Copy)]
struct StepDown {
    uid: u32,
    gid: u32,
}

impl StepDown {
    /// `ours` is a directory this process has just made, so its owner is who we are.
    fn needed(ours: &Path) -> Option<Self> {
        let we_are = ours.metadata().expect("our own directory can be looked at").uid();
        (we_are == 0).then(|| Self {
            uid: account("-u"),
            gid: account("-g"),
        })
    }
}

fn account(which: impl AsRef<OsStr>) -> u32 {
    let output = Command::new("id").arg(which).arg(USER).output().expect("id can be run");
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap_or_else(|_| {
            panic!(
                "the tests run as root, Postgres refuses to, and there is no user `{USER}` to step down to: create it"
            )
        })
}

#[cfg(test)]
mod tests {
    use super::{Fsync, Server, server};
    use sqlx::{Connection, PgConnection, query, query_scalar};

    async fn setting(connection: &mut PgConnection, name: &str) -> String {
        query_scalar("select current_setting($1)")
            .bind(name)
            .fetch_one(connection)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn every_fresh_database_is_empty_and_its_own() {
        let mut first = PgConnection::connect(&server().fresh_database()).await.unwrap();
        let mut second = PgConnection::connect(&server().fresh_database()).await.unwrap();
        query("create table only_here (id bigint)")
            .execute(&mut first)
            .await
            .unwrap();
        let elsewhere: Option<String> = query_scalar("select to_regclass('only_here')::text")
            .fetch_one(&mut second)
            .await
            .unwrap();
        assert_eq!(elsewhere, None);
        assert_eq!(setting(&mut first, "listen_addresses").await, "");
        assert_eq!(setting(&mut first, "max_connections").await, "300");
        assert_eq!(setting(&mut first, "fsync").await, "off");
    }

    #[tokio::test]
    async fn a_stopped_server_answers_no_more_and_leaves_no_files() {
        let own = Server::start(Fsync::On);
        let (url, directory) = (own.fresh_database(), own.directory.clone());
        let mut connection = PgConnection::connect(&url).await.unwrap();
        assert_eq!(setting(&mut connection, "fsync").await, "on");
        own.stop();
        assert!(query("select 1").execute(&mut connection).await.is_err());
        assert!(!directory.exists());
    }
}
