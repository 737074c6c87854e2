//! Everything taken back, interrupted by SIGINT and kill -9 in turn: the database is as it was before all of it.

use super::{Case, Delays, Interruption, ROWS, rounds, wanted};
use crate::support::{Kind, Running, Spool, dump::without_keys, fresh, read, running::was_killed};
use std::process::ExitStatus;

fn was_stopped_or_killed(status: ExitStatus) -> bool {
    status.code() == Some(4) || was_killed(status)
}

/// From the source's last state back to tables without a row.
fn everything_undone(name: &str, keyless: bool, mode: &[&'static str]) {
    let end = read(&format!("{name}.end.sql"));
    let case = Case {
        name: format!("undo of {name}"),
        kind: Kind::of(name),
        spool: Spool::recording(name),
        start: if keyless { without_keys(&end) } else { end },
        end: String::new(),
        flags: [&["--reverse"], &ROWS[..], mode].concat(),
        rows_only: true,
    };
    let (mut delays, mut number) = (Delays::up_to(40), 0);
    rounds(&format!("{} {mode:?}", case.name), wanted(3), |most| {
        let server = fresh(case.kind);
        let mut strike = |run: &mut Running| {
            number += 1;
            if number % 2 == 0 { run.kill() } else { run.signal("-INT") }
        };
        let mut interruption = Interruption { strike: &mut strike, may_end: was_stopped_or_killed };
        case.round(&server, &server.url(), &[], most, &mut delays, &mut interruption)
    });
}

#[test]
fn an_interrupted_undo_of_the_shop_goes_on() {
    everything_undone("mariadb-incident", false, &[]);
    everything_undone("mysql-incident", false, &["--lanes", "4"]);
}

#[test]
fn an_interrupted_undo_into_keyless_tables_goes_on() {
    everything_undone("mariadb-restarts", true, &[]);
}

#[test]
fn an_interrupted_undo_in_the_sources_order_goes_on() {
    everything_undone("mariadb-restarts", false, &["--serial"]);
}
