//! What an apply would do: planned as it is there, and nothing is written. Going back, the target's
//! rows are looked at, too, whether they are as the changes that are taken back left them.

use std::sync::Arc;

use super::begin;
use super::conflict::{Conflict, OnConflict};
use super::course::Course;
use super::job::{Job, Outcome, Report};
use super::pass;
use super::preflight::Left;
use super::statements::Met;
use super::taker::{Taker, Work};
use crate::dest::{Catalog, ChunkId, Settled, Standing, Window};
use crate::error::{Error, ErrorKind, Result};
use crate::event::TableName;
use crate::event::def::TableDef;
use crate::plan::Table;
use crate::plan::op::{Act, RowOp};
use crate::spool::{Seq, Spool};

/// Rows asked for at once.
const SLICE: usize = 1000;

/// Looks at what an apply of that job would do; rows that are not as they should be go to its
/// journal.
///
/// # Errors
/// Where the apply would be refused, and when the target is lost.
pub fn look(
    spool: &Spool,
    job: &Job<'_>,
    target: &mut dyn Catalog,
    report: &mut dyn FnMut(Report),
) -> Result<Outcome> {
    let done = planned(spool, job, target, report);
    done.map_err(|e| match begin::explained(spool, job, target, e) {
        e if matches!(e.kind(), ErrorKind::Retry | ErrorKind::Lost | ErrorKind::ReadOnly) => {
            e.kept_as(ErrorKind::Stopped)
        }
        e => e,
    })
}

fn planned(
    spool: &Spool,
    job: &Job<'_>,
    target: &mut dyn Catalog,
    report: &mut dyn FnMut(Report),
) -> Result<Outcome> {
    let (known, seen) = begin::known(spool, job, target, true, report)?;
    let stands = || Standing { seq: job.begin(), ..Standing::default() };
    // What was begun inside a window shows in the rows.
    let standing = Standing { window: None, ..known.unwrap_or_else(stands) };
    let mut outcome = Outcome {
        skipped_before: standing.skipped,
        made_anew: seen.is_some_and(|seen| seen.made_anew),
        ..Outcome::default()
    };
    let left = begin::left(job, &standing)?;
    if left.is_empty() {
        return Ok(outcome);
    }
    let mut left = Left::find(spool, job, left, target.acts(), &standing.copying)?;
    if let Some(open) = left.check(spool, job, standing.statement, target)? {
        return Err(open.why);
    }
    let mut look = Look { job, target, changed: false, outcome: Outcome::default() };
    left.tables(job, &mut look, report)?;
    left.check_whole(spool, job, look.target)?;
    let (back, lanes) = (job.run.direction.is_reverse(), look.target.lanes());
    let course = Course::new(spool, job, left, (None, lanes), back, report)?;
    let left_out = &mut outcome.bootstrap_rows_left_out;
    pass::run(spool, job, course, &mut look, left_out, report)?;
    outcome.add(look.outcome);
    Ok(outcome)
}

/// Looks at what is planned.
struct Look<'l, 's> {
    job: &'l Job<'s>,
    target: &'l mut dyn Catalog,
    /// A statement would have run: it may have made or changed any table.
    changed: bool,
    outcome: Outcome,
}

impl Look<'_, '_> {
    fn count(&mut self, work: &Work<'_, '_>) -> Result<()> {
        work.count(&mut self.outcome);
        if !self.job.run.direction.is_reverse() {
            return Ok(());
        }
        let mut slices =
            work.plan.phases.iter().flatten().flat_map(|chunk| chunk.ops.chunks(SLICE));
        slices.try_for_each(|ops| self.search(work, ops))
    }

    /// Looks at rows, and halves them where one is not as it should be, until that is left alone.
    fn search(&mut self, work: &Work<'_, '_>, ops: &[RowOp<'_, '_>]) -> Result<()> {
        let error = match self.target.look(ops) {
            Err(e) if e.kind() == ErrorKind::Conflict => e,
            done => return done,
        };
        if let [op] = ops {
            return self.differs(work, op, error);
        }
        let (left, right) = ops.split_at(ops.len() / 2);
        self.search(work, left)?;
        self.search(work, right)
    }

    fn differs(&mut self, work: &Work<'_, '_>, op: &RowOp<'_, '_>, error: Error) -> Result<()> {
        let now = self.target.find(op)?;
        // The row in the place of one that comes back may be itself one that leaves: its key is
        // another one that the target's collation takes for the same.
        if let (Act::Insert(image), Some(row)) = (op.act, &now)
            && work.plan.present.has(op.table, image, row)
        {
            return Ok(());
        }
        let (event, run) = (work.describe(op.seq), &self.job.run.name);
        let error = error.at(&event);
        self.outcome.conflicts += 1;
        self.job.journal.add(&Conflict::new(run, OnConflict::Skip, op, event, &error, now))
    }
}

impl Taker for Look<'_, '_> {
    /// The table as it is, or as it will be: one for recovered rows is made like theirs.
    fn table(
        &mut self,
        of: &TableName,
        name: &TableName,
        def: Option<&TableDef>,
    ) -> Result<Arc<Table>> {
        if let Some(def) = def.filter(|_| self.changed) {
            return Ok(Arc::new(Table::from_def(def)));
        }
        let target = &mut *self.target;
        if !self.job.recovers(of) || target.makes_tables() || target.exists(name)? {
            return target.table(name, def);
        }
        let (database, table) = (of.database.clone(), of.table.clone());
        let def = def.map(|def| TableDef { database, table, ..def.clone() });
        let like = target.table(of, def.as_ref())?;
        Ok(Arc::new(Table { name: name.clone(), ..Table::clone(&like) }))
    }

    fn take(&mut self, work: &Work<'_, '_>, _: Option<Seq>) -> Result<()> {
        self.count(work)
    }

    fn statement(&mut self, _: Seq, met: Option<&Met>) -> Result<()> {
        match met {
            Some(Met::Run(_)) => {
                self.outcome.ddl += 1;
                self.changed = true;
            }
            Some(Met::ByHand(told, why, next)) => {
                let Settled::Open(_) = self.job.settled(self.target, told)? else {
                    return Ok(());
                };
                return Err(Error::stopped(why.clone()).help(next.clone()));
            }
            Some(Met::Left(_)) => self.outcome.ddl_skipped += 1,
            None => {}
        }
        Ok(())
    }

    fn part(&mut self, work: &Work<'_, '_>, _: Window, _: ChunkId) -> Result<()> {
        self.target.keep_alive()?;
        self.count(work)
    }

    fn end_net(&mut self, _: Window, events: &[(Arc<Table>, u64)]) -> Result<()> {
        self.outcome.count_net(events);
        Ok(())
    }

    fn keep_alive(&mut self) -> Result<()> {
        self.target.keep_alive()
    }
}
