//! The statements themselves: INSERT and DELETE, of several rows where they may share one.

use std::sync::Arc;

use super::{Dialect, Expect, Images, Insert, Open, Statements, quote};
use crate::error::{Error, Means, Result};
use crate::event::Direction;
use crate::event::def::Kind;
use crate::event::row::Value;
use crate::plan::op::{Act, RowOp, Verb};
use crate::plan::{Image, Table, differs};

impl Statements {
    pub(super) fn insert(&mut self, op: &RowOp<'_, '_>, image: &Image<'_>) -> Result<bool> {
        let mut began = false;
        for _ in 0..op.times {
            began |= self.insert_one(&RowOp { times: 1, ..*op }, image)?;
        }
        Ok(began)
    }

    fn insert_one(&mut self, op: &RowOp<'_, '_>, image: &Image<'_>) -> Result<bool> {
        let more = |to: &mut Self, open: &Open| {
            to.text.push_str(",\n");
            to.tuple(op.table, image, &open.columns)
        };
        if self.join(op, self.form.rows, more)? {
            return Ok(false);
        }
        self.close()?;
        let columns: Vec<usize> = written(op.table, image).collect();
        self.insert_head(op, &columns);
        self.tuple(op.table, image, &columns)?;
        self.begin(op, columns);
        Ok(true)
    }

    /// Lets a change join the open statement, if it may and that does not become too large.
    fn join(
        &mut self,
        op: &RowOp<'_, '_>,
        most: usize,
        write: impl FnOnce(&mut Self, &Open) -> Result<()>,
    ) -> Result<bool> {
        let Some(mut open) = self.open.take_if(|open| open.takes(op, most)) else {
            return Ok(false);
        };
        let (end, key) = (self.text.len(), self.key.clone());
        write(self, &open)?;
        let fits = self.text.len() - self.start() <= self.form.full_at();
        if fits {
            (open.rows, open.changes, open.seq) = (open.rows + op.times, open.changes + 1, op.seq);
        } else {
            self.text.truncate(end);
            self.key = key;
        }
        self.open = Some(open);
        Ok(fits)
    }

    fn insert_head(&mut self, op: &RowOp<'_, '_>, columns: &[usize]) {
        let table = op.table;
        let replace = matches!(op.act, Act::Replace(_));
        let insert = if replace { Insert::Replace } else { self.inserts(table) };
        self.text.push_str(match (insert, self.form.dialect) {
            (Insert::Replace, _) => "REPLACE",
            (Insert::Ignore, Dialect::Mysql) => "INSERT IGNORE",
            (Insert::Ignore, Dialect::Sqlite) => "INSERT OR IGNORE",
            (Insert::Plain | Insert::Upsert, _) => "INSERT",
        });
        self.text.push_str(" INTO ");
        quote::table(&mut self.text, self.form.dialect, &table.name);
        if columns.is_empty() && self.form.dialect == Dialect::Sqlite {
            self.text.push_str(" DEFAULT VALUES");
            return;
        }
        self.text.push_str(" (");
        self.names(table, columns.iter().copied());
        self.text.push_str(") VALUES ");
    }

    /// How rows of the table are inserted: without a key nothing can be in their way.
    fn inserts(&self, table: &Table) -> Insert {
        if table.has_key() { self.form.insert } else { Insert::Plain }
    }

    /// Writes what stands behind a statement's rows, and says how many it has to touch.
    pub(super) fn tail(&mut self, open: &Open) -> Expect {
        let limit = self.form.images == Images::Full && self.form.dialect == Dialect::Mysql;
        let insert = self.inserts(&open.table);
        match open.verb {
            Verb::Delete if self.in_list(&open.table, open.any) => self.text.push(')'),
            Verb::Delete | Verb::Update if limit && open.table.has_key() && !open.any => {
                self.text.push_str(&format!(" LIMIT {}", open.rows));
            }
            Verb::Insert if insert == Insert::Upsert => self.upsert(open),
            _ => {}
        }
        match open.verb {
            _ if open.any => Expect::Any,
            Verb::Replace => Expect::Any,
            Verb::Insert if insert != Insert::Plain => Expect::Any,
            _ => Expect::Rows(open.rows),
        }
    }

