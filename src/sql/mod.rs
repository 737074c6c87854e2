//! Row changes as SQL statements, for apply and render alike.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::plan::net::{Net, fold};
use crate::plan::{Change, Table, touched};

mod float;
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

    /// Writes the net effect of changes of one table that follow one another. Returns false,
    /// writing nothing, when they have to be written one by one and in order with those of other
    /// tables.
    ///
    /// # Errors
    /// When a value cannot be written as its column's type.
    pub fn net(&mut self, table: &Arc<Table>, changes: &[Change<'_>]) -> Result<bool> {
        if table.in_order {
            return Ok(false);
        }
        let (text, items) = (self.text.len(), self.items.len());
        let mut rest = changes;
        while !rest.is_empty() {
            let (nets, taken) = fold(table, rest)?;
            if nets.iter().any(|net| self.must_stay(table, net)) {
                self.text.truncate(text);
                self.items.truncate(items);
                return Ok(false);
            }
            self.fold(table, &nets)?;
            rest = &rest[taken..];
        }
        Ok(true)
    }

    /// True when a row may not leave its place and come back: that would lose what the event does
    /// not carry, or, going back, what others have changed in the row since.
    fn must_stay(&self, table: &Table, net: &Net<'_, '_>) -> bool {
        let (Some(before), Some(after)) = (net.before, net.after) else {
            return false;
        };
        let whole = self.guard == Guard::Key && before.is_full(table) && after.is_full(table);
        !net.overwrite && !whole && net.moves(table)
    }

    fn fold(&mut self, table: &Arc<Table>, nets: &[Net<'_, '_>]) -> Result<()> {
        let (mut deletes, mut updates, mut inserts, mut replaces) =
            (vec![], vec![], vec![], vec![]);
        for net in nets {
            match (net.before, net.after) {
                (None, None) => {}
                (Some(before), None) => deletes.push((before, net)),
                (_, Some(after)) if net.overwrite => replaces.push((after, net)),
                (None, Some(after)) => inserts.push((after, net)),
                (Some(before), Some(after)) if net.moves(table) => {
                    deletes.push((before, net));
                    inserts.push((after, net));
                }
                (Some(before), Some(after)) => updates.push((before, after, net.seq)),
            }
        }
        self.deletes(table, &deletes)?;
        for (before, after, seq) in updates {
            self.update(table, before, after, seq)?;
        }
        self.inserts(table, "INSERT", &inserts)?;
        self.inserts(table, "REPLACE", &replaces)
    }

    /// Writes one change as one statement.
    ///
    /// # Errors
    /// When a value cannot be written as its column's type.
    pub fn change(&mut self, table: &Arc<Table>, change: &Change<'_>) -> Result<()> {
        let net = Net {
            before: change.before.as_ref(),
            after: change.after.as_ref(),
            overwrite: change.overwrite,
            seq: change.seq,
            times: 1,
        };
        match (net.before, net.after) {
            (before, after) if net.overwrite => {
                let moved = touched(before, after).iter().any(|i| table.key.contains(i));
                if let Some(before) = before.filter(|_| after.is_none() || moved) {
                    self.deletes(table, &[(before, &net)])?;
                }
                match after {
                    Some(after) => self.inserts(table, "REPLACE", &[(after, &net)]),
                    None => Ok(()),
                }
            }
            (Some(before), Some(after)) => self.update(table, before, after, net.seq),
            (Some(before), None) => self.deletes(table, &[(before, &net)]),
            (None, Some(after)) => self.inserts(table, "INSERT", &[(after, &net)]),
            (None, None) => Ok(()),
        }
    }
}
