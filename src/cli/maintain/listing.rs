//! What `spool ls` shows.

use serde_json::{Value, json};

use super::super::output::count;
use super::super::time::utc;
use crate::error::Result;
use crate::event::printable;
use crate::spool::{Copied, Spool};

/// Each part as a head line and rows, so that both forms say the same.
pub(super) struct Listing {
    head: Value,
    parts: Vec<Part>,
}

struct Part {
    name: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
}

impl Listing {
    pub(super) fn read(spool: &Spool) -> Result<Self> {
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
        let pruned = spool.pruned().map(|p| {
            let (from, to) = p.times.unzip();
            vec![
                json!(p.first),
                json!(p.begin - 1),
                json!(p.messages),
                json!(p.transactions),
                json!(from.map(utc)),
                json!(to.map(utc)),
                json!(instant(p.at_ms)),
            ]
        });
        let archived = spool.in_archive()?.into_iter().flat_map(|archive| {
            let to = archive.to;
            let row = |(copied, here): (Copied, bool)| {
                let name = format!("{:020}.zst", copied.first);
                vec![json!(name), json!(copied.bytes), json!(here), json!(copied.sha256), json!(to)]
            };
            archive.segments.into_iter().map(row).collect::<Vec<_>>()
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
                part(
                    "pruned",
                    &["first", "last", "records", "transactions", "from", "to", "last_prune"],
                    pruned.into_iter().collect(),
                ),
                part(
                    "archived",
                    &["name", "bytes", "here", "sha256", "archive"],
                    archived.collect(),
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

    pub(super) fn json(&self) -> Value {
        let mut all = self.head.clone();
        for part in &self.parts {
            let row = |row: &Vec<Value>| -> Value {
                part.columns.iter().map(ToString::to_string).zip(row.iter().cloned()).collect()
            };
            all[part.name] = part.rows.iter().map(row).collect();
        }
        all
    }

    pub(super) fn text(&self) -> String {
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

fn instant(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    format!("{time:.3}")
}
