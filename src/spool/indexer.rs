//! Brings the index up to date: segments → records → tracker → index.
//!
//! The same steps whether a frame was just written or is read again, so that an index built anew
//! gives the same answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{Header, SpoolId};
use super::frame::{Frame, Place};
use super::index::{self, Index, Val, int, maybe_int};
use super::index_write::NewFrame;
use super::keyed::Keyed;
use super::keys_index::Floor;
use super::lookup::{Lookup, Storage};
use super::notes::Notes;
use super::packed;
use super::scan::{Found, Scan, Unread};
use super::segment::{self, Decoder, SegmentReader};
use super::tables::Tables;
use super::tracker::{Item, RECENT_DDL, RECENT_XIDS, Tracker};
use super::types::{BadFrame, GapKind, Order, Seq, Summary, TransactionKind};
use super::widths::Widths;
use crate::error::{Context, Error, Result};
use crate::event::def::TableDef;
use crate::event::{Body, Event, maxwell};

/// Frames that go into one change of the index.
const BATCH: usize = 32;

/// The index, open for writing; its holder holds the spool's lock.
pub(super) struct Indexer {
    dir: PathBuf,
    index: Index,
    tracker: Tracker,
    lookup: Lookup,
    next: Seq,
    tables: usize,
    pending: usize,
    keyed: Keyed,
    widths: Widths,
    /// The segment of the last frame, and the least number of rows of its biggest transactions.
    segment: Seq,
    floor: Floor,
    /// What was indexed through this value.
    pub(super) counts: Summary,
}

impl Indexer {
    /// Opens the index, beginning anew when it is none of ours or does not fit the segments; the
    /// second value says why then. To be followed by [`Indexer::catch_up`].
    pub(super) fn open(dir: &Path) -> Result<(Self, Option<String>)> {
        let known = index::path(dir).exists();
        let reason = match Self::open_fitting(dir) {
            Ok(Ok(indexer)) => return Ok((indexer, None)),
            Ok(Err(reason)) => reason,
            Err(e) => e.to_string(),
        };
        index::delete(dir)?;
        match Self::open_fitting(dir)? {
            Ok(indexer) => Ok((indexer, known.then_some(reason))),
            Err(reason) => Err(Error::failed(format!("index.sqlite: {reason}"))),
        }
    }

    fn open_fitting(dir: &Path) -> Result<Result<Self, String>> {
        let Some(index) = Index::open(dir)? else {
            return Ok(Err("it is of another version".into()));
        };
        if let Some((last, crc)) = index.last_frame()? {
            let header = SegmentReader::new(dir)?.header(last.place);
            if !header.is_ok_and(|h| h.first == last.first && h.body_crc == crc) {
                return Ok(Err(format!("it knows a frame ({}) that is not there", last.place)));
            }
        }
        let tracker = resume(&index)?;
        let next = index.end()?.next;
        let tables = tracker.tables.names().len();
        let (dir, lookup, counts) = (dir.to_owned(), Lookup::new(dir)?, Summary::default());
        let mut keyed = Keyed::default();
        for (id, columns) in index.key_columns_in_force()? {
            if let Some(name) = tracker.tables.names().get(id as usize) {
                keyed.learn(id, name.clone(), columns);
            }
        }
        let segment = index.live()?.map_or(0, |live| live.0);
        let floor = Floor::default();
        Ok(Ok(Self {
            dir,
            index,
            tracker,
            lookup,
            next,
            tables,
            pending: 0,
            keyed,
            widths: Widths::default(),
            segment,
            floor,
            counts,
        }))
    }

    /// The sequence after the last indexed.
    pub(super) fn next(&self) -> Seq {
        self.next
    }

