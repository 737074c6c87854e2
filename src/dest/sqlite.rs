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
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::Claim;
use crate::error::Result;
use crate::event::{Direction, TableName, printable};

mod catalog;
mod convert;
mod copy;
mod ddl;
mod fault;
mod ledger;
mod schema;
pub mod script;
mod session;
mod value;

pub use copy::Copy;
use fault::failed;
use session::SqliteSession;
use value::spelled;

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

#[cfg(test)]
mod tests;
