//! The definitions of the tables as they are at a place of the log: from a dump that was given, and
//! from the log's own statements.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::changes::{Changes, Place};
use super::query::Query;
use super::{described, json};
use crate::event::TableName;
use crate::event::ddl::{Defaults, Subject, Text};
use crate::event::def::{Kind, TableDef};

/// The definitions that are known.
#[derive(Default)]
pub struct Schema {
    tables: HashMap<TableName, (Arc<TableDef>, Origin)>,
    /// The character sets of databases.
    charsets: HashMap<String, String>,
    /// Databases of which every table is known, since the log has their beginning.
    whole: HashSet<String>,
    /// From a server's own print of its tables, not from statements as they were written.
    given: bool,
    /// Goes up with each change.
    version: u64,
    /// Where the tables were changed.
    pub(super) changes: Changes,
}

/// Where a table's definition comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// What was given, and the log's statements since.
    Given,
    /// The log's own statements.
    Statements,
    /// The events themselves, which name the columns.
    Events,
}

/// What a statement comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Messages: each its fields from `type` on, but for time, text and place.
    Messages(Vec<String>),
    /// It changes rows or tables, and no event tells how.
    Lost,
    /// Nothing that a message tells of.
    Nothing,
}

impl Schema {
    /// Goes up with each change of a definition.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// To be filled from a server's own print of its tables.
    pub(super) fn given() -> Self {
        Self { given: true, ..Self::default() }
    }

    /// Takes a definition that an event tells of a table that is not known.
    pub(super) fn learn(&mut self, def: TableDef) {
        self.tables.entry(def.name()).or_insert_with(|| (Arc::new(def), Origin::Events));
    }

    /// Knows nothing any more: what came in between may have changed any table.
    pub(super) fn forget(&mut self) {
        *self = Self { changes: std::mem::take(&mut self.changes), ..Self::default() };
        self.version += 1;
    }

    /// Takes a definition that a server tells. Where it keeps JSON as text with a check, the log's own statement
    /// tells what it is; without one it is taken for JSON, as what is given in a dump is.
    pub(super) fn give(&mut self, mut def: TableDef) {
        let own = self.tables.get(&def.name()).map(|(own, _)| own);
        for column in def.columns.iter_mut().filter(|column| column.kind == Kind::JsonOrText) {
            let told = own.and_then(|own| own.column(&column.name)).map(|own| own.kind);
            column.kind = told.unwrap_or(Kind::Json);
        }
        self.tables.insert(def.name(), (Arc::new(def), Origin::Given));
        self.version += 1;
    }

    /// A statement that cannot be read may have changed any table.
    pub(super) fn doubt(&mut self, here: Place) {
        self.changes.here = here;
        self.changes.of_any();
        self.forget();
    }

    /// Takes definitions that were given: they count more than what is known.
    pub(super) fn take(&mut self, given: Self) {
        self.tables.extend(given.tables);
        self.charsets.extend(given.charsets);
        self.version += 1;
    }

    /// A table's definition, where it is known.
    pub(super) fn table(&self, database: &str, table: &str) -> Option<&Arc<TableDef>> {
        self.known(database, table).map(|(def, _)| def)
    }

    /// The same, with where it comes from.
    pub(super) fn known(&self, database: &str, table: &str) -> Option<&(Arc<TableDef>, Origin)> {
        self.tables.get(&TableName::new(database, table))
    }

