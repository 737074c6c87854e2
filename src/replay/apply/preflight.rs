//! Every table of the selection held against the target, before the first write.

use std::ops::{Add as _, Range};

use super::bind::Known;
use super::job::{Job, OnDdl, Report};
use super::statements::{self, Met, Open, Statements};
use super::taker::Taker;
use super::whole;
use crate::dest::{Catalog, Copying};
use crate::error::{Error, ErrorKind, Means, Result, Words};
use crate::event::{Direction, Op, TableName};
use crate::replay::alike;
use crate::replay::binder::Binder;
use crate::replay::reversible::no_cascades;
use crate::replay::selected::{self, Selected};
use crate::spool::{Seq, Spool};

/// What is left of a run, and what will be met there.
pub(in crate::replay) struct Left<'s> {
    pub(in crate::replay) range: Range<Seq>,
    pub(super) rows: Selected,
    pub(in crate::replay) ddl: Statements,
    pub(super) binder: Binder<'s>,
    /// The tables that were asked for.
    pub(super) known: Known,
}

impl<'s> Left<'s> {
    /// Finds it; `acts`: foreign keys change rows where they go; `copying`: tables whose first copy is
    /// not at its end.
    ///
    /// # Errors
    /// When the spool cannot be read, and where rows that foreign keys changed at the source without
    /// its logging it would stay as they were.
    pub(in crate::replay) fn find(
        spool: &Spool,
        job: &Job<'s>,
        range: Range<Seq>,
        acts: bool,
        copying: &[Copying],
    ) -> Result<Self> {
        let (selection, definitions) = (job.of(range), job.definitions);
        let mut ddl = statements::find(spool, job)?;
        statements::keep_names(&mut ddl, copying);
        let known = Known::new(&ddl);
        let binder = Binder::new(spool, definitions, job.route, job.run.direction, copying)?;
        let rows = selected::rows(spool, &selection)?;
        let forward = job.run.direction == Direction::Forward;
        if forward && !acts && !definitions.foreign_keys.is_empty() {
            no_cascades(spool, definitions, &selection, &rows)?;
        }
        Ok(Self { range: selection.range, rows, ddl, binder, known })
    }

    /// The statements that run; what a skipped one would have made is not there.
    fn to_run(&self, job: &Job<'_>) -> impl Iterator<Item = &Met> + Clone {
        self.ddl.values().filter(|_| job.how.on_ddl != OnDdl::Skip)
    }

    /// Holds statements and names against the target before anything is written; `pending` is a
    /// statement that was begun before. Gives one that has to be done by hand first.
    ///
    /// # Errors
    /// With names that are one at the target, and what a statement makes that is there.
    pub(super) fn check(
        &mut self,
        spool: &Spool,
        job: &Job<'_>,
        pending: Option<Seq>,
        target: &mut dyn Catalog,
    ) -> Result<Option<Open>> {
        let open = statements::check(spool, job, &mut self.ddl, (&self.range, &self.rows), target)?;
        if open.is_some() {
            return Ok(open);
        }
        let written = self.rows.iter().map(|(name, rows)| (rows.seqs.start, name.clone()));
        let mut defined: Vec<&Met> =
            self.to_run(job).filter(|met| self.range.contains(&met.told().seq)).collect();
        defined.sort_by_key(|met| met.told().seq);
        let defines = defined.iter().map(|met| met.told());
        let defines =
            defines.flat_map(|told| told.names().into_iter().map(|name| (told.seq, name)));
        let names = written.chain(defines);
        alike::check(names, &job.definitions.history, job.route, &mut |name| {
            target.known_as(name)
        })?;
        exist_already(&defined, pending, target)?;
        Ok(None)
    }

    /// As [`whole::check`].
    ///
    /// # Errors
    /// As there.
    pub(super) fn check_whole(
        &self,
        spool: &Spool,
        job: &Job<'_>,
        target: &mut dyn Catalog,
    ) -> Result<()> {
        let runs = |seq| job.how.on_ddl != OnDdl::Skip && self.ddl.contains_key(&seq);
        whole::check(spool, job, &runs, &self.range, target)
    }

