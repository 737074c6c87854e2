//! Where changes go: a database that takes row changes and keeps the progress with them.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Means, Result};
use crate::event::ddl::{Statement, Told};
use crate::event::def::{ForeignKey, TableDef};
use crate::event::landmark::Landmark;
use crate::event::{Seq, TableName, printable};
use crate::plan::Table;
use crate::plan::op::RowOp;
use crate::sql::Expect;

pub mod dry;
pub mod mysql;
mod run;
pub mod script;
pub mod sqlite;

pub use run::{Changes, Claim, Mark, Needs, Point, Run, Standing, Window};
/// A database that changes are applied to.
pub trait Target: Send {
    /// Claims the progress row and returns where the run stands; a new row stands at `first`.
    ///
    /// # Errors
    /// When the name belongs to another run (usage), or the target cannot be reached.
    fn start(&mut self, run: &Run, first: &Point) -> Result<Standing>;

    /// Refuses what the user has no right to do, all of it named.
    ///
    /// # Errors
    /// As said.
    fn check_rights(&mut self, _: &Needs<'_>) -> Result<()> {
        Ok(())
    }

    /// Where the run stands, without claiming it; `None` when the target knows nothing of it.
    ///
    /// # Errors
    /// As [`Target::start`].
    fn standing(&mut self, _: &Run) -> Result<Option<Standing>> {
        Ok(None)
    }

    /// Gives the name up where nothing was done under it: it still stands at `first`, and neither a
    /// window nor a statement was begun.
    ///
    /// # Errors
    /// When the target cannot be reached.
    fn forget(&mut self, _first: Seq) -> Result<()> {
        Ok(())
    }

    /// The table as it stands at the target; `def` is the source's definition, where known.
    ///
    /// # Errors
    /// When there is no such table, or the rows of the stream do not fit it.
    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>>;

    /// The name under which the target knows a table, or a database: the same for what it takes for
    /// one.
    ///
    /// # Errors
    /// When the target cannot be asked.
    fn known_as(&mut self, name: &TableName) -> Result<TableName> {
        Ok(name.clone())
    }

    /// The foreign keys that change rows by themselves; none where they are not checked.
    ///
    /// # Errors
    /// When the target cannot be asked.
    fn foreign_keys(&mut self) -> Result<Vec<ForeignKey>> {
        Ok(Vec::new())
    }

    /// Where it is, without what is secret, so that it is told from other targets; `None` where
    /// nothing outlives the process.
    fn place(&self) -> Option<String> {
        None
    }

    /// True unless it is only looked at.
    fn is_written(&self) -> bool {
        true
    }

    /// True when it has such a table, or such a database where no table is named.
    ///
    /// # Errors
    /// When the target cannot be asked.
    fn exists(&mut self, _: &TableName) -> Result<bool> {
        Ok(false)
    }

    /// What tells each of these tables from one that is made anew under its name, as a dump that is
    /// loaded makes it; nothing of those of which the target does not tell.
    ///
    /// # Errors
    /// When the target cannot be asked.
    fn identities(&mut self, _: &[TableName]) -> Result<Vec<(TableName, String)>> {
        Ok(Vec::new())
    }

    /// True when there is such a table, without a key to tell its rows apart, and a row in it.
    ///
    /// # Errors
    /// When the target cannot be asked.
    fn holds_keyless_rows(&mut self, _: &TableName) -> Result<bool> {
        Ok(false)
    }

    /// True when there is such a table, or the target makes it for its first row.
    ///
    /// # Errors
    /// When the target cannot be asked.
    fn has(&mut self, _: &TableName) -> Result<bool> {
        Ok(true)
    }

    /// Makes a table for recovered rows, with the columns of the table it is like, unless the
    /// target has it.
    ///
    /// # Errors
    /// When the target refuses.
    fn rescue(&mut self, _name: &TableName, _like: &TableName) -> Result<()> {
        Ok(())
    }

    /// True when the target lacks the table and would make it for its first row.
    ///
    /// # Errors
    /// When the target cannot be asked.
    fn makes(&mut self, _: &TableName) -> Result<bool> {
        Ok(false)
    }

    /// The sessions that write: one that may move the progress, and the lanes that write the
    /// chunks of a window side by side.
    fn sessions(&mut self) -> Sessions<'_>;

    /// Opens lanes that are not open yet, as many as are wanted. False for a target that cannot
    /// commit a window in chunks, so that each is one transaction.
    ///
    /// # Errors
    /// When the target refuses the connections.
    fn open_lanes(&mut self) -> Result<bool> {
        Ok(false)
    }

    /// Begins a window at where the run stands; only asked of a target that commits in chunks.
    /// `last` is the last record it takes.
    ///
    /// # Errors
    /// When another run has taken over.
    fn open_window(&mut self, _: Window, _last: Option<&Landmark>) -> Result<()> {
        Ok(())
    }

    /// Ends the window: the run stands behind it, its chunks are forgotten, in one transaction.
    ///
    /// # Errors
    /// As [`Target::open_window`].
    fn close_window(&mut self, _: Window) -> Result<()> {
        Ok(())
    }

    /// Runs a DDL statement exactly once, the progress standing at `next` afterwards.
    ///
    /// # Errors
    /// When it fails or its outcome is not what the source had.
    fn ddl(&mut self, ddl: &Statement, next: &Point) -> Result<()>;

    /// Looks, before anything is written, whether the target can run a statement at all.
    ///
    /// # Errors
    /// When it is known that it cannot.
    fn refuses(&mut self, _: &Statement) -> Result<()> {
        Ok(())
    }

