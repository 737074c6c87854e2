//! Where changes go: a database that takes statements and keeps the progress with them.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::{Op, TableName, printable};
use crate::plan::Table;
use crate::sql::{Dialect, Statements};

pub mod dry;
pub mod mysql;
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

/// A statement touched another number of rows than the source's events say.
fn mismatch(place: &str, found: u64, expected: u64) -> Error {
    Error::stopped(format!("{place}: {found} rows instead of {expected}"))
        .help("the target's rows are not those of the source at this point; nothing of this transaction was written")
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
