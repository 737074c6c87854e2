//! Row changes as batches for one server: text, or one prepared statement for many rows.
//!
//! MariaDB's bulk execute takes the rows of one statement in one packet, and writes half the
//! binlog that the same rows as text do.

use std::sync::Arc;

use super::rows::written;
use super::update::set_columns;
use super::{Dialect, Expect, Statements, quote};
use crate::error::Result;
use crate::event::def::Kind;
use crate::event::row::Value;
use crate::event::{Direction, Seq};
use crate::plan::op::{Act, RowOp, Verb};
use crate::plan::{Image, Table};

/// So many rows are worth a prepared statement.
const BULK_FROM: usize = 4;

/// A value of a prepared statement's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    /// A value, or NULL.
    Value(Option<Vec<u8>>),
    /// A key column of an integer type: compared with text it would be compared as a DOUBLE.
    Integer(i64),
    /// The same, UNSIGNED.
    Unsigned(u64),
}

/// One prepared statement and its rows.
#[derive(Debug)]
pub struct Bulk {
    /// The statement.
    pub sql: String,
    /// The rows.
    pub rows: Vec<Vec<Param>>,
    /// How many rows it has to touch.
    pub expect: Expect,
    /// The table.
    pub table: Arc<Table>,
    /// Sequence of the (last) message behind it.
    pub seq: Seq,
}

/// What is sent to a server at once.
#[derive(Debug)]
pub enum Batch {
    /// Statements as text.
    Text(Statements),
    /// One statement with many rows.
    Bulk(Bulk),
}

/// How a server wants row changes.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    /// Whose SQL it takes.
    pub dialect: Dialect,
    /// What has to be the same for a row to be changed.
    pub direction: Direction,
    /// It takes bulk execute.
    pub bulk: bool,
    /// Rows of one text statement.
    pub rows: usize,
}

impl Encoder {
    /// Writes row changes as batches, in their order.
    ///
    /// # Errors
    /// When a value cannot be written as its column's type.
    pub fn encode(&self, ops: &[RowOp<'_, '_>]) -> Result<Vec<Batch>> {
        let mut batches = Vec::new();
        let shapes: Vec<Vec<usize>> = match self.bulk {
            true => ops.iter().map(shape).collect(),
            false => Vec::new(),
        };
        let mut rest = ops;
        while let Some(first) = rest.first() {
            let at = ops.len() - rest.len();
            let same = |(n, op): &(usize, &RowOp<'_, '_>)| {
                same_kind(first, op) && shapes.get(at + n).is_none_or(|shape| *shape == shapes[at])
            };
            let (run, next) = rest.split_at(rest.iter().enumerate().take_while(same).count());
            rest = next;
            match self.bulk && run.len() >= BULK_FROM {
                true => match self.bulk(run)? {
                    Some(bulk) => batches.push(Batch::Bulk(bulk)),
                    None => self.text(&mut batches, run)?,
                },
                false => self.text(&mut batches, run)?,
            }
        }
        Ok(batches)
    }

    fn text(&self, batches: &mut Vec<Batch>, ops: &[RowOp<'_, '_>]) -> Result<()> {
        if !matches!(batches.last(), Some(Batch::Text(_))) {
            batches.push(Batch::Text(Statements::new(self.dialect, self.direction, self.rows)));
        }
        match batches.last_mut() {
            Some(Batch::Text(statements)) => statements.ops(ops),
            _ => Ok(()),
        }
    }

    /// One statement for all of a run; `None` when text serves it better, or exactly.
    fn bulk(&self, run: &[RowOp<'_, '_>]) -> Result<Option<Bulk>> {
        let (first, table) = (&run[0], run[0].table);
        match first.act {
            // A row without a value for any column has no parameter either.
            Act::Insert(image) | Act::Replace(image) if written(table, image).next().is_none() => {
                Ok(None)
            }
            Act::Insert(image) | Act::Replace(image) => {
                self.inserts(run, &columns(table, image)).map(Some)
            }
            Act::Update(before, after)
                if self.direction == Direction::Forward && exact_key(table) =>
            {
                self.updates(run, &set_columns(table, before, after))
            }
            // IN (…) is faster than a prepared DELETE, and a guard is best told as text.
            _ => Ok(None),
        }
    }

