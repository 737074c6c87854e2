//! A wrong file is refused by what it looks like, before the spool is made; one that is in it already is taken out again.

use crate::support::{Spool, cli::finish, read, temp_dir, write};
use std::{fs, process::Command};

const DUMP: &str = "-- MariaDB dump 10.19  Distrib 10.11, for debian-linux-gnu (x86_64)\n\nDROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (\n  `id` int(11) NOT NULL\n);\nINSERT INTO `t` VALUES\n(1),\n(2);\n";

fn row(id: usize) -> String {
    let position = 1000 * id;
    format!(
        r#"{{"database":"d","table":"t","type":"insert","ts":1795351926,"xid":{id},"commit":true,"position":"bin.000002:{position}","server_id":1,"primary_key":[{id}],"primary_key_columns":["id"],"data":{{"id":{id}}}}}"#
    )
}

/// Rows, and after them so many lines that are none.
fn mixed(rows: usize, bad: usize) -> String {
    let rows = (1..=rows).map(|id| row(id) + "\n").collect::<String>();
    rows + &"not a message\n".repeat(bad)
}

/// Rows, and after them far more bytes that are none.
fn bad_late() -> String {
    let bad = "x".repeat(400) + "\n";
    mixed(20_000, 0) + &bad.repeat(80_000)
}

#[test]
fn what_is_no_file_of_messages_is_refused_by_name_before_the_first_write() {
    let dir = temp_dir();
    let mut gz = Command::new("gzip");
    gz.arg("-c").arg(write(&dir, "to-pack.sql", DUMP));
    let binlog =
        [b"\xfebin".as_slice(), &[0x5a, 0x0a, 0x00, 0x17, 0, 0, 0x0f].repeat(300)].concat();
    let files: [(&str, Vec<u8>, &[&str]); 7] = [
        ("dump.sql", DUMP.into(), &["SQL dump"]),
        ("bin.000001", binlog, &["binlog"]),
        ("dump.sql.gz", gz.output().unwrap().stdout, &["SQL dump", "gzip"]),
        (
            "canal.json",
            b"{\"data\":[{\"id\":\"1\"}],\"isDdl\":false,\"type\":\"INSERT\"}\n".to_vec(),
            &["canal"],
        ),
        ("log.json", b"{\"level\":\"info\",\"msg\":\"x\"}\n".to_vec(), &["\"level\"", "Maxwell"]),
        ("pretty.json", b"{\n  \"database\": \"d\"\n}\n".to_vec(), &["one object a line"]),
        ("notes.txt", b"hello\nworld\n".to_vec(), &["no JSON"]),
    ];
    for (name, bytes, words) in files {
        let file = write(&dir, name, &bytes);
        let spool = Spool::new();
        spool.run(["import", file.to_str().unwrap()]).code(2).says(words).says(&[name, "--force"]);
        assert!(!spool.path().exists(), "{name}: a spool was made");
        finish(spool.command(["import", "-"]), Some(bytes)).code(2).says(words);
        assert!(!spool.path().exists(), "{name} from stdin: a spool was made");
        // A right file before it is not stored either: nothing was done.
        let right = write(&dir, "right.jsonl", mixed(3, 0));
        spool.run(["import", right.to_str().unwrap(), file.to_str().unwrap()]).code(2);
        assert!(!spool.path().exists(), "{name} behind another: a spool was made");
        spool.run(["import", "--force", file.to_str().unwrap()]).code(3);
    }
}

#[test]
fn more_than_a_tenth_that_is_no_message_asks_for_force() {
    let dir = temp_dir();
    for (rows, bad, code) in [(90, 10, 3), (90, 11, 2)] {
        let file = write(&dir, &format!("{bad}.jsonl"), mixed(rows, bad));
        let spool = Spool::new();
        let run = spool.run(["import", file.to_str().unwrap()]).code(code);
        if code == 2 {
            run.says(&["11 of the first 101 lines", "--force"]);
            assert!(!spool.path().exists());
            spool.run(["import", "--force", file.to_str().unwrap()]).code(3).says(&["11 damaged"]);
        }
    }
    // The bad lines come late: what is there is stored, and the rest only by force.
    let late = write(&dir, "late.jsonl", bad_late());
    let spool = Spool::new();
    let late = late.to_str().unwrap();
    spool.run(["import", late]).code(4).says(&["are no messages", "--force", "spool forget"]);
    assert!(spool.stored().len() < fs::metadata(late).unwrap().len() as usize);
    spool.run(["import", "--force", late]).code(3);
    assert_eq!(spool.stored(), fs::read(late).unwrap());
}

