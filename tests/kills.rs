//! Interrupted at any point, then gone on with: nothing lost, nothing twice. An interruption counts only if progress
//! moved before it and moved on after it; `BINSYNC_TEST_KILLS=50` asks for more of them than a CI run does.

use crate::support::{
    Kind, Running, Spool, assert_rows_equal, assert_same_dump,
    dump::{schema_only, without_keys},
    progress::Progress,
    read,
    servers::Server,
    temp_dir,
    workload::{Settings, stream},
    write,
};
use std::{
    env,
    process::{Command, ExitStatus},
    thread::sleep,
    time::Duration,
};

mod apply;
mod ingest;
mod moves;
mod network;
mod rivals;
mod sealing;
mod servers;
pub mod sync;
mod undo;

/// How many interruptions a test has to count.
fn wanted(in_ci: u32) -> u32 {
    env::var(COUNT).map_or(in_ci, |count| count.parse().expect("BINSYNC_TEST_KILLS is a number"))
}

fn is_full_run() -> bool {
    env::var_os(COUNT).is_some()
}

const COUNT: &str = "BINSYNC_TEST_KILLS";

/// Waits between 0 and so many milliseconds, spread over what one run takes.
struct Delays {
    seed: u64,
    most: u64,
}

impl Delays {
    fn up_to(most: u64) -> Delays {
        Delays { seed: most, most }
    }

    fn next(&mut self) -> Duration {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((self.seed >> 33) % (1000 * self.most + 1))
    }
}

/// What is done to a run, and how a run may end because of it.
struct Interruption<'a> {
    strike: &'a mut dyn FnMut(&mut Running),
    may_end: fn(ExitStatus) -> bool,
}

/// Interrupts a command some time after its progress has moved, and again after it has moved again; runs it again when
/// that ended it; until a run finishes. Returns how many interruptions were followed by progress, `most` at most.
fn interrupted<P: PartialEq>(
    run: impl Fn() -> Command,
    most: u32,
    delays: &mut Delays,
    mut progress: impl FnMut() -> Option<(u64, P)>,
    interruption: &mut Interruption<'_>,
) -> u32 {
    let (mut counted, mut open) = (0, 0);
    for _ in 0..400 {
        let mut running = Running::start(run());
        let (mut before, mut struck) = (progress(), false);
        while running.until(|| moved(&mut before, progress())) {
            counted += std::mem::take(&mut open);
            if counted < most {
                sleep(delays.next());
                (interruption.strike)(&mut running);
                (open, struck) = (1, true);
                before = progress();
            }
        }
        if moved(&mut before, progress()) {
            counted += std::mem::take(&mut open);
        }
        let (status, said) = running.end();
        if status.success() {
            return counted;
        }
        assert!(struck && (interruption.may_end)(status), "a run ended with {status}:\n{said}");
    }
    panic!("400 runs did not finish the work: nothing moves on");
}

/// Has the progress moved, and by the run that holds it? What a run that was killed still commits comes before the next
/// one's claim. Not known before a run begins and while a server is down.
fn moved<P: PartialEq>(before: &mut Option<(u64, P)>, now: Option<(u64, P)>) -> bool {
    let Some(now) = now else { return false };
    let moved = before.as_ref().is_some_and(|before| before.0 == now.0 && before.1 != now.1);
    *before = Some(now);
    moved
}

/// Rounds from the start to the end, each told how many interruptions are wanted still, until enough of them counted.
fn rounds(what: &str, wanted: u32, mut round: impl FnMut(u32) -> u32) {
    let (mut counted, mut rounds) = (0, 0);
    while counted < wanted {
        rounds += 1;
        assert!(rounds <= 4 + 2 * wanted, "{what}: only {counted} counted in {rounds} rounds");
        counted += round(wanted - counted);
    }
    eprintln!("{what}: {counted} counted in {rounds} rounds");
}

const ROWS: [&str; 2] = ["--type", "insert,update,delete"];

/// An apply that is to be interrupted, and what it has to come to.
struct Case {
    name: String,
    kind: Kind,
    spool: Spool,
    /// What is at the target before.
    start: String,
    end: String,
    flags: Vec<&'static str>,
    rows_only: bool,
}

impl Case {
    /// Definitions in between, every kind of key, foreign keys, keyless duplicates.
    fn transactions(kind: Kind) -> Case {
        let name = format!("{}-transactions", kind.name());
        let (spool, end) = (Spool::recording(&name), read(&format!("{name}.end.sql")));
        Case { name, kind, spool, start: String::new(), end, flags: Vec::new(), rows_only: false }
    }

    /// Thousands of small transactions, some of them sent twice.
    fn restarts(keyless: bool) -> Case {
        let name = "mariadb-restarts".to_owned();
        let (spool, end) = (Spool::recording(&name), read(&format!("{name}.end.sql")));
        let schema = schema_only(&end);
        let start = if keyless { without_keys(&schema) } else { schema };
        Case { name, kind: Kind::MariaDb, spool, start, end, flags: ROWS.to_vec(), rows_only: true }
    }

    /// Many changes of few rows, in many commits; of MariaDB, but its rows fit either kind.
    fn sysbench(kind: Kind) -> Case {
        let name = "mariadb-sysbench".to_owned();
        let (spool, end) = (Spool::recording(&name), read(&format!("{name}.end.sql")));
        let start = schema_only(&end);
        Case { name, kind, spool, start, end, flags: ROWS.to_vec(), rows_only: true }
    }

    /// Random work, with definitions in between for some seeds.
    fn random(kind: Kind, seed: u64) -> Case {
        let made = stream(kind, seed, Settings::USUAL);
        let spool = Spool::of(&write(&temp_dir(), "stream", &made.lines));
        let logged = if kind == Kind::MySql { "yes" } else { "no" };
        Case {
            name: format!("random work {seed} on {}", kind.name()),
            kind,
            spool,
            start: String::new(),
            end: made.end,
            flags: vec!["--source-logs-cascades", logged],
            rows_only: false,
        }
    }

    /// The way back from the end of this one, to tables without a row.
    fn undone(self, keyless: bool) -> Case {
        let start = if keyless { without_keys(&self.end) } else { self.end };
        let flags = [&["--reverse"], &ROWS[..]].concat();
        Case { name: format!("undo of {}", self.name), start, end: String::new(), flags, ..self }
    }

    fn prepare(&self, server: &Server) {
        server.empty();
        // The spool remembers how far the target was, which is another one now.
        let _ = std::fs::remove_dir_all(self.spool.path().join("targets"));
        server.load(&self.start);
    }

    /// `apply --target URL FLAGS MODE`
    fn command(&self, url: &str, mode: &[&str]) -> Command {
        let mut command = self.spool.command(["apply", "--target", url]);
        command.args(&self.flags).args(mode);
        command
    }

    #[track_caller]
    fn check(&self, server: &Server, what: &str) {
        let what = format!("{}, {what}", self.name);
        if self.rows_only {
            assert_rows_equal(&server.dump(), &self.end, &what);
        } else {
            assert_same_dump(&server.dump(), &self.end, &what);
        }
    }

    /// From the start to the end once, interrupted on the way.
    fn round(
        &self,
        server: &Server,
        url: &str,
        mode: &[&str],
        most: u32,
        delays: &mut Delays,
        interruption: &mut Interruption<'_>,
    ) -> u32 {
        self.prepare(server);
        let mut progress = Progress::of(server);
        let run = || self.command(url, mode);
        let counted = interrupted(run, most, delays, || progress.read(), interruption);
        self.check(server, &format!("interrupted with {mode:?}"));
        counted
    }
}
