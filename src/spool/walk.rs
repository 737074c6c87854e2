//! Walks through frames and transactions, lazily, past what cannot hold what is looked for.

use std::collections::VecDeque;
use std::ops::Range;

use super::index::cipher::{self, Made};
use super::index::db::{Index, damaged};
use super::index::home::Home;
use super::index::zone::Zone;
use super::index::zones::{Survey, Walk};
use super::store::frame::Frame;
use super::store::key::key;
use super::store::pruned;
use super::store::segment_reader::SegmentReader;
use super::types::{Epoch, Numbered, Seq, Transaction};
use crate::error::{Error, Result};
use crate::event::{Direction, TableName};

/// Opens the index for a walk of its own.
fn open_index(home: &Home) -> Result<Index> {
    Index::open_read(home.index())?.ok_or_else(|| {
        Error::failed(format!("{}: the index was removed", home.dir().display()))
            .help("run the command again")
    })
}

/// Refuses a stretch of which rows are encrypted that cannot be read.
///
/// # Errors
/// As said (usage).
pub(super) fn check_key(index: &Index, home: &Home, range: &Range<Seq>) -> Result<()> {
    let made = index.made(home, key())?;
    match index.unread(range)? {
        Some(unread) => Err(cipher::unreadable(unread, made, key())),
        None if made == Made::WithOne => {
            Err(cipher::keyless("the rows of this spool are encrypted by the producer"))
        }
        None => Ok(()),
    }
}

/// Whether a frame or segment may hold what is looked for.
pub(super) type May = Box<dyn Fn(&Zone) -> bool + Send>;

/// Frames by sequence, one decoded at a time.
pub(super) struct Frames {
    state: Option<(Index, SegmentReader)>,
    home: Home,
    range: Range<Seq>,
    walk: Walk,
    may: May,
}

impl Frames {
    /// A walk with an index connection of its own.
    pub(super) fn new(home: &Home, range: Range<Seq>, direction: Direction, may: May) -> Self {
        let (home, walk) = (home.clone(), Walk::new(range.clone(), direction));
        Self { state: None, home, range, walk, may }
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> Result<Option<Frame>> {
        if self.state.is_none() {
            let index = open_index(&self.home)?;
            // What is encrypted is in no zone: it would be passed over without a word.
            let checked = check_key(&index, &self.home, &self.range);
            self.state = Some((index, SegmentReader::new(self.home.dir())?));
            checked.inspect_err(|_| self.walk.end())?;
        }
        let Some((index, segments)) = &mut self.state else { return Ok(None) };
        let next = self.walk.next(index, |zone, _| (self.may)(zone));
        let Some(part) = next.inspect_err(|_| self.walk.end())? else { return Ok(None) };
        let row = index.frame_of(part.start)?.filter(|row| part.end <= row.range().end);
        let row = row.ok_or_else(|| damaged("a frame is missing"))?;
        let read = segments.read(row.place, &row.range());
        let (_, mut frame) = read.map_err(|e| pruned::explained(self.home.dir(), row.place, e))?;
        (frame.resend, frame.damaged) = (row.resend, row.damaged);
        // The frame that was to come next may have been joined with others meanwhile.
        frame.cut(&part);
        frame.decrypt(key());
        Ok(Some(frame))
    }
}

/// Transactions by last record, those of a frame at a time.
pub(super) struct Transactions {
    state: Option<(Index, Names)>,
    home: Home,
    range: Range<Seq>,
    direction: Direction,
    walk: Walk,
    may: May,
    ahead: VecDeque<Numbered>,
}

impl Transactions {
    /// A walk with an index connection of its own.
    pub(super) fn new(home: &Home, range: Range<Seq>, direction: Direction, may: May) -> Self {
        let (home, walk) = (home.clone(), Walk::new(range.clone(), direction));
        Self { state: None, home, range, direction, walk, may, ahead: VecDeque::new() }
    }

    /// The next transaction, its tables by number.
    pub(super) fn next(&mut self) -> Result<Option<Numbered>> {
        if self.state.is_none() {
            self.state = Some((open_index(&self.home)?, Names::default()));
        }
        let Some((index, _)) = &mut self.state else { return Ok(None) };
        while self.ahead.is_empty() {
            let next = self.walk.next(index, |zone, _| (self.may)(zone));
            let Some(part) = next.inspect_err(|_| self.walk.end())? else { return Ok(None) };
            let all = index.transactions_of(&part).inspect_err(|_| self.walk.end())?;
            self.ahead.extend(all.into_iter().filter(|t| self.range.contains(&t.last)));
        }
        Ok(match self.direction {
            Direction::Forward => self.ahead.pop_front(),
            Direction::Reverse => self.ahead.pop_back(),
        })
    }

    /// A transaction of this walk, its tables by name.
    pub(super) fn named(&mut self, next: Option<Numbered>) -> Result<Option<Transaction>> {
        let Some((index, names)) = &mut self.state else { return Ok(None) };
        next.map(|closed| names.resolve(index, closed)).transpose()
    }
}

/// A transaction, its tables by name.
pub(super) fn named(index: &Index, t: Numbered) -> Result<Transaction> {
    Names::default().resolve(index, t)
}

/// The transaction of a stretch that comes first in a direction.
pub(super) fn first(
    index: &Index,
    range: Range<Seq>,
    direction: Direction,
) -> Result<Option<Transaction>> {
    let mut walk = Walk::new(range.clone(), direction);
    while let Some(part) = walk.next(index, |_, _| true)? {
        let all = index.transactions_of(&part)?;
        let mut inside = all.into_iter().filter(|t| range.contains(&t.last));
        let first = match direction {
            Direction::Forward => inside.next(),
            Direction::Reverse => inside.next_back(),
        };
        if let Some(first) = first {
            return named(index, first).map(Some);
        }
    }
    Ok(None)
}

/// Goes through the transactions of a stretch.
pub(super) fn survey(index: &Index, range: Range<Seq>, survey: &mut dyn Survey) -> Result<()> {
    let mut walk = Walk::new(range.clone(), Direction::Forward);
    while let Some(part) = walk.next(index, |zone, whole| survey.zone(zone, whole))? {
        for t in index.transactions_of(&part)? {
            if range.contains(&t.last) {
                survey.transaction(t);
            }
        }
    }
    Ok(())
}

/// What packed transactions are resolved with.
#[derive(Default)]
struct Names {
    tables: Vec<TableName>,
    epochs: Vec<Epoch>,
}

impl Names {
    fn resolve(&mut self, index: &Index, t: Numbered) -> Result<Transaction> {
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
            position: t.position.map(|position| position.with_base(base)),
            thread_id: t.thread_id,
            server_id: t.server_id,
            facts: t.facts,
            kind: t.kind,
            tables: tables.collect::<Result<_>>()?,
        })
    }

    fn epoch(&self, number: u32) -> Option<&Epoch> {
        self.epochs.get((number as usize).checked_sub(1)?)
    }
}
