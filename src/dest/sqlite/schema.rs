//! The tables of an SQLite target: their names, columns and types, and the progress kept there.

use rusqlite::{Connection, OptionalExtension, Result as Sql};

use super::super::{Point, Run, Standing, first_epoch, same_run};
use super::fault::failed;
use super::value::stored;
use crate::error::{Error, Means, Result};
use crate::event::def::{Column, Kind, TableDef};
use crate::event::landmark::Landmark;
use crate::event::typed;
use crate::event::{TableName, printable};
use crate::plan::Table;
use crate::sql::{Dialect, quote};

/// `binsync_tables` tells which source table a table is: `a.b` and `c`, or `a` and `b.c`; and
/// whether a reverse has made it, so that it holds recovered rows and nothing else.
const OWN: &str = "\
    CREATE TABLE IF NOT EXISTS binsync_progress (name TEXT PRIMARY KEY, spool TEXT NOT NULL, \
    direction TEXT NOT NULL, selection TEXT NOT NULL, epoch INTEGER NOT NULL, \
    seq INTEGER NOT NULL, last_seq INTEGER, last_hash INTEGER, last_position TEXT, \
    skipped INTEGER NOT NULL DEFAULT 0);\
    CREATE TABLE IF NOT EXISTS binsync_tables (name TEXT PRIMARY KEY COLLATE NOCASE, \
    database_name TEXT NOT NULL, table_name TEXT NOT NULL, rescue INTEGER NOT NULL DEFAULT 0)";

/// What a version before this one did not keep, and how it is added.
const ADDED: [(&str, &str); 2] = [
    (
        LAST,
        "ALTER TABLE binsync_progress ADD COLUMN last_seq INTEGER;\
         ALTER TABLE binsync_progress ADD COLUMN last_hash INTEGER;\
         ALTER TABLE binsync_progress ADD COLUMN last_position TEXT",
    ),
    (SKIPPED, "ALTER TABLE binsync_progress ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0"),
];
const LAST: &str = "last_hash";
const SKIPPED: &str = "skipped";

/// A landmark as its columns; SQLite's numbers have a sign, a hash keeps its bits.
pub(super) fn last(last: Option<&Landmark>) -> Result<(Option<i64>, Option<i64>, Option<&str>)> {
    let seq = last.map(|last| stored(last.seq)).transpose()?;
    let hash = last.map(|last| last.hash.cast_signed());
    Ok((seq, hash, last.map(|last| &*last.position)))
}

/// Claims a progress row: takes the next epoch and returns it with where the run stands.
///
/// # Errors
/// When the name belongs to another run (usage), or SQLite refuses.
pub(super) fn claim(
    conn: &Connection,
    file: &str,
    run: &Run,
    first: &Point,
) -> Result<(u64, Standing)> {
    let sql = |e: rusqlite::Error| failed(file, &e);
    conn.execute_batch(OWN).map_err(sql)?;
    for (column, add) in ADDED {
        if !keeps(conn, column).map_err(sql)? {
            conn.execute_batch(add).map_err(sql)?;
        }
    }
    let (seq, hash, position) = last(first.last.as_ref())?;
    conn.execute(
        "INSERT OR IGNORE INTO binsync_progress (name, spool, direction, selection, epoch, seq, \
         last_seq, last_hash, last_position) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
        (
            &run.name,
            &run.spool,
            run.direction.name(),
            &run.selection,
            stored(first_epoch())?,
            stored(first.seq)?,
            seq,
            hash,
            position,
        ),
    )
    .map_err(sql)?;
    let vanished = || Error::failed(format!("{file}: the progress row vanished"));
    let standing = standing(conn, file, run)?.ok_or_else(vanished)?;
    let epoch: i64 = conn
        .query_row(
            "UPDATE binsync_progress SET epoch=epoch+1, selection=?2 WHERE name=?1 RETURNING epoch",
            (&run.name, &run.selection),
            |row| row.get(0),
        )
        .map_err(sql)?;
    Ok((epoch.unsigned_abs(), standing))
}

