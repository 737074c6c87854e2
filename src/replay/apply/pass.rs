//! The way of a stretch: read → plan → write.
//!
//! Events are borrowed from the frames they were read from. So it is not a window that goes from one
//! stage to the next: two workers each take a window through all of them, and hand each other what
//! there is one of, the reader and the taker.
//!
//! - Both go from worker to worker in turns, so windows are written in the order they were read in,
//!   and while one is written the next is read and planned. There are never more than two.
//! - Whoever has the reader and waits for the taker waits for the window before his own, whose worker
//!   has read it already and waits for nothing else.
//! - The reader is passed on when a window is cut, but for a statement: what follows it is read when
//!   it has run. Which tables there are is known from the start, or asked behind all that comes
//!   before, with the taker in hand.
//! - Whatever ends a worker drops what it has: the other one finishes its window and ends, too.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread;

use super::bind::{Known, Placed};
use super::course::{Course, Planning};
use super::job::{Job, OnDdl, Report};
use super::reader::{Cut, Events, Reader};
use super::relay::{Relay, both};
use super::statements::Met;
use super::taker::{Taker, Work};
use crate::error::{Error, Means, Result};
use crate::plan::window::{Plan, Rows};
use crate::replay::{ahead, stopped};
use crate::select;
use crate::spool::{Seq, Spool};

/// What the workers share.
pub(super) struct Pass<'p, 's> {
    pub(super) job: &'p Job<'s>,
    pub(super) course: Course<'s>,
}

/// Where a pass is, and the tables it knows.
pub(super) struct Reading<'p> {
    pub(super) reader: Reader<'p>,
    pub(super) known: Known,
}

/// Has all that is left taken. Adds to `left_out` the bootstrap rows
/// that a reverse does not take.
///
/// # Errors
/// Those of the taker, and when something cannot be read or planned.
pub(in crate::replay) fn run<'s>(
    spool: &Spool,
    job: &Job<'s>,
    mut course: Course<'s>,
    taker: &mut dyn Taker,
    left_out: &mut u64,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    let (direction, filter) = (job.run.direction, &job.selection.filter);
    let frames = ahead(select::frames(spool, filter, course.left.range.clone(), direction)?);
    let reader = Reader::new(frames, course.left.range.clone(), direction, filter, course.limits);
    let known = std::mem::take(&mut course.left.known);
    let (pass, mut reading) = (Pass { job, course }, Reading { reader, known });
    let (send, receive) = mpsc::channel();
    let done = thread::scope(|scope| {
        let (pass, reading) = (&pass, &mut reading);
        let work = scope.spawn(move || match pass.course.parts {
            1 => pass.windows(reading, taker, &send),
            _ => pass.net(reading, taker, &send),
        });
        receive.into_iter().for_each(report);
        work.join().unwrap_or_else(|_| Err(Error::failed("a worker panicked")))
    });
    *left_out += reading.reader.left_out;
    done
}

impl Pass<'_, '_> {
    fn windows(
        &self,
        reading: &mut Reading<'_>,
        taker: &mut dyn Taker,
        report: &Sender<Report>,
    ) -> Result<()> {
        let ([first, second], [a, b]) = (Relay::between(reading), Relay::between(taker));
        both([(first, a), (second, b)], |(reading, taker)| self.worker(&reading, &taker, report))?;
        Ok(())
    }

    fn worker(
        &self,
        readers: &Relay<&mut Reading<'_>>,
        takers: &Relay<&mut dyn Taker>,
        report: &Sender<Report>,
    ) -> Result<()> {
        while let Some(reading) = readers.take() {
            self.go_on()?;
            let frames = reading.reader.read()?;
            let mut events = Events::new();
            let cut = reading.reader.cut(&frames, &mut events)?;
            if cut == Cut::End {
                return Ok(());
            }
            let binder = &self.course.left.binder;
            let placed = Placed::of(&events, binder)?;
            let (mut tables, mut early) = (reading.known.of(&placed, binder, None)?, None);
            if tables.is_none() {
                let Some(taker) = takers.take() else { return Ok(()) };
                tables = reading.known.of(&placed, binder, Some(taker))?;
                early = Some(taker);
            }
            let mut held = None;
            match cut {
                Cut::Ddl(_) => held = Some(reading),
                _ => readers.pass(reading),
            }
            let rows = placed.bind(tables, binder)?;
            let work = Work { rows: &rows, plan: self.plan(&rows)?, events: &events };
            let Some(taker) = early.or_else(|| takers.take()) else { return Ok(()) };
            match cut {
                Cut::Ddl(seq) => {
                    let ran = self.statement(taker, seq)?;
                    held.iter_mut().filter(|_| ran).for_each(|reading| reading.known.forget());
                }
                Cut::Piece => taker.take(&work, None)?,
                Cut::Whole(to) => {
                    taker.take(&work, Some(to))?;
                    let ts = events.last().map(|(_, event)| event.meta.ts);
                    let _ = report.send(Report::Reached(to, ts));
                }
                Cut::End => {}
            }
            takers.pass(taker);
            held.into_iter().for_each(|reading| readers.pass(reading));
        }
        Ok(())
    }

    /// Fails when told to stop.
    pub(super) fn go_on(&self) -> Result<()> {
        if self.job.stop.load(Ordering::Relaxed) { Err(stopped()) } else { Ok(()) }
    }

    pub(super) fn plan<'w, 'f>(&self, rows: &'w [Rows<'f>]) -> Result<Plan<'w, 'f>> {
        let direction = self.job.run.direction;
        match self.course.planning {
            Planning::Fold => Plan::new(rows, direction, self.course.chunk as usize),
            Planning::InOrder => Ok(Plan::in_order(rows, direction)),
            Planning::Look => Plan::looks(rows),
        }
    }

    /// Has the message of a statement taken; true when tables may be others now.
    pub(super) fn statement(&self, taker: &mut dyn Taker, seq: Seq) -> Result<bool> {
        let met = self.course.left.ddl.get(&seq);
        if let (Some(Met::Left(told)), OnDdl::Stop) = (met, self.job.how.on_ddl) {
            return Err(Error::stopped(format!("a statement is next\n  {}", told.place())).help((
                "run it at the target yourself and go on with {} skip, or let it run with {} apply",
                [Means::Ddl, Means::Ddl],
            )));
        }
        taker.statement(seq, met)?;
        Ok(matches!(met, Some(Met::Run(_) | Met::ByHand(..))))
    }
}
