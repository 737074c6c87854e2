//! The rules of a route.

use super::columns::Columns;
use super::name::Name;
use super::shard::Shard;
use crate::event::TableName;
use crate::filter::Tables;

/// Where the rows of the tables go that it takes.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The tables of the stream.
    pub tables: Tables,
    /// The places, by number; `None` for one at another target.
    pub places: Vec<Option<Name>>,
    /// Which rows go to which place; without it all go to the first.
    pub shard: Option<Shard>,
    /// What becomes of their columns.
    pub columns: Columns,
    /// Several tables may go to one.
    pub merge: bool,
    /// What was typed, where it is no rule of a file: a table, or `*` of a database, and where to.
    pub typed: Option<(TableName, TableName)>,
}

/// What becomes of a column, in whatever table.
#[derive(Clone, Debug)]
pub(super) struct ColumnRule {
    /// Only in this table of the stream; `None`: in every table that has such a column.
    pub(super) table: Option<TableName>,
    pub(super) column: String,
    /// Its name at the target; `None`: it is left out.
    pub(super) to: Option<String>,
}

impl Rule {
    /// True when some of it goes to this target.
    pub fn is_here(&self) -> bool {
        self.places.iter().any(Option::is_some)
    }
}
