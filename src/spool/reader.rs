//! The read side: many readers, also while a writer appends.
//!
//! A reader believes the index, which is written only after the frame is on disk.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::frame::Frame;
use super::index::Index;
use super::index_read::FrameRow;
use super::indexer::Indexer;
use super::lock::{Lock, Purpose};
use super::packed::{self, Closed};
use super::recovery;
use super::segment::{self, SegmentReader};
use super::types::{
    BadFrame, Bootstrap, Damaged, DdlRef, End, Epoch, Gap, Order, SegmentInfo, Seq, Transaction,
};
use crate::error::{Context, Error, Result};
use crate::event::TableName;

/// Frames asked of the index at a time.
const CHUNK: u64 = 128;

/// A spool, open for reading.
pub struct Spool {
    dir: PathBuf,
    index: Index,
    id: String,
}

impl Spool {
    /// Opens a spool. An index that is missing or behind is brought up to date first, unless a
    /// writer does so already.
    ///
    /// # Errors
    /// When there is no spool, or a file of it cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        if !dir.is_dir() || segment::list(dir)?.is_empty() {
            return Err(Error::usage(format!("{}: no spool here", dir.display()))
                .help("binsync capture or binsync import fills one; --spool names it"));
        }
        let index = current_index(dir)?;
        let id = index.get("spool")?.unwrap_or_default();
        Ok(Self {
            dir: dir.into(),
            index,
            id,
        })
    }

    /// Its id, 32 hex digits, given when it was made.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where it ends.
    ///
    /// # Errors
    /// When the index cannot be read; so for all questions below.
    pub fn end(&self) -> Result<End> {
        self.index.end()
    }

    /// Sees what was added since, also by another process.
    ///
    /// # Errors
    /// As [`Spool::open`].
    pub fn refresh(&mut self) -> Result<()> {
        self.index = current_index(&self.dir)?;
        Ok(())
    }

    /// Frames that hold a record of `range`, read one at a time. A frame that cannot be read is an
    /// error that names it; the walk may go on behind it.
    pub fn frames(
        &self,
        range: Range<Seq>,
        order: Order,
    ) -> impl Iterator<Item = Result<Frame>> + Send + use<> {
        let dir = self.dir.clone();
        let mut walk = Frames {
            state: None,
            dir,
            range,
            order,
            ahead: VecDeque::new(),
        };
        std::iter::from_fn(move || walk.next().transpose())
    }

    /// Transactions whose last record lies in `range`, by that record.
    pub fn transactions(
        &self,
        range: Range<Seq>,
        order: Order,
    ) -> impl Iterator<Item = Result<Transaction>> + Send + use<> {
        let dir = self.dir.clone();
        let ahead = VecDeque::new();
        let mut walk = Transactions {
            state: None,
            dir,
            range,
            firsts: 0..0,
            order,
            ahead,
        };
        std::iter::from_fn(move || walk.next().transpose())
    }

    /// One record's bytes.
    ///
    /// # Errors
    /// When it is not stored or its frame cannot be read.
    pub fn record(&self, seq: Seq) -> Result<Vec<u8>> {
        let row = self
            .index
            .frame_of(seq)?
            .filter(|row| row.first + row.records > seq);
        let row = row.ok_or_else(|| {
            Error::failed(format!("{}: no record {seq}", self.dir.display()))
                .help("binsync spool ls shows which records there are")
        })?;
        let (_, frame) = SegmentReader::new(&self.dir)?.read(row.place)?;
        Ok(frame.get((seq - frame.first()) as usize).bytes.to_vec())
    }

    /// Every DDL message that is no re-send.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn ddl(&self) -> Result<Vec<DdlRef>> {
        self.index.ddl()
    }

    /// Every copy of a table by the producer.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn bootstraps(&self) -> Result<Vec<Bootstrap>> {
        self.index.bootstraps()
    }

    /// Every hole noticed in the stream.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn gaps(&self) -> Result<Vec<Gap>> {
        self.index.gaps()
    }

    /// The epochs, of which there is at least one.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn epochs(&self) -> Result<Vec<Epoch>> {
        self.index.epochs()
    }

    /// Records of `range` that could not be read.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn damaged(&self, range: Range<Seq>) -> Result<Vec<Damaged>> {
        self.index.damaged(&range)
    }

    /// Unreadable stretches of the segments.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn bad_frames(&self) -> Result<Vec<BadFrame>> {
        self.index.bad_frames()
    }

    /// The segments.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn segments(&self) -> Result<Vec<SegmentInfo>> {
        self.index.segments()
    }

    /// Snapshots of table definitions, by rising sequence.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn snapshots(&self) -> Result<Vec<(Seq, Vec<u8>)>> {
        super::snapshots(&self.dir)
    }
}

