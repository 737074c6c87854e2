//! Spool to database, exactly once.
//!
//! ```text
//! reader ── window of whole source transactions ── plan ── taker ── target
//! ```
//!
//! [`pass`] has how they hang together. Whatever goes wrong with a connection ends the pass; the next one asks the target where it
//! stands and goes on there.

use std::sync::atomic::Ordering;

use super::stopped;
use crate::dest::{Copying, Standing, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::replay::standing::recognise;
use crate::spool::Spool;

mod begin;
mod bind;
mod conflict;
mod copied;
pub(super) mod course;
mod execute;
pub mod follow;
mod job;
mod lanes;
pub mod look;
mod net;
pub(super) mod pass;
pub(super) mod preflight;
mod reader;
mod relay;
mod seen;
mod spill;
pub(super) mod statements;
pub(super) mod taker;
mod whole;
mod writer;

pub use crate::plan::op::Verb;
pub use conflict::{Conflict, Journal, OnConflict, Sink};
use course::Course;
use execute::Executor;
pub use job::{How, Job, Mode, OnDdl, Outcome, Part, Report, TableOutcome};
pub(super) use lanes::back_off;
use preflight::Left;
use seen::Seen;

/// A pass that fails for a passing reason is tried so many times without progress.
const TRIES: u32 = 9;

/// A target in use, and what was learnt while using it.
pub struct Applier<'o> {
    open: &'o mut dyn FnMut() -> Result<Box<dyn Target>>,
    target: Option<Box<dyn Target>>,
    /// How far the run was seen to have come in the target.
    seen: Option<Seen>,
    connected: bool,
    /// A conflict was met: from then on every part is written so that the row is found.
    careful: bool,
    /// The tables whose first copy is not at its end, as the target has it.
    copying: Vec<Copying>,
    /// What was done, in all jobs.
    pub outcome: Outcome,
}

