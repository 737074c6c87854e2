//! Questions about the stream, on the recordings: answered from the index, and rightly.

use crate::support::{Spool, read, stream::events};
use serde_json::Value;
use std::fs;

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
