//! Writes planned windows: small ones in one transaction, others as chunks on several lanes.

use std::collections::HashMap;
use std::sync::Arc;

use super::job::{Job, Mode, Outcome};
use super::lanes::{Lanes, Pace};
use super::statements::Met;
use super::taker::{Taker, Work};
use super::writer::Writer;
use crate::dest::{ChunkId, Mark, Point, Settled, Standing, Target, Window};
use crate::error::{Error, Result, Words};
use crate::event::ddl::Told;
use crate::event::def::TableDef;
use crate::event::landmark::Landmark;
use crate::event::{Direction, TableName};
use crate::plan::Table;
use crate::replay::statement::Rewritten;
use crate::spool::{Records, Seq};

/// Writes to a database.
pub(super) struct Executor<'p, 's> {
    job: &'p Job<'s>,
    pub(super) target: &'p mut dyn Target,
    /// The window an earlier run has begun, and which of its chunks are committed.
    begun: Option<Window>,
    committed: HashMap<u64, u64>,
    careful: bool,
    /// The target can commit a window in chunks, …
    chunked: bool,
    /// … of at most so many row changes.
    pub(super) chunk: u32,
    lanes: Lanes,
    /// Tells the records by which a place in the spool is known again.
    records: Records,
    /// A transaction larger than a window is being written on the main session.
    open: bool,
    pending: Outcome,
    pub(super) outcome: Outcome,
}

impl<'p, 's> Executor<'p, 's> {
    pub(super) fn new(
        records: Records,
        job: &'p Job<'s>,
        target: &'p mut dyn Target,
        standing: Standing,
        careful: bool,
    ) -> Self {
        let lanes = Lanes::new(target.lanes().max(1), Pace::new(job.how.most_rows));
        Self {
            job,
            chunked: target.lanes() > 0,
            target,
            begun: standing.window,
            committed: standing.chunks,
            careful,
            chunk: 0,
            lanes,
            records,
            open: false,
            pending: Outcome::default(),
            outcome: Outcome::default(),
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

    /// Writes on the main session; commits when the progress is to move.
    fn transaction(&mut self, work: &Work<'_, '_>, to: Option<Seq>) -> Result<()> {
        self.lanes.pace.wait(work.plan.ops(), self.job.stop);
        let to = to.map(|to| self.point(to)).transpose()?;
        let sessions = self.target.sessions();
        let mut writer = Writer::new(sessions.main, (self.job, work), self.careful);
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

    /// Writes a part of a table's first copy, with how far the copy has come then, where the run
    /// stands.
    pub(super) fn copied(
        &mut self,
        work: &Work<'_, '_>,
        (table, reached): (&TableName, Option<&str>),
    ) -> Result<()> {
        self.lanes.pace.wait(work.plan.ops(), self.job.stop);
        let sessions = self.target.sessions();
        let claim = &*sessions.claim;
        let mut writer = Writer::new(sessions.main, (self.job, work), false);
        let done = writer.session.begin(claim, Mark::Step).and_then(|()| {
            let mut chunks = work.plan.phases.iter().flatten();
            chunks.try_for_each(|chunk| writer.write(&chunk.ops))?;
            writer.session.copied(claim, table, reached)?;
            writer.session.commit(claim, None)
        });
        if done.is_err() {
            writer.session.rollback();
        }
        done?;
        self.outcome.statements += writer.statements;
        self.outcome.commits += 1;
        Ok(())
    }

    /// Writes a window as chunks that are committed each on its own.
    fn chunks(&mut self, work: &Work<'_, '_>, window: Window) -> Result<()> {
        self.phases(work, ChunkId::default())?;
        self.target.close_window(window)?;
        self.committed.clear();
        Ok(())
    }

    fn phases(&mut self, work: &Work<'_, '_>, first: ChunkId) -> Result<()> {
        for (phase, chunks) in (0..).zip(&work.plan.phases) {
            let sessions = self.target.sessions();
            let done = self.lanes.run(
                chunks,
                ChunkId { phase, ..first },
                sessions,
                &self.committed,
                (self.job, work),
                self.careful,
            );
            self.outcome.commits += self.lanes.commits();
            self.pending.add(done?);
        }
        Ok(())
    }

    fn run(&mut self, ddl: &Rewritten) -> Result<()> {
        let next = self.point(ddl.of.told().seq + 1)?;
        self.target.ddl(&ddl.there, &next)?;
        self.outcome.ddl += 1;
        self.reached(next.last);
        Ok(())
    }

    /// Goes on behind a statement that somebody has to do by hand, when it is done.
    fn by_hand(&mut self, told: &Told, why: &Words, next: &Words) -> Result<()> {
        let behind = self.point(told.seq + 1)?;
        match self.job.settled(self.target, told)? {
            Settled::Done => self.target.settle(told, &behind)?,
            Settled::Open(now) => {
                now.map_or(Ok(()), |now| self.target.note(told, &now, &behind))?;
                return Err(Error::stopped(why.clone()).help(next.clone()));
            }
        }
        self.reached(behind.last);
        Ok(())
    }

    fn settle(&mut self) {
        self.outcome.add(std::mem::take(&mut self.pending));
    }
}

impl Taker for Executor<'_, '_> {
    fn table(
        &mut self,
        of: &TableName,
        name: &TableName,
        def: Option<&TableDef>,
    ) -> Result<Arc<Table>> {
        if self.job.recovers(of) {
            self.target.make(name, of)?;
        }
        self.target.table(name, def)
    }

    fn take(&mut self, work: &Work<'_, '_>, to: Option<Seq>) -> Result<()> {
        let Some(to) = to else {
            self.transaction(work, None)?;
            work.count(&mut self.pending);
            return Ok(());
        };
        let wide = self.target.lanes() > 1
            && !self.open
            && self.job.how.mode != Mode::Serial
            && work.plan.ops() > 2 * self.chunk as usize;
        match self.begun.take() {
            Some(window) => self.chunks(work, window)?,
            None if wide => {
                let window = Window { end: to, parts: 1, chunk: self.chunk };
                self.open_window(window)?;
                self.chunks(work, window)?;
            }
            None => self.transaction(work, Some(to))?,
        }
        work.count(&mut self.pending);
        self.settle();
        Ok(())
    }

    fn statement(&mut self, seq: Seq, met: Option<&Met>) -> Result<()> {
        match met {
            Some(Met::Run(routed)) => self.run(routed),
            Some(Met::ByHand(told, why, next)) => self.by_hand(told, why, next),
            Some(Met::Left(_)) | None => {
                let to = self.job.run.direction.after(seq);
                self.transaction(&Work::default(), Some(to))?;
                self.outcome.ddl_skipped += u64::from(met.is_some());
                Ok(())
            }
        }
    }

    fn part(&mut self, work: &Work<'_, '_>, window: Window, first: ChunkId) -> Result<()> {
        self.target.keep_alive()?;
        if first.part == 0 && self.begun.take().is_none() && self.chunked {
            self.open_window(window)?;
        }
        match self.chunked {
            true => self.phases(work, first)?,
            false => self.transaction(work, None)?,
        }
        work.count(&mut self.pending);
        Ok(())
    }

    fn end_net(&mut self, window: Window, events: &[(Arc<Table>, u64)]) -> Result<()> {
        match self.chunked {
            true => self.target.close_window(window)?,
            false => self.transaction(&Work::default(), Some(window.end))?,
        }
        self.committed.clear();
        self.pending.count_net(events);
        self.settle();
        Ok(())
    }

    fn keep_alive(&mut self) -> Result<()> {
        self.target.keep_alive()
    }
}
