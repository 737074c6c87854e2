//! The flags that say where rows go.

use clap::Args;

use crate::error::Result;
use crate::route::Route;

/// Where rows go.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Routing")]
pub(in crate::cli) struct RouteArgs {
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
    pub(in crate::cli) fn route(&self) -> Result<Route> {
        Route::parse(&self.renames, &self.maps, &self.drops)
    }
}
