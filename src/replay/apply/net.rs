//! The net effect of a whole stretch: folded in parts through temporary files, written as one
//! window, so that the target is consistent only at its end.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use super::bind::{Known, Placed};
use super::course::Planning;
use super::job::Report;
use super::pass::{Pass, Reading};
use super::reader::{Reader, Stretch, events_of};
use super::relay::{Relay, both};
use super::spill::{Parts, Spill};
use super::taker::{Taker, Work};
use crate::dest::{ChunkId, Window};
use crate::error::{Error, Means, Result};
use crate::event::Direction;
use crate::plan::Table;
use crate::plan::window::{Half, Plan};
use crate::spool::Seq;

/// Where a stretch ends: at this statement's message, if at any, and where the run stands there.
type End = (Option<Seq>, Seq);

/// What is there for two workers: the tables, and whoever is asked for them.
type Asked<'a, 't> = Mutex<(&'a mut Known, &'a mut (dyn Taker + 't))>;

impl Pass<'_, '_> {
    /// Has what is left taken as the net effect of each stretch between two DDL statements.
    pub(super) fn net(
        &self,
        reading: &mut Reading<'_>,
        taker: &mut dyn Taker,
        report: &Sender<Report>,
    ) -> Result<()> {
        loop {
            let from = reading.reader.at();
            let mut spill = Spill::new(self.course.parts, self.looks())?;
            let (ddl, to) = self.fill(reading, taker, &mut spill)?;
            reading.reader.left_out += spill.left_out;
            let events = spill.events.clone();
            let parts = spill.finish()?;
            match events.iter().any(|n| *n > 0) {
                true => self.parts(&parts, &events, (from, to), taker, report)?,
                false => taker.take(&Work::default(), Some(to))?,
            }
            let _ = report.send(Report::Reached(to, None));
            let Some(seq) = ddl else { return Ok(()) };
            if self.statement(taker, seq)? {
                reading.known.forget();
            }
        }
    }

    fn looks(&self) -> bool {
        self.course.planning == Planning::Look
    }

    /// Reads to the next DDL statement, or to the end.
    fn fill(
        &self,
        reading: &mut Reading<'_>,
        taker: &mut dyn Taker,
        spill: &mut Spill,
    ) -> Result<End> {
        let Reading { reader, known } = reading;
        let asked = Mutex::new((known, taker));
        let ([first, second], [a, b]) = (Relay::between(reader), Relay::between(spill));
        let work = |(readers, spills): (_, _)| self.fill_in_turns(&readers, &spills, &asked);
        let ends = both([(first, a), (second, b)], work)?;
        let end = ends.into_iter().flatten().next();
        end.ok_or_else(|| Error::failed("a stretch without an end"))
    }

    fn fill_in_turns(
        &self,
        readers: &Relay<&mut Reader<'_>>,
        spills: &Relay<&mut Spill>,
        asked: &Asked<'_, '_>,
    ) -> Result<Option<End>> {
        let direction = self.job.run.direction;
        while let Some(reader) = readers.take() {
            self.go_on()?;
            let (frames, range) = match reader.stretch(&self.job.definitions.ddl)? {
                Stretch::Rows(frames, range) => (frames, range),
                Stretch::Ddl(seq) => return Ok(Some((Some(seq), direction.before(seq)))),
                Stretch::End => return Ok(Some((None, reader.at()))),
            };
            readers.pass(reader);
            let (events, left_out) =
                events_of(&frames, &range, direction, &self.job.selection.filter)?;
            let binder = &self.course.left.binder;
            let placed = Placed::of(&events, binder)?;
            let tables = {
                let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
                let (known, taker) = &mut *asked;
                taker.keep_alive()?;
                known.of(&placed, binder, Some(*taker))?
            };
            let rows = placed.bind(tables, binder)?;
            let Some(spill) = spills.take() else { return Ok(None) };
            spill.left_out += left_out;
            spill.add(rows)?;
            spills.pass(spill);
        }
        Ok(None)
    }

    /// Has the parts of a stretch taken.
    fn parts(
        &self,
        parts: &Parts,
        events: &[u64],
        (from, to): (Seq, Seq),
        taker: &mut dyn Taker,
        report: &Sender<Report>,
    ) -> Result<()> {
        let n = parts.len();
        let window = Window { end: to, parts: n as u32, chunk: self.course.chunk };
        // Where a unique value can be in the way, all rows that leave have to leave first.
        let together = self.looks() || parts.tables().iter().all(|table| table.stands_alone());
        let passes = match together {
            true => &[None][..],
            false => &[Some(Half::Leaving), Some(Half::Coming)],
        };
        if !together {
            self.each(parts, None, taker, &|taker, _, plan| {
                taker.keep_alive()?;
                if plan.ordered { Err(refused()) } else { Ok(()) }
            })?;
        }
        for (pass, half) in passes.iter().enumerate() {
            self.each(parts, *half, taker, &|taker, part, plan| {
                let work = Work { plan, ..Work::default() };
                let number = pass * n + part;
                taker.part(&work, window, ChunkId { part: number as u32, ..ChunkId::default() })?;
                // The parts are of about the same size, whatever messages they are made of.
                let way = from.abs_diff(to) * (number as u64 + 1) / (passes.len() * n) as u64;
                let reverse = self.job.run.direction == Direction::Reverse;
                let at = if reverse { from.saturating_sub(way) } else { from + way };
                let _ = report.send(Report::Reached(at, None));
                Ok(())
            })?;
        }
        let events: Vec<(Arc<Table>, u64)> =
            parts.tables().iter().cloned().zip(events.iter().copied()).collect();
        taker.end_net(window, &events)
    }

    /// Plans the parts, or a half of each, on two threads, and does something with each plan, in
    /// their order.
    fn each(
        &self,
        parts: &Parts,
        half: Option<Half>,
        taker: &mut dyn Taker,
        act: &(dyn Fn(&mut dyn Taker, usize, Plan<'_, '_>) -> Result<()> + Sync),
    ) -> Result<()> {
        let [first, second] = Relay::between(taker);
        both([(0, first), (1, second)], |(from, takers)| {
            for part in (from..parts.len()).step_by(2) {
                let records = parts.load(part)?;
                let rows = parts.rows(&records)?;
                let plan = self.plan(&rows)?;
                let plan = match half {
                    Some(half) => plan.half(half, self.course.chunk as usize),
                    None => plan,
                };
                let Some(taker) = takers.take() else { return Ok(()) };
                act(taker, part, plan)?;
                takers.pass(taker);
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// What cannot be written in halves.
fn refused() -> Error {
    Error::stopped(
        Means::Net
            + ": rows have to be written in the source's order (others between them were not \
               selected, or a unique value is taken back)",
    )
    .help("run without " + Means::Net)
}
