//! What came from one of several queues and is not merged yet: a log of the spool's own format,
//! durable before it is acknowledged, without an index.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::lots::Lots;
use super::store::frame::{Batch, Frame};
use super::store::log::{Appended, Log};
use super::store::segment::{self, sync_dir};
use super::store::segments;
use super::store::{disk, files};
use super::types::{Seq, TailFrame, TailRecord};
use crate::error::{Context, Result};

/// The folder of the inboxes in a spool.
pub(super) const FOLDER: &str = "inbox";
/// A segment of an inbox ends here: it is removed as a whole when it is merged.
const SEGMENT_BYTES: u64 = 16 << 20;
/// What is in an inbox is soon gone: it is compressed as fast as can be.
const LEVEL: i32 = -5;

/// The inbox of a queue, open for writing.
pub struct Inbox {
    log: Log,
    /// The last frames, for what the broker hands out again.
    tail: VecDeque<TailFrame>,
    /// How many records of them are kept at least.
    kept: usize,
    known: Arc<Standing>,
}

/// What was cut from the end of a log: where it went, how many bytes.
type Torn = Option<(PathBuf, u64)>;

/// How far an inbox is filled, and how far it is merged.
#[derive(Debug, Default)]
pub struct Standing {
    /// Every record before this one is on disk.
    durable: AtomicU64,
    /// Every record before this one is merged, durably.
    merged: AtomicU64,
    /// When the broker has last said that the queue is empty, milliseconds since 1970.
    empty_ms: AtomicI64,
}

impl Standing {
    /// Every record before this one is on disk.
    pub fn durable(&self) -> Seq {
        self.durable.load(Ordering::Acquire)
    }

    /// Tells that every record before `seq` is merged, durably.
    pub fn merged_to(&self, seq: Seq) {
        self.merged.store(seq, Ordering::Release);
    }

    /// When the broker has last said that the queue is empty, milliseconds since 1970; 0: never.
    pub fn empty_ms(&self) -> i64 {
        self.empty_ms.load(Ordering::Acquire)
    }
}

impl Inbox {
    /// Opens the inbox of a queue, making it if needed; its records from `merged` on are still to
    /// be merged. For redelivered messages its last `kept` records are remembered. The second value
    /// says what a crash left at its end: how many bytes, and where they were moved.
    ///
    /// # Errors
    /// When another process writes it, or a file cannot be read or written.
    pub fn open(spool: &Path, queue: &str, merged: Seq, kept: usize) -> Result<(Self, Torn)> {
        files::make_folder(&spool.join(FOLDER))?;
        sync_dir(spool)?;
        let dir = folder(spool, queue);
        let (mut log, torn) = Log::open(&dir, LEVEL, SEGMENT_BYTES)?;
        // What was taken is told by its number, so none is given twice.
        log.go_on_at(merged);
        let known = Arc::new(Standing::default());
        known.merged_to(merged);
        let mut inbox = Self { log, tail: VecDeque::new(), kept, known };
        let from = segments::here(&dir)?.first().copied().unwrap_or(1);
        let mut lots = Lots::new(&dir, from)?;
        while let Some(lot) = lots.read()? {
            inbox.remember(&lot.frame, lot.acked);
        }
        inbox.known.durable.store(inbox.log.next(), Ordering::Release);
        Ok((inbox, torn))
    }

    /// Free bytes on its disk, and the reserve below which nothing more is to be taken.
    ///
    /// # Errors
    /// When the disk cannot be asked.
    pub fn free_space(&self) -> Result<(u64, u64)> {
        disk::space(self.dir())
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        self.log.dir()
    }

    /// How far it is filled and merged.
    pub fn standing(&self) -> Arc<Standing> {
        self.known.clone()
    }

    /// The sequence the next record gets.
    pub fn next(&self) -> Seq {
        self.log.next()
    }

    /// See [`super::SpoolWriter::check_in_place`].
    ///
    /// # Errors
    /// As there.
    pub fn check_in_place(&mut self) -> Result<()> {
        self.log.check_in_place()
    }

    /// Makes durable what an earlier writer has left.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn settle(&mut self) -> Result<()> {
        self.log.settle()
    }

    /// Fingerprints of the last frames, oldest first.
    pub fn tail(&self) -> Vec<TailFrame> {
        self.tail.iter().cloned().collect()
    }

    /// Appends one frame and makes it durable before it returns; then removes what is merged.
    ///
    /// # Errors
    /// When the frame could not be written or synced: none of it counts as stored.
    pub fn append(&mut self, batch: &Batch) -> Result<()> {
        let Appended { encoded, ended } = self.log.append(batch)?;
        self.log.sync()?;
        self.known.durable.store(self.log.next(), Ordering::Release);
        self.remember(&encoded.frame, encoded.header.acked);
        match ended {
            Some(_) => self.remove_merged(),
            None => Ok(()),
        }
    }

    /// The broker says that the queue is empty.
    pub fn is_empty_at(&self, now_ms: i64) {
        self.known.empty_ms.store(now_ms, Ordering::Release);
    }

    fn remember(&mut self, frame: &Frame, acked: Option<Seq>) {
        let print = |bytes: &[u8]| TailRecord { len: bytes.len() as u64, hash: xxh3_128(bytes) };
        let records = frame.records().map(|record| print(record.bytes)).collect();
        self.tail.push_back(TailFrame { records, end: frame.range().end, acked: false });
        let acked = acked.unwrap_or_default();
        self.tail.iter_mut().for_each(|frame| frame.acked |= frame.end <= acked);
        let mut records: usize = self.tail.iter().map(|frame| frame.records.len()).sum();
        while let Some(first) = self.tail.front().map(|frame| frame.records.len())
            && records - first >= self.kept
        {
            records -= first;
            self.tail.pop_front();
        }
    }

    /// Removes segments that are merged as a whole, but for those that redelivered messages are
    /// compared with.
    fn remove_merged(&mut self) -> Result<()> {
        let first = |tail: &TailFrame| tail.end - tail.records.len() as u64;
        let needed = self.tail.front().map_or(self.log.next(), first);
        let done = needed.min(self.known.merged.load(Ordering::Acquire));
        let all = segments::here(self.log.dir())?;
        for pair in all.windows(2).filter(|pair| pair[1] <= done) {
            let file = segment::path(self.log.dir(), pair[0]);
            fs::remove_file(&file).context(file.display())?;
        }
        Ok(())
    }
}

/// Where the inbox of a queue is: its name as far as a file's name takes it, and a hash of it.
fn folder(spool: &Path, queue: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let name: String = queue.chars().take(40).map(plain).collect();
    spool.join(FOLDER).join(format!("{name}-{:016x}", xxh3_64(queue.as_bytes())))
}
