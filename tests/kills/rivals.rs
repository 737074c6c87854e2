//! Two applies of one name: one goes on, the other stops and says why. Also when the other was frozen in the middle of
//! its work and wakes after everything is done.

use super::{Case, Delays, PATIENCE, kill, rounds, said, signal, wanted};
use crate::support::{Kind, cli::finish, fresh, progress::Progress, servers::Server};
use std::{
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A run in the background; it ends with this value, frozen or not.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        kill(&mut self.0);
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(mut command: Command) -> Running {
        Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits until the progress has moved; false when the run ended first.
    fn moves(&mut self, progress: &mut Progress<'_>) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let mut before = progress.read();
        while !self.has_ended() {
            let now = progress.read();
            if before.is_some() && now.is_some() && now != before {
                return true;
            }
            before = before.or(now);
            assert!(Instant::now() < deadline, "no progress in {PATIENCE:?}");
            sleep(Duration::from_micros(300));
        }
        false
    }

    /// Its exit status, and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_ended() {
            assert!(Instant::now() < deadline, "still running after {PATIENCE:?}");
            sleep(Duration::from_millis(3));
        }
        (self.0.wait().unwrap().code(), said(&mut self.0))
    }
}

fn two_at_once(case: &Case) {
    let mut delays = Delays::up_to(30);
    rounds(&format!("two at once, {}", case.name), wanted(2), |_| {
        let server = fresh(case.kind);
        case.prepare(&server);
        let url = server.url();
        let mut first = Running::start(case.command(&url, &[]));
        let moved = first.moves(&mut Progress::of(&server));
        sleep(delays.next());
        let second = finish(case.command(&url, &[]), None);
        let (status, words) = first.end();
        match (status, second.code) {
            (Some(4), 0) => assert!(words.contains("taken over"), "no reason:\n{words}"),
            (Some(0), 4) => assert!(second.stderr.contains("taken over"), "{}", second.stderr),
            // The first had finished before the second began.
            (Some(0), 0) => return 0,
            both => panic!("one goes on, the other stops: {both:?}\n{words}\n{}", second.stderr),
        }
        case.check(&server, "two at once");
        u32::from(moved)
    });
}

#[test]
fn of_two_applies_of_one_name_one_stops() {
    two_at_once(&Case::transactions(Kind::MariaDb));
    two_at_once(&Case::transactions(Kind::MySql));
    two_at_once(&Case::restarts(true));
}

/// Is a transaction open that has changed rows?
fn in_a_transaction(server: &Server) -> bool {
    let open = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_rows_modified>0";
    server.query(open).trim() != "0"
}

/// Freezes a run whose progress has moved, inside a transaction or between two; false when it ended first.
fn freeze(run: &mut Running, server: &Server, inside: bool, delays: &mut Delays) -> bool {
    if !run.moves(&mut Progress::of(server)) {
        return false;
    }
    while !run.has_ended() {
        sleep(delays.next());
        signal(&run.0, "-STOP");
        if !run.has_ended() && in_a_transaction(server) == inside {
            return true;
        }
        signal(&run.0, "-CONT");
    }
    false
}

fn frozen_and_woken(case: &Case, inside: bool) {
    let mut delays = Delays::up_to(10);
    let what = format!("frozen {}, {}", if inside { "inside" } else { "outside" }, case.name);
    rounds(&what, wanted(1), |_| {
        let server = fresh(case.kind);
        case.prepare(&server);
        let (url, mut progress) = (server.url(), Progress::of(&server));
        let mut first = Running::start(case.command(&url, &[]));
        if !freeze(&mut first, &server, inside, &mut delays) {
            return 0;
        }
        let stood = progress.read();
        // The server ends the frozen one's session after a while; until then its locks are waited for.
        finish(case.command(&url, &[]), None).code(0);
        let work_was_left = progress.read() != stood;
        case.check(&server, "while the first is frozen");
        signal(&first.0, "-CONT");
        let (status, words) = first.end();
        match status {
            Some(4) => assert!(words.contains("taken over"), "no reason:\n{words}"),
            // It found nothing left to do.
            Some(0) => {}
            other => panic!("the woken one ended with {other:?}:\n{words}"),
        }
        case.check(&server, "after the first was woken");
        u32::from(work_was_left)
    });
}

#[test]
fn a_frozen_apply_that_wakes_after_another_finished_writes_nothing() {
    frozen_and_woken(&Case::transactions(Kind::MariaDb), false);
    frozen_and_woken(&Case::transactions(Kind::MySql), false);
}

#[test]
fn an_apply_frozen_inside_a_transaction_holds_another_up_only_for_a_while() {
    frozen_and_woken(&Case::restarts(true), true);
}
