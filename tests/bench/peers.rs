//! The four comparisons. Ours and the peer's runs alternate, each from the same start.

use crate::{
    generator,
    support::{
        Kind, Queue, Spool, amqp_url, broker,
        cli::harden,
        dump::assert_rows_equal,
        recordings::temp_dir,
        servers::{ADVICE, Server},
    },
};
use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};
use tempfile::TempDir;

pub struct Measured {
    pub seconds: f64,
    pub peak_mib: f64,
}

#[derive(Default)]
pub struct Figure {
    pub ours: Vec<Measured>,
    pub peer: Vec<Measured>,
}

pub struct Bench {
    dir: TempDir,
    stream: PathBuf,
    sql: PathBuf,
    spool: Option<Spool>,
}

const TOOL: &str = env!("CARGO_BIN_EXE_binsync");
const IDLE_SECONDS: f64 = 2.0;

impl Bench {
    pub fn new() -> Bench {
        let dir = temp_dir();
        let (stream, sql) = (dir.path().join("stream.jsonl"), dir.path().join("source.sql"));
        generator::generate(&stream, &sql, generator::FULL).unwrap();
        let size = fs::metadata(&stream).unwrap().len();
        eprintln!("the stream: {} MB, {} messages", size / 1_000_000, count_lines(&stream));
        Bench { dir, stream, sql, spool: None }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn stream(&self) -> &str {
        self.stream.to_str().unwrap()
    }

    /// The spool that holds the stream, made once.
    fn spool(&mut self) -> String {
        let stream = self.stream.clone();
        let spool = self.spool.get_or_insert_with(|| {
            let spool = Spool::new();
            measured(spool.command([Path::new("import"), &stream]));
            spool
        });
        spool.path().to_str().unwrap().to_owned()
    }

    pub fn import(&mut self, runs: usize) -> Figure {
        let mut figure = Figure::default();
        for _ in 0..runs {
            let packed = self.path("peer.zst");
            figure
                .peer
                .push(measured(program("zstd", &["-1", "-q", "-f", self.stream(), "-o", &packed])));
            let spool = self.path("import");
            figure.ours.push(measured(program(
                TOOL,
                &["--spool", &spool, "--quiet", "import", self.stream()],
            )));
            fs::remove_dir_all(spool).unwrap();
        }
        figure
    }

    pub fn capture(&mut self, runs: usize) -> Figure {
        let mut figure = Figure::default();
        let text = fs::read(&self.stream).unwrap();
        let lines = || text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        for _ in 0..runs {
            let queue = broker("bench-peer");
            queue.publish_many(lines());
            figure.peer.push(bare_consumer(&queue, lines().count()));
            drop(queue);

            let (queue, spool) = (broker("bench"), self.path("capture"));
            queue.publish_many(lines());
            let args = [
                "--spool",
                &spool,
                "--quiet",
                "capture",
                "--queue",
                &queue.name,
                "--amqp-url",
                amqp_url(),
            ];
            let idle = format!("{IDLE_SECONDS}s");
            let mut run =
                measured(program(TOOL, &[&args[..], &["--exit-when-idle", &idle]].concat()));
            run.seconds -= IDLE_SECONDS;
            figure.ours.push(run);
            assert_eq!(queue.ready(), 0);
            fs::remove_dir_all(spool).unwrap();
        }
        figure
    }

    pub fn render(&mut self, runs: usize) -> Figure {
        let mut figure = Figure::default();
        let spool = self.spool();
        let target = Server::start(Kind::MariaDb);
        target.sql("RESET MASTER");
        measured(program(
            TOOL,
            &["--spool", &spool, "--quiet", "apply", "--target", &target.url()],
        ));
        let binlogs = binlogs(&target);
        for _ in 0..runs {
            let mut peer = program("mariadb-binlog", &["--no-defaults", "--flashback"]);
            figure.peer.push(measured_into(peer.args(&binlogs), &self.path("peer.sql")));
            let mut ours = program(TOOL, &["--spool", &spool, "--quiet", "render", "--reverse"]);
            figure.ours.push(measured_into(&mut ours, &self.path("ours.sql")));
        }
        figure
    }

    pub fn apply(&mut self, runs: usize) -> Figure {
        let mut figure = Figure::default();
        let spool = self.spool();
        let source = Server::start(Kind::MariaDb);
        source.sql("RESET MASTER");
        eprintln!("running the source's {} transactions one by one", generator::FULL.transactions);
        let mut load = source.client("mariadb");
        load.stdin(File::open(&self.sql).unwrap());
        assert!(load.status().expect(ADVICE).success());
        let (expected, binlogs) = (source.dump(), binlogs(&source));
        let target = Server::start(Kind::MariaDb);
        for run in 0..runs {
            target.empty();
            let client = target.client("mariadb");
            let words: Vec<_> =
                client.get_args().map(|word| word.to_str().unwrap().to_owned()).collect();
            let script = format!(
                "mariadb-binlog --no-defaults \"$@\" | mariadb {} --binary-mode",
                words.join(" ")
            );
            let mut peer = program("bash", &["-o", "pipefail", "-c", &script, "bash"]);
            figure.peer.push(measured(with_args(&mut peer, &binlogs)));
            if run == 0 {
                assert_rows_equal(&target.dump(), &expected, "the peer's end");
            }
            target.empty();
            let ours =
                program(TOOL, &["--spool", &spool, "--quiet", "apply", "--target", &target.url()]);
            figure.ours.push(measured(ours));
            if run == 0 {
                assert_rows_equal(&target.dump(), &expected, "our end");
            }
        }
        figure
    }
}

fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args);
    command
}

