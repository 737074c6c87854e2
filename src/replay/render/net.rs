//! The net effect of a selection as a script: folded as an apply folds it.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::head::head;
use super::job::{Outcome, What};
use super::sheet::Counts;
use super::{check, foreign_keys};
use crate::dest::script::{Out, Script, Switch};
use crate::dest::{ChunkId, Run, Window};
use crate::error::{Context as _, Error, Result};
use crate::event::TableName;
use crate::event::def::TableDef;
use crate::plan::Table;
use crate::replay::apply::course::Course;
use crate::replay::apply::pass;
use crate::replay::apply::preflight::Left;
use crate::replay::apply::statements::{Met, is_ordered};
use crate::replay::apply::taker::{Taker, Work};
use crate::replay::apply::{self, How, Job, Journal, Mode, OnConflict, OnDdl, Report};
use crate::spool::{Seq, Spool};

/// Row events folded together where the whole is not folded in parts.
const WINDOW: usize = 64_000;

/// Writes the net effect of a selection: for each row one statement at most, between two DDL
/// statements. All of it is one transaction, or one between two DDL statements.
///
/// # Errors
/// As an apply with `net`. The end mark is missing then.
pub fn net(
    spool: &Spool,
    what: &What<'_>,
    out: &Out,
    report: &mut dyn FnMut(Report),
) -> Result<Outcome> {
    // Whether they can be written, before the first byte.
    check::statements(spool, what)?;
    check::one_name(what)?;
    check::replaces(spool, what)?;
    let write = |text: &str| {
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing SQL")
    };
    write(&head(spool, what))?;
    let run = Run {
        name: String::new(),
        spool: spool.id().to_owned(),
        direction: what.direction,
        selection: what.selection.words.clone(),
    };
    let how = How {
        mode: Mode::Net,
        window: WINDOW,
        on_ddl: OnDdl::Apply,
        on_conflict: OnConflict::Stop,
        most_rows: None,
        patient: false,
    };
    // A script has no rows that could be in conflict.
    let journal = Journal::new(PathBuf::new());
    let (definitions, selection) = (what.definitions, what.selection);
    let (route, how, stop) = (what.route, &how, what.stop);
    let job = Job { definitions, selection, route, run: &run, how, journal: &journal, stop };
    let script =
        Script::new(out.clone(), what.form, Switch::new(Arc::new(foreign_keys::acting(what))));
    let mut net = Net { script, outcome: apply::Outcome::default() };
    let mut left_out = 0;
    if !selection.range.is_empty() {
        let mut left = Left::find(spool, &job, selection.range.clone(), net.script.acts(), &[])?;
        net.check_order(&left)?;
        left.tables(&job, &mut net, report)?;
        let course = Course::new(spool, &job, left, (None, 0), false, report)?;
        pass::run(spool, &job, course, &mut net, &mut left_out, report)?;
    }
    let done = net.outcome;
    let counts =
        Counts { rows: done.row_events(), transactions: done.commits.min(1), ddl: done.ddl };
    write(&counts.end_mark())?;
    Ok(Outcome { counts, bootstrap_rows_left_out: left_out })
}

/// Writes what is planned.
struct Net {
    script: Script,
    outcome: apply::Outcome,
}

impl Net {
    /// Refuses to number rows that are stored in another order than the source's.
    fn check_order(&mut self, Left { range, ddl, .. }: &Left<'_>) -> Result<()> {
        let mut all: Vec<&Met> = ddl.values().filter(|met| met.numbers_rows()).collect();
        all.sort_by_key(|met| met.told().seq);
        for met in all {
            let Met::Run(routed) = met else { continue };
            let mut keyless = |name: &TableName, def: &TableDef| {
                Ok(!self.script.table(name, Some(def))?.has_key())
            };
            is_ordered(&routed.of, ddl, range, &mut keyless)?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.outcome.commits += 1;
        self.script.commit()
    }
}

impl Taker for Net {
    fn table(
        &mut self,
        _: &TableName,
        name: &TableName,
        def: Option<&TableDef>,
    ) -> Result<Arc<Table>> {
        self.script.table(name, def)
    }

    fn take(&mut self, work: &Work<'_, '_>, to: Option<Seq>) -> Result<()> {
        let mut chunks = work.plan.phases.iter().flatten();
        chunks.try_for_each(|chunk| self.script.write(&chunk.ops))?;
        work.count(&mut self.outcome);
        to.map_or(Ok(()), |_| self.commit())
    }

    fn statement(&mut self, _: Seq, met: Option<&Met>) -> Result<()> {
        match met {
            Some(Met::Run(routed)) => {
                self.outcome.ddl += 1;
                routed.there.iter().try_for_each(|statement| self.script.ddl(statement))
            }
            Some(Met::ByHand(_, why, next)) => Err(Error::stopped(why.clone()).help(next.clone())),
            Some(Met::Left(_)) | None => self.commit(),
        }
    }

    fn part(&mut self, work: &Work<'_, '_>, _: Window, _: ChunkId) -> Result<()> {
        self.take(work, None)
    }

    fn end_net(&mut self, _: Window, events: &[(Arc<Table>, u64)]) -> Result<()> {
        self.outcome.count_net(events);
        self.commit()
    }

    fn keep_alive(&mut self) -> Result<()> {
        Ok(())
    }
}
