//! The index file: a thin shell around SQLite, and the only file of the spool that names rusqlite.
//!
//! What is asked and written is in [`super::index_read`] and [`super::index_write`].

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};

use super::index_schema::{APPLICATION_ID, PAGE, TABLES, VERSION};
use crate::error::{Error, Result};

/// An open index.
#[derive(Debug)]
pub(super) struct Index {
    db: Connection,
}

/// A value to bind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Val<'a> {
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
    Null,
}

/// A number as SQLite keeps it. Sequences and offsets stay below 2^63; hashes come back bit for
/// bit.
pub(super) fn int(n: u64) -> Val<'static> {
    Val::Int(n as i64)
}

/// The same, or NULL.
pub(super) fn maybe_int(n: Option<u64>) -> Val<'static> {
    n.map_or(Val::Null, int)
}

/// Text, or NULL.
pub(super) fn maybe_text(text: Option<&str>) -> Val<'_> {
    text.map_or(Val::Null, Val::Text)
}

impl ToSql for Val<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Val::Int(n) => ValueRef::Integer(*n),
            Val::Text(text) => ValueRef::Text(text.as_bytes()),
            Val::Blob(bytes) => ValueRef::Blob(bytes),
            Val::Null => ValueRef::Null,
        }))
    }
}

/// One row of an answer.
pub(super) struct Row<'a>(&'a rusqlite::Row<'a>);

impl Row<'_> {
    /// A number.
    pub(super) fn int(&self, i: usize) -> Result<u64> {
        self.0.get::<_, i64>(i).map(|n| n as u64).map_err(failed)
    }

    /// A number or NULL.
    pub(super) fn maybe_int(&self, i: usize) -> Result<Option<u64>> {
        self.0.get::<_, Option<i64>>(i).map(|n| n.map(|n| n as u64)).map_err(failed)
    }

    /// A text.
    pub(super) fn text(&self, i: usize) -> Result<String> {
        self.0.get(i).map_err(failed)
    }

    /// A text or NULL.
    pub(super) fn maybe_text(&self, i: usize) -> Result<Option<String>> {
        self.0.get(i).map_err(failed)
    }

    /// Bytes or NULL.
    pub(super) fn maybe_blob(&self, i: usize) -> Result<Option<Vec<u8>>> {
        self.0.get(i).map_err(failed)
    }

    /// Bytes.
    pub(super) fn blob(&self, i: usize) -> Result<Vec<u8>> {
        self.0.get(i).map_err(failed)
    }
}

/// Path of the index in a spool.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("index.sqlite")
}

/// Deletes the index of a spool.
///
/// # Errors
/// When a file cannot be deleted.
pub(super) fn delete(dir: &Path) -> Result<()> {
    // The log first: SQLite would replay an old one into a new file.
    for name in ["index.sqlite-wal", "index.sqlite-shm", "index.sqlite"] {
        let file = dir.join(name);
        match fs::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::failed(format!("{}: {e}", file.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Index {
    /// Opens the index to write it, making it if there is none. `None`: it is of another version.
    ///
    /// # Errors
    /// When the file cannot be opened or is no index.
    pub(super) fn open(dir: &Path) -> Result<Option<Self>> {
        let db = Connection::open(path(dir)).map_err(failed)?;
        let index = Self::new(db)?;
        // Heeded by a new file only, before anything else is set.
        index.pragma("page_size", &PAGE.to_string())?;
        index.pragma("journal_mode", "WAL")?;
        // Derived data: consistent after a crash is enough, it is caught up at start.
        index.pragma("synchronous", "NORMAL")?;
        if index.number("PRAGMA schema_version")? == 0 {
            index.execute("BEGIN", &[])?;
            index.db.execute_batch(TABLES).map_err(failed)?;
            index.pragma("application_id", &APPLICATION_ID.to_string())?;
            index.pragma("user_version", &VERSION.to_string())?;
            index.execute("COMMIT", &[])?;
        }
        Ok(index.is_ours()?.then_some(index))
    }

    /// Opens the index to read it. `None`: there is none, or it is of another version.
    ///
    /// # Errors
    /// When the file cannot be opened or is no index.
    pub(super) fn open_read(dir: &Path) -> Result<Option<Self>> {
        let path = path(dir);
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let index = Self::new(Connection::open_with_flags(path, flags).map_err(failed)?)?;
        Ok(index.is_ours()?.then_some(index))
    }

    fn new(db: Connection) -> Result<Self> {
        db.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
        db.set_prepared_statement_cache_capacity(64);
        Ok(Self { db })
    }

    fn is_ours(&self) -> Result<bool> {
        Ok(self.number("PRAGMA application_id")? == APPLICATION_ID as u64
            && self.number("PRAGMA user_version")? == VERSION as u64)
    }

    fn pragma(&self, name: &str, value: &str) -> Result<()> {
        self.db.pragma_update(None, name, value).map_err(failed)
    }

    fn number(&self, sql: &str) -> Result<u64> {
        Ok(self.row(sql, &[], |row| row.int(0))?.unwrap_or_default())
    }

    /// Runs a statement.
    pub(super) fn execute(&self, sql: &str, values: &[Val<'_>]) -> Result<()> {
        let mut statement = self.db.prepare_cached(sql).map_err(failed)?;
        statement.execute(rusqlite::params_from_iter(values)).map(drop).map_err(failed)
    }

    /// All rows of an answer.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        values: &[Val<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.walk(sql, values, |row| {
            all.push(read(row)?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// The first row of an answer.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        values: &[Val<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut first = None;
        self.walk(sql, values, |row| {
            first = Some(read(row)?);
            Ok(false)
        })?;
        Ok(first)
    }

    /// Rows of an answer until `go_on` says no.
    pub(super) fn walk(
        &self,
        sql: &str,
        values: &[Val<'_>],
        mut go_on: impl FnMut(&Row<'_>) -> Result<bool>,
    ) -> Result<()> {
        let mut statement = self.db.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            if !go_on(&Row(row))? {
                break;
            }
        }
        Ok(())
    }
}

fn failed(e: rusqlite::Error) -> Error {
    Error::failed(format!("index.sqlite: {e}"))
        .help("the index is derived from the segments: binsync spool reindex builds it anew")
}