    fn inserts(&self, run: &[RowOp<'_, '_>], columns: &[usize]) -> Result<Bulk> {
        let (table, replaces) = (run[0].table, run[0].act.verb() == Verb::Replace);
        let mut sql = if replaces { "REPLACE INTO " } else { "INSERT INTO " }.to_owned();
        quote::table(&mut sql, self.dialect, &table.name);
        sql.push_str(" (");
        list(&mut sql, columns, ", ", |sql, i| {
            quote::identifier(sql, self.dialect, &table.columns[i].name);
        });
        sql.push_str(") VALUES (");
        list(&mut sql, columns, ", ", |sql, i| quote::placeholder(sql, &table.columns[i]));
        sql.push(')');
        let mut rows = Vec::with_capacity(run.len());
        for op in run {
            let image = op.act.found_by();
            let row: Vec<Param> =
                columns.iter().map(|&i| value(table, i, image.0[i])).collect::<Result<_>>()?;
            rows.extend(std::iter::repeat_n(row, op.times as usize));
        }
        let expect = if replaces { Expect::Any } else { Expect::Rows(rows.len() as u64) };
        Ok(bulk(run, sql, rows, expect))
    }

    fn updates(&self, run: &[RowOp<'_, '_>], columns: &[usize]) -> Result<Option<Bulk>> {
        let table = run[0].table;
        if columns.is_empty() {
            return Ok(None);
        }
        let mut sql = "UPDATE ".to_owned();
        quote::table(&mut sql, self.dialect, &table.name);
        sql.push_str(" SET ");
        list(&mut sql, columns, ", ", |sql, i| {
            quote::identifier(sql, self.dialect, &table.columns[i].name);
            sql.push('=');
            quote::placeholder(sql, &table.columns[i]);
        });
        sql.push_str(" WHERE ");
        list(&mut sql, &table.key, " AND ", |sql, i| {
            quote::identifier(sql, self.dialect, &table.columns[i].name);
            sql.push_str("=?");
        });
        let mut rows = Vec::with_capacity(run.len());
        for op in run {
            let Act::Update(before, after) = op.act else { return Ok(None) };
            let mut row = Vec::with_capacity(columns.len() + table.key.len());
            for &i in columns {
                row.push(value(table, i, after.0[i])?);
            }
            for &i in &table.key {
                let Some(param) = key_value(table, i, before.0[i])? else { return Ok(None) };
                row.push(param);
            }
            rows.push(row);
        }
        let expect = if run[0].any { Expect::Any } else { Expect::Rows(rows.len() as u64) };
        Ok(Some(bulk(run, sql, rows, expect)))
    }
}

fn bulk(run: &[RowOp<'_, '_>], sql: String, rows: Vec<Vec<Param>>, expect: Expect) -> Bulk {
    let seq = run.last().map_or(0, |op| op.seq);
    Bulk { sql, rows, expect, table: run[0].table.clone(), seq }
}

fn list(sql: &mut String, columns: &[usize], between: &str, one: impl Fn(&mut String, usize)) {
    for (n, &i) in columns.iter().enumerate() {
        if n > 0 {
            sql.push_str(between);
        }
        one(sql, i);
    }
}

fn value(table: &Table, column: usize, value: Option<Value<'_>>) -> Result<Param> {
    quote::parameter(&table.columns[column], value.unwrap_or(Value::NULL))
        .map(Param::Value)
        .map_err(|e| e.at(&table.name))
}

/// A key's value; `None` for an integer that is none.
fn key_value(table: &Table, column: usize, token: Option<Value<'_>>) -> Result<Option<Param>> {
    let integer = table.columns[column].kind == Kind::Integer;
    Ok(match token.filter(|_| integer) {
        None => Some(value(table, column, token)?),
        Some(token) if table.columns[column].unsigned => token.0.parse().ok().map(Param::Unsigned),
        Some(token) => token.0.parse().ok().map(Param::Integer),
    })
}

/// True when a prepared `=` finds exactly the row that the same literal finds.
fn exact_key(table: &Table) -> bool {
    table.has_key()
        && table.key.iter().all(|&i| {
            let column = &table.columns[i];
            match column.kind {
                Kind::Integer | Kind::Text | Kind::Temporal => true,
                Kind::Binary => column.type_name != "binary" || column.binary_width.is_some(),
                _ => false,
            }
        })
}

fn columns(table: &Table, image: &Image<'_>) -> Vec<usize> {
    written(table, image).collect()
}

/// The columns a change's prepared statement names.
fn shape(op: &RowOp<'_, '_>) -> Vec<usize> {
    match op.act {
        Act::Update(before, after) => set_columns(op.table, before, after),
        Act::Insert(image) | Act::Replace(image) => columns(op.table, image),
        Act::Delete(_) => Vec::new(),
    }
}

/// True when two changes are of one kind and one table.
fn same_kind(a: &RowOp<'_, '_>, b: &RowOp<'_, '_>) -> bool {
    Arc::ptr_eq(a.table, b.table) && a.any == b.any && a.act.verb() == b.act.verb()
}
