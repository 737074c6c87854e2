//! Goes on with what a capture adds to the spool, until told to stop.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::{Applier, Job, Report};
use crate::error::Result;
use crate::replay::{Definitions, Selection};
use crate::spool::{Seq, Spool};

/// How often the end of the spool is looked at.
const POLL: Duration = Duration::from_millis(10);
/// How often the spool is opened anew while nothing comes: its index may have been rebuilt.
const REFRESH: Duration = Duration::from_secs(2);

/// Applies what follows on `job`'s selection, as it comes, only whole transactions. Returns when
/// told to stop while nothing is left to do.
///
/// # Errors
/// As [`Applier::run`]; told to stop in the middle of work, a stop from which a rerun goes on.
pub fn follow(
    spool: &Spool,
    job: &Job<'_>,
    applier: &mut Applier<'_>,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    let done = go_on(spool, job, applier, report);
    done.map_err(|e| applier.explained(spool, job, e))
}

fn go_on(
    spool: &Spool,
    job: &Job<'_>,
    applier: &mut Applier<'_>,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    let mut steps = Steps::new(Spool::open(spool.dir())?);
    let mut at = job.selection.range.end;
    let mut refreshed = Instant::now();
    while !job.stop.load(Ordering::Relaxed) {
        let to = whole_end(&steps.spool)?;
        if to <= at {
            applier.keep_alive().unwrap_or_else(|e| report(Report::Note(e.words())));
            if refreshed.elapsed() > REFRESH {
                steps.spool.refresh()?;
                applier.recognise(&steps.spool, job)?;
                refreshed = Instant::now();
            }
            thread::sleep(POLL);
            continue;
        }
        steps.to(job, to, &mut |spool, next| applier.run(spool, next, report))?;
        at = to;
    }
    Ok(())
}

/// A spool that grows, gone through in steps.
pub(in crate::replay) struct Steps {
    pub(in crate::replay) spool: Spool,
    /// The definitions, and how much of the spool tells of some.
    known: Option<((u64, usize), Definitions)>,
}

impl Steps {
    pub(in crate::replay) fn new(spool: Spool) -> Self {
        Self { spool, known: None }
    }

    /// Does something with the job whose selection ends at `to`.
    ///
    /// # Errors
    /// Those of `act`, and when the spool cannot be read.
    pub(in crate::replay) fn to(
        &mut self,
        job: &Job<'_>,
        to: Seq,
        act: &mut dyn FnMut(&Spool, &Job<'_>) -> Result<()>,
    ) -> Result<()> {
        let spool = &self.spool;
        let told = (spool.ddl_count()?, spool.nulls()?.len());
        let definitions = match self.known.take().filter(|(before, _)| *before == told) {
            Some((_, definitions)) => definitions,
            None => {
                let logs_cascades = job.definitions.logs_cascades;
                let new = Definitions::load(spool)?;
                Definitions { logs_cascades: logs_cascades.or(new.logs_cascades), ..new }
            }
        };
        let range = job.selection.range.start..to;
        let selection = Selection { range, ..job.selection.clone() };
        act(spool, &Job { definitions: &definitions, selection: &selection, ..*job })?;
        self.known = Some((told, definitions));
        Ok(())
    }
}

/// Where the last whole transaction ends.
fn whole_end(spool: &Spool) -> Result<Seq> {
    let end = spool.end()?;
    Ok(end.open.unwrap_or(end.next))
}