    /// True when the target's tables are as a statement leaves them that is not run here: somebody
    /// has done it by hand. Where that does not show, how they are is kept with where the run will
    /// stand then (`note`), so that the next start can tell.
    ///
    /// # Errors
    /// When the target cannot be asked.
    fn settled(&mut self, _: &Told, _note: Option<&Point>) -> Result<bool> {
        Ok(false)
    }

    /// False where no foreign key changes rows: what they did at the source is done only if the
    /// source has logged it.
    fn acts(&self) -> bool {
        true
    }

    /// Moves the progress to `next`, behind a statement that was done by hand.
    ///
    /// # Errors
    /// When another run has taken over.
    fn settle(&mut self, _: &Told, _next: &Point) -> Result<()> {
        Ok(())
    }

    /// How many rows a second one connection writes, tried on a temporary table in that database;
    /// none where it cannot be tried.
    fn pace(&mut self, _: &str) -> Option<f64> {
        None
    }

    /// Keeps idle connections open; the server ends those that say nothing for a while, so that
    /// the locks of a client that is gone do not stay.
    ///
    /// # Errors
    /// When a connection is lost.
    fn keep_alive(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A row as the target has it: column names, and values as it prints them, NULL as none.
pub type FoundRow = Vec<(String, Option<String>)>;

/// A target's sessions, borrowed together.
pub struct Sessions<'t> {
    /// What the run holds.
    pub claim: &'t mut Claim,
    /// The session that moves the progress.
    pub main: &'t mut dyn Session,
    /// Sessions for chunks, if there is more than one to write at once.
    pub lanes: &'t mut [Box<dyn Session>],
}

/// One connection that writes rows, a transaction at a time.
pub trait Session: Send {
    /// Opens a transaction.
    ///
    /// # Errors
    /// When another run has taken over.
    fn begin(&mut self, claim: &Claim, mark: Mark) -> Result<()>;

    /// Writes row changes in the open transaction and checks how many rows each touches. Returns
    /// how many statements that took.
    ///
    /// # Errors
    /// When the target refuses one or touches another number of rows; what was written of these
    /// changes is to be rolled back.
    fn write(&mut self, ops: &[RowOp<'_, '_>]) -> Result<u64>;

    /// Asks whether the rows are as these changes have to meet them when they are taken back, and
    /// changes nothing. Returns how many statements that took.
    ///
    /// # Errors
    /// A conflict when one is not; when the target cannot be asked.
    fn look(&mut self, _: &[RowOp<'_, '_>]) -> Result<u64> {
        Ok(0)
    }

    /// Marks a place in the transaction to go back to.
    ///
    /// # Errors
    /// When the connection is lost; so for [`Session::rewind`].
    fn savepoint(&mut self) -> Result<()>;

    /// Takes back what was written since the savepoint.
    ///
    /// # Errors
    /// As [`Session::savepoint`].
    fn rewind(&mut self) -> Result<()>;

    /// The row that a change names by its key, as it is now. `None` when there is no such row, or no key.
    ///
    /// # Errors
    /// When the target cannot be asked.
    fn find(&mut self, op: &RowOp<'_, '_>) -> Result<Option<FoundRow>>;

    /// Keeps with the open transaction, which began with `mark`, that changes were passed over in it.
    ///
    /// # Errors
    /// When the target cannot be written.
    fn skipped(&mut self, _claim: &Claim, _mark: Mark) -> Result<()> {
        Ok(())
    }

    /// Commits the open transaction; with `to` the progress moves there in it.
    ///
    /// # Errors
    /// When the commit fails, or whether it took place is not known.
    fn commit(&mut self, claim: &Claim, to: Option<&Point>) -> Result<()>;

    /// Says something to the server, so that it does not take the client for dead.
    ///
    /// # Errors
    /// When the connection is lost.
    fn keep_alive(&mut self) -> Result<()> {
        Ok(())
    }

    /// Rolls the open transaction back, if there is one.
    fn rollback(&mut self);
}

/// A statement touched another number of rows than the source's events say.
fn mismatch(place: &str, found: u64, expected: u64) -> Error {
    Error::new(ErrorKind::Conflict, format!("{place}: {found} rows instead of {expected}"))
}

/// Holds the number of rows a statement touched against what it had to touch.
fn expect(place: &str, wanted: Expect, found: u64) -> Result<()> {
    match wanted {
        Expect::Rows(rows) if rows != found => Err(mismatch(place, found, rows)),
        Expect::Rows(_) | Expect::Any => Ok(()),
    }
}

/// Refuses a name that belongs to another run.
fn same_run(run: &Run, spool: &str, direction: &str, selection: &str) -> Result<()> {
    if (spool, direction, selection) == (&*run.spool, run.direction.name(), &*run.selection) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "the name {:?} belongs to another run\n  that run:  {direction}, spool {spool}, \
         selection {selection}\n  this run:  {run}",
        run.name
    ))
    .help(("give this run a {} of its own", [Means::Name])))
}

/// Another run has taken the name over.
fn taken_over(name: &str) -> Error {
    Error::stopped(format!("another apply has taken over the name {name:?}"))
        .help(("let that one finish, or give this one a {} of its own", [Means::Name]))
}

/// The beginning of a statement, safe to print.
fn shown(sql: &str) -> String {
    let short: String = sql.chars().take(300).collect();
    let dots = if short.len() < sql.len() { "…" } else { "" };
    format!("{}{dots}", printable(&short.replace('\n', " ")))
}
