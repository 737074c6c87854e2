//! Parts of a table's first copy, written where the run stands.
//!
//! A part was read at the source between two marks, and the run stands exactly at the second. Its
//! rows are written as those are that the producer copies: by the same way, and over what is there.

use std::sync::atomic::Ordering;

use super::bind::Placed;
use super::execute::Executor;
use super::job::{Job, Part, Report};
use super::preflight::Left;
use super::reader::Events;
use super::taker::Work;
use super::{Applier, TRIES, back_off};
use crate::dest::Standing;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Body, Direction, Event, Facts, Meta, Op, TableName};
use crate::plan::window::Plan;
use crate::replay::stopped;
use crate::spool::Spool;

impl Applier<'_> {
    /// Comes to the end of the job's selection, and writes a part of a copy there, once.
    ///
    /// # Errors
    /// As [`Applier::run`], and when the target refuses a row; then nothing of the part is written.
    pub fn copied(
        &mut self,
        spool: &Spool,
        job: &Job<'_>,
        part: &Part<'_>,
        report: &mut dyn FnMut(Report),
    ) -> Result<()> {
        let mut tries = 0;
        loop {
            self.run(spool, job, report)?;
            // After a connection was lost the target tells whether the part was committed.
            if !self.copying.contains(part.behind) {
                return Ok(());
            }
            let e = match self.part(spool, job, part) {
                Ok(()) => return Ok(()),
                Err(e) => e.at(format!("copying {}", part.behind.table)),
            };
            let passes = matches!(e.kind(), ErrorKind::Retry | ErrorKind::Lost);
            self.target = None;
            if !passes || tries >= TRIES && !job.how.patient {
                return Err(match e.kind() {
                    ErrorKind::Conflict => e.kept_as(ErrorKind::Stopped),
                    _ => e,
                });
            }
            tries += 1;
            report(Report::Note(e.message().clone() + "; trying again"));
            back_off(tries, job.stop);
            if job.stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
        }
    }

    fn part(&mut self, spool: &Spool, job: &Job<'_>, part: &Part<'_>) -> Result<()> {
        let lost = || Error::new(ErrorKind::Lost, "the target is not connected");
        let target = self.target.as_mut().ok_or_else(lost)?.as_mut();
        let (table, at) = (&part.behind.table, job.selection.range.end);
        let mut left = Left::find(spool, job, at..at, target.acts(), &self.copying)?;
        let seq = at.saturating_sub(1);
        let events: Events<'_> = part.rows.iter().map(|row| (seq, event(table, row))).collect();
        if target.sessions().claim.seq != at {
            return Err(Error::failed("the run does not stand where the part was read"));
        }
        let standing = Standing { seq: at, ..Standing::default() };
        let mut executor = Executor::new(spool.records()?, job, target, standing, false);
        let placed = Placed::of(&events, &left.binder)?;
        let tables = left.known.of(&placed, &left.binder, Some(&mut executor))?;
        let rows = placed.bind(tables, &left.binder)?;
        let plan = Plan::new(&rows, Direction::Forward, usize::MAX)?;
        let work = Work { rows: &rows, plan, events: &events };
        executor.copied(&work, (table, part.reached))?;
        self.outcome.add(executor.outcome);
        self.copying.retain_mut(|copying| {
            if copying.table == *table {
                copying.reached = part.reached.map(str::to_owned);
            }
            copying.table != *table || part.reached.is_some()
        });
        Ok(())
    }
}

/// A row that was copied, as the producer tells such.
fn event<'r>(table: &'r TableName, row: &'r str) -> Event<'r> {
    Event {
        meta: Meta {
            op: Op::BootstrapInsert,
            database: table.database.as_str().into(),
            table: table.table.as_str().into(),
            ts: 0,
            ts_ms: 0,
            xid: None,
            xoffset: None,
            commit: false,
            position: None,
            server_id: None,
            thread_id: None,
            facts: Facts::default(),
        },
        key: None,
        body: Body::Row { data: row, old: None },
        from_binlog: false,
    }
}
