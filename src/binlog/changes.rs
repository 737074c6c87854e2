//! Where the definitions of tables changed in a log: what they are now holds back to there.

use std::collections::HashMap;

use crate::event::TableName;

/// A place in the files of one server: the file's number and an offset.
pub(super) type Place = (u64, u64);

/// The last change of each table. Names are told apart as the strictest server does: not by their case.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// Where the log is.
    pub(super) here: Place,
    /// An empty table name stands for all of its database.
    last: HashMap<(String, String), Place>,
    /// Of any table.
    all: Option<Place>,
}

impl Changes {
    /// A table was made, changed or left; an empty name is each of the database.
    pub(super) fn of(&mut self, database: &str, table: &str) {
        self.last.insert((database.to_lowercase(), table.to_lowercase()), self.here);
    }

    /// Any table may have been.
    pub(super) fn of_any(&mut self) {
        self.all = Some(self.here);
    }

    /// Since where a table is what it is at the end; `None`: since before the log.
    pub(super) fn since(&self, name: &TableName) -> Option<Place> {
        let [database, table] = [&name.database, &name.table].map(|name| name.to_lowercase());
        let whole = self.last.get(&(database.clone(), String::new()));
        let own = self.last.get(&(database, table));
        whole.into_iter().chain(own).chain(&self.all).max().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_what_it_is_since_its_last_change() {
        let mut changes = Changes::default();
        let since = |changes: &Changes, table: &str| changes.since(&TableName::new("D", table));
        assert_eq!(since(&changes, "t"), None);
        changes.here = (1, 50);
        changes.of("d", "T");
        assert_eq!((since(&changes, "t"), since(&changes, "u")), (Some((1, 50)), None));
        changes.here = (2, 9);
        changes.of("d", "");
        assert_eq!(since(&changes, "u"), Some((2, 9)));
        changes.here = (3, 4);
        changes.of_any();
        assert_eq!(changes.since(&TableName::new("x", "y")), Some((3, 4)));
    }
}
