//! `import --check`: what would come of binlogs, as text or as JSON lines.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::output::{Output, counted};
use super::{DIFFERS, DONE, Global, print, time, words};
use crate::binlog::{Keys, Origin, Reader};
use crate::capture::check::{self, Found};
use crate::capture::import::{Input, sorted};
use crate::error::{Error, Result};
use crate::event::{TableName, printable};

/// Looks at files; status 3 when something of them would not come.
///
/// # Errors
/// When one is no binlog (usage), or it was stopped.
pub(super) fn check(
    global: &Global,
    paths: &[PathBuf],
    name: Option<&str>,
    reader: Reader,
    keys: &Keys,
    stop: &AtomicBool,
) -> Result<u8> {
    if name.is_some() && paths.len() != 1 {
        return Err(Error::usage("--binlog-name is for one binlog alone"));
    }
    let output = Output::new("looked at", global.quiet);
    let (mut inputs, mut refused) = (Vec::new(), Vec::new());
    for path in paths {
        match Input::open(path, false, name, keys) {
            Ok(input @ Input::Binlog(_)) => inputs.push(input),
            Ok(Input::Lines(_)) => {
                return Err(Error::usage(format!("{}: it is no binlog", path.display())).help(
                    "--check tells what comes of binlogs; messages are imported as they are",
                ));
            }
            Err(error) => {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                let name = name.unwrap_or_else(|| path.display().to_string());
                refused.push(Found { name, refused: Some(error), ..Found::default() });
            }
        }
    }
    let (mut rows, mut statements, mut kept) = (0, 0, 0);
    let mut tell = |found: &Found| {
        found.tables.values().for_each(|(r, s)| (rows, statements) = (rows + r, statements + s));
        kept += found.told.kept.iter().map(|kept| kept.events).sum::<u64>();
        output.clear();
        print(&if global.json { lines(found) } else { text(found) }).map(drop)
    };
    refused.iter().try_for_each(&mut tell)?;
    let differs = check::check(sorted(inputs).1, reader, stop, &mut tell)? || !refused.is_empty();
    output.finish(&format!(
        "{} and {} would be imported, {} would not",
        counted(rows, "row"),
        counted(statements, "statement"),
        counted(kept, "event")
    ));
    Ok(if differs { DIFFERS } else { DONE })
}

/// A file in words.
fn text(found: &Found) -> String {
    let mut text = format!("{}:", printable(&found.name));
    let told = &found.told;
    if !told.server.is_empty() {
        let _ = write!(text, " {}, server id {}", printable(&told.server), told.server_id);
    }
    text.push('\n');
    let mut line = |words: &str| {
        let _ = writeln!(text, "  {}", printable(words));
    };
    if let Some(missing) = &found.missing {
        line(&format!("not given: {missing} before it"));
    }
    let others = found.servers.iter().filter(|id| **id != u64::from(told.server_id));
    let others: Vec<String> = others.map(u64::to_string).collect();
    if !others.is_empty() {
        line(&format!("also of server id {}", others.join(", ")));
    }
    if let Some((first, last)) = found.times {
        line(&format!("{} to {}", time::utc(first), time::utc(last)));
    }
    for (source, (first, last)) in &found.gtids {
        line(&format!("GTID {source}{first} to {last}"));
    }
    if found.transactions > 0 {
        line(&counted(found.transactions, "transaction"));
    }
    for (name, &(rows, statements)) in &found.tables {
        line(&format!("{name}: {}", of_table(found, name, rows, statements)));
    }
    for kept in &told.kept {
        let about = if kept.table.is_empty() { String::new() } else { format!("{}, ", kept.table) };
        let events = counted(kept.events, "event");
        line(&format!("not read: {about}{events} from byte {}: {}", kept.offset, kept.reason));
    }
    if let Some(offset) = told.torn {
        line(&format!("it ends inside an event, which begins at byte {offset}"));
    }
    if told.open > 0 {
        line(&format!("its last {} have no commit", counted(told.open, "event")));
    }
    if told.in_use {
        line("the server has not closed it: it may grow");
    }
    if let Some(error) = &found.refused {
        for (n, words) in words::text(&error.words()).lines().enumerate() {
            let before = if n == 0 { "refused: " } else { "  " };
            line(&format!("{before}{}", words.trim_start()));
        }
    }
    text
}

fn of_table(found: &Found, name: &TableName, rows: u64, statements: u64) -> String {
    let mut parts = Vec::new();
    if rows > 0 {
        parts.push(counted(rows, "row"));
    }
    if statements > 0 {
        parts.push(counted(statements, "statement"));
    }
    let origins: Vec<&str> = origins(found, name).map(in_words).collect();
    let origins = if origins.is_empty() {
        String::new()
    } else {
        format!("; columns {}", origins.join(" and "))
    };
    parts.join(", ") + &origins
}

fn origins<'f>(found: &'f Found, name: &'f TableName) -> impl Iterator<Item = Origin> + 'f {
    found.told.tables.iter().filter(move |(own, _)| own == name).map(|(_, origin)| *origin)
}

fn in_words(origin: Origin) -> &'static str {
    match origin {
        Origin::Given => "from --schema",
        Origin::Statements => "from the log's CREATE TABLE",
        Origin::Events => "named by the events (binlog_row_metadata=FULL)",
    }
}

/// A file as JSON lines: itself, its tables, and what would not come.
fn lines(found: &Found) -> String {
    let (mut text, told, file) = (String::new(), &found.told, &found.name);
    let mut line = |object: serde_json::Value| {
        let _ = writeln!(text, "{object}");
    };
    let gtids = found.gtids.iter();
    let gtids = gtids
        .map(|(source, (first, last))| json!({"source": source, "first": first, "last": last}));
    line(json!({
        "kind": "file", "file": file, "server": told.server, "server_id": told.server_id,
        "server_ids": found.servers, "first_ts": found.times.map(|t| t.0), "last_ts": found.times.map(|t| t.1),
        "gtids": gtids.collect::<Vec<_>>(), "transactions": found.transactions, "in_use": told.in_use,
        "torn": told.torn, "open": told.open, "missing": found.missing,
        "refused": found.refused.as_ref().map(|error| words::text(&error.words())),
    }));
    for (name, (rows, statements)) in &found.tables {
        let origins = origins(found, name).map(|origin| match origin {
            Origin::Given => "schema",
            Origin::Statements => "statements",
            Origin::Events => "events",
        });
        line(json!({
            "kind": "table", "file": file, "database": name.database, "table": name.table, "rows": rows,
            "statements": statements, "columns_from": origins.collect::<Vec<_>>(),
        }));
    }
    for kept in &told.kept {
        line(json!({
            "kind": "kept", "file": file, "table": kept.table, "offset": kept.offset, "events": kept.events,
            "reason": kept.reason,
        }));
    }
    text
}
