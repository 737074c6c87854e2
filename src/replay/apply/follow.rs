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
    let mut spool = Spool::open(spool.dir())?;
    let mut at = job.selection.range.end;
    let mut known: Option<((u64, usize), Definitions)> = None;
    let mut refreshed = Instant::now();
    while !job.stop.load(Ordering::Relaxed) {
        let to = whole_end(&spool)?;
        if to <= at {
            applier.keep_alive().unwrap_or_else(|e| report(Report::Note(e.words())));
            if refreshed.elapsed() > REFRESH {
                spool.refresh()?;
                applier.recognise(&spool, job)?;
                refreshed = Instant::now();
            }
            thread::sleep(POLL);
            continue;
        }
        let told = (spool.ddl_count()?, spool.nulls()?.len());
        let definitions = match known.take().filter(|(before, _)| *before == told) {
            Some((_, definitions)) => definitions,
            None => {
                let logs_cascades = job.definitions.logs_cascades;
                let new = Definitions::load(&spool)?;
                Definitions { logs_cascades: logs_cascades.or(new.logs_cascades), ..new }
            }
        };
        let range = job.selection.range.start..to;
        let selection = Selection { range, ..job.selection.clone() };
        let next = Job { definitions: &definitions, selection: &selection, ..*job };
        applier.run(&spool, &next, report)?;
        known = Some((told, definitions));
        at = to;
    }
    Ok(())
}

/// Where the last whole transaction ends.
fn whole_end(spool: &Spool) -> Result<Seq> {
    let end = spool.end()?;
    Ok(end.open.unwrap_or(end.next))
}
