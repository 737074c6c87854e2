//! However rendered SQL is written (statements of one row or many, whole images, the net effect), the stock client
//! brings a database to the same rows with it.

use crate::{
    flashback::culprits,
    support::{
        Kind, Run, Server, Spool, assert_rows_equal, assert_same_dump, fresh, read, rows_only,
        servers::KINDS, temp_dir, write,
    },
};
use std::fmt::Write as _;

/// How SQL may be written without a difference to what it does.
const FORMS: [&[&str]; 4] =
    [&["--rows", "1"], &["--rows", "3", "--max-packet", "64K"], &["--image", "full"], &["--net"]];

fn forward_in_every_form(recording: &str) {
    for kind in KINDS {
        let name = format!("{}-{recording}", kind.name());
        let spool = Spool::recording(&name);
        for form in FORMS {
            let server = fresh(kind);
            server.feed(spool.render(form));
            assert_rows_equal(&server.dump(), &read(&format!("{name}.end.sql")), &name);
        }
    }
}

#[test]
fn tricky_transactions_forward() {
    forward_in_every_form("transactions");
}

#[test]
fn edges_forward() {
    forward_in_every_form("edges");
}

#[test]
fn the_shop_forward() {
    forward_in_every_form("incident");
}

#[test]
fn every_type_forward_in_whole_images() {
    for kind in KINDS {
        let name = format!("{}-types", kind.name());
        let server = fresh(kind);
        server.feed(Spool::recording(&name).render(["--image", "full"]));
        assert_same_dump(&server.dump(), &read(&format!("{name}.end.sql")), &name);
    }
}

#[test]
fn the_accident_taken_back_in_every_form() {
    for kind in KINDS {
        let name = format!("{}-incident", kind.name());
        let spool = Spool::recording(&name);
        let [orders, customers] = culprits(&name);
        for form in FORMS {
            let server = fresh(kind);
            server.load(&read(&format!("{name}.end.sql")));
            let mut args = vec!["--reverse", "--xid", &orders, "--xid", &customers];
            args.extend(form);
            // Whole images do not match a customer that was renamed since: that row stays as it is.
            let whole = form.contains(&"full");
            server.feed(spool.render(args));
            match whole {
                false => {
                    assert_rows_equal(&server.dump(), &read(&format!("{name}.repaired.sql")), &name)
                }
                true => assert_only_renamed_customers_differ(
                    &server.dump(),
                    &read(&format!("{name}.repaired.sql")),
                ),
            }
        }
    }
}

fn assert_only_renamed_customers_differ(found: &str, expected: &str) {
    let (found, expected) = (rows_only(found), rows_only(expected));
    let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).collect();
    assert!(missing.iter().all(|row| row.contains("`customers`")), "{missing:#?}");
    assert_eq!((missing.len(), found.len()), (1, expected.len()), "{missing:#?}");
}

#[test]
fn everything_taken_back_in_every_form_leaves_no_row() {
    for (kind, recording) in KINDS.iter().flat_map(|k| [(*k, "incident"), (*k, "types")]) {
        let name = format!("{}-{recording}", kind.name());
        let spool = Spool::recording(&name);
        for form in FORMS {
            let server = fresh(kind);
            spool.apply(&server.url(), [] as [&str; 0]).code(0);
            assert!(!rows_only(&server.dump()).is_empty());
            let args = [&["--reverse", "--type", "insert,update,delete"], form].concat();
            server.feed(spool.render(args));
            assert_eq!(rows_only(&server.dump()), [] as [&str; 0], "{name} {form:?}");
        }
    }
}