    /// What a statement of the log comes to, and does to the definitions.
    pub(super) fn statement(&mut self, query: &Query) -> Said {
        let Some(text) = Text::read(&query.sql) else {
            self.changes.of_any();
            return Said::Lost;
        };
        let subject = text.subject(&query.database);
        self.version += 1;
        let messages = match subject {
            Subject::Rows => return Said::Lost,
            Subject::Unknown => {
                self.changes.of_any();
                return Said::Lost;
            }
            Subject::Truncate(name) => vec![self.same("truncate", &name)],
            Subject::Index(name) => vec![self.same("alter", &name)],
            Subject::Nothing => return Said::Nothing,
            Subject::CreateDatabase { name, existing } => {
                let charset = text.charset().or(query.server_charset.map(str::to_owned));
                self.create_database(name, existing, charset)
            }
            Subject::AlterDatabase(name) => {
                if let Some(charset) = text.charset() {
                    self.charsets.insert(name.clone(), charset);
                }
                vec![of_database("alter", &name, None)]
            }
            Subject::DropDatabase(name) => {
                self.tables.retain(|table, _| table.database != name);
                self.charsets.remove(&name);
                self.whole.remove(&name);
                self.changes.of(&name, "");
                vec![of_database("drop", &name, None)]
            }
            Subject::CreateTable { name, existing } => self.create(&text, &name, existing, query),
            Subject::AlterTable { name, to } => vec![self.alter(&text, &name, to)],
            Subject::RenameTables(pairs) => {
                pairs.into_iter().map(|(from, to)| self.rename(&from, to)).collect()
            }
            Subject::DropTables(names) => {
                let drop = |name: TableName| {
                    self.leave(&name);
                    of_table("drop", &name)
                };
                names.into_iter().map(drop).collect()
            }
        };
        match messages.is_empty() {
            true => Said::Nothing,
            false => Said::Messages(messages),
        }
    }

    fn create_database(
        &mut self,
        name: String,
        existing: bool,
        charset: Option<String>,
    ) -> Vec<String> {
        let message = of_database("create", &name, charset.as_deref());
        // One that was there before keeps its character set and its tables.
        if (!existing || self.given) && !self.charsets.contains_key(&name) {
            self.charsets.extend(charset.map(|charset| (name.clone(), charset)));
            self.whole.insert(name);
        }
        vec![message]
    }

    fn create(
        &mut self,
        text: &Text,
        name: &TableName,
        existing: bool,
        query: &Query,
    ) -> Vec<String> {
        if existing && self.tables.contains_key(name) {
            return Vec::new();
        }
        let def = match text.like() {
            Some((database, table)) => {
                let like = database.unwrap_or_else(|| query.database.clone());
                self.table(&like, &table).map(|like| renamed(like, name.clone()))
            }
            None => text.creates(name, self.defaults(&name.database)),
        };
        // What was there before under that name is not known, and may have stayed.
        let def = def.filter(|_| !existing || self.whole.contains(&name.database));
        let mut message = of_table("create", name);
        let origin = if self.given { Origin::Given } else { Origin::Statements };
        self.put(name, def.map(|def| (def, origin)), &mut message);
        vec![message]
    }

    fn alter(&mut self, text: &Text, name: &TableName, to: TableName) -> String {
        let before = self.leave(name);
        let mut message = of_table("alter", name);
        let after = before.as_ref().and_then(|(before, origin)| {
            let after = text.alters(before, self.defaults(&name.database))?;
            Some((renamed(&after, to.clone()), *origin))
        });
        if let (Some((before, _)), Some(_)) = (&before, &after) {
            described::field(&mut message, "old", before);
        }
        self.put(&to, after, &mut message);
        message
    }

    /// The message of a statement that leaves a table's columns as they are.
    fn same(&self, kind: &str, name: &TableName) -> String {
        let mut message = of_table(kind, name);
        if let Some((def, _)) = self.tables.get(name) {
            described::field(&mut message, "old", def);
            described::field(&mut message, "def", def);
        }
        message
    }

    fn rename(&mut self, from: &TableName, to: TableName) -> String {
        let before = self.leave(from);
        let mut message = of_table("alter", from);
        if let Some((before, _)) = &before {
            described::field(&mut message, "old", before);
        }
        let after = before.map(|(before, origin)| (renamed(&before, to.clone()), origin));
        self.put(&to, after, &mut message);
        message
    }

    /// The definition of a table that is not what it was, from here on. One that differs by case alone may be of the
    /// same table (`lower_case_table_names`), and is known no more.
    fn leave(&mut self, name: &TableName) -> Option<(Arc<TableDef>, Origin)> {
        let folded = |name: &TableName| (name.database.to_lowercase(), name.table.to_lowercase());
        let (before, wanted) = (self.tables.remove(name), folded(name));
        self.changes.of(&name.database, &name.table);
        self.tables.retain(|other, _| folded(other) != wanted);
        before
    }

