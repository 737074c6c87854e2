//! Brings the index up to date: segments → records → tracker → index.
//!
//! The same steps whether a frame was just written or is read again, so that an index built anew
//! gives the same answers.

use std::sync::Arc;

use super::cipher::CIPHER;
use super::db::{self, Index, Val, int, maybe_int};
use super::fit::{self, Past, Torn};
use super::home::Home;
use super::keyed::Keyed;
use super::pruned::{Border, Known};
use super::stored::{Lookup, Storage};
use super::sums::Floor;
use super::write::NewFrame;
use crate::spool::follow::notes::Notes;
use crate::spool::store::format::{Header, SpoolId};
use crate::spool::store::frame::{Frame, Record};
use crate::spool::store::key::key;
use crate::spool::store::pruned::{self, Pruned};

use super::widths::Widths;
use super::zone::Zone;
use super::zones::Level;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::event::def::TableDef;
use crate::event::maxwell::{self, Damage, ENCRYPTED};
use crate::event::{Body, Event};
use crate::spool::follow::tracker::{Item, Tracker};
use crate::spool::store::segment;
use crate::spool::store::segment_reader::SegmentReader;
use crate::spool::types::{Seq, Summary, TransactionKind};

mod catch_up;
mod resume;
mod sealed;

/// Frames that go into one change of the index.
const BATCH: usize = 32;

/// What a record says, or why that is not known.
type Parsed<'f> = std::result::Result<Event<'f>, Damage>;

/// The index, open for writing; its holder holds the spool's lock.
pub(crate) struct Indexer {
    home: Home,
    index: Index,
    tracker: Tracker,
    lookup: Lookup,
    next: Seq,
    tables: usize,
    pending: usize,
    /// A message was decrypted for it.
    opened: bool,
    keyed: Keyed,
    widths: Widths,
    /// The segment of the last frame, and the least number of rows of its biggest transactions.
    segment: Seq,
    floor: Floor,
    /// What that segment holds, and how many records.
    zone: (Zone, u64),
    /// What is wrong with the end of the segments.
    torn: Option<Torn>,
    past: Past,
    /// The first segment that was not pruned.
    border: Seq,
    /// What was indexed through this value.
    pub(crate) counts: Summary,
}

/// An index that is to be built anew.
pub(crate) struct Unfit {
    /// Why.
    pub(crate) reason: String,
    /// It is not as it was written; otherwise it belongs to other files or another version.
    pub(crate) damaged: bool,
    past: Past,
}

impl Indexer {
    /// Opens the index, beginning anew when it is none of ours or does not fit the segments; the
    /// second value says why then. To be followed by [`Indexer::catch_up`].
    ///
    /// # Errors
    /// When the index is there and cannot be opened now (another process has locked it, the disk
    /// is full): it is left as it is.
    pub(crate) fn open(home: &Home) -> Result<(Self, Option<Unfit>)> {
        match Self::open_fitting(home)? {
            Ok(indexer) => Ok((indexer, None)),
            Err(unfit) => Ok((Self::begin_anew(home, unfit.past)?, Some(unfit))),
        }
    }

    /// Begins the index anew; what it knew of records that are gone is kept.
    ///
    /// # Errors
    /// When it cannot be deleted or made.
    pub(crate) fn anew(home: &Home) -> Result<Self> {
        let past = match Index::open_read(home.index()) {
            Ok(Some(index)) => Past::of(&index).unwrap_or_default(),
            Ok(None) => Past::default(),
            Err(e) if e.kind() == ErrorKind::Damaged => Past::default(),
            Err(e) => return Err(e),
        };
        Self::begin_anew(home, past)
    }

    /// The same, with what an index knew that is gone.
    ///
    /// # Errors
    /// As [`Indexer::anew`].
    pub(crate) fn begin_anew(home: &Home, past: Past) -> Result<Self> {
        db::delete(home.index())?;
        let opened = Self::open_fitting(home)?;
        let indexer = opened.map_err(|unfit| Error::failed(format!("index: {}", unfit.reason)))?;
        let past = past.or(indexer.past);
        Ok(Self { past, ..indexer })
    }

