//! A recording applied to an empty server of the same kind gives the database it was recorded from.

use crate::support::{
    Kind, Spool, assert_rows_equal, assert_same_dump,
    dump::{schema_only, without_keys},
    fresh, read,
};

fn applied_to_an_empty_server(name: &str) {
    let server = fresh(Kind::of(name));
    let spool = Spool::recording(name);
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    assert_same_dump(&server.dump(), &read(&format!("{name}.end.sql")), name);
    // Done is done: a second run changes nothing.
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    assert_same_dump(&server.dump(), &read(&format!("{name}.end.sql")), "a second run");
}

macro_rules! reach_the_end {
    ($($claim:ident: $name:literal,)*) => { $(#[test] fn $claim() { applied_to_an_empty_server($name) })* };
}

reach_the_end! {
    every_type_on_mariadb: "mariadb-types",
    every_type_on_mysql: "mysql-types",
    tricky_transactions_on_mariadb: "mariadb-transactions",
    tricky_transactions_on_mysql: "mysql-transactions",
    edges_on_mariadb: "mariadb-edges",
    edges_on_mysql: "mysql-edges",
    a_bootstrap_on_mariadb: "mariadb-bootstrap",
    a_bootstrap_on_mysql: "mysql-bootstrap",
    the_shop_on_mariadb: "mariadb-incident",
    the_shop_on_mysql: "mysql-incident",
}

#[test]
fn sysbench_rows_equal_the_sources() {
    let server = fresh(Kind::MariaDb);
    Spool::recording("mariadb-sysbench").apply(&server.url(), [] as [&str; 0]).code(0);
    assert_rows_equal(&server.dump(), &read("mariadb-sysbench.end.sql"), "sysbench");
}

#[test]
fn what_a_restarted_producer_sends_again_is_applied_once() {
    let server = fresh(Kind::MariaDb);
    server.sql("CREATE DATABASE restarts");
    Spool::recording("mariadb-restarts").apply(&server.url(), [] as [&str; 0]).code(0);
    assert_rows_equal(&server.dump(), &read("mariadb-restarts.end.sql"), "restarts");
}

#[test]
fn what_is_sent_again_is_applied_once_without_any_key_to_show_it() {
    let end = read("mariadb-restarts.end.sql");
    let server = fresh(Kind::MariaDb);
    server.load(&without_keys(&schema_only(&end)));
    let spool = Spool::recording("mariadb-restarts");
    spool.apply(&server.url(), ["--type", "insert,update,delete"]).code(0);
    assert_rows_equal(&server.dump(), &end, "restarts into keyless tables");
}

#[test]
fn a_dry_run_changes_nothing() {
    let server = fresh(Kind::MariaDb);
    let spool = Spool::recording("mariadb-types");
    spool.apply(&server.url(), ["--dry-run"]).code(0);
    assert_eq!(server.dump(), "");
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    assert_ne!(server.dump(), "", "after a dry run the work is still to be done");
}
