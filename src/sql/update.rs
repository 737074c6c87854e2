//! UPDATE: of one row, the columns that change or all.

use super::rows::written;
use super::{Images, Statements, quote};
use crate::error::Result;
use crate::event::def::Column;
use crate::plan::op::RowOp;
use crate::plan::{Image, Table, touched};

impl Statements {
    pub(super) fn update(
        &mut self,
        op: &RowOp<'_, '_>,
        before: &Image<'_>,
        after: &Image<'_>,
    ) -> Result<bool> {
        let table = op.table;
        let mut named = set_columns(table, before, after);
        if named.is_empty() {
            return Ok(false);
        }
        self.close()?;
        self.begin(op, Vec::new());
        let full = self.form.images == Images::Full && !op.any;
        if full {
            named = written(table, after).collect();
        }
        let back = self.form.direction.is_reverse() && !op.any && !full;
        self.text.push_str("UPDATE ");
        quote::table(&mut self.text, self.form.dialect, &table.name);
        self.text.push_str(" SET ");
        for (n, &i) in named.iter().enumerate() {
            let column = &table.columns[i];
            self.comma(n);
            quote::identifier(&mut self.text, self.form.dialect, &column.name);
            self.text.push('=');
            match back && column.on_update {
                true => self.keep_or_restore(table, before, after, i)?,
                false => self.value(table, i, after.0[i])?,
            }
        }
        self.text.push_str(" WHERE ");
        if !table.has_key() {
            self.limited(table, before, 1)?;
            return Ok(true);
        }
        self.row_is(op)?;
        Ok(true)
    }

    /// An ON UPDATE column going back: restored where it still holds what is being undone, else
    /// kept, since another change to the row has set it anew.
    fn keep_or_restore(
        &mut self,
        table: &Table,
        before: &Image<'_>,
        after: &Image<'_>,
        i: usize,
    ) -> Result<()> {
        self.text.push_str("CASE WHEN ");
        self.is(table, before, i)?;
        self.text.push_str(" THEN ");
        self.value(table, i, after.0[i])?;
        self.text.push_str(" ELSE ");
        quote::identifier(&mut self.text, self.form.dialect, &table.columns[i].name);
        self.text.push_str(" END");
        Ok(())
    }
}

/// The columns an UPDATE names: those that change, and with them those that the server would set
/// to the present time if they were not named. None when nothing changes.
pub(super) fn set_columns(table: &Table, before: &Image<'_>, after: &Image<'_>) -> Vec<usize> {
    let mut named = touched(Some(before), Some(after));
    named.retain(|&i| !table.columns[i].generated);
    if named.is_empty() {
        return named;
    }
    let set = |(i, c): (usize, &Column)| (c.on_update && after.0[i].is_some()).then_some(i);
    named.extend(table.columns.iter().enumerate().filter_map(set));
    named.sort_unstable();
    named.dedup();
    named
}
