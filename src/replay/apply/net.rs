//! The net effect of a whole stretch: folded in parts through temporary files, written as one
//! window, so that the target is consistent only at its end.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::execute::Work;
use super::job::{Mode, Report};
use super::reader::{Events, Stretch, events_of};
use super::shared::{Pass, WORKERS, lock};
use super::spill::{Parts, Spill};
use crate::error::{Error, Means, Result};
use crate::event::Direction;
use crate::plan::Table;
use crate::plan::window::Plan;
use crate::replay::{Selection, selected, stopped};
use crate::spool::{Seq, Spool};
use crate::target::Window;

/// A part is made of about so many bytes of messages, or of a window's messages if that is less …
const PART_BYTES: u64 = 16 << 20;
/// … in at most so many files.
const MOST_PARTS: u64 = 256;

/// A stretch being read.
struct Spilling {
    spill: Spill,
    /// The DDL message it ends at, if any, and where the run stands then.
    end: Option<(Option<Seq>, Seq)>,
}

/// How many parts a stretch of so many messages is folded in.
///
/// # Errors
/// When the spool cannot be asked.
pub(super) fn parts(
    spool: &Spool,
    selection: &Selection,
    left: &Range<Seq>,
    window: usize,
) -> Result<u32> {
    let messages = match selection.filter.is_choosy_by_index() {
        true => {
            let selection = Selection { range: left.clone(), ..selection.clone() };
            selected::rows(spool, &selection)?.values().map(|rows| rows.counts.rows()).sum()
        }
        false => left.end - left.start,
    };
    let (records, raw) = spool.size()?;
    let bytes = u128::from(messages) * u128::from(raw) / u128::from(records.max(1));
    let parts = (bytes as u64).div_ceil(PART_BYTES).max(messages.div_ceil(window as u64));
    Ok(parts.clamp(1, MOST_PARTS) as u32)
}

impl Pass<'_, '_> {
    /// Applies what is left as the net effect of each stretch between two DDL statements.
    pub(super) fn net(&self, report: &Sender<Report>, parts: u32) -> Result<()> {
        loop {
            let spill = Mutex::new(Spilling { spill: Spill::new(parts)?, end: None });
            *lock(&self.turn) = lock(&self.reader).1;
            self.workers(|| self.spill(&spill))?;
            let Spilling { spill, end } =
                spill.into_inner().unwrap_or_else(PoisonError::into_inner);
            let from = lock(&self.executor).seq();
            let (ddl, to) = end.unwrap_or((None, from));
            let events = spill.events.clone();
            let parts = spill.finish()?;
            if events.iter().any(|n| *n > 0) {
                self.write_net(&parts, &events, from, to, report)?;
            } else {
                lock(&self.executor).move_to(to)?;
            }
            let _ = report.send(Report::Reached(to, None));
            match ddl {
                Some(seq) => self.ddl(&mut lock(&self.executor), seq)?,
                None => return Ok(()),
            }
        }
    }

    /// Reads to the next DDL statement, or to the end, and says which and where that is.
    fn spill(&self, to: &Mutex<Spilling>) -> Result<()> {
        loop {
            if self.job.stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            let mut reader = lock(&self.reader);
            if lock(to).end.is_some() {
                return Ok(());
            }
            let (frames, range) = match reader.0.stretch(&self.job.definitions.ddl)? {
                Stretch::Rows(frames, range) => (frames, range),
                Stretch::Ddl(seq) => {
                    let here = self.direction().before(seq);
                    lock(to).end = Some((Some(seq), here));
                    return Ok(());
                }
                Stretch::End => {
                    lock(to).end = Some((None, reader.0.at()));
                    return Ok(());
                }
            };
            let number = reader.1;
            reader.1 += 1;
            drop(reader);
            let direction = self.direction();
            let filter = &self.job.selection.filter;
            let (events, left_out) = events_of(&frames, &range, direction, filter)?;
            let rows = self.bind(&events)?;
            lock(&self.reader).0.left_out += left_out;
            let Some(mut executor) = self.my_turn(number) else { return Ok(()) };
            executor.keep_alive()?;
            lock(to).spill.add(rows, self.job.how.mode == Mode::Look)?;
            self.next_turn();
        }
    }

