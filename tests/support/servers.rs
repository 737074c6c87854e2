//! Private, throw-away MariaDB and MySQL servers on free ports, one of each per test process, started when first asked for.
//! `BINSYNC_TEST_MARIADB` and `BINSYNC_TEST_MYSQL` (`mysql://user:password@host:port`) name existing servers instead:
//! every database on them is dropped.

use super::watchdog::Watched;
use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    MariaDb,
    MySql,
}

/// Both kinds, for tests that hold for either.
pub const KINDS: [Kind; 2] = [Kind::MariaDb, Kind::MySql];

impl Kind {
    /// The first half of a recording's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::MariaDb => "mariadb",
            Kind::MySql => "mysql",
        }
    }

    /// The kind of server a recording was made on.
    pub fn of(recording: &str) -> Kind {
        if recording.starts_with("mysql") { Kind::MySql } else { Kind::MariaDb }
    }
}

pub struct Server {
    pub kind: Kind,
    pub port: u16,
    pub(super) host: String,
    pub(super) user: String,
    pub(super) password: String,
    dir: Option<PathBuf>,
    process: Option<Mutex<Watched>>,
}

/// A server with no user database on it, held by one test at a time.
pub struct Fresh {
    server: &'static Server,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Fresh {
    type Target = Server;
    fn deref(&self) -> &Server {
        self.server
    }
}

/// A server that is started when first asked for, and used in turns.
struct Shared {
    server: OnceLock<Server>,
    turn: Mutex<()>,
}

impl Shared {
    const fn new() -> Shared {
        Shared { server: OnceLock::new(), turn: Mutex::new(()) }
    }

    fn take(&'static self, start: impl FnOnce() -> Server) -> Fresh {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let server = self.server.get_or_init(start);
        server.empty();
        Fresh { server, _turn: turn }
    }
}

/// Waits for the server of that kind to be free and empties it.
pub fn fresh(kind: Kind) -> Fresh {
    static SERVERS: [Shared; 2] = [const { Shared::new() }; 2];
    SERVERS[kind as usize].take(|| existing(kind).unwrap_or_else(|| Server::start_unsynced(kind)))
}

/// A second server of that kind, to be the one that is recorded: its binlog is at hand.
pub fn source(kind: Kind) -> Fresh {
    static SERVERS: [Shared; 2] = [const { Shared::new() }; 2];
    SERVERS[kind as usize].take(|| {
        let server = Server::start_unsynced(kind);
        // As on the sources of the recordings.
        server.sql("SET GLOBAL character_set_server=utf8mb4");
        server
    })
}

fn existing(kind: Kind) -> Option<Server> {
    let name = format!("BINSYNC_TEST_{}", kind.name().to_uppercase());
    let url = env::var(&name).ok()?;
    let options = mysql::Opts::from_url(&url).unwrap_or_else(|error| panic!("{name}: {error}"));
    Some(Server {
        kind,
        port: options.get_tcp_port(),
        host: options.get_ip_or_hostname().into_owned(),
        user: options.get_user().unwrap_or("root").into(),
        password: options.get_pass().unwrap_or("").into(),
        dir: None,
        process: None,
    })
}

impl Server {
    /// Starts a private server; it ends with the value or with this process.
    pub fn start(kind: Kind) -> Server {
        Server::start_with(kind, &[])
    }

    /// One that leaves it to the system when it writes its files: what a crash of the machine would lose is of no
    /// interest, and the wait for the disk is the longest part of many tests.
    fn start_unsynced(kind: Kind) -> Server {
        Server::launch(kind, &[], &[("LD_PRELOAD", "libeatmydata.so")])
    }

    /// The same with more options, which win over those that every server here has.
    pub fn start_with(kind: Kind, options: &[&str]) -> Server {
        Server::launch(kind, options, &[])
    }

    fn launch(kind: Kind, options: &[&str], environment: &[(&str, &str)]) -> Server {
        let dir = tempfile::Builder::new()
            .prefix(&format!("binsync-{}-", kind.name()))
            .tempdir()
            .unwrap()
            .keep();
        let data = dir.join("data");
        let mut command = match kind {
            Kind::MariaDb => mariadb_server(&dir, &data),
            Kind::MySql => mysql_server(&dir, &data),
        };
        let port = free_port();
        command
            .env("TMPDIR", &dir)
            .envs(environment.iter().copied())
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", dir.join("s").display()))
            .arg(format!("--pid-file={}", dir.join("pid").display()))
            .arg(format!("--tmpdir={}", dir.display()))
            .arg(format!("--port={port}"))
            .arg(format!("--server-id={}", 4000 + kind as u32))
            .args([
                "--user=root",
                "--bind-address=127.0.0.1",
                "--log-bin=bin",
                "--binlog-format=ROW",
            ])
            .args([
                "--max-allowed-packet=64M",
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=256M",
            ])
            .args(options);
        let process = Watched::start(&dir, &command);
        let server = Server {
            kind,
            port,
            host: "127.0.0.1".into(),
            user: "root".into(),
            password: String::new(),
            dir: Some(dir),
            process: Some(Mutex::new(process)),
        };
        server.await_ready();
        server.sql(
            "CREATE USER t@'%' IDENTIFIED BY 't'; GRANT ALL ON *.* TO t@'%' WITH GRANT OPTION",
        );
        server
    }

