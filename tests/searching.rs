//! `search` and `export`, on the recordings; `completions` and `man`.

use crate::support::{Spool, cli::finish, read, stream::events, temp_dir, write};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

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

#[test]
fn damaged_messages_stop_no_command() {
    let dir = temp_dir();
    let row = |id: u32| {
        format!(
            r#"{{"database":"d","table":"t","type":"insert","ts":2,"xid":{id},"commit":true,"position":"b.000001:{id}","data":{{"id":{id},"v":"found"}}}}"#
        )
    };
    let file = write(&dir, "bad.jsonl", format!("{}\n{{\"found\n\u{1}\n{}\n", row(1), row(2)));
    let spool = Spool::new();
    spool.run(["import", file.to_str().unwrap()]).code(3);
    assert_eq!(lines(&spool.run(["search", "--json", "found"]).code(3).text()).len(), 2);
    assert_eq!(lines(&spool.run(["export", "--format", "jsonl"]).code(3).text()).len(), 2);
    assert_eq!(lines(&spool.run(["history", "--json", "d.t", "id=2"]).code(3).text()).len(), 1);
    assert!(spool.run(["stats"]).code(3).says(&["2 damaged"]).text().contains("d.t"));
}

#[test]
fn an_export_of_the_producers_messages_can_be_imported_again() {
    let spool = Spool::recording("mariadb-edges");
    let whole = spool.run(["export", "--format", "jsonl"]).code(0).text();
    assert_eq!(whole, read("mariadb-edges.jsonl"));
    let part =
        spool.run(["export", "--format", "jsonl", "--table", "edges.touched"]).code(0).text();
    assert!(lines(&part).iter().all(|line| line["table"] == "touched"));
    let dir = temp_dir();
    let again = Spool::of(&write(&dir, "part.jsonl", &part));
    assert_eq!(again.run(["export", "--format", "jsonl"]).code(0).text(), part);
}

#[test]
fn bulk_ids_are_the_same_at_every_export() {
    let spool = Spool::recording("mariadb-incident");
    let all = spool.run(["export", "--format", "es-bulk", "--flatten"]).code(0).text();
    let all = lines(&all);
    let ids: BTreeSet<&str> =
        all.iter().step_by(2).map(|line| line["index"]["_id"].as_str().unwrap()).collect();
    let seqs: Vec<String> = all.iter().skip(1).step_by(2).map(|d| d["seq"].to_string()).collect();
    assert_eq!(ids.len(), events(&read("mariadb-incident.jsonl")).len());
    assert!(seqs.iter().all(|seq| ids.contains(seq.as_str())));
    let some =
        spool.run(["export", "--format", "es-bulk", "--where", "id=33", "--flatten"]).code(0);
    for pair in lines(&some.text()).chunks(2) {
        assert!(ids.contains(pair[0]["index"]["_id"].as_str().unwrap()));
        assert_eq!(pair[1]["data.id"], 33);
    }
}

#[test]
fn csv_has_a_column_for_every_column_of_the_rows() {
    let spool = Spool::recording("mariadb-edges");
    let text = spool
        .run([
            "export",
            "--format",
            "csv",
            "--flatten",
            "--table",
            "edges.grown",
            "--type",
            "insert",
        ])
        .code(0)
        .text();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][10..], ["data.id", "data.born", "data.stamp", "sql"]);
    assert_eq!(rows[1][10..], ["1", "", "", ""]);
    assert_eq!(rows[3][10..], ["3", "2026-11-22 14:25:48", "2026-11-22 14:25:48", ""]);
}

#[test]
fn a_named_export_goes_on_and_follows_what_comes() {
    let dir = temp_dir();
    let stream = read("mariadb-incident.jsonl");
    let all: Vec<&str> = stream.lines().collect();
    // Cut between two transactions.
    let half =
        1 + all.iter().take(2000).rposition(|line| line.contains("\"commit\":true")).unwrap();
    let part = |lines: &[&str]| lines.join("\n") + "\n";
    let spool = Spool::of(&write(&dir, "one.jsonl", part(&all[..half])));
    let args = ["export", "--format", "jsonl", "--name", "feed"];
    assert_eq!(spool.run(args).code(0).text(), part(&all[..half]));
    assert_eq!(spool.run(args).code(0).text(), "", "a rerun has nothing to add");
    spool.run(args.iter().chain(&["--table", "shop.*"])).code(2).says(&["feed", "another"]);

    let mut command = spool.command(args.iter().chain(&["--follow"]));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let two = write(&dir, "two.jsonl", part(&all[half..]));
    spool.run(["import", two.to_str().unwrap()]).code(0);
    let rest = BufReader::new(child.stdout.take().unwrap()).lines().take(all.len() - half);
    let rest: Vec<String> = rest.map(Result::unwrap).collect();
    // A signal ends it, with the position kept.
    std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(rest == all[half..], "what came was not followed");
    assert_eq!(spool.run(args).code(0).text(), "");
    assert!(fs::read_dir(spool.path().join("export")).unwrap().count() == 1);
}

#[test]
fn shells_and_man_are_told_every_command() {
    let man = finish(crate::support::cli::command(["man"]), None).ok();
    let bash = finish(crate::support::cli::command(["completions", "bash"]), None).ok();
    for command in ["apply", "history", "search", "export", "stats"] {
        assert!(man.contains(&format!("binsync\\-{command}(1)")), "{command} in man");
        assert!(bash.contains(command), "{command} in completions");
    }
    let page = finish(crate::support::cli::command(["man", "history"]), None).ok();
    assert!(page.contains("COL=VALUE") && page.starts_with(".ie"), "{page:.300}");
    finish(crate::support::cli::command(["man", "dance"]), None).code(2).says(&["dance"]);
}
