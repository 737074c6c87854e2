//! kill -9 of an apply, in each of its modes.

use super::{Case, Delays, Interruption, interrupted, rounds, wanted};
use crate::support::{Kind, Running, fresh, progress::Progress, running::was_killed};
use std::cell::Cell;

const MODES: [&[&str]; 4] = [&[], &["--lanes", "4"], &["--serial"], &["--net"]];

/// So many kills in each mode.
fn kills_of_apply(case: &Case, wanted: u32) {
    let mut delays = Delays::up_to(60);
    for mode in MODES {
        rounds(&format!("kills of apply {mode:?}, {}", case.name), wanted, |most| {
            let server = fresh(case.kind);
            let mut interruption = Interruption { strike: &mut Running::kill, may_end: was_killed };
            case.round(&server, &server.url(), mode, most, &mut delays, &mut interruption)
        });
    }
}

fn each() -> u32 {
    wanted(4).div_ceil(MODES.len() as u32)
}

#[test]
fn a_killed_apply_goes_on_through_definitions_on_mariadb() {
    kills_of_apply(&Case::transactions(Kind::MariaDb), each());
}

#[test]
fn a_killed_apply_goes_on_through_definitions_on_mysql() {
    kills_of_apply(&Case::transactions(Kind::MySql), each());
}

#[test]
fn a_killed_apply_writes_what_was_sent_again_once() {
    kills_of_apply(&Case::restarts(false), each());
}

#[test]
fn a_killed_apply_doubles_no_row_that_has_no_key() {
    kills_of_apply(&Case::restarts(true), each());
}

/// What a run with several lanes has begun, others finish.
const ANY: [&[&str]; 5] = [&["--lanes", "4"], &["--serial"], &[], &["--lanes", "1"], &["--net"]];

#[test]
fn a_rerun_may_go_on_in_another_mode() {
    let case = Case::sysbench(Kind::MariaDb);
    let (mut delays, number) = (Delays::up_to(200), Cell::new(0));
    rounds("kills of apply, each run in another mode", wanted(4), |most| {
        let server = fresh(case.kind);
        case.prepare(&server);
        let (url, mut progress) = (server.url(), Progress::of(&server));
        let run = || {
            number.set(number.get() + 1);
            case.command(&url, ANY[(number.get() - 1) % ANY.len()])
        };
        let mut interruption = Interruption { strike: &mut Running::kill, may_end: was_killed };
        let counted = interrupted(run, most, &mut delays, || progress.read(), &mut interruption);
        case.check(&server, "each run in another mode");
        counted
    });
}

#[test]
fn a_killed_apply_of_random_work_goes_on() {
    for seed in 1..=u64::from(each()) {
        kills_of_apply(&Case::random(Kind::MariaDb, seed), 1);
        kills_of_apply(&Case::random(Kind::MySql, seed), 1);
    }
}
