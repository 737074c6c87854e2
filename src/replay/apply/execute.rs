//! Writes planned windows: small ones in one transaction, others as chunks on several lanes.

use std::collections::HashMap;
use std::sync::Arc;

use super::conflict::{Policy, Writer};
use super::job::{Job, Mode, Outcome};
use super::lanes::{Lanes, Pace};
use super::reader::Events;
use crate::error::{Error, Result, Words};
use crate::event::ddl::{Statement, Told};
use crate::event::def::TableDef;
use crate::event::landmark::Landmark;
use crate::event::{Direction, TableName};
use crate::plan::Table;
use crate::plan::present::Present;
use crate::plan::window::{Plan, Rows};
use crate::replay::binder::describe;
use crate::spool::{Records, Seq};
use crate::target::{Mark, Point, Standing, Target, Window};

/// A window's events, bound and planned.
pub(super) struct Work<'w, 'f> {
    pub(super) rows: &'w [Rows<'f>],
    pub(super) plan: Plan<'w, 'f>,
    pub(super) events: &'w Events<'f>,
}

pub(super) struct Executor<'p, 's> {
    job: &'p Job<'s>,
    target: &'p mut dyn Target,
    /// The window an earlier run has begun, and which of its chunks are committed.
    begun: Option<Window>,
    committed: HashMap<u64, u64>,
    careful: bool,
    /// The target can commit a window in chunks, …
    chunked: bool,
    /// … of at most so many row changes.
    chunk: u32,
    lanes: Lanes,
    /// Tells the records by which a place in the spool is known again.
    records: Records,
    /// A transaction larger than a window is being written on the main session.
    open: bool,
    pending: Outcome,
    outcome: Outcome,
}

impl<'p, 's> Executor<'p, 's> {
    pub(super) fn new(
        records: Records,
        job: &'p Job<'s>,
        target: &'p mut dyn Target,
        standing: Standing,
        careful: bool,
        chunked: bool,
        chunk: u32,
    ) -> Self {
        let lanes = Lanes::new(target.sessions().lanes.len().max(1), Pace::new(job.how.most_rows));
        Self {
            job,
            target,
            begun: standing.window,
            committed: standing.chunks,
            careful,
            chunked,
            chunk,
            lanes,
            records,
            open: false,
            pending: Outcome::default(),
            outcome: Outcome::default(),
        }
    }

    pub(super) fn into_outcome(self) -> Outcome {
        self.outcome
    }

