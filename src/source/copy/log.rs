//! What a server's own binlog holds, event by event.
//!
//! Asked in small parts, since a server may hold its log while it answers.

use std::collections::HashMap;

use mysql::Conn;
use mysql::prelude::Queryable;

use crate::error::{Error, Result};
use crate::event::BinlogPos;
use crate::mysql::connect::failed;

/// Events asked for at a time.
const PART: usize = 1000;

/// Events of rows; several versions of each have longer names.
const KINDS: [&str; 3] = ["Write_rows", "Update_rows", "Delete_rows"];

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did<'e> {
    /// It changed rows of the table `database.table`.
    Rows(&'e str),
    /// It ran this statement.
    Statement(&'e str),
    /// It cannot be looked into.
    Hidden,
}

type EventRow = (String, u64, String, u64, u64, Vec<u8>);

/// Reads the events that begin at or after `from` and before `to`, and tells those that do
/// something.
///
/// # Errors
/// When the server does not have an event at `from`, or does not let its log be read.
pub(super) fn read(
    conn: &mut Conn,
    from: &BinlogPos,
    to: &BinlogPos,
    each: &mut dyn FnMut(&BinlogPos, Did<'_>) -> Result<()>,
) -> Result<()> {
    let files: Vec<mysql::Row> =
        conn.query("SHOW BINARY LOGS").map_err(|e| failed("base: binlog", &e))?;
    let files: Vec<String> = files.iter().filter_map(|row| row.get(0)).collect();
    let mut names: HashMap<u64, String> = HashMap::new();
    for number in from.file..=to.file {
        let file = format!("{}.{number:06}", from.base);
        if !files.contains(&file) {
            return Err(gone(&file));
        }
        let begin = if number == from.file { from.offset } else { 4 };
        let end = if number == to.file { to.offset } else { u64::MAX };
        read_file(conn, &file, begin..end, &mut |at, kind, info| {
            let did = match kind {
                "Table_map" => {
                    if let Some((id, name)) = table_map(info) {
                        names.insert(id, name.to_owned());
                    }
                    return Ok(());
                }
                "Query" => Did::Statement(info),
                "Transaction_payload" => Did::Hidden,
                kind if KINDS.iter().any(|rows| kind.starts_with(rows)) => {
                    let name = table_id(info).and_then(|id| names.get(&id));
                    name.map_or(Did::Hidden, |name| Did::Rows(name))
                }
                _ => return Ok(()),
            };
            each(&BinlogPos { base: from.base.clone(), file: number, offset: at }, did)
        })?;
    }
    Ok(())
}

fn read_file(
    conn: &mut Conn,
    file: &str,
    range: std::ops::Range<u64>,
    each: &mut dyn FnMut(u64, &str, &str) -> Result<()>,
) -> Result<()> {
    let (mut at, mut first) = (range.start, true);
    while at < range.end {
        let sql = format!("SHOW BINLOG EVENTS IN '{file}' FROM {at} LIMIT {PART}");
        let events: Vec<EventRow> = conn.query(sql).map_err(|e| match &e {
            // "Wrong offset or I/O error"
            mysql::Error::MySqlError(m) if m.code == 1220 && first => no_event(file, at),
            _ => failed("base: binlog", &e),
        })?;
        if first && events.first().is_none_or(|event| event.1 != at) {
            return Err(no_event(file, at));
        }
        let before = at;
        for (_, position, kind, _, end, info) in &events {
            if *position >= range.end {
                return Ok(());
            }
            each(*position, kind, &String::from_utf8_lossy(info))?;
            at = at.max(*end);
        }
        if events.len() < PART || at == before {
            return Ok(());
        }
        first = false;
    }
    Ok(())
}

fn no_event(file: &str, at: u64) -> Error {
    Error::stopped(format!("base: its binlog {file} has no event at {at}, where the spool has one"))
        .help("name the server that is recorded; if its binlog was begun anew, its tables cannot be had so")
}

fn gone(file: &str) -> Error {
    Error::stopped(format!("base: its binlog {file}, which the spool has events of, is not there"))
        .help("name the server that is recorded, or choose a later time")
}

/// Reads `table_id: 95 (shop.orders)`.
fn table_map(info: &str) -> Option<(u64, &str)> {
    let (_, name) = info.split_once(" (")?;
    Some((table_id(info)?, name.strip_suffix(')')?))
}

fn table_id(info: &str) -> Option<u64> {
    let digits = info.split_once("table_id: ")?.1;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_name_their_tables() {
        assert_eq!(table_map("table_id: 95 (shop.orders)"), Some((95, "shop.orders")));
        assert_eq!(table_map("table_id: 18 (a b.c (d))"), Some((18, "a b.c (d)")));
        assert_eq!(table_id("table_id: 95 flags: STMT_END_F"), Some(95));
        assert_eq!(table_id("ROLLBACK"), None);
    }
}
