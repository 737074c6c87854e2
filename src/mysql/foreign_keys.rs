//! The target's foreign keys, and which of them change rows by themselves.

use std::collections::{HashMap, HashSet};

use mysql::prelude::Queryable;
use mysql::{Conn, Result as Sql};

use crate::event::TableName;
use crate::event::def::ForeignKey;

/// The foreign keys of a server.
#[derive(Debug, Default)]
pub(crate) struct ForeignKeys {
    /// Every table that is an end of one, with the group of tables it is joined to.
    groups: HashMap<TableName, usize>,
    /// Groups in which one changes rows by itself (CASCADE, SET NULL, SET DEFAULT).
    acting_groups: HashSet<usize>,
    /// Those that change rows.
    pub(crate) acting: Vec<ForeignKey>,
}

/// Schema, name, child; schema and name of the parent; what happens on DELETE and on UPDATE.
type ReferenceRow = (String, String, String, String, String, String, String);

impl ForeignKeys {
    /// Reads all.
    pub(crate) fn read(conn: &mut Conn) -> Sql<Self> {
        let rows: Vec<ReferenceRow> = conn.query(
            "SELECT CONSTRAINT_SCHEMA, CONSTRAINT_NAME, TABLE_NAME, UNIQUE_CONSTRAINT_SCHEMA, \
             REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE FROM \
             information_schema.REFERENTIAL_CONSTRAINTS",
        )?;
        let mut keys = Self::default();
        for (schema, name, child, parent_schema, parent, on_delete, on_update) in rows {
            let acts = |rule: &str| !matches!(rule, "RESTRICT" | "NO ACTION");
            let (on_delete, on_update) = (acts(&on_delete), acts(&on_update));
            let parent = TableName::new(parent_schema, parent);
            let child_name = TableName::new(&*schema, &*child);
            keys.add(child_name.clone(), parent.clone(), on_delete || on_update);
            if on_delete || on_update {
                let columns = conn.exec(
                    "SELECT REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
                     WHERE CONSTRAINT_SCHEMA=? AND CONSTRAINT_NAME=? AND TABLE_NAME=?",
                    (&schema, &name, &child),
                )?;
                keys.acting.push(ForeignKey {
                    child: child_name,
                    parent,
                    columns,
                    on_delete,
                    on_update,
                });
            }
        }
        Ok(keys)
    }

    /// True when a foreign key changes rows of this table by itself, or of one joined to it.
    pub(crate) fn act_on(&self, name: &TableName) -> bool {
        self.groups.get(name).is_some_and(|group| self.acting_groups.contains(group))
    }

    fn add(&mut self, child: TableName, parent: TableName, acts: bool) {
        let new = self.groups.len();
        let group = *self.groups.entry(child).or_insert(new);
        let other = *self.groups.entry(parent).or_insert(group);
        for member in self.groups.values_mut().filter(|g| **g == other) {
            *member = group;
        }
        if self.acting_groups.remove(&other) || acts {
            self.acting_groups.insert(group);
        }
    }
}
