//! One connection to the file: a transaction at a time, the progress row in it.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::fault::failed;
use super::schema;
use super::value::{spelled, stored};
use crate::dest::{Claim, FoundRow, Mark, Point, Session, expect, shown, taken_over};
use crate::error::{Error, Result};
use crate::event::Direction;
use crate::event::TableName;
use crate::event::def::TableDef;
use crate::plan::Table;
use crate::plan::op::RowOp;
use crate::sql::{Dialect, Statements, quote};

/// Rows of one statement.
const STATEMENT_ROWS: usize = 500;

/// The file's connection.
pub(super) struct SqliteSession {
    pub(super) conn: Connection,
    pub(super) file: String,
    pub(super) direction: Direction,
    pub(super) tables: HashMap<TableName, (TableDef, Arc<Table>)>,
    /// Tables the file does not have yet; made by the first statement on them.
    pub(super) absent: HashMap<TableName, TableDef>,
    /// Those of them that the open transaction has made.
    pub(super) made: Vec<TableName>,
    pub(super) in_transaction: bool,
}

impl SqliteSession {
    pub(super) fn run(&self, sql: &str) -> Result<()> {
        self.conn.execute_batch(sql).map_err(|e| failed(&self.file, &e))
    }

    pub(super) fn step(&self, claim: &Claim, to: &Point) -> Result<()> {
        let (seq, hash, position) = schema::last(to.last.as_ref())?;
        let touched = self
            .conn
            .execute(
                "UPDATE binsync_progress SET seq=?1, last_seq=COALESCE(?5,last_seq), \
                 last_hash=COALESCE(?6,last_hash), last_position=COALESCE(?7,last_position) WHERE \
                 name=?2 AND epoch=?3 AND seq=?4",
                (
                    stored(to.seq)?,
                    &claim.name,
                    stored(claim.epoch)?,
                    stored(claim.seq)?,
                    seq,
                    hash,
                    position,
                ),
            )
            .map_err(|e| failed(&self.file, &e))?;
        if touched == 1 { Ok(()) } else { Err(taken_over(&claim.name).at(&self.file)) }
    }

    pub(super) fn slice(&mut self, ops: &[RowOp<'_, '_>]) -> Result<u64> {
        let mut statements = Statements::new(Dialect::Sqlite, self.direction, STATEMENT_ROWS);
        statements.ops(ops)?;
        for (sql, item) in statements.iter() {
            let name = &item.table.name;
            if let Some(def) = self.absent.get(name)
                && !self.made.contains(name)
            {
                schema::create(&self.conn, def).map_err(|e| e.at(&self.file))?;
                if item.table.rescue {
                    schema::set_rescue(&self.conn, name).map_err(|e| failed(&self.file, &e))?;
                }
                self.made.push(name.clone());
            }
            let place = || format!("{name} (message {}): {}", item.seq, shown(sql));
            let touched = self.conn.execute(sql, ()).map_err(|e| failed(&place(), &e))? as u64;
            expect(&place(), item.expect, touched)?;
        }
        Ok(statements.items.len() as u64)
    }

    /// As [`crate::dest::Catalog::look`].
    pub(super) fn look(&self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        let mut statements = Statements::new(Dialect::Sqlite, Direction::Reverse, STATEMENT_ROWS);
        statements.looks(ops)?;
        for (sql, item) in statements.iter() {
            let place = || format!("{} (message {})", item.table.name, item.seq);
            let found: i64 =
                self.conn.query_row(sql, (), |row| row.get(0)).map_err(|e| failed(&place(), &e))?;
            expect(&place(), item.expect, found.unsigned_abs())?;
        }
        Ok(())
    }
}

impl Session for SqliteSession {
    fn begin(&mut self, claim: &Claim, _: Mark) -> Result<()> {
        self.run("BEGIN IMMEDIATE")?;
        self.in_transaction = true;
        self.step(claim, &claim.seq.into())
    }

    fn write(&mut self, ops: &[RowOp<'_, '_>]) -> Result<u64> {
        ops.chunks(1000).try_fold(0, |sent, slice| Ok(sent + self.slice(slice)?))
    }

    fn savepoint(&mut self) -> Result<()> {
        // Savepoints of one name are stacked: the one before, if there is one, is done with.
        let _ = self.conn.execute_batch("RELEASE binsync");
        self.run("SAVEPOINT binsync")
    }

    fn rewind(&mut self) -> Result<()> {
        // Tables made since the savepoint go with it.
        self.made.clear();
        self.run("ROLLBACK TO binsync")
    }

    fn find(&mut self, op: &RowOp<'_, '_>) -> Result<Option<FoundRow>> {
        let name = &op.table.name;
        let absent = self.absent.contains_key(name) && !self.made.contains(name);
        if !op.table.has_key() || absent {
            return Ok(None);
        }
        let mut sql = "SELECT * FROM ".to_owned();
        quote::table(&mut sql, Dialect::Sqlite, name);
        let mut between = " WHERE ";
        for &i in &op.table.key {
            sql.push_str(between);
            let value = op.act.found_by().0[i].unwrap_or(crate::event::row::Value::NULL);
            quote::equals(&mut sql, Dialect::Sqlite, &op.table.columns[i], value)?;
            between = " AND ";
        }
        let asked = || -> rusqlite::Result<Option<FoundRow>> {
            let mut query = self.conn.prepare(&sql)?;
            let names: Vec<String> = query.column_names().into_iter().map(str::to_owned).collect();
            let mut rows = query.query(())?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let value = |(i, name): (usize, String)| {
                let value: Value = row.get(i)?;
                Ok((name, (value != Value::Null).then(|| spelled(value))))
            };
            names.into_iter().enumerate().map(value).collect::<rusqlite::Result<_>>().map(Some)
        };
        asked().map_err(|e| failed(&self.file, &e))
    }

    fn skipped(&mut self, claim: &Claim, _: Mark) -> Result<()> {
        let sql = "UPDATE binsync_progress SET skipped=1 WHERE name=?1";
        self.conn.execute(sql, (&claim.name,)).map_err(|e| failed(&self.file, &e))?;
        Ok(())
    }

    fn copied(&mut self, _: &Claim, _: &TableName, _: Option<&str>) -> Result<()> {
        Err(Error::failed("tables are not copied to an SQLite file in parts"))
    }

    fn commit(&mut self, claim: &Claim, to: Option<&Point>) -> Result<()> {
        self.step(claim, to.unwrap_or(&claim.seq.into()))?;
        self.run("COMMIT")?;
        self.in_transaction = false;
        for name in self.made.drain(..) {
            self.absent.remove(&name);
        }
        Ok(())
    }

    fn rollback(&mut self) {
        if self.in_transaction {
            // SQLite may have rolled back by itself, as on a full disk.
            let _ = self.conn.execute_batch("ROLLBACK");
            self.in_transaction = false;
        }
        self.made.clear();
    }
}
