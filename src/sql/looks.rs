//! Questions in place of changes: how many rows are as a change has to meet them.

use super::{Dialect, Expect, Item, Statements, quote};
use crate::error::Result;
use crate::plan::op::{Act, RowOp};

impl Statements {
    /// Writes a `SELECT COUNT(*)` for what each change has to meet; its count is what the item
    /// expects when all rows are as they have to be. A change that meets whatever is there asks
    /// nothing.
    ///
    /// # Errors
    /// As [`Statements::ops`].
    pub fn looks(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        let comes = |op: &RowOp<'_, '_>| matches!(op.act, Act::Insert(_));
        let asks = |op: &RowOp<'_, '_>| {
            let keyless_insert = comes(op) && !op.table.has_key();
            !op.any && !matches!(op.act, Act::Replace(_)) && !keyless_insert
        };
        let alike = |a: &RowOp<'_, '_>, b: &RowOp<'_, '_>| {
            std::sync::Arc::ptr_eq(a.table, b.table) && comes(a) == comes(b) && asks(a) == asks(b)
        };
        for run in ops.chunk_by(alike).filter(|run| asks(&run[0])) {
            match run[0].table.has_key() {
                true => self.look_by_key(run, comes(&run[0]))?,
                false => run.iter().try_for_each(|op| self.look_by_content(op))?,
            }
        }
        Ok(())
    }

    fn look_by_key(&mut self, ops: &[RowOp<'_, '_>], comes: bool) -> Result<()> {
        let mut rest = ops;
        while let Some(first) = rest.first() {
            let start = self.text.len();
            self.text.push_str("SELECT COUNT(*) FROM ");
            quote::table(&mut self.text, self.form.dialect, &first.table.name);
            self.text.push_str(" WHERE ");
            let mut taken = 0;
            for op in rest.iter().take(self.form.conditions()) {
                if taken > 0 && self.text.len() - start >= self.form.full_at() {
                    break;
                }
                self.text.push_str(if taken > 0 { " OR (" } else { "(" });
                match comes {
                    true => self.key_is(op.table, op.act.found_by())?,
                    false => self.row_is(op)?,
                }
                self.text.push(')');
                taken += 1;
            }
            let met = if comes { 0 } else { taken as u64 };
            self.asked(&rest[taken - 1], met);
            rest = &rest[taken..];
        }
        Ok(())
    }

    fn look_by_content(&mut self, op: &RowOp<'_, '_>) -> Result<()> {
        let (table, image) = (op.table, op.act.found_by());
        self.text.push_str("SELECT COUNT(*) FROM ");
        if self.form.dialect == Dialect::Mysql {
            self.text.push_str("(SELECT 1 FROM ");
        }
        quote::table(&mut self.text, self.form.dialect, &table.name);
        self.text.push_str(" WHERE ");
        self.limited(table, image, op.times)?;
        if self.form.dialect == Dialect::Mysql {
            self.text.push_str(") binsync");
        }
        self.asked(op, op.times);
        Ok(())
    }
    /// Ends a question whose answer should be `rows`; `last` is the last change it is about.
    fn asked(&mut self, last: &RowOp<'_, '_>, rows: u64) {
        self.text.push_str(";\n");
        let (end, expect, table) = (self.text.len(), Expect::Rows(rows), last.table.clone());
        self.items.push(Item { end, rows, expect, table, seq: last.seq, key: 0..0 });
    }
}
