//! The index file: a thin shell around SQLite, and the only file of the spool that names rusqlite.
//!
//! What is asked and written is in [`super::read`] and [`super::write`].

use std::cell::RefCell;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use rusqlite::types::Value;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, Transaction};
use xxhash_rust::xxh3::Xxh3;

use super::schema::{APPLICATION_ID, KEYS, PAGE, TABLES, VERSION};
use crate::error::{Context, Error, ErrorKind, Means, Result};
use crate::spool::store::files;
use crate::spool::store::segment::Decoder;

/// How long a lock of another process on the index is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The files of an index. The log comes first: SQLite would replay an old one into a new file.
const FILES: [&str; 3] = ["index.sqlite-wal", "index.sqlite-shm", "index.sqlite"];

/// An open index.
pub(crate) struct Index {
    db: Connection,
    /// For what is compressed in it: made once, used for each row.
    decoder: RefCell<Decoder>,
}

/// See [`Index::view`].
pub(crate) struct View<'a>(#[expect(dead_code, reason = "ends when dropped")] Transaction<'a>);

/// A value to bind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Val<'a> {
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
    Null,
}

/// A number as SQLite keeps it. Sequences and offsets stay below 2^63; hashes come back bit for
/// bit.
pub(crate) fn int(n: u64) -> Val<'static> {
    Val::Int(n as i64)
}

/// The same, or NULL.
pub(crate) fn maybe_int(n: Option<u64>) -> Val<'static> {
    n.map_or(Val::Null, int)
}

/// Text, or NULL.
pub(crate) fn maybe_text(text: Option<&str>) -> Val<'_> {
    text.map_or(Val::Null, Val::Text)
}

impl Val<'_> {
    fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Val::Int(n) => ValueRef::Integer(*n),
            Val::Text(text) => ValueRef::Text(text.as_bytes()),
            Val::Blob(bytes) => ValueRef::Blob(bytes),
            Val::Null => ValueRef::Null,
        }
    }
}

impl<'a> From<&'a Value> for Val<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Integer(n) => Val::Int(*n),
            Value::Text(text) => Val::Text(text),
            Value::Blob(bytes) => Val::Blob(bytes),
            // The index has no column of REAL.
            Value::Null | Value::Real(_) => Val::Null,
        }
    }
}

impl ToSql for Val<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.as_ref()))
    }
}

/// The checksum of a row: SQLite keeps none, and a flipped bit in a number is a number.
fn sum<'a>(values: impl Iterator<Item = ValueRef<'a>>) -> i64 {
    let mut hash = Xxh3::new();
    let mut add = |kind: u8, bytes: &[u8]| {
        hash.update(&[kind]);
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for value in values {
        match value {
            ValueRef::Null => add(0, &[]),
            ValueRef::Integer(n) => add(1, &n.to_le_bytes()),
            ValueRef::Real(x) => add(2, &x.to_bits().to_le_bytes()),
            ValueRef::Text(text) => add(3, text),
            ValueRef::Blob(bytes) => add(4, bytes),
        }
    }
    hash.digest() as i64
}

/// One row of an answer.
pub(crate) struct Row<'a>(&'a rusqlite::Row<'a>);

impl Row<'_> {
    /// Refuses a row that is not as it was [put](Index::put); all its columns are asked for.
    fn check(&self, table: &str) -> Result<()> {
        let columns = self.0.as_ref().column_count();
        let value = |i| self.0.get_ref(i).map_err(failed);
        let values: Vec<ValueRef<'_>> = (0..columns - 1).map(value).collect::<Result<_>>()?;
        match value(columns - 1)? {
            ValueRef::Integer(kept) if kept == sum(values.into_iter()) => Ok(()),
            _ => Err(damaged(format_args!("a row of {table} is not as it was written"))),
        }
    }

    /// All its values.
    pub(crate) fn all(&self) -> Result<Vec<Value>> {
        (0..self.0.as_ref().column_count()).map(|i| self.0.get(i).map_err(failed)).collect()
    }

    /// A number.
    pub(crate) fn int(&self, i: usize) -> Result<u64> {
        self.0.get::<_, i64>(i).map(|n| n as u64).map_err(failed)
    }

    /// A number or NULL.
    pub(crate) fn maybe_int(&self, i: usize) -> Result<Option<u64>> {
        self.0.get::<_, Option<i64>>(i).map(|n| n.map(|n| n as u64)).map_err(failed)
    }

    /// A text.
    pub(crate) fn text(&self, i: usize) -> Result<String> {
        self.0.get(i).map_err(failed)
    }

    /// A text or NULL.
    pub(crate) fn maybe_text(&self, i: usize) -> Result<Option<String>> {
        self.0.get(i).map_err(failed)
    }

    /// Bytes.
    pub(crate) fn blob(&self, i: usize) -> Result<Vec<u8>> {
        self.0.get(i).map_err(failed)
    }
}

