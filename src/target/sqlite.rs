//! SQLite: a file with the source's tables in it, each value as the source's server prints it.
//!
//! Tables are called `"db.table"` and made from the source's definitions. One SQLite transaction
//! is one target transaction, the progress row in it, DDL included: SQLite's DDL rolls back like
//! any statement, so a crash needs no intent row. The rollback journal stays (a file at rest is
//! whole, without companions), at `synchronous=EXTRA`: what was reported as committed outlives a
//! power loss.
//!
//! Generated columns are ordinary columns here: their expressions are not known, but events carry
//! their values, so they are written like all others.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Ddl, Run, Target, mismatch, shown};
use crate::error::{Error, ErrorKind, Result};
use crate::event::def::TableDef;
use crate::event::{TableName, printable};
use crate::plan::Table;
use crate::sql::{Dialect, Expect, Statements};

mod convert;
mod ddl;
mod schema;

/// An SQLite file as a target.
pub struct Sqlite {
    conn: Connection,
    file: String,
    tables: HashMap<TableName, (TableDef, Arc<Table>)>,
    /// Tables the file does not have yet; made by the first statement on them.
    absent: HashMap<TableName, TableDef>,
    /// Those of them that the open transaction has made.
    made: Vec<TableName>,
    progress: Option<Progress>,
    in_transaction: bool,
}

struct Progress {
    run: Run,
    epoch: i64,
    seq: u64,
}

impl Sqlite {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened or is no database.
    pub fn open(path: &Path) -> Result<Self> {
        let file = printable(&path.display().to_string()).into_owned();
        let conn = Connection::open(path).map_err(|e| failed(&file, &e))?;
        let set =
            |pragma, value| conn.pragma_update(None, pragma, value).map_err(|e| failed(&file, &e));
        conn.busy_timeout(Duration::from_secs(10)).map_err(|e| failed(&file, &e))?;
        set("synchronous", "EXTRA")?;
        // The source has checked them; rows arrive in an order that is right only at the end.
        set("foreign_keys", "OFF")?;
        // Renaming a table leaves views and triggers of others alone, as the source does.
        set("legacy_alter_table", "ON")?;
        Ok(Self {
            conn,
            file,
            tables: HashMap::new(),
            absent: HashMap::new(),
            made: Vec::new(),
            progress: None,
            in_transaction: false,
        })
    }

    fn progress(&self) -> Result<&Progress> {
        self.progress.as_ref().ok_or_else(|| Error::failed("no run was started"))
    }

    fn run(&self, sql: &str) -> Result<()> {
        self.conn.execute_batch(sql).map_err(|e| failed(&self.file, &e))
    }

    /// Opens the transaction with the conditional step: one row, or somebody else has taken over.
    fn begin(&mut self) -> Result<()> {
        if self.in_transaction {
            return Ok(());
        }
        let seq = self.progress()?.seq;
        self.run("BEGIN IMMEDIATE")?;
        self.in_transaction = true;
        self.step(seq)
    }

    fn step(&self, to: u64) -> Result<()> {
        let Progress { run, epoch, seq } = self.progress()?;
        let touched = self
            .conn
            .execute(
                "UPDATE binsync_progress SET seq=?1 WHERE name=?2 AND epoch=?3 AND seq=?4",
                (stored(to)?, &run.name, epoch, stored(*seq)?),
            )
            .map_err(|e| failed(&self.file, &e))?;
        if touched == 1 {
            return Ok(());
        }
        Err(Error::stopped(format!(
            "{}: another apply has taken over the name {:?}",
            self.file, run.name
        ))
        .help("let that one finish, or give this one a --name of its own"))
    }

    fn rollback(&mut self) {
        if self.in_transaction {
            // SQLite may have rolled back by itself, as on a full disk.
            let _ = self.conn.execute_batch("ROLLBACK");
            self.in_transaction = false;
        }
        self.made.clear();
    }

    fn execute_all(&mut self, statements: &Statements) -> Result<()> {
        self.begin()?;
        for (sql, item) in statements.iter() {
            let name = &item.table.name;
            if let Some(def) = self.absent.get(name)
                && !self.made.contains(name)
            {
                schema::create(&self.conn, def).map_err(|e| e.at(&self.file))?;
                self.made.push(name.clone());
            }
            let place = || format!("{name} (message {}): {}", item.seq, shown(sql));
            let touched = self.conn.execute(sql, ()).map_err(|e| failed(&place(), &e))? as u64;
            if let Expect::Rows(rows) = item.expect
                && touched != rows
            {
                return Err(mismatch(&place(), touched, rows));
            }
        }
        Ok(())
    }

