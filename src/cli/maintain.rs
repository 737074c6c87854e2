//! `spool ls|verify|reindex|forget`: the spool's files, as a table or as JSON.

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{count, counted, line};
use super::{DIFFERS, DONE, Global, print};
use crate::error::Result;
use crate::event::printable;
use crate::spool::{self, Spool};

mod forget;

/// What to do with the spool's files.
#[derive(Subcommand)]
pub enum SpoolCommand {
    /// Lists segments, imports, epochs, gaps and damaged messages
    Ls,
    /// Reads every frame and compares it with its checksum and the index; status 3 on findings
    Verify,
    /// Builds the index anew from the segments
    Reindex,
    /// Takes an import out of the spool again
    Forget(forget::ForgetArgs),
}

/// Runs `binsync spool …`.
pub fn run(global: &Global, command: SpoolCommand) -> Result<u8> {
    match command {
        SpoolCommand::Ls => list(global),
        SpoolCommand::Verify => verify(global),
        SpoolCommand::Reindex => reindex(global),
        SpoolCommand::Forget(args) => forget::forget(global, &args),
    }
}

fn list(global: &Global) -> Result<u8> {
    let listing = Listing::read(&Spool::open(&global.spool)?)?;
    print(&if global.json { pretty(&listing.json()) } else { listing.text() })?;
    Ok(DONE)
}

fn verify(global: &Global) -> Result<u8> {
    let report = spool::verify(&global.spool)?;
    let findings = &report.findings;
    let text = if global.json {
        let findings: Vec<Value> = findings
            .iter()
            .map(|f| json!({"file": f.file, "offset": f.offset, "what": f.what}))
            .collect();
        pretty(&json!({
            "segments": report.segments, "frames": report.frames, "records": report.records,
            "bytes": report.bytes, "findings": findings,
        }))
    } else {
        let mut text = String::new();
        for f in findings {
            text += &format!("{} offset {}: {}\n", f.file, f.offset, printable(&f.what));
        }
        let read = [
            counted(report.segments, "segment"),
            counted(report.frames, "frame"),
            counted(report.records, "message"),
            counted(report.bytes, "byte"),
        ];
        text + &format!("{}: {}\n", read.join(", "), counted(findings.len() as u64, "finding"))
    };
    print(&text)?;
    Ok(if findings.is_empty() { DONE } else { DIFFERS })
}

fn reindex(global: &Global) -> Result<u8> {
    let recovery = spool::reindex(&global.spool)?;
    let indexed = counted(recovery.caught_up, "message");
    if global.json {
        let bad = recovery.bad_frames.len();
        print(&pretty(&json!({"records": recovery.caught_up, "bad_frames": bad})))?;
    } else if !global.quiet {
        line(&format!("indexed {indexed} in {}", global.spool.display()));
    }
    for bad in &recovery.bad_frames {
        line(&printable(&bad.to_string()));
    }
    Ok(if recovery.bad_frames.is_empty() { DONE } else { DIFFERS })
}

/// What `spool ls` shows: each part as a head line and rows, so that both forms say the same.
struct Listing {
    head: Value,
    parts: Vec<Part>,
}

struct Part {
    name: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
}

