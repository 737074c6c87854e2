//! A source's binlog, read without a producer: imported, against the same events as JSON; imported and taken back,
//! against the stock program that turns the log around.

use crate::{
    Bench,
    process::{Measured, measured, measured_into, program, tool},
    report::Figure,
};
use serde_json::{Value, json};
use std::fs;

pub fn binlog(bench: &Bench) -> Value {
    let files: Vec<String> = bench
        .pair()
        .source_binlogs()
        .iter()
        .map(|file| file.to_str().unwrap().to_owned())
        .collect();
    let import: Vec<&str> =
        ["import"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let (spool, events) = (bench.path("binlog"), bench.path("events.jsonl"));
    let (ours, theirs) = (bench.path("ours.sql"), bench.path("peer.sql"));
    measured(&tool(&spool, &import));
    messages(&spool, &events);
    fs::remove_dir_all(&spool).unwrap();
    let mut flashback = program("mariadb-binlog", &["--no-defaults", "--flashback"]);
    flashback.args(&files);
    let mut imported = Figure::new(&["import of the same events as JSON"]);
    let mut reversed = Figure::new(&["mariadb-binlog --flashback"]);
    for _ in 0..bench.runs {
        imported.peer(0, measured(&tool(&spool, &["import", &events])));
        fs::remove_dir_all(&spool).unwrap();
        reversed.peer(0, measured_into(&flashback, &theirs));
        let read = measured(&tool(&spool, &import));
        let rendered = measured_into(&tool(&spool, &["render", "--reverse"]), &ours);
        fs::remove_dir_all(&spool).unwrap();
        imported.ours(read);
        reversed.ours(Measured {
            seconds: read.seconds + rendered.seconds,
            cpu_seconds: read.cpu_seconds + rendered.cpu_seconds,
            peak_mib: read.peak_mib.max(rendered.peak_mib),
            ..Measured::default()
        });
    }
    json!({"import": imported.times(), "import and render --reverse": reversed.times()})
}

/// What a spool holds, one message a line.
fn messages(spool: &str, file: &str) {
    let mut segments: Vec<_> =
        fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|end| end == "zst"));
    segments.sort();
    let mut unpack = program("zstd", &["-dcq"]);
    unpack.args(&segments);
    measured_into(&unpack, file);
}
