//! Two applies of one name: one goes on, the other stops and says why. Also when the other was frozen in the middle of
//! its work and wakes after everything is done.

use super::{Case, Delays, moved, rounds, wanted};
use crate::support::{Kind, Running, cli::finish, fresh, progress::Progress, servers::Server};
use std::thread::sleep;

/// Waits for progress; false when the run ended first.
fn moves(run: &mut Running, server: &Server) -> bool {
    let (mut progress, mut before) = (Progress::of(server), None);
    run.until(|| moved(&mut before, progress.read()))
}

fn two_at_once(case: &Case) {
    let mut delays = Delays::up_to(30);
    rounds(&format!("two at once, {}", case.name), wanted(2), |_| {
        let server = fresh(case.kind);
        case.prepare(&server);
        let url = server.url();
        let mut first = Running::start(case.command(&url, &[]));
        let moved = moves(&mut first, &server);
        sleep(delays.next());
        let second = finish(case.command(&url, &[]), None);
        let (status, words) = first.end();
        match (status.code(), second.code) {
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
    if !moves(run, server) {
        return false;
    }
    while !run.has_ended() {
        sleep(delays.next());
        run.signal("-STOP");
        if !run.has_ended() && in_a_transaction(server) == inside {
            return true;
        }
        run.signal("-CONT");
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
        first.signal("-CONT");
        let (status, words) = first.end();
        match status.code() {
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
