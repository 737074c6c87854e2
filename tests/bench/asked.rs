//! Questions about a long stream: the time of those that the index answers, and what each takes of memory.

use crate::{
    Bench,
    generator::HOT_KEYS,
    material::Long,
    memory::report,
    process::{measured, tool},
};
use serde_json::{Map, Value, json};

pub fn asked(bench: &Bench) -> Value {
    let Long { spool, events, .. } = bench.long();
    // A row in the middle is among those that change most.
    let hot = format!("id={}", HOT_KEYS.rows / 2);
    let questions: [(&str, &[&str]); 6] = [
        ("log --biggest", &["log", "--biggest"]),
        ("history", &["history", "sbtest.sbtest1", "id=1"]),
        ("history of a hot row", &["history", "sbtest.sbtest1", &hot]),
        ("search", &["search", "no such text"]),
        ("export", &["export", "--format", "jsonl"]),
        ("render --reverse", &["render", "--reverse", "--type", "insert,update,delete"]),
    ];
    let mut answers = Map::new();
    for (name, args) in questions {
        answers.insert(name.to_owned(), report(measured(&tool(spool, args))));
    }
    answers.insert("events".to_owned(), json!(events));
    answers.into()
}
