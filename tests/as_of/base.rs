//! What could not be taken back exactly is refused before the copy.

use super::{Case, SHOP, before, run, tables};
use crate::support::{Kind, Server, Spool, content::Content, source, write};
use std::{thread::sleep, time::Duration};

#[test]
fn what_a_reverse_cannot_take_back_is_refused_before_the_copy() {
    for (kind, statement, words) in [
        (Kind::MariaDb, "ALTER TABLE shop.orders ADD w INT", ["ALTER TABLE", "shop.orders"]),
        (Kind::MySql, "ALTER TABLE shop.orders ADD w INT", ["ALTER TABLE", "shop.orders"]),
        (Kind::MariaDb, "TRUNCATE TABLE shop.orders", ["TRUNCATE", "shop.orders"]),
        (Kind::MySql, "TRUNCATE TABLE shop.orders", ["TRUNCATE", "shop.orders"]),
        (Kind::MySql, "ALTER TABLE shop.orders ENGINE=MyISAM", ["MyISAM", "consistent"]),
    ] {
        let mut statements = SHOP.to_vec();
        statements.extend([statement, "INSERT INTO shop.items VALUES (9,9)"]);
        let (case, seen) = Case::new(kind, &statements, 6);
        case.based("then.db", &before(6), &[]).code(4).says(&words);
        assert!(tables(&case.file("then.db")).is_empty(), "{statement}");
        if !statement.contains("MyISAM") {
            case.based("items.db", &before(6), &["--table", "shop.items"]).code(0);
            assert_eq!(tables(&case.file("items.db")), ["shop.items"]);
        }
        drop(seen);
    }
}

#[test]
fn columns_that_the_stream_does_not_tell_are_refused() {
    let mut statements = SHOP.to_vec();
    statements.extend(["ALTER TABLE shop.items ADD w INT", "UPDATE shop.orders SET v=0"]);
    let (case, _) = Case::new(Kind::MySql, &statements, 6);
    let lines = std::fs::read_to_string(case.file("stream.jsonl")).unwrap();
    let untold: String = lines
        .lines()
        .filter(|line| !line.contains("table-alter"))
        .map(|line| line.to_owned() + "\n")
        .collect();
    assert!(untold.len() < lines.len());
    let case = Case { spool: Spool::of(&write(&case.dir, "untold.jsonl", untold)), ..case };
    case.based("then.db", &before(6), &[]).code(4).says(&["shop.items", "other columns"]);
    assert!(tables(&case.file("then.db")).is_empty());
}

#[test]
fn a_table_made_since_is_left_out() {
    let mut statements = SHOP.to_vec();
    let made = "CREATE TABLE shop.later (id INT PRIMARY KEY)";
    statements.extend([made, "INSERT INTO shop.later VALUES (1)"]);
    let (case, seen) = Case::new(Kind::MySql, &statements, 6);
    case.based("then.db", &before(6), &[]).code(0).says(&["shop.later was made since"]);
    seen.assert_is_in(&case.file("then.db"), "without the later one");
    case.based("then.db", &before(6), &[]).code(0);
    seen.assert_is_in(&case.file("then.db"), "run again");
}

#[test]
fn rows_that_foreign_keys_change_unseen_are_refused() {
    let statements = [
        "CREATE DATABASE d",
        "CREATE TABLE d.p (id INT PRIMARY KEY)",
        "CREATE TABLE d.c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES d.p (id) ON DELETE CASCADE)",
        "INSERT INTO d.p VALUES (1),(2)",
        "INSERT INTO d.c VALUES (1,1),(2,2)",
        "DELETE FROM d.p WHERE id=1",
    ];
    let (case, _) = Case::new(Kind::MariaDb, &statements, 5);
    case.based("then.db", &before(5), &[]).code(4).says(&["d.c", "foreign key"]);
    drop(case);
    let (case, seen) = Case::new(Kind::MySql, &statements, 5);
    case.based("then.db", &before(5), &[]).code(0);
    seen.assert_is_in(&case.file("then.db"), "MySQL logs them");
}

