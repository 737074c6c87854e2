//! `import --check`: what would come is told, and nothing is stored.

use super::{PUBLIC, lines};
use crate::support::Spool;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/binlog").join(name)
}

#[test]
fn what_is_told_is_what_an_import_brings() {
    for (name, code, [rows, statements, kept], _) in PUBLIC {
        let spool = Spool::new();
        let file = fixture(name);
        let args =
            ["import", "--check", "--json", "--binlog-name", "x.000001", file.to_str().unwrap()];
        let run = spool.run(args).code(if code == 0 { 0 } else { 3 });
        assert!(!spool.path().exists(), "{name}");
        let told = lines(&run.stdout);
        let sum = |kind: &str, field: &str| -> u64 {
            let of_kind = told.iter().filter(|line| line["kind"] == kind);
            of_kind.map(|line| line[field].as_u64().unwrap()).sum()
        };
        let sums = [sum("table", "rows"), sum("table", "statements"), sum("kept", "events")];
        assert_eq!(sums, [rows, statements, kept].map(|n| n as u64), "{name}: {told:?}");
        assert_eq!(told[0]["kind"], "file", "{name}");
        assert_eq!(told[0]["refused"] != Value::Null, code == 2, "{name}: {told:?}");
    }
}

#[test]
fn a_file_is_told_in_words() {
    let spool = Spool::new();
    let name = |name| fixture(name).to_str().unwrap().to_owned();
    let args = [
        "import",
        "--check",
        &name("apecloud__mysql-bin.000057"),
        &name("blackbeam__slave-relay-bin.000001"),
    ];
    let text = spool.run(args).code(3).text();
    for part in [
        "apecloud__mysql-bin.000057:",
        "server id",
        "not read: a.test_table_3, ",
        "the log has no names",
        "columns from the log's CREATE TABLE",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let messages =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/maxwell/mariadb-edges.jsonl.zst");
    spool.run(["import", "--check", messages.to_str().unwrap()]).code(2).says(&["no binlog"]);
    let refused = name("blackbeam__bug33029-slave-relay-bin.000001");
    let run = spool.run(["import", "--check", &refused]).code(3).text();
    assert!(run.contains("refused:") && run.contains("relay log"), "{run}");
    assert!(!spool.path().exists());
}
