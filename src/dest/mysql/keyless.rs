//! Many deletes in a table without a key: two scans of the table, however many there are.
//!
//! The images go into a temporary table made of the table's own columns. Rows of the table are
//! joined with it by a hash of the values, then by the values themselves; all rows equal to an
//! image are deleted, and those beyond the wanted number are put back: equal rows are the same row.

use std::collections::HashMap;
use std::sync::Arc;

use mysql::Conn;
use mysql::prelude::Queryable;

use crate::dest::mismatch;
use crate::error::{Error, ErrorKind, Result};
use crate::event::TableName;
use crate::event::def::{Column, Kind};
use crate::event::row::Value;
use crate::mysql::connect::failed;
use crate::plan::op::{Act, RowOp};
use crate::plan::{Image, Table};
use crate::sql::{Dialect, quote};

/// So many deletes are worth a temporary table.
pub(super) const FROM: usize = 8;
/// Bytes of one statement that fills it.
const STATEMENT_BYTES: usize = 512 << 10;

/// The temporary table's name: beside the table, so that no other database has to be there.
fn wanted(table: &Table) -> String {
    let mut sql = String::new();
    let name = TableName::new(&*table.name.database, "binsync_wanted");
    quote::table(&mut sql, Dialect::Mysql, &name);
    sql
}

fn is_delete(op: &RowOp<'_, '_>) -> bool {
    // A column that no image holds could not be put back.
    !op.table.has_key() && op.table.target_only.is_empty() && matches!(op.act, Act::Delete(_))
}

/// True when two changes that follow one another are both such deletes of one table, or neither is.
pub(super) fn joins(a: &RowOp<'_, '_>, b: &RowOp<'_, '_>) -> bool {
    is_delete(a) == is_delete(b) && (!is_delete(a) || Arc::ptr_eq(a.table, b.table))
}

/// True when these changes are best deleted together.
pub(super) fn takes(ops: &[RowOp<'_, '_>]) -> bool {
    ops.len() >= FROM && is_delete(&ops[0]) && !ops[0].any
}

/// Asks whether the table has its rows, `times` of each image.
///
/// # Errors
/// A conflict when it has fewer of an image.
pub(super) fn look(conn: &mut Conn, ops: &[RowOp<'_, '_>]) -> Result<()> {
    let table = ops[0].table;
    let ops = &together(ops);
    let place = format!("{} (message {}): DELETE", table.name, ops[0].seq);
    fill_wanted(conn, table, ops, &place)?;
    enough(ops, &count(conn, table, &place)?)?;
    run(conn, &place, &format!("DROP TEMPORARY TABLE {}", wanted(table)))
}

/// Deletes the rows of one table, `times` of each image.
///
/// # Errors
/// When the table has fewer of an image.
pub(super) fn delete(conn: &mut Conn, ops: &[RowOp<'_, '_>]) -> Result<u64> {
    let table = ops[0].table;
    let ops = &together(ops);
    let place = format!("{} (message {}): DELETE", table.name, ops[0].seq);
    let filled = fill_wanted(conn, table, ops, &place)?;
    let found = count(conn, table, &place)?;
    enough(ops, &found)?;
    let (own, wanted, equal) = (name(table), wanted(table), is(table));
    run(conn, &place, &format!("DELETE {own} FROM {own} STRAIGHT_JOIN {wanted} w ON {equal}"))?;
    if conn.affected_rows() != found.values().sum::<u64>() {
        return Err(Error::new(ErrorKind::Retry, format!("{place}: the table is being changed")));
    }
    let columns = columns(table, "");
    for (n, op) in ops.iter().enumerate() {
        for _ in op.times..found[&n] {
            let back = format!("SELECT {columns} FROM {wanted} WHERE binsync_n={n}");
            run(conn, &place, &format!("INSERT INTO {own} ({columns}) {back}"))?;
        }
    }
    run(conn, &place, &format!("DROP TEMPORARY TABLE {wanted}"))?;
    Ok(filled + 2)
}

fn run(conn: &mut Conn, place: &str, sql: &str) -> Result<()> {
    conn.query_drop(sql).map_err(|e| failed(place, &e))
}

/// Makes the temporary table and puts the images into it.
fn fill_wanted(conn: &mut Conn, table: &Table, ops: &[RowOp<'_, '_>], place: &str) -> Result<u64> {
    let wanted = wanted(table);
    run(conn, place, &format!("DROP TEMPORARY TABLE IF EXISTS {wanted}"))?;
    run(conn, place, &create(table))?;
    let filled = fill(conn, table, ops)?;
    run(conn, place, &format!("UPDATE {wanted} SET binsync_hash={}", hash(table, "")))?;
    Ok(filled)
}

/// Refuses when the table has too few rows of an image.
fn enough(ops: &[RowOp<'_, '_>], found: &HashMap<usize, u64>) -> Result<()> {
    for (n, op) in ops.iter().enumerate() {
        let has = found.get(&n).copied().unwrap_or(0);
        if has < op.times {
            let place = format!("{} (message {}): DELETE", op.table.name, op.seq);
            return Err(mismatch(&place, has, op.times));
        }
    }
    Ok(())
}

