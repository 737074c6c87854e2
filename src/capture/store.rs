//! Where a queue's messages are made durable before they are acknowledged: the spool, or the inbox
//! of one of several queues.

use crate::error::Result;
use crate::spool::{Batch, Inbox, Seq, SpoolWriter, TailFrame};

/// Takes messages of a queue.
pub trait Store {
    /// See [`SpoolWriter::tail`].
    ///
    /// # Errors
    /// As there; so for all others.
    fn tail(&mut self, queue: &str, n: usize) -> Result<Vec<TailFrame>>;
    /// See [`SpoolWriter::next`].
    fn next(&self) -> Seq;
    /// See [`SpoolWriter::append`].
    ///
    /// # Errors
    /// As there.
    fn append(&mut self, batch: &Batch) -> Result<()>;
    /// See [`SpoolWriter::check_in_place`].
    ///
    /// # Errors
    /// As there.
    fn check_in_place(&mut self) -> Result<()>;
    /// See [`SpoolWriter::settle`].
    ///
    /// # Errors
    /// As there.
    fn settle(&mut self) -> Result<()>;
    /// See [`SpoolWriter::free_space`].
    ///
    /// # Errors
    /// As there.
    fn free_space(&self) -> Result<(u64, u64)>;
    /// The queue was empty at that time, milliseconds since 1970, and all that was taken out of it
    /// is stored.
    fn is_empty_at(&mut self, at_ms: i64);
}

impl Store for SpoolWriter {
    fn tail(&mut self, queue: &str, n: usize) -> Result<Vec<TailFrame>> {
        Self::tail(self, queue, n)
    }

    fn next(&self) -> Seq {
        Self::next(self)
    }

    fn append(&mut self, batch: &Batch) -> Result<()> {
        Self::append(self, batch).map(drop)
    }

    fn check_in_place(&mut self) -> Result<()> {
        Self::check_in_place(self)
    }

    fn settle(&mut self) -> Result<()> {
        Self::settle(self)
    }

    fn free_space(&self) -> Result<(u64, u64)> {
        Self::free_space(self)
    }

    fn is_empty_at(&mut self, _: i64) {}
}

impl Store for Inbox {
    fn tail(&mut self, _: &str, _: usize) -> Result<Vec<TailFrame>> {
        Ok(Self::tail(self))
    }

    fn next(&self) -> Seq {
        Self::next(self)
    }

    fn append(&mut self, batch: &Batch) -> Result<()> {
        Self::append(self, batch)
    }

    fn check_in_place(&mut self) -> Result<()> {
        Self::check_in_place(self)
    }

    fn settle(&mut self) -> Result<()> {
        Self::settle(self)
    }

    fn free_space(&self) -> Result<(u64, u64)> {
        Self::free_space(self)
    }

    fn is_empty_at(&mut self, at_ms: i64) {
        Self::is_empty_at(self, at_ms);
    }
}
