//! The write side: appends frames, makes them durable, hands them to the index.
//!
//! Appending compresses and writes on the caller's thread; reading what the records say and
//! indexing it happens on a thread of its own, a few frames behind.

use std::collections::HashMap;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::index::fit;
use super::index::home::Home;
use super::index::indexer::Indexer;
use super::index::indexing::{Indexing, Work};
use super::sealing::{Sealing, left_unsealed};
use super::store::disk;
use super::store::files;
use super::store::format::SpoolId;
use super::store::frame::Batch;
use super::store::lock::{Lock, Purpose};
use super::store::place::Place;
use super::store::recovery::{self, recover, renew};
use super::store::seal::Gain;
use super::store::segment::{self, Encoder, sync_dir};
use super::tail::tail;
use super::types::{Recovery, Seq, Summary, TailFrame};
use crate::error::{Context, Error, Result};

/// A segment ends when its records reach this many bytes.
pub const SEGMENT_BYTES: u64 = 256 << 20;

/// Or when it has this many frames: then they are small, and are joined once it has ended. With
/// more the index would be busy joining them for seconds, with fewer a spool of years has too many
/// files.
const SEGMENT_FRAMES: u64 = 32_768;

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
    dir: PathBuf,
    /// The directory itself, whatever its path leads to by now.
    home: File,
    options: WriterOptions,
    encoder: Encoder,
    live: Option<Live>,
    next: Seq,
    state: State,
    sources: HashMap<String, u64>,
    // Dropped first: it hands its segments to the index.
    sealing: Sealing,
    merged: Vec<(String, u64)>,
    indexing: Indexing,
    // Dropped last: the index is still written while the lock is held.
    lock: Lock,
}

/// The segment that is appended to.
struct Live {
    segment: Seq,
    file: File,
    len: u64,
    raw: u64,
    frames: u64,
    gain: Gain,
}

/// What may be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As the start found it: the live segment is to be made durable before anything is added.
    Found,
    /// All that was appended is durable.
    Durable,
    /// Some of it is not.
    Unsynced,
    /// A sync failed: what the file shows may not be on disk.
    Broken,
}

impl SpoolWriter {
    /// Opens a spool, making the directory if needed, and mends what a crash left.
    ///
    /// # Errors
    /// When another process writes it, a file cannot be read or written, or it is of a newer
    /// version.
    pub fn open(dir: &Path, options: WriterOptions) -> Result<(Self, Recovery)> {
        make_dir(dir)?;
        let lock = Lock::take(dir, Purpose::Write)?;
        let home = File::open(dir).context(dir.display())?;
        let found = recover(dir)?;
        let spool = recovery::spool_id(dir)?.map_or_else(new_id, Ok)?;
        let (mut indexer, unfit) = Indexer::open(&Home::new(dir))?;
        let caught_up = indexer.catch_up(spool, Seq::MAX)?;
        let mut bad_frames = indexer.index().bad_frames()?;
        bad_frames.extend(fit::tail(indexer.index())?);
        let reindexed = unfit.map(|unfit| unfit.reason);
        let sources = indexer.index().sources()?.into_iter().collect();
        let merged = indexer.index().merged()?;
        let mut next = indexer.goes_on_at();
        let mut torn = None;
        let live = match found {
            None => None,
            Some(found) => {
                torn = found.torn;
                next = next.max(found.next);
                let recovery::Live { segment, len, raw, frames, gain, .. } = found;
                let open = || open_live(dir, segment);
                let live = || Ok(Live { file: open()?, segment, len, raw, frames, gain });
                found.exists.then(live).transpose()?
            }
        };
        let encoder = Encoder::new(options.level, spool)?;
        let left = left_unsealed(indexer.index())?;
        let indexing = Indexing::start(indexer, spool)?;
        let sealing = Sealing::start(dir, options.level, left, indexing.sealed())?;
        let (dir, state) = (dir.to_owned(), State::Found);
        let writer = Self {
            dir,
            home,
            options,
            encoder,
            live,
            next,
            state,
            sources,
            merged,
            sealing,
            indexing,
            lock,
        };
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
        self.check()?;
        let Some(live) = self.live.as_ref().filter(|_| self.state == State::Unsynced) else {
            return Ok(());
        };
        let synced = live.file.sync_data();
        self.state = if synced.is_ok() { State::Durable } else { State::Broken };
        synced
            .context(format_args!("sync {}", segment::path(&self.dir, live.segment).display()))
            .map_err(|e| e.help("nothing of the last frame was acknowledged; see to the disk, then start again: the start keeps what is whole"))?;
        self.check_in_place()
    }

    /// The spool's directory, its lock and its live segment are where their paths lead: what is
    /// durable in files that were removed, moved away or replaced is lost all the same.
    ///
    /// # Errors
    /// When one of them is not; the writer takes nothing more.
    pub fn check_in_place(&mut self) -> Result<()> {
        self.check()?;
        let live = self.live.as_ref().map(|l| (&l.file, segment::path(&self.dir, l.segment)));
        let known = [(&self.home, self.dir.clone()), (self.lock.file(), self.dir.join("lock"))];
        let gone = known.into_iter().chain(live).find(|(file, path)| !is_at(file, path));
        let Some((_, path)) = gone else {
            return Ok(());
        };
        self.state = State::Broken;
        Err(Error::stopped(format!(
            "{}: removed, moved or replaced while this process writes there",
            path.display()
        ))
        .help(
            "put it back if it was moved, and let one process alone write a spool; then run it \
             again. Nothing since was acknowledged",
        ))
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
        &self.dir
    }