    /// Asks for every table whose rows are left, but for those that a statement in the stretch makes
    /// or changes before.
    ///
    /// # Errors
    /// With all refusals, each with its reason.
    pub(in crate::replay) fn tables(
        &mut self,
        job: &Job<'_>,
        taker: &mut dyn Taker,
        report: &mut dyn FnMut(Report),
    ) -> Result<()> {
        let mut refused: Vec<Error> = Vec::new();
        for (name, rows) in &self.rows {
            if self.to_run(job).any(|met| met.makes(name, rows.seqs.start)) {
                continue;
            }
            let def = job.definitions.history.at(name, rows.seqs.start);
            if def.as_ref().is_some_and(|def| def.is_sequence()) {
                report(Report::Note(sequence(name).into()));
                continue;
            }
            let dealing = self.binder.dealing(name, def.as_deref());
            let asked = dealing.and_then(|by| self.known.ask(&self.binder, name, def, &by, taker));
            match asked {
                Ok(places) if places.iter().any(|table| table.is_sequence()) => {
                    report(Report::Note(sequence(name).into()));
                }
                Ok(places) => {
                    let keyless = places.iter().filter(|table| !table.has_key());
                    keyless.for_each(|table| report(Report::Keyless(table.name.clone())));
                }
                Err(e) if matches!(e.kind(), ErrorKind::Retry | ErrorKind::Lost) => return Err(e),
                Err(e) => refused.push(e),
            }
        }
        match refused.len() {
            0 => Ok(()),
            1 => Err(refused.remove(0)),
            n => {
                let list = refused.iter().map(|e| Words::from("\n  ") + e.message().clone());
                let mut steps: Vec<Words> = Vec::new();
                for step in refused.iter().filter_map(Error::next_step) {
                    if !steps.contains(step) {
                        steps.push(step.clone());
                    }
                }
                steps.push("or leave tables out with " + Means::ExcludeTable);
                let what = Words::from(format!("{n} tables cannot be written, nothing was:"));
                Err(Error::stopped(list.fold(what, Words::add)).help(Words::joined(steps, "; ")))
            }
        }
    }
}

/// Refuses statements that make what the target has, and nothing before them has taken away.
fn exist_already(
    statements: &[&Met],
    pending: Option<Seq>,
    target: &mut dyn Catalog,
) -> Result<()> {
    let mut touched: Vec<TableName> = Vec::new();
    let mut found: Vec<String> = Vec::new();
    let there = statements.iter().flat_map(|met| met.there().iter().map(move |there| (met, there)));
    for (met, there) in there {
        let told = there.told();
        let makes = matches!(told.op, Op::DatabaseCreate | Op::TableCreate)
            && Some(told.seq) != pending
            && met.takes_nothing_existing();
        for name in told.names() {
            let is_it = |other: &TableName| {
                *other == name || other.table.is_empty() && other.database == name.database
            };
            if makes && !touched.iter().any(is_it) && target.exists(&name)? {
                let what = if name.table.is_empty() { "the database" } else { "the table" };
                found.push(format!("  {what} {name} (message {})", told.seq));
            } else {
                touched.push(name);
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::stopped(format!(
        "statements of the stretch make what the target has already, nothing was written:\n{}",
        found.join("\n")
    ))
    .help(seeded()))
}

/// The way on where a target has what the stream begins with.
fn seeded() -> Words {
    Words::from((
        "if the target was loaded from a dump, begin where the dump ends, with {} \
         FILE:POS.. (docs/operations.md); to run the rows only, {} skip; else drop them at \
         the target, then run the same command again",
        [Means::Position, Means::Ddl],
    ))
}

fn sequence(name: &TableName) -> String {
    format!("{name} is a sequence: it is left as it is, SETVAL at the target sets it")
}