    /// Runs the same work on several threads.
    fn workers(&self, work: impl Fn() -> Result<()> + Sync) -> Result<()> {
        let results: Vec<Result<()>> = thread::scope(|scope| {
            let one = || self.or_end(&work);
            let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(one)).collect();
            let joined = workers.into_iter().map(|worker| worker.join());
            joined.map(|r| r.unwrap_or_else(|_| Err(Error::failed("a worker panicked")))).collect()
        });
        results.into_iter().collect()
    }

    fn write_net(
        &self,
        parts: &Parts,
        events: &[u64],
        from: Seq,
        to: Seq,
        report: &Sender<Report>,
    ) -> Result<()> {
        let n = parts.len();
        let window = Window { end: to, parts: n as u32, chunk: self.chunk };
        // Where a unique value can be in the way, all rows that leave have to leave first.
        let look = self.job.how.mode == Mode::Look;
        let halves = !look && !parts.tables().iter().all(|table| table.stands_alone());
        let passes: &[Option<bool>] = if halves { &[Some(true), Some(false)] } else { &[None] };
        if halves {
            let next = AtomicUsize::new(0);
            self.workers(|| self.check(parts, &next))?;
        }
        lock(&self.executor).begin_net(window)?;
        for (pass, leaving) in passes.iter().enumerate() {
            let next = AtomicUsize::new(0);
            *lock(&self.turn) = 0;
            // The parts are of about the same size, whatever messages they are made of.
            let written = |part: usize| {
                let (done, all) = (pass * n + part + 1, passes.len() * n);
                let way = from.abs_diff(to) * done as u64 / all as u64;
                let at = if self.direction().is_reverse() {
                    from.saturating_sub(way)
                } else {
                    from + way
                };
                let _ = report.send(Report::Reached(at, None));
            };
            self.workers(|| self.parts(parts, &next, pass, *leaving, &written))?;
        }
        let tables: Vec<(Arc<Table>, u64)> =
            parts.tables().iter().cloned().zip(events.iter().copied()).collect();
        lock(&self.executor).end_net(window, &tables)
    }

    /// Refuses, before anything is written, what cannot be written in halves.
    fn check(&self, parts: &Parts, next: &AtomicUsize) -> Result<()> {
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts.len() || self.is_ended() {
                return Ok(());
            }
            lock(&self.executor).keep_alive()?;
            let records = parts.load(part)?;
            let rows = parts.rows(&records)?;
            if Plan::new(&rows, self.direction(), self.chunk as usize)?.ordered {
                return Err(Error::stopped(
                    Means::Net
                        + ": rows have to be written in the source's order (others between them \
                           were not selected, or a unique value is taken back)",
                )
                .help("run without " + Means::Net));
            }
        }
    }

    /// Folds parts and writes them, in their order.
    fn parts(
        &self,
        parts: &Parts,
        next: &AtomicUsize,
        pass: usize,
        leaving: Option<bool>,
        written: &(dyn Fn(usize) + Sync),
    ) -> Result<()> {
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts.len() {
                return Ok(());
            }
            let records = parts.load(part)?;
            let rows = parts.rows(&records)?;
            let (direction, chunk) = (self.direction(), self.chunk as usize);
            let plan = match leaving {
                _ if self.job.how.mode == Mode::Look => Plan::looks(&rows)?,
                Some(leaving) => Plan::new(&rows, direction, chunk)?.half(leaving, chunk),
                None => Plan::new(&rows, direction, chunk)?,
            };
            let work = Work { rows: &[], plan, events: &Events::new() };
            let Some(mut executor) = self.my_turn(part as u64) else { return Ok(()) };
            executor.part(&work, ((pass * parts.len() + part) as u64) << 40)?;
            written(part);
            self.next_turn();
        }
    }
}

/// Where a net effect would not be the same as the changes one by one, said before it begins.
pub(super) fn announcement(direction: Direction, parts: u32) -> String {
    let way = if direction == Direction::Reverse { ", backwards" } else { "" };
    format!(
        "net effect of the whole selection{way}, folded in {parts} part{}: the target is \
         consistent only at the end",
        if parts == 1 { "" } else { "s" }
    )
}
