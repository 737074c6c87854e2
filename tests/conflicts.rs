//! Rows of the target that are not as the stream has them: the apply stops at the first, or leaves or overwrites them
//! and writes each down.

use crate::other_spool::{self, begun, import, targets};
use crate::support::{Fresh, Kind, Run, Spool, fresh, servers::KINDS, temp_dir, write};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// A transaction of one row, with the message it arrives as.
fn event(number: usize, kind: &str, data: &str, old: &str) -> String {
    let old = if old.is_empty() { String::new() } else { format!(",\"old\":{old}") };
    format!(
        "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"{kind}\",\"ts\":1795351926,\"xid\":{number},\"commit\":true,\"position\":\"bin.000001:{}\",\"primary_key_columns\":[\"id\"],\"data\":{data}{old}}}\n",
        number * 100
    )
}

/// Two rows that fit, and one in each way that does not: the row is there already, is not there to be updated or
/// deleted, or a value is too long.
fn stream() -> String {
    [
        event(1, "insert", r#"{"id":1,"v":"one"}"#, ""),
        event(2, "insert", r#"{"id":2,"v":"two"}"#, ""),
        event(3, "update", r#"{"id":3,"v":"THREE"}"#, r#"{"v":"three"}"#),
        event(4, "delete", r#"{"id":4,"v":"four"}"#, ""),
        event(5, "insert", r#"{"id":5,"v":"much too long"}"#, ""),
        event(6, "insert", r#"{"id":6,"v":"six"}"#, ""),
    ]
    .concat()
}

fn target(kind: Kind) -> Fresh {
    let server = fresh(kind);
    server.sql(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(8)); \
         INSERT INTO d.t VALUES (1,'mine')",
    );
    server
}

fn rows(server: &Fresh) -> String {
    server.query("SELECT id, v FROM d.t ORDER BY id")
}

/// An apply with a policy, its journal in that file.
fn apply(spool: &Spool, server: &Fresh, policy: &str, journal: &Path) -> Run {
    let journal = journal.to_str().unwrap();
    spool.apply(&server.url(), ["--on-conflict", policy, "--conflicts", journal])
}

fn entries(journal: &Path) -> Vec<Value> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The entry about a row, which the message of the same number is about: both images, by the columns' names.
fn check_entry(entries: &[Value], id: u64, before: Value, after: Value) {
    let about = |entry: &&Value| entry["key"]["id"] == id;
    let found: Vec<_> = entries.iter().filter(about).collect();
    let [entry] = found[..] else { panic!("one entry about row {id}: {entries:#?}") };
    assert_eq!(entry["table"], "d.t");
    assert_eq!(entry["message"], id);
    assert_eq!((&entry["before"], &entry["after"]), (&before, &after), "row {id}");
    assert!(entry["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
}

#[test]
fn stop_names_the_row_and_a_rerun_goes_on_when_it_is_mended() {
    for kind in KINDS {
        let (server, dir) = (target(kind), temp_dir());
        let (spool, journal) = (Spool::of(&write(&dir, "stream", stream())), dir.path().join("j"));
        let mut mend = vec![
            ("message 1 ", "DELETE FROM d.t WHERE id=1"),
            ("message 3 ", "INSERT INTO d.t VALUES (3,'three')"),
            ("message 4 ", "INSERT INTO d.t VALUES (4,'four')"),
            ("message 5 ", "ALTER TABLE d.t MODIFY v VARCHAR(20)"),
        ];
        while !mend.is_empty() {
            let run = apply(&spool, &server, "stop", &journal).code(4).says(&["d.t"]);
            let found = mend.iter().position(|(message, _)| run.stderr.contains(message));
            let found = found.unwrap_or_else(|| panic!("no row is named:\n{}", run.stderr));
            server.sql(mend.remove(found).1);
        }
        apply(&spool, &server, "stop", &journal).code(0);
        assert_eq!(rows(&server), "1\tone\n2\ttwo\n3\tTHREE\n5\tmuch too long\n6\tsix\n");
        assert!(entries(&journal).is_empty());
    }
}

#[test]
fn skip_leaves_each_as_it_is_and_writes_it_down() {
    use serde_json::json;
    for kind in KINDS {
        let (server, dir) = (target(kind), temp_dir());
        let (spool, journal) = (Spool::of(&write(&dir, "stream", stream())), dir.path().join("j"));
        apply(&spool, &server, "skip", &journal).code(3).says(&["4 conflicts"]);
        assert_eq!(rows(&server), "1\tmine\n2\ttwo\n6\tsix\n");
        let entries = entries(&journal);
        assert_eq!(entries.len(), 4);
        check_entry(&entries, 1, Value::Null, json!({"id": 1, "v": "one"}));
        check_entry(&entries, 3, json!({"id": 3, "v": "three"}), json!({"id": 3, "v": "THREE"}));
        check_entry(&entries, 4, json!({"id": 4, "v": "four"}), Value::Null);
        check_entry(&entries, 5, Value::Null, json!({"id": 5, "v": "much too long"}));
        // What was skipped is done with.
        apply(&spool, &server, "skip", &journal).code(0);
        assert_eq!(rows(&server), "1\tmine\n2\ttwo\n6\tsix\n");
    }
}

#[test]
fn overwrite_makes_each_the_streams_last_image() {
    for kind in KINDS {
        let (server, dir) = (target(kind), temp_dir());
        server.sql("ALTER TABLE d.t ADD own INT DEFAULT 7; UPDATE d.t SET own=8");
        let fitting = stream().replace("much too long", "five");
        let (spool, journal) = (Spool::of(&write(&dir, "stream", fitting)), dir.path().join("j"));
        apply(&spool, &server, "overwrite", &journal).code(3).says(&["3 conflicts"]);
        assert_eq!(rows(&server), "1\tone\n2\ttwo\n3\tTHREE\n5\tfive\n6\tsix\n");
        assert_eq!(server.query("SELECT own FROM d.t WHERE id=1"), "8\n", "not the stream's");
        assert_eq!(entries(&journal).len(), 3);
    }
}

/// What is behind the progress is done with, whatever is said of conflicts; the way on is another name.
#[test]
fn overwrite_after_skip_says_that_nothing_was_left_to_overwrite() {
    for kind in KINDS {
        let (server, dir) = (target(kind), temp_dir());
        let fitting = stream().replace("much too long", "five");
        let (spool, journal) = (Spool::of(&write(&dir, "stream", fitting)), dir.path().join("j"));
        apply(&spool, &server, "skip", &journal).code(3);
        let skipped = rows(&server);
        let place = journal.to_str().unwrap();
        let run = apply(&spool, &server, "overwrite", &journal).code(3);
        run.says(&["nothing was left to overwrite", "\"apply\"", "--name", place]);
        assert_eq!(rows(&server), skipped);
        apply(&spool, &server, "skip", &journal).code(0);
        let anew = ["--on-conflict", "overwrite", "--conflicts", place, "--name", "anew"];
        spool.apply(&server.url(), anew).code(3);
        assert_eq!(rows(&server), "1\tone\n2\ttwo\n3\tTHREE\n5\tfive\n6\tsix\n");
        // Its tables alone are loaded from a dump of before.
        server.sql("DELETE FROM d.t; INSERT INTO d.t VALUES (1,'mine')");
        let run = apply(&spool, &server, "overwrite", &dir.path().join("none")).code(3);
        run.says(&["the target has lost since", "--name"]);
        assert_eq!(rows(&server), "1\tmine\n");
    }
}

/// What was passed over is kept with the rows, whether they are written in one transaction or in parts on several
/// connections, and is gone with them where the target is restored.
#[test]
fn overwrite_says_only_what_was_passed_over() {
    for window in ["64000", "64"] {
        targets(|target, ask, run| {
            let dir = temp_dir();
            let (spool, journal) = (begun(&dir), dir.path().join("j"));
            let saved = if target.starts_with("sqlite") { "saved" } else { "d.saved" };
            let apply = |policy: &str| {
                let journal = journal.to_str().unwrap();
                let policy = ["--on-conflict", policy, "--conflicts", journal];
                other_spool::apply(&spool, target, &[&policy[..], &["--window", window]].concat())
            };
            apply("stop").code(0);
            run(&format!("CREATE TABLE {saved} AS SELECT * FROM binsync.progress"));
            import(&spool, &dir, 101..=150);
            run("INSERT INTO d.t VALUES (103,'mine')");
            apply("skip").code(3).says(&["1 conflict"]);
            apply("overwrite").code(3).says(&["nothing was left to overwrite", "passed over"]);
            import(&spool, &dir, 151..=160);
            let news = apply("overwrite").code(3).says(&["passed over before", "--name"]);
            assert!(!news.stderr.contains("nothing was left"), "{}", news.stderr);
            assert_eq!(ask("SELECT v FROM d.t WHERE id=103"), "mine");

            // Restored with its progress to before that.
            run("DELETE FROM d.t WHERE id > 100");
            run("INSERT INTO d.t VALUES (103,'mine')");
            run("DELETE FROM binsync.progress");
            run(&format!("INSERT INTO binsync.progress SELECT * FROM {saved}"));
            apply("overwrite").code(3).says(&["1 conflict"]);
            assert_eq!(ask("SELECT v FROM d.t WHERE id=103"), "v103");
            let done = apply("overwrite").code(0);
            assert!(!done.stderr.contains("passed over"), "{}", done.stderr);
        });
    }
}

#[test]
fn a_value_that_does_not_fit_cannot_be_overwritten() {
    let (server, dir) = (target(Kind::MariaDb), temp_dir());
    let (spool, journal) = (Spool::of(&write(&dir, "stream", stream())), dir.path().join("j"));
    apply(&spool, &server, "overwrite", &journal).code(4).says(&["d.t", "message 5"]);
    assert!(!rows(&server).contains("much"));
}

/// It holds rows; one that an earlier version made is closed to others, too.
#[test]
fn the_journal_is_for_its_owner_alone() {
    let (server, dir) = (target(Kind::MariaDb), temp_dir());
    let spool = Spool::of(&write(&dir, "stream", stream()));
    let [new, old] = ["new", "old"].map(|name| dir.path().join(name));
    fs::write(&old, "").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).unwrap();
    for (n, journal) in [&new, &old].into_iter().enumerate() {
        let name = format!("n{n}");
        let args = ["--on-conflict", "skip", "--conflicts", journal.to_str().unwrap()];
        spool.apply(&server.url(), [&args[..], &["--name", &name]].concat()).code(3);
        assert!(!entries(journal).is_empty());
        assert_eq!(fs::metadata(journal).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn the_journal_is_named_after_the_run() {
    let (server, dir) = (target(Kind::MariaDb), temp_dir());
    let spool = Spool::of(&write(&dir, "stream", stream()));
    let url = server.url();
    let mut command = spool.command(["apply", "--target", &url, "--on-conflict", "skip"]);
    command.args(["--name", "mine"]).current_dir(dir.path());
    crate::support::cli::finish(command, None).code(3).says(&["conflicts-mine.jsonl"]);
    assert_eq!(entries(&dir.path().join("conflicts-mine.jsonl")).len(), 4);
}
