//! Questions about the stream, on the recordings: answered from the index, and rightly.

use crate::support::{Spool, read, stream::events};
use serde_json::Value;
use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Makes the segments unreadable, their size as it was.
fn without_segments(spool: &Spool) {
    for segment in spool.segments() {
        let size = fs::metadata(&segment).unwrap().len();
        fs::write(&segment, vec![0; size as usize]).unwrap();
    }
}

#[test]
fn log_answers_without_the_segments() {
    for name in ["mariadb-incident", "mysql-edges", "mariadb-restarts"] {
        let spool = Spool::recording(name);
        let ask = || {
            [["log", "--json"].as_slice(), &["log", "--biggest"], &["log", "--type", "ddl"]]
                .map(|args| spool.run(args).one_of(&[0, 3]).text())
        };
        let before = ask();
        without_segments(&spool);
        assert_eq!(ask(), before, "{name}");
    }
}

#[test]
fn the_biggest_are_those_of_the_whole_log_however_it_is_selected() {
    let spool = Spool::recording("mariadb-incident");
    for args in [
        [].as_slice(),
        &["--type", "delete"],
        &["--table", "shop.customers"],
        &["--changed", "email"],
    ] {
        let ask = |more: &[&str]| {
            let words = ["log", "--json"].iter().chain(more).chain(args);
            lines(&spool.run(words).code(0).text())
        };
        let rows = |line: &Value| {
            let of = |t: &Value| {
                ["insert", "update", "delete"].iter().map(|k| t[k].as_u64().unwrap()).sum::<u64>()
            };
            line["tables"].as_array().unwrap().iter().map(of).sum::<u64>()
        };
        let mut all = ask(&[]);
        all.retain(|line| line["kind"] == "rows");
        all.sort_by_key(|line| (std::cmp::Reverse(rows(line)), line["last_seq"].as_u64()));
        all.truncate(20);
        assert_eq!(ask(&["--biggest"]), all, "{args:?}");
    }
    assert!(events(&read("mariadb-incident.jsonl")).len() > 3000);
}

/// What `history --json ARGS` shows, as type and changed columns.
fn history(spool: &Spool, args: &[&str]) -> Vec<Value> {
    lines(&spool.run(["history", "--json"].iter().chain(args)).code(0).text())
}

fn types(versions: &[Value]) -> Vec<&str> {
    versions.iter().map(|version| version["type"].as_str().unwrap()).collect()
}

/// The stream of one table with this key, of so many messages without position.
fn stream(key: &str, kind: &str, rows: &[&str]) -> String {
    let head = format!(
        r#"{{"type":"table-create","database":"d","table":"t","ts":1000,"sql":"CREATE TABLE t","def":{{"database":"d","table":"t","primary-key":{key},"columns":[{{"type":"{kind}","name":"k"}}]}}}}"#
    );
    let row = |(n, row): (usize, &&str)| {
        let (op, images) = row.split_once(' ').unwrap();
        format!(
            r#"{{"database":"d","table":"t","type":"{op}","ts":2,"xid":{n},"commit":true,{images}}}"#
        )
    };
    let rows: Vec<String> = rows.iter().enumerate().map(row).collect();
    format!("{head}\n{}\n", rows.join("\n"))
}

fn spool_of(stream: &str) -> Spool {
    let dir = crate::support::temp_dir();
    Spool::of(&crate::support::write(&dir, "stream.jsonl", stream))
}

#[test]
fn the_history_of_a_customer_shows_the_accident_and_what_came_after() {
    for kind in ["mariadb", "mysql"] {
        let spool = Spool::recording(&format!("{kind}-incident"));
        let all = history(&spool, &["shop.customers", "id=33"]);
        assert_eq!(types(&all), ["insert", "update", "update"]);
        assert_eq!(all[1]["after"]["email"], "xc33@example.com");
        assert_eq!(all[1]["before"]["email"], "c33@example.com");
        assert_eq!(all[1]["changed"], serde_json::json!(["email", "balance"]));
        assert_eq!(all[2]["after"]["name"], "Renamed Customer");
        let text = spool.run(["history", "shop.customers", "ID=33"]).code(0).says(&["3 versions"]);
        assert!(text.text().contains("~ balance: 41.25 → 0.00"), "{}", text.text());
        let item = history(&spool, &["shop.order_items", "line=1", "order_id=7"]);
        assert_eq!(types(&item), ["insert", "delete"]);
    }
}

#[test]
fn the_history_is_what_the_stream_says_of_a_row() {
    for (name, hot) in [("mariadb-restarts", 150), ("mariadb-sysbench", 2489)] {
        let spool = Spool::recording(name);
        let mut stream = events(&read(&format!("{name}.jsonl")));
        // What a restarted producer sent again is no version.
        let mut seen = std::collections::HashSet::new();
        stream.retain(|event| seen.insert(event.line.clone()) && event.is_row());
        let of = |event: &&crate::support::stream::Event| {
            event.text("table") == "sbtest1" && event.json["data"]["id"] == hot
        };
        let expected: Vec<&str> =
            stream.iter().filter(of).map(|event| event.text("type")).collect();
        assert!(expected.len() > 3, "{name}: {expected:?}");
        let table = format!("{}.sbtest1", stream.iter().find(of).unwrap().text("database"));
        let found = history(&spool, &[&table, &format!("id={hot}")]);
        assert_eq!(types(&found), expected, "{name}");
    }
}

