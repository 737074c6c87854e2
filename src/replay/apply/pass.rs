//! One pass over what is left of a selection, with one connection to the target.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::thread;

use super::execute::{Executor, Work};
use super::job::{Job, Mode, OnDdl, Outcome, Report};
use super::reader::{Cut, Events, Limits, Reader};
use super::shared::{Pass, WORKERS, lock};
use super::{net, preflight, statements, whole};
use crate::error::{Error, Means, Result};
use crate::event::Direction;
use crate::plan::window::Plan;
use crate::replay::binder::Binder;
use crate::replay::reversible::no_cascades;
use crate::replay::{Selection, ahead, selected, stopped};
use crate::select;
use crate::spool::{Seq, Spool};
use crate::target::{Standing, Target};

/// A window is cut after so many bytes of messages at the latest.
const WINDOW_BYTES: usize = 32 << 20;
/// A chunk is this part of a window, …
const CHUNKS: usize = 64;
/// … and has at most so many row changes.
const CHUNK_ROWS: usize = 1000;
/// A window that is known to be of bounded size.
const ALL: Limits = Limits { rows: usize::MAX, bytes: usize::MAX };

/// Applies what is left of the job's selection, from where it stands. `fresh`: the target was just
/// opened. False when only a window was finished that an earlier run had begun.
///
/// # Errors
/// As the target has them; what is committed is in `outcome`.
pub(super) fn run(
    spool: &Spool,
    job: &Job<'_>,
    target: &mut dyn Target,
    (standing, fresh): (Standing, bool),
    careful: bool,
    outcome: &mut Outcome,
    report: &mut dyn FnMut(Report),
) -> Result<bool> {
    let direction = job.run.direction;
    let range = job.selection.range.clone();
    let left = left(&range, direction, &standing)?;
    if left.is_empty() {
        return Ok(true);
    }
    let mut ddl = statements::find(spool, job)?;
    let binder = Binder::new(spool, job.definitions, job.route, direction)?;
    if direction == Direction::Forward && !target.acts() && !job.definitions.foreign_keys.is_empty()
    {
        let selection = Selection { range: left.clone(), ..job.selection.clone() };
        let rows = selected::rows(spool, &selection)?;
        no_cascades(spool, job.definitions, &selection, &rows)?;
    }
    if fresh {
        statements::check(spool, job, &mut ddl, &left, target)?;
        // What a skipped statement would have made is not there.
        let to_run = if job.how.on_ddl == OnDdl::Skip { &HashMap::new() } else { &ddl };
        preflight::check(spool, job, &binder, to_run, (&left, standing.statement), target, report)?;
        if direction == Direction::Forward {
            whole::check(spool, job, to_run, &left, target)?;
        }
    }
    let chunked = target.open_lanes()?;
    let begun = standing.window;
    let parts = match (begun, job.how.mode.folds_all()) {
        (Some(window), _) => window.parts,
        (None, true) => net::parts(spool, job.selection, &left, job.how.window)?,
        (None, false) => 1,
    };
    if begun.is_none() && chunked && job.how.mode == Mode::Net {
        report(Report::Note(net::announcement(direction, parts).into()));
    }
    // A limited rate is kept within seconds, and no connection is idle for longer.
    let a_second = job.how.most_rows.map_or(usize::MAX, |rows| rows as usize);
    let window = job.how.window.min(a_second.saturating_mul(20));
    let chunk = window.div_ceil(CHUNKS).min(CHUNK_ROWS).min(a_second) as u32;
    let chunk = begun.map_or(chunk, |window| window.chunk);
    // A window that is written in one transaction is a quarter as large.
    let whole = Limits { rows: window, bytes: WINDOW_BYTES };
    let quarter = Limits { rows: whole.rows.div_ceil(4), bytes: WINDOW_BYTES / 4 };
    let limits = match (begun.is_some() || job.how.mode.folds_all(), target.sessions().lanes.len())
    {
        (true, _) if parts > 1 => quarter,
        (true, _) => ALL,
        (false, _) if job.how.mode == Mode::Serial => Limits { rows: 1, ..quarter },
        (false, 0) => quarter,
        (false, _) => whole,
    };
    let frames = ahead(select::frames(spool, &job.selection.filter, left.clone(), direction)?);
    let reader = Reader::new(frames, left, direction, &job.selection.filter, limits);
    let (send, receive) = mpsc::channel();
    let pass = Pass {
        job,
        binder,
        ddl,
        reader: Mutex::new((reader, 0)),
        executor: Mutex::new(Executor::new(
            spool.records()?,
            job,
            target,
            standing,
            careful || job.how.mode == Mode::Look,
            chunked,
            chunk,
        )),
        turn: Mutex::new(0),
        turned: Condvar::new(),
        tables: Mutex::default(),
        chunk,
        serial: job.how.mode == Mode::Serial && begun.is_none(),
        ended: AtomicBool::new(false),
    };
    let results = thread::scope(|scope| {
        let workers: Vec<_> = (0..if parts > 1 { 1 } else { WORKERS })
            .map(|_| {
                let (pass, send) = (&pass, send.clone());
                scope.spawn(move || match parts {
                    1 => pass.or_end(|| pass.windows(&send)),
                    parts => pass.or_end(|| pass.net(&send, parts)),
                })
            })
            .collect();
        drop(send);
        receive.into_iter().for_each(report);
        let joined = workers.into_iter().map(|worker| worker.join());
        let results = joined.map(|r| r.unwrap_or_else(|_| Err(Error::failed("a worker panicked"))));
        results.collect::<Vec<Result<()>>>()
    });
    let Pass { reader, executor, .. } = pass;
    let executor = executor.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.add(executor.into_outcome());
    outcome.bootstrap_rows_left_out +=
        reader.into_inner().unwrap_or_else(PoisonError::into_inner).0.left_out;
    // The worker that failed first says why; the other was only told to end.
    results.into_iter().collect::<Result<()>>()?;
    Ok(begun.is_none())
}

