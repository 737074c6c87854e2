//! A message that is no row change is stored as it came, flagged and shown; it stops nothing, and the exit says so.

use crate::support::{Kind, Spool, broker, fresh, temp_dir, write};

const MIB: usize = 1 << 20;

const HEAD: &str = r#"{"type":"database-create","database":"bad","charset":"utf8mb4","ts":1795351925000,"sql":"CREATE DATABASE bad","position":"bin.000002:100"}
{"type":"table-create","database":"bad","table":"t","def":{"database":"bad","charset":"utf8mb4","table":"t","primary-key":["id"],"columns":[{"type":"int","name":"id","signed":true},{"type":"longtext","name":"v","charset":"utf8mb4"}]},"ts":1795351925000,"sql":"CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)","position":"bin.000002:200"}"#;

fn row(id: usize, value: &str) -> Vec<u8> {
    let position = 1000 * id;
    format!(
        r#"{{"database":"bad","table":"t","type":"insert","ts":1795351926,"xid":{id},"commit":true,"position":"bin.000002:{position}","server_id":1,"primary_key":[{id}],"primary_key_columns":["id"],"data":{{"id":{id},"v":"{value}"}}}}"#
    )
    .into_bytes()
}

/// Each bad message with what is wrong with it.
fn bad_messages() -> Vec<(&'static str, Vec<u8>)> {
    let whole = row(900, "x");
    vec![
        ("not JSON", b"hello".to_vec()),
        ("cut JSON", whole[..whole.len() - 9].to_vec()),
        ("not UTF-8", b"{\"database\":\"bad\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1,\"data\":{\"id\":1,\"v\":\"\xff\xfe\"}}".to_vec()),
        ("an array", b"[1,2,3]".to_vec()),
        ("an unknown type", br#"{"database":"bad","table":"t","type":"rumour","ts":1795351926,"data":{"id":1}}"#.to_vec()),
        ("no data", br#"{"database":"bad","table":"t","type":"insert","ts":1795351926,"xid":901,"commit":true}"#.to_vec()),
        ("a definition without types", br#"{"type":"table-create","database":"bad","table":"u","def":{"database":"bad","table":"u","primary-key":[],"columns":[{"name":"id"}]},"ts":1795351926000,"sql":"CREATE TABLE u (id INT)","position":"bin.000002:901"}"#.to_vec()),
        ("a definition of something else", br#"{"type":"table-alter","database":"bad","table":"t","old":{"a":1},"def":{"database":"bad","table":"t","primary-key":[],"columns":[]},"ts":1795351926000,"sql":"ALTER TABLE t ADD c INT","position":"bin.000002:902"}"#.to_vec()),
        ("a table without a name", br#"{"type":"table-drop","database":"bad","ts":1795351926000,"sql":"DROP TABLE t","position":"bin.000002:903"}"#.to_vec()),
        ("a key that is no list", br#"{"database":"bad","table":"t","type":"insert","ts":1795351926,"xid":902,"commit":true,"primary_key":1,"primary_key_columns":{"a":1},"data":{"id":902}}"#.to_vec()),
        ("nested 10,000 deep", [vec![b'['; 10_000], vec![b']'; 10_000]].concat()),
        ("20 MiB of not JSON", vec![b'z'; 20 * MIB]),
    ]
}

/// Good rows between bad messages: with more of those it would look like another file.
const GOOD: usize = 12;

/// Good rows with a bad message after some.
fn mixed(bad: &[(&str, Vec<u8>)]) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = HEAD.lines().map(|line| line.as_bytes().to_vec()).collect();
    for (place, (_, message)) in bad.iter().enumerate() {
        let good = place * GOOD + 1..(place + 1) * GOOD + 1;
        messages.extend(good.map(|id| row(id, "good")));
        messages.push(message.clone());
    }
    messages.push(row(bad.len() * GOOD + 1, "good"));
    messages
}

fn the_rest_goes_on(spool: &Spool, bad: usize) {
    let log = spool.run(["log"]).one_of(&[0, 3]);
    let shown = log.text() + &log.stderr;
    assert!(shown.lines().count() > bad, "log does not show the bad messages:\n{shown:.2000}");
    for reader in
        [&["schema", "show"][..], &["stats"], &["search", "good"], &["history", "bad.t", "id=1"]]
    {
        spool.run(reader).one_of(&[0, 3]);
    }
    spool.run(["render"]).code(3);
    let server = fresh(Kind::MariaDb);
    spool.apply(&server.url(), [] as [&str; 0]).code(3);
    assert_eq!(
        server.query("SELECT COUNT(*) FROM bad.t WHERE v='good'"),
        format!("{}\n", bad * GOOD + 1)
    );
}

#[test]
fn a_file_with_bad_lines_is_stored_whole_and_the_rest_is_applied() {
    let (bad, dir, spool) = (bad_messages(), temp_dir(), Spool::new());
    let file = write(&dir, "bad.jsonl", mixed(&bad).join(&b'\n'));
    spool.run(["import", file.to_str().unwrap()]).code(3);
    let stored = spool.stored();
    for (what, message) in &bad {
        assert!(
            memchr::memmem::find(&stored, message).is_some(),
            "{what} is not stored as it came"
        );
    }
    the_rest_goes_on(&spool, bad.len());
}

#[test]
fn a_queue_with_bad_messages_is_drained_and_the_rest_is_applied() {
    let mut bad = bad_messages();
    bad.push(("empty", Vec::new()));
    bad.push(("a newline inside", b"{\"database\":\n\"bad\"}".to_vec()));
    let (queue, spool) = (broker("bad"), Spool::new());
    let messages = mixed(&bad);
    queue.publish(messages.iter().map(Vec::as_slice));
    spool.capture(&queue, ["--exit-when-idle", "2s"]).code(3);
    assert_eq!(queue.ready(), 0);
    let stored = spool.stored();
    for (what, message) in &bad {
        assert!(
            memchr::memmem::find(&stored, message).is_some(),
            "{what} is not stored as it came"
        );
    }
    the_rest_goes_on(&spool, bad.len());
}

#[test]
fn a_valid_row_of_20_mib_is_applied() {
    let (queue, spool) = (broker("long"), Spool::new());
    let long = row(1, &"y".repeat(20 * MIB));
    queue.publish(HEAD.lines().map(str::as_bytes).chain([long.as_slice()]));
    spool.capture(&queue, ["--exit-when-idle", "2s"]).code(0);
    for kind in [Kind::MariaDb, Kind::MySql] {
        let server = fresh(kind);
        spool.apply(&server.url(), [] as [&str; 0]).code(0);
        assert_eq!(server.query("SELECT LENGTH(v) FROM bad.t"), format!("{}\n", 20 * MIB));
    }
}