/// A stream that makes `d.t` of these columns and then says these rows, all in one transaction.
fn stream(columns: &str, key: &str, kind: &str, rows: impl Iterator<Item = String>) -> String {
    let mut text = format!(
        "{{\"type\":\"table-create\",\"database\":\"d\",\"table\":\"t\",\"ts\":1795351926000,\"position\":\"bin.000001:10\",\"sql\":\"CREATE TABLE t ({})\",\"def\":{{\"database\":\"d\",\"table\":\"t\",\"charset\":\"utf8mb4\",\"primary-key\":[{key}],\"columns\":[{}]}}}}\n",
        columns.split(',').collect::<Vec<_>>().join(","),
        columns
            .split(',')
            .map(|column| {
                let (name, kind) = column.trim().split_once(' ').unwrap();
                let kind = kind.split([' ', '(']).next().unwrap().to_lowercase();
                let more =
                    if kind == "int" { ",\"signed\":true" } else { ",\"charset\":\"utf8mb4\"" };
                format!("{{\"name\":\"{name}\",\"type\":\"{kind}\"{more}}}")
            })
            .collect::<Vec<_>>()
            .join(",")
    );
    let mut rows = rows.enumerate().peekable();
    while let Some((n, row)) = rows.next() {
        let commit =
            if rows.peek().is_none() { "\"commit\":true" } else { &format!("\"xoffset\":{n}") };
        let position = 100 + 50 * n;
        writeln!(text, "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"{kind}\",\"ts\":1795351927,\"xid\":7,{commit},\"position\":\"bin.000001:{position}\",\"data\":{row}}}").unwrap();
    }
    text
}

fn spool_of(stream: &str) -> Spool {
    Spool::of(&write(&temp_dir(), "stream", stream))
}

#[test]
fn a_large_delete_comes_back_under_the_smallest_usual_packet_limit() {
    let row = |id: usize| format!("{{\"id\":{id},\"v\":\"{}\"}}", "it's a row ".repeat(40));
    let spool = spool_of(&stream(
        "id INT PRIMARY KEY,v VARCHAR(500)",
        "\"id\"",
        "delete",
        (0..50_000).map(row),
    ));
    let sql = spool.render(["--reverse", "--type", "delete"]);
    assert!(sql.len() > 20 << 20, "it would fit in one packet");
    for kind in KINDS {
        let server = Server::start_with(kind, &["--max-allowed-packet=16M"]);
        server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(500))");
        server.feed(&sql);
        let all = server.query("SELECT COUNT(*), SUM(id), MIN(LENGTH(v)) FROM d.t");
        assert_eq!(all, "50000\t1249975000\t440\n");
    }
}

#[test]
fn no_statement_is_larger_than_the_packet_limit_and_a_row_that_is_stops() {
    // Bytes arrive as base64 and leave as hexadecimal digits, half as many again.
    let row = |bytes: usize| {
        move |id: usize| format!("{{\"id\":{id},\"v\":\"{}\"}}", "AAAA".repeat(bytes / 3))
    };
    let columns = "id INT PRIMARY KEY,v BLOB";
    let server = Server::start_with(Kind::MariaDb, &["--max-allowed-packet=64K"]);
    server.sql("CREATE DATABASE d");
    let spool = spool_of(&stream(columns, "\"id\"", "insert", (0..300).map(row(3000))));
    server.feed(spool.render(["--max-packet", "64K"]));
    assert_eq!(server.query("SELECT COUNT(*), MIN(LENGTH(v)) FROM d.t"), "300\t3000\n");

    let spool = spool_of(&stream(columns, "\"id\"", "insert", (0..3).map(row(33_000))));
    let dir = temp_dir();
    let file = dir.path().join("out.sql");
    let args = ["render", "--max-packet", "64K", "-o", file.to_str().unwrap()];
    let run = spool.run(args).code(4).says(&["d.t", "message 2", "66", "--max-packet"]);
    assert!(!file.exists(), "{}", run.stderr);
    for by in ["transaction", "table"] {
        let args = [&args[..], &["--split", by, "--type", "insert"]].concat();
        spool.run(args).code(4);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something is left behind");
    }
    spool.render(["--max-packet", "128K"]);
}