    /// Lets the row that is there take the new one's values, its key apart.
    fn upsert(&mut self, open: &Open) {
        let (table, dialect) = (&open.table, self.form.dialect);
        let mut others = open.columns.iter().copied().filter(|i| !table.key.contains(i)).peekable();
        let nothing = others.peek().is_none();
        match dialect {
            Dialect::Mysql => self.text.push_str("\nON DUPLICATE KEY UPDATE "),
            Dialect::Sqlite => {
                self.text.push_str("\nON CONFLICT (");
                self.names(table, table.key.iter().copied());
                self.text.push_str(if nothing { ") DO NOTHING" } else { ") DO UPDATE SET " });
            }
        }
        if nothing && dialect == Dialect::Mysql {
            // A key column set to itself: nothing changes.
            self.names(table, table.key.first().copied().into_iter());
            self.text.push('=');
            self.names(table, table.key.first().copied().into_iter());
        }
        for (n, i) in others.enumerate() {
            self.comma(n);
            self.names(table, std::iter::once(i));
            // Both servers know VALUES(); only MySQL has a name for the new row.
            self.text.push_str(if dialect == Dialect::Mysql { "=VALUES(" } else { "=excluded." });
            self.names(table, std::iter::once(i));
            self.text.push_str(if dialect == Dialect::Mysql { ")" } else { "" });
        }
    }

