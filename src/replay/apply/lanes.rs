//! Writes the chunks of a phase side by side.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::stopped;
use super::job::{Job, Outcome};
use super::taker::Work;
use super::writer::Writer;
use crate::dest::{ChunkId, Claim, Mark, Session, Sessions};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::window::Chunk;
use crate::retry;

/// A chunk that meets a deadlock is tried so many times.
const TRIES: u32 = 8;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(12);
/// After so many chunks without one, a lane more.
const CALM: usize = 32;

/// How many lanes write at once: fewer after a deadlock, more again when it has become calm.
pub(super) struct Lanes {
    most: usize,
    allowed: AtomicUsize,
    calm: AtomicUsize,
    commits: AtomicU64,
    pub(super) pace: Pace,
}

/// What the lanes of a phase share.
struct Phase<'c, 'b, 'a> {
    chunks: &'c [Chunk<'b, 'a>],
    first: ChunkId,
    next: AtomicUsize,
    failed: AtomicBool,
    claim: &'c Claim,
    committed: &'c HashMap<u64, u64>,
    job: &'c Job<'c>,
    work: &'c Work<'c, 'c>,
    careful: bool,
}

impl Lanes {
    pub(super) fn new(most: usize, pace: Pace) -> Self {
        let (allowed, calm) = (AtomicUsize::new(most), AtomicUsize::new(0));
        Self { most, allowed, calm, commits: AtomicU64::new(0), pace }
    }

    /// Commits since this was asked last.
    pub(super) fn commits(&self) -> u64 {
        self.commits.swap(0, Ordering::Relaxed)
    }

    /// Writes chunks, counted from `first`, but for those that are committed already.
    pub(super) fn run<'t>(
        &self,
        chunks: &[Chunk<'_, '_>],
        first: ChunkId,
        sessions: Sessions<'t>,
        committed: &HashMap<u64, u64>,
        (job, work): (&Job<'_>, &Work<'_, '_>),
        careful: bool,
    ) -> Result<Outcome> {
        let Sessions { claim, main, lanes } = sessions;
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let claim = &*claim;
        let phase = Phase { chunks, first, next, failed, claim, committed, job, work, careful };
        let lanes: Vec<&'t mut (dyn Session + 't)> = match lanes[..] {
            // A window that several lanes began may end on one.
            [] => vec![main],
            _ => lanes.into_iter().take(chunks.len()).collect(),
        };
        let results: Vec<Result<Outcome>> = thread::scope(|scope| {
            let running: Vec<_> = lanes
                .into_iter()
                .enumerate()
                .map(|(i, session)| {
                    let phase = &phase;
                    scope.spawn(move || self.lane(i, session, phase))
                })
                .collect();
            let joined = running.into_iter().map(|lane| lane.join());
            joined.map(|r| r.unwrap_or_else(|_| Err(Error::failed("a lane panicked")))).collect()
        });
        let mut sum = Outcome::default();
        for result in results {
            sum.add(result?);
        }
        Ok(sum)
    }

    fn lane(
        &self,
        i: usize,
        session: &mut dyn Session,
        phase: &Phase<'_, '_, '_>,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        while !phase.failed.load(Ordering::Relaxed) {
            if phase.job.stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            if phase.next.load(Ordering::Relaxed) >= phase.chunks.len() {
                break;
            }
            if i >= self.allowed.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(2));
                continue;
            }
            let at = phase.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = phase.chunks.get(at) else { break };
            let n = ChunkId { n: at as u32, ..phase.first }.number();
            let done = self.chunk(session, phase, n, chunk, &mut outcome);
            if let Err(e) = done {
                phase.failed.store(true, Ordering::Relaxed);
                return Err(e);
            }
        }
        Ok(outcome)
    }

    fn chunk(
        &self,
        session: &mut dyn Session,
        phase: &Phase<'_, '_, '_>,
        n: u64,
        chunk: &Chunk<'_, '_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let hash = chunk.hash();
        match phase.committed.get(&n) {
            Some(known) if *known == hash => return Ok(()),
            Some(_) => return Err(planned_otherwise(n)),
            None => {}
        }
        self.pace.wait(chunk.ops.len(), phase.job.stop);
        let mut tries = 0;
        loop {
            let mut writer = Writer::new(session, (phase.job, phase.work), phase.careful);
            let mark = Mark::Chunk { n, hash };
            let done = writer
                .session
                .begin(phase.claim, mark)
                .and_then(|()| writer.write(&chunk.ops))
                .and_then(|()| writer.keep_skipped(phase.claim, mark))
                .and_then(|()| phase.job.journal.settle())
                .and_then(|()| writer.session.commit(phase.claim, None));
            let (statements, conflicts) = (writer.statements, writer.conflicts);
            match done {
                Ok(()) => {
                    outcome.statements += statements;
                    outcome.conflicts += conflicts;
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    self.calm();
                    return Ok(());
                }
                // A lock wait rolls back one statement only: always all of it.
                Err(e) => {
                    session.rollback();
                    if e.kind() != ErrorKind::Retry || tries >= TRIES {
                        return Err(e);
                    }
                    tries += 1;
                    self.deadlock();
                    back_off(tries.saturating_sub(2), phase.job.stop);
                }
            }
        }
    }

    fn deadlock(&self) {
        self.calm.store(0, Ordering::Relaxed);
        let half = |n: usize| Some((n / 2).max(1));
        let _ = self.allowed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, half);
    }

    fn calm(&self) {
        if self.calm.fetch_add(1, Ordering::Relaxed) % CALM == CALM - 1 {
            let more = |n: usize| (n < self.most).then_some(n + 1);
            let _ = self.allowed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }
}

/// A chunk was planned otherwise by an earlier run.
fn planned_otherwise(n: u64) -> Error {
    Error::stopped(format!(
        "part {n} of the window that an earlier run has begun is committed at the target, but is \
         not what is planned now: a table or the program has changed since"
    ))
    .help("bring the target's tables back to what they were, or use that run's version of binsync")
}

/// Holds up row changes so that they do not exceed a rate.
pub(super) struct Pace {
    a_second: Option<u64>,
    free_at: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(a_second: Option<u64>) -> Self {
        Self { a_second, free_at: Mutex::new(Instant::now()) }
    }

    /// Waits until so many row changes are due.
    pub(super) fn wait(&self, rows: usize, stop: &AtomicBool) {
        let Some(a_second) = self.a_second else { return };
        let due = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let take = Duration::from_secs_f64(rows as f64 / a_second as f64);
            *free_at = (*free_at).max(Instant::now()) + take;
            *free_at
        };
        while Instant::now() < due && !stop.load(Ordering::Relaxed) {
            thread::sleep((due - Instant::now()).min(Duration::from_millis(100)));
        }
    }
}

/// Waits before the next try, until told to stop.
pub(in crate::replay) fn back_off(tries: u32, stop: &AtomicBool) {
    let mut left = retry::pause(tries, LONGEST_PAUSE);
    while !left.is_zero() && !stop.load(Ordering::Relaxed) {
        let step = left.min(Duration::from_millis(100));
        thread::sleep(step);
        left -= step;
    }
}