    /// Takes what a statement leaves of a table, and writes it into its message.
    fn put(&mut self, name: &TableName, def: Option<(TableDef, Origin)>, message: &mut String) {
        self.leave(name);
        if let Some((def, origin)) = def {
            described::field(message, "def", &def);
            self.tables.insert(name.clone(), (Arc::new(def), origin));
        }
    }

    fn defaults(&self, database: &str) -> Defaults<'_> {
        let charset = self.charsets.get(database).map(String::as_str);
        Defaults { charset, checked_json: self.given }
    }
}

fn renamed(def: &TableDef, name: TableName) -> TableDef {
    TableDef { database: name.database, table: name.table, ..def.clone() }
}

fn of_database(kind: &str, name: &str, charset: Option<&str>) -> String {
    let mut message = format!("\"type\":\"database-{kind}\",\"database\":");
    json::string(&mut message, name);
    if let Some(charset) = charset {
        message.push_str(",\"charset\":");
        json::string(&mut message, charset);
    }
    message
}

fn of_table(kind: &str, name: &TableName) -> String {
    let mut message = format!("\"type\":\"table-{kind}\",\"database\":");
    json::string(&mut message, &name.database);
    message.push_str(",\"table\":");
    json::string(&mut message, &name.table);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(statements: &[&str]) -> Schema {
        let mut schema = Schema::default();
        for sql in statements {
            let (database, sql) = ("d".to_owned(), (*sql).to_owned());
            schema.statement(&Query { thread: 1, database, sql, server_charset: Some("latin1") });
        }
        schema
    }

    #[test]
    fn what_may_have_been_there_before_is_not_known() {
        let table = "CREATE TABLE t (a TEXT)";
        let charset = |database: &str| {
            let schema = known(&[database, table]);
            schema.table("d", "t").expect("a table").columns[0].charset.clone()
        };
        assert_eq!(charset("CREATE DATABASE d").as_deref(), Some("latin1"));
        assert_eq!(charset("CREATE DATABASE IF NOT EXISTS d"), None);
        let table = "CREATE TABLE IF NOT EXISTS t (a INT)";
        assert!(known(&["CREATE DATABASE d", table]).table("d", "t").is_some());
        assert!(known(&["CREATE DATABASE IF NOT EXISTS d", table]).table("d", "t").is_none());
    }

    #[test]
    fn what_a_server_keeps_as_text_is_json_where_the_log_says_so() {
        let kind = |statements: &[&str]| {
            let mut schema = known(statements);
            let mut def = known(&["CREATE TABLE t (j LONGTEXT)"])
                .table("d", "t")
                .expect("t")
                .as_ref()
                .clone();
            def.columns[0].kind = Kind::JsonOrText;
            schema.give(def);
            schema.table("d", "t").expect("a table").columns[0].kind
        };
        assert_eq!(kind(&["CREATE TABLE t (j JSON)"]), Kind::Json);
        assert_eq!(kind(&["CREATE TABLE t (j LONGTEXT)"]), Kind::Text);
        assert_eq!(kind(&[]), Kind::Json);
    }

    #[test]
    fn what_cannot_be_read_may_have_changed_any_table() {
        let mut schema = known(&["CREATE TABLE t (a INT)"]);
        schema.doubt((7, 99));
        assert!(schema.table("d", "t").is_none());
        assert_eq!(schema.changes.since(&TableName::new("d", "u")), Some((7, 99)));
    }

    #[test]
    fn a_name_in_another_case_leaves_no_definition_as_it_was() {
        for sql in ["ALTER TABLE T DROP a", "DROP TABLE T", "RENAME TABLE T TO u"] {
            let schema = known(&["CREATE TABLE t (a INT, b INT)", sql]);
            assert!(schema.table("d", "t").is_none(), "{sql}");
        }
    }
}
