//! A recording applied to an empty server of the same kind gives the database it was recorded from, however many
//! connections write at once.

use crate::support::{
    Fresh, Kind, Spool, assert_rows_equal, assert_same_dump,
    dump::{schema_only, without_keys},
    fresh, read,
};

/// In the order of the source with the last.
const MODES: [&[&str]; 5] =
    [&["--lanes", "1"], &["--lanes", "2"], &["--lanes", "4"], &["--lanes", "16"], &["--serial"]];

/// Applies a recording in each mode to a server that holds `start`.
fn applied_in_each_mode(name: &str, start: &str, flags: &[&str], check: impl Fn(&Fresh, &str)) {
    let spool = Spool::recording(name);
    for mode in MODES {
        let server = fresh(Kind::of(name));
        server.load(start);
        let flags = [flags, mode].concat();
        spool.apply(&server.url(), &flags).code(0);
        check(&server, &format!("{name} {mode:?}"));
        // Done is done: a second run changes nothing.
        spool.apply(&server.url(), &flags).code(0);
        check(&server, &format!("{name} {mode:?}, a second run"));
    }
}

fn applied_to_an_empty_server(name: &str) {
    let end = read(&format!("{name}.end.sql"));
    let check = |server: &Fresh, what: &str| assert_same_dump(&server.dump(), &end, what);
    applied_in_each_mode(name, "", &[], check);
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

/// The same, where the definitions do not come to be the source's: only the rows are compared.
fn rows_in_each_mode(name: &str, start: &str, flags: &[&str]) {
    let end = read(&format!("{name}.end.sql"));
    let check = |server: &Fresh, what: &str| assert_rows_equal(&server.dump(), &end, what);
    applied_in_each_mode(name, start, flags, check);
}

#[test]
fn sysbench_rows_equal_the_sources() {
    rows_in_each_mode("mariadb-sysbench", "", &[]);
}

#[test]
fn what_a_restarted_producer_sends_again_is_applied_once() {
    rows_in_each_mode("mariadb-restarts", "CREATE DATABASE restarts;\n", &[]);
}

#[test]
fn what_is_sent_again_is_applied_once_without_any_key_to_show_it() {
    let keyless = without_keys(&schema_only(&read("mariadb-restarts.end.sql")));
    rows_in_each_mode("mariadb-restarts", &keyless, &["--type", "insert,update,delete"]);
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