/// Path of the index in a spool.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("index.sqlite")
}

/// Deletes the index of a spool.
///
/// # Errors
/// When a file cannot be deleted.
pub(crate) fn delete(dir: &Path) -> Result<()> {
    for name in FILES {
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
    pub(crate) fn open(dir: &Path) -> Result<Option<Self>> {
        let path = checked(dir)?;
        // SQLite gives the files beside it the mode of this one.
        files::open_or_make(&path).map_err(|e| files::refused(&e, &path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | FLAGS;
        let index = Self::new(Connection::open_with_flags(path, flags).map_err(failed)?)?;
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
    pub(crate) fn open_read(dir: &Path) -> Result<Option<Self>> {
        if path(dir).symlink_metadata().is_err() {
            return Ok(None);
        }
        let path = checked(dir)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | FLAGS;
        let opened = Self::new(Connection::open_with_flags(&path, flags).map_err(failed)?)
            .and_then(|index| Ok(index.is_ours()?.then_some(index)));
        match opened {
            // Where nothing can be made beside it, SQLite reads a file only if told that nobody
            // writes it. So it is, without a log.
            Err(_) if !files::is_writable(dir) && !has_log(dir) => {
                let flags = flags | OpenFlags::SQLITE_OPEN_URI;
                let index = Connection::open_with_flags(unchanging(&path), flags);
                let index = Self::new(index.map_err(failed)?)?;
                Ok(index.is_ours()?.then_some(index))
            }
            other => other,
        }
    }

    /// Copies an index to another folder, for whom that of the spool takes no writes.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
        for name in FILES {
            let (from, to) = (from.join(name), to.join(name));
            if name.ends_with("-shm") || from.symlink_metadata().is_err() {
                continue;
            }
            let mut new = files::make(&to)?;
            std::io::copy(&mut files::read(&from)?, &mut new).context(to.display())?;
        }
        Ok(())
    }

    /// What SQLite itself finds wrong with the file.
    pub(crate) fn check(&self) -> Result<Vec<String>> {
        let found = self.rows("PRAGMA integrity_check(20)", &[], |row| row.text(0))?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    /// Where this index and another one differ: the first such row of each table.
    pub(crate) fn differences(&self, other: &Self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for (table, key) in KEYS {
            let sql = format!("SELECT * FROM {table} ORDER BY {key}");
            let mut ours = self.db.prepare(&sql).map_err(failed)?;
            let mut theirs = other.db.prepare(&sql).map_err(failed)?;
            let (mut ours, mut theirs) =
                (ours.query([]).map_err(failed)?, theirs.query([]).map_err(failed)?);
            for number in 1.. {
                let (a, b) = (next_row(&mut ours)?, next_row(&mut theirs)?);
                if a != b {
                    all.push(format!("{table}: row {number} is not what the segments say"));
                    break;
                }
                if a.is_none() {
                    break;
                }
            }
        }
        Ok(all)
    }

    /// One view of the index for several questions, until it is dropped.
    pub(crate) fn view(&self) -> Result<View<'_>> {
        self.db.unchecked_transaction().map(View).map_err(failed)
    }

    /// Puts a row into a table, its checksum behind it; one of the same key is replaced.
    pub(crate) fn put(&self, table: &str, values: &[Val<'_>]) -> Result<()> {
        let marks = "?, ".repeat(values.len());
        let sum = Val::Int(sum(values.iter().map(|value| value.as_ref())));
        let all: Vec<Val<'_>> = values.iter().copied().chain([sum]).collect();
        self.execute(&format!("INSERT OR REPLACE INTO {table} VALUES({marks}?)"), &all)
    }

    fn new(db: Connection) -> Result<Self> {
        db.busy_timeout(PATIENCE).map_err(failed)?;
        db.set_prepared_statement_cache_capacity(64);
        Ok(Self { db, decoder: RefCell::new(Decoder::new()?) })
    }

    fn is_ours(&self) -> Result<bool> {
        Ok(self.number("PRAGMA application_id")? == APPLICATION_ID as u64
            && self.number("PRAGMA user_version")? == VERSION as u64)
    }

    fn pragma(&self, name: &str, value: &str) -> Result<()> {
        self.db.pragma_update(None, name, value).map_err(failed)
    }

    pub(crate) fn number(&self, sql: &str) -> Result<u64> {
        Ok(self.row(sql, &[], |row| row.int(0))?.unwrap_or_default())
    }

    /// What a blob holds that was [compressed](crate::spool::store::segment::compress).
    pub(crate) fn unpack(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.decoder.borrow_mut().unpack(bytes)
    }

    /// Rows of a table that were [put](Index::put), checked; `rest` is what follows FROM and the
    /// table's name.
    pub(crate) fn checked<T>(
        &self,
        table: &str,
        rest: &str,
        values: &[Val<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        self.walk_checked(table, rest, values, |row| {
            all.push(read(row)?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// The same, until `go_on` says no.
    pub(crate) fn walk_checked(
        &self,
        table: &str,
        rest: &str,
        values: &[Val<'_>],
        mut go_on: impl FnMut(&Row<'_>) -> Result<bool>,
    ) -> Result<()> {
        self.walk(&format!("SELECT * FROM {table} {rest}"), values, |row| {
            row.check(table)?;
            go_on(row)
        })
    }

    /// Runs a statement.
    pub(crate) fn execute(&self, sql: &str, values: &[Val<'_>]) -> Result<()> {
        let mut statement = self.db.prepare_cached(sql).map_err(failed)?;
        statement.execute(rusqlite::params_from_iter(values)).map(drop).map_err(failed)
    }

    /// All rows of an answer.
    pub(crate) fn rows<T>(
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
    pub(crate) fn row<T>(
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
    pub(crate) fn walk(
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
    match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(
            ErrorKind::Retry,
            format!("index.sqlite: another process has locked it for {} s", PATIENCE.as_secs()),
        )
        .help("end whatever holds it, an sqlite3 for instance, then run the command again"),
        // A reader may not write only what a kill in the middle of a deletion has left.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ReadOnly) | None => {
            damaged(e)
        }
        Some(_) => Error::failed(format!("index.sqlite: {e}")),
    }
}

/// The error of an index that is not as it was written.
pub(crate) fn damaged(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Damaged, format!("index.sqlite is damaged: {what}"))
        .help(("it is derived from the segments: {} builds it anew", [Means::SpoolReindex]))
}

/// Keys of `meta` that are about the moment, and no answer of the segments alone: a torn end, …
pub(crate) const TORN: &str = "torn";
/// … and how far an earlier index knew the spool.
pub(crate) const PAST: [&str; 2] = ["past_next", "past_captured"];

/// The next row that the segments alone decide.
fn next_row(rows: &mut rusqlite::Rows<'_>) -> Result<Option<Vec<Value>>> {
    while let Some(row) = rows.next().map_err(failed)? {
        let all = Row(row).all()?;
        if !matches!(all.first(), Some(Value::Text(key)) if key == TORN || PAST.contains(&key.as_str()))
        {
            return Ok(Some(all));
        }
    }
    Ok(None)
}

/// Without a name in the way that is a link.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX.union(OpenFlags::SQLITE_OPEN_NOFOLLOW);

/// The index's path, none of its files being anything but a file. SQLite takes no link anywhere in
/// it, but the spool's folder may be reached by one.
fn checked(dir: &Path) -> Result<PathBuf> {
    FILES.iter().try_for_each(|name| files::check(&dir.join(name)))?;
    Ok(path(&dir.canonicalize().context(dir.display())?))
}

fn has_log(dir: &Path) -> bool {
    dir.join(FILES[0]).metadata().is_ok_and(|log| log.len() > 0)
}

/// The name under which SQLite opens a file that nobody writes.
fn unchanging(path: &Path) -> String {
    let byte = |b: &u8| match b {
        b'/' | b'.' | b'-' | b'_' => char::from(*b).to_string(),
        b if b.is_ascii_alphanumeric() => char::from(*b).to_string(),
        b => format!("%{b:02X}"),
    };
    let path: String = path.as_os_str().as_bytes().iter().map(byte).collect();
    format!("file:{path}?immutable=1")
}
