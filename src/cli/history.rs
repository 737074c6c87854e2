//! `history`: every version of one row, with what changed.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::inspect::say_troubles;
use super::output::{Output, counted};
use super::select::column_and_value;
use super::{Global, print, time};
use crate::capture::Watch as _;
use crate::error::{Context as _, Error, Result};
use crate::event::row::{Columns, Value};
use crate::event::{Body, Event, Op, printable, typed};
use crate::read::history;
use crate::spool::{Seq, Spool};

const HELP: &str = "\
Examples:
  binsync history shop.customers id=33
  binsync history shop.order_items order_id=7 line=1
  binsync history shop.sessions token=0x9F86D081

The columns are those of the primary key. Where an update changes the key, the row is followed
under its other names, before and after. Case and accents do not count in text, unless rows differ
in nothing else.

With --json, one object a line: seq, type, ts, time, xid, position, thread_id, server_id, gtid,
commit_ts (microseconds), query (the statement), before and after (the row; null where there is
none), changed (the columns).";

/// Characters of a value shown.
const SHOWN: usize = 120;

/// Arguments of `history`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct HistoryArgs {
    /// The table, as DATABASE.TABLE
    #[arg(value_name = "DB.TABLE")]
    table: String,
    /// The row's key; bytes are written 0x1F2E
    #[arg(value_name = "COL=VALUE", required = true, value_parser = column_and_value)]
    key: Vec<(String, String)>,
}

/// Runs `history`.
///
/// # Errors
/// As [`history::history`] has them.
pub fn history(global: &Global, args: &HistoryArgs) -> Result<u8> {
    let output = Output::new("read", global.quiet);
    let spool = Spool::open(&global.spool)?;
    let name = typed::table(&args.table).ok_or_else(|| {
        Error::usage(format!("{:?} names no table", args.table)).help("write it as DATABASE.TABLE")
    })?;
    spool.check_key(&(0..Seq::MAX))?;
    let mut found = history::history(&spool, &name, &args.key)?;
    output.clear();
    found.each(|seq, event| {
        print(&match global.json {
            true => line(seq, event)?,
            false => version(event)?,
        })
    })?;
    if found.exact {
        output.note("keys of this table differ in case: only the one spelled so is shown");
    }
    output.note(&counted(found.len() as u64, "version"));
    if let Some(pruned) = spool.pruned() {
        output.note(&format!("versions from before are not there: {pruned}"));
    }
    say_troubles(&spool, &(0..spool.end()?.next), &output)
}

/// The row before and after an event, each if there is one, and the names that changed.
struct Images<'a> {
    before: Option<Columns<'a>>,
    after: Option<Columns<'a>>,
    changed: Vec<String>,
}

impl<'a> Images<'a> {
    fn of(event: &'a Event<'_>) -> Result<Self> {
        let Body::Row { data, old } = event.body else {
            return Ok(Self { before: None, after: None, changed: Vec::new() });
        };
        let data = Columns::parse(data)?;
        let Some(old) = old.filter(|_| event.meta.op == Op::Update) else {
            return Ok(match event.meta.op {
                Op::Delete => Self { before: Some(data), after: None, changed: Vec::new() },
                _ => Self { before: None, after: Some(data), changed: Vec::new() },
            });
        };
        let old = Columns::parse(old)?;
        let changed = old.0.iter().map(|(name, _)| name.to_string()).collect();
        let mut before = data.clone();
        for (name, value) in &mut before.0 {
            *value = typed::column(&old, name).unwrap_or(*value);
        }
        // Of a producer that leaves out NULLs: what is NULL now was another value.
        let gone = old.0.into_iter().filter(|(name, _)| typed::column(&data, name).is_none());
        before.0.extend(gone);
        Ok(Self { before: Some(before), after: Some(data), changed })
    }
}

/// A version as text: a line like that of `log`, and one for each column.
fn version(event: &Event<'_>) -> Result<String> {
    let meta = &event.meta;
    let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let position = meta.position.map_or_else(|| "-".to_owned(), |p| p.to_string());
    let mut text = format!(
        "{}  xid {}  {}  thread {}  {}\n",
        time::utc(meta.ts),
        number(meta.xid),
        printable(&position),
        number(meta.thread_id),
        meta.op.name()
    );
    let facts = [("gtid", &meta.facts.gtid), ("query", &meta.facts.query)];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            let _ = writeln!(text, "  {name} {}", cut(&printable(fact)));
        }
    }
    let images = Images::of(event)?;
    match (&images.before, &images.after) {
        (Some(before), Some(after)) => {
            for name in &images.changed {
                let of = |image| typed::column(image, name).map_or("-".into(), shown);
                let (was, is) = (of(before), of(after));
                let _ = writeln!(text, "  ~ {}: {was} → {is}", printable(name));
            }
        }
        (before, after) => {
            if meta.op == Op::Update {
                text.push_str("  former values are not told\n");
            }
            let sign = if after.is_some() { '+' } else { '-' };
            for (name, value) in after.iter().chain(before).flat_map(|image| &image.0) {
                let _ = writeln!(text, "  {sign} {}: {}", printable(name), shown(*value));
            }
        }
    }
    Ok(text)
}

/// A value on one line, its end cut off when it is long.
fn shown(value: Value<'_>) -> String {
    cut(&printable(value.0))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A version as a JSON line.
#[derive(Serialize)]
struct Line<'a> {
    changed: Vec<String>,
    commit_ts: Option<u64>,
    gtid: Option<&'a str>,
    position: Option<String>,
    query: Option<&'a str>,
    seq: Seq,
    server_id: Option<u64>,
    thread_id: Option<u64>,
    time: String,
    ts: i64,
    #[serde(rename = "type")]
    op: &'static str,
    xid: Option<u64>,
    before: Option<Columns<'a>>,
    after: Option<Columns<'a>>,
}

/// A version as JSON.
fn line(seq: Seq, event: &Event<'_>) -> Result<String> {
    let meta = &event.meta;
    let Images { before, after, changed } = Images::of(event)?;
    let line = serde_json::to_string(&Line {
        changed,
        commit_ts: meta.facts.commit_ts,
        gtid: meta.facts.gtid.as_deref(),
        position: meta.position.map(|p| p.to_string()),
        query: meta.facts.query.as_deref(),
        seq,
        server_id: meta.server_id,
        thread_id: meta.thread_id,
        time: time::utc(meta.ts),
        ts: meta.ts,
        op: meta.op.name(),
        xid: meta.xid,
        before,
        after,
    });
    Ok(line.context("version")? + "\n")
}
