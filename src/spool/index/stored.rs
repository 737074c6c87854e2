//! What is stored already, for the tracker: finds messages by identity in the frames before.
//!
//! Re-sends come in the order of their first sending, so a few decoded frames are kept.

use std::path::Path;
use std::sync::Arc;

use super::db::Index;
use crate::error::{Error, Means, Result};
use crate::event::Direction;
use crate::event::maxwell;
use crate::spool::follow::resend::{Entry, EventRows, Ident, Stored};
use crate::spool::store::frame::Frame;
use crate::spool::store::key::key;
use crate::spool::store::segment_reader::SegmentReader;
use crate::spool::types::Seq;

/// Decoded frames kept.
const KEPT: usize = 4;

/// A frame with what it stores, re-sends left out, rising by sequence.
struct Decoded {
    frame: Arc<Frame>,
    entries: Vec<Entry>,
}

/// The lookups' memory: the frame being read and a few before it.
pub(crate) struct Lookup {
    segments: SegmentReader,
    current: Option<Decoded>,
    /// Statements of the current frame by place in the binlog.
    statements: Vec<((u64, u64), Seq)>,
    kept: Vec<Decoded>,
    /// Record found last: the next is likely behind it.
    last: Option<Seq>,
}

impl Lookup {
    /// Nothing kept yet.
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let segments = SegmentReader::new(dir)?;
        Ok(Self { segments, current: None, statements: Vec::new(), kept: Vec::new(), last: None })
    }

    /// Begins a frame.
    pub(crate) fn begin(&mut self, frame: Arc<Frame>) {
        let mut entries = self.current.take().map(|d| d.entries).unwrap_or_default();
        entries.clear();
        self.statements.clear();
        self.current = Some(Decoded { frame, entries });
    }

    /// Ends it: from now on the index knows its records.
    pub(crate) fn end(&mut self) {
        self.statements.clear();
        if let Some(current) = &mut self.current {
            current.entries.clear();
        }
    }

    /// Forgets frames that may be others by now.
    pub(crate) fn forget(&mut self) {
        self.kept.clear();
    }

    /// A frame of the index, decoded.
    fn decoded(&mut self, index: &Index, first: Seq) -> Result<&Decoded> {
        if let Some(i) = self.kept.iter().position(|d| d.frame.first == first) {
            let kept = self.kept.remove(i);
            self.kept.push(kept);
        } else {
            let row = index.frame_of(first)?.ok_or_else(|| missing(first))?;
            let (_, mut frame) = self.segments.read(row.place, &row.range())?;
            frame.resend = row.resend;
            frame.decrypt(key());
            let entries = entries(&frame, index.event_rows(row.first)?);
            if self.kept.len() == KEPT {
                self.kept.remove(0);
            }
            self.kept.push(Decoded { frame: Arc::new(frame), entries });
        }
        self.kept.last().ok_or_else(|| missing(first))
    }
}

fn missing(seq: Seq) -> Error {
    Error::failed(format!("index: record {seq} is not stored"))
        .help(Means::SpoolReindex + " builds the index anew")
}

/// What a stored frame holds, re-sends left out.
fn entries(frame: &Frame, mut event_rows: EventRows) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(frame.len());
    for record in frame.records() {
        let Ok(event) = maxwell::parse(record.text) else {
            continue;
        };
        let row = event.meta.op.is_row();
        let ident = if row { event_rows.next(&event) } else { None };
        if (row || event.meta.op.is_ddl()) && !record.resend {
            let xid = event.meta.xid.filter(|_| row);
            entries.push(Entry { seq: record.seq, ident, xid, row });
        }
    }
    entries
}

/// A [`Lookup`] together with the index it asks.
pub(crate) struct Storage<'a> {
    pub(crate) lookup: &'a mut Lookup,
    pub(crate) index: &'a Index,
}

impl Storage<'_> {
    /// The entry behind the one found last, if it is in a kept frame.
    fn next_entry(&self) -> Option<Entry> {
        let after = self.lookup.last? + 1;
        let frames = self.lookup.kept.iter().chain(&self.lookup.current);
        frames.flat_map(|d| first_from(&d.entries, after)).min_by_key(|e| e.seq)
    }
}

