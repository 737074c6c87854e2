//! Where changes go: a database that takes row changes and keeps the progress with them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Means, Result};
use crate::event::ddl::{Statement, Told};
use crate::event::def::{ForeignKey, TableDef};
use crate::event::landmark::Landmark;
use crate::event::{Seq, TableName, printable};
use crate::plan::Table;
use crate::plan::op::RowOp;
use crate::route::words;
use crate::sql::Expect;

pub mod mysql;
mod run;
pub mod script;
pub mod sqlite;

use run::first_epoch;
pub use run::{
    Changes, ChunkId, Claim, Copying, Mark, Needs, Point, Run, Settled, Standing, Window,
};

/// A database that changes are applied to.
pub trait Target: Catalog + Ledger {}

impl<T: Catalog + Ledger> Target for T {}

/// What a database has: it is asked, and nothing in it changes. Each question fails when the
/// database cannot be asked.
pub trait Catalog: Send {
    /// Where it is, without what is secret, so that it is told from others; `None` where nothing
    /// outlives the process.
    fn place(&self) -> Option<String>;

    /// The table as it stands there; `def` is the source's definition, where known.
    ///
    /// # Errors
    /// When there is no such table, or the rows of the stream do not fit it.
    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>>;

    /// The name under which it knows a table, or a database: the same for what it takes for one.
    fn known_as(&mut self, name: &TableName) -> Result<TableName>;

    /// True when it has such a table, or such a database where no table is named.
    fn exists(&mut self, name: &TableName) -> Result<bool>;

    /// True when it makes a table that it lacks for its first row.
    fn makes_tables(&self) -> bool;

    /// How many connections write the chunks of a window; 0 where a window is one transaction.
    fn lanes(&self) -> usize;

    /// False where no foreign key changes rows: what they did at the source is done only if the
    /// source has logged it.
    fn acts(&self) -> bool;

    /// The foreign keys that change rows by themselves; none where they are not checked.
    fn foreign_keys(&mut self) -> Result<Vec<ForeignKey>>;

    /// What tells each of these tables from one that is made anew under its name, as a dump that is
    /// loaded makes it; nothing of those of which it does not tell.
    fn identities(&mut self, names: &[TableName]) -> Result<Vec<(TableName, String)>>;

    /// True when there is such a table, without a key to tell its rows apart, and a row in it.
    fn holds_keyless_rows(&mut self, name: &TableName) -> Result<bool>;

    /// Refuses what the user has no right to do, all of it named.
    fn check_rights(&mut self, needs: &Needs<'_>) -> Result<()>;

    /// Refuses, before anything is written, a statement that cannot run there at all.
    fn refuses(&mut self, ddl: &Statement) -> Result<()>;

    /// Whether the tables are as a statement leaves them that is not run here, but by hand, in the
    /// course of the run of that name.
    fn settled(&mut self, run: &str, told: &Told) -> Result<Settled>;

    /// Where a run stands; `None` when nothing is known of it.
    ///
    /// # Errors
    /// When the name belongs to another run (usage).
    fn standing(&mut self, run: &Run) -> Result<Option<Standing>>;

    /// All runs that it knows, by name, each with where it stands.
    fn runs(&mut self) -> Result<Vec<(Run, Standing)>>;

    /// Asks whether the rows are as these changes have to meet them when they are taken back.
    ///
    /// # Errors
    /// A conflict when one is not.
    fn look(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()>;

    /// As [`Session::find`].
    fn find(&mut self, op: &RowOp<'_, '_>) -> Result<Option<FoundRow>>;

    /// How many rows a second one connection writes, tried on a temporary table in that database;
    /// none where it cannot be tried.
    fn pace(&mut self, database: &str) -> Option<f64>;

    /// What of the server's own settings an apply depends on; `None` where there is no server.
    fn settings(&mut self) -> Result<Option<Settings>> {
        Ok(None)
    }

    /// Keeps idle connections open; the server ends those that say nothing for a while, so that
    /// the locks of a client that is gone do not stay.
    fn keep_alive(&mut self) -> Result<()>;
}

/// Settings of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The way to it is encrypted.
    pub encrypted: bool,
    /// The user may not write there, whatever rights it has.
    pub read_only: bool,
    /// Bytes of the largest packet that it takes.
    pub max_packet: usize,
}

/// The progress of a run, and what moves it: each call is done with the progress, or not at all.
/// Each fails when the database cannot be reached, or another run has taken over.
pub trait Ledger: Send {
    /// Claims the progress row and returns where the run stands; a new row stands at `first`.
    ///
    /// # Errors
    /// When the name belongs to another run (usage).
    fn start(&mut self, run: &Run, first: &Point) -> Result<Standing>;

