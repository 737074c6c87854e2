//! Row changes on disk, in parts that no row is spread over, so that a stretch of any length can
//! be folded in little memory.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};
use std::sync::Arc;

use crate::error::{Context, Error, Means, Result};
use crate::event::row::Value;
use crate::event::typed;
use crate::plan::bind::complete;
use crate::plan::net::fold;
use crate::plan::window::Rows;
use crate::plan::{Change, Image, Table};
use xxhash_rust::xxh3::Xxh3Default;

/// A part is folded so many bytes at a time.
const FOLD_BYTES: usize = 48 << 20;
const BUFFER: usize = 32 << 10;
/// Of a record: part of the header before the images.
const HEADER: usize = 17;

/// Parts being filled.
pub(super) struct Spill {
    files: Vec<BufWriter<File>>,
    tables: Vec<Arc<Table>>,
    /// Changes taken, by table.
    pub(super) events: Vec<u64>,
    /// By table: rows come that leave columns out, and rows go.
    untold: Vec<(bool, bool)>,
    /// The record being written.
    record: Vec<u8>,
    /// Nothing is to be written, so that no order matters.
    look: bool,
    /// Bootstrap rows that a reverse does not take.
    pub(super) left_out: u64,
}

/// Parts being read.
pub(super) struct Parts {
    files: Vec<File>,
    tables: Vec<Arc<Table>>,
}

impl Spill {
    pub(super) fn new(parts: u32, look: bool) -> Result<Self> {
        let file = |_| tempfile::tempfile().map(|file| BufWriter::with_capacity(BUFFER, file));
        let files = (0..parts).map(file).collect::<std::io::Result<_>>();
        let files = files.context("temporary files (TMPDIR names where they are)")?;
        Ok(Self {
            files,
            tables: Vec::new(),
            events: Vec::new(),
            untold: Vec::new(),
            record: Vec::new(),
            look,
            left_out: 0,
        })
    }

    /// Adds changes, each to the part its row belongs to: a row that moves leaves one part and
    /// comes in another.
    ///
    /// # Errors
    /// When a table's changes cannot be told apart by key, or the disk is full.
    pub(super) fn add(&mut self, all: Vec<Rows<'_>>) -> Result<()> {
        for Rows { table, changes } in all {
            if table.in_order && !self.look {
                return Err(one_by_one(format!(
                    ": the changes of {} have to be written one by one (a foreign key acts, or a \
                     unique index holds what the events do not carry)",
                    table.name
                )));
            }
            let known = self.tables.iter().position(|known| Arc::ptr_eq(known, &table));
            let index = known.unwrap_or_else(|| {
                self.tables.push(table.clone());
                self.events.push(0);
                self.untold.push((false, false));
                self.tables.len() - 1
            });
            self.events[index] += changes.len() as u64;
            let untold = &mut self.untold[index];
            untold.0 |= changes.iter().any(|change| change.partial);
            untold.1 |= changes.iter().any(|change| change.before.is_some());
            if !self.look && !table.has_key() && *untold == (true, true) {
                return Err(one_by_one(format!(
                    ": {} has no key, and rows are told without the columns that have their \
                     defaults: they are found in the source's order only",
                    table.name
                )));
            }
            for change in changes {
                self.change(index as u32, &table, change)?;
            }
        }
        Ok(())
    }

    fn change(&mut self, index: u32, table: &Table, change: Change<'_>) -> Result<()> {
        let part = |image: &Image<'_>| part(table, image, self.files.len(), self.look);
        let from = change.before.as_ref().map(&part).transpose()?;
        let to = change.after.as_ref().map(part).transpose()?;
        match (from, to) {
            (Some(from), Some(to)) if from != to => {
                if change.partial {
                    return Err(Error::stopped(
                        Means::Net
                            + format!(
                                ": {} (message {}): a row gets another key, and its image lacks \
                                 columns",
                                table.name, change.seq
                            ),
                    )
                    .help("run without " + Means::Net));
                }
                let gone = Change { after: None, ..change.clone() };
                self.put(from, index, &gone)?;
                self.put(to, index, &Change { before: None, ..change })
            }
            (Some(part), _) | (None, Some(part)) => self.put(part, index, &change),
            (None, None) => Ok(()),
        }
    }

    fn put(&mut self, part: usize, index: u32, change: &Change<'_>) -> Result<()> {
        self.record.clear();
        encode(&mut self.record, index, change);
        self.files[part].write_all(&self.record).context("temporary file")
    }

    /// The tables, in the order of [`Spill::events`], and the parts.
    ///
    /// # Errors
    /// When the disk is full.
    pub(super) fn finish(self) -> Result<Parts> {
        let whole = |file: BufWriter<File>| file.into_inner().map_err(|e| e.into_error());
        let files = self.files.into_iter().map(whole).collect::<std::io::Result<_>>();
        Ok(Parts { files: files.context("temporary files")?, tables: self.tables })
    }
}

/// What cannot be folded.
fn one_by_one(why: String) -> Error {
    let help =
        ("leave the table out with {}, or run without {}", [Means::ExcludeTable, Means::Net]);
    Error::stopped(Means::Net + why).help(help)
}