impl Listing {
    fn read(spool: &Spool) -> Result<Self> {
        let end = spool.end()?;
        let head = json!({"spool": spool.id(), "next": end.next, "open": end.open});
        let segments = spool.segments()?.into_iter().map(|s| {
            let (first, last) = s.arrival_ms;
            vec![
                json!(s.name),
                json!(s.records),
                json!(s.frames),
                json!(s.raw),
                json!(s.bytes),
                json!(instant(first)),
                json!(instant(last)),
            ]
        });
        let epochs = spool.epochs()?.into_iter().map(|e| {
            vec![
                json!(e.number),
                json!(e.first_seq),
                json!(e.base),
                json!(e.server_id),
                json!(e.reason),
            ]
        });
        let imports = spool.imports()?.into_iter();
        let imports = imports
            .map(|(source, range)| vec![json!(source), json!(range.start), json!(range.end - 1)]);
        let forgotten = spool.forgotten()?.into_iter();
        let forgotten = forgotten.map(|range| vec![json!(range.start), json!(range.end - 1)]);
        let gaps = spool.gaps()?.into_iter();
        let gaps = gaps.map(|g| vec![json!(g.seq), json!(g.kind), json!(g.detail)]);
        let damaged = spool.damaged(0..end.next)?.into_iter().map(|d| {
            vec![
                json!(d.seq),
                json!(d.segment),
                json!(d.offset),
                json!(d.index_in_frame),
                json!(d.len),
                json!(d.reason),
            ]
        });
        let bad_frames = spool.bad_frames()?.into_iter().map(|b| {
            let lost = json!([b.lost.start, b.lost.end]);
            vec![json!(b.segment), json!(b.offset), json!(b.bytes), lost, json!(b.reason)]
        });
        let part = |name, columns, rows| Part { name, columns, rows };
        Ok(Self {
            head,
            parts: vec![
                part(
                    "segments",
                    &["name", "records", "frames", "raw", "bytes", "first_arrival", "last_arrival"],
                    segments.collect(),
                ),
                part("imports", &["source", "first", "last"], imports.collect()),
                part("forgotten", &["first", "last"], forgotten.collect()),
                part(
                    "epochs",
                    &["epoch", "first", "binlog", "server_id", "reason"],
                    epochs.collect(),
                ),
                part("gaps", &["seq", "kind", "detail"], gaps.collect()),
                part(
                    "damaged",
                    &["seq", "segment", "offset", "index_in_frame", "len", "reason"],
                    damaged.collect(),
                ),
                part(
                    "bad_frames",
                    &["segment", "offset", "bytes", "lost", "reason"],
                    bad_frames.collect(),
                ),
            ],
        })
    }

    fn json(&self) -> Value {
        let mut all = self.head.clone();
        for part in &self.parts {
            let row = |row: &Vec<Value>| -> Value {
                part.columns.iter().map(ToString::to_string).zip(row.iter().cloned()).collect()
            };
            all[part.name] = part.rows.iter().map(row).collect();
        }
        all
    }

    fn text(&self) -> String {
        let mut text = format!(
            "spool {}, next message {}\n",
            cell(&self.head["spool"]),
            cell(&self.head["next"])
        );
        for part in self.parts.iter().filter(|p| !p.rows.is_empty() || p.name == "segments") {
            text += &format!("\n{} ({})\n", part.name, part.rows.len());
            text += &table(part.columns, &part.rows);
        }
        text
    }
}

/// The longest cell that is shown whole: names and reasons are anybody's.
const CELL: usize = 300;

/// Columns as wide as their widest cell; numbers to the right.
fn table(columns: &[&str], rows: &[Vec<Value>]) -> String {
    let heads = columns.iter().map(|head| (*head).to_owned()).collect();
    let cells = rows.iter().map(|row| row.iter().map(cell).collect());
    let all: Vec<Vec<String>> = std::iter::once(heads).chain(cells).collect();
    let wide = |text: &str| text.chars().count();
    let mut text = String::new();
    for row in &all {
        let mut out = String::new();
        for (i, cell) in row.iter().enumerate() {
            let width = all.iter().map(|row| wide(&row[i])).max().unwrap_or(0);
            let pad = " ".repeat(width - wide(cell));
            match rows.iter().all(|row| row[i].is_number()) {
                true => out += &format!("{pad}{cell}  "),
                false => out += &format!("{cell}{pad}  "),
            }
        }
        text += out.trim_end();
        text.push('\n');
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Number(n) => n.as_u64().map_or_else(|| n.to_string(), count),
        Value::String(text) if text.chars().count() > CELL => {
            let begin: String = text.chars().take(CELL).collect();
            format!("{}…", printable(&begin))
        }
        Value::String(text) => printable(text).into_owned(),
        other => other.to_string(),
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn instant(ms: i64) -> String {
    let utc = chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default();
    utc.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