    /// Column names, commas between them.
    fn names(&mut self, table: &Table, columns: impl Iterator<Item = usize>) {
        for (n, i) in columns.enumerate() {
            self.comma(n);
            quote::identifier(&mut self.text, self.form.dialect, &table.columns[i].name);
        }
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

    pub(super) fn comma(&mut self, n: usize) {
        if n > 0 {
            self.text.push_str(", ");
        }
    }

    pub(super) fn value(
        &mut self,
        table: &Table,
        column: usize,
        value: Option<Value<'_>>,
    ) -> Result<()> {
        let value = value.unwrap_or(Value::NULL);
        quote::value(&mut self.text, self.form.dialect, &table.columns[column], value)
            .map_err(|e| e.at(&table.name))
    }

    pub(super) fn delete(&mut self, op: &RowOp<'_, '_>) -> Result<bool> {
        let in_list = self.in_list(op.table, op.any);
        // Rows without a key are counted one by one: LIMIT holds for a whole statement.
        let most = match op.table.has_key() {
            true if in_list => self.form.rows,
            true => self.form.conditions(),
            false => 1,
        };
        if self.join(op, most, |to, open| to.delete_row(op, in_list, open.changes))? {
            return Ok(false);
        }
        self.close()?;
        self.begin(op, Vec::new());
        self.text.push_str("DELETE FROM ");
        quote::table(&mut self.text, self.form.dialect, &op.table.name);
        self.text.push_str(" WHERE ");
        if in_list {
            self.key_tuple_of_names(op.table);
            self.text.push_str(" IN (");
            if op.table.key.len() > 1 && self.form.dialect == Dialect::Sqlite {
                self.text.push_str("VALUES ");
            }
        }
        self.delete_row(op, in_list, 0)?;
        Ok(true)
    }

    /// True when the rows to go are listed by their keys. One row is named on its own, so that it
    /// can be looked up when the count is wrong.
    fn in_list(&self, table: &Table, any: bool) -> bool {
        let by_key =
            self.form.direction == Direction::Forward && self.form.images == Images::Minimal;
        table.has_key() && self.form.rows > 1 && (by_key || any) && plain_key(table)
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
        if op.any {
            return Ok(());
        }
        if self.form.images == Images::Full {
            self.and_all(op.table, image)?;
        } else if self.form.direction.is_reverse() {
            for i in (0..op.table.columns.len()).filter(|&i| guards(op, i)) {
                self.and_is(op.table, image, i)?;
            }
        }
        Ok(())
    }

    fn key_tuple_of_names(&mut self, table: &Table) {
        let (before, after) = if table.key.len() > 1 { ("(", ")") } else { ("", "") };
        self.text.push_str(before);
        self.names(table, table.key.iter().copied());
        self.text.push_str(after);
    }

    /// The condition that names a row by its key.
    pub(super) fn key_is(&mut self, table: &Table, image: &Image<'_>) -> Result<()> {
        let start = self.text.len();
        for (n, &i) in table.key.iter().enumerate() {
            if n > 0 {
                self.text.push_str(" AND ");
            }
            if plain_key(table) {
                quote::identifier(&mut self.text, self.form.dialect, &table.columns[i].name);
                self.text.push('=');
                self.value(table, i, image.0[i])?;
            } else {
                self.is(table, image, i)?;
            }
        }
        self.key = start..self.text.len();
        Ok(())
    }

    pub(super) fn is(&mut self, table: &Table, image: &Image<'_>, column: usize) -> Result<()> {
        let value = image.0[column].unwrap_or(Value::NULL);
        quote::equals(&mut self.text, self.form.dialect, &table.columns[column], value)
            .map_err(|e| e.at(&table.name))
    }

    /// As [`Statements::and_is`] for all columns of the event but the key's.
    pub(super) fn and_all(&mut self, table: &Table, image: &Image<'_>) -> Result<()> {
        for (i, column) in table.columns.iter().enumerate() {
            if !table.key.contains(&i) && !column.generated && image.0[i].is_some() {
                self.and_is(table, image, i)?;
            }
        }
        Ok(())
    }

    pub(super) fn and_is(&mut self, table: &Table, image: &Image<'_>, column: usize) -> Result<()> {
        self.text.push_str(" AND ");
        self.is(table, image, column)
    }

    /// The condition that names `times` of the rows that are equal to `image`.
    pub(super) fn limited(&mut self, table: &Table, image: &Image<'_>, times: u64) -> Result<()> {
        if self.form.dialect == Dialect::Sqlite {
            // SQLite's own name for a row has synonyms, for a column may be called so.
            let taken =
                |name: &str| table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
            let names = ["rowid", "oid", "_rowid_"];
            let id = names.into_iter().find(|name| !taken(name)).unwrap_or("rowid");
            self.text.push_str(&format!("{id} IN (SELECT {id} FROM "));
            quote::table(&mut self.text, self.form.dialect, &table.name);
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
        if n == 0 {
            return Err(Error::stopped(format!(
                "{}: a row without a key and without a value cannot be found",
                table.name
            ))
            .help("leave the table out with " + Means::ExcludeTable));
        }
        if self.form.dialect == Dialect::Sqlite {
            self.same_text_first(table, image)?;
        }
        self.text.push_str(&format!(" LIMIT {times}"));
        if self.form.dialect == Dialect::Sqlite {
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
            quote::is(&mut self.text, self.form.dialect, column, value)
                .map_err(|e| e.at(&table.name))?;
            self.text.push_str(" DESC");
            before = ", ";
        }
        Ok(())
    }
}

impl Open {
    /// True when the change may stand in this statement.
    fn takes(&self, op: &RowOp<'_, '_>, most: usize) -> bool {
        let insert = matches!(self.verb, Verb::Insert | Verb::Replace);
        Arc::ptr_eq(&self.table, op.table)
            && self.any == op.any
            && self.verb == op.act.verb()
            && self.rows < most as u64
            && (!insert || written(op.table, op.act.found_by()).eq(self.columns.iter().copied()))
    }
}

/// True for a column that must still hold what is taken back. The key names the row, and ON UPDATE
/// columns never have to: another change to the row sets them anew.
fn guards(op: &RowOp<'_, '_>, i: usize) -> bool {
    let (table, column) = (op.table, &op.table.columns[i]);
    if column.on_update || column.generated || table.key.contains(&i) {
        return false;
    }
    match op.act {
        Act::Update(before, after) => differs(before, after, i),
        Act::Delete(_) | Act::Insert(_) | Act::Replace(_) => !table.target_only.contains(&i),
    }
}

/// The columns an INSERT names: those the event has and the server does not compute.
pub(super) fn written(table: &Table, image: &Image<'_>) -> impl Iterator<Item = usize> {
    let all = table.columns.iter().zip(&image.0).enumerate();
    all.filter(|(_, (column, value))| value.is_some() && !column.generated).map(|(i, _)| i)
}

/// True when the key's values can be compared by `=` and IN.
fn plain_key(table: &Table) -> bool {
    table.key.iter().all(|&i| {
        let column = &table.columns[i];
        let padded = column.type_name != "binary" || column.binary_width.is_some();
        column.kind != Kind::Float && padded
    })
}
