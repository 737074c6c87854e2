//! Row changes as SQL statements, for apply and render alike.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Means, Result};
use crate::event::{Direction, Seq};
use crate::plan::Table;
use crate::plan::op::{Act, RowOp, Verb};

pub mod bulk;
mod float;
mod form;
mod label;
mod looks;
mod number;
pub mod quote;
mod rows;
mod shape;
mod update;

pub use form::{Dialect, Form, Images, Insert};

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
    /// How many row changes it carries.
    pub rows: u64,
    /// How many rows it has to touch.
    pub expect: Expect,
    /// The table.
    pub table: Arc<Table>,
    /// Sequence of the (last) message behind it.
    pub seq: Seq,
    /// Where in the statement the condition stands that names its row; empty for several rows,
    /// and for a row without a key.
    pub key: Range<usize>,
}

/// Statements one after the other in one text, each ended by `;` and a newline. Row changes of one
/// table and one kind that follow one another share a statement; an update stands alone.
#[derive(Debug)]
pub struct Statements {
    /// The text.
    pub text: String,
    /// The statements in it.
    pub items: Vec<Item>,
    form: Form,
    /// The key condition written last.
    key: Range<usize>,
    open: Option<Open>,
}

/// A statement that further rows may join.
#[derive(Debug)]
struct Open {
    table: Arc<Table>,
    verb: Verb,
    any: bool,
    /// The columns that an INSERT names.
    columns: Vec<usize>,
    rows: u64,
    /// Row changes, some of which may stand for several rows.
    changes: usize,
    seq: Seq,
}

impl Statements {
    /// No statements yet; `rows` is how many rows one statement may carry.
    pub fn new(dialect: Dialect, direction: Direction, rows: usize) -> Self {
        Self::of(Form::new(dialect, direction, rows))
    }

    /// No statements yet, to be written in that form.
    pub fn of(form: Form) -> Self {
        Self { text: String::new(), items: Vec::new(), form, key: 0..0, open: None }
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

    /// Takes the closed statements out, each with its text.
    pub fn take(&mut self, mut each: impl FnMut(&str, &Item)) {
        let mut start = 0;
        for item in self.items.drain(..) {
            each(&self.text[start..item.end], &item);
            start = item.end;
        }
        self.text.drain(..start);
        self.key = self.key.start.saturating_sub(start)..self.key.end.saturating_sub(start);
    }

    /// Writes row changes in their order.
    ///
    /// # Errors
    /// As [`Statements::add`].
    pub fn ops(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        for op in ops {
            self.add(op)?;
        }
        self.close()
    }

    /// Writes a row change. True when it begins a statement, so that those before are closed; the
    /// last one stays open for those that follow.
    ///
    /// # Errors
    /// When a value cannot be written as its column's type, or a statement is too large.
    pub fn add(&mut self, op: &RowOp<'_, '_>) -> Result<bool> {
        match op.act {
            Act::Delete(_) => self.delete(op),
            Act::Insert(image) | Act::Replace(image) => self.insert(op, image),
            Act::Update(before, after) => self.update(op, before, after),
        }
    }

    /// Ends the open statement.
    ///
    /// # Errors
    /// When it is too large.
    pub fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let expect = self.tail(&open);
        let start = self.start();
        let size = self.text.len() - start;
        if size > self.form.packet {
            return Err(too_large(&open, size, self.form.packet));
        }
        self.text.push_str(";\n");
        let key = std::mem::take(&mut self.key);
        let key = match open.changes {
            1 => key.start.saturating_sub(start)..key.end.saturating_sub(start),
            _ => 0..0,
        };
        let Open { table, rows, seq, .. } = open;
        self.items.push(Item { end: self.text.len(), rows, expect, table, seq, key });
        Ok(())
    }

    /// Where the open statement begins.
    fn start(&self) -> usize {
        self.items.last().map_or(0, |item| item.end)
    }

    fn begin(&mut self, op: &RowOp<'_, '_>, columns: Vec<usize>) {
        self.key = 0..0;
        self.open = Some(Open {
            table: op.table.clone(),
            verb: op.act.verb(),
            any: op.any,
            columns,
            rows: op.times,
            changes: 1,
            seq: op.seq,
        });
    }
}

fn too_large(open: &Open, size: usize, most: usize) -> Error {
    Error::stopped(format!(
        "{} (message {}): {} of {size} bytes, a statement may have {most}",
        open.table.name,
        open.seq,
        open.verb.name()
    ))
    .help((
        "raise {}, and max_allowed_packet of the server and the client that run it",
        [Means::MaxPacket],
    ))
}