    /// The index, for questions.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// Reads what the segments hold beyond the index, and returns how many records that were.
    pub(super) fn catch_up(&mut self, spool: SpoolId) -> Result<u64> {
        let live = self.index.live()?;
        let segments = segment::list(&self.dir)?;
        let before = self.next;
        let mut decoder = Decoder::new()?;
        let mut bad: Option<(Seq, Unread)> = None;
        if live.is_none() {
            self.next = segments.first().copied().unwrap_or(1);
        }
        for &segment in segments.iter().filter(|&&s| live.is_none_or(|(l, _)| s >= l)) {
            let from = live.filter(|l| l.0 == segment).map_or(0, |l| l.1);
            let mut scan = Scan::open(&self.dir, segment, from)?;
            while let Some(found) = scan.next()? {
                match found {
                    Found::Frame { place, header, .. } if header.spool != spool => {
                        return Err(Error::failed(format!(
                            "{place}: belongs to another spool ({}, this one is {spool})",
                            header.spool
                        ))
                        .help("move that file out of the spool's directory"));
                    }
                    Found::Frame { place, header, .. } if header.first < self.next => {
                        let reason = format!("record {} comes a second time", header.first);
                        let (offset, bytes) = (place.offset, place.len);
                        self.add_bad(segment, &Unread { offset, bytes, reason }, self.next)?;
                    }
                    Found::Frame { place, header, body } => match decoder
                        .decode(&header, &body, place)
                    {
                        Ok(frame) => {
                            self.hole(segment, bad.take(), place, header.first)?;
                            self.add(&header, Arc::new(frame))?;
                        }
                        Err(e) => {
                            let (offset, bytes, reason) = (place.offset, place.len, e.to_string());
                            bad.get_or_insert((segment, Unread { offset, bytes, reason }));
                        }
                    },
                    Found::Bad(unread) => {
                        bad.get_or_insert((segment, unread));
                    }
                    Found::Torn(unread) if Some(&segment) != segments.last() => {
                        bad.get_or_insert((segment, unread));
                    }
                    // The writer's start cuts it.
                    Found::Torn(_) => {}
                }
            }
        }
        self.save(spool)?;
        Ok(self.next - before)
    }

    /// Notes what lies between the last whole frame and the one at `place`.
    fn hole(
        &mut self,
        segment: Seq,
        bad: Option<(Seq, Unread)>,
        place: Place,
        first: Seq,
    ) -> Result<()> {
        match bad {
            Some((at, unread)) => self.add_bad(at, &unread, first),
            None if first > self.next => {
                let reason = "records are missing before this frame".to_owned();
                self.add_bad(segment, &Unread { offset: place.offset, bytes: 0, reason }, first)
            }
            None => Ok(()),
        }
    }

    fn add_bad(&mut self, segment: Seq, unread: &Unread, next: Seq) -> Result<()> {
        self.begin()?;
        let bad = BadFrame {
            segment: segment::name(segment),
            offset: unread.offset,
            bytes: unread.bytes,
            lost: self.next..next,
            reason: unread.reason.clone(),
        };
        self.index.add_bad_frame(segment, &bad)
    }

    /// Indexes a frame; what is added is seen by readers after [`Indexer::save`].
    pub(super) fn add(&mut self, header: &Header, frame: Arc<Frame>) -> Result<()> {
        self.begin()?;
        let event = serde_json::to_string(&self.tracker.event_rows()).context("index")?;
        let mut notes = Notes::default();
        self.lookup.begin(Arc::clone(&frame));
        for (index, record) in frame.records().enumerate() {
            let parsed = maxwell::parse(record.bytes);
            let (seq, len) = (record.seq, record.bytes.len() as u64);
            let item = Item { seq, index, len, event: &parsed };
            let mut stored = Storage { lookup: &mut self.lookup, index: &self.index };
            self.tracker.feed(&item, &mut stored, &mut notes)?;
            if let Ok(event) = &parsed
                && !notes.resend.contains(index)
            {
                self.add_key(seq, event);
            }
        }
        self.lookup.end();
        note_maybe_twice(header, &mut notes);
        for (id, name) in self.tracker.tables.names().iter().enumerate().skip(self.tables) {
            self.index.add_table(id as u64, name)?;
        }
        self.tables = self.tracker.tables.names().len();
        let new = NewFrame { place: frame.place, header, event: &event };
        if frame.place.segment != self.segment {
            self.index.merge_keys(frame.place.segment)?;
            (self.segment, self.floor) = (frame.place.segment, Floor::default());
        }
        self.index.add_frame(&new, &notes)?;
        self.index.add_biggest(frame.place.segment, &notes, &mut self.floor)?;
        self.index.add_frame_keys(frame.first, &self.keyed.take())?;
        for (table, columns, since) in self.keyed.news.drain(..) {
            self.index.add_key_columns(table, &columns, since)?;
        }
        self.next = header.end();
        self.count(&notes, frame.len());
        self.pending += 1;
        if self.pending >= BATCH {
            self.save(header.spool)?;
        }
        Ok(())
    }

