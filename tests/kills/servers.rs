//! kill -9 of the target server while an apply runs: the apply waits for it and goes on by itself.

use super::{Case, Delays, Interruption, rounds, wanted};
use crate::support::{Kind, Running, servers::Server};

/// What was committed is on disk, in the binlog too.
const DURABLE: [&str; 2] = ["--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"];

fn kills_of_the_server(kind: Kind, cases: &[Case]) {
    let server = Server::start_with(kind, &DURABLE);
    let (mut delays, mut down) = (Delays::up_to(60), Delays::up_to(1500));
    for case in cases {
        rounds(&format!("kills of {kind:?}, {}", case.name), wanted(2), |most| {
            let mut strike = |_: &mut Running| server.crash(down.next());
            // It has to go on by itself.
            let mut interruption = Interruption { strike: &mut strike, may_end: |_| false };
            case.round(&server, &server.url(), &[], most, &mut delays, &mut interruption)
        });
    }
}

#[test]
fn a_killed_mariadb_is_waited_for() {
    kills_of_the_server(Kind::MariaDb, &[Case::transactions(Kind::MariaDb), Case::restarts(true)]);
}

#[test]
fn a_killed_mysql_is_waited_for() {
    kills_of_the_server(Kind::MySql, &[Case::transactions(Kind::MySql)]);
}
