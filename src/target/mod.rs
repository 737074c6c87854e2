//! Where changes go: a database that takes row changes and keeps the progress with them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::event::def::{ForeignKey, TableDef};
use crate::event::{Op, TableName, printable};
use crate::plan::Table;
use crate::plan::op::RowOp;
use crate::sql::Expect;

pub mod dry;
pub mod mysql;
pub mod script;
pub mod sqlite;

/// Forward in time, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// As the source did it.
    Forward,
    /// Taking back, last transaction first.
    Reverse,
}

impl Direction {
    /// The word stored with the progress.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
        }
    }
}

/// What a progress row is about. A name goes on only with the same run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The progress row's name.
    pub name: String,
    /// Id of the spool.
    pub spool: String,
    /// Forward or back.
    pub direction: Direction,
    /// The selection in words, without `--until`, which may move.
    pub selection: String,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, spool {}, selection {}", self.direction.name(), self.spool, self.selection)
    }
}

/// One statement that changes definitions, with all the messages it arrived in.
#[derive(Clone, Debug)]
pub struct Ddl {
    /// Sequence of its first message.
    pub seq: u64,
    /// Its text, as it is to be run.
    pub sql: String,
    /// What it does.
    pub op: Op,
    /// The database it ran in.
    pub database: String,
    /// When it ran at the source, milliseconds since 1970.
    pub ts_ms: i64,
    /// Character set of the database it creates.
    pub charset: Option<String>,
    /// Definitions before, where the messages have them: one for each message of an ALTER.
    pub before: Vec<TableDef>,
    /// Definitions afterwards, one for each message of a CREATE or ALTER.
    pub after: Vec<TableDef>,
    /// Every table (or database) its messages name.
    pub names: Vec<TableName>,
}

impl Ddl {
    /// The table of that name as the statement leaves it; `None` when it leaves none.
    ///
    /// Several messages of one statement follow one another: in a ring of renames a name comes
    /// and goes.
    pub fn leaves(&self, name: &TableName) -> Option<&TableDef> {
        let mut left = None;
        for i in 0..self.before.len().max(self.after.len()) {
            if self.before.get(i).is_some_and(|def| def.name() == *name) {
                left = None;
            }
            left = self.after.get(i).filter(|def| def.name() == *name).or(left);
        }
        left
    }
}

/// Where a run stands at the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Everything before it is committed (behind it, going back).
    pub seq: u64,
    /// A window that was begun there.
    pub window: Option<Window>,
    /// The chunks of it that are committed: number and hash.
    pub chunks: HashMap<u64, u64>,
}

/// A stretch whose rows are committed in several transactions, each marked with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where the run will stand behind it.
    pub end: u64,
    /// In how many parts its rows are folded; 1: all together.
    pub parts: u32,
    /// How many row changes a chunk carries at most.
    pub chunk: u32,
}

/// What a run holds at the target: its name, and the epoch that nobody has taken over.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The progress row's name.
    pub name: String,
    /// The epoch taken at the start.
    pub epoch: u64,
    /// Where the run stands.
    pub seq: u64,
}

/// What a target transaction is to the progress; its first statement says so, and fails when
/// another run has taken over.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// It will move the progress.
    Step,
    /// It is a numbered part of the open window, planned with this hash.
    Chunk {
        /// The number.
        n: u64,
        /// [`crate::plan::window::Chunk::hash`].
        hash: u64,
    },
}

/// A database that changes are applied to.
pub trait Target: Send {
    /// Claims the progress row and returns where the run stands; a new row stands at `first`.
    ///
    /// # Errors
    /// When the name belongs to another run (usage), or the target cannot be reached.
    fn start(&mut self, run: &Run, first: u64) -> Result<Standing>;

    /// Where the run stands, without claiming it; `None` when the target knows nothing of it.
    ///
    /// # Errors
    /// As [`Target::start`].
    fn standing(&mut self, _: &Run) -> Result<Option<Standing>> {
        Ok(None)
    }

    /// Gives a claim up that was the first of its name, and under which nothing was done.
    ///
    /// # Errors
    /// When the target cannot be reached.
    fn forget(&mut self) -> Result<()> {
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
    ///
    /// # Errors
    /// When another run has taken over.
    fn open_window(&mut self, _: Window) -> Result<()> {
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
    fn ddl(&mut self, ddl: &Ddl, next: u64) -> Result<()>;

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

    /// Commits the open transaction; with `to` the progress moves there in it.
    ///
    /// # Errors
    /// When the commit fails, or whether it took place is not known.
    fn commit(&mut self, claim: &Claim, to: Option<u64>) -> Result<()>;

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
    .help("give this run a --name of its own"))
}

/// Another run has taken the name over.
fn taken_over(name: &str) -> Error {
    Error::stopped(format!("another apply has taken over the name {name:?}"))
        .help("let that one finish, or give this one a --name of its own")
}

/// The beginning of a statement, safe to print.
fn shown(sql: &str) -> String {
    let short: String = sql.chars().take(300).collect();
    let dots = if short.len() < sql.len() { "…" } else { "" };
    format!("{}{dots}", printable(&short.replace('\n', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_of_renames_leaves_no_table_of_the_name_in_between() {
        let def = |table: &str| TableDef {
            database: "d".into(),
            table: table.into(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            charset: None,
            complete: true,
        };
        let ddl = Ddl {
            seq: 1,
            sql: "RENAME TABLE a TO s, b TO a, s TO b".into(),
            op: Op::TableAlter,
            database: "d".into(),
            ts_ms: 0,
            charset: None,
            before: vec![def("a"), def("b"), def("s")],
            after: vec![def("s"), def("a"), def("b")],
            names: Vec::new(),
        };
        let left = |table| ddl.leaves(&TableName::new("d", table)).is_some();
        assert_eq!((left("a"), left("b"), left("s")), (true, true, false));
    }
}
