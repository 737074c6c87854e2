//! An SQLite target holds each value as the server would print it: no digit, byte or letter is lost.

use crate::support::{Kind, Spool, cli::finish, content::Content, fresh, temp_dir, write};
use std::{fs, path::Path};

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

#[test]
fn no_file_is_made_at_a_place_that_was_not_meant() {
    let (spool, dir) = (Spool::recording("mariadb-edges"), temp_dir());
    let name = format!("binsync-{}.db", std::process::id());
    for (url, advice) in [
        (format!("sqlite://{name}"), format!("sqlite:{name} ")),
        (format!("sqlite:///{name}"), format!("sqlite:/{name} ")),
        (format!("sqlite:file:{name}"), format!("sqlite:{name}")),
        (format!("sqlite:{name}?mode=rwc"), format!("sqlite:{name}")),
        ("sqlite::memory:".to_owned(), "name a file".to_owned()),
        ("sqlite:".to_owned(), "sqlite:FILE".to_owned()),
    ] {
        for more in [&[][..], &["--dry-run"], &["--reverse", "--all"]] {
            let mut command = spool.command(["apply", "--target", &url]);
            command.args(more).current_dir(dir.path());
            finish(command, None).code(2).says(&[&advice]);
        }
    }
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
    assert!(!Path::new("/").join(name).exists());
}

/// What is missing is named for each table, and how to come by it.
#[test]
fn tables_whose_definition_is_not_known_are_refused_with_the_next_step() {
    let rows: String = ["t", "u"]
        .iter()
        .enumerate()
        .map(|(n, table)| {
            format!(
                "{{\"database\":\"d\",\"table\":\"{table}\",\"type\":\"insert\",\"ts\":1795351926,\"xid\":{n},\"commit\":true,\"data\":{{\"id\":1}}}}\n"
            )
        })
        .collect();
    let dir = temp_dir();
    let spool = Spool::of(&write(&dir, "rows.jsonl", rows));
    let url = format!("sqlite:{}", dir.path().join("d.db").display());
    let words = ["d.t", "d.u", "next: store", "binsync schema add --from URL", "--exclude-table"];
    spool.apply(&url, [""; 0]).code(4).says(&words);
    spool.apply(&url, ["--table", "d.t"]).code(4).says(&["d.t", words[3]]);
}

/// Which of them came beside the copy nothing tells, in whatever pieces they are written.
#[test]
fn rows_that_were_copied_into_a_table_without_a_key_are_refused() {
    let def = r#"{"database":"d","charset":"utf8mb4","table":"t","primary-key":[],"columns":[{"type":"int","name":"v","signed":true}]}"#;
    let message = |kind: &str, more: &str| {
        format!(
            "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"{kind}\",\"ts\":1795351926{more}}}\n"
        )
    };
    let lines = [
        message("table-create", &format!(r#"000,"sql":"CREATE TABLE t (v INT)","def":{def}"#)),
        message("bootstrap-start", r#","data":{}"#),
        message("bootstrap-insert", r#","data":{"v":1}"#),
        message("bootstrap-complete", r#","data":{}"#),
    ];
    let dir = temp_dir();
    let spool = Spool::of(&write(&dir, "copied.jsonl", lines.concat()));
    let words = ["d.t: the producer copied", "no key", "--exclude-table"];
    for (n, more) in [&[][..], &["--serial"], &["--net"]].into_iter().enumerate() {
        let url = format!("sqlite:{}", dir.path().join(format!("{n}.db")).display());
        spool.apply(&url, more).code(4).says(&words);
    }
    spool.run(["render"]).code(4).says(&words);
}

#[test]
fn a_dry_run_makes_and_changes_nothing() {
    let (spool, dir) = (Spool::recording("mariadb-incident"), temp_dir());
    let file = dir.path().join("shop.db");
    let url = format!("sqlite:{}", file.display());
    let undo = ["--dry-run", "--reverse", "--xid", "364253,364255"];
    let there = |dir: &Path| fs::read_dir(dir).unwrap().count();
    spool.apply(&url, ["--dry-run"]).code(0).says(&["would apply 3,937 row events"]);
    // Into a file that is not there a reverse brings back the rows, whatever was.
    spool.apply(&url, undo).code(0).says(&["would apply 1,301 row events"]);
    assert_eq!(there(dir.path()), 0);
    let nowhere = format!("sqlite:{}", dir.path().join("nowhere/shop.db").display());
    for more in [&[][..], &["--dry-run"]] {
        spool.apply(&nowhere, more).code(1).says(&["nowhere"]);
    }
    spool.apply(&url, ["--until", "2026-11-22T12:49:22Z"]).code(0);
    let before = fs::read(&file).unwrap();
    spool.apply(&url, ["--dry-run"]).code(0);
    spool.apply(&url, undo).code(3);
    assert_eq!(there(dir.path()), 1);
    assert!(fs::read(&file).unwrap() == before, "a dry run has changed the file");
    spool.apply(&url, [""; 0]).code(0);
    spool.apply(&url, undo).code(0).says(&["would apply 1,301 row events"]);
}
