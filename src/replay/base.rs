//! Tables as they were at a time: copied from the source as they are, what came since to be taken
//! back by a reverse.
//!
//! The copy is one moment of the source whose place in its binlog is known, so which of the
//! spool's transactions are in it is known too. What would make the reverse inexact is refused
//! before anything is written.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::cut::Bounds;
use super::reversible::{losses, refusal};
use super::snapshot::Snapshot;
use super::{Definitions, Selection, alike, selected, standing};
use crate::dest::sqlite::{self, Copy, Sqlite};
use crate::dest::{Catalog as _, Point, Run, Standing};
use crate::error::{Error, Means, Result};
use crate::event::def::{Kind, TableDef};
use crate::event::history::History;
use crate::event::row::Value;
use crate::event::{BinlogPos, TableName};
use crate::filter::Filter;
use crate::mysql::server::Server;
use crate::plan::Image;
use crate::plan::op::{Act, RowOp};
use crate::route::Route;
use crate::source::copy::{Base, Found};
use crate::spool::{Seq, Spool};

mod log;
mod stretch;

pub(super) use log::defines;
use stretch::Stretch;

/// A capture that is behind the source is waited for so long.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(200);
/// How often a copy says how far it is.
const SAY: Duration = Duration::from_secs(5);

/// What is wanted.
pub(super) struct Wanted<'a> {
    /// The spool's folder.
    pub(super) spool: &'a Path,
    /// The time, seconds since 1970.
    pub(super) until: i64,
    /// Which tables.
    pub(super) filter: &'a Filter,
    /// The progress row of the copy and of the reverse.
    pub(super) run: &'a Run,
}

/// A copy that is in the file.
pub struct Copied {
    /// What is to be taken back.
    pub selection: Selection,
    /// Tables that were made since, and so were not there.
    pub made: Vec<TableName>,
    /// The base's binlog does not reach back to that time: whether a table was emptied by TRUNCATE
    /// cannot be told.
    pub unseen: bool,
}

/// The time that tables are wanted as of.
///
/// # Errors
/// When none is named, or it has not come yet (usage).
pub(super) fn time(bounds: &Bounds) -> Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
    match bounds.until {
        Some(until) if until <= now => Ok(until),
        Some(_) => Err(Error::usage(Means::Until + " lies ahead: the source is not there yet")),
        None => Err(Error::usage("tables are copied as of a time, and none is named")),
    }
}

/// Copies the tables into the file, unless an earlier call of the same run has.
///
/// # Errors
/// When the copy could not be taken back to that time exactly, or a server or file refuses.
pub(super) fn copy(
    wanted: &Wanted<'_>,
    server: &Server,
    file: &mut Sqlite,
    report: &mut dyn FnMut(String),
) -> Result<Copied> {
    if let Some(Standing { seq, last, .. }) = file.standing(wanted.run)? {
        let spool = Spool::open(wanted.spool)?;
        standing::recognise(&spool, wanted.run, seq, last.as_ref())?;
        let start = stretch::begin(&spool, wanted.until)?.min(seq);
        return copied(&spool, wanted, start..seq, false);
    }
    let mut base = Base::open(server)?;
    let told = Spool::open(wanted.spool)?.tables()?;
    let tables = chosen(&mut base, wanted.filter, told)?;
    let place = base.snapshot(&tables)?;
    let (spool, stretch) = wait(wanted, &mut base, &tables, &place, report)?;
    stretch.check(&spool, &place)?;
    let unseen = log::check(&spool, &mut base, &tables, &stretch)?;
    let done = copied(&spool, wanted, stretch.range(), unseen)?;
    let definitions = Definitions::load(&spool)?;
    let at = stretch.range().end;
    let there = |name: &&TableName| done.selection.filter.takes_table(name);
    let tables: Vec<TableName> = tables.iter().filter(there).cloned().collect();
    stretch.check_tables(&spool, &done.selection.filter, &tables)?;
    let defs = defs(&mut base, &definitions, &tables, at)?;
    let begin = Point { seq: at, last: spool.landmark(at)? };
    file.copy(wanted.run, &begin, &mut |copy| {
        defs.iter().try_for_each(|def| {
            let rows = copy_table(&mut base, copy, def, at, report)?;
            report(format!("copied {}: {rows} rows", def.name()));
            Ok(())
        })
    })?;
    Ok(done)
}

/// The stretch to be taken back, without the tables that were made in it: they were not there.
fn copied(
    spool: &Spool,
    wanted: &Wanted<'_>,
    range: std::ops::Range<Seq>,
    unseen: bool,
) -> Result<Copied> {
    let words = wanted.run.selection.clone();
    let mut selection = Selection { range, filter: wanted.filter.clone(), words };
    // What the base's foreign keys changed is looked after where its tables are chosen.
    let definitions = Definitions { logs_cascades: Some(true), ..Definitions::load(spool)? };
    let rows = selected::rows(spool, &selection)?;
    let found = losses(spool, &definitions, &selection, &rows, &[])?;
    if !found.losses.is_empty() {
        return Err(refusal(&found.losses.iter().collect::<Vec<_>>())
            .help("take a later time, or leave the table out with " + Means::ExcludeTable));
    }
    let made: Vec<TableName> =
        found.created.into_iter().filter(|name| !name.table.is_empty()).collect();
    selection.filter = selection.filter.without(made.clone());
    Ok(Copied { selection, made, unseen })
}