/// Where a run stands; `None` when the file knows nothing of it.
///
/// # Errors
/// When the name belongs to another run (usage), or SQLite refuses.
pub(super) fn standing(conn: &Connection, file: &str, run: &Run) -> Result<Option<Standing>> {
    let sql = |e: rusqlite::Error| failed(file, &e);
    if !has(conn, "binsync_progress").map_err(sql)? {
        return Ok(None);
    }
    let known: Option<(String, String, String, i64)> = conn
        .query_row(
            "SELECT spool, direction, selection, seq FROM binsync_progress WHERE name=?1",
            (&run.name,),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()
        .map_err(sql)?;
    let Some((spool, known, selection, seq)) = known else { return Ok(None) };
    same_run(run, &spool, &known, &selection).map_err(|e| e.at(file))?;
    let last = match keeps(conn, LAST).map_err(sql)? {
        true => kept_last(conn, run).map_err(sql)?,
        false => None,
    };
    let skipped = match keeps(conn, SKIPPED).map_err(sql)? {
        true => has_skipped(conn, run).map_err(sql)?,
        false => false,
    };
    Ok(Some(Standing { seq: seq.unsigned_abs(), last, skipped, ..Standing::default() }))
}

/// All runs that the file knows, by name, each with where it stands.
///
/// # Errors
/// When SQLite refuses.
pub(super) fn runs(conn: &Connection, file: &str) -> Result<Vec<(Run, Standing)>> {
    let rows = || -> Sql<Vec<(String, String, String, String)>> {
        if !has(conn, "binsync_progress")? {
            return Ok(Vec::new());
        }
        conn.prepare(
            "SELECT name, spool, direction, selection FROM binsync_progress ORDER BY name",
        )?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect()
    };
    let mut runs = Vec::new();
    for row in rows().map_err(|e| failed(file, &e))? {
        let run = Run::kept(row).map_err(|e| e.at(file))?;
        runs.extend(standing(conn, file, &run)?.map(|standing| (run, standing)));
    }
    Ok(runs)
}

/// Removes a run; false when there is none.
pub(super) fn remove(conn: &Connection, name: &str) -> Sql<bool> {
    if !has(conn, "binsync_progress")? {
        return Ok(false);
    }
    conn.execute("DELETE FROM binsync_progress WHERE name=?1", (name,)).map(|rows| rows > 0)
}

/// True when the progress keeps what an older version's does not.
fn keeps(conn: &Connection, column: &str) -> Sql<bool> {
    conn.column_exists(None, "binsync_progress", column)
}

/// Whether a run has passed changes over.
fn has_skipped(conn: &Connection, run: &Run) -> Sql<bool> {
    let sql = "SELECT skipped FROM binsync_progress WHERE name=?1";
    conn.query_row(sql, (&run.name,), |row| row.get(0))
}

fn kept_last(conn: &Connection, run: &Run) -> Sql<Option<Landmark>> {
    conn.query_row(
        "SELECT last_seq, last_hash, last_position FROM binsync_progress WHERE name=?1",
        (&run.name,),
        |row| {
            let (seq, hash): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
            let position: Option<String> = row.get(2)?;
            Ok(seq.zip(hash).map(|(seq, hash)| Landmark {
                seq: seq.unsigned_abs(),
                hash: hash.cast_unsigned(),
                position: position.unwrap_or_default(),
            }))
        },
    )
}

/// True when a table has neither a primary key nor a unique index.
pub(super) fn is_keyless(conn: &Connection, name: &TableName) -> Sql<bool> {
    conn.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE pk > 0) AND NOT EXISTS \
         (SELECT 1 FROM pragma_index_list(?1) WHERE \"unique\")",
        (sqlite_name(name),),
        |row| row.get(0),
    )
}

/// What a table is called here.
pub(super) fn sqlite_name(name: &TableName) -> String {
    format!("{}.{}", name.database, name.table)
}

