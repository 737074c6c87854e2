//! A statement that was checked, and what it says.

use super::super::{Op, TableName};
use super::clause::Clause;
use super::told::Told;

/// A statement that may be run.
#[derive(Clone, Debug)]
pub struct Statement {
    pub(super) told: Told,
    pub(super) text: String,
    pub(super) clauses: Vec<Clause>,
    /// Tables that it changes and no message tells of.
    pub(super) others: Vec<TableName>,
    /// Tables that it names and leaves as they are.
    pub(super) reads: Vec<TableName>,
    pub(super) replaces: bool,
    pub(super) partitions: bool,
    pub(super) charsets: Vec<String>,
    pub(super) collations: Vec<String>,
    pub(super) engines: Vec<String>,
}

impl Statement {
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
