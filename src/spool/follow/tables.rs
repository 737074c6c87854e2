//! Numbers for table names: the index and the tracker count by number.

use std::collections::HashMap;

use crate::event::{Meta, TableName};

/// All names seen, numbered by first sight.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    names: Vec<TableName>,
    ids: HashMap<String, HashMap<String, u32>>,
}

impl Tables {
    /// The names, by number.
    pub(crate) fn names(&self) -> &[TableName] {
        &self.names
    }

    /// The number of the table a message names.
    pub(crate) fn id(&mut self, meta: &Meta<'_>) -> u32 {
        self.id_of(&meta.database, &meta.table)
    }

    /// The number of the table of that name.
    pub(crate) fn id_of(&mut self, database: &str, table: &str) -> u32 {
        match self.ids.get(database).and_then(|tables| tables.get(table)) {
            Some(&id) => id,
            None => self.add(TableName::new(database, table)),
        }
    }

    /// Adds a name not seen yet.
    pub(crate) fn add(&mut self, name: TableName) -> u32 {
        let id = self.names.len() as u32;
        let tables = self.ids.entry(name.database.clone()).or_default();
        tables.insert(name.table.clone(), id);
        self.names.push(name);
        id
    }
}