fn first_from(entries: &[Entry], seq: Seq) -> Option<Entry> {
    entries.get(entries.partition_point(|e| e.seq < seq)).copied()
}

impl Stored for Storage<'_> {
    fn remember(&mut self, entry: Entry) {
        if let Some(current) = &mut self.lookup.current {
            current.entries.push(entry);
        }
    }

    fn remember_ddl(&mut self, file: u64, offset: u64, seq: Seq) {
        self.lookup.statements.push(((file, offset), seq));
    }

    fn next_like(&mut self, ident: Ident) -> Result<Vec<Seq>> {
        let next = self.next_entry().filter(|e| e.ident == Some(ident));
        self.lookup.last = next.map(|e| e.seq).or(self.lookup.last);
        Ok(next.map(|e| e.seq).into_iter().collect())
    }

    fn rows_at(&mut self, ident: Ident, chains: usize) -> Result<Vec<Seq>> {
        let is = |e: &&Entry| e.ident == Some(ident);
        let mut found = self.index.strays_at(ident)?;
        let here = self.lookup.current.iter().flat_map(|d| &d.entries);
        found.extend(here.filter(is).map(|e| e.seq));
        let mut frames = Vec::new();
        for chain in 0..chains {
            frames.extend(self.index.frames_at(chain, ident)?);
        }
        for frame in frames {
            let entries = &self.lookup.decoded(self.index, frame)?.entries;
            found.extend(entries.iter().filter(is).map(|e| e.seq));
        }
        found.sort_unstable();
        found.dedup();
        found.reverse();
        self.lookup.last = found.first().copied();
        Ok(found)
    }

    fn next_from(&mut self, seq: Seq) -> Result<Option<Entry>> {
        // The frame that holds `seq` is likely kept; what is behind it in that frame comes first.
        let kept = self.lookup.kept.iter().find(|d| d.frame.range().contains(&seq));
        if let Some(entry) = kept.and_then(|d| first_from(&d.entries, seq)) {
            return Ok(Some(entry));
        }
        let mut from = seq;
        let current = self.lookup.current.as_ref().map_or(Seq::MAX, |d| d.frame.first);
        while from < current {
            let ahead = self.index.frames(&(from..current), Direction::Forward, 1)?;
            let Some(row) = ahead.first() else {
                break;
            };
            let next = row.first + row.records;
            let decoded = self.lookup.decoded(self.index, row.first)?;
            if let Some(entry) = first_from(&decoded.entries, from) {
                return Ok(Some(entry));
            }
            from = next;
        }
        Ok(self.lookup.current.as_ref().and_then(|d| first_from(&d.entries, from)))
    }

    fn ddl_at(&mut self, file: u64, offset: u64) -> Result<Vec<Seq>> {
        let here = self.lookup.statements.iter().rev().filter(|(at, _)| *at == (file, offset));
        let mut found: Vec<Seq> = here.map(|(_, seq)| *seq).collect();
        found.extend(self.index.ddl_at(file, offset)?);
        Ok(found)
    }

    fn record(&mut self, seq: Seq) -> Result<Vec<u8>> {
        let get = |frame: &Frame| frame.get((seq - frame.first) as usize).text.to_vec();
        if let Some(current) =
            self.lookup.current.as_ref().filter(|d| d.frame.range().contains(&seq))
        {
            return Ok(get(&current.frame));
        }
        let kept = self.lookup.kept.iter().find(|d| d.frame.range().contains(&seq));
        if let Some(kept) = kept {
            return Ok(get(&kept.frame));
        }
        match self.index.frame_of(seq)? {
            Some(row) => Ok(get(&self.lookup.decoded(self.index, row.first)?.frame)),
            // Of what was pruned the messages about statements are left.
            None => self.index.ddl_message(seq)?.ok_or_else(|| missing(seq)),
        }
    }
}
