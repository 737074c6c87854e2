//! The flags that say where rows go.

use clap::Args;

use crate::error::Result;
use crate::event::TableName;
use crate::filter::Filter;
use crate::replay::Definitions;
use crate::replay::selected::Selected;
use crate::route::Route;
use crate::spool::Spool;

/// Where rows go.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Routing")]
pub(super) struct RouteArgs {
    /// Write a table's rows to another one, as shop.orders=rescue.orders or 'shop.*=rescue.*'
    ///
    /// With --reverse that table takes the rows as they were, beside the real one: it is made
    /// like it if it is not there, and nothing else is touched.
    #[arg(long = "rename", value_name = "A=B")]
    renames: Vec<String>,
    /// Write a column under its present name, as OLD=NEW or DB.TABLE.OLD=NEW
    #[arg(long = "map", value_name = "OLD=NEW")]
    maps: Vec<String>,
    /// Leave a column out that the table has no more, as COL or DB.TABLE.COL
    #[arg(long = "drop-column", value_name = "COL")]
    drops: Vec<String>,
}

impl RouteArgs {
    /// The rules.
    ///
    /// # Errors
    /// When one cannot be read (usage).
    pub(super) fn route(&self) -> Result<Route> {
        Route::parse(&self.renames, &self.maps, &self.drops)
    }
}

/// Holds the rules against the tables that are selected, going back those of the selected rows.
///
/// # Errors
/// When a rule concerns none of them, or two go to one (usage).
pub(super) fn check(
    route: &Route,
    spool: &Spool,
    definitions: &Definitions,
    filter: &Filter,
    back: Option<&Selected>,
) -> Result<()> {
    if route.is_empty() {
        return Ok(());
    }
    let taken = |name: &TableName| !name.table.is_empty() && filter.takes_table(name);
    let tables: Vec<TableName> = match back {
        // A table that was renamed since goes where it stands now, which is in the stream, too.
        Some(rows) => rows.keys().cloned().collect(),
        None => spool.tables()?.into_iter().filter(taken).collect(),
    };
    for def in tables.iter().flat_map(|table| definitions.history.of(table)) {
        route.def(def)?;
    }
    route.check(&tables, |table, column| {
        let mut defs = definitions.history.of(table).peekable();
        defs.peek().is_none() || defs.any(|def| def.column(column).is_some())
    })
}