#[test]
fn another_server_and_a_stream_without_positions_are_refused() {
    let (case, _) = Case::new(Kind::MariaDb, &SHOP, 6);
    let other = source(Kind::MySql);
    other.sql("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, v INT)");
    let args = ["--until", &before(6), "--base", &other.url()];
    let refused = case.forward("other.db", &args);
    refused.code(4).says(&["name the server that is recorded"]);
    let lines = std::fs::read_to_string(case.file("stream.jsonl")).unwrap();
    let plain: String = lines.lines().map(|line| without_position(line) + "\n").collect();
    let case = Case { spool: Spool::of(&write(&case.dir, "plain.jsonl", plain)), ..case };
    case.based("plain.db", &before(6), &[]).code(4).says(&["no binlog positions"]);
}

fn without_position(line: &str) -> String {
    let start = line.find(",\"position\":\"").unwrap();
    let end = start + 13 + line[start + 13..].find('"').unwrap() + 1;
    format!("{}{}", &line[..start], &line[end..])
}

/// Removes files of the binlog; the server does so when it has done with them.
fn purge(source: &Server, which: &str, done: impl Fn(&str) -> bool) {
    for _ in 0..100 {
        source.sql(&format!("PURGE BINARY LOGS {which}"));
        if done(&source.query("SHOW BINARY LOGS")) {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("the binlog is not removed {which}");
}

#[test]
fn a_binlog_that_does_not_reach_back_is_said() {
    let source = source(Kind::MySql);
    let (first, _) = run(&source, &SHOP[..5], 5);
    let seen = Content::of(&source);
    // In another file of the binlog.
    let (second, _) = run(&source, &["DO 0"; 8], 8);
    assert_eq!(second, "");
    let later = ["UPDATE shop.orders SET v=10 WHERE id=1", "DELETE FROM shop.items"];
    let later = [["DO 0"; 5].as_slice(), &later].concat();
    let (third, _) = run(&source, &later, 5);
    let case = Case::of(source, &(first + &third));
    case.based("then.db", &before(5), &[]).code(0);
    seen.assert_is_in(&case.file("then.db"), "over several files");
    let last = case.source.query("SHOW BINARY LOGS");
    let last = last.lines().last().unwrap().split('\t').next().unwrap().to_owned();
    purge(&case.source, &format!("TO '{last}'"), |logs| logs.lines().count() == 1);
    case.based("unseen.db", &before(5), &[]).code(3).says(&["TRUNCATE", "not known"]);
    seen.assert_is_in(&case.file("unseen.db"), "as far as the spool tells");
    case.source.sql("FLUSH BINARY LOGS");
    purge(&case.source, "BEFORE '2999-01-01'", |logs| !logs.contains(&last));
    case.based("gone.db", &before(5), &[]).code(4).says(&["binlog", &last]);
    assert!(tables(&case.file("gone.db")).is_empty());
}

#[test]
fn the_base_has_its_own_flags() {
    let spool = Spool::recording("mariadb-edges");
    let until = ["--until", "2026-11-22T12:00:00Z", "--base", "mysql://t@127.0.0.1:1"];
    let with = |target: &str, args: &[&str]| spool.apply(target, [&until, args].concat());
    with("mysql://t@127.0.0.1:1", &[]).code(2).says(&["SQLite"]);
    for flag in
        [["--reverse"].as_slice(), &["--follow"], &["--xid", "1"], &["--since", "2020-01-01"]]
    {
        with("sqlite:x.db", flag).code(2);
    }
    spool.apply("sqlite:x.db", &until[2..]).code(2).says(&["--until"]);
    let ahead = ["--until", "2999-01-01T00:00:00Z", "--base", "mysql://t@127.0.0.1:1"];
    spool.apply("sqlite:x.db", ahead).code(2).says(&["lies ahead"]);
    with("sqlite:x.db", &[]).code(1).says(&["base", "cannot connect"]);
}
