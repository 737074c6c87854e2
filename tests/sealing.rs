//! Sealing: thousands of tiny frames become a few large ones, and nothing else changes.

use crate::support::{Spool, broker, read, temp_dir, write};
use binsync::spool::{Batch, SpoolWriter, WriterOptions};
use serde_json::Value;
use std::fs;

/// A spool as a capture leaves it that got five messages at a time and was killed.
pub fn trickled(stream: &str) -> Spool {
    let spool = Spool::new();
    let (mut writer, _) = SpoolWriter::open(&spool.path(), WriterOptions::default()).unwrap();
    let lines: Vec<&str> = stream.lines().collect();
    for (n, messages) in lines.chunks(5).enumerate() {
        let mut batch = Batch {
            queue: Some("q".into()),
            arrival_ms: 1_795_000_000_000 + 211 * n as i64,
            acked: Some(5 * n as u64),
            ..Batch::default()
        };
        messages.iter().for_each(|message| batch.push(message.as_bytes()));
        writer.append_unsynced(&batch).unwrap();
    }
    writer.tail("q", 1).unwrap();
    drop(writer);
    spool
}

pub fn bytes(spool: &Spool) -> u64 {
    spool.segments().iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}

/// What `spool ls` tells, the frames and the bytes of the segments left out.
fn listed(spool: &Spool) -> (Value, u64) {
    let mut list: Value =
        serde_json::from_str(&spool.run(["spool", "ls", "--json"]).text()).unwrap();
    let mut frames = 0;
    for segment in list["segments"].as_array_mut().unwrap() {
        frames += segment["frames"].take().as_u64().unwrap();
        segment["bytes"].take();
    }
    (list, frames)
}

/// The answers of every reading command.
fn answers(spool: &Spool) -> Vec<(String, i32, Vec<u8>)> {
    let ask = |args: &[&str]| {
        let run = spool.run(args);
        assert!(!run.stdout.is_empty(), "{} says nothing: {}", run.line, run.stderr);
        (args.join(" "), run.code, run.stdout)
    };
    vec![
        ask(&["log", "--json"]),
        ask(&["log", "--biggest"]),
        ask(&["stats", "--json"]),
        ask(&["history", "restarts.sbtest1", "id=152", "--json"]),
        ask(&["search", "0000", "--json"]),
        ask(&["render"]),
        ask(&["render", "--reverse", "--allow-ddl"]),
        ask(&["export", "--format", "csv"]),
    ]
}

#[test]
fn a_trickle_once_sealed_is_no_larger_than_an_import_and_says_the_same() {
    let stream: String =
        read("mariadb-sysbench.jsonl").split_inclusive('\n').take(18_000).collect();
    let spool = trickled(&stream);
    let before = bytes(&spool);
    seal(&spool);
    is_like_an_import(&spool, &stream, before);
    spool.run(["spool", "verify"]).code(0);

    let stream = read("mariadb-restarts.jsonl");
    let spool = trickled(&stream);
    let ((ls, frames), said, before) = (listed(&spool), answers(&spool), bytes(&spool));
    seal(&spool);
    is_like_an_import(&spool, &stream, before);
    let (sealed_ls, sealed_frames) = listed(&spool);
    assert!(sealed_frames < frames / 50);
    assert_eq!(sealed_ls, ls);
    for (before, after) in said.iter().zip(answers(&spool)) {
        assert!(*before == after, "{} answers otherwise", after.0);
    }
}

/// A capture that gets nothing seals what the one before it left.
fn seal(spool: &Spool) {
    spool.capture(&broker("sealing"), ["--exit-when-idle", "1s"]).code(0);
}

fn is_like_an_import(spool: &Spool, stream: &str, before: u64) {
    let imported = bytes(&Spool::of(&write(&temp_dir(), "stream.jsonl", stream)));
    let ratio = |bytes: u64| bytes as f64 / imported as f64;
    eprintln!("{:.2} of an import, sealed {:.3}", ratio(before), ratio(bytes(spool)));
    assert!(ratio(before) > 1.3, "nothing to gain: the test shows nothing");
    assert!(ratio(bytes(spool)) <= 1.15, "an import has {imported} bytes");
    assert!(spool.stored() == stream.as_bytes(), "other bytes");
}