    fn ddl_and_commit(&mut self, ddl: &Ddl, next: u64) -> Result<()> {
        self.begin()?;
        let place = || format!("DDL (message {}): {}", ddl.seq, shown(&ddl.sql));
        ddl::run(&self.conn, ddl).map_err(|e| e.at(place()))?;
        self.commit(next)
    }
}

/// A sequence as SQLite stores numbers.
fn stored(seq: u64) -> Result<i64> {
    i64::try_from(seq).map_err(|_| Error::failed(format!("sequence {seq} is out of range")))
}

/// Sorts SQLite's errors: try again, ask the user, or stop.
fn failed(place: &str, error: &rusqlite::Error) -> Error {
    let made = |kind| Error::new(kind, format!("{place}: {}", printable(&error.to_string())));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => made(ErrorKind::Retry).help(
            "another program is using the file: let it finish, then run the same command again",
        ),
        Some(ErrorCode::ReadOnly) => made(ErrorKind::Stopped)
            .help("make the file and its directory writable, then run the same command again"),
        Some(ErrorCode::DiskFull) => {
            made(ErrorKind::Stopped).help("free some space, then run the same command again")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => made(ErrorKind::Failed)
            .help("check that the directory exists and that you may write to it"),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            made(ErrorKind::Failed).help("name another file, or remove this one")
        }
        Some(ErrorCode::SystemIoFailure) => made(ErrorKind::Failed),
        _ => made(ErrorKind::Stopped),
    }
}

fn spelled(value: Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => format!("{bytes:02X?}"),
    }
}

/// What a query answers, as text; for whoever looks at what was applied.
///
/// # Errors
/// When the file cannot be read or SQLite refuses the query.
pub fn ask(path: &Path, query: &str) -> Result<Vec<Vec<String>>> {
    let answer = || -> rusqlite::Result<Vec<Vec<String>>> {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut query = conn.prepare(query)?;
        let columns = query.column_count();
        let rows =
            query.query_map((), |row| (0..columns).map(|i| row.get(i).map(spelled)).collect())?;
        rows.collect()
    };
    answer().map_err(|e| failed(&path.display().to_string(), &e))
}

impl Target for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn start(&mut self, run: &Run, first: u64) -> Result<u64> {
        self.rollback();
        self.run("BEGIN IMMEDIATE")?;
        self.in_transaction = true;
        let claimed = schema::claim(&self.conn, &self.file, run, first)
            .and_then(|claimed| self.run("COMMIT").map(|()| claimed));
        let (epoch, seq) = match claimed {
            Ok(claimed) => claimed,
            Err(e) => {
                self.rollback();
                return Err(e);
            }
        };
        self.in_transaction = false;
        self.progress = Some(Progress { run: run.clone(), epoch, seq });
        Ok(seq)
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        let Some(def) = def else {
            return Err(Error::stopped(format!(
                "{name}: the definition of the table is not known"
            ))
            .help("store the source's definitions with: binsync schema add --from URL"));
        };
        if let Some((known, table)) = self.tables.get(name)
            && known == def
        {
            return Ok(table.clone());
        }
        schema::check_widths(def)?;
        let table = match schema::find(&self.conn, name).map_err(|e| e.at(&self.file))? {
            true => schema::table(&self.conn, def).map_err(|e| failed(&self.file, &e))?,
            false => {
                self.absent.insert(name.clone(), def.clone());
                schema::as_made(def)
            }
        };
        let table = Arc::new(table);
        self.tables.insert(name.clone(), (def.clone(), table.clone()));
        Ok(table)
    }

    fn execute(&mut self, statements: &Statements) -> Result<()> {
        if statements.items.is_empty() {
            return Ok(());
        }
        let done = self.execute_all(statements);
        if done.is_err() {
            self.rollback();
        }
        done
    }

    fn commit(&mut self, seq: u64) -> Result<()> {
        let done = self.begin().and_then(|()| self.step(seq)).and_then(|()| self.run("COMMIT"));
        if let Err(e) = done {
            self.rollback();
            return Err(e);
        }
        self.in_transaction = false;
        for name in self.made.drain(..) {
            self.absent.remove(&name);
        }
        if let Some(progress) = &mut self.progress {
            progress.seq = seq;
        }
        Ok(())
    }

    fn ddl(&mut self, ddl: &Ddl, next: u64) -> Result<()> {
        let done = self.ddl_and_commit(ddl, next);
        if done.is_err() {
            self.rollback();
        }
        self.tables.clear();
        self.absent.clear();
        done
    }
}

#[cfg(test)]
mod tests;