    /// kill -9 of the server, and after `down` a start on the same data and port; returns when it answers.
    pub fn crash(&self, down: Duration) {
        let process = self.process.as_ref().expect("a server of our own");
        let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
        process.kill();
        sleep(down);
        process.start_again();
        self.await_ready();
    }

    fn await_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !self
            .client("mariadb")
            .args(["-e", "SELECT 1"])
            .output()
            .is_ok_and(|done| done.status.success())
        {
            if Instant::now() > deadline {
                let log = self
                    .dir
                    .as_ref()
                    .map(|dir| fs::read_to_string(dir.join("server.log")).unwrap_or_default());
                panic!(
                    "{} did not start within 90 s; its log:\n{}",
                    self.kind.name(),
                    log.unwrap_or_default()
                );
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// Ends left-over connections, undoes global switches and drops every user database.
    pub fn empty(&self) {
        let me = self.query("SELECT CONNECTION_ID()");
        for id in self.query("SELECT id FROM information_schema.processlist WHERE user='t'").lines()
        {
            if id != me.trim() {
                let _ = self.client("mariadb").args(["-e", &format!("KILL {id}")]).output();
            }
        }
        self.sql("SET GLOBAL read_only=0");
        for database in self.databases() {
            self.sql(&format!("SET foreign_key_checks=0; DROP DATABASE {}", quoted(&database)));
        }
    }

    /// Every database that is not the server's own; `binsync`, where the tool keeps its progress, is one of them.
    pub fn databases(&self) -> Vec<String> {
        let own = ["information_schema", "performance_schema", "mysql", "sys"];
        let all = self.query("SHOW DATABASES");
        all.lines().filter(|name| !own.contains(name)).map(str::to_owned).collect()
    }

    /// What the tool is given as `--target`; the port is the server's, the user `t` has every right.
    pub fn url(&self) -> String {
        match self.dir {
            Some(_) => format!("mysql://t:t@127.0.0.1:{}", self.port),
            None => format!("mysql://{}:{}@{}:{}", self.user, self.password, self.host, self.port),
        }
    }

    /// The data folder, where the binary logs are; only of a server that was started here.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.as_ref().expect("a server of our own").join("data")
    }
}

/// A name as MySQL wants it in backticks.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Said whenever a server or tool is missing: such a run fails, it never skips.
pub const ADVICE: &str = "a program that the tests need is missing: run tests/install-servers";

/// A server that starts removes the temporary tables of every other one that shares its folder for them: each has its own.
fn mariadb_server(temporary: &Path, data: &Path) -> Command {
    let mut install = Command::new("mariadb-install-db");
    install.env("TMPDIR", temporary).args([
        "--no-defaults",
        "--user=root",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]);
    run_quietly(install.arg(format!("--datadir={}", data.display())));
    let program =
        ["mariadbd", "/usr/sbin/mariadbd"].into_iter().find(|name| on_path(name)).expect(ADVICE);
    let mut command = Command::new(program);
    command.args(["--no-defaults", "--lc-messages-dir=/usr/share/mysql"]);
    command
}

/// Where `tests/install-servers` puts what it does not install into the system.
pub(super) fn cached(path: &str) -> PathBuf {
    let cache = env::var("BINSYNC_TEST_CACHE").unwrap_or_else(|_| {
        format!("{}/.cache/binsync-tests", env::var("HOME").expect("HOME is set"))
    });
    PathBuf::from(cache).join(path)
}

/// A program of MySQL's own.
pub(super) fn mysql_program(name: &str) -> PathBuf {
    let program = cached("mysql").join(name);
    assert!(program.exists(), "no MySQL at {}: run tests/install-servers", program.display());
    program
}

fn mysql_server(temporary: &Path, data: &Path) -> Command {
    let program = mysql_program("mysqld");
    run_quietly(
        Command::new(&program)
            .env("TMPDIR", temporary)
            .args(["--user=root", "--initialize-insecure"])
            .arg(format!("--datadir={}", data.display())),
    );
    let mut command = Command::new(program);
    command.arg("--performance-schema=OFF");
    command
}

fn run_quietly(command: &mut Command) {
    let done = command.output().expect(ADVICE);
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn on_path(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
