//! What Maxwell itself damages is written as it arrived or refused by name; nothing is guessed, and the damages that no
//! consumer can see are written down.

use crate::support::{Spool, fresh, read, servers::KINDS};
use std::fs;

#[test]
fn damaged_values_are_written_as_they_arrived_or_refused_by_name() {
    for kind in KINDS {
        let name = format!("{}-damaged", kind.name());
        let server = fresh(kind);
        let run = Spool::recording(&name).apply(&server.url(), [] as [&str; 0]);
        let said = run.one_of(&[3, 4]).says(&["damaged"]).stderr;
        // The table without damaged values is either reached or the stop before it was said.
        if server.query("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='damaged' AND table_name='t'") != "0\n" {
            let guessed = server.query("SELECT COUNT(*) FROM damaged.t WHERE c_time IN ('838:59:59','-10:00:00')");
            assert_eq!(guessed, "0\n", "a value was made up:\n{said}");
        }
    }
}

#[test]
fn a_damaged_stream_is_kept_whole() {
    for kind in KINDS {
        let name = format!("{}-damaged", kind.name());
        assert_eq!(Spool::recording(&name).stored(), read(&format!("{name}.jsonl")).into_bytes());
    }
}

#[test]
fn what_no_consumer_can_see_is_documented() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
    let pages =
        fs::read_dir(docs).unwrap().map(|page| page.unwrap().path()).filter(|page| page.is_file());
    let text: String = pages.map(|page| fs::read_to_string(page).unwrap()).collect();
    for damage in
        ["TRUNCATE", "TIME", "YEAR", "BINARY(", "ENUM", "CREATE INDEX", "cascade", "JSON `null`"]
    {
        assert!(text.contains(damage), "docs/ does not mention {damage}");
    }
}