    pub(super) fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        self.target.table(name, def)
    }

    /// Writes whole transactions; afterwards the progress stands at `to`.
    pub(super) fn window(&mut self, work: &Work<'_, '_>, to: Seq) -> Result<()> {
        let lanes = self.target.sessions().lanes.len();
        let wide = lanes > 0
            && !self.open
            && self.job.how.mode != Mode::Serial
            && work.plan.ops() > 2 * self.chunk as usize;
        let done = match self.begun.take() {
            Some(window) => self.chunks(work, window),
            None if wide => {
                let window = Window { end: to, parts: 1, chunk: self.chunk };
                self.open_window(window).and_then(|()| self.chunks(work, window))
            }
            None => self.transaction(work, Some(to)),
        };
        done?;
        self.count(work);
        self.outcome.add(std::mem::take(&mut self.pending));
        Ok(())
    }

    /// Where the run stands.
    pub(super) fn seq(&mut self) -> Seq {
        self.target.sessions().claim.seq
    }

    pub(super) fn keep_alive(&mut self) -> Result<()> {
        self.target.keep_alive()
    }

    /// Begins a net effect, or goes on with one.
    pub(super) fn begin_net(&mut self, window: Window) -> Result<()> {
        match self.begun.take() {
            Some(_) => Ok(()),
            None if self.chunked => self.open_window(window),
            None => Ok(()),
        }
    }

    fn open_window(&mut self, window: Window) -> Result<()> {
        let last = self.point(window.end)?.last;
        self.target.open_window(window, last.as_ref())?;
        self.reached(last);
        Ok(())
    }

    /// Keeps which record the run has come to.
    fn reached(&mut self, last: Option<Landmark>) {
        self.outcome.last = last.or(self.outcome.last.take());
    }

    /// The place behind (going back, before) everything that is taken then. A reverse keeps the
    /// record it began behind: all it takes lies before that.
    fn point(&mut self, to: Seq) -> Result<Point> {
        if self.job.run.direction == Direction::Reverse {
            return Ok(to.into());
        }
        Ok(Point { seq: to, last: self.records.landmark(to)? })
    }

    /// Writes a part of a net effect, its chunks numbered from `first`.
    pub(super) fn part(&mut self, work: &Work<'_, '_>, first: u64) -> Result<()> {
        self.target.keep_alive()?;
        match self.chunked {
            true => self.phases(work, first)?,
            false => self.transaction(work, None)?,
        }
        self.count(work);
        Ok(())
    }

    /// Ends a net effect.
    pub(super) fn end_net(&mut self, window: Window, events: &[(Arc<Table>, u64)]) -> Result<()> {
        match self.chunked {
            true => self.target.close_window(window)?,
            false => self.move_to(window.end)?,
        }
        self.committed.clear();
        for (table, events) in events {
            let sum = self.pending.tables.entry(table.name.clone()).or_default();
            sum.events += events;
            sum.keyless |= !table.has_key();
        }
        self.outcome.add(std::mem::take(&mut self.pending));
        Ok(())
    }

    /// Writes a part of a transaction, which stays open.
    pub(super) fn piece(&mut self, work: &Work<'_, '_>) -> Result<()> {
        self.transaction(work, None)?;
        self.count(work);
        Ok(())
    }

    /// Writes on the main session; commits when the progress is to move.
    fn transaction(&mut self, work: &Work<'_, '_>, to: Option<Seq>) -> Result<()> {
        self.lanes.pace.wait(work.plan.ops(), self.job.stop);
        let to = to.map(|to| self.point(to)).transpose()?;
        let describe = |seq| describe_event(work.events, seq);
        let policy = self.policy(&describe, &work.plan.present);
        let sessions = self.target.sessions();
        let mut writer = Writer::new(sessions.main, &policy, self.careful);
        let mut write = || -> Result<()> {
            if !self.open {
                writer.session.begin(sessions.claim, Mark::Step)?;
                self.open = true;
            }
            for chunk in work.plan.phases.iter().flatten() {
                writer.write(&chunk.ops)?;
            }
            writer.keep_skipped(sessions.claim, Mark::Step)?;
            if to.is_some() {
                self.job.journal.settle()?;
                writer.session.commit(sessions.claim, to.as_ref())?;
                self.outcome.commits += 1;
            }
            Ok(())
        };
        let done = write();
        self.pending.statements += writer.statements;
        self.pending.conflicts += writer.conflicts;
        if done.is_err() {
            writer.session.rollback();
            self.open = false;
        }
        done?;
        if let Some(to) = to {
            self.open = false;
            sessions.claim.seq = to.seq;
            self.reached(to.last);
        }
        Ok(())
    }

    fn policy<'d>(
        &self,
        describe: &'d (dyn Fn(Seq) -> String + Sync),
        present: &'d Present,
    ) -> Policy<'d>
    where
        's: 'd,
        'p: 'd,
    {
        Policy {
            on_conflict: self.job.how.on_conflict,
            journal: self.job.journal,
            run: &self.job.run.name,
            present,
            describe,
        }
    }

    /// Writes a window as chunks that are committed each on its own.
    fn chunks(&mut self, work: &Work<'_, '_>, window: Window) -> Result<()> {
        self.phases(work, 0)?;
        self.target.close_window(window)?;
        self.committed.clear();
        Ok(())
    }

    fn phases(&mut self, work: &Work<'_, '_>, first: u64) -> Result<()> {
        let describe = |seq| describe_event(work.events, seq);
        let policy = self.policy(&describe, &work.plan.present);
        for (phase, chunks) in work.plan.phases.iter().enumerate() {
            let sessions = self.target.sessions();
            let done = self.lanes.run(
                chunks,
                first + ((phase as u64) << 32),
                sessions,
                &self.committed,
                &policy,
                self.careful,
                self.job.stop,
            );
            self.outcome.commits += self.lanes.commits();
            self.pending.add(done?);
        }
        Ok(())
    }

    fn count(&mut self, work: &Work<'_, '_>) {
        for rows in work.rows {
            let table = self.pending.tables.entry(rows.table.name.clone()).or_default();
            table.events += rows.changes.len() as u64;
            table.keyless |= !rows.table.has_key();
            table.in_order |= rows.table.in_order;
        }
        // Changes that follow one another are mostly of one table.
        for chunk in work.plan.phases.iter().flatten() {
            for run in chunk.ops.chunk_by(|a, b| Arc::ptr_eq(a.table, b.table)) {
                let table = self.pending.tables.entry(run[0].table.name.clone()).or_default();
                table.written += run.len() as u64;
            }
        }
    }

    pub(super) fn ddl(&mut self, ddl: &Statement) -> Result<()> {
        let next = self.point(ddl.told().seq + 1)?;
        self.target.ddl(ddl, &next)?;
        self.outcome.ddl += 1;
        self.reached(next.last);
        Ok(())
    }

    /// Goes on behind a statement that somebody has to do by hand, when it is done.
    pub(super) fn by_hand(&mut self, told: &Told, why: &Words, next: &Words) -> Result<()> {
        let behind = self.point(told.seq + 1)?;
        if !self.target.settled(told, Some(&behind))? {
            return Err(Error::stopped(why.clone()).help(next.clone()));
        }
        self.target.settle(told, &behind)?;
        self.reached(behind.last);
        Ok(())
    }

    /// Moves the progress where there is nothing to write.
    pub(super) fn move_to(&mut self, to: Seq) -> Result<()> {
        let work = Work { rows: &[], plan: Plan::default(), events: &Events::new() };
        self.transaction(&work, Some(to))
    }

    /// Moves the progress behind a DDL message that is not run.
    pub(super) fn pass_over(&mut self, seq: Seq, counts: bool) -> Result<()> {
        self.move_to(self.job.run.direction.after(seq))?;
        self.outcome.ddl_skipped += u64::from(counts);
        Ok(())
    }
}

fn describe_event(events: &Events<'_>, seq: Seq) -> String {
    // A reverse reads them from the last to the first.
    let found = events.iter().find(|(s, _)| *s == seq);
    found.map_or_else(|| format!("message {seq}"), |(seq, event)| describe(*seq, event))
}
