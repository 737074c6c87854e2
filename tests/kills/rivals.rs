//! Two applies of one name: one goes on, the other stops and says why. Also when the other was frozen in the middle of
//! its work and wakes after everything is done.

use super::{Case, Delays, is_full_run, moved, rounds, wanted};
use crate::support::{
    Kind, Running, cli::finish, fresh, progress::Progress, proxy::Proxy, servers::Server,
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

const SESSIONS: &str = "SELECT id FROM information_schema.processlist WHERE user='t'";

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
        case.check(&server, "two at once");
        match (status.code(), second.code) {
            (Some(4), 0) => assert!(words.contains("taken over"), "no reason:\n{words}"),
            (Some(0), 4) => assert!(second.stderr.contains("taken over"), "{}", second.stderr),
            // The first had finished before the second began.
            (Some(0), 0) => return 0,
            both => panic!("one goes on, the other stops: {both:?}\n{words}\n{}", second.stderr),
        }
        u32::from(moved)
    });
}

#[test]
fn of_two_applies_of_one_name_one_stops() {
    two_at_once(&Case::transactions(Kind::MariaDb));
    two_at_once(&Case::transactions(Kind::MySql));
    two_at_once(&Case::restarts(true));
}

/// The server looks anew for its list of transactions only when nobody has asked for it for a tenth of a second.
const LIST_AGE: Duration = Duration::from_millis(150);

/// Is a transaction open that has changed rows, or none at all? One that only reads or holds locks is neither.
fn in_a_transaction(server: &Server) -> Option<bool> {
    sleep(LIST_AGE);
    let open = server.query("SELECT trx_rows_modified>0 FROM information_schema.innodb_trx");
    if open.is_empty() { Some(false) } else { open.contains('1').then_some(true) }
}

/// Freezes a run whose progress has moved, inside a transaction or between two; false when it ended first.
fn freeze(run: &mut Running, server: &Server, inside: bool, delays: &mut Delays) -> bool {
    if !moves(run, server) {
        return false;
    }
    while !run.has_ended() {
        sleep(delays.next());
        run.signal("-STOP");
        if !run.has_ended() && in_a_transaction(server) == Some(inside) {
            return true;
        }
        run.signal("-CONT");
    }
    false
}

/// What the server does by itself to sessions that say nothing for a minute: only a full run waits for that.
fn end_sessions(server: &Server, ids: &str) {
    for id in ids.lines() {
        let _ = server.client("mariadb").args(["-e", &format!("KILL {id}")]).output();
    }
}

fn frozen_and_woken(case: &Case, inside: bool, wanted: u32) {
    let mut delays = Delays::up_to(10);
    let what = format!("frozen {}, {}", if inside { "inside" } else { "outside" }, case.name);
    rounds(&what, wanted, |_| {
        let server = fresh(case.kind);
        case.prepare(&server);
        let url = server.url();
        let stands = || Progress::of(&server).read().map(|(_, standing)| standing);
        // A long way to the server: most of the time a transaction is open.
        let proxy = Proxy::start(server.port);
        if inside {
            proxy.delay(Duration::from_millis(3), Duration::from_millis(3));
        }
        let far = url.replace(&server.port.to_string(), &proxy.port.to_string());
        let mut first = Running::start(case.command(&far, &[]));
        if !freeze(&mut first, &server, inside, &mut delays) {
            return 0;
        }
        let (stood, sessions) = (stands(), server.query(SESSIONS));
        let mut second = Running::start(case.command(&url, &[]));
        if !is_full_run() {
            let began = Instant::now();
            second.until(|| began.elapsed() > Duration::from_secs(2));
            end_sessions(&server, &sessions);
        }
        let (status, words) = second.end();
        assert!(status.success(), "the other one ended with {status}:\n{words}");
        let work_was_left = stands() != stood;
        case.check(&server, "while the first is frozen");
        first.signal("-CONT");
        let (status, words) = first.end();
        case.check(&server, "after the first was woken");
        match status.code() {
            Some(4) => assert!(words.contains("taken over"), "no reason:\n{words}"),
            // It found nothing left to do.
            Some(0) => {}
            other => panic!("the woken one ended with {other:?}:\n{words}"),
        }
        u32::from(work_was_left)
    });
}

#[test]
fn a_frozen_apply_that_wakes_after_another_finished_writes_nothing() {
    frozen_and_woken(&Case::restarts(false), false, wanted(1));
}

#[test]
fn one_frozen_with_its_locks_holds_another_up_only_for_a_while() {
    let few = wanted(1).div_ceil(10);
    frozen_and_woken(&Case::sysbench(Kind::MariaDb), true, few);
    frozen_and_woken(&Case::transactions(Kind::MySql), false, few);
}
