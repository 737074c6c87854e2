//! Events that are kept as they are, and why.

use std::fmt::Write as _;

use super::header::{Event, kind};
use super::{PRODUCER, json};

/// A longer event is named without its bytes: no record can hold them.
const MOST: usize = 64 << 20;

/// Events of one table that were kept for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Database and table; empty for what is about none.
    pub table: String,
    /// Why.
    pub reason: String,
    /// Where the first of them begins.
    pub offset: u64,
    /// How many.
    pub events: u64,
    /// What lacks is the table's definition.
    pub undefined: bool,
}

/// Counts what is kept.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<Kept>);

/// So many reasons are told apart; others are counted with the last.
const REASONS: usize = 100;

impl Tally {
    pub(super) fn add(&mut self, table: &str, reason: &str, offset: u64, undefined: bool) {
        let full = self.0.len() == REASONS;
        let last = self.0.len().saturating_sub(1);
        let known = self.0.iter_mut().enumerate();
        let mut known = known
            .filter(|(n, kept)| kept.table == table && kept.reason == reason || full && *n == last);
        match known.next() {
            Some((_, kept)) => kept.events += 1,
            None => self.0.push(Kept {
                table: table.to_owned(),
                reason: reason.to_owned(),
                offset,
                events: 1,
                undefined,
            }),
        }
    }

    pub(super) fn all(self) -> Vec<Kept> {
        self.0
    }
}

/// What an event that is not read is, in words.
pub(super) fn what(number: u8) -> String {
    match number {
        number if kind::OLD_ROWS.contains(&number) => {
            "rows in the form of MySQL 5.1 before its release".into()
        }
        kind::PARTIAL_ROW_DATA => "a part of a row that is larger than a packet".into(),
        kind::EXECUTE_LOAD_QUERY => "LOAD DATA, logged as a statement".into(),
        kind::INCIDENT => "an incident: the server says that events are missing".into(),
        number => format!("an event of type {number}, which this version does not know"),
    }
}

/// The message of an event that is kept: `name` is database and table as fields, or nothing.
pub(super) fn message(file: &str, name: &str, event: &Event, reason: &str, map: &[u8]) -> String {
    let mut out = format!("{PRODUCER},\"type\":\"undecoded\"");
    out.push_str(if name.is_empty() { "" } else { "," });
    out.push_str(name);
    place(&mut out, file, event);
    reasoned(&mut out, reason);
    let _ = write!(out, ",\"event_type\":{}", event.header.kind);
    if event.body.len() <= MOST {
        if !map.is_empty() {
            out.push_str(",\"table_map\":");
            json::base64(&mut out, map);
        }
        out.push_str(",\"event\":");
        json::base64(&mut out, &event.body);
    }
    out.push('}');
    out
}

/// The message of a statement that changed rows or tables, and of which no event tells how.
pub(super) fn statement(file: &str, database: &str, sql: &str, event: &Event, why: &str) -> String {
    let mut out = format!("{PRODUCER},\"type\":\"statement\",\"database\":");
    json::string(&mut out, database);
    place(&mut out, file, event);
    out.push_str(",\"sql\":");
    json::string(&mut out, sql);
    reasoned(&mut out, why);
    out.push('}');
    out
}

/// The message of something that is missing at a place of a file.
pub fn gap(file: &str, offset: u64, reason: &str) -> String {
    let mut out = format!("{PRODUCER},\"type\":\"gap\",\"position\":");
    json::string(&mut out, &format!("{file}:{offset}"));
    reasoned(&mut out, reason);
    out.push('}');
    out
}

fn place(out: &mut String, file: &str, event: &Event) {
    let _ = write!(out, ",\"ts\":{},\"position\":", event.header.time);
    json::string(out, &format!("{file}:{}", event.offset));
    let _ = write!(out, ",\"server_id\":{}", event.header.server);
}

fn reasoned(out: &mut String, reason: &str) {
    out.push_str(",\"reason\":");
    json::string(out, reason);
}
