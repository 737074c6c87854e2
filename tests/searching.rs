//! `search` and `export`, on the recordings; `completions` and `man`.

use crate::support::{Spool, read, stream::events};
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// True when a value of the row, before or after, holds the text.
fn holds(event: &Value, text: &str) -> bool {
    let values = ["data", "old"].into_iter().filter_map(|image| event[image].as_object());
    values.flat_map(|image| image.values()).any(|value| match value {
        Value::String(value) => value.contains(text),
        other => other.to_string().contains(text),
    })
}

#[test]
fn search_finds_what_a_look_at_every_message_finds() {
    for name in ["mariadb-incident", "mysql-edges", "mariadb-types"] {
        let spool = Spool::recording(name);
        let stream = events(&read(&format!("{name}.jsonl")));
        for text in [
            "c33@example",
            "line one\r\nline two",
            "inside",
            "Produit é 7",
            "2024",
            "nowhere",
            "\"",
        ] {
            let rows = stream.iter().filter(|event| event.is_row() && holds(&event.json, text));
            let run =
                spool.run(["search", "--json", "--type", "insert,update,delete", text]).code(0);
            assert_eq!(lines(&run.text()).len(), rows.count(), "{name} {text:?}");
        }
    }
}

#[test]
fn search_finds_bytes_any_case_and_statements() {
    let spool = Spool::recording("mariadb-edges");
    let count = |args: &[&str]| {
        lines(&spool.run(["search", "--json"].iter().chain(args)).code(0).text()).len()
    };
    assert_eq!(count(&["--binary", "0x0a000a"]), 1);
    assert_eq!(count(&["--binary", "0x0a000b"]), 0);
    assert_eq!((count(&["BY T2"]), count(&["-i", "BY T2"])), (0, 2));
    assert_eq!(count(&["RENAME TABLE"]), 3);
    assert_eq!(count(&["by t", "--table", "edges.crossed", "--type", "update"]), 2);
    assert_eq!(count(&["by t", "--table", "edges.touched"]), 0);
    let text = spool.run(["search", "line two"]).code(0).says(&["1 message"]).text();
    assert!(text.contains("edges.text_traps  t: line one\\x0D\\x0Aline two"), "{text}");
    assert!(!text.contains('\x1b'), "colours belong on a terminal");
}