fn modes(key: &str) -> Spool {
    let columns = match key {
        "" => "id INT,v VARCHAR(20)",
        _ => "id INT PRIMARY KEY,v VARCHAR(20)",
    };
    let rows = [r#"{"id":1,"v":"new"}"#, r#"{"id":2,"v":"two"}"#];
    spool_of(&stream(columns, key, "insert", rows.iter().map(|row| (*row).to_owned())))
}

const ROWS: [&str; 2] = ["--type", "insert"];

#[test]
fn what_becomes_of_a_row_that_is_there_already() {
    let spool = modes("\"id\"");
    for kind in KINDS {
        let server = fresh(kind);
        for (mode, expected) in [
            ("ignore", "1\told\t5\n2\ttwo\t0\n"),
            ("replace", "1\tnew\t0\n2\ttwo\t0\n"),
            ("upsert", "1\tnew\t5\n2\ttwo\t0\n"),
        ] {
            for more in [&[][..], &["--rows", "1"], &["--net"]] {
                server.sql(
                    "DROP DATABASE IF EXISTS d; CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20), own INT DEFAULT 0); INSERT INTO d.t VALUES (1,'old',5)",
                );
                server.feed(spool.render([&ROWS[..], &["--insert-mode", mode], more].concat()));
                assert_eq!(server.query("SELECT * FROM d.t"), expected, "{kind:?} {mode} {more:?}");
            }
        }
        server.sql("DELETE FROM d.t WHERE id=2; UPDATE d.t SET v='old'");
        let refused = server.try_feed(&spool.render(ROWS)).unwrap_err();
        assert!(refused.contains("Duplicate entry '1'"), "{refused}");
        assert_eq!(server.query("SELECT v FROM d.t"), "old\n");
    }
}

#[test]
fn rows_without_a_key_are_inserted_whatever_the_mode() {
    let spool = modes("");
    let plain = spool.render(ROWS);
    for mode in ["ignore", "replace", "upsert"] {
        let args = [&ROWS[..], &["--insert-mode", mode]].concat();
        assert_eq!(spool.render(args), plain, "{mode}");
    }
}

#[test]
fn a_row_that_is_all_key_is_kept_by_an_upsert() {
    let spool = spool_of(&stream(
        "id INT PRIMARY KEY",
        "\"id\"",
        "insert",
        ["{\"id\":1}".into()].into_iter(),
    ));
    for kind in KINDS {
        let server = fresh(kind);
        server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, own INT); INSERT INTO d.t VALUES (1,5)");
        server.feed(spool.render([&ROWS[..], &["--insert-mode", "upsert"]].concat()));
        assert_eq!(server.query("SELECT * FROM d.t"), "1\t5\n");
    }
}

#[test]
fn a_batch_says_what_it_is_before_its_statement() {
    let sql = String::from_utf8(modes("\"id\"").render(ROWS)).unwrap();
    let lines: Vec<&str> = sql.lines().collect();
    let at = lines.iter().position(|line| *line == "BEGIN;").unwrap();
    assert_eq!(
        lines[at + 1..at + 5],
        [
            "-- 2026-11-22T12:52:07Z bin.000001:100 xid 7 insert d.t, 2 rows",
            "INSERT INTO `d`.`t` (`id`, `v`) VALUES (1, 'new'),",
            "(2, 'two');",
            "COMMIT;"
        ]
    );
}

#[test]
fn wrong_sizes_and_flags_that_exclude_each_other_are_refused() {
    let spool = modes("\"id\"");
    let refused = |args: &[&str]| -> Run { spool.run([&["render"], args].concat()).code(2) };
    refused(&["--max-packet", "1K"]).says(&["64K"]);
    refused(&["--max-packet", "much"]).says(&["16M"]);
    refused(&["--rows", "0"]);
    refused(&["--split", "table"]).says(&["--output"]);
    refused(&["--split", "table", "-o", "x", "--net"]).says(&["--net"]);
}
