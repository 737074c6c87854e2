//! Where changes go: a database that takes statements and keeps the progress with them.

use std::sync::Arc;

use crate::error::Result;
use crate::event::def::TableDef;
use crate::event::{Op, TableName};
use crate::plan::Table;
use crate::sql::{Dialect, Statements};

pub mod mysql;
pub mod mysql_schema;
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
        write!(
            f,
            "{}, spool {}, selection {}",
            self.direction.name(),
            self.spool,
            self.selection
        )
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
    /// Definitions before, where the messages have them.
    pub before: Vec<TableDef>,
    /// Definitions afterwards.
    pub after: Vec<TableDef>,
    /// Every table (or database) its messages name.
    pub names: Vec<TableName>,
}

/// A database that changes are applied to.
///
/// Statements run in a transaction that [`Target::execute`] opens and [`Target::commit`] ends,
/// the progress in it; whatever goes wrong in between is rolled back as a whole.
pub trait Target {
    /// Whose SQL it takes.
    fn dialect(&self) -> Dialect;

    /// Claims the progress row and returns the sequence it stands at; a new row stands at `first`.
    ///
    /// # Errors
    /// When the name belongs to another run (usage), or the target cannot be reached.
    fn start(&mut self, run: &Run, first: u64) -> Result<u64>;

    /// The table as it stands at the target; `def` is the source's definition, where known.
    ///
    /// # Errors
    /// When there is no such table.
    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>>;

    /// Runs statements in the open transaction and checks how many rows each touches.
    ///
    /// # Errors
    /// When the target refuses one or touches another number of rows; nothing of the open
    /// transaction remains.
    fn execute(&mut self, statements: &Statements) -> Result<()>;

    /// Commits the open transaction, the progress standing at `seq` afterwards.
    ///
    /// # Errors
    /// When another run has taken the progress row over, or the commit fails.
    fn commit(&mut self, seq: u64) -> Result<()>;

    /// Runs a DDL statement exactly once, the progress standing at `next` afterwards.
    ///
    /// # Errors
    /// When it fails or its outcome is not what the source had.
    fn ddl(&mut self, ddl: &Ddl, next: u64) -> Result<()>;
}
