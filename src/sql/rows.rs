//! The statements themselves: INSERT, DELETE and UPDATE of rows.

use super::{Dialect, Expect, Guard, STATEMENT_BYTES, Statements, quote};
use crate::error::Result;
use crate::event::def::{Column, Kind};
use crate::event::row::Value;
use crate::plan::op::{Act, RowOp};
use crate::plan::{Image, Table, touched};

impl Statements {
    pub(super) fn inserts(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        let mut open: Option<(Vec<usize>, u64, u64)> = None;
        let Some(RowOp { table, act, .. }) = ops.first() else { return Ok(()) };
        let replace = matches!(act, Act::Replace(_));
        let expect = |count| if replace { Expect::Any } else { Expect::Rows(count) };
        let mut start = self.text.len();
        for op in ops {
            let image = op.act.found_by();
            let columns = written(table, image);
            for _ in 0..op.times {
                let full = open.as_ref().is_some_and(|(shape, count, _)| {
                    *shape != columns
                        || *count >= self.rows as u64
                        || self.text.len() - start >= STATEMENT_BYTES
                });
                if full && let Some((_, count, seq)) = open.take() {
                    self.end(table, expect(count), seq);
                }
                match &mut open {
                    Some((_, count, seq)) => {
                        self.text.push_str(",\n");
                        (*count, *seq) = (*count + 1, op.seq);
                    }
                    None => {
                        start = self.text.len();
                        let verb = if replace { "REPLACE" } else { "INSERT" };
                        self.insert_head(table, verb, &columns);
                        open = Some((columns.clone(), 1, op.seq));
                    }
                }
                self.tuple(table, image, &columns)?;
            }
        }
        if let Some((_, count, seq)) = open {
            self.end(table, expect(count), seq);
        }
        Ok(())
    }

    fn insert_head(&mut self, table: &Table, verb: &str, columns: &[usize]) {
        self.text.push_str(verb);
        self.text.push_str(" INTO ");
        quote::table(&mut self.text, self.dialect, &table.name);
        if columns.is_empty() && self.dialect == Dialect::Sqlite {
            self.text.push_str(" DEFAULT VALUES");
            return;
        }
        self.text.push_str(" (");
        for (n, &i) in columns.iter().enumerate() {
            self.comma(n);
            quote::identifier(&mut self.text, self.dialect, &table.columns[i].name);
        }
        self.text.push_str(") VALUES ");
    }

    fn tuple(&mut self, table: &Table, image: &Image<'_>, columns: &[usize]) -> Result<()> {
        self.text.push('(');
        for (n, &i) in columns.iter().enumerate() {
            self.comma(n);
            self.value(table, i, image.0[i])?;
        }
        self.text.push(')');
        Ok(())
    }

    fn comma(&mut self, n: usize) {
        if n > 0 {
            self.text.push_str(", ");
        }
    }

    fn value(&mut self, table: &Table, column: usize, value: Option<Value<'_>>) -> Result<()> {
        let value = value.unwrap_or(Value::NULL);
        quote::value(&mut self.text, self.dialect, &table.columns[column], value)
            .map_err(|e| e.at(&table.name))
    }