    /// The sequence the next record gets.
    pub fn next(&self) -> Seq {
        self.next
    }

    /// Fingerprints of the last frames of a queue that together hold `n` records or more, oldest
    /// first; all of that queue if there are fewer.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub fn tail(&mut self, queue: &str, n: usize) -> Result<Vec<TailFrame>> {
        self.indexing.flush()?;
        tail(&self.dir, queue, n)
    }

    /// Free bytes on the spool's disk, and the reserve below which nothing more is to be taken:
    /// the smaller of 1 GiB and 5 % of the disk, but room for one frame.
    ///
    /// # Errors
    /// When the disk cannot be asked.
    pub fn free_space(&self) -> Result<(u64, u64)> {
        disk::space(&self.dir)
    }

    /// Syncs, seals what is worth it, waits for the index, and says what was appended.
    ///
    /// # Errors
    /// When the last sync, the sealing or the index failed.
    pub fn finish(mut self) -> Result<Summary> {
        self.sync()?;
        if let Some(live) = self.live.take() {
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
        self.check()?;
        self.indexing.check()?;
        if batch.is_empty() {
            return Ok((self.next..self.next, None));
        }
        let mut encoded = self.encoder.encode(batch, self.next)?;
        self.make_room()?;
        let Some(live) = &mut self.live else {
            return Err(Error::failed("no live segment"));
        };
        if let Err(e) = live.file.write_all_at(&encoded.bytes, live.len) {
            return Err(self.take_back(&e));
        }
        encoded.frame.place =
            Place { segment: live.segment, offset: live.len, ..encoded.frame.place };
        live.len += encoded.bytes.len() as u64;
        live.raw += encoded.header.raw;
        live.frames += 1;
        live.gain.add(&encoded.header, encoded.bytes.len() as u64);
        self.state = State::Unsynced;
        let range = self.next..encoded.header.end();
        self.next = range.end;
        if let Some((source, end)) = &batch.source {
            self.sources.insert(source.clone(), *end);
        }
        if let Some(merged) = &batch.merged {
            self.merged.clone_from(&merged.places);
        }
        Ok((range, Some(Work { header: encoded.header, frame: Arc::new(encoded.frame) })))
    }

    /// Cuts what a failed write left at the end of the live segment.
    fn take_back(&mut self, e: &std::io::Error) -> Error {
        if let Some(live) = self.live.take_if(|live| live.len == 0) {
            // An empty segment left behind is what the next start removes.
            let _ = fs::remove_file(segment::path(&self.dir, live.segment));
        }
        if let Some(live) = &self.live
            && live.file.set_len(live.len).is_err()
        {
            self.state = State::Broken;
        }
        Error::stopped(format!("{}: {e}", self.dir.display()))
            .help("what was stored before is whole; make room, then run it again")
    }

    /// Makes durable what an earlier writer has left: a failed sync of its may not show any more.
    ///
    /// # Errors
    /// When the segment cannot be written anew.
    pub fn settle(&mut self) -> Result<()> {
        if self.state == State::Found {
            if let Some(live) = &mut self.live {
                renew(&self.dir, live.segment, live.len)?;
                live.file = open_live(&self.dir, live.segment)?;
            }
            self.state = State::Durable;
        }
        Ok(())
    }

    /// Makes the live segment one that takes another frame.
    fn make_room(&mut self) -> Result<()> {
        self.settle()?;
        let takes =
            |live: &Live| live.raw < self.options.segment_bytes && live.frames < SEGMENT_FRAMES;
        if self.live.as_ref().is_some_and(takes) {
            return Ok(());
        }
        self.sync()?;
        let segment = self.next;
        let path = segment::path(&self.dir, segment);
        let file = files::open_or_make(&path).map_err(|e| files::refused(&e, &path))?;
        sync_dir(&self.dir)?;
        let live = Live { segment, file, len: 0, raw: 0, frames: 0, gain: Gain::default() };
        if let Some(full) = self.live.replace(live) {
            self.seal(&full);
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        match self.state {
            State::Broken => Err(Error::failed(format!(
                "{}: an earlier write did not reach the disk",
                self.dir.display()
            ))
            .help("start again: the start keeps what is whole")),
            _ => Ok(()),
        }
    }

    fn hand_over(&mut self, work: Option<Work>) -> Result<()> {
        work.map_or(Ok(()), |work| self.indexing.add(work))
    }
}

/// True when the path leads to that very file.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => {
            (open.dev(), open.ino()) == (named.dev(), named.ino()) && open.nlink() > 0
        }
        _ => false,
    }
}

fn open_live(dir: &Path, segment: Seq) -> Result<File> {
    files::write(&segment::path(dir, segment))
}

/// Makes the directory, and its name durable.
fn make_dir(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        files::keep_private(dir);
        return Ok(());
    }
    files::make_folder(dir)?;
    match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// An id no other spool has.
fn new_id() -> Result<SpoolId> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).context("the system has no random numbers")?;
    Ok(SpoolId(id))
}