#[test]
fn a_row_is_followed_through_changes_of_its_key_both_ways() {
    let spool = spool_of(&stream(
        r#"["k"]"#,
        "int",
        &[
            r#"insert "data":{"k":1,"v":0}"#,
            r#"delete "data":{"k":1,"v":0}"#,
            r#"insert "data":{"k":1,"v":1}"#,
            r#"update "data":{"k":2,"v":1},"old":{"k":1}"#,
            r#"insert "data":{"k":1,"v":9}"#,
            r#"update "data":{"k":2,"v":2},"old":{"v":1}"#,
            r#"update "data":{"k":3,"v":2},"old":{"k":2}"#,
            r#"insert "data":{"k":2,"v":8}"#,
            r#"delete "data":{"k":3,"v":2}"#,
            r#"insert "data":{"k":3,"v":7}"#,
        ],
    ));
    let xids = |key: &str| -> Vec<u64> {
        history(&spool, &["d.t", key]).iter().map(|v| v["xid"].as_u64().unwrap()).collect()
    };
    assert_eq!(xids("k=3"), [2, 3, 5, 6, 8, 9], "back to its insert, not to the row before it");
    assert_eq!(xids("k=1"), [0, 1, 2, 3, 4, 5, 6, 8]);
    assert_eq!(xids("k=2"), [2, 3, 5, 6, 7, 8]);
}

#[test]
fn keys_are_found_as_bytes_and_in_any_case() {
    let binary = spool_of(&stream(
        r#"["k"]"#,
        "binary",
        &[
            r#"insert "data":{"k":"3q2+7w==","v":1}"#,
            r#"insert "data":{"k":"3Q2+7w==","v":2}"#,
            r#"update "data":{"k":"3q2+7w==","v":3},"old":{"v":1}"#,
        ],
    ));
    assert_eq!(history(&binary, &["d.t", "k=0xDEADBEEF"]).len(), 2);
    assert_eq!(history(&binary, &["d.t", "k=0xdeadbeef0000"]).len(), 2);
    let text = spool_of(&stream(
        r#"["k"]"#,
        "varchar",
        &[
            r#"insert "data":{"k":"Ana","v":1}"#,
            r#"update "data":{"k":"ana","v":1},"old":{"k":"Ana"}"#,
            r#"delete "data":{"k":"ana","v":1}"#,
            r#"insert "data":{"k":"Anä","v":2}"#,
        ],
    ));
    assert_eq!(types(&history(&text, &["d.t", "k=ANA"])), ["insert", "update", "delete", "insert"]);
    let two = spool_of(&stream(
        r#"["k"]"#,
        "varchar",
        &[
            r#"insert "data":{"k":"a","v":1}"#,
            r#"insert "data":{"k":"A","v":2}"#,
            r#"delete "data":{"k":"a","v":1}"#,
        ],
    ));
    let run = two.run(["history", "--json", "d.t", "k=a"]).code(0).says(&["case"]);
    assert_eq!(types(&lines(&run.text())), ["insert", "delete"]);
}

#[test]
fn a_history_that_cannot_be_is_refused() {
    let spool = Spool::recording("mariadb-incident");
    spool.run(["history", "shop.customers", "name=x"]).code(2).says(&["key", "id"]);
    spool.run(["history", "shop.order_items", "order_id=7"]).code(2).says(&["line, order_id"]);
    spool.run(["history", "shopping.orders", "id=7"]).code(2).says(&["shop.orders"]);
    // Without a key, any columns will do.
    let found = history(&spool, &["shop.audit_log", "actor=clerk"]);
    assert_eq!(types(&found), ["insert"]);
}

#[test]
fn stats_show_the_accident_at_a_glance() {
    let spool = Spool::recording("mariadb-incident");
    let text = spool.run(["stats"]).code(0).text();
    let line = |kind: &str, rows: &str| {
        text.lines().any(|line| line.contains(kind) && line.contains(rows) && line.contains('█'))
    };
    assert!(line("delete", "900"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let all = lines(&spool.run(["stats", "--json"]).code(0).text());
    let stream = events(&read("mariadb-incident.jsonl"));
    for (table, kind) in [("orders", "delete"), ("customers", "update"), ("order_items", "insert")]
    {
        let is = |event: &&crate::support::stream::Event| {
            event.text("table") == table && event.text("type") == kind
        };
        let rows = stream.iter().filter(is).count() as u64;
        let of = |what: &str| {
            let of = all.iter().filter(|line| line["kind"] == what && line["table"] == table);
            of.map(|line| line[kind].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!((of("table"), of("time")), (rows, rows), "{table} {kind}");
    }
}

#[test]
fn the_index_is_small() {
    for name in ["mariadb-restarts", "mariadb-sysbench"] {
        let spool = Spool::recording(name);
        let size = |path: &std::path::Path| fs::metadata(path).unwrap().len();
        let segments: u64 = spool.segments().iter().map(|path| size(path)).sum();
        let index = size(&spool.path().join("index.sqlite"));
        assert!(index * 100 <= segments * 12, "{name}: {index} bytes for {segments}");
    }
}

#[test]
fn a_row_that_just_came_is_in_its_history_while_the_capture_goes_on() {
    let (queue, spool) = (crate::support::broker("tail"), Spool::new());
    let stream = read("mariadb-incident.jsonl");
    queue.publish(stream.lines().map(str::as_bytes));
    let mut capture = spool.capture_command(&queue, []).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut seen = 0;
    while seen < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        let run = spool.run(["history", "--json", "shop.customers", "id=33"]);
        seen = if run.code == 0 { run.text().lines().count() } else { 0 };
    }
    let ended = capture.try_wait().unwrap();
    capture.kill().unwrap();
    capture.wait().unwrap();
    assert_eq!((seen, ended), (3, None), "versions seen, and whether the capture had ended");
}
