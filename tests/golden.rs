//! A spool of format 1, written once by the version that introduced it, is read by every later one; and what the
//! program says is what it said.

mod transcript;

use crate::support::{Spool, read};
use std::fs;
use std::path::Path;

#[test]
fn a_spool_of_format_1_is_read() {
    let spool = Spool::new();
    fs::create_dir_all(spool.path()).unwrap();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/spool-v1");
    for entry in fs::read_dir(stored).unwrap() {
        let file = entry.unwrap();
        fs::copy(file.path(), spool.path().join(file.file_name())).unwrap();
    }
    assert!(spool.stored() == read("mariadb-edges.jsonl").into_bytes());
    let log = |spool: &Spool| {
        let lines = spool.run(["log", "--json"]).code(0).text();
        lines.lines().filter(|line| line.contains("\"ts\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(log(&spool), log(&Spool::recording("mariadb-edges")));
    assert_eq!(log(&spool).len(), 48);
    spool.run(["spool", "verify"]).code(0);
}
