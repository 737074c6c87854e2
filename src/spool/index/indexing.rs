//! The writer's indexing thread and the bounded way to it.
//!
//! The bound is in bytes, so that memory stays flat whatever a frame holds; one frame is always
//! let through. A failure stops the thread and is told at the next append.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::indexer::Indexer;
use crate::error::{Context, Error, Result, Words};
use crate::spool::store::format::{Header, SpoolId};
use crate::spool::store::frame::Frame;
use crate::spool::types::{Seq, Summary};

/// Bytes of records that may wait for the index.
const AHEAD: usize = 8 << 20;

/// A stored frame on its way to the index.
pub(crate) struct Work {
    pub(crate) header: Header,
    pub(crate) frame: Arc<Frame>,
}

enum Job {
    Frame(Box<Work>),
    /// Answered when all frames before it are visible to readers.
    Flush(Sender<()>),
    /// A segment that was sealed beside its place; all its frames were handed over before.
    Sealed(Seq),
}

/// The thread, as the writer sees it.
pub(crate) struct Indexing {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<Result<Summary>>>,
    budget: Arc<Budget>,
    damaged: Arc<AtomicU64>,
    failed: Option<Words>,
}

/// Bytes on their way; `None` once nobody takes them any more.
struct Budget {
    used: Mutex<Option<usize>>,
    less: Condvar,
}

impl Budget {
    fn take(&self, bytes: usize) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while used.is_some_and(|n| n > 0 && n + bytes > AHEAD) {
            used = self.less.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
        *used = used.map(|n| n + bytes);
    }

    fn set(&self, change: impl FnOnce(usize) -> Option<usize>) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.and_then(change);
        self.less.notify_one();
    }
}

/// Closes the budget however the thread ends, so that the writer never waits for ever.
struct Closing<'a>(&'a Budget);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.set(|_| None);
    }
}

impl Indexing {
    /// Starts the thread.
    pub(crate) fn start(indexer: Indexer, spool: SpoolId) -> Result<Self> {
        let (jobs, work) = channel();
        let budget = Arc::new(Budget { used: Mutex::new(Some(0)), less: Condvar::new() });
        let theirs = Arc::clone(&budget);
        let damaged = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&damaged);
        let thread = thread::Builder::new()
            .name("spool index".into())
            .spawn(move || run(indexer, spool, &work, &theirs, &count))
            .context("thread")?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), budget, damaged, failed: None })
    }

    /// How many of the records indexed so far could not be read.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Hands a stored frame over; waits while too much is on its way.
    pub(crate) fn add(&mut self, work: Work) -> Result<()> {
        self.budget.take(work.frame.raw_len());
        // A thread that is gone tells why at the next append: this frame is stored.
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job::Frame(Box::new(work)));
        }
        Ok(())
    }

    /// Where to tell of segments that were sealed.
    pub(crate) fn sealed(&self) -> impl Fn(Seq) + Send + use<> {
        let jobs = self.jobs.clone();
        move |segment| {
            // A thread that is gone tells why at the next append.
            if let Some(jobs) = &jobs {
                let _ = jobs.send(Job::Sealed(segment));
            }
        }
    }

    /// Waits until all frames handed over are visible to readers.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let (done, wait) = channel();
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Job::Flush(done)).is_ok());
        match sent && wait.recv().is_ok() {
            true => Ok(()),
            false => self.check(),
        }
    }

    /// Fails once the thread has.
    pub(crate) fn check(&mut self) -> Result<()> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished)
            && let Err(e) = self.join()
        {
            self.failed = Some(e.words());
        }
        match &self.failed {
            Some(why) => {
                Err(Error::failed(Words::from("the index cannot be written: ") + why.clone()))
            }
            None => Ok(()),
        }
    }

    /// Ends the thread after the last frame.
    pub(crate) fn finish(&mut self) -> Result<Summary> {
        self.check()?;
        self.join()
    }

    fn join(&mut self) -> Result<Summary> {
        self.jobs = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(Error::failed("the indexing thread died")),
            None => Ok(Summary::default()),
        }
    }
}

impl Drop for Indexing {
    fn drop(&mut self) {
        // The index may stay behind: the next start catches it up.
        let _ = self.join();
    }
}

/// The thread.
fn run(
    mut indexer: Indexer,
    spool: SpoolId,
    jobs: &Receiver<Job>,
    budget: &Budget,
    damaged: &AtomicU64,
) -> Result<Summary> {
    let _closing = Closing(budget);
    let mut sealed = VecDeque::new();
    loop {
        let job = match jobs.try_recv() {
            Ok(job) => Some(job),
            Err(_) => {
                // Nothing waits: now is the time to show readers what was added.
                if indexer.is_pending() {
                    indexer.save(spool)?;
                }
                if let Some(&segment) = sealed.front()
                    && indexer.put_in_place(spool, segment)?
                {
                    sealed.pop_front();
                    continue;
                }
                jobs.recv().ok()
            }
        };
        match job {
            Some(Job::Frame(work)) => {
                let bytes = work.frame.raw_len();
                indexer.add(&work.header, work.frame)?;
                damaged.store(indexer.counts.damaged, Ordering::Relaxed);
                budget.set(|used| used.checked_sub(bytes));
            }
            Some(Job::Flush(done)) => {
                indexer.save(spool)?;
                // Whoever asked may be gone.
                let _ = done.send(());
            }
            Some(Job::Sealed(segment)) => sealed.push_back(segment),
            None => {
                sealed.into_iter().for_each(|segment| indexer.leave(segment));
                return Ok(indexer.counts);
            }
        }
    }
}