#[test]
fn a_wrong_import_is_taken_out_again() {
    let (dir, spool) = (temp_dir(), Spool::recording("mariadb-incident"));
    let right = spool.run(["log", "--json"]).ok();
    let dump = write(&dir, "dump.sql", DUMP.repeat(500));
    let dump = dump.to_str().unwrap();
    spool.run(["import", "--force", dump]).code(3);
    let later = write(&dir, "later.jsonl", mixed(5, 0));
    spool.run(["import", later.to_str().unwrap()]).code(0);
    let poisoned = spool.run(["log", "--json"]).code(3).text();
    let damaged = DUMP.lines().filter(|line| !line.is_empty()).count() * 500;
    assert_eq!(poisoned.matches("\"damaged\"").count(), damaged);
    let count = format!("{},000", damaged / 1000);
    let said =
        spool.run(["spool", "forget", dump, "--dry-run"]).code(0).says(&["would take out", &count]);
    assert!(said.stderr.contains("3944 to"), "{}", said.stderr);
    assert_eq!(spool.run(["log", "--json"]).code(3).text(), poisoned, "a dry run changed it");
    spool.run(["spool", "forget", dump]).code(0).says(&["took out", &count]);
    let log = spool.run(["log", "--json"]).ok();
    let rows = |log: &str| log.matches("\"kind\":\"rows\"").count();
    assert!(log.starts_with(&right) && rows(&log) == rows(&right) + 5, "{log}");
    spool.run(["spool", "verify"]).code(0);
    assert_eq!(spool.stored(), (read("mariadb-incident.jsonl") + &mixed(5, 0)).into_bytes());
    // Again there is nothing of it; and a table is as it would be without it.
    spool.run(["spool", "forget", dump]).code(2).says(&["holds nothing of it"]);
    let shop = dir.path().join("shop.db");
    let shop = format!("sqlite:{}", shop.display());
    spool.apply(&shop, ["--table", "shop.*"]).code(0);
    spool.run(["spool", "reindex"]).code(0);
    assert_eq!(spool.run(["log", "--json"]).ok(), log);
}

#[test]
fn an_import_from_a_pipe_is_taken_out_by_its_messages() {
    let spool = Spool::new();
    finish(spool.command(["import", "-"]), Some(mixed(5, 0).into_bytes())).code(0);
    finish(spool.command(["import", "--force", "-"]), Some(DUMP.into())).code(3);
    spool.run(["spool", "forget", "1-6"]).code(2).says(&["one piece"]);
    let bad = DUMP.lines().filter(|line| !line.is_empty()).count();
    spool.run(["spool", "forget", &format!("6-{}", 5 + bad)]).code(0);
    assert_eq!(spool.run(["log", "--json"]).ok().lines().count(), 5);
}

#[test]
fn blank_lines_and_byte_order_marks_are_passed_over_and_encrypted_messages_are_named() {
    let (dir, spool) = (temp_dir(), Spool::new());
    let padded = format!("\u{feff}{}\n\n{}\r\n  \n\u{feff}\n{}\n\n", row(1), row(2), row(3));
    let file = write(&dir, "padded.jsonl", padded);
    spool.run(["import", file.to_str().unwrap()]).code(0).says(&["3 messages", "0 damaged"]);
    assert_eq!(spool.run(["log", "--json"]).ok().lines().count(), 3);
    for encrypted in [
        r#"{"database":"d","table":"t","type":"insert","ts":1795351926,"xid":9,"commit":true,"encrypted":{"iv":"eA==","bytes":"eQ=="}}"#,
        r#"{"encrypted":{"iv":"eA==","bytes":"eQ=="}}"#,
    ] {
        let file = write(&dir, "encrypted.jsonl", encrypted);
        let spool = Spool::new();
        spool.run(["import", file.to_str().unwrap()]).code(3);
        let log = spool.run(["log"]).code(3).text();
        assert!(log.contains("encrypted by the producer"), "{log}");
    }
}
