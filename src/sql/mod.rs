//! Row changes as SQL statements, for apply and render alike.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::plan::op::{Act, RowOp};
use crate::plan::{Change, Table};

pub mod bulk;
mod float;
mod looks;
pub mod quote;
mod rows;

/// Whose SQL is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MySQL and MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

/// What has to be the same at the target for a row to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The key: for going forward.
    Key,
    /// The key and every value that is taken back: for going back, where others may have changed
    /// the row since.
    Values,
}

/// How many rows a statement has to touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Exactly so many.
    Rows(u64),
    /// Any number: the final image wins.
    Any,
}

/// One statement's place in the text, and what it is about.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it ends in the text.
    pub end: usize,
    /// How many rows it has to touch.
    pub expect: Expect,
    /// The table.
    pub table: Arc<Table>,
    /// Sequence of the (last) message behind it.
    pub seq: u64,
    /// Where in the statement the condition stands that names its row; empty for several rows,
    /// and for a row without a key.
    pub key: Range<usize>,
}

/// Statements one after the other in one text, each ended by `;` and a newline.
#[derive(Debug)]
pub struct Statements {
    /// The text.
    pub text: String,
    /// The statements in it.
    pub items: Vec<Item>,
    dialect: Dialect,
    guard: Guard,
    rows: usize,
    /// The key condition written last.
    key: Range<usize>,
}

/// A statement of several rows is closed at this size, in bytes.
const STATEMENT_BYTES: usize = 256 << 10;

impl Statements {
    /// No statements yet; `rows` is how many rows one statement may carry.
    pub fn new(dialect: Dialect, guard: Guard, rows: usize) -> Self {
        Self {
            text: String::new(),
            items: Vec::new(),
            dialect,
            guard,
            rows: rows.max(1),
            key: 0..0,
        }
    }

    /// Takes all statements out, for the buffer to be used again.
    pub fn clear(&mut self) {
        self.text.clear();
        self.items.clear();
    }

    /// The statements with their texts, without the closing `;`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Item)> {
        let mut start = 0;
        self.items.iter().map(move |item| {
            let text = &self.text[start..item.end];
            start = item.end;
            (text.trim_end_matches("\n").trim_end_matches(';'), item)
        })
    }

    fn end(&mut self, table: &Arc<Table>, expect: Expect, seq: u64) {
        self.text.push_str(";\n");
        let start = self.items.last().map_or(0, |item| item.end);
        let key = std::mem::take(&mut self.key);
        let key = key.start.saturating_sub(start)..key.end.saturating_sub(start);
        self.items.push(Item { end: self.text.len(), expect, table: table.clone(), seq, key });
    }

    /// Writes row changes in their order, several of a kind in one statement where that is the
    /// same.
    ///
    /// # Errors
    /// When a value cannot be written as its column's type.
    pub fn ops(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        for run in runs(ops) {
            match run[0].act {
                Act::Delete(_) => self.deletes(run)?,
                Act::Insert(_) | Act::Replace(_) => self.inserts(run)?,
                Act::Update(before, after) => self.update(&run[0], before, after)?,
            }
        }
        Ok(())
    }

    /// Writes one change as one statement (two where the final image of a moved row wins).
    ///
    /// # Errors
    /// As [`Statements::ops`].
    pub fn change(&mut self, table: &Arc<Table>, change: &Change<'_>) -> Result<()> {
        self.ops(&RowOp::of_change(table, change))
    }
}

/// Row changes that may share a statement: of one table and one kind; an update stands alone.
fn runs<'s, 'b, 'a>(ops: &'s [RowOp<'b, 'a>]) -> impl Iterator<Item = &'s [RowOp<'b, 'a>]> {
    ops.chunk_by(|a, b| {
        Arc::ptr_eq(a.table, b.table)
            && a.any == b.any
            && a.act.is_like(&b.act)
            && !matches!(a.act, Act::Update(..))
    })
}