/// Equal rows are in one part: those of a key, or where there is none those of the same content.
/// For a look so are keys that a collation may take for the same.
fn part(table: &Table, image: &Image<'_>, parts: usize, look: bool) -> Result<usize> {
    let mut hash = Xxh3Default::new();
    let mut add = |text: &str| {
        hash.update(text.as_bytes());
        hash.update(&[0]);
    };
    match table.has_key() {
        true if look => image.key(table)?.into_iter().for_each(|value| add(&typed::fold(value))),
        true => image.key(table)?.into_iter().for_each(|value| add(value.0)),
        false => image.0.iter().for_each(|value| add(value.map_or("", |v| v.0))),
    }
    Ok((hash.digest() % parts as u64) as usize)
}

fn encode(out: &mut Vec<u8>, table: u32, change: &Change<'_>) {
    let flags = u8::from(change.before.is_some())
        | u8::from(change.after.is_some()) << 1
        | u8::from(change.overwrite) << 2
        | u8::from(change.partial) << 3;
    let start = out.len();
    out.extend_from_slice(&table.to_le_bytes());
    out.extend_from_slice(&change.seq.to_le_bytes());
    out.push(flags);
    out.extend_from_slice(&[0; 4]);
    for value in [&change.before, &change.after].into_iter().flatten().flat_map(|image| &image.0) {
        let length = value.map_or(0, |v| v.0.len() as u32 + 1);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(value.map_or("", |v| v.0).as_bytes());
    }
    let length = ((out.len() - start - HEADER) as u32).to_le_bytes();
    out[start + HEADER - 4..start + HEADER].copy_from_slice(&length);
}

impl Parts {
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn tables(&self) -> &[Arc<Table>] {
        &self.tables
    }

    /// A part's records, as many as are left after folding what goes into one slice. To be read
    /// by [`Parts::rows`].
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn load(&self, part: usize) -> Result<Vec<u8>> {
        let mut file = &self.files[part];
        file.rewind().context("temporary file")?;
        let (mut folded, mut read) = (Vec::new(), Vec::new());
        loop {
            // What has been folded so far, then as much again: the work stays linear.
            let most = folded.len().max(FOLD_BYTES) as u64;
            let more = file.take(most).read_to_end(&mut read).context("temporary file")?;
            let whole = whole_records(&read)?;
            folded.extend_from_slice(&read[..whole]);
            read.drain(..whole);
            if (more as u64) < most {
                return if read.is_empty() { Ok(folded) } else { Err(broken()) };
            }
            if let Some(less) = self.folded(&folded)? {
                folded = less;
            }
        }
    }

    /// The records that come to the same; none when they do not follow one another (others between
    /// them were not selected), so that all have to be kept.
    fn folded(&self, records: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut out = Vec::new();
        for (index, rows) in self.rows(records)?.iter().enumerate() {
            let (nets, taken) = fold(&rows.table, &rows.changes)?;
            if taken < rows.changes.len() {
                return Ok(None);
            }
            for net in nets {
                let change = Change {
                    seq: net.seq,
                    before: net.before.cloned(),
                    after: net.after.cloned(),
                    overwrite: net.overwrite,
                    partial: net.after.is_some_and(|after| !after.lacking(&rows.table).is_empty()),
                };
                (0..net.times).for_each(|_| encode(&mut out, index as u32, &change));
            }
        }
        Ok(Some(out))
    }

    /// The changes in records, table by table.
    ///
    /// # Errors
    /// When the records are not whole.
    pub(super) fn rows<'r>(&self, records: &'r [u8]) -> Result<Vec<Rows<'r>>> {
        let empty = |table: &Arc<Table>| Rows { table: table.clone(), changes: Vec::new() };
        let mut all: Vec<Rows<'r>> = self.tables.iter().map(empty).collect();
        let mut rest = records;
        while !rest.is_empty() {
            let table = u32_at(rest, 0)? as usize;
            let seq = rest.get(4..12).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
            let (seq, flags) = (seq.ok_or_else(broken)?, *rest.get(12).ok_or_else(broken)?);
            let length = u32_at(rest, HEADER - 4)? as usize;
            let rows = all.get_mut(table).ok_or_else(broken)?;
            let mut cells = rest.get(HEADER..HEADER + length).ok_or_else(broken)?;
            let columns = rows.table.columns.len();
            let mut image = |has: bool| has.then(|| decode(&mut cells, columns)).transpose();
            let (before, after) = (image(flags & 1 != 0)?, image(flags & 2 != 0)?);
            let (overwrite, partial) = (flags & 4 != 0, flags & 8 != 0);
            rows.changes.push(Change { seq, before, after, overwrite, partial });
            rest = &rest[HEADER + length..];
        }
        complete(&mut all);
        Ok(all)
    }
}

fn decode<'r>(cells: &mut &'r [u8], columns: usize) -> Result<Image<'r>> {
    let mut image = vec![None; columns];
    for value in &mut image {
        let length = u32_at(cells, 0)? as usize;
        *cells = &cells[4..];
        let Some(length) = length.checked_sub(1) else { continue };
        let text = cells.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
        *value = Some(Value(text.ok_or_else(broken)?));
        *cells = &cells[length..];
    }
    Ok(Image(image.into()))
}

/// How many of the bytes are whole records.
fn whole_records(bytes: &[u8]) -> Result<usize> {
    let mut at = 0;
    while at + HEADER <= bytes.len() {
        let next = at + HEADER + u32_at(bytes, at + HEADER - 4)? as usize;
        if next > bytes.len() {
            break;
        }
        at = next;
    }
    Ok(at)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
    bytes.map(u32::from_le_bytes).ok_or_else(broken)
}

fn broken() -> Error {
    Error::failed("temporary file: not what was written to it")
}
