//! An error names the thing and the next step, ends with the right status, and loses nothing.

use crate::support::{
    Fresh, Kind, Run, Running, Spool, amqp_url, assert_same_dump, dump::schema_only, fresh,
    progress::Progress, read,
};
use std::{thread::sleep, time::Duration};

const NOTHING: [&str; 0] = [];
const ROWS: [&str; 2] = ["--type", "insert,update,delete"];

/// Everything is still there: the same spool reaches the end.
fn nothing_is_lost(spool: &Spool, server: &Fresh, name: &str) {
    spool.apply(&server.url(), NOTHING).code(0);
    assert_same_dump(
        &server.dump(),
        &read(&format!("{name}.end.sql")),
        "after the error was mended",
    );
}

fn never_shows(run: Run, secret: &str) {
    assert!(
        !run.stderr.contains(secret) && !run.text().contains(secret),
        "a secret is shown:\n{}",
        run.stderr
    );
}

#[test]
fn a_wrong_password() {
    for kind in [Kind::MariaDb, Kind::MySql] {
        let server = fresh(kind);
        let spool = Spool::recording("mariadb-edges");
        let url = server.url().replace("t:t@", "t:hunter2@");
        let run = spool.apply(&url, NOTHING).code(1).says(&["denied", "password"]);
        never_shows(run, "hunter2");
    }
}

#[test]
fn no_such_database_host() {
    let spool = Spool::recording("mariadb-edges");
    let url = "mysql://t:hunter2@no-such-host.invalid:3306";
    never_shows(spool.apply(url, NOTHING).code(1).says(&["no-such-host.invalid"]), "hunter2");
    spool.apply("mysql://t:t@127.0.0.1:1", NOTHING).code(1).says(&["127.0.0.1:1"]);
}

#[test]
fn no_such_broker_and_wrong_broker_password() {
    let spool = Spool::new();
    let capture = |url: &str| {
        spool.run(["capture", "--queue", "q", "--exit-when-idle", "1s", "--amqp-url", url])
    };
    never_shows(
        capture("amqp://guest:hunter2@127.0.0.1:1/%2f").code(1).says(&["127.0.0.1:1"]),
        "hunter2",
    );
    let wrong = amqp_url().replace("guest:guest", "guest:hunter2");
    never_shows(capture(&wrong).code(1).says(&["password"]), "hunter2");
    let several = ["capture", "--queue", "p", "--queue", "q", "--amqp-url", "amqp://127.0.0.1:1"];
    spool.run(several).code(1);
    assert!(!spool.path().exists(), "a folder is left in which nothing is stored");
}

#[test]
fn no_such_queue() {
    let spool = Spool::new();
    let args = [
        "capture",
        "--queue",
        "nobody-made-this",
        "--exit-when-idle",
        "1s",
        "--amqp-url",
        amqp_url(),
    ];
    spool.run(args).code(1).says(&["nobody-made-this", "--declare"]);
}

#[test]
fn a_target_without_the_database_the_table_or_the_column() {
    let name = "mariadb-incident";
    let end = read(&format!("{name}.end.sql"));
    let server = fresh(Kind::MariaDb);
    let spool = Spool::recording(name);
    spool.apply(&server.url(), ROWS).one_of(&[1, 4]).says(&["shop"]);

    server.load(&schema_only(&end));
    server.sql("DROP TABLE shop.orders");
    spool.apply(&server.url(), ROWS).one_of(&[1, 4]).says(&["orders"]);

    let server = {
        drop(server);
        fresh(Kind::MariaDb)
    };
    server.load(&schema_only(&end));
    server.sql("ALTER TABLE shop.customers DROP COLUMN balance");
    spool.apply(&server.url(), ROWS).one_of(&[1, 4]).says(&["customers", "balance"]);
    server.sql("DROP DATABASE shop; DROP DATABASE IF EXISTS binsync");
    nothing_is_lost(&spool, &server, name);
}

#[test]
fn a_row_that_differs_on_the_target_stops_and_is_shown() {
    let name = "mariadb-incident";
    let (server, spool) = (fresh(Kind::MariaDb), Spool::recording(name));
    server.load(&schema_only(&read(&format!("{name}.end.sql"))));
    server.sql(
        "INSERT INTO shop.customers (id, name, email, balance) VALUES (33, 'in the way', 'x', 1)",
    );
    spool.apply(&server.url(), ROWS).one_of(&[1, 4]).says(&["customers", "33"]);
    server.sql("DELETE FROM shop.customers WHERE id=33");
    spool.apply(&server.url(), ROWS).code(0);
    assert_same_dump(
        &server.dump(),
        &read(&format!("{name}.end.sql")),
        "after the row was removed",
    );
}

#[test]
fn a_read_only_mariadb() {
    let (server, spool) = (fresh(Kind::MariaDb), Spool::recording("mariadb-edges"));
    server.sql(
        "CREATE OR REPLACE USER plain@'%' IDENTIFIED BY 'plain';
        GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES ON *.* TO plain@'%';
        SET GLOBAL read_only=1",
    );
    let url = server.url().replace("t:t@", "plain:plain@");
    spool.apply(&url, NOTHING).one_of(&[1, 4]).says(&["read"]);
    server.sql("SET GLOBAL read_only=0");
    spool.apply(&url, NOTHING).code(0);
    assert_same_dump(&server.dump(), &read("mariadb-edges.end.sql"), "after read_only was lifted");
}

/// A failover: the server takes no writes for a while.
#[test]
fn a_target_that_is_read_only_for_a_while() {
    let (server, spool) = (fresh(Kind::MySql), Spool::recording("mysql-transactions"));
    let flags =
        ["apply", "--target", &server.url(), "--max-rows-per-second", "300", "--window", "100"];
    let mut progress = Progress::of(&server);
    let mut run = Running::start(spool.command(flags));
    let mut first = None;
    let moved = || progress.read().is_some_and(|(_, now)| *first.get_or_insert(now) != now);
    assert!(run.until(moved), "it ended before the failover");
    server.sql("SET GLOBAL super_read_only=1");
    sleep(Duration::from_secs(2));
    server.sql("SET GLOBAL read_only=0");
    let (status, said) = run.end();
    assert!(said.contains("read-only") && said.contains("trying again"), "{said}");
    assert_eq!(status.code(), Some(0), "{said}");
    assert_same_dump(&server.dump(), &read("mysql-transactions.end.sql"), "after the failover");
}

#[test]
fn a_read_only_mysql() {
    let (server, spool) = (fresh(Kind::MySql), Spool::recording("mysql-edges"));
    server.sql("SET GLOBAL super_read_only=1");
    spool.apply(&server.url(), NOTHING).one_of(&[1, 4]).says(&["read"]);
    server.sql("SET GLOBAL read_only=0");
    nothing_is_lost(&spool, &server, "mysql-edges");
}
