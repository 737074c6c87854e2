//! Rows that are not as the stream has them: found, decided by policy, written down.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dest::{Claim, FoundRow, Mark, Session};
use crate::error::{Context, Error, ErrorKind, Means, Result, Words};
use crate::event::printable;
use crate::plan::op::{Act, RowOp, Verb};
use crate::plan::{Image, Table};
use crate::spool::Seq;

/// What is done about a row that is not as the stream has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// The apply ends there.
    Stop,
    /// The row is left as it is.
    Skip,
    /// The stream's final image wins.
    Overwrite,
}

/// Where conflicts are written down, a JSON object a line; the file is made by the first.
pub struct Journal {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Journal {
    /// A journal in that file; what it holds already stays.
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: Mutex::new(None) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Sink for Journal {
    fn add(&self, entry: &Conflict<'_>) -> Result<()> {
        let mut line = serde_json::to_vec(entry).context("conflict journal")?;
        line.push(b'\n');
        let place = self.path.display();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            *file = Some(journal(&self.path).context(place)?);
        }
        match file.as_mut() {
            Some(file) => file.write_all(&line).context(self.path.display()),
            None => Ok(()),
        }
    }

    fn settle(&self) -> Result<()> {
        match self.file.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // A pipe or a device has nothing to make durable.
            Some(file) if file.metadata().context(self.path.display())?.is_file() => {
                file.sync_data().context(self.path.display())
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Opens a journal to go on with it. It holds rows, which are for its owner alone, also where an
/// earlier version made it.
fn journal(path: &Path) -> std::io::Result<File> {
    let file = File::options().create(true).append(true).mode(0o600).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Values by column, as the producer writes them.
type Cells<'a> = BTreeMap<&'a str, Option<&'a RawValue>>;

/// A row that is not as the stream has it.
#[derive(Serialize)]
pub struct Conflict<'a> {
    /// Name of the run.
    pub run: &'a str,
    /// What is done about it.
    pub policy: OnConflict,
    /// The table at the target.
    pub table: String,
    /// What the row was to meet.
    #[serde(rename = "act")]
    pub verb: Verb,
    /// Sequence of the message.
    pub message: Seq,
    /// The event in words.
    pub event: String,
    /// What the target answered.
    pub reason: String,
    /// The row's key; empty without one.
    pub key: Cells<'a>,
    /// The row as it had to be.
    pub before: Option<Cells<'a>>,
    /// The row as it was to become.
    pub after: Option<Cells<'a>>,
    /// The target's row, as the target prints it; none when it has none, or no key.
    pub target: Option<BTreeMap<String, Option<String>>>,
}

impl<'a> Conflict<'a> {
    /// A row that `op` met otherwise: `error` tells how, `now` is the target's row.
    pub(super) fn new(
        run: &'a str,
        policy: OnConflict,
        op: &RowOp<'a, 'a>,
        event: String,
        error: &Error,
        now: Option<FoundRow>,
    ) -> Self {
        let (before, after) = match op.act {
            Act::Delete(before) => (Some(before), None),
            Act::Update(before, after) => (Some(before), Some(after)),
            Act::Insert(after) | Act::Replace(after) => (None, Some(after)),
        };
        Self {
            run,
            policy,
            table: op.table.name.to_string(),
            verb: op.act.verb(),
            message: op.seq,
            event,
            reason: error.message().plain(),
            key: cells(op.table, op.act.found_by(), |i| op.table.key.contains(&i)),
            before: before.map(|image| cells(op.table, image, |_| true)),
            after: after.map(|image| cells(op.table, image, |_| true)),
            target: now.map(|row| row.into_iter().collect()),
        }
    }
}

/// Where conflicts go.
pub trait Sink: Sync {
    /// Takes a conflict that does not end the apply.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn add(&self, conflict: &Conflict<'_>) -> Result<()>;

    /// Makes what was added durable: before the transaction it is about is committed. After a
    /// crash in between a conflict may be there twice, but none is missing.
    ///
    /// # Errors
    /// When the disk refuses.
    fn settle(&self) -> Result<()>;
}

/// The policy and what it needs.
pub(super) struct Policy<'d> {
    pub(super) on_conflict: OnConflict,
    pub(super) journal: &'d dyn Sink,
    pub(super) run: &'d str,
    /// An event in words.
    pub(super) describe: &'d (dyn Fn(Seq) -> String + Sync),
}

/// Writes row changes on a session, down to the single row where one is in conflict.
pub(super) struct Writer<'w> {
    pub(super) session: &'w mut dyn Session,
    policy: &'w Policy<'w>,
    careful: bool,
    /// Rows whose leaving was skipped: they do not come either.
    skipped: HashSet<(*const Table, Seq)>,
    pub(super) statements: u64,
    pub(super) conflicts: u64,
}

/// Row changes tried at once.
const SLICE: usize = 1000;

impl<'w> Writer<'w> {
    pub(super) fn new(session: &'w mut dyn Session, policy: &'w Policy<'w>, careful: bool) -> Self {
        let skipped = HashSet::new();
        Self { session, policy, careful, skipped, statements: 0, conflicts: 0 }
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
        let error = error.at((self.policy.describe)(op.seq));
        if self.policy.on_conflict == OnConflict::Stop {
            return Err(error.help(advice(op, now.as_deref())));
        }
        let exists = now.is_some();
        let policy = self.policy;
        let event = (policy.describe)(op.seq);
        policy.journal.add(&Conflict::new(
            policy.run,
            policy.on_conflict,
            op,
            event,
            &error,
            now,
        ))?;
        self.conflicts += 1;
        if self.policy.on_conflict == OnConflict::Skip {
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

fn cells<'a>(table: &'a Table, image: &Image<'a>, takes: impl Fn(usize) -> bool) -> Cells<'a> {
    let all = table.columns.iter().zip(&image.0).enumerate().filter(|(i, _)| takes(*i));
    // The producer's tokens are JSON.
    let cell = |(_, (column, value)): (usize, (&'a crate::event::def::Column, &Option<_>))| {
        let value: Option<crate::event::row::Value<'a>> = *value;
        value.map(|value| (column.name.as_str(), serde_json::from_str(value.0).ok()))
    };
    all.filter_map(cell).collect()
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