fn with_args(command: &mut Command, args: &[PathBuf]) -> Command {
    command.args(args);
    std::mem::replace(command, Command::new("true"))
}

/// The server's binary logs up to now, closed.
fn binlogs(server: &Server) -> Vec<PathBuf> {
    server.sql("FLUSH BINARY LOGS");
    let list = server.query("SHOW BINARY LOGS");
    let names: Vec<&str> = list.lines().filter_map(|line| line.split('\t').next()).collect();
    names[..names.len() - 1].iter().map(|name| server.data_dir().join(name)).collect()
}

fn measured(command: Command) -> Measured {
    timed(&command, Stdio::null())
}

fn measured_into(command: &mut Command, file: &str) -> Measured {
    timed(command, Stdio::from(File::create(file).unwrap()))
}

/// Wall time, and the largest resident size of the program and what it started.
fn timed(command: &Command, stdout: Stdio) -> Measured {
    let notes = tempfile::NamedTempFile::new().unwrap();
    let mut timed = Command::new("/usr/bin/time");
    timed
        .args(["-f", "%e %M", "-o"])
        .arg(notes.path())
        .arg(command.get_program())
        .args(command.get_args());
    harden(&mut timed);
    let start = Instant::now();
    let mut child = timed.stdout(stdout).stderr(Stdio::piped()).spawn().expect(ADVICE);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let done = child.wait().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(done.success(), "{command:?}: {}", said.chars().take(2000).collect::<String>());
    let kib: f64 = fs::read_to_string(notes.path())
        .unwrap()
        .split_whitespace()
        .last()
        .unwrap()
        .parse()
        .unwrap();
    Measured { seconds, peak_mib: kib / 1024.0 }
}

/// The peer of a capture: takes every message and does nothing with it.
fn bare_consumer(queue: &Queue, messages: usize) -> Measured {
    let start = Instant::now();
    queue.consume(messages, 2000, 1000);
    Measured { seconds: start.elapsed().as_secs_f64(), peak_mib: 0.0 }
}

fn count_lines(path: &Path) -> usize {
    fs::read(path).unwrap().iter().filter(|byte| **byte == b'\n').count()
}
