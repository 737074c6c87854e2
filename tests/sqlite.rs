//! An SQLite target holds each value as the server would print it: no digit, byte or letter is lost.

use crate::support::{Kind, Spool, content::Content, fresh, temp_dir};

fn every_value_equals_the_servers_text(name: &str) {
    let (server, spool, dir) = (fresh(Kind::of(name)), Spool::recording(name), temp_dir());
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    let file = dir.path().join("copy.db");
    spool.apply(&format!("sqlite:{}", file.display()), [] as [&str; 0]).code(0);
    Content::of(&server).assert_is_in(&file, name);
}

#[test]
fn types_from_mariadb() {
    every_value_equals_the_servers_text("mariadb-types");
}

#[test]
fn types_from_mysql() {
    every_value_equals_the_servers_text("mysql-types");
}

#[test]
fn the_shop() {
    every_value_equals_the_servers_text("mariadb-incident");
    every_value_equals_the_servers_text("mysql-incident");
}

#[test]
fn sysbench() {
    every_value_equals_the_servers_text("mariadb-sysbench");
}
