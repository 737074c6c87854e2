//! A source's tables, copied from one moment whose place in its binlog is known.

use mysql::prelude::Queryable;
use mysql::{Conn, Value};

use crate::error::{Error, Result};
use crate::event::def::{Column, Kind, TableDef};
use crate::event::{BinlogPos, TableName};
use crate::mysql::connect::{PATIENT, connect, failed};
use crate::mysql::definitions;
use crate::mysql::position::{at, position};
use crate::mysql::server::Server;
use crate::sql::{Dialect, quote};

mod chunk;
pub(crate) mod keys;
mod log;
pub(crate) mod token;
mod wkt;

pub use chunk::{Chunk, Key};
pub use log::Did;

/// How long MySQL's tables are waited for, while others may wait for us.
const LOCK_SECONDS: u32 = 10;
/// Rows are handed on when they are so many, or have so many bytes.
const ROWS: usize = 500;
const BYTES: usize = 4 << 20;

/// A source, of which a moment is to be seen.
pub struct Base {
    conn: Conn,
    server: Server,
    version: String,
}

/// A table of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: TableName,
    /// Its engine.
    pub engine: String,
    /// A foreign key changes its rows when those of another table go or change.
    pub cascades: bool,
}

impl Base {
    /// Connects.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn open(server: &Server) -> Result<Self> {
        let at_base = |e: Error| e.at("base");
        let (mut conn, _) = connect(server, true).map_err(at_base)?;
        // What was read may wait for others.
        conn.query_drop(PATIENT).map_err(|e| failed("base", &e))?;
        let version: Option<String> =
            conn.query_first("SELECT VERSION()").map_err(|e| failed("base", &e))?;
        Ok(Self { conn, server: server.clone(), version: version.unwrap_or_default() })
    }

    /// The server's version, as it names itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its tables, without its own and the producer's.
    ///
    /// # Errors
    /// When the server does not tell; so for all questions below.
    pub fn tables(&mut self) -> Result<Vec<Found>> {
        let rows: Vec<(String, String, Option<String>, u64)> = self
            .conn
            .query(
                "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.ENGINE, (SELECT COUNT(*) FROM \
                 information_schema.REFERENTIAL_CONSTRAINTS r WHERE \
                 r.CONSTRAINT_SCHEMA=t.TABLE_SCHEMA AND r.TABLE_NAME=t.TABLE_NAME AND NOT \
                 (r.DELETE_RULE IN ('RESTRICT','NO ACTION') AND \
                 r.UPDATE_RULE IN ('RESTRICT','NO ACTION'))) FROM information_schema.TABLES t \
                 WHERE t.TABLE_TYPE='BASE TABLE' AND t.TABLE_SCHEMA NOT IN ('mysql', \
                 'information_schema','performance_schema','sys','binsync','maxwell') \
                 ORDER BY t.TABLE_SCHEMA, t.TABLE_NAME",
            )
            .map_err(|e| failed("base", &e))?;
        let found = |(database, table, engine, acting): (String, String, Option<String>, u64)| {
            let engine = engine.unwrap_or_default();
            Found { name: TableName::new(database, table), engine, cascades: acting > 0 }
        };
        Ok(rows.into_iter().map(found).collect())
    }

    /// A table's definition as the server has it now.
    ///
    /// # Errors
    /// When the server has no such table.
    pub fn definition(&mut self, name: &TableName) -> Result<TableDef> {
        let found = definitions::definitions(&mut self.conn, Some(name));
        let found = found.map_err(|e| failed("base", &e))?.pop();
        found.ok_or_else(|| Error::stopped(format!("base: {name} is not there any more")))
    }

    /// Begins to look at one moment of these tables; everything the binlog holds before the place
    /// returned is in what is seen of them, and nothing else.
    ///
    /// MariaDB tells the place that belongs to a snapshot. For MySQL these tables, and no others,
    /// are locked against writing while both are taken: whoever has written to them has committed
    /// by then.
    ///
    /// # Errors
    /// When the server has no binlog, or a table is being written to for too long.
    pub fn snapshot(&mut self, tables: &[TableName]) -> Result<BinlogPos> {
        self.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
        let place = match self.version.contains("MariaDB") {
            true => self.begin().and_then(|()| self.snapshot_status())?,
            false => {
                let mut lock = Self::open(&self.server)?;
                lock.lock(tables)?;
                self.begin()?;
                let place = position(&mut self.conn).map_err(|e| failed("base", &e))?;
                lock.run("UNLOCK TABLES")?;
                place
            }
        };
        place.ok_or_else(|| {
            Error::failed("base: the server writes no binlog, so what came since is not known")
                .help("name the server that is recorded")
        })
    }

    fn run(&mut self, sql: &str) -> Result<()> {
        self.conn.query_drop(sql).map_err(|e| failed("base", &e))
    }

    fn begin(&mut self) -> Result<()> {
        self.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    }

    fn lock(&mut self, tables: &[TableName]) -> Result<()> {
        self.run(&format!("SET SESSION lock_wait_timeout={LOCK_SECONDS}"))?;
        let list: Vec<String> = tables.iter().map(|name| quoted(name) + " READ").collect();
        self.conn.query_drop(format!("LOCK TABLES {}", list.join(", "))).map_err(|e| match &e {
            mysql::Error::MySqlError(m) if m.code == 1205 => Error::stopped(format!(
                "base: the tables are being written to by a transaction that has not ended \
                 within {LOCK_SECONDS} s"
            ))
            .help("run the same command again when it has"),
            _ => failed("base", &e),
        })
    }

    fn snapshot_status(&mut self) -> Result<Option<BinlogPos>> {
        let rows: Vec<(String, String)> = self
            .conn
            .query("SHOW STATUS LIKE 'binlog_snapshot_%'")
            .map_err(|e| failed("base", &e))?;
        let of = |name: &str| rows.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        let (file, offset) = (of("binlog_snapshot_file"), of("binlog_snapshot_position"));
        Ok(file.zip(offset).and_then(|((_, file), (_, offset))| at(file, offset.parse().ok()?)))
    }

    /// Tells what the binlog says from one place to before another; the server must have an event
    /// at `from`.
    ///
    /// # Errors
    /// When it has none there: it is another server, or the log is gone.
    pub fn read_log(
        &mut self,
        from: &BinlogPos,
        to: &BinlogPos,
        each: &mut dyn FnMut(&BinlogPos, Did<'_>) -> Result<()>,
    ) -> Result<()> {
        log::read(&mut self.conn, from, to, each)
    }

    /// True when the server still has this file of its binlog.
    ///
    /// # Errors
    /// When it does not let its log be read.
    pub fn has_log(&mut self, place: &BinlogPos) -> Result<bool> {
        let files: Vec<mysql::Row> =
            self.conn.query("SHOW BINARY LOGS").map_err(|e| failed("base: binlog", &e))?;
        let file = format!("{}.{:06}", place.base, place.file);
        Ok(files.iter().any(|row| row.get::<String, _>(0).is_some_and(|name| name == file)))
    }

    /// Reads a table's rows as they were at the moment, some at a time: for each column of `def`
    /// the producer's token.
    ///
    /// # Errors
    /// When the server refuses or a value is not of its type, and those of `each`.
    pub fn rows(
        &mut self,
        def: &TableDef,
        each: &mut dyn FnMut(&[Vec<String>]) -> Result<()>,
    ) -> Result<()> {
        let name = def.name();
        let place = || format!("base: {name}");
        let has_json = !self.version.contains("MariaDB");
        let columns: Vec<String> = def.columns.iter().map(expression).collect();
        let sql = format!("SELECT {} FROM {}", columns.join(","), quoted(&name));
        let result = self.conn.query_iter(sql).map_err(|e| failed(&place(), &e))?;
        let (mut some, mut bytes) = (Vec::new(), 0);
        for row in result {
            let values = row.map_err(|e| failed(&place(), &e))?.unwrap();
            let cells = def.columns.iter().zip(&values);
            let tokens: Result<Vec<String>> = cells
                .map(|(column, value)| token::token(column, has_json, as_bytes(value)?))
                .collect();
            let tokens = tokens.map_err(|e| e.at(place()))?;
            bytes += tokens.iter().map(String::len).sum::<usize>();
            some.push(tokens);
            if some.len() == ROWS || bytes >= BYTES {
                each(&some)?;
                some.clear();
                bytes = 0;
            }
        }
        each(&some)
    }
}

fn identifier(name: &str) -> String {
    let mut out = String::new();
    quote::identifier(&mut out, Dialect::Mysql, name);
    out
}

fn quoted(name: &TableName) -> String {
    let mut out = String::new();
    quote::table(&mut out, Dialect::Mysql, name);
    out
}

/// A FLOAT is printed with six digits, and holds more.
fn expression(column: &Column) -> String {
    let mut out = String::new();
    quote::identifier(&mut out, Dialect::Mysql, &column.name);
    if column.kind == Kind::Float {
        out.push_str("*1e0");
    }
    out
}

fn as_bytes(value: &Value) -> Result<Option<&[u8]>> {
    match value {
        Value::NULL => Ok(None),
        Value::Bytes(bytes) => Ok(Some(bytes)),
        other => Err(Error::failed(format!("a value that is no text: {other:?}"))),
    }
}