impl<'o> Applier<'o> {
    /// `open` connects to the target, again after a lost connection.
    pub fn new(open: &'o mut dyn FnMut() -> Result<Box<dyn Target>>) -> Self {
        Self {
            open,
            target: None,
            seen: None,
            connected: false,
            careful: false,
            copying: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    /// The tables whose first copy was not at its end when the target told it last.
    pub fn copying(&self) -> &[Copying] {
        &self.copying
    }

    /// Applies a selection; `report` is told how far it is, and what is tried again.
    ///
    /// # Errors
    /// When the target refuses, or the apply was told to stop; what is committed stays, a rerun
    /// goes on after it.
    pub fn run(
        &mut self,
        spool: &Spool,
        job: &Job<'_>,
        report: &mut dyn FnMut(Report),
    ) -> Result<()> {
        let done = self.passes_until_done(spool, job, report);
        let done = done.map_err(|e| self.explained(spool, job, e));
        if done.is_err()
            && let Some(mut target) = self.target.take()
        {
            // Where nothing was done, another selection may take the name. Why it failed is what
            // matters.
            let _ = target.forget(job.begin());
            if let Some(seen) = &mut self.seen {
                seen.give_up(job.begin());
            }
        }
        self.settle(spool, report);
        done
    }

    fn passes_until_done(
        &mut self,
        spool: &Spool,
        job: &Job<'_>,
        report: &mut dyn FnMut(Report),
    ) -> Result<()> {
        let mut tries = 0;
        loop {
            let before = self.outcome.commits + self.outcome.ddl;
            let e = match self.pass(spool, job, report) {
                Ok(true) => return Ok(()),
                Ok(false) => continue,
                Err(e) => e,
            };
            if self.outcome.commits + self.outcome.ddl > before {
                tries = 0;
            }
            match e.kind() {
                // Once more, so that the row is found and the policy asked.
                ErrorKind::Conflict if !self.careful => {
                    self.careful = true;
                    self.target = None;
                }
                kind if self.passes(kind, job) && (tries < TRIES || job.how.patient) => {
                    tries += 1;
                    self.target = None;
                    let again = match job.how.patient {
                        true => "; trying again".to_owned(),
                        false => format!("; trying again ({tries} of {TRIES})"),
                    };
                    report(Report::Note(e.message().clone() + again));
                    back_off(tries, job.stop);
                }
                ErrorKind::Retry | ErrorKind::Lost | ErrorKind::ReadOnly if self.connected => {
                    self.target = None;
                    return Err(e.kept_as(ErrorKind::Stopped));
                }
                _ => return Err(e),
            }
            if job.stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
        }
    }

    /// True for a fault that may pass by itself.
    fn passes(&self, kind: ErrorKind, job: &Job<'_>) -> bool {
        match kind {
            ErrorKind::Retry | ErrorKind::Lost => self.connected || job.how.patient,
            ErrorKind::ReadOnly => self.outcome.commits + self.outcome.ddl > 0,
            _ => false,
        }
    }

    fn pass(
        &mut self,
        spool: &Spool,
        job: &Job<'_>,
        report: &mut dyn FnMut(Report),
    ) -> Result<bool> {
        let fresh = self.target.is_none();
        let target = match &mut self.target {
            Some(target) => target.as_mut(),
            empty => empty.insert((self.open)()?).as_mut(),
        };
        self.connected = true;
        let standing = if fresh {
            let (standing, seen) = begin::claim(spool, job, target, report)?;
            let last = match &standing.last {
                Some(last) => Some(last.clone()),
                None => spool.landmark(standing.seq)?,
            };
            self.outcome.last = last.or(self.outcome.last.take());
            self.outcome.skipped_before |= standing.skipped;
            self.outcome.made_anew |= seen.as_ref().is_some_and(|seen| seen.made_anew);
            self.seen = seen;
            self.copying.clone_from(&standing.copying);
            report(Report::Reached(standing.seq, None));
            standing
        } else {
            let seq = target.sessions().claim.seq;
            recognise(spool, job.run, seq, self.outcome.last.as_ref())?;
            Standing { seq, ..Standing::default() }
        };
        let seen = &mut self.seen;
        let mut reached = |report: &mut dyn FnMut(Report), seq| {
            let written = seen.as_mut().map_or(Ok(()), |seen| seen.reached(spool, seq));
            written.unwrap_or_else(|e| report(Report::Note(e.words())));
        };
        let (careful, outcome) = (self.careful, &mut self.outcome);
        let statements = outcome.ddl;
        let begun = Begun { standing, fresh, careful, copying: &self.copying };
        let done = write(spool, job, target, begun, outcome, &mut |event| {
            if let Report::Reached(seq, _) = event {
                reached(report, seq);
            }
            report(event);
        });
        let seq = target.sessions().claim.seq;
        reached(report, seq);
        if let Some(seen) = &mut self.seen {
            let changed = self.outcome.ddl > statements;
            seen.keep_tables(&self.outcome.tables, changed, target);
        }
        done
    }

    /// Writes down how far the run has come.
    fn settle(&mut self, spool: &Spool, report: &mut dyn FnMut(Report)) {
        let written = self.seen.as_mut().map_or(Ok(()), |seen| seen.settle(spool));
        written.unwrap_or_else(|e| report(Report::Note(e.words())));
    }

    /// Refuses a spool that is not the one the run has come so far in.
    ///
    /// # Errors
    /// As [`Spool::recognise`].
    fn recognise(&self, spool: &Spool, job: &Job<'_>) -> Result<()> {
        let last = self.outcome.last.as_ref();
        last.map_or(Ok(()), |last| recognise(spool, job.run, 0, Some(last)))
    }

    /// Says so where the spool is not any more the one that the run has come so far in.
    fn explained(&mut self, spool: &Spool, job: &Job<'_>, error: Error) -> Error {
        match &mut self.target {
            Some(target) => begin::explained(spool, job, target.as_mut(), error),
            None => error,
        }
    }

    /// Keeps the connections open while there is nothing to do.
    ///
    /// # Errors
    /// When one is lost; the next job connects again.
    pub fn keep_alive(&mut self) -> Result<()> {
        let alive = self.target.as_mut().map_or(Ok(()), |target| target.keep_alive());
        if alive.is_err() {
            self.target = None;
        }
        alive
    }
}

/// What a pass begins with.
struct Begun<'b> {
    standing: Standing,
    /// The target was just opened.
    fresh: bool,
    /// As [`Applier::careful`].
    careful: bool,
    /// As [`Applier::copying`].
    copying: &'b [Copying],
}

/// Applies what is left of the job's selection, from where it stands. False when only a window was
/// finished that an earlier run had begun.
fn write(
    spool: &Spool,
    job: &Job<'_>,
    target: &mut dyn Target,
    Begun { standing, fresh, careful, copying }: Begun<'_>,
    outcome: &mut Outcome,
    report: &mut dyn FnMut(Report),
) -> Result<bool> {
    let left = begin::left(job, &standing)?;
    if left.is_empty() {
        return Ok(true);
    }
    let mut left = Left::find(spool, job, left, target.acts(), copying)?;
    if fresh && let Some(open) = left.check(spool, job, standing.statement, target)? {
        let note = open.note.map(|(now, behind)| target.note(&open.told, &now, &behind));
        return note.unwrap_or(Ok(())).and(Err(open.why));
    }
    let begun = standing.window;
    let mut executor = Executor::new(spool.records()?, job, target, standing, careful);
    if fresh {
        left.tables(job, &mut executor, report)?;
        left.check_whole(spool, job, executor.target)?;
    }
    executor.target.open_lanes()?;
    let lanes = executor.target.lanes();
    let course = Course::new(spool, job, left, (begun, lanes), false, report)?;
    executor.chunk = course.chunk;
    let left_out = &mut outcome.bootstrap_rows_left_out;
    let done = pass::run(spool, job, course, &mut executor, left_out, report);
    outcome.add(executor.outcome);
    done.map(|()| begun.is_none())
}
