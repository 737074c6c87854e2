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

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::{Claim, Mark, Point, Run, Session, Sessions, Standing, Target};
use crate::error::{Error, Means, Result};
use crate::event::ddl::{Statement, Told};
use crate::event::def::TableDef;
use crate::event::{Direction, Seq, TableName, printable};
use crate::plan::Table;

mod convert;
mod copy;
mod ddl;
mod fault;
mod schema;
pub mod script;
mod session;
mod value;

pub use copy::Copy;
use fault::failed;
use session::SqliteSession;
use value::{spelled, stored};

/// An SQLite file as a target.
pub struct Sqlite {
    claim: Claim,
    session: SqliteSession,
}

/// No name is a URI.
const OPEN: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

impl Sqlite {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened or is no database.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OPEN | OpenFlags::SQLITE_OPEN_CREATE;
        Self::with(path, Connection::open_with_flags(path, flags))
    }

    /// Opens the file to be looked at: nothing in it changes, and none is made.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn look(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let missing = !path.exists() && folder.is_none_or(Path::is_dir);
        let target = Self::with(
            path,
            match missing {
                // As if it were there, and empty.
                true => Connection::open_in_memory(),
                false => Connection::open_with_flags(path, OPEN),
            },
        )?;
        target.session.run("PRAGMA query_only=ON")?;
        Ok(target)
    }

    fn with(path: &Path, opened: rusqlite::Result<Connection>) -> Result<Self> {
        let file = printable(&path.display().to_string()).into_owned();
        let conn = opened.map_err(|e| failed(&file, &e))?;
        let set =
            |pragma, value| conn.pragma_update(None, pragma, value).map_err(|e| failed(&file, &e));
        conn.busy_timeout(Duration::from_secs(10)).map_err(|e| failed(&file, &e))?;
        set("synchronous", "EXTRA")?;
        // The source has checked them; rows arrive in an order that is right only at the end.
        set("foreign_keys", "OFF")?;
        // Renaming a table leaves views and triggers of others alone, as the source does.
        set("legacy_alter_table", "ON")?;
        let session = SqliteSession {
            conn,
            file,
            direction: Direction::Forward,
            tables: HashMap::new(),
            absent: HashMap::new(),
            made: Vec::new(),
            in_transaction: false,
        };
        Ok(Self { claim: Claim { name: String::new(), epoch: 0, seq: 0 }, session })
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

/// The name under which a file knows a table: database and table are one name there, whose case
/// does not count. A database is only a part of names.
pub fn known_as(name: &TableName) -> TableName {
    match name.table.is_empty() {
        true => name.clone(),
        false => {
            TableName::new("", format!("{}.{}", name.database, name.table).to_ascii_lowercase())
        }
    }
}

impl Target for Sqlite {
    fn start(&mut self, run: &Run, first: &Point) -> Result<Standing> {
        let session = &mut self.session;
        session.rollback();
        session.direction = run.direction;
        session.run("BEGIN IMMEDIATE")?;
        session.in_transaction = true;
        let claimed = schema::claim(&session.conn, &session.file, run, first)
            .and_then(|claimed| session.run("COMMIT").map(|()| claimed));
        if claimed.is_err() {
            session.rollback();
        }
        let (epoch, standing) = claimed?;
        session.in_transaction = false;
        self.claim = Claim { name: run.name.clone(), epoch, seq: standing.seq };
        Ok(standing)
    }

    fn known_as(&mut self, name: &TableName) -> Result<TableName> {
        Ok(known_as(name))
    }

    fn standing(&mut self, run: &Run) -> Result<Option<Standing>> {
        self.session.direction = run.direction;
        schema::standing(&self.session.conn, &self.session.file, run)
    }

    fn forget(&mut self, first: Seq) -> Result<()> {
        let delete = "DELETE FROM binsync_progress WHERE name=?1 AND epoch=?2 AND seq=?3";
        let values = (&self.claim.name, stored(self.claim.epoch)?, stored(first)?);
        let done = self.session.conn.execute(delete, values);
        done.map(|_| ()).map_err(|e| failed(&self.session.file, &e))
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        let Some(def) = def else {
            return Err(Error::stopped(format!(
                "{name}: the definition of the table is not known"
            ))
            .help(("store the source's definitions with: {} URL", [Means::SchemaAdd])));
        };
        let session = &mut self.session;
        if let Some((known, table)) = session.tables.get(name)
            && known == def
        {
            return Ok(table.clone());
        }
        schema::check_widths(def)?;
        let back = session.direction.is_reverse();
        let sql = |e: rusqlite::Error| failed(&session.file, &e);
        let found = schema::find(&session.conn, name).map_err(|e| e.at(&session.file))?;
        let table = match found {
            true => Table {
                rescue: back && schema::is_rescue(&session.conn, name).map_err(sql)?,
                ..schema::table(&session.conn, def).map_err(sql)?
            },
            // A reverse can only bring back rows of a table that is not here.
            false => Table { rescue: back, ..schema::as_made(def) },
        };
        if !found {
            session.absent.insert(name.clone(), def.clone());
        }
        let table = Arc::new(table);
        session.tables.insert(name.clone(), (def.clone(), table.clone()));
        Ok(table)
    }

    fn place(&self) -> Option<String> {
        let path = std::fs::canonicalize(self.session.conn.path()?).ok()?;
        Some(printable(&format!("sqlite:{}", path.display())).into_owned())
    }

    fn acts(&self) -> bool {
        false
    }

    fn refuses(&mut self, ddl: &Statement) -> Result<()> {
        ddl::takes(ddl)
    }

    fn settled(&mut self, told: &Told, _: Option<&Point>) -> Result<bool> {
        let mut left = told.shows();
        for name in told.names().iter().filter(|name| !name.table.is_empty()) {
            let found = schema::columns(&self.session.conn, name)
                .map_err(|e| failed(&name.to_string(), &e))?;
            left &= found.iter().map(|(name, _)| &**name).eq(told.columns_left(name));
        }
        Ok(left)
    }

    fn settle(&mut self, _: &Told, next: &Point) -> Result<()> {
        let (session, claim) = (&mut self.session, &mut self.claim);
        let done =
            session.begin(claim, Mark::Step).and_then(|()| session.commit(claim, Some(next)));
        match done {
            Ok(()) => claim.seq = next.seq,
            Err(_) => session.rollback(),
        }
        session.tables.clear();
        session.absent.clear();
        done
    }

    fn exists(&mut self, name: &TableName) -> Result<bool> {
        let found = schema::find(&self.session.conn, name);
        found.map_err(|e| e.at(&self.session.file))
    }

    fn holds_keyless_rows(&mut self, name: &TableName) -> Result<bool> {
        let keyless = schema::is_keyless(&self.session.conn, name);
        if !self.exists(name)? || !keyless.map_err(|e| failed(&self.session.file, &e))? {
            return Ok(false);
        }
        let sql = format!("SELECT 1 FROM {} LIMIT 1", schema::quoted(name));
        let row = self.session.conn.query_row(&sql, (), |_| Ok(())).optional();
        row.map(|row| row.is_some()).map_err(|e| failed(&self.session.file, &e))
    }

    fn makes(&mut self, name: &TableName) -> Result<bool> {
        self.exists(name).map(|found| !found)
    }

    fn sessions(&mut self) -> Sessions<'_> {
        Sessions { claim: &mut self.claim, main: &mut self.session, lanes: &mut [] }
    }

    fn ddl(&mut self, ddl: &Statement, next: &Point) -> Result<()> {
        let (session, claim) = (&mut self.session, &mut self.claim);
        let done = session
            .begin(claim, Mark::Step)
            .and_then(|()| ddl::run(&session.conn, ddl).map_err(|e| e.at(ddl.told().place())))
            .and_then(|()| session.commit(claim, Some(next)));
        match done {
            Ok(()) => claim.seq = next.seq,
            Err(_) => session.rollback(),
        }
        session.tables.clear();
        session.absent.clear();
        done
    }
}

#[cfg(test)]
mod tests;
