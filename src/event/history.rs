//! Which definition was in force at which place of the stream.
//!
//! Fed with the stream's own DDL and with snapshots taken from a server; asked by sequence.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::ddl::{Clause, Text};
use super::def::{Kind, TableDef};
use super::typed::same_name;
use super::{Body, Event, Op, Seq, TableName};
use crate::error::Result;

/// The definitions of all tables over the whole stream.
#[derive(Debug, Default)]
pub struct History {
    tables: HashMap<TableName, Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// In force from this sequence on.
    from: Seq,
    /// `None`: there is no such table from here on.
    def: Option<Arc<TableDef>>,
    /// Taken from a server; holds for what came before as well, as far back as no DDL is known.
    snapshot: bool,
}

impl History {
    /// Adds a snapshot taken when the spool ended at `seq`. Snapshots go in before any DDL.
    pub fn add_snapshot(&mut self, seq: Seq, defs: impl IntoIterator<Item = TableDef>) {
        for def in defs {
            let entry = Entry { from: seq, def: Some(Arc::new(def.clone())), snapshot: true };
            insert(self.tables.entry(def.name()).or_default(), entry);
        }
    }

    /// Adds the definitions a DDL message brings; `seq` is the message's own. In order.
    ///
    /// # Errors
    /// When the message's `def` cannot be read.
    pub fn add_ddl(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        let Body::Ddl { sql, def, old, .. } = &event.body else {
            return Ok(());
        };
        let name = event.meta.name();
        match event.meta.op {
            Op::DatabaseDrop => {
                for (table, entries) in &mut self.tables {
                    if table.database == name.database {
                        insert(entries, Entry { from: seq, def: None, snapshot: false });
                    }
                }
            }
            Op::TableDrop => self.put(seq, name, None),
            Op::TableCreate | Op::TableAlter => {
                let Some(def) = def else {
                    // It is another now, and nobody told which.
                    self.put(seq, name, None);
                    return Ok(());
                };
                let old = old.map(TableDef::parse).transpose()?;
                self.define(seq, sql, TableDef::parse(def)?, old);
            }
            _ => {}
        }
        Ok(())
    }

    fn define(&mut self, seq: Seq, sql: &str, mut def: TableDef, old: Option<TableDef>) {
        let statement = Text::read(sql);
        let clauses = statement.as_ref().map(Text::clauses).unwrap_or_default();
        let before = match &old {
            Some(old) => {
                if self.at(&old.name(), seq).is_none() {
                    self.put(0, old.name(), Some(old.clone()));
                }
                self.at(&old.name(), seq)
            }
            None => statement.as_ref().and_then(Text::like).and_then(|(db, table)| {
                self.at(&TableName::new(db.unwrap_or_else(|| def.database.clone()), table), seq)
            }),
        };
        def.complete = statement.is_some()
            && match (&old, &before) {
                (Some(_), before) => before.as_ref().is_some_and(|b| b.complete),
                (None, Some(like)) => like.complete,
                (None, None) => statement.is_some_and(|s| s.like().is_none()),
            };
        inherit(&mut def, &clauses, before.as_deref());
        if let Some(old) = old.filter(|old| old.name() != def.name()) {
            self.put(seq, old.name(), None);
        }
        self.put(seq, def.name(), Some(def));
    }

    fn put(&mut self, seq: Seq, name: TableName, def: Option<TableDef>) {
        let entry = Entry { from: seq, def: def.map(Arc::new), snapshot: false };
        insert(self.tables.entry(name).or_default(), entry);
    }

    /// The definition in force for the event at `seq`; `None` when nobody told.
    pub fn at(&self, name: &TableName, seq: Seq) -> Option<Arc<TableDef>> {
        let entries = self.tables.get(name)?;
        let next = entries.partition_point(|e| e.from <= seq);
        match next.checked_sub(1) {
            Some(i) => entries[i].def.clone(),
            None => entries.first().filter(|e| e.snapshot).and_then(|e| e.def.clone()),
        }
    }

    /// The sequences around `seq` over which [`History::at`] answers the same for that table.
    pub fn span(&self, name: &TableName, seq: Seq) -> Range<Seq> {
        let entries = self.tables.get(name).map(Vec::as_slice).unwrap_or_default();
        let next = entries.partition_point(|e| e.from <= seq);
        let from = next.checked_sub(1).map_or(0, |i| entries[i].from);
        from..entries.get(next).map_or(Seq::MAX, |e| e.from)
    }

    /// All definitions a table ever had, as far as told.
    pub fn of(&self, name: &TableName) -> impl Iterator<Item = &TableDef> {
        self.tables.get(name).into_iter().flatten().filter_map(|entry| entry.def.as_deref())
    }

