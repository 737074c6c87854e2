//! Rows that are not as the stream has them, written down.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dest::FoundRow;
use crate::error::{Context, Error, Result};
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

fn cells<'a>(table: &'a Table, image: &Image<'a>, takes: impl Fn(usize) -> bool) -> Cells<'a> {
    let all = table.columns.iter().zip(&image.0).enumerate().filter(|(i, _)| takes(*i));
    // The producer's tokens are JSON.
    let cell = |(_, (column, value)): (usize, (&'a crate::event::def::Column, &Option<_>))| {
        let value: Option<crate::event::row::Value<'a>> = *value;
        value.map(|value| (column.name.as_str(), serde_json::from_str(value.0).ok()))
    };
    all.filter_map(cell).collect()
}
