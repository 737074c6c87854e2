//! kill -9 of the target server while an apply runs: the apply waits for it and goes on by itself.

use super::{Case, Delays, Interruption, rounds, wanted};
use crate::support::{
    Kind, Running, Spool, fresh,
    maxwell::{Producer, session},
    servers::{KINDS, Server},
    source, temp_dir, write,
};

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

/// What a server leaves that is killed in the middle of DROP DATABASE: some of the tables are gone.
#[test]
fn a_database_that_was_dropped_by_half_is_dropped_whole() {
    for kind in KINDS {
        let server = source(kind);
        let mut producer = Producer::new(&server);
        let mut client = session(&server);
        for statement in [
            "CREATE DATABASE gone",
            "CREATE TABLE gone.a (id INT PRIMARY KEY)",
            "CREATE TABLE gone.b (id INT PRIMARY KEY)",
            "INSERT INTO gone.b VALUES (1)",
            "DROP DATABASE gone",
        ] {
            producer.run(&mut client, statement).unwrap();
        }
        let (dir, lines) = (temp_dir(), producer.lines());
        let before = lines.trim_end().rfind('\n').unwrap() + 1;
        let (spool, target) = (Spool::of(&write(&dir, "begin", &lines[..before])), fresh(kind));
        spool.apply(&target.url(), [] as [&str; 0]).code(0);
        let rest = write(&dir, "rest", &lines[before..]);
        spool.run(["import", rest.to_str().unwrap()]).code(0);
        // The note of a statement that was begun when the tables were other ones.
        let next = lines.lines().count();
        target.sql(&format!(
            "DROP TABLE gone.a; INSERT INTO binsync.intent (name, seq, fingerprint) \
             VALUES ('apply', {next}, 'both tables')"
        ));
        spool.apply(&target.url(), [] as [&str; 0]).code(0);
        let left = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='gone'";
        assert_eq!(target.query(left), "0\n", "{}", kind.name());
    }
}