/// The tables to copy; `told` are those of the stream.
fn chosen(base: &mut Base, filter: &Filter, mut told: Vec<TableName>) -> Result<Vec<TableName>> {
    let found = base.tables()?;
    told.extend(found.iter().map(|table| table.name.clone()));
    filter.check_tables(&told)?;
    let chosen: Vec<Found> = found.into_iter().filter(|t| filter.takes_table(&t.name)).collect();
    let logs_cascades = Snapshot::new(base.version(), Vec::new(), Vec::new()).logs_cascades();
    if let Some(table) = chosen.iter().find(|table| table.engine != "InnoDB") {
        return Err(Error::stopped(format!(
            "base: {} is kept by {}, which has no consistent snapshot",
            table.name, table.engine
        ))
        .help("leave the table out with " + Means::ExcludeTable));
    }
    if let Some(table) = chosen.iter().find(|table| table.cascades && !logs_cascades) {
        return Err(Error::stopped(format!(
            "base: a foreign key changes rows of {}, and this server's binlog does not tell which",
            table.name
        ))
        .help("leave the table out with " + Means::ExcludeTable));
    }
    let names = chosen.iter().map(|table| (0, table.name.clone()));
    let (history, route) = (History::default(), Route::default());
    alike::check(names, &history, &route, &mut |name| Ok(sqlite::known_as(name)))?;
    match chosen.is_empty() {
        true => {
            Err(Error::usage("base: it has none of the tables chosen, or its user may see none")
                .help((
                    "name them as database.table with {}, and grant SELECT on them",
                    [Means::Table],
                )))
        }
        false => Ok(chosen.into_iter().map(|table| table.name).collect()),
    }
}

/// Waits until the spool has all that the snapshot has of these tables.
fn wait(
    wanted: &Wanted<'_>,
    base: &mut Base,
    tables: &[TableName],
    place: &BinlogPos,
    report: &mut dyn FnMut(String),
) -> Result<(Spool, Stretch)> {
    let began = Instant::now();
    let mut said = false;
    loop {
        let spool = Spool::open(wanted.spool)?;
        spool.settle()?;
        let stretch = stretch::find(&spool, wanted.until, place)?;
        let Some(behind) = log::behind(base, tables, &stretch, place)? else {
            return Ok((spool, stretch));
        };
        if began.elapsed() > PATIENCE {
            return Err(behind);
        }
        if !std::mem::replace(&mut said, true) {
            report("waiting for the capture to come to where the copy is".to_owned());
        }
        thread::sleep(POLL);
    }
}

/// The definitions of the stream, as the rows of the stream are written by, held against the
/// source's.
fn defs(
    base: &mut Base,
    definitions: &Definitions,
    tables: &[TableName],
    at: Seq,
) -> Result<Vec<TableDef>> {
    let mut defs = Vec::new();
    for name in tables {
        let known = definitions.history.at(name, at).ok_or_else(|| {
            Error::stopped(format!("{name}: the definition of the table is not known"))
                .help(("store the source's definitions with: {} URL", [Means::SchemaAdd]))
        })?;
        let found = base.definition(name)?;
        if !same_columns(&known, &found) {
            return Err(Error::stopped(format!(
                "{name}: the source has other columns than the spool tells"
            ))
            .help("if the producer does not send statements (Maxwell: output_ddl), what changed since that time is not known; else run the same command again"));
        }
        defs.push(known.as_ref().clone());
    }
    Ok(defs)
}

/// MariaDB shows a JSON column as a LONGTEXT.
fn same_columns(a: &TableDef, b: &TableDef) -> bool {
    let kind = |kind: Kind| match kind {
        Kind::Json | Kind::JsonOrText => Kind::Text,
        kind => kind,
    };
    let pairs = a.columns.iter().zip(&b.columns);
    a.columns.len() == b.columns.len()
        && pairs.into_iter().all(|(a, b)| a.name == b.name && kind(a.kind) == kind(b.kind))
}

fn copy_table(
    base: &mut Base,
    copy: &mut Copy<'_>,
    def: &TableDef,
    at: Seq,
    report: &mut dyn FnMut(String),
) -> Result<u64> {
    let table = copy.table(def)?;
    let (mut count, mut said) = (0, Instant::now());
    base.rows(def, &mut |rows| {
        let images: Vec<Image<'_>> = rows.iter().map(|row| image(row)).collect();
        let op = |image| {
            let act = Act::Insert(image);
            RowOp { table: &table, act, seq: at, times: 1, any: false }
        };
        copy.rows(&images.iter().map(op).collect::<Vec<_>>())?;
        count += rows.len();
        if said.elapsed() > SAY {
            said = Instant::now();
            report(format!("copying {}: {count} rows", def.name()));
        }
        Ok(())
    })?;
    Ok(count as u64)
}

fn image(row: &[String]) -> Image<'_> {
    Image(row.iter().map(|token| Some(Value(token))).collect())
}