    /// Takes what a message says of keys.
    fn add_key(&mut self, seq: Seq, event: &Event<'_>) {
        match event.body {
            _ if event.meta.is_housekeeping() => {}
            Body::Row { .. } => {
                let table = self.tracker.tables.id(&event.meta);
                self.keyed.row(table, seq, event);
                self.widths.row(table, seq, event);
            }
            Body::Ddl { def: Some(def), .. } => {
                if let Ok(def) = TableDef::parse(def) {
                    let id = self.tracker.tables.id_of(&def.database, &def.table);
                    self.keyed.define(id, seq, &def);
                }
            }
            _ => {}
        }
    }

    fn count(&mut self, notes: &Notes, records: usize) {
        self.counts.records += records as u64;
        self.counts.transactions += notes.closed.len() as u64;
        let alone = notes.closed.iter().filter(|t| t.kind == TransactionKind::Alone);
        self.counts.alone += alone.count() as u64;
        self.counts.resends += notes.resend.count();
        self.counts.damaged += notes.damages.len() as u64;
        self.counts.gaps += notes.gaps.len() as u64;
        let begun = |e: &&super::types::Epoch| e.base.is_none();
        self.counts.epochs += notes.epochs.iter().filter(begun).count() as u64;
    }

    fn begin(&mut self) -> Result<()> {
        if self.pending == 0 {
            self.index.begin()?;
            self.pending = 1;
        }
        Ok(())
    }

    /// Makes what was added visible to readers.
    pub(super) fn save(&mut self, spool: SpoolId) -> Result<()> {
        self.begin()?;
        self.widths.save(&self.index)?;
        self.index.set("spool", Val::Text(&spool.to_string()))?;
        self.index.set("tracker", Val::Text(&self.tracker.save()?))?;
        self.index.set("next", int(self.next))?;
        self.index.set("open", maybe_int(self.tracker.open()))?;
        self.index.commit()?;
        self.pending = 0;
        Ok(())
    }

    /// True when something is added and not yet visible.
    pub(super) fn is_pending(&self) -> bool {
        self.pending > 0
    }
}

/// Notes the runs of records that may be stored twice. Those that the message itself tells to be
/// re-sends are in no doubt.
fn note_maybe_twice(header: &Header, notes: &mut Notes) {
    let doubted = |i: &usize| header.maybe_twice[*i] && !notes.resend.contains(*i);
    let all: Vec<usize> = (0..header.maybe_twice.len()).filter(doubted).collect();
    for run in all.chunk_by(|a, b| a + 1 == *b) {
        let [from, to] = [run[0], run[run.len() - 1]].map(|i| header.first + i as u64);
        let detail = format!(
            "messages {from} to {to} were handed out a second time, and what they say does not \
             tell whether they are some of those stored before them"
        );
        notes.gap(from, GapKind::MaybeTwice, detail);
    }
}

/// The tracker as it was when the index was saved.
fn resume(index: &Index) -> Result<Tracker> {
    let Some(state) = index.get("tracker")? else {
        return Ok(Tracker::default());
    };
    let mut tables = Tables::default();
    for name in index.tables()? {
        tables.add(name);
    }
    let mut tracker = Tracker::resume(&state, tables)?;
    for hash in index.ddl_hashes(RECENT_DDL)?.into_iter().rev() {
        tracker.remember_ddl(hash);
    }
    for (xid, first) in recent_xids(index)?.into_iter().rev() {
        tracker.remember_xid(xid, first);
    }
    Ok(tracker)
}

/// The last transactions without position, newest first.
fn recent_xids(index: &Index) -> Result<Vec<(u64, Seq)>> {
    let mut recent = Vec::new();
    let mut before = Seq::MAX;
    let mut looked = 0;
    while recent.len() < RECENT_XIDS && looked < RECENT_XIDS {
        let frames = index.transactions(&(0..before), Order::Reverse, 256)?;
        let Some((first, _)) = frames.last() else {
            break;
        };
        before = *first;
        for (frame, blob) in frames {
            let closed = packed::unpack(frame, &blob)
                .ok_or_else(|| Error::failed("index: packed transactions"))?;
            looked += closed.len();
            let bare = closed.iter().rev().filter(|t| t.position.is_none());
            recent.extend(bare.filter_map(|t| Some((t.xid?, t.first))));
        }
    }
    recent.truncate(RECENT_XIDS);
    Ok(recent)
}
