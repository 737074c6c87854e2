//! Rendered SQL is what the stock client runs unchanged, to the same end as an apply.

use crate::support::{Kind, Spool, assert_rows_equal, assert_same_dump, fresh, read, temp_dir};
use std::{fs, io::Read as _, process::Stdio};

fn rendered_through_the_stock_client(name: &str) {
    let server = fresh(Kind::of(name));
    server.feed(Spool::recording(name).render([] as [&str; 0]));
    assert_same_dump(&server.dump(), &read(&format!("{name}.end.sql")), name);
}

macro_rules! reach_the_end {
    ($($claim:ident: $name:literal,)*) => { $(#[test] fn $claim() { rendered_through_the_stock_client($name) })* };
}

reach_the_end! {
    every_type_on_mariadb: "mariadb-types",
    every_type_on_mysql: "mysql-types",
    tricky_transactions_on_mariadb: "mariadb-transactions",
    tricky_transactions_on_mysql: "mysql-transactions",
    // CR LF, NUL, and a table named with a newline and a DROP TABLE.
    edges_on_mariadb: "mariadb-edges",
    edges_on_mysql: "mysql-edges",
    a_bootstrap_on_mariadb: "mariadb-bootstrap",
    a_bootstrap_on_mysql: "mysql-bootstrap",
    the_shop_on_mariadb: "mariadb-incident",
    the_shop_on_mysql: "mysql-incident",
}

#[test]
fn sysbench_and_restarts_give_equal_rows() {
    for name in ["restarts", "sysbench"] {
        let server = fresh(Kind::MariaDb);
        if name == "restarts" {
            server.sql("CREATE DATABASE restarts");
        }
        server.feed(Spool::recording(&format!("mariadb-{name}")).render([] as [&str; 0]));
        assert_rows_equal(&server.dump(), &read(&format!("mariadb-{name}.end.sql")), name);
    }
}

#[test]
fn a_file_holds_what_stdout_would() {
    let (spool, dir) = (Spool::recording("mariadb-edges"), temp_dir());
    let file = dir.path().join("out.sql");
    spool.run(["render", "-o", file.to_str().unwrap()]).code(0);
    assert!(fs::read(file).unwrap() == spool.render([] as [&str; 0]), "the file and stdout differ");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let spool = Spool::recording("mariadb-sysbench");
    for mode in [&["render"][..], &["render", "--net"]] {
        let mut command = spool.command(mode);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 100]).unwrap();
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && !said.contains("Broken"), "{mode:?}: {said}");
    }
}
