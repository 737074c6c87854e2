//! A recording as the transactions it is made of, for tests that cut it: read with serde_json, never written back.

use serde_json::Value;
use std::collections::HashSet;

/// One message: its bytes and what they say.
#[derive(Clone)]
pub struct Event {
    pub line: String,
    pub json: Value,
}

impl Event {
    pub fn text(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or("")
    }

    pub fn is_row(&self) -> bool {
        matches!(self.text("type"), "insert" | "update" | "delete")
    }

    pub fn is_ddl(&self) -> bool {
        self.json["sql"].is_string()
    }
}

/// What may not be cut: the rows of one commit, or the messages of one DDL statement.
pub struct Transaction {
    pub events: Vec<Event>,
    /// Of the commit row, or of the DDL.
    pub position: String,
    /// Whole seconds.
    pub ts: i64,
}

impl Transaction {
    pub fn is_ddl(&self) -> bool {
        self.events[0].is_ddl()
    }
}

pub fn events(stream: &str) -> Vec<Event> {
    let parse =
        |line: &str| Event { line: line.to_owned(), json: serde_json::from_str(line).unwrap() };
    stream.lines().map(parse).collect()
}

/// The transactions of a stream, what was sent again left out (with positions, no two lines of a recording are alike
/// otherwise). Bootstrap messages are left out too: they belong to none.
pub fn transactions(stream: &str) -> Vec<Transaction> {
    let mut all: Vec<Transaction> = Vec::new();
    let mut open: Vec<Event> = Vec::new();
    let mut seen = HashSet::new();
    for event in events(stream) {
        if !seen.insert(event.line.clone()) {
            continue;
        }
        if event.is_ddl() {
            let (position, ts) =
                (event.text("position").to_owned(), event.json["ts"].as_i64().unwrap() / 1000);
            match all.last_mut() {
                Some(last)
                    if last.is_ddl()
                        && last.position == position
                        && last.events[0].text("sql") == event.text("sql") =>
                {
                    last.events.push(event);
                }
                _ => all.push(Transaction { events: vec![event], position, ts }),
            }
        } else if event.is_row() {
            let ends = event.json["commit"] == true || event.json["xid"].is_null();
            let (position, ts) =
                (event.text("position").to_owned(), event.json["ts"].as_i64().unwrap());
            open.push(event);
            if ends {
                all.push(Transaction { events: std::mem::take(&mut open), position, ts });
            }
        }
    }
    assert!(open.is_empty(), "the recording ends inside a transaction");
    all
}

/// A position before or after every other one of a stream.
pub fn edge_position(transactions: &[Transaction], last: bool) -> String {
    let base = transactions[0].position.split('.').next().unwrap();
    format!("{base}.{}:{}", if last { "999999" } else { "000000" }, u8::from(last))
}
