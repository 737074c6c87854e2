//! Going through the frames and the transactions of a spool.

use std::ops::Range;

use super::index::zone::Zone;
use super::index::zones::Survey;
use super::reader::Spool;
use super::store::frame::Frame;
use super::types::{Numbered, Seq, Transaction};
use super::walk::{self, Frames, Transactions};
use crate::error::Result;
use crate::event::Direction;

impl Spool {
    /// Refuses a stretch of which rows are encrypted by the producer and cannot be read.
    ///
    /// # Errors
    /// As said (usage), and see [`Spool::end`].
    pub fn check_key(&self, range: &Range<Seq>) -> Result<()> {
        walk::check_key(self.index(), &self.opened.home, &self.left(range.clone()))
    }

    /// Frames that hold a record of `range`, read one at a time. A frame that cannot be read is an
    /// error that names it; the walk may go on behind it.
    pub fn frames(
        &self,
        range: Range<Seq>,
        direction: Direction,
    ) -> impl Iterator<Item = Result<Frame>> + Send + use<> {
        self.frames_where(range, direction, |_| true)
    }

    /// The same, without those whose zone cannot hold what is looked for.
    pub fn frames_where<M: Fn(&Zone) -> bool + Send + 'static>(
        &self,
        range: Range<Seq>,
        direction: Direction,
        may: M,
    ) -> impl Iterator<Item = Result<Frame>> + Send + use<M> {
        let mut walk = Frames::new(&self.opened.home, self.left(range), direction, Box::new(may));
        std::iter::from_fn(move || walk.next().transpose())
    }

    /// Transactions whose last record lies in `range`, by that record.
    pub fn transactions(
        &self,
        range: Range<Seq>,
        direction: Direction,
    ) -> impl Iterator<Item = Result<Transaction>> + Send + use<> {
        self.transactions_where(range, direction, |_| true)
    }

    /// The same, without those of frames whose zone cannot hold what is looked for.
    pub fn transactions_where<M: Fn(&Zone) -> bool + Send + 'static>(
        &self,
        range: Range<Seq>,
        direction: Direction,
        may: M,
    ) -> impl Iterator<Item = Result<Transaction>> + Send + use<M> {
        let mut walk = self.walk(range, direction, may);
        std::iter::from_fn(move || walk.next().and_then(|t| walk.named(t)).transpose())
    }

    /// The same, their tables by number (see [`Spool::tables`]).
    pub fn numbered_where<M: Fn(&Zone) -> bool + Send + 'static>(
        &self,
        range: Range<Seq>,
        direction: Direction,
        may: M,
    ) -> impl Iterator<Item = Result<Numbered>> + Send + use<M> {
        let mut walk = self.walk(range, direction, may);
        std::iter::from_fn(move || walk.next().transpose())
    }

    fn walk<M: Fn(&Zone) -> bool + Send + 'static>(
        &self,
        range: Range<Seq>,
        direction: Direction,
        may: M,
    ) -> Transactions {
        Transactions::new(&self.opened.home, self.left(range), direction, Box::new(may))
    }

    /// A transaction, its tables by name.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn named(&self, t: Numbered) -> Result<Transaction> {
        walk::named(self.index(), t)
    }

    /// The one of these transactions that comes first in that direction.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn first_transaction(
        &self,
        range: Range<Seq>,
        direction: Direction,
    ) -> Result<Option<Transaction>> {
        walk::first(self.index(), self.left(range), direction)
    }

    /// Goes through the transactions whose last record lies in `range`, in sums where these are
    /// enough.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn survey(&self, range: Range<Seq>, survey: &mut dyn Survey) -> Result<()> {
        walk::survey(self.index(), self.left(range), survey)
    }

    /// How many transactions have their last record in `range`.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn transaction_count(&self, range: Range<Seq>) -> Result<u64> {
        let mut count = Count(0);
        self.survey(range, &mut count)?;
        Ok(count.0)
    }
}

/// Counts transactions.
struct Count(u64);

impl Survey for Count {
    fn zone(&mut self, zone: &Zone, whole: bool) -> bool {
        self.0 += if whole { zone.transactions } else { 0 };
        !whole
    }

    fn transaction(&mut self, _: Numbered) {
        self.0 += 1;
    }
}
