//! Walks through frames and transactions, lazily: a chunk of index rows at a time.

use std::collections::VecDeque;
use std::ops::Range;

use super::frame::Frame;
use super::home::Home;
use super::index::{Index, damaged};
use super::index_read::FrameRow;
use super::packed::{self, Closed};
use super::segment::{self, SegmentReader};
use super::types::{Epoch, Order, Seq, Transaction};
use crate::error::{Error, Result};
use crate::event::TableName;

/// Frames asked of the index at a time.
const CHUNK: u64 = 128;
/// Frames whose transactions are asked for first: often the first transaction is all.
const FIRST_CHUNK: u64 = 1;

/// Opens the index for a walk of its own.
fn open_index(home: &Home) -> Result<Index> {
    Index::open_read(home.index())?.ok_or_else(|| {
        Error::failed(format!("{}: the index was removed", home.dir().display()))
            .help("run the command again")
    })
}

/// Frames by sequence, one decoded at a time.
pub(super) struct Frames {
    state: Option<(Index, SegmentReader)>,
    home: Home,
    range: Range<Seq>,
    order: Order,
    ahead: VecDeque<FrameRow>,
}

impl Frames {
    /// A walk with an index connection of its own.
    pub(super) fn new(home: &Home, range: Range<Seq>, order: Order) -> Self {
        Self { state: None, home: home.clone(), range, order, ahead: VecDeque::new() }
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> Result<Option<Frame>> {
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
            return Err(segment::unreadable("not the frame the index knows", row.place));
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
            self.state = Some((open_index(&self.home)?, SegmentReader::new(self.home.dir())?));
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

/// Transactions by last record, some frames' worth at a time.
pub(super) struct Transactions {
    state: Option<(Index, Names)>,
    home: Home,
    range: Range<Seq>,
    /// First sequences of the frames still to be read.
    firsts: Range<Seq>,
    order: Order,
    chunk: u64,
    ahead: VecDeque<Closed>,
}

/// What packed transactions are resolved with.
#[derive(Default)]
struct Names {
    tables: Vec<TableName>,
    epochs: Vec<Epoch>,
}

impl Transactions {
    /// A walk with an index connection of its own.
    pub(super) fn new(home: &Home, range: Range<Seq>, order: Order) -> Self {
        let (home, ahead) = (home.clone(), VecDeque::new());
        Self { state: None, home, range, firsts: 0..0, order, chunk: FIRST_CHUNK, ahead }
    }

    /// The next transaction.
    pub(super) fn next(&mut self) -> Result<Option<Transaction>> {
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
            let index = open_index(&self.home)?;
            self.firsts = index.frame_start(self.range.start)?..self.range.end;
            self.state = Some((index, Names::default()));
        }
        let Some((index, _)) = &self.state else {
            return Ok(false);
        };
        let frames = index.transactions(&self.firsts, self.order, self.chunk)?;
        self.chunk = (self.chunk * 4).min(CHUNK);
        match (frames.last(), self.order) {
            (Some((last, _)), Order::Forward) => self.firsts.start = last + 1,
            (Some((last, _)), Order::Reverse) => self.firsts.end = *last,
            (None, _) => return Ok(false),
        }
        for (first, blob) in frames {
            let closed =
                packed::unpack(first, &blob).ok_or_else(|| damaged("packed transactions"))?;
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
            t.tables.iter().all(|(id, _)| (*id as usize) < names.tables.len())
                && names.epoch(t.epoch).is_some_and(|e| e.base.is_some() || t.position.is_none())
        };
        // A live writer may have added names since they were read.
        if !known(self) {
            (self.tables, self.epochs) = (index.tables()?, index.epochs()?);
        }
        let base = self.epoch(t.epoch).and_then(|e| e.base.clone()).unwrap_or_default();
        let name = |id: u32| {
            let name = self.tables.get(id as usize).cloned();
            name.ok_or_else(|| damaged("a table without name"))
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