    /// The tables that exist at `seq`, with their definitions.
    pub fn tables(&self, seq: Seq) -> Vec<Arc<TableDef>> {
        let mut all: Vec<_> = self.tables.keys().filter_map(|name| self.at(name, seq)).collect();
        all.sort_by_key(|d| d.name());
        all
    }
}

fn insert(entries: &mut Vec<Entry>, entry: Entry) {
    let at = entries.partition_point(|e| e.from <= entry.from);
    entries.insert(at, entry);
}

/// Gives the columns of `def` what the statement says of them, or else what they had before.
fn inherit(def: &mut TableDef, clauses: &[Clause], before: Option<&TableDef>) {
    for column in &mut def.columns {
        let mut former = column.name.clone();
        let mut defined = None;
        for clause in clauses {
            match clause {
                Clause::Defined { name, attributes, .. } if same_name(name, &column.name) => {
                    defined = Some(attributes);
                }
                Clause::Renamed { was, name } if same_name(name, &column.name) => {
                    former = was.clone()
                }
                _ => {}
            }
        }
        if let Some(attributes) = defined {
            attributes.set(column);
        } else if let Some(old) = before.and_then(|b| b.column(&former)) {
            column.generated = old.generated;
            column.on_update = old.on_update;
            column.binary_width = old.binary_width;
            column.zerofill = old.zerofill;
            column.nullable = old.nullable;
            column.defaults_to_null = old.defaults_to_null;
            if column.kind == Kind::Float && old.kind == Kind::Double {
                column.set_double();
            }
            column.arguments.clone_from(&old.arguments);
            column.srid = old.srid;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::maxwell::parse;
    use super::*;

    fn feed(history: &mut History, seq: Seq, message: &str) {
        history.add_ddl(seq, &parse(message.as_bytes()).expect("a message")).expect("a definition");
    }

    fn def(table: &str, columns: &[&str]) -> String {
        let columns: Vec<_> =
            columns.iter().map(|c| format!(r#"{{"type":"int","name":"{c}"}}"#)).collect();
        format!(
            r#"{{"database":"d","table":"{table}","primary-key":["id"],"columns":[{}]}}"#,
            columns.join(",")
        )
    }

    fn alter(from: &str, to: &str, sql: &str) -> String {
        format!(
            r#"{{"type":"table-alter","database":"d","table":"{from}","old":{},"def":{},"ts":1,"sql":"{sql}"}}"#,
            def(from, &["id", "g"]),
            def(to, &["id", "g"])
        )
    }

    #[test]
    fn a_rename_ring_moves_definitions_and_their_attributes() {
        let mut h = History::default();
        for (seq, table, g) in [(1, "a", "g INT AS (1)"), (2, "b", "g INT")] {
            let sql = format!("CREATE TABLE {table} (id INT, {g})");
            let def = def(table, &["id", "g"]);
            feed(
                &mut h,
                seq,
                &format!(
                    r#"{{"type":"table-create","database":"d","table":"{table}","def":{def},"ts":1,"sql":"{sql}"}}"#
                ),
            );
        }
        let sql = "RENAME TABLE a TO s, b TO a, s TO b";
        for (seq, from, to) in [(3, "a", "s"), (4, "b", "a"), (5, "s", "b")] {
            feed(&mut h, seq, &alter(from, to, sql));
        }
        let generated =
            |t: &str, seq| h.at(&TableName::new("d", t), seq).map(|d| d.columns[1].generated);
        assert_eq!(generated("a", 2), Some(true));
        assert_eq!(
            (generated("a", 5), generated("b", 5), generated("s", 5)),
            (Some(false), Some(true), None)
        );
        assert!(h.at(&TableName::new("d", "a"), 5).expect("a table").complete);
    }

    #[test]
    fn a_table_first_seen_in_an_alter_is_incomplete_and_known_before_it() {
        let mut h = History::default();
        feed(&mut h, 9, &alter("t", "t", "ALTER TABLE t ADD COLUMN g INT"));
        let before = h.at(&TableName::new("d", "t"), 3).expect("the old definition");
        assert!(!before.complete && !h.at(&TableName::new("d", "t"), 9).expect("the new").complete);
    }

    #[test]
    fn a_snapshot_holds_before_it_was_taken() {
        let mut h = History::default();
        let mut snapshot = TableDef::parse(&def("t", &["id", "g"])).expect("a definition");
        snapshot.complete = true;
        h.add_snapshot(50, [snapshot]);
        assert!(h.at(&TableName::new("d", "t"), 3).is_some_and(|d| d.complete));
    }
}
