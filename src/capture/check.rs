//! What would come of binlogs, and what not: they are read as an import reads them, and nothing is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use super::binlog::{Binlog, in_turn};
use crate::binlog::{Reader, Sink, Told};
use crate::error::{Error, Result};
use crate::event::{TableName, facts, maxwell};

/// What a file has.
#[derive(Default)]
pub struct Found {
    /// As the server names it.
    pub name: String,
    /// What it told beside its messages.
    pub told: Told,
    /// Files before it that were not given.
    pub missing: Option<String>,
    /// Why no more of it can be read.
    pub refused: Option<Error>,
    /// The servers that its rows and statements come from.
    pub servers: BTreeSet<u64>,
    /// The earliest and the latest time of them, seconds since 1970.
    pub times: Option<(i64, i64)>,
    /// The first and the last number of the GTIDs, by what stands before it.
    pub gtids: BTreeMap<String, (u64, u64)>,
    /// Transactions with rows.
    pub transactions: u64,
    /// Rows, and statements, of each table.
    pub tables: BTreeMap<TableName, (u64, u64)>,
}

impl Found {
    /// True when something of it would not come.
    pub fn differs(&self) -> bool {
        let told = &self.told;
        let lost = self.missing.is_some() || self.refused.is_some();
        lost || told.torn.is_some() || !told.kept.is_empty()
    }

    fn gtid(&mut self, gtid: &str) {
        let Some(number) = facts::number(gtid) else { return };
        let digits = gtid.bytes().rev().take_while(u8::is_ascii_digit).count();
        let source = gtid[..gtid.len() - digits].to_owned();
        let (first, last) = self.gtids.entry(source).or_insert((number, number));
        (*first, *last) = (number.min(*first), number.max(*last));
    }
}

/// Looks at the files of one server, in the order of their numbers, and hands over what each has.
///
/// # Errors
/// When it was stopped, or as `tell` has it; what cannot be read is told of its file.
pub fn check(
    files: Vec<Binlog>,
    mut reader: Reader,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&Found) -> Result<()>,
) -> Result<bool> {
    in_turn(files, &mut reader, |file, missing, reader| {
        let found = Found { name: file.name().to_owned(), missing, ..Found::default() };
        let mut looked = Looked { found, stop };
        let name = looked.found.name.clone();
        let input = file.into_lines().and_then(|lines| reader.open(lines.into_bytes()));
        let read = input.and_then(|input| reader.read(input, &name, 0, &mut looked));
        let Looked { mut found, .. } = looked;
        match read {
            Ok(told) => found.told = told,
            Err(error) if stop.load(Ordering::Relaxed) => return Err(error),
            Err(error) => {
                reader.leap();
                found.refused = Some(error);
            }
        }
        tell(&found)?;
        Ok(found.differs())
    })
}

/// Where the files of a server end.
#[derive(Default)]
pub struct End {
    /// The last one, as the server names it.
    pub file: String,
    /// An offset in it.
    pub offset: u64,
    /// The server that wrote it.
    pub server_id: u32,
}

/// Reads the files of one server for what their statements did to tables, and where they end.
///
/// # Errors
/// When one cannot be read, or it was stopped.
pub fn survey(files: Vec<Binlog>, mut reader: Reader, stop: &AtomicBool) -> Result<(Reader, End)> {
    let mut end = End::default();
    in_turn(files, &mut reader, |file, _, reader| {
        let name = file.name().to_owned();
        let mut looked = Looked { found: Found::default(), stop };
        let input = reader.open(file.into_lines()?.into_bytes()).map_err(|e| e.at(&name))?;
        let told = reader.read(input, &name, 0, &mut looked)?;
        end = End { file: name, offset: told.end, server_id: told.server_id };
        Ok(false)
    })?;
    Ok((reader, end))
}

struct Looked<'a> {
    found: Found,
    stop: &'a AtomicBool,
}

impl Sink for Looked<'_> {
    fn message(&mut self, message: &str) -> Result<()> {
        // What is no event is told of the file.
        let Ok(event) = maxwell::parse_stored(message.as_bytes()) else { return Ok(()) };
        let (meta, found) = (&event.meta, &mut self.found);
        found.servers.extend(meta.server_id);
        let (first, last) = found.times.unwrap_or((meta.ts, meta.ts));
        found.times = Some((first.min(meta.ts), last.max(meta.ts)));
        if let Some(gtid) = &meta.facts.gtid {
            found.gtid(gtid);
        }
        found.transactions += u64::from(meta.commit);
        let (rows, statements) = found.tables.entry(meta.name()).or_default();
        *(if meta.op.is_row() { rows } else { statements }) += 1;
        Ok(())
    }

    fn reached(&mut self, _: u64) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::stopped("stopped")),
            false => Ok(()),
        }
    }
}