/// A quoted table name.
pub(super) fn quoted(name: &TableName) -> String {
    let mut out = String::new();
    quote::table(&mut out, Dialect::Sqlite, name);
    out
}

/// A quoted column name.
pub(super) fn column_name(name: &str) -> String {
    let mut out = String::new();
    quote::identifier(&mut out, Dialect::Sqlite, name);
    out
}

fn has(conn: &Connection, table: &str) -> Sql<bool> {
    let sql = "SELECT 1 FROM sqlite_master WHERE type='table' AND name=?1";
    conn.prepare_cached(sql)?.exists((table,))
}

/// Which source table a table here is, names compared as SQLite compares them.
fn owner(conn: &Connection, table: &str) -> Sql<Option<TableName>> {
    if !has(conn, "binsync_tables")? {
        return Ok(None);
    }
    conn.prepare_cached(
        "SELECT database_name, table_name FROM binsync_tables WHERE name=?1 COLLATE NOCASE",
    )?
    .query_row((table,), |row| {
        Ok(TableName::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })
    .optional()
}

/// True when the file has this table.
///
/// # Errors
/// When its name stands for another table here: SQLite folds the case of names, and `a.b` with
/// `c` looks like `a` with `b.c`.
pub(super) fn find(conn: &Connection, name: &TableName) -> Result<bool> {
    let wanted = sqlite_name(name);
    let sql = |e: rusqlite::Error| failed(&name.to_string(), &e);
    if let Some(other) = owner(conn, &wanted).map_err(sql)?
        && other != *name
    {
        return Err(same_name(name, &source_name(&other)));
    }
    let found: Option<String> = conn
        .query_row(
            "SELECT name FROM sqlite_master WHERE type IN ('table','view') AND \
             name=?1 COLLATE NOCASE",
            (&wanted,),
            |row| row.get(0),
        )
        .optional()
        .map_err(sql)?;
    match found {
        None => Ok(false),
        Some(found) if found == wanted => Ok(true),
        Some(found) => Err(same_name(name, &found)),
    }
}

fn source_name(name: &TableName) -> String {
    let mut out = String::new();
    quote::table(&mut out, Dialect::Mysql, name);
    out
}

fn same_name(name: &TableName, other: &str) -> Error {
    Error::stopped(format!(
        "{} and {}: SQLite takes these two names for the same",
        printable(&source_name(name)),
        printable(other)
    ))
    .help("apply them to two files, leaving one of them out with " + Means::ExcludeTable)
}

/// Says which source table the table of that name is.
pub(super) fn own(conn: &Connection, name: &TableName) -> Sql<()> {
    conn.execute(
        "INSERT OR REPLACE INTO binsync_tables VALUES (?1,?2,?3,0)",
        (sqlite_name(name), &name.database, &name.table),
    )
    .map(|_| ())
}

/// Notes that a table takes recovered rows.
pub(super) fn set_rescue(conn: &Connection, name: &TableName) -> Sql<()> {
    conn.execute("UPDATE binsync_tables SET rescue=1 WHERE name=?1", (sqlite_name(name),))
        .map(|_| ())
}

/// True for a table that takes recovered rows.
pub(super) fn is_rescue(conn: &Connection, name: &TableName) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM binsync_tables WHERE name=?1 AND rescue=1")?
        .exists((sqlite_name(name),))
}

/// Forgets a table that is gone or has another name.
pub(super) fn disown(conn: &Connection, name: &TableName) -> Sql<()> {
    conn.execute("DELETE FROM binsync_tables WHERE name=?1", (sqlite_name(name),)).map(|_| ())
}

/// The tables of a database that are here.
pub(super) fn of_database(conn: &Connection, database: &str) -> Sql<Vec<TableName>> {
    conn.prepare("SELECT table_name FROM binsync_tables WHERE database_name=?1")?
        .query_map((database,), |row| Ok(TableName::new(database, row.get::<_, String>(0)?)))?
        .collect()
}

