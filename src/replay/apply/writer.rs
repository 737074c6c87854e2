//! Writes row changes, and finds those that are in conflict.

use std::collections::HashSet;
use std::sync::Arc;

use super::conflict::{Conflict, OnConflict};
use super::job::Job;
use super::taker::Work;
use crate::dest::{Claim, Mark, Session};
use crate::error::{Error, ErrorKind, Means, Result, Words};
use crate::event::printable;
use crate::plan::op::{Act, RowOp};
use crate::plan::{Image, Table};
use crate::spool::Seq;

/// Writes row changes on a session, down to the single row where one is in conflict.
pub(super) struct Writer<'w> {
    pub(super) session: &'w mut dyn Session,
    job: &'w Job<'w>,
    work: &'w Work<'w, 'w>,
    careful: bool,
    /// Rows whose leaving was skipped: they do not come either.
    skipped: HashSet<(*const Table, Seq)>,
    pub(super) statements: u64,
    pub(super) conflicts: u64,
}

/// Row changes tried at once.
const SLICE: usize = 1000;

impl<'w> Writer<'w> {
    pub(super) fn new(
        session: &'w mut dyn Session,
        (job, work): (&'w Job<'w>, &'w Work<'w, 'w>),
        careful: bool,
    ) -> Self {
        let skipped = HashSet::new();
        Self { session, job, work, careful, skipped, statements: 0, conflicts: 0 }
    }

    /// Keeps with the open transaction, which began with `mark`, that a change was passed over in it.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub(super) fn keep_skipped(&mut self, claim: &Claim, mark: Mark) -> Result<()> {
        if self.skipped.is_empty() {
            return Ok(());
        }
        self.session.skipped(claim, mark)
    }

    /// Writes row changes in the open transaction.
    ///
    /// # Errors
    /// A conflict when it is met for the first time, or the policy says stop; then it names the
    /// row.
    pub(super) fn write(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        if !self.careful {
            self.statements += self.session.write(ops)?;
            return Ok(());
        }
        ops.chunks(SLICE).try_for_each(|slice| self.search(slice))
    }

    /// Writes what it can, and halves what it cannot until a single row is left.
    fn search(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        let skip = |op: &RowOp<'_, '_>| self.skipped.contains(&(Arc::as_ptr(op.table), op.seq));
        let kept: Vec<RowOp<'_, '_>> = ops.iter().filter(|op| !skip(op)).copied().collect();
        let Some(first) = kept.first() else { return Ok(()) };
        self.session.savepoint()?;
        let error = match self.session.write(&kept) {
            Ok(statements) => {
                self.statements += statements;
                return Ok(());
            }
            Err(e) if e.kind() == ErrorKind::Conflict => e,
            Err(e) => return Err(e),
        };
        self.session.rewind()?;
        if let [_] = kept[..] {
            return self.decide(first, error);
        }
        let (left, right) = kept.split_at(kept.len() / 2);
        self.search(left)?;
        self.search(right)
    }

    fn decide(&mut self, op: &RowOp<'_, '_>, error: Error) -> Result<()> {
        let now = self.session.find(op)?;
        let event = self.work.describe(op.seq);
        let (error, policy) = (error.at(&event), self.job.how.on_conflict);
        if policy == OnConflict::Stop {
            return Err(error.help(advice(op, now.as_deref())));
        }
        let exists = now.is_some();
        let run = &self.job.run.name;
        self.job.journal.add(&Conflict::new(run, policy, op, event, &error, now))?;
        self.conflicts += 1;
        if policy == OnConflict::Skip {
            self.skipped.insert((Arc::as_ptr(op.table), op.seq));
            return Ok(());
        }
        self.overwrite(op, exists).map_err(|e| match e.kind() {
            ErrorKind::Conflict => e.at("cannot be overwritten").kept_as(ErrorKind::Stopped),
            _ => e,
        })
    }

    fn overwrite(&mut self, op: &RowOp<'_, '_>, exists: bool) -> Result<()> {
        let after = match op.act {
            Act::Delete(_) if !exists => return Ok(()),
            Act::Delete(_) => return self.forced(op, op.act),
            Act::Update(_, after) | Act::Insert(after) | Act::Replace(after) => after,
        };
        if !op.table.has_key() {
            return Err(Error::new(ErrorKind::Conflict, format!("{}: has no key", op.table.name)));
        }
        if exists {
            // The row in its place: columns that only the target has stay.
            let mut key = Image(vec![None; after.0.len()].into());
            op.table.key.iter().for_each(|&i| key.0[i] = op.act.found_by().0[i]);
            self.session.savepoint()?;
            match self.forced(op, Act::Update(&key, after)) {
                Err(e) if e.kind() == ErrorKind::Conflict => self.session.rewind()?,
                done => return done,
            }
        }
        // Whoever has its key, or one of its unique values, goes.
        self.forced(op, Act::Replace(after))
    }

    fn forced<'b, 'a>(&mut self, op: &RowOp<'b, 'a>, act: Act<'b, 'a>) -> Result<()> {
        self.statements += self.session.write(&[RowOp { act, any: true, ..*op }])?;
        Ok(())
    }
}

fn advice(op: &RowOp<'_, '_>, now: Option<&[(String, Option<String>)]>) -> Words {
    let rest = Words::from((
        "nothing of this transaction was written; decide with {} skip or overwrite, or mend \
         the row, then run the same command again",
        [Means::OnConflict],
    ));
    match now {
        Some(row) => {
            let values = row.iter().map(|(name, value)| {
                format!("{name}={}", value.as_deref().map_or("NULL".into(), |v| format!("'{v}'")))
            });
            let row = values.collect::<Vec<_>>().join(" ");
            Words::from(format!(
                "the target's row is not as the source had it: {}; ",
                printable(&row)
            )) + rest
        }
        // What was to be written does not fit: there is no row to name.
        None if matches!(op.act, Act::Insert(_) | Act::Replace(_)) => rest,
        None if op.table.has_key() => Words::from("the target has no row with that key; ") + rest,
        None => Words::from("the target has too few such rows; ") + rest,
    }
}
