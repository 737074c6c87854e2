//! Everything taken back, interrupted by SIGINT and kill -9 in turn: the database is as it was before all of it.

use super::{Case, Delays, Interruption, rounds, wanted};
use crate::support::{Kind, Running, fresh, running::was_killed};
use std::process::ExitStatus;

fn was_stopped_or_killed(status: ExitStatus) -> bool {
    status.code() == Some(4) || was_killed(status)
}

fn everything_undone(case: &Case, mode: &[&str]) {
    let (mut delays, mut number) = (Delays::up_to(40), 0);
    rounds(&format!("{} {mode:?}", case.name), wanted(3), |most| {
        let server = fresh(case.kind);
        let mut strike = |run: &mut Running| {
            number += 1;
            if number % 2 == 0 { run.kill() } else { run.signal("-INT") }
        };
        let mut interruption = Interruption { strike: &mut strike, may_end: was_stopped_or_killed };
        case.round(&server, &server.url(), mode, most, &mut delays, &mut interruption)
    });
}

#[test]
fn an_interrupted_undo_goes_on() {
    everything_undone(&Case::sysbench(Kind::MariaDb).undone(false), &[]);
    everything_undone(&Case::sysbench(Kind::MySql).undone(false), &["--lanes", "2"]);
}

#[test]
fn an_interrupted_undo_into_keyless_tables_goes_on() {
    everything_undone(&Case::restarts(true).undone(true), &["--window", "1000"]);
}

#[test]
fn an_interrupted_undo_in_the_sources_order_goes_on() {
    everything_undone(&Case::restarts(false).undone(false), &["--serial"]);
}