/// One delete for each image, of as many rows as all deletes of it.
fn together<'b, 'a>(ops: &[RowOp<'b, 'a>]) -> Vec<RowOp<'b, 'a>> {
    let mut all: Vec<RowOp<'b, 'a>> = Vec::with_capacity(ops.len());
    let mut at: HashMap<&Image<'a>, usize> = HashMap::with_capacity(ops.len());
    for op in ops {
        let i = *at.entry(op.act.found_by()).or_insert(all.len());
        match all.get_mut(i) {
            Some(same) => same.times += op.times,
            None => all.push(*op),
        }
    }
    all
}

fn name(table: &Table) -> String {
    let mut sql = String::new();
    quote::table(&mut sql, Dialect::Mysql, &table.name);
    sql
}

fn stored(table: &Table) -> impl Iterator<Item = (usize, &Column)> {
    table.columns.iter().enumerate().filter(|(_, column)| !column.generated)
}

fn identifier(column: &Column) -> String {
    let mut sql = String::new();
    quote::identifier(&mut sql, Dialect::Mysql, &column.name);
    sql
}

fn columns(table: &Table, prefix: &str) -> String {
    let names: Vec<String> =
        stored(table).map(|(_, column)| format!("{prefix}{}", identifier(column))).collect();
    names.join(",")
}

fn create(table: &Table) -> String {
    format!(
        "CREATE TEMPORARY TABLE {} (binsync_n BIGINT PRIMARY KEY, binsync_hash BIGINT, INDEX \
         (binsync_hash)) ENGINE=InnoDB SELECT 0 AS binsync_n, 0 AS binsync_hash, {} FROM {} LIMIT 0",
        wanted(table),
        columns(table, ""),
        name(table)
    )
}

fn fill(conn: &mut Conn, table: &Table, ops: &[RowOp<'_, '_>]) -> Result<u64> {
    let (mut sent, mut sql) = (0, String::new());
    for (n, op) in ops.iter().enumerate() {
        if sql.is_empty() {
            sql =
                format!("INSERT INTO {} (binsync_n,{}) VALUES ", wanted(table), columns(table, ""));
        } else {
            sql.push(',');
        }
        sql.push_str(&format!("({n}"));
        for (i, column) in stored(table) {
            sql.push(',');
            let value = op.act.found_by().0[i].unwrap_or(Value::NULL);
            quote::value(&mut sql, Dialect::Mysql, column, value).map_err(|e| e.at(&table.name))?;
        }
        sql.push(')');
        if sql.len() > STATEMENT_BYTES || n + 1 == ops.len() {
            conn.query_drop(&sql).map_err(|e| failed(&table.name.to_string(), &e))?;
            sql.clear();
            sent += 1;
        }
    }
    Ok(sent)
}

/// How many rows of the table are equal to each image.
fn count(conn: &mut Conn, table: &Table, place: &str) -> Result<HashMap<usize, u64>> {
    let rows: Vec<(usize, u64)> = conn
        .query(format!(
            "SELECT w.binsync_n, COUNT(*) FROM {} STRAIGHT_JOIN {} w ON {} GROUP BY w.binsync_n",
            name(table),
            wanted(table),
            is(table)
        ))
        .map_err(|e| failed(place, &e))?;
    Ok(rows.into_iter().collect())
}

/// The condition that a row of the table and an image are equal, the hash first.
fn is(table: &Table) -> String {
    let own = format!("{}.", name(table));
    let mut sql = format!("w.binsync_hash={}", hash(table, &own));
    for (_, column) in stored(table) {
        let column_name = identifier(column);
        sql.push_str(&match column.kind {
            // A collation takes 'a', 'A' and 'a ' for the same.
            Kind::Text | Kind::JsonOrText => {
                format!(" AND CAST({own}{column_name} AS BINARY)<=>CAST(w.{column_name} AS BINARY)")
            }
            // MariaDB's JSON is text too.
            Kind::Json => {
                let [a, b] = ["/*M!100000 CAST(*/", "/*M!100000  AS BINARY)*/"];
                format!(" AND {a}{own}{column_name}{b}<=>{a}w.{column_name}{b}")
            }
            _ => format!(" AND {own}{column_name}<=>w.{column_name}"),
        });
    }
    sql
}

/// A hash of the values that are equal only when they print alike.
fn hash(table: &Table, prefix: &str) -> String {
    let parts: Vec<String> = stored(table)
        .filter_map(|(_, column)| {
            let name = format!("{prefix}{}", identifier(column));
            match column.kind {
                Kind::Integer | Kind::Year | Kind::Decimal | Kind::Temporal => Some(name),
                Kind::Text | Kind::Enum | Kind::Set | Kind::Binary => Some(format!("HEX({name})")),
                _ => None,
            }
        })
        .collect();
    match parts.is_empty() {
        true => "0".to_owned(),
        false => format!("CRC32(CONCAT_WS('/',{}))", parts.join(",")),
    }
}