/// What of the range is still to be done.
fn left(range: &Range<Seq>, direction: Direction, standing: &Standing) -> Result<Range<Seq>> {
    let outside = |end: Seq| !direction.has_come(direction.end(range), end);
    if let Some(window) = standing.window.filter(|window| outside(window.end)) {
        return Err(Error::stopped(format!(
            "an earlier run of this name was interrupted while it wrote the messages up to {}, \
             which is beyond the end of this one",
            window.end
        ))
        .help("run the earlier command again, then this one under another " + Means::Name));
    }
    // A window that was begun is finished first, exactly as it was cut.
    let to = standing.window.map_or(direction.end(range), |window| window.end);
    Ok(direction.range(direction.last(standing.seq, direction.begin(range)), to))
}

impl Pass<'_, '_> {
    fn windows(&self, report: &Sender<Report>) -> Result<()> {
        while !self.is_ended() {
            if self.job.stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            let mut reader = lock(&self.reader);
            if self.is_ended() {
                return Ok(());
            }
            let frames = reader.0.read()?;
            let mut events = Events::new();
            let cut = reader.0.cut(&frames, &mut events)?;
            if cut == Cut::End {
                return Ok(());
            }
            let number = reader.1;
            reader.1 += 1;
            // What follows a DDL statement is read when it has run.
            let held = matches!(cut, Cut::Ddl(_)).then_some(reader);
            let rows = self.bind(&events)?;
            let plan = match self.serial {
                _ if self.job.how.mode == Mode::Look => Plan::looks(&rows)?,
                true => Plan::in_order(&rows, self.direction()),
                false => Plan::new(&rows, self.direction(), self.chunk as usize)?,
            };
            let work = Work { rows: &rows, plan, events: &events };
            let Some(mut executor) = self.my_turn(number) else { return Ok(()) };
            match cut {
                // While the reader is held, or the other worker would read what is behind it.
                Cut::Ddl(seq) => self.or_end(|| self.ddl(&mut executor, seq))?,
                Cut::Piece => executor.piece(&work)?,
                Cut::Whole(to) => {
                    executor.window(&work, to)?;
                    let ts = events.last().map(|(_, event)| event.meta.ts);
                    let _ = report.send(Report::Reached(to, ts));
                }
                Cut::End => {}
            }
            self.next_turn();
            drop(executor);
            drop(held);
        }
        Ok(())
    }
}
