//! What a comparison finds.

use crate::error::Words;
use crate::event::TableName;

/// What is found.
pub enum Found {
    /// A row that differs.
    Difference(Difference),
    /// A row of which it cannot be told: it is touched again and again, or the run does not move.
    Undecided {
        /// The source's table.
        table: TableName,
        /// The target's, where its rows are dealt out.
        place: Option<TableName>,
        /// The row's key.
        key: Columns,
    },
    /// So many further rows of the source were looked at.
    Looked(u64),
    /// A table was compared.
    Table(Compared),
    /// A table was not compared.
    Left(TableName, Words),
}

/// Columns with their values, as the producer has them.
pub type Columns = Vec<(String, String)>;

/// A row that differs.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The source's table.
    pub table: TableName,
    /// The target's, where its rows are dealt out.
    pub place: Option<TableName>,
    /// Its key.
    pub key: Columns,
    /// The columns that differ; all of them where one of the two ends has no such row.
    pub columns: Vec<Differing>,
    /// What is wrong with the target's row.
    pub kind: Kind,
    /// The statement that would mend the target, ended with a line's end.
    pub sql: String,
}

/// A column that differs, as the producer has its values; `None` where there is no such row.
#[derive(Clone, Debug)]
pub struct Differing {
    /// Its name at the source.
    pub name: String,
    /// Its value there.
    pub source: Option<String>,
    /// Its value at the target.
    pub target: Option<String>,
}

/// What is wrong with a row of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The source has no such row.
    Surplus,
    /// It has other values.
    Changed,
    /// It is not there.
    Missing,
}

/// A table that was compared.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The source's.
    pub table: TableName,
    /// The target's.
    pub target: TableName,
    /// Rows at the source.
    pub rows: u64,
    /// Rows of the target that are surplus, changed, missing.
    pub differing: [u64; 3],
    /// Rows of which it cannot be told.
    pub undecided: u64,
}