    pub(super) fn deletes(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        let Some(RowOp { table, any, .. }) = ops.first() else { return Ok(()) };
        let by_key = table.has_key();
        // Rows without a key are counted one by one: LIMIT holds for a whole statement.
        let most = if by_key { self.rows } else { 1 };
        // One row is named on its own, so that it can be looked up when the count is wrong.
        let in_list =
            by_key && self.rows > 1 && (self.guard == Guard::Key || *any) && plain_key(table);
        let mut rest = ops;
        while let Some(first) = rest.first() {
            let start = self.text.len();
            self.text.push_str("DELETE FROM ");
            quote::table(&mut self.text, self.dialect, &table.name);
            self.text.push_str(" WHERE ");
            if in_list {
                self.key_tuple_of_names(table);
                self.text.push_str(" IN (");
                if table.key.len() > 1 && self.dialect == Dialect::Sqlite {
                    self.text.push_str("VALUES ");
                }
            }
            let (mut taken, mut count, mut seq) = (0, 0, first.seq);
            for op in rest.iter().take(most) {
                if taken > 0 && self.text.len() - start >= STATEMENT_BYTES {
                    break;
                }
                self.delete_row(op, in_list, taken)?;
                (taken, count, seq) = (taken + 1, count + op.times, op.seq);
            }
            if in_list {
                self.text.push(')');
            }
            if taken > 1 {
                self.key = 0..0;
            }
            self.end(table, if *any { Expect::Any } else { Expect::Rows(count) }, seq);
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// One row's part of a DELETE's condition.
    fn delete_row(&mut self, op: &RowOp<'_, '_>, in_list: bool, n: usize) -> Result<()> {
        let (table, image) = (op.table, op.act.found_by());
        if !table.has_key() {
            return self.limited(table, image, op.times);
        }
        if in_list {
            self.comma(n);
            if table.key.len() == 1 {
                return self.value(table, table.key[0], image.0[table.key[0]]);
            }
            return self.tuple(table, image, &table.key);
        }
        if n > 0 {
            self.text.push_str(" OR ");
        }
        self.text.push('(');
        self.row_is(op)?;
        self.text.push(')');
        Ok(())
    }

    /// The condition that names a row by its key and holds for what is taken back.
    pub(super) fn row_is(&mut self, op: &RowOp<'_, '_>) -> Result<()> {
        let image = op.act.found_by();
        self.key_is(op.table, image)?;
        if self.guard == Guard::Values && !op.any {
            for i in guarded(op) {
                self.and_is(op.table, image, i)?;
            }
        }
        Ok(())
    }

    fn key_tuple_of_names(&mut self, table: &Table) {
        let many = table.key.len() > 1;
        if many {
            self.text.push('(');
        }
        for (n, &i) in table.key.iter().enumerate() {
            self.comma(n);
            quote::identifier(&mut self.text, self.dialect, &table.columns[i].name);
        }
        if many {
            self.text.push(')');
        }
    }

    /// The condition that names a row by its key.
    pub(super) fn key_is(&mut self, table: &Table, image: &Image<'_>) -> Result<()> {
        let start = self.text.len();
        for (n, &i) in table.key.iter().enumerate() {
            if n > 0 {
                self.text.push_str(" AND ");
            }
            if plain_key(table) {
                quote::identifier(&mut self.text, self.dialect, &table.columns[i].name);
                self.text.push('=');
                self.value(table, i, image.0[i])?;
            } else {
                self.is(table, image, i)?;
            }
        }
        self.key = start..self.text.len();
        Ok(())
    }

    fn is(&mut self, table: &Table, image: &Image<'_>, column: usize) -> Result<()> {
        let value = image.0[column].unwrap_or(Value::NULL);
        quote::equals(&mut self.text, self.dialect, &table.columns[column], value)
            .map_err(|e| e.at(&table.name))
    }

    fn and_is(&mut self, table: &Table, image: &Image<'_>, column: usize) -> Result<()> {
        self.text.push_str(" AND ");
        self.is(table, image, column)
    }

    /// The condition that names `times` of the rows that are equal to `image`.
    pub(super) fn limited(&mut self, table: &Table, image: &Image<'_>, times: u64) -> Result<()> {
        if self.dialect == Dialect::Sqlite {
            // SQLite's own name for a row has synonyms, for a column may be called so.
            let taken =
                |name: &str| table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
            let names = ["rowid", "oid", "_rowid_"];
            let id = names.into_iter().find(|name| !taken(name)).unwrap_or("rowid");
            self.text.push_str(&format!("{id} IN (SELECT {id} FROM "));
            quote::table(&mut self.text, self.dialect, &table.name);
            self.text.push_str(" WHERE ");
        }
        let mut n = 0;
        for (i, column) in table.columns.iter().enumerate() {
            if column.generated || image.0[i].is_none() {
                continue;
            }
            if n > 0 {
                self.text.push_str(" AND ");
            }
            self.is(table, image, i)?;
            n += 1;
        }
        if self.dialect == Dialect::Sqlite {
            self.same_text_first(table, image)?;
        }
        self.text.push_str(&format!(" LIMIT {times}"));
        if self.dialect == Dialect::Sqlite {
            self.text.push(')');
        }
        Ok(())
    }

    /// Of rows whose JSON has the same worth, those whose text is the same too.
    fn same_text_first(&mut self, table: &Table, image: &Image<'_>) -> Result<()> {
        let mut before = " ORDER BY ";
        for (column, value) in table.columns.iter().zip(&image.0) {
            let Some(value) = value.filter(|v| column.kind == Kind::Json && !v.is_null()) else {
                continue;
            };
            self.text.push_str(before);
            quote::is(&mut self.text, self.dialect, column, value)
                .map_err(|e| e.at(&table.name))?;
            self.text.push_str(" DESC");
            before = ", ";
        }
        Ok(())
    }

    pub(super) fn update(
        &mut self,
        op: &RowOp<'_, '_>,
        before: &Image<'_>,
        after: &Image<'_>,
    ) -> Result<()> {
        let table = op.table;
        let named = set_columns(table, before, after);
        if named.is_empty() {
            return Ok(());
        }
        let guard = if op.any { Guard::Key } else { self.guard };
        self.text.push_str("UPDATE ");
        quote::table(&mut self.text, self.dialect, &table.name);
        self.text.push_str(" SET ");
        for (n, &i) in named.iter().enumerate() {
            let column = &table.columns[i];
            self.comma(n);
            quote::identifier(&mut self.text, self.dialect, &column.name);
            self.text.push('=');
            match guard == Guard::Values && column.on_update {
                true => self.keep_or_restore(table, before, after, i)?,
                false => self.value(table, i, after.0[i])?,
            }
        }
        self.text.push_str(" WHERE ");
        if table.has_key() {
            self.row_is(op)?;
        } else {
            self.limited(table, before, 1)?;
        }
        self.end(table, if op.any { Expect::Any } else { Expect::Rows(1) }, op.seq);
        Ok(())
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
        quote::identifier(&mut self.text, self.dialect, &table.columns[i].name);
        self.text.push_str(" END");
        Ok(())
    }
}

/// The columns that must still hold what is taken back, the key aside. ON UPDATE columns never
/// have to: another change to the row sets them anew.
fn guarded(op: &RowOp<'_, '_>) -> Vec<usize> {
    let table = op.table;
    let counts = |i: &usize| !table.key.contains(i) && !table.columns[*i].on_update;
    match op.act {
        Act::Update(before, after) => {
            let mut set = set_columns(table, before, after);
            set.retain(|&i| before.0[i] != after.0[i]);
            set.into_iter().filter(counts).collect()
        }
        Act::Delete(_) | Act::Insert(_) | Act::Replace(_) => {
            let own = |i: &usize| !table.columns[*i].generated && !table.target_only.contains(i);
            (0..table.columns.len()).filter(own).filter(counts).collect()
        }
    }
}

/// The columns an INSERT names: those the event has and the server does not compute.
pub(super) fn written(table: &Table, image: &Image<'_>) -> Vec<usize> {
    let all = 0..table.columns.len();
    all.filter(|&i| image.0[i].is_some() && !table.columns[i].generated).collect()
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

/// True when the key's values can be compared by `=` and IN.
fn plain_key(table: &Table) -> bool {
    table.key.iter().all(|&i| {
        let column = &table.columns[i];
        let padded = column.type_name != "binary" || column.binary_width.is_some();
        column.kind != Kind::Float && padded
    })
}