/// Makes a table from its definition.
///
/// # Errors
/// When its name stands for another table, or SQLite refuses.
pub(super) fn create(conn: &Connection, def: &TableDef) -> Result<()> {
    let name = def.name();
    check_widths(def)?;
    find(conn, &name)?;
    conn.execute_batch(&create_sql(def, &quoted(&name)))
        .and_then(|()| own(conn, &name))
        .map_err(|e| failed(&name.to_string(), &e))
}

/// The statement that makes a table called `name` (quoted).
pub(super) fn create_sql(def: &TableDef, name: &str) -> String {
    let columns = def.columns.iter().map(|c| {
        let name = column_name(&c.name);
        match column_type(c) {
            "" => name,
            kind => format!("{name} {kind}"),
        }
    });
    let mut parts: Vec<String> = columns.collect();
    let key: Option<Vec<String>> =
        def.primary_key.iter().map(|k| def.column(k).map(|c| column_name(&c.name))).collect();
    if let Some(key) = key.filter(|k| !k.is_empty()) {
        parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    format!("CREATE TABLE {name} ({})", parts.join(", "))
}

/// The type that keeps each value as it is written. Where a number may stand as text, the column
/// has no numeric affinity: that would turn large ones into floats and `00042` into 42.
pub(super) fn column_type(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer if column.zerofill.is_some() => "TEXT",
        Kind::Integer if column.unsigned && column.type_name == "bigint" => "TEXT",
        Kind::Integer => "INTEGER",
        Kind::Bit | Kind::Year | Kind::Unknown => "",
        Kind::Binary => "BLOB",
        Kind::Decimal
        | Kind::Float
        | Kind::Double
        | Kind::Text
        | Kind::Enum
        | Kind::Set
        | Kind::Json
        | Kind::JsonOrText
        | Kind::Temporal
        | Kind::Geometry => "TEXT",
    }
}

/// Refuses BINARY(n) of unknown n: the producer cuts trailing zero bytes, and only n says how many.
pub(super) fn check_widths(def: &TableDef) -> Result<()> {
    let unknown = |c: &&Column| c.type_name == "binary" && c.binary_width.is_none();
    match def.columns.iter().find(unknown) {
        None => Ok(()),
        Some(column) => Err(Error::stopped(format!(
            "{}: how many bytes the BINARY column {:?} holds is not known",
            def.name(),
            column.name
        ))
        .help(("store the source's definitions with: {} URL", [Means::SchemaAdd]))),
    }
}

/// Columns with their places in the primary key (0: not in it).
pub(super) fn columns(conn: &Connection, name: &TableName) -> Sql<Vec<(String, u32)>> {
    conn.prepare_cached("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid")?
        .query_map((sqlite_name(name),), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The table as [`create`] will make it.
pub(super) fn as_made(def: &TableDef) -> Table {
    let mut table = Table::from_def(def);
    table.fills = false;
    for column in &mut table.columns {
        column.generated = false;
    }
    let key = def
        .primary_key
        .iter()
        .map(|k| def.columns.iter().position(|c| typed::same_name(&c.name, k)));
    table.key = key.collect::<Option<_>>().unwrap_or_default();
    table.uniques = vec![table.key.clone()];
    table
}

/// The table as the file has it: those of the source's columns that are here, and its own key.
pub(super) fn table(conn: &Connection, def: &TableDef) -> Sql<Table> {
    let found = columns(conn, &def.name())?;
    let mut table = as_made(def);
    table.columns.retain(|c| found.iter().any(|(name, _)| typed::same_name(name, &c.name)));
    let mut key: Vec<_> = found.iter().filter(|(_, place)| *place > 0).collect();
    key.sort_by_key(|(_, place)| *place);
    let key = key
        .into_iter()
        .map(|(name, _)| table.columns.iter().position(|c| typed::same_name(&c.name, name)));
    table.key = key.collect::<Option<_>>().unwrap_or_default();
    table.uniques = vec![table.key.clone()];
    Ok(table)
}
