//! DDL on an SQLite target: from the definitions before and after, not by running the text.
//!
//! A table whose columns change is made anew and its rows are copied: one way for every change,
//! swapped names and a new primary key included. Runs inside the caller's transaction.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::super::shown;
use super::convert::Defined;
use super::fault::failed;
use super::schema::{self, quoted};
use crate::error::{Error, Means, Result};
use crate::event::ddl::attributes::Attributes;
use crate::event::ddl::{Clause, Statement};
use crate::event::def::{Column, TableDef};
use crate::event::typed::same_name;
use crate::event::{Op, TableName};

/// The table being made while its predecessor still has the name.
pub(super) const NEW: &str = "\"binsync_new\"";

/// Does what the statement did at the source.
pub(super) fn run(conn: &Connection, statement: &Statement) -> Result<()> {
    takes(statement)?;
    let ddl = statement.told();
    match ddl.op {
        Op::TableCreate => {
            if ddl.after.is_empty() {
                return Err(not_told());
            }
            for def in &ddl.after {
                let name = def.name();
                if schema::find(conn, &name)? {
                    if !statement.replaces() {
                        return Err(Error::stopped(format!("{name}: exists already")).help(
                            "drop or rename it at the target, then run the same command again",
                        ));
                    }
                    drop_table(conn, &name)?;
                }
                schema::create(conn, def)?;
            }
            Ok(())
        }
        Op::TableAlter => {
            if ddl.after.is_empty() || ddl.before.len() != ddl.after.len() {
                return Err(not_told());
            }
            for (before, after) in ddl.before.iter().zip(&ddl.after) {
                alter(conn, statement, before, after)?;
            }
            Ok(())
        }
        Op::TableDrop => ddl.tables.iter().try_for_each(|name| drop_table(conn, name)),
        Op::DatabaseDrop => {
            for name in &ddl.tables {
                let tables = schema::of_database(conn, &name.database);
                let tables = tables.map_err(|e| failed(&name.to_string(), &e))?;
                tables.iter().try_for_each(|name| drop_table(conn, name))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refuses a statement whose rows no message tells: which of them a partition holds is not known.
pub(super) fn takes(ddl: &Statement) -> Result<()> {
    match ddl.moves_partitions() {
        false => Ok(()),
        true => Err(Error::stopped(format!(
            "{}: rows come or go with a partition, and which those are is not told",
            ddl.told().place()
        ))
        .help((
            "leave the table out with {}, or the stretch after it with {}",
            [Means::ExcludeTable, Means::Until],
        ))),
    }
}

pub(super) fn not_told() -> Error {
    Error::stopped("the message does not tell the table's definition")
        .help(("go on without statements, with {} insert,update,delete", [Means::Type]))
}

fn drop_table(conn: &Connection, name: &TableName) -> Result<()> {
    if !schema::find(conn, name)? {
        return Ok(());
    }
    conn.execute_batch(&format!("DROP TABLE {}", quoted(name)))
        .and_then(|()| schema::disown(conn, name))
        .map_err(|e| failed(&name.to_string(), &e))
}

fn alter(conn: &Connection, ddl: &Statement, before: &TableDef, after: &TableDef) -> Result<()> {
    let (old, new) = (before.name(), after.name());
    if !schema::find(conn, &old)? {
        // Not one row of it has come by since the spool began.
        return schema::create(conn, after);
    }
    if old != new {
        if schema::find(conn, &new)? {
            return Err(Error::stopped(format!("{new}: exists already"))
                .help("drop or rename it at the target, then run the same command again"));
        }
        let sql = format!("ALTER TABLE {} RENAME TO {}", quoted(&old), quoted(&new));
        conn.execute_batch(&sql)
            .and_then(|()| schema::disown(conn, &old))
            .and_then(|()| schema::own(conn, &new))
            .map_err(|e| failed(&new.to_string(), &e))?;
    }
    if ddl.told().truncates() {
        let sql = format!("DELETE FROM {}", quoted(&new));
        return conn.execute_batch(&sql).map_err(|e| failed(&new.to_string(), &e));
    }
    Change { name: &new, before, after, clauses: ddl.clauses(), ts_ms: ddl.told().ts_ms }.run(conn)
}

/// One table's change of columns.
pub(super) struct Change<'a> {
    pub(super) name: &'a TableName,
    pub(super) before: &'a TableDef,
    pub(super) after: &'a TableDef,
    pub(super) clauses: &'a [Clause],
    pub(super) ts_ms: i64,
}

/// Where a column's values come from.
pub(super) enum From<'a> {
    /// An old column, as they are.
    Same(usize),
    /// An old column, as another type prints them.
    Converted(usize, &'a Column, Defined<'a>),
    /// Nowhere: the column is new.
    New(Option<Defined<'a>>),
}

impl<'a> Change<'a> {
    fn run(&self, conn: &Connection) -> Result<()> {
        let found = schema::columns(conn, self.name).map_err(|e| self.failed(&e))?;
        let has = |c: &Column| found.iter().any(|(name, _)| same_name(name, &c.name));
        if found.len() != self.before.columns.len() || !self.before.columns.iter().all(has) {
            let names: Vec<_> = found.into_iter().map(|(name, _)| name).collect();
            let source: Vec<_> = self.before.columns.iter().map(|c| &c.name).collect();
            return Err(Error::stopped(format!(
                "{}: the target has the columns {names:?}, the source had {source:?}",
                self.name
            ))
            .help("bring the table to the source's definition, then run the same command again"));
        }
        match self.origins()? {
            Some(from) => self.rebuild(conn, &from),
            None => Ok(()),
        }
    }

    /// Where each column's values come from; none when the table stays as it is.
    pub(super) fn origins(&self) -> Result<Option<Vec<From<'a>>>> {
        let from = self.after.columns.iter().map(|c| self.from(c)).collect::<Result<Vec<_>>>()?;
        let untouched =
            from.iter().enumerate().all(|(n, f)| matches!(f, From::Same(old) if *old == n));
        let same_shape =
            schema::create_sql(self.before, NEW) == schema::create_sql(self.after, NEW);
        Ok((!untouched || !same_shape).then_some(from))
    }

    fn failed(&self, e: &rusqlite::Error) -> Error {
        failed(&self.name.to_string(), e)
    }

    fn from(&self, column: &'a Column) -> Result<From<'a>> {
        let mut origin = Some(column.name.as_str());
        let mut stated = None;
        for clause in self.clauses {
            match clause {
                Clause::Renamed { was, name } if same_name(name, &column.name) => {
                    origin = Some(was)
                }
                Clause::Defined { name, was, attributes } if same_name(name, &column.name) => {
                    // IF NOT EXISTS: what is there stays.
                    let exists = self.before.column(name).is_some() && !self.drops(name);
                    if was.is_none() && exists {
                        continue;
                    }
                    (origin, stated) = (was.as_deref(), Some(attributes));
                }
                _ => {}
            }
        }
        let old = origin
            .and_then(|name| self.before.columns.iter().position(|c| same_name(&c.name, name)));
        let defined = stated.map(|attributes| self.defined(column, attributes));
        Ok(match (old, defined) {
            (None, defined) => From::New(defined),
            (Some(_), Some(_)) if column.generated => From::New(None),
            (Some(old), Some(defined)) => From::Converted(old, &self.before.columns[old], defined),
            (Some(old), None) if self.before.columns[old].kind == column.kind => From::Same(old),
            (Some(_), None) => return Err(self.unknown(column, "changes its type")),
        })
    }

    fn drops(&self, column: &str) -> bool {
        self.clauses.iter().any(|c| matches!(c, Clause::Dropped(name) if same_name(name, column)))
    }

    fn defined(&self, column: &'a Column, stated: &'a Attributes) -> Defined<'a> {
        let in_key = self.after.primary_key.iter().any(|k| same_name(k, &column.name));
        Defined {
            column,
            stated,
            not_null: in_key || stated.nullable == Some(false),
            charset: stated.charset.as_deref().or(self.after.charset.as_deref()),
            ts_ms: self.ts_ms,
        }
    }

    pub(super) fn unknown(&self, column: &Column, what: &str) -> Error {
        Error::stopped(format!(
            "{}: column {:?} {what}: what its old rows hold afterwards is not told, and not guessed",
            self.name, column.name
        ))
        .help("leave the table out with " + Means::ExcludeTable)
    }

    fn rebuild(&self, conn: &Connection, from: &[From<'_>]) -> Result<()> {
        let table = quoted(self.name);
        let sql = |e: rusqlite::Error| self.failed(&e);
        let others: Vec<(String, String)> = conn
            .prepare(
                "SELECT name, sql FROM sqlite_master WHERE tbl_name=?1 AND sql IS NOT NULL \
                 AND type IN ('index','trigger')",
            )
            .and_then(|mut query| {
                query
                    .query_map((schema::sqlite_name(self.name),), |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?
                    .collect()
            })
            .map_err(sql)?;
        schema::check_widths(self.after)?;
        conn.execute_batch(&schema::create_sql(self.after, NEW)).map_err(sql)?;
        self.copy(conn, &table, from)?;
        conn.execute_batch(&format!("DROP TABLE {table}; ALTER TABLE {NEW} RENAME TO {table}"))
            .map_err(sql)?;
        for (name, text) in others {
            conn.execute_batch(&text).map_err(|e| {
                Error::stopped(format!(
                    "{}: {name:?}, which is not the source's, does not fit the table any more: {e}",
                    self.name
                ))
                .help(format!("drop {name:?}, then run the same command again"))
            })?;
        }
        Ok(())
    }

    fn copy(&self, conn: &Connection, table: &str, from: &[From<'_>]) -> Result<()> {
        let sql = |e: rusqlite::Error| self.failed(&e);
        let names = self.before.columns.iter().map(|c| schema::column_name(&c.name));
        let names: Vec<_> = names.collect();
        let marks = vec!["?"; from.len()].join(",");
        let mut select =
            conn.prepare(&format!("SELECT {} FROM {table}", names.join(","))).map_err(sql)?;
        let mut insert =
            conn.prepare(&format!("INSERT INTO {NEW} VALUES ({marks})")).map_err(sql)?;
        let computed = self.after.columns.iter().find(|c| c.generated);
        let mut rows = select.query(()).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let mut values = Vec::with_capacity(from.len());
            for (column, from) in self.after.columns.iter().zip(from) {
                values.push(match from {
                    From::Same(old) => row.get(*old).map_err(sql)?,
                    From::Converted(old, was, to) => {
                        let value: Value = row.get(*old).map_err(sql)?;
                        let new = to
                            .convert(was.kind, &was.type_name, &value)
                            .ok_or_else(|| self.no_exact(column, was, &value))?;
                        if new != value
                            && let Some(computed) = computed
                        {
                            return Err(self.unknown(computed, "is computed from changed ones"));
                        }
                        new
                    }
                    From::New(defined) => {
                        defined.as_ref().and_then(Defined::new_value).ok_or_else(|| {
                            self.unknown(column, "is computed or has no plain default")
                        })?
                    }
                });
            }
            insert.execute(params_from_iter(values)).map_err(sql)?;
        }
        Ok(())
    }

    fn no_exact(&self, column: &Column, was: &Column, value: &Value) -> Error {
        let value = match value {
            Value::Text(text) => format!("{:?}", shown(text)),
            other => format!("{other:?}"),
        };
        Error::stopped(format!(
            "{}: column {:?} changes from {} to {}: what becomes of {value} is not known exactly",
            self.name, column.name, was.type_name, column.type_name
        ))
        .help("leave the table out with " + Means::ExcludeTable)
    }
}
