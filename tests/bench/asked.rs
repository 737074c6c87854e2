//! Questions about a long stream: the time of those that the index answers, and what each takes of memory.

use crate::{
    Bench,
    generator::HOT_KEYS,
    material::Long,
    memory::report,
    process::{measured, measured_into, tool},
};
use serde_json::{Map, Value, json};
use std::fs;

pub fn asked(bench: &Bench) -> Value {
    let Long { spool, events, .. } = bench.long();
    // A row in the middle is among those that change most.
    let hot = format!("id={}", HOT_KEYS.rows / 2);
    let Middle { xid, position, since, until } = Middle::of(bench, spool);
    let looked = format!("sqlite:{}", bench.path("looked.db"));
    let questions: [(&str, &[&str]); 14] = [
        ("log --biggest", &["log", "--biggest"]),
        ("log --xid", &["log", "--xid", &xid]),
        ("log --since --until", &["log", "--since", &since, "--until", &until]),
        ("stats", &["stats"]),
        ("history", &["history", "sbtest.sbtest1", "id=1"]),
        ("history of a hot row", &["history", "sbtest.sbtest1", &hot]),
        ("export --xid", &["export", "--format", "jsonl", "--xid", &xid]),
        ("render --reverse --xid", &["render", "--reverse", "--xid", &xid]),
        ("render --reverse --position", &["render", "--reverse", "--position", &position]),
        ("apply --xid", &["apply", "--target", &looked, "--xid", &xid]),
        ("spool reindex", &["spool", "reindex"]),
        ("search", &["search", "no such text"]),
        ("export", &["export", "--format", "jsonl"]),
        ("render --reverse", &["render", "--reverse", "--type", "insert,update,delete"]),
    ];
    let mut answers = Map::new();
    for (name, args) in questions {
        answers.insert(name.to_owned(), report(measured(&tool(spool, args))));
    }
    answers.insert("events".to_owned(), json!(events));
    answers.insert("index of segments".to_owned(), json!(index_share(spool)));
    answers.into()
}

/// A transaction somewhere in the middle of the stream, as the flags have it.
struct Middle {
    xid: String,
    position: String,
    since: String,
    until: String,
}

impl Middle {
    fn of(bench: &Bench, spool: &str) -> Self {
        let file = bench.path("biggest.json");
        measured_into(&tool(spool, &["log", "--biggest", "--json"]), &file);
        let lines = fs::read_to_string(file).unwrap();
        let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        let (at, ts) = (last["position"].as_str().unwrap(), last["ts"].as_i64().unwrap());
        let (file, offset) = at.rsplit_once(':').unwrap();
        let time = |ts: i64| jiff::Timestamp::from_second(ts).unwrap().to_string();
        Self {
            xid: last["xid"].to_string(),
            position: format!("{at}..{file}:{}", offset.parse::<u64>().unwrap() + 2000),
            since: time(ts),
            until: time(ts + 10),
        }
    }
}

/// The index in bytes by those of the segments.
fn index_share(spool: &str) -> f64 {
    let files = fs::read_dir(spool).unwrap().map(|entry| entry.unwrap());
    let (mut index, mut segments) = (0, 0);
    for file in files {
        let size = file.metadata().unwrap().len();
        match file.file_name().to_string_lossy().starts_with("index.sqlite") {
            true => index += size,
            false => segments += size,
        }
    }
    index as f64 / segments as f64
}
