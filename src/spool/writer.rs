//! The write side: appends frames, makes them durable, hands them to the index.
//!
//! Appending compresses and writes on the caller's thread; reading what the records say and
//! indexing it happens on a thread of its own, a few frames behind.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::index::fit;
use super::index::home::Home;
use super::index::indexer::Indexer;
use super::index::indexing::{Indexing, Work};
use super::sealing::{Sealing, left_unsealed};
use super::store::disk;
use super::store::frame::Batch;
use super::store::log::{Appended, Live, Log};
use super::tail::tail;
use super::types::{Recovery, Seq, Summary, TailFrame};
use crate::error::Result;

/// A segment ends when its records reach this many bytes.
pub const SEGMENT_BYTES: u64 = 256 << 20;

/// How a writer works.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// zstd's level. On this data 3 compresses no better than 1, and 9 costs five times as much
    /// for 8 %.
    pub level: i32,
    /// Where a segment ends.
    pub segment_bytes: u64,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { level: 1, segment_bytes: SEGMENT_BYTES }
    }
}

/// A spool, open for writing: the only writer there is.
pub struct SpoolWriter {
    sources: HashMap<String, u64>,
    // Dropped first: it hands its segments to the index.
    sealing: Sealing,
    merged: Vec<(String, u64)>,
    indexing: Indexing,
    // Dropped last: the index is still written while the folder is locked.
    log: Log,
}

impl SpoolWriter {
    /// Opens a spool, making the directory if needed, and mends what a crash left.
    ///
    /// # Errors
    /// When another process writes it, a file cannot be read or written, or it is of a newer
    /// version.
    pub fn open(dir: &Path, options: WriterOptions) -> Result<(Self, Recovery)> {
        let (mut log, torn) = Log::open(dir, options.level, options.segment_bytes)?;
        let spool = log.spool();
        let (mut indexer, unfit) = Indexer::open(&Home::new(dir))?;
        let caught_up = indexer.catch_up(spool, Seq::MAX)?;
        let mut bad_frames = indexer.index().bad_frames()?;
        bad_frames.extend(fit::tail(indexer.index())?);
        let reindexed = unfit.map(|unfit| unfit.reason);
        let sources = indexer.index().sources()?.into_iter().collect();
        let merged = indexer.index().merged()?;
        log.go_on_at(indexer.goes_on_at());
        let left = left_unsealed(dir, indexer.index())?;
        let indexing = Indexing::start(indexer, spool)?;
        let sealing = Sealing::start(dir, options.level, left, indexing.sealed())?;
        let writer = Self { sources, sealing, merged, indexing, log };
        Ok((writer, Recovery { torn, reindexed, caught_up, bad_frames }))
    }

    /// Appends one frame and makes it durable before it returns. The index follows.
    ///
    /// # Errors
    /// When the frame could not be written or synced: none of it counts as stored.
    pub fn append(&mut self, batch: &Batch) -> Result<Range<Seq>> {
        let (range, frame) = self.write(batch)?;
        self.sync()?;
        self.hand_over(frame)?;
        Ok(range)
    }

    /// Appends one frame; [`SpoolWriter::sync`] makes it durable. For records that can be had
    /// again from where they came.
    ///
    /// # Errors
    /// When the frame could not be written: none of it counts as stored.
    pub fn append_unsynced(&mut self, batch: &Batch) -> Result<Range<Seq>> {
        let (range, frame) = self.write(batch)?;
        self.hand_over(frame)?;
        Ok(range)
    }

    /// Makes all that was appended durable, in files that can be found.
    ///
    /// # Errors
    /// When the sync fails. It is never tried again: the kernel may drop what it could not write
    /// and report the next sync as good. The writer takes nothing more, nor does it when
    /// [`SpoolWriter::check_in_place`] fails.
    pub fn sync(&mut self) -> Result<()> {
        self.log.sync()
    }

    /// The spool's directory, its lock and its live segment are where their paths lead: what is
    /// durable in files that were removed, moved away or replaced is lost all the same.
    ///
    /// # Errors
    /// When one of them is not; the writer takes nothing more.
    pub fn check_in_place(&mut self) -> Result<()> {
        self.log.check_in_place()
    }

    /// Import: how many bytes of a source are stored already.
    pub fn source_end(&self, source: &str) -> Option<u64> {
        self.sources.get(source).copied()
    }

    /// All sources, each with the bytes of it that are stored.
    pub fn sources(&self) -> impl Iterator<Item = (&str, u64)> {
        self.sources.iter().map(|(name, &end)| (name.as_str(), end))
    }

    /// The queues whose messages were merged here, each with the place behind the last one taken.
    pub fn merged(&self) -> &[(String, u64)] {
        &self.merged
    }

    /// How many records of this writer could not be read, as far as they are indexed.
    pub fn damaged(&self) -> u64 {
        self.indexing.damaged()
    }

    /// The spool's directory.
    pub fn dir(&self) -> &Path {
        self.log.dir()
    }

    /// The sequence the next record gets.
    pub fn next(&self) -> Seq {
        self.log.next()
    }

    /// Fingerprints of the last frames of a queue that together hold `n` records or more, oldest
    /// first; all of that queue if there are fewer.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub fn tail(&mut self, queue: &str, n: usize) -> Result<Vec<TailFrame>> {
        self.indexing.flush()?;
        tail(self.log.dir(), queue, n)
    }

    /// Free bytes on the spool's disk, and the reserve below which nothing more is to be taken:
    /// the smaller of 1 GiB and 5 % of the disk, but room for one frame.
    ///
    /// # Errors
    /// When the disk cannot be asked.
    pub fn free_space(&self) -> Result<(u64, u64)> {
        disk::space(self.log.dir())
    }

    /// Syncs, seals what is worth it, waits for the index, and says what was appended. A writer that
    /// is dropped instead, and has stored nothing in a folder that it made, leaves none behind.
    ///
    /// # Errors
    /// When the last sync, the sealing or the index failed.
    pub fn finish(mut self) -> Result<Summary> {
        self.log.keep_folder();
        self.sync()?;
        if let Some(live) = self.log.end() {
            self.seal(&live);
        }
        let sealed = self.sealing.finish();
        let summary = self.indexing.finish()?;
        sealed.map(|()| summary)
    }

    /// Has a segment that is not appended to any more sealed, when that gains something.
    fn seal(&self, live: &Live) {
        if live.gain.is_due(live.len) {
            self.sealing.add(live.segment);
        }
    }

    /// Writes one frame at the end of the live segment.
    fn write(&mut self, batch: &Batch) -> Result<(Range<Seq>, Option<Work>)> {
        self.log.check()?;
        self.indexing.check()?;
        let first = self.log.next();
        if batch.is_empty() {
            return Ok((first..first, None));
        }
        let Appended { encoded, ended } = self.log.append(batch)?;
        if let Some(full) = ended {
            self.seal(&full);
        }
        if let Some((source, end)) = &batch.source {
            self.sources.insert(source.clone(), *end);
        }
        if let Some(merged) = &batch.merged {
            self.merged.clone_from(&merged.places);
        }
        let range = first..encoded.header.end();
        Ok((range, Some(Work { header: encoded.header, frame: Arc::new(encoded.frame) })))
    }

    /// Makes durable what an earlier writer has left: a failed sync of its may not show any more.
    ///
    /// # Errors
    /// When the segment cannot be written anew.
    pub fn settle(&mut self) -> Result<()> {
        self.log.settle()
    }

    fn hand_over(&mut self, work: Option<Work>) -> Result<()> {
        work.map_or(Ok(()), |work| self.indexing.add(work))
    }
}