/// The index as far as it can be brought.
fn current_index(dir: &Path) -> Result<Index> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        // An index that cannot be opened is built anew below, so why does not matter here.
        let index = Index::open_read(dir)
            .ok()
            .flatten()
            .filter(|i| i.get("spool").is_ok());
        if let Some(index) = index.filter(|index| is_complete(dir, index).unwrap_or(false)) {
            return Ok(index);
        }
        if let Some(lock) = Lock::try_take(dir, Purpose::Index)? {
            catch_up(dir)?;
            drop(lock);
            let built = Index::open_read(dir)?;
            return built.ok_or_else(|| Error::failed("index.sqlite: cannot be built"));
        }
        // A writer is alive: what it has indexed so far is good.
        if let Some(index) = Index::open_read(dir).ok().flatten()
            && index.get("spool").is_ok_and(|id| id.is_some())
        {
            return Ok(index);
        }
        if Instant::now() > deadline {
            return Err(Error::failed(format!(
                "{}: another process is still building the index",
                dir.display()
            ))
            .help("try again in a moment"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn catch_up(dir: &Path) -> Result<()> {
    let spool = recovery::spool_id(dir)?.ok_or_else(|| {
        Error::usage(format!("{}: the spool is empty", dir.display()))
            .help("binsync capture or binsync import fills it")
    })?;
    let (mut indexer, _) = Indexer::open(dir)?;
    indexer.catch_up(spool).map(drop)
}

/// True when the index covers all bytes of the segments.
fn is_complete(dir: &Path, index: &Index) -> Result<bool> {
    let Some((live, bytes)) = index.live()? else {
        return Ok(false);
    };
    let path = segment::path(dir, live);
    let size = path.metadata().context(path.display())?.len();
    Ok(segment::list(dir)?.last() == Some(&live) && size == bytes)
}

/// Opens the index for a walk of its own.
fn open_index(dir: &Path) -> Result<Index> {
    Index::open_read(dir)?.ok_or_else(|| {
        Error::failed(format!("{}: the index was removed", dir.display()))
            .help("run the command again")
    })
}

struct Frames {
    state: Option<(Index, SegmentReader)>,
    dir: PathBuf,
    range: Range<Seq>,
    order: Order,
    ahead: VecDeque<FrameRow>,
}

impl Frames {
    fn next(&mut self) -> Result<Option<Frame>> {
        if self.ahead.is_empty() && !self.fill().inspect_err(|_| self.range = 0..0)? {
            return Ok(None);
        }
        let Some(row) = self.ahead.pop_front() else {
            return Ok(None);
        };
        let Some((_, segments)) = &mut self.state else {
            return Ok(None);
        };
        let (header, mut frame) = segments.read(row.place)?;
        if header.first != row.first || header.lengths.len() as u64 != row.records {
            return Err(segment::unreadable(
                "not the frame the index knows",
                row.place,
            ));
        }
        (frame.resend, frame.damaged) = (row.resend, row.damaged);
        Ok(Some(frame))
    }

    /// Asks for the next frames; false when there are none.
    fn fill(&mut self) -> Result<bool> {
        if self.range.is_empty() {
            return Ok(false);
        }
        if self.state.is_none() {
            self.state = Some((open_index(&self.dir)?, SegmentReader::new(&self.dir)?));
        }
        let Some((index, _)) = &self.state else {
            return Ok(false);
        };
        self.ahead = index.frames(&self.range, self.order, CHUNK)?.into();
        match (self.ahead.back(), self.order) {
            (Some(last), Order::Forward) => self.range.start = last.first + last.records,
            (Some(last), Order::Reverse) => self.range.end = last.first,
            (None, _) => return Ok(false),
        }
        Ok(true)
    }
}

struct Transactions {
    state: Option<(Index, Names)>,
    dir: PathBuf,
    range: Range<Seq>,
    /// First sequences of the frames still to be read.
    firsts: Range<Seq>,
    order: Order,
    ahead: VecDeque<Closed>,
}

/// What packed transactions are resolved with.
#[derive(Default)]
struct Names {
    tables: Vec<TableName>,
    epochs: Vec<Epoch>,
}

impl Transactions {
    fn next(&mut self) -> Result<Option<Transaction>> {
        while self.ahead.is_empty() {
            if !self.fill().inspect_err(|_| self.range = 0..0)? {
                return Ok(None);
            }
        }
        let (Some(closed), Some((index, names))) = (self.ahead.pop_front(), &mut self.state) else {
            return Ok(None);
        };
        names.resolve(index, closed).map(Some)
    }

    fn fill(&mut self) -> Result<bool> {
        if self.range.is_empty() {
            return Ok(false);
        }
        if self.state.is_none() {
            let index = open_index(&self.dir)?;
            self.firsts = index.frame_start(self.range.start)?..self.range.end;
            self.state = Some((index, Names::default()));
        }
        let Some((index, _)) = &self.state else {
            return Ok(false);
        };
        let frames = index.transactions(&self.firsts, self.order, CHUNK)?;
        match (frames.last(), self.order) {
            (Some((last, _)), Order::Forward) => self.firsts.start = last + 1,
            (Some((last, _)), Order::Reverse) => self.firsts.end = *last,
            (None, _) => return Ok(false),
        }
        for (first, blob) in frames {
            let closed = packed::unpack(first, &blob)
                .ok_or_else(|| Error::failed("index: packed transactions"))?;
            let inside = closed.into_iter().filter(|t| self.range.contains(&t.last));
            match self.order {
                Order::Forward => self.ahead.extend(inside),
                Order::Reverse => {
                    let inside: Vec<Closed> = inside.collect();
                    self.ahead.extend(inside.into_iter().rev());
                }
            }
        }
        Ok(true)
    }
}

impl Names {
    fn resolve(&mut self, index: &Index, t: Closed) -> Result<Transaction> {
        let known = |names: &Self| {
            t.tables
                .iter()
                .all(|(id, _)| (*id as usize) < names.tables.len())
                && names
                    .epoch(t.epoch)
                    .is_some_and(|e| e.base.is_some() || t.position.is_none())
        };
        // A live writer may have added names since they were read.
        if !known(self) {
            (self.tables, self.epochs) = (index.tables()?, index.epochs()?);
        }
        let base = self
            .epoch(t.epoch)
            .and_then(|e| e.base.clone())
            .unwrap_or_default();
        let name = |id: u32| {
            let name = self.tables.get(id as usize).cloned();
            name.ok_or_else(|| Error::failed("index: a table without name"))
        };
        let tables = t.tables.iter().map(|&(id, counts)| Ok((name(id)?, counts)));
        Ok(Transaction {
            first: t.first,
            last: t.last,
            epoch: t.epoch,
            ts: t.ts,
            xid: t.xid,
            position: t.position.map(|(file, offset)| (base, file, offset)),
            thread_id: t.thread_id,
            server_id: t.server_id,
            kind: t.kind,
            tables: tables.collect::<Result<_>>()?,
        })
    }

    fn epoch(&self, number: u32) -> Option<&Epoch> {
        self.epochs.get((number as usize).checked_sub(1)?)
    }
}
