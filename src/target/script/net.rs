//! A script as a target: for what has to be folded as a whole before it is written.

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
use crate::target::{Claim, FoundRow, Mark, Point, Run, Session, Sessions, Standing, Target};

/// Where a script goes.
pub type Out = Arc<Mutex<dyn Write + Send>>;

/// A script being written. It takes everything: what differs shows when it is run.
pub struct Script {
    claim: Claim,
    session: Writer,
}

struct Writer {
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
        let claim = Claim { name: String::new(), epoch: 0, seq: 0 };
        let statements = Statements::of(form);
        let session = Writer { out, form, statements, switch, begun: false, made: Vec::new() };
        Self { claim, session }
    }
}

impl Writer {
    fn text(&mut self, text: &str) -> Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes()).context("writing SQL")
    }

    fn closed(&mut self) -> Result<u64> {
        let mut text = String::new();
        let mut count = 0;
        let switch = &mut self.switch;
        self.statements.take(|sql, item: &Item| {
            switch.before(&mut text, sql, item);
            let Item { table, seq, rows, .. } = item;
            let of = if *rows > 1 { format!(", {rows} rows") } else { String::new() };
            text.push_str(&format!("-- net effect, to message {seq}: {}{of}\n", table.name));
            text.push_str(sql);
            count += 1;
        });
        self.text(&text).map(|()| count)
    }
}

impl Session for Writer {
    fn begin(&mut self, _: &Claim, _: Mark) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, ops: &[RowOp<'_, '_>]) -> Result<u64> {
        if !self.begun && !ops.is_empty() {
            self.text("BEGIN;\n")?;
            self.begun = true;
        }
        self.statements.ops(ops)?;
        self.closed()
    }

    fn savepoint(&mut self) -> Result<()> {
        Ok(())
    }

    fn rewind(&mut self) -> Result<()> {
        Ok(())
    }

    fn find(&mut self, _: &RowOp<'_, '_>) -> Result<Option<FoundRow>> {
        Ok(None)
    }

    fn commit(&mut self, _: &Claim, _: Option<&Point>) -> Result<()> {
        match std::mem::take(&mut self.begun) {
            true => self.text("COMMIT;\n"),
            false => Ok(()),
        }
    }

    fn rollback(&mut self) {}
}

impl Target for Script {
    fn start(&mut self, _: &Run, first: &Point) -> Result<Standing> {
        self.claim.seq = first.seq;
        Ok(Standing { seq: first.seq, ..Standing::default() })
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        let Some(def) = def.filter(|def| def.complete) else { return Err(unknown(name)) };
        let mut table = super::table(self.session.form.dialect, def)?;
        if !self.session.made.contains(name) {
            self.session.text(&super::create(self.session.form.dialect, def))?;
            self.session.made.push(name.clone());
        }
        // Definitions do not tell the other unique indexes: a value of one may be in the way, so
        // all rows that leave have to leave first.
        table.uniques.push(Vec::new());
        Ok(Arc::new(table))
    }

    fn sessions(&mut self) -> Sessions<'_> {
        Sessions { claim: &mut self.claim, main: &mut self.session, lanes: &mut [] }
    }

    fn acts(&self) -> bool {
        self.session.form.dialect == Dialect::Mysql
    }

    fn ddl(&mut self, ddl: &Statement, next: &Point) -> Result<()> {
        let Form { dialect, packet, .. } = self.session.form;
        self.session.text(&super::ddl(dialect, ddl, packet)?)?;
        self.session.switch.forget();
        self.claim.seq = next.seq;
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