    /// Gives the name up where nothing was done under it: it still stands at `first`, and neither a
    /// window nor a statement was begun.
    fn forget(&mut self, first: Seq) -> Result<()>;

    /// Removes what is known of a run, wherever it stands; false when nothing is. An apply of it that
    /// is at work is waited for while it commits, and stops at its next transaction.
    fn remove(&mut self, name: &str) -> Result<bool>;

    /// The sessions that write: one that may move the progress, and the lanes that write the
    /// chunks of a window side by side.
    fn sessions(&mut self) -> Sessions<'_>;

    /// Opens the lanes that are not open yet.
    fn open_lanes(&mut self) -> Result<()>;

    /// Begins a window at where the run stands; only asked where there are lanes. `last` is the
    /// last record it takes.
    fn open_window(&mut self, window: Window, last: Option<&Landmark>) -> Result<()>;

    /// Ends the window: the run stands behind it, its chunks are forgotten, in one transaction.
    fn close_window(&mut self, window: Window) -> Result<()>;

    /// Runs what a DDL statement of the stream is here, each exactly once, the progress standing at
    /// `next` afterwards.
    ///
    /// # Errors
    /// When one fails or its outcome is not what the source had.
    fn ddl(&mut self, ddl: &[Statement], next: &Point) -> Result<()>;

    /// Keeps how the tables of a statement are that is to be done by hand, `now` from
    /// [`Catalog::settled`], so that the next start can tell; and the record the run stands at then.
    fn note(&mut self, told: &Told, now: &str, next: &Point) -> Result<()>;

    /// Moves the progress to `next`, behind a statement that was done by hand.
    fn settle(&mut self, told: &Told, next: &Point) -> Result<()>;

    /// What it takes for tables to be copied there; `None` where none are.
    fn first_copy(&mut self) -> Option<&mut dyn FirstCopy> {
        None
    }

    /// Makes a table for recovered rows, with the columns of the table it is like, unless it is
    /// there, or will be made for its first row.
    fn make(&mut self, name: &TableName, like: &TableName) -> Result<()>;
}

/// A database that tables can be copied to, as a run begins.
pub trait FirstCopy {
    /// True when a table has no row.
    ///
    /// # Errors
    /// When the database cannot be asked; so for the next one.
    fn is_empty(&mut self, name: &TableName) -> Result<bool>;

    /// The collations of a table's columns that have one, by name.
    fn collations(&mut self, name: &TableName) -> Result<HashMap<String, String>>;

    /// Makes the table of a statement, and its database where that is not there.
    ///
    /// # Errors
    /// When the database refuses.
    fn create(&mut self, table: &Statement) -> Result<()>;

    /// Begins a run at `at`, with these tables of the stream still to be copied: both or neither.
    ///
    /// # Errors
    /// When the database refuses, or the name belongs to another run (usage).
    fn begin(&mut self, run: &Run, at: &Point, tables: &[TableName]) -> Result<()>;
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
    pub lanes: Vec<&'t mut dyn Session>,
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
    fn skipped(&mut self, claim: &Claim, mark: Mark) -> Result<()>;

    /// Keeps with the open transaction how far the first copy of a table has come with it; `None`: to
    /// its end.
    ///
    /// # Errors
    /// When the target cannot be written.
    fn copied(&mut self, claim: &Claim, table: &TableName, reached: Option<&str>) -> Result<()>;

    /// Commits the open transaction; with `to` the progress moves there in it.
    ///
    /// # Errors
    /// When the commit fails, or whether it took place is not known.
    fn commit(&mut self, claim: &Claim, to: Option<&Point>) -> Result<()>;

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
    if run.continues(spool, direction, selection) {
        return Ok(());
    }
    let error = Error::usage(format!(
        "the name {:?} belongs to another run\n  that run:  {direction}, spool {spool}, \
         selection {selection}\n  this run:  {run}",
        run.name
    ));
    Err(match words::are_of_file(&run.selection) {
        true => error.help((
            "put the routes of this target back as they were; or empty its tables, remove the \
             progress with {}, and begin anew",
            [Means::RunsForget],
        )),
        false => error.help(("give this run a {} of its own", [Means::Name])),
    })
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
