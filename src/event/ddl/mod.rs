//! Statements that change definitions: what the messages say of one, and what of it may be run.
//!
//! The text of a statement comes from a stranger. A [`Statement`] is made by [`Statement::checked`]
//! only: one statement, of the kind its messages say, on the tables they name, every name with its
//! database, no comment left in it. Nothing else reaches a target or a script.

use super::def::TableDef;
use super::{Op, TableName, printable};
use crate::error::Result;

pub mod attributes;
mod clause;
mod cursor;
mod database;
mod server;
mod shape;
mod token;
mod words;

pub use clause::{Clause, Text};
pub use server::Server;

/// What the messages of one statement say.
#[derive(Clone, Debug)]
pub struct Told {
    /// Sequence of the first message.
    pub seq: u64,
    /// The text, as it came.
    pub sql: String,
    /// What it does.
    pub op: Op,
    /// When it ran at the source, milliseconds since 1970.
    pub ts_ms: i64,
    /// Character set of the database it creates.
    pub charset: Option<String>,
    /// The table (or database) of each message, in order.
    pub tables: Vec<TableName>,
    /// Definitions before, where the messages have them: one for each message of an ALTER.
    pub before: Vec<TableDef>,
    /// Definitions afterwards, one for each message of a CREATE or ALTER.
    pub after: Vec<TableDef>,
}

impl Told {
    /// Every table (or database) the messages name, each once.
    pub fn names(&self) -> Vec<TableName> {
        let mut names: Vec<TableName> = Vec::new();
        let defined = self.before.iter().chain(&self.after).map(TableDef::name);
        for name in self.tables.iter().cloned().chain(defined) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

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

    /// The columns of the table of that name as the statement leaves it; none when it leaves none.
    pub fn columns_left(&self, name: &TableName) -> Vec<&str> {
        columns(self.leaves(name))
    }

    /// True when the columns alone tell the tables before the statement from those after it.
    pub fn shows(&self) -> bool {
        let before = |name: &TableName| self.before.iter().find(|def| def.name() == *name);
        let alters = |name: &TableName| columns(before(name)) != self.columns_left(name);
        matches!(self.op, Op::TableCreate | Op::TableDrop) || self.names().iter().any(alters)
    }

    /// Its message and the beginning of its text, safe to print.
    pub fn place(&self) -> String {
        let short: String = self.sql.chars().take(300).collect();
        let dots = if short.len() < self.sql.len() { "…" } else { "" };
        let text = short.replace(['\n', '\r', '\t'], " ");
        format!("DDL statement (message {}): {}{dots}", self.seq, printable(&text))
    }
}

fn columns(def: Option<&TableDef>) -> Vec<&str> {
    def.into_iter().flat_map(|def| &def.columns).map(|c| c.name.as_str()).collect()
}

/// A statement that may be run.
#[derive(Clone, Debug)]
pub struct Statement {
    told: Told,
    text: String,
    clauses: Vec<Clause>,
    /// Tables that it changes and no message tells of.
    others: Vec<TableName>,
    /// Tables that it names and leaves as they are.
    reads: Vec<TableName>,
    replaces: bool,
    partitions: bool,
    charsets: Vec<String>,
    collations: Vec<String>,
    engines: Vec<String>,
}

impl Statement {
    /// Checks what the messages tell; `source` is the server it ran on, where known.
    ///
    /// # Errors
    /// When the text is not what the messages say, or names what they do not tell.
    pub fn checked(told: Told, source: Option<Server>) -> Result<Self> {
        shape::check(&told, source)
            .map_err(|e| e.at(format!("{}\n  it is not run", told.place())))
            .map(|checked| Self { told, ..checked })
    }

    /// What its messages say.
    pub fn told(&self) -> &Told {
        &self.told
    }

    /// Its text: one line but for what names hold, no comments, no end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it says of columns.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Every table (or database) it changes, with those that no message tells of.
    pub fn changes(&self) -> impl Iterator<Item = TableName> {
        self.told.names().into_iter().chain(self.others.iter().cloned())
    }

    /// Every table (or database) it names.
    pub fn names(&self) -> impl Iterator<Item = TableName> {
        self.changes().chain(self.reads.iter().cloned())
    }

    /// The character sets it names.
    pub fn charsets(&self) -> &[String] {
        &self.charsets
    }

    /// The collations it names.
    pub fn collations(&self) -> &[String] {
        &self.collations
    }

    /// The rows of a table without a primary key get numbers, in the order in which they are
    /// stored.
    pub fn numbers_rows(&self) -> bool {
        let keyless = self.told.before.iter().all(|def| def.primary_key.is_empty());
        let counts = |clause: &Clause| match clause {
            Clause::Defined { attributes, .. } => attributes.counted,
            Clause::Renamed { .. } | Clause::Dropped(_) => false,
        };
        self.told.op == Op::TableAlter && keyless && self.clauses.iter().any(counts)
    }

    /// The storage engines it names.
    pub fn engines(&self) -> &[String] {
        &self.engines
    }

    /// CREATE OR REPLACE.
    pub fn replaces(&self) -> bool {
        self.replaces
    }

    /// Rows come or go with partitions, which no message tells.
    pub fn moves_partitions(&self) -> bool {
        self.partitions
    }
}

/// True for a statement that sends a message for each of several tables: DROP TABLE and RENAME
/// TABLE. Two others with the same text are two statements, on tables of two databases.
pub fn is_of_several_tables(op: Op, sql: &str) -> bool {
    match op {
        Op::TableDrop => true,
        Op::TableAlter => Text::read(sql).is_none_or(|text| text.begins_with("RENAME")),
        _ => false,
    }
}

/// The next step where a statement is not run.
pub const BY_HAND: &str = "do at the target by hand what it means, then run the same command again; or leave DDL out with \
     --type insert,update,delete";

#[cfg(test)]
mod tests;
