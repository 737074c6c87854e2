//! What `log` writes to stdout: lines of a table, or JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::{print, time};
use crate::error::{Error, Result};
use crate::event::{TableName, printable};
use crate::spool::{Counts, Seq, Spool, Transaction, TransactionKind};

/// Lines are written in pieces of about so many bytes.
const PIECE: usize = 64 << 10;

/// A transaction as a JSON line.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    first_seq: Seq,
    last_seq: Seq,
    ts: i64,
    time: String,
    xid: Option<u64>,
    position: Option<String>,
    thread_id: Option<u64>,
    server_id: Option<u64>,
    gtid: Option<&'a str>,
    commit_ts: Option<u64>,
    query: Option<&'a str>,
    epoch: u32,
    tables: Vec<TableLine<'a>>,
    #[serde(flatten)]
    statement: Option<Statement>,
}

#[derive(Serialize)]
struct TableLine<'a> {
    database: &'a str,
    table: &'a str,
    insert: u64,
    update: u64,
    delete: u64,
}

#[derive(Serialize)]
struct Statement {
    #[serde(rename = "type")]
    op: String,
    sql: String,
}

impl Statement {
    fn read(spool: &Spool, t: &Transaction) -> Result<Option<Self>> {
        if t.kind != TransactionKind::Ddl {
            return Ok(None);
        }
        Ok(spool.statement(t.last)?.map(|(op, sql)| Self { op, sql }))
    }
}

/// Something about the stream that is no transaction.
#[derive(Serialize)]
pub(super) struct Note {
    pub(super) kind: &'static str,
    pub(super) first_seq: Seq,
    pub(super) last_seq: Seq,
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<String>,
}

/// What goes to stdout.
pub(super) struct Page {
    json: bool,
    text: String,
    open: bool,
    /// Nothing was shown yet but the head.
    empty: bool,
}

impl Page {
    pub(super) fn new(json: bool) -> Self {
        Self { json, text: String::new(), open: true, empty: true }
    }

    /// True when there was nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// False when the reader has gone away.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn head(&mut self) {
        if !self.json {
            self.columns("time", "xid", "position", "thread", "rows");
        }
    }

    fn columns(&mut self, time: &str, xid: &str, position: &str, thread: &str, rows: &str) {
        let _ = writeln!(self.text, "{time:<20}  {xid:>10}  {position:<22}  {thread:>7}  {rows}");
    }

    pub(super) fn transaction(&mut self, spool: &Spool, t: &Transaction) -> Result<()> {
        let statement = Statement::read(spool, t)?;
        let position = t.position.as_ref().map(ToString::to_string);
        if self.json {
            let kind = match t.kind {
                TransactionKind::Rows => "rows",
                TransactionKind::Ddl => "ddl",
                TransactionKind::Incomplete => "incomplete",
                TransactionKind::Alone => "row",
            };
            let tables = t.tables.iter().map(|(name, counts)| TableLine {
                database: &name.database,
                table: &name.table,
                insert: counts.insert,
                update: counts.update,
                delete: counts.delete,
            });
            return self.json(&Line {
                kind,
                first_seq: t.first,
                last_seq: t.last,
                ts: t.ts,
                time: time::utc(t.ts),
                xid: t.xid,
                position,
                thread_id: t.thread_id,
                server_id: t.server_id,
                gtid: t.facts.gtid.as_deref(),
                commit_ts: t.facts.commit_ts,
                query: t.facts.query.as_deref(),
                epoch: t.epoch,
                tables: tables.collect(),
                statement,
            });
        }
        let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let mut rows = match &statement {
            Some(Statement { op, sql }) => {
                let names: Vec<_> = t.tables.iter().map(|(name, _)| name.to_string()).collect();
                format!("{op} {}: {}", names.join(", "), short(sql))
            }
            None => match &t.facts.query {
                Some(query) => format!("{}: {}", rows(t), short(query)),
                None => rows(t),
            },
        };
        if t.kind == TransactionKind::Incomplete {
            rows.push_str("  (no commit)");
        }
        let position = printable(position.as_deref().unwrap_or("-")).into_owned();
        self.columns(&time::utc(t.ts), &number(t.xid), &position, &number(t.thread_id), &rows);
        self.spill()
    }

    pub(super) fn note(&mut self, note: &Note) -> Result<()> {
        if self.json {
            return self.json(note);
        }
        let place = note.place.as_ref().map(|p| format!(" ({p})")).unwrap_or_default();
        let which = match note.last_seq {
            last if last > note.first_seq => format!("messages {} to {last}", note.first_seq),
            _ => format!("message {}", note.first_seq),
        };
        let reason = printable(&note.reason);
        let _ = writeln!(self.text, "-- {}, {which}{place}: {reason}", note.kind);
        self.spill()
    }

    fn json(&mut self, line: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(line);
        self.text.push_str(&text.map_err(|e| Error::failed(e.to_string()))?);
        self.text.push('\n');
        self.spill()
    }

    fn spill(&mut self) -> Result<()> {
        self.empty = false;
        if self.text.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.open = self.open && print(&self.text)?;
        self.text.clear();
        Ok(())
    }
}

/// `shop.orders +12 ~3 -1, shop.customers ~900`.
pub(in super::super) fn rows(t: &Transaction) -> String {
    let table = |(name, counts): &(TableName, Counts)| {
        let signs = [('+', counts.insert), ('~', counts.update), ('-', counts.delete)];
        let signs = signs.iter().filter(|(_, n)| *n > 0);
        signs.fold(name.to_string(), |text, (sign, n)| format!("{text} {sign}{n}"))
    };
    t.tables.iter().map(table).collect::<Vec<_>>().join(", ")
}

/// The beginning of a statement, on one line.
fn short(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let line = words.join(" ");
    let mut short: String = line.chars().take(100).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    printable(&short).into_owned()
}
