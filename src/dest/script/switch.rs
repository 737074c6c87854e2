//! Foreign key checks, switched from statement to statement.

use std::collections::HashSet;
use std::sync::Arc;

use crate::event::TableName;
use crate::sql::Item;

/// Has the checks on for statements on which foreign keys have to act, and off for all others. No
/// foreign key acts on a row that comes, and the source may have had the checks off.
#[derive(Clone, Debug, Default)]
pub struct Switch {
    acting: Arc<HashSet<TableName>>,
    /// As the last statement had them; `None` where that is not known.
    on: Option<bool>,
}

impl Switch {
    /// A switch for those tables; without any, nothing is switched.
    pub fn new(acting: Arc<HashSet<TableName>>) -> Self {
        Self { acting, on: None }
    }

    /// Adds what has to be set before a statement.
    pub fn before(&mut self, text: &mut String, sql: &str, item: &Item) {
        if self.acting.is_empty() {
            return;
        }
        let on = self.acting.contains(&item.table.name) && !sql.starts_with("INSERT");
        if self.on != Some(on) {
            self.on = Some(on);
            text.push_str(match on {
                true => "SET foreign_key_checks=@binsync_checks;\n",
                false => "SET foreign_key_checks=0;\n",
            });
        }
    }

    /// Something else was written that sets them.
    pub fn forget(&mut self) {
        self.on = None;
    }
}
