//! The statement that would make a row of the target what it is at the source.

use std::sync::Arc;

use super::columns::Pair;
use super::judge::Rows;
use super::side::Tokens;
use super::value;
use crate::error::Result;
use crate::event::Direction;
use crate::event::def::{Column, Kind, TableDef};
use crate::event::row::Value;
use crate::plan::op::{Act, RowOp};
use crate::plan::{Image, Table};
use crate::sql::{Dialect, Statements};

/// The target's table, as far as it is compared.
pub(super) fn table(pair: &Pair) -> Arc<Table> {
    let column = |both: &super::columns::Both| {
        let kind = match (both.source.kind, both.target.kind) {
            (Kind::Unknown | Kind::Float | Kind::Double, kind) => kind,
            (_, Kind::Json) => Kind::Json,
            // How the source's values are told.
            (kind, _) => kind,
        };
        Column { kind, ..both.target.clone() }
    };
    let name = |at: &usize| pair.columns[*at].target.name.clone();
    Arc::new(Table::from_def(&TableDef {
        database: pair.target.database.clone(),
        table: pair.target.table.clone(),
        columns: pair.columns.iter().map(column).collect(),
        primary_key: pair.key.iter().map(name).collect(),
        charset: None,
        complete: true,
    }))
}

/// The statement, which does nothing where the target's row has changed since.
///
/// # Errors
/// When a value cannot be written as its column's type.
pub(super) fn statement(pair: &Pair, table: &Arc<Table>, rows: &Rows) -> Result<String> {
    let (mut source, target) = (rows.source.as_ref().map(image), rows.target.as_ref().map(image));
    if let (Some(a), Some(b), Some(image), Some(kept)) =
        (&rows.source, &rows.target, &mut source, &target)
    {
        // What is only printed otherwise stays.
        let differing = value::differing(pair, a, b);
        let same = (0..image.0.len()).filter(|at| !differing.contains(at));
        same.for_each(|at| image.0[at] = kept.0[at]);
    }
    let act = match (&target, &source) {
        (Some(target), Some(source)) => Act::Update(target, source),
        (Some(target), None) => Act::Delete(target),
        (None, Some(source)) => Act::Insert(source),
        (None, None) => return Ok(String::new()),
    };
    // As what is taken back is written: the row is to be what it was seen to be.
    let mut statements = Statements::new(Dialect::Mysql, Direction::Reverse, 1);
    statements.ops(&[RowOp { table, act, seq: 0, times: 1, any: false }])?;
    Ok(statements.text)
}

fn image(row: &Tokens) -> Image<'_> {
    Image(row.iter().map(|token| Some(Value(token))).collect())
}
