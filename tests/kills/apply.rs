//! kill -9 of an apply, in each of its modes.

use super::{Case, Delays, Interruption, rounds, wanted};
use crate::support::{Kind, Running, fresh, running::was_killed};

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

#[test]
fn a_killed_apply_of_random_work_goes_on() {
    for seed in 1..=u64::from(each()) {
        kills_of_apply(&Case::random(Kind::MariaDb, seed), 1);
        kills_of_apply(&Case::random(Kind::MySql, seed), 1);
    }
}
