//! The tests' own producer: the SQL behind a recording, run on a source again, gives the recording's lines.

use crate::support::{
    Server,
    maxwell::{Producer, session},
    read,
    servers::KINDS,
    source,
};
use mysql::prelude::Queryable;
use std::{fs, path::Path};

/// What differs from run to run: numbers and times of the server, not of the change.
const CHANGING: [&str; 6] = ["ts", "xid", "position", "server_id", "thread_id", "schema_id"];

/// The line with these set to nothing; fields of rows have other names.
pub fn without_coordinates(line: &str) -> String {
    let mut line = line.to_owned();
    for name in CHANGING {
        let Some(start) = line.find(&format!("\"{name}\":")) else { continue };
        let value = start + name.len() + 3;
        let end = value + line[value..].find([',', '}']).unwrap();
        line.replace_range(value..end, "");
    }
    line
}

/// The statements of a script: a `;` outside quotes ends one. A comment is a line of its own.
fn statements(script: &str) -> Vec<String> {
    let (mut all, mut open, mut quote) = (Vec::new(), String::new(), None);
    let mut letters = script.chars();
    while let Some(letter) = letters.next() {
        match quote {
            None if letter == ';' => {
                all.push(std::mem::take(&mut open).trim().to_owned());
                continue;
            }
            None if "'\"`".contains(letter) => quote = Some(letter),
            Some(end) if letter == end => quote = None,
            Some('\'' | '"') if letter == '\\' => {
                open.push(letter);
                open.extend(letters.next());
                continue;
            }
            _ => {}
        }
        open.push(letter);
        if quote.is_none() && open.trim_start().starts_with("--") && letter == '\n' {
            open.clear();
        }
    }
    all
}

fn script(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/maxwell/source-sql");
    fs::read_to_string(folder.join(format!("{name}.sql"))).unwrap()
}

fn rerun(server: &Server, name: &str, parts: &[&str]) {
    let recording = read(&format!("{}-{name}.jsonl", server.kind.name()));
    let mut client = session(server);
    let mut producer = Producer::new(server);
    // The time of the recording, for CURRENT_TIMESTAMP.
    let first: serde_json::Value = serde_json::from_str(recording.lines().next().unwrap()).unwrap();
    client.query_drop(format!("SET timestamp={}", first["ts"].as_u64().unwrap() / 1000)).unwrap();
    for statement in parts.iter().flat_map(|part| statements(&script(part))) {
        producer
            .run(&mut client, &statement)
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    if name == "edges" {
        crossed(server);
    }
    let lines = producer.lines();
    for (number, (found, recorded)) in lines.lines().zip(recording.lines()).enumerate() {
        let [found, recorded] = [found, recorded].map(without_coordinates);
        assert_eq!(found, recorded, "line {number} of {name}");
    }
    assert_eq!(lines.lines().count(), recording.lines().count(), "{name}");
}

/// Two transactions: the first to begin is the last to commit.
fn crossed(server: &Server) {
    let [mut first, mut second] = [session(server), session(server)];
    first.query_drop("BEGIN").unwrap();
    first.query_drop("INSERT INTO edges.crossed VALUES (2,'t1 early')").unwrap();
    second.query_drop("UPDATE edges.crossed SET v='by t2' WHERE id=1").unwrap();
    first.query_drop("UPDATE edges.crossed SET v='by t1' WHERE id=1").unwrap();
    first.query_drop("COMMIT").unwrap();
}

fn on_each(name: &str, parts: &[&str]) {
    for kind in KINDS {
        rerun(&source(kind), name, parts);
    }
}

#[test]
fn every_type_is_written_as_the_producer_does() {
    on_each("types", &["types"]);
}

#[test]
fn transactions_and_definitions_are_written_as_the_producer_does() {
    on_each("transactions", &["transactions"]);
}

#[test]
fn edges_are_written_as_the_producer_does() {
    on_each("edges", &["edges"]);
}

#[test]
fn the_shop_is_written_as_the_producer_does() {
    on_each("incident", &["incident_before", "incident_damage", "incident_after"]);
}
