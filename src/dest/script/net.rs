//! A script that is written as its rows are folded.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::Switch;
use crate::error::{Context, Error, Means, Result};
use crate::event::TableName;
use crate::event::ddl::Statement;
use crate::event::def::TableDef;
use crate::plan::Table;
use crate::plan::op::RowOp;
use crate::sql::{Dialect, Form, Item, Statements};

/// Where a script goes.
pub type Out = Arc<Mutex<dyn Write + Send>>;

/// A script being written. It takes everything: what differs shows when it is run.
pub struct Script {
    out: Out,
    form: Form,
    statements: Statements,
    switch: Switch,
    /// The open transaction has statements.
    begun: bool,
    made: Vec<TableName>,
}

impl Script {
    /// Begins after what was written before.
    pub fn new(out: Out, form: Form, switch: Switch) -> Self {
        let statements = Statements::of(form);
        Self { out, form, statements, switch, begun: false, made: Vec::new() }
    }

    /// False where no foreign key changes rows.
    pub fn acts(&self) -> bool {
        self.form.dialect == Dialect::Mysql
    }

    fn text(&mut self, text: &str) -> Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes()).context("writing SQL")
    }

    /// The table that rows are written for, which is made first where it may not be there.
    ///
    /// # Errors
    /// When its definition is not known, or does not tell what is needed.
    pub fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        let Some(def) = def.filter(|def| def.complete) else { return Err(unknown(name)) };
        let mut table = super::table(self.form.dialect, def)?;
        if !self.made.contains(name) {
            self.text(&super::create(self.form.dialect, def))?;
            self.made.push(name.clone());
        }
        // Definitions do not tell the other unique indexes: a value of one may be in the way, so
        // all rows that leave have to leave first.
        table.uniques.push(Vec::new());
        Ok(Arc::new(table))
    }

    /// Writes row changes in the open transaction, or begins one.
    ///
    /// # Errors
    /// When one cannot be written as SQL.
    pub fn write(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        if !self.begun && !ops.is_empty() {
            self.text("BEGIN;\n")?;
            self.begun = true;
        }
        self.statements.ops(ops)?;
        let mut text = String::new();
        let switch = &mut self.switch;
        self.statements.take(|sql, item: &Item| {
            switch.before(&mut text, sql, item);
            let Item { table, seq, rows, .. } = item;
            let of = if *rows > 1 { format!(", {rows} rows") } else { String::new() };
            text.push_str(&format!("-- net effect, to message {seq}: {}{of}\n", table.name));
            text.push_str(sql);
        });
        self.text(&text)
    }

    /// Ends the open transaction.
    ///
    /// # Errors
    /// When it cannot be written; so for what follows.
    pub fn commit(&mut self) -> Result<()> {
        match std::mem::take(&mut self.begun) {
            true => self.text("COMMIT;\n"),
            false => Ok(()),
        }
    }

    /// Writes a statement.
    ///
    /// # Errors
    /// When a script cannot do it.
    pub fn ddl(&mut self, ddl: &Statement) -> Result<()> {
        let Form { dialect, packet, .. } = self.form;
        self.text(&super::ddl(dialect, ddl, packet)?)?;
        self.switch.forget();
        Ok(())
    }
}

/// No definition of a table, so that its values cannot be written.
pub fn unknown(name: &TableName) -> Error {
    Error::stopped(format!("{name}: the table's definition is not known")).help((
        "store it in the spool with: {} mysql://user@host, then render again",
        [Means::SchemaAdd],
    ))
}