    fn open_fitting(home: &Home) -> Result<Result<Self, Unfit>> {
        let index = match Index::open(home.index()) {
            Ok(Some(index)) => index,
            Ok(None) => {
                let reason = "it is of another version".to_owned();
                return Ok(Err(Unfit { reason, damaged: false, past: Past::default() }));
            }
            Err(e) if e.kind() == ErrorKind::Damaged => {
                let reason = e.message().plain();
                return Ok(Err(Unfit { reason, damaged: true, past: Past::default() }));
            }
            Err(e) => return Err(e),
        };
        let past = Past::of(&index).unwrap_or_default();
        let unfit = |reason, damaged| Ok(Err(Unfit { reason, damaged, past }));
        match pruned::pruned(home.dir())?.map_or(Ok(()), |pruned| begin(home, &index, &pruned)) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::Damaged => return unfit(e.message().plain(), true),
            Err(e) => return Err(e),
        }
        match misfit(home, &index) {
            Ok(None) => {}
            Ok(Some(reason)) => return unfit(reason, false),
            Err(e) if e.kind() == ErrorKind::Damaged => return unfit(e.message().plain(), true),
            Err(e) => return Err(e),
        }
        if index.is_to_be_opened(home, key())? {
            return unfit("the producer's key is given now".into(), false);
        }
        match Self::resume(home, index) {
            Ok(indexer) => Ok(Ok(indexer)),
            Err(e) if e.kind() == ErrorKind::Damaged => unfit(e.message().plain(), true),
            Err(e) => Err(e),
        }
    }

    /// Goes on where the index was saved.
    fn resume(home: &Home, index: Index) -> Result<Self> {
        let mut tracker = resume::tracker(&index)?;
        let next = index.end()?.next;
        let pruned = pruned::pruned(home.dir())?;
        let mut keys = index.key_columns_in_force()?;
        let mut past = Past::kept(&index)?;
        if let Some(pruned) = pruned.as_ref().filter(|pruned| next < pruned.next) {
            let (known, _) = Known::read(home.dir())?;
            if index.live()?.is_none() {
                keys.clone_from(&known.border.keys);
            }
            tracker.judged = known.judged(pruned.segment);
            past = past.or(Past { next: pruned.next, captured: pruned.captured });
        }
        let tables = tracker.tables.names().len();
        let (lookup, counts) = (Lookup::new(home.dir())?, Summary::default());
        let mut keyed = Keyed::default();
        for (id, columns) in keys {
            if let Some(name) = tracker.tables.names().get(id as usize) {
                keyed.learn(id, name.clone(), columns);
            }
        }
        // Not that of the live one, which may have no frame with records yet.
        let segment = index.last_frame()?.map_or(0, |(row, _)| row.place.segment);
        let floor = Floor::default();
        let border = pruned.map_or(0, |pruned| pruned.segment);
        let zone = index.zone(Level::Segment, segment)?.unwrap_or_default();
        Ok(Self {
            home: home.clone(),
            index,
            tracker,
            lookup,
            next,
            tables,
            pending: 0,
            opened: false,
            keyed,
            widths: Widths::default(),
            segment,
            floor,
            zone,
            torn: None,
            past,
            border,
            counts,
        })
    }

    /// The sequence that the next record gets: records that came from a queue are gone for good
    /// when they are gone from the end, and what came after them was told by their numbers.
    pub(crate) fn goes_on_at(&self) -> Seq {
        self.next.max(self.past.captured)
    }

    /// The index, for questions.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Indexes a frame that was just written; what is added is seen by readers after
    /// [`Indexer::save`].
    pub(crate) fn add(&mut self, header: &Header, mut frame: Arc<Frame>) -> Result<()> {
        if key().is_some() {
            Arc::make_mut(&mut frame).decrypt(key());
        }
        self.hole(frame.place.segment, None, frame.place, header.first)?;
        (self.past, self.torn) = (Past::default(), None);
        let events = frame.records().map(|record| maxwell::parse(record.text));
        self.take(header, Arc::clone(&frame), events)
    }

    /// Indexes a frame by what its records say.
    fn take<'f>(
        &mut self,
        header: &Header,
        frame: Arc<Frame>,
        events: impl IntoIterator<Item = Parsed<'f>>,
    ) -> Result<()> {
        self.begin()?;
        self.opened |= frame.is_opened();
        if header.first == frame.place.segment {
            let (tracker, keys) = (self.tracker.save()?, self.keyed.in_force());
            self.index.add_border(header.first, &Border { tracker, keys })?;
        }
        let event = serde_json::to_string(&self.tracker.event_rows()).context("index")?;
        let (mut notes, mut zone) = (Notes::default(), Zone::default());
        self.lookup.begin(Arc::clone(&frame));
        for ((index, record), parsed) in frame.records().enumerate().zip(events) {
            let (seq, len) = (record.seq, record.bytes.len() as u64);
            let item = Item { seq, index, len, event: &parsed };
            let mut stored = Storage { lookup: &mut self.lookup, index: &self.index };
            self.tracker.feed(&item, &mut stored, &mut notes)?;
            if let Ok(event) = &parsed
                && !notes.resend.contains(index)
            {
                self.add_key(&record, event, &mut zone);
            }
        }
        self.lookup.end();
        // Found to have ended among what is gone.
        notes.closed.retain(|transaction| transaction.last >= self.border);
        notes.maybe_twice(header);
        notes.late(header);
        for (id, name) in self.tracker.tables.names().iter().enumerate().skip(self.tables) {
            self.index.add_table(id as u64, name)?;
        }
        self.tables = self.tracker.tables.names().len();
        let new = NewFrame { frame: &frame, header, event: &event };
        if frame.place.segment != self.segment {
            self.save_zone()?;
            self.index.merge_keys(frame.place.segment)?;
            (self.segment, self.floor) = (frame.place.segment, Floor::default());
            self.zone = Default::default();
        }
        self.index.add_frame(&new, &notes, zone, &mut self.zone.0)?;
        self.zone.1 = header.end() - self.segment;
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

    /// Takes what a message says of keys, and of what its frame holds.
    fn add_key(&mut self, record: &Record<'_>, event: &Event<'_>, zone: &mut Zone) {
        let seq = record.seq;
        if event.meta.is_housekeeping() {
            return;
        }
        let table = self.tracker.tables.id(&event.meta);
        zone.record(table, &event.meta);
        match event.body {
            Body::Row { .. } => {
                self.keyed.row(table, record, event);
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
        let encrypted = notes.damages.iter().filter(|note| note.reason == ENCRYPTED).count() as u64;
        self.counts.encrypted += encrypted;
        self.counts.damaged += notes.damages.len() as u64 - encrypted;
        self.counts.gaps += notes.gaps.len() as u64;
        let begun = |e: &&crate::spool::types::Epoch| e.base.is_none();
        self.counts.epochs += notes.epochs.iter().filter(begun).count() as u64;
    }

    fn save_zone(&self) -> Result<()> {
        let (zone, records) = &self.zone;
        match records {
            0 => Ok(()),
            records => self.index.put_zone(Level::Segment, self.segment, *records, zone),
        }
    }

    fn begin(&mut self) -> Result<()> {
        if self.pending == 0 {
            self.index.begin()?;
            self.pending = 1;
        }
        Ok(())
    }

    /// Makes what was added visible to readers.
    pub(crate) fn save(&mut self, spool: SpoolId) -> Result<()> {
        self.begin()?;
        self.widths.save(&self.index)?;
        self.save_zone()?;
        if let (true, Some(key)) = (self.opened, key()) {
            self.index.set(CIPHER, Val::Text(&key.mark()))?;
        }
        self.index.set("spool", Val::Text(&spool.to_string()))?;
        self.index.set("tracker", Val::Text(&self.tracker.save()?))?;
        self.index.set("next", int(self.next))?;
        self.index.set("open", maybe_int(self.tracker.open()))?;
        fit::keep(&self.index, self.torn.as_ref(), self.past)?;
        self.index.commit()?;
        self.pending = 0;
        Ok(())
    }

    /// True when something is added and not yet visible.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending > 0
    }
}

/// Has an index begin where the spool does, whatever was pruned since it was written.
///
/// # Errors
/// When it ends before that (damaged: it is to be built anew), or a file cannot be read or written.
fn begin(home: &Home, index: &Index, pruned: &Pruned) -> Result<()> {
    if index.get("tracker")?.is_none() {
        let (known, messages) = Known::read(home.dir())?;
        return index.begin_behind(pruned, &known, &messages);
    }
    if index.begins()? == Some(pruned.segment) {
        return Ok(());
    }
    if index.end()?.next < pruned.next {
        return Err(db::damaged("it ends before messages that were there when some were pruned"));
    }
    index.prune(pruned.segment)
}

/// Why an index does not fit the segments.
fn misfit(home: &Home, index: &Index) -> Result<Option<String>> {
    let fit = fit::fit(home.dir(), index)?;
    if let Some(bad) = fit.misfits.first() {
        return Ok(Some(format!("{}: {}", bad.segment, bad.reason)));
    }
    for segment in fit.sealed {
        if !index.adopt(home.dir(), segment)? {
            let name = segment::name(segment);
            return Ok(Some(format!(
                "{name}: it was sealed, and the index does not know all of it"
            )));
        }
    }
    let Some((last, crc)) = index.last_frame()? else { return Ok(None) };
    let header = SegmentReader::new(home.dir())?.header(last.place);
    let is_there = header.is_ok_and(|h| h.first == last.first && h.body_crc == crc);
    Ok((!is_there).then(|| format!("it knows a frame ({}) that is not there", last.place)))
}
