//! The writer's sealing thread: segments that end are written anew, small frames joined, while the
//! writer goes on. The indexing thread puts them into their places.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use super::index::db::Index;
use super::store::disk;
use super::store::files;
use super::store::seal::{FRAME_BYTES, are_tiny, seal};
use super::store::segment;
use super::store::segments;
use super::types::Seq;
use crate::error::{Context, Error, Result};

/// How much lower than the others' the thread's priority is.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Full segments whose frames are tiny: a writer that was killed did not come to them. One that is in
/// the archive alone stays as it is.
pub(super) fn left_unsealed(dir: &Path, index: &Index) -> Result<VecDeque<Seq>> {
    let (mut full, here) = (index.segment_rows()?, segments::here(dir)?);
    full.pop();
    full.retain(|row| here.binary_search(&row.first).is_ok());
    let tiny = full.into_iter().filter(|row| are_tiny(row.frames, row.raw, row.bytes));
    Ok(tiny.map(|row| row.first).collect())
}

/// The thread, as the writer sees it.
pub(super) struct Sealing {
    ended: Option<Sender<Seq>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Sealing {
    /// Starts the thread; `left` are segments that an earlier writer did not come to, `done` takes
    /// those that are sealed.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(
        dir: &Path,
        level: i32,
        left: VecDeque<Seq>,
        done: impl Fn(Seq) + Send + 'static,
    ) -> Result<Self> {
        let (ended, segments) = channel();
        let dir = dir.to_owned();
        let thread = thread::Builder::new()
            .name("spool sealing".into())
            .spawn(move || run(&dir, level, &segments, left, &done))
            .context("thread")?;
        Ok(Self { ended: Some(ended), thread: Some(thread) })
    }

    /// Hands over a segment that is not appended to any more.
    pub(super) fn add(&self, segment: Seq) {
        // A thread that is gone tells why at the end.
        if let Some(ended) = &self.ended {
            let _ = ended.send(segment);
        }
    }

    /// Ends the thread after the last segment that was handed over.
    ///
    /// # Errors
    /// When a segment could not be sealed.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.ended = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result.map_err(|e| {
                e.help("what came is stored; its small frames stay as they are until a later start")
            }),
            Some(Err(_)) => Err(Error::failed("the sealing thread died")),
            None => Ok(()),
        }
    }
}

impl Drop for Sealing {
    fn drop(&mut self) {
        // The next start goes on.
        let _ = self.finish();
    }
}

fn run(
    dir: &Path,
    level: i32,
    segments: &Receiver<Seq>,
    mut left: VecDeque<Seq>,
    done: &dyn Fn(Seq),
) -> Result<()> {
    // What comes in is more urgent. Elsewhere this would slow the whole process.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
    loop {
        let next = match segments.try_recv() {
            Ok(segment) => segment,
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => {
                match left.pop_front().map_or_else(|| segments.recv(), Ok) {
                    Ok(segment) => segment,
                    Err(_) => return Ok(()),
                }
            }
        };
        let room = || has_room(dir, next);
        match room().and_then(|room| Ok(room && seal(dir, next, level, FRAME_BYTES)?)) {
            Ok(true) => done(next),
            // It stays as it is until a later start.
            Ok(false) => {}
            // Pruned, or in the archive alone by now.
            Err(_) if !segment::path(dir, next).exists() => {}
            // Somebody else took the room.
            Err(_) if !room()? => {}
            Err(e) => return Err(e),
        }
    }
}

/// Sealing never takes what new messages and their index need.
fn has_room(dir: &Path, of: Seq) -> Result<bool> {
    let path: PathBuf = segment::path(dir, of);
    let len = files::read(&path)?.metadata().context(path.display())?.len();
    let (free, reserve) = disk::space(dir)?;
    Ok(free > reserve + 2 * len)
}
