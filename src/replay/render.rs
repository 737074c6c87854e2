//! Spool to SQL that the stock client runs unchanged, one source transaction per BEGIN/COMMIT.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use chrono::DateTime;

use super::boundary::Boundary;
use super::{Definitions, Selection, ahead};
use crate::error::{Context as _, Error, Result};
use crate::event::def::TableDef;
use crate::event::{Event, Op, TableName, maxwell, printable};
use crate::plan::{Change, Table};
use crate::spool::{Bootstrap, Order, Seq, Spool};
use crate::sql::{Dialect, Guard, Statements, quote};
use crate::target::{Ddl, Direction};

/// What was rendered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Row events.
    pub rows: u64,
    /// Transactions.
    pub transactions: u64,
    /// DDL statements.
    pub ddl: u64,
    /// Bootstrap rows left out of a reverse.
    pub bootstrap_rows_left_out: u64,
}

const HEADER: &str = "SET NAMES utf8mb4;
SET time_zone='+00:00';
SET sql_mode='STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';
";

/// Writes a selection as SQL; `report` is told the sequence reached.
///
/// # Errors
/// When a value's type is not known, or the output cannot be written. The end mark is missing then.
pub fn render(
    spool: &Spool,
    definitions: &Definitions,
    selection: &Selection,
    direction: Direction,
    out: &mut dyn Write,
    report: &mut dyn FnMut(Seq),
) -> Result<Outcome> {
    let guard = match direction {
        Direction::Forward => Guard::Key,
        Direction::Reverse => Guard::Values,
    };
    let mut writer = Writer {
        spool,
        definitions,
        selection,
        direction,
        out,
        bootstraps: spool.bootstraps()?,
        tables: HashMap::new(),
        statements: Statements::new(Dialect::Mysql, guard, 1),
        begun: false,
        text: String::new(),
        time: (i64::MIN, String::new()),
        outcome: Outcome::default(),
    };
    writer.head()?;
    let order = match direction {
        Direction::Forward => Order::Forward,
        Direction::Reverse => Order::Reverse,
    };
    let mut boundary = Boundary::default();
    for frame in ahead(spool.frames(selection.range.clone(), order)) {
        let frame = frame?;
        for n in 0..frame.len() {
            let n = if direction == Direction::Reverse { frame.len() - 1 - n } else { n };
            let record = frame.get(n);
            if record.resend || record.damaged || !selection.range.contains(&record.seq) {
                continue;
            }
            let event = maxwell::parse_stored(record.bytes).map_err(|damage| {
                Error::failed(format!("{} message {}: {damage}", frame.place(), record.seq))
            })?;
            let cut = boundary.before(&event.meta, direction);
            writer.event(record.seq, &event, cut)?;
        }
        writer.flush()?;
        report(frame.first());
    }
    writer.finish()
}

struct Writer<'s> {
    spool: &'s Spool,
    definitions: &'s Definitions,
    selection: &'s Selection,
    direction: Direction,
    out: &'s mut dyn Write,
    bootstraps: Vec<Bootstrap>,
    tables: HashMap<TableName, (Arc<TableDef>, Arc<Table>)>,
    statements: Statements,
    begun: bool,
    text: String,
    /// The time written last, in seconds and in words: rows come in thousands a second.
    time: (i64, String),
    outcome: Outcome,
}

impl Writer<'_> {
    fn head(&mut self) -> Result<()> {
        let Range { start, end } = self.selection.range;
        self.text.push_str(&format!(
            "-- binsync {}: {} SQL of messages {start} to {}, spool {}\n-- selection: {}\n{HEADER}",
            env!("CARGO_PKG_VERSION"),
            self.direction.name(),
            end.saturating_sub(1),
            self.spool.id(),
            printable(&self.selection.words),
        ));
        if self.definitions.logs_cascades == Some(true) {
            // The source logs the rows its foreign keys change, child first.
            self.text.push_str("SET foreign_key_checks=0;\n");
        }
        Ok(())
    }

    fn event(&mut self, seq: Seq, event: &Event<'_>, cut: bool) -> Result<()> {
        if cut && !event.meta.op.is_bootstrap() {
            self.commit();
        }
        if self.direction == Direction::Reverse && event.meta.op.is_bootstrap() {
            self.outcome.bootstrap_rows_left_out += u64::from(event.meta.op == Op::BootstrapInsert);
            return Ok(());
        }
        if !self.selection.filter.takes(&event.meta) {
            return Ok(());
        }
        if event.meta.op.is_ddl() {
            return self.ddl(seq, event);
        }
        let table = self.table(seq, event)?;
        let overwrite = self.direction == Direction::Forward
            && (event.meta.op == Op::BootstrapInsert || self.is_copied(seq, &table.name));
        let change = Change::bind(seq, event, &table, overwrite)?;
        let change = match self.direction {
            Direction::Forward => change,
            Direction::Reverse => change.inverse(&table)?,
        };
        if overwrite && !table.has_key() {
            return Err(Error::stopped(format!(
                "{}: the producer copied (bootstrapped) this table while it changed, and it has \
                 no key to tell its rows apart",
                table.name
            ))
            .help("leave the table out with --exclude-table"));
        }
        self.statements.clear();
        self.statements.change(&table, &change)?;
        self.outcome.rows += 1;
        if self.statements.items.is_empty() {
            return Ok(());
        }
        if !self.begun {
            self.text.push_str("BEGIN;\n");
            self.begun = true;
            self.outcome.transactions += 1;
        }
        self.comment(event);
        self.text.push_str(&self.statements.text);
        Ok(())
    }

    fn commit(&mut self) {
        if self.begun {
            self.text.push_str("COMMIT;\n");
            self.begun = false;
        }
    }

    fn is_copied(&self, seq: Seq, name: &TableName) -> bool {
        self.bootstraps
            .iter()
            .any(|b| b.table == *name && b.start <= seq && b.end.is_none_or(|end| seq < end))
    }

    fn table(&mut self, seq: Seq, event: &Event<'_>) -> Result<Arc<Table>> {
        let name = event.meta.name();
        let def = self.definitions.history.at(&name, seq).filter(|def| def.complete);
        let def = def.ok_or_else(|| {
            Error::stopped(format!("{name} (message {seq}): the table's definition is not known"))
                .help("store it in the spool with: binsync schema add --from mysql://user@host, then render again")
        })?;
        if let Some((known, table)) = self.tables.get(&name)
            && Arc::ptr_eq(known, &def)
        {
            return Ok(table.clone());
        }
        let table = Arc::new(Table::from_def(&def));
        self.tables.insert(name, (def, table.clone()));
        Ok(table)
    }

    fn ddl(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        if self.direction == Direction::Reverse {
            return Ok(());
        }
        self.commit();
        let filter = &self.selection.filter;
        let Some(ddl) = self.definitions.statement(self.spool, filter, seq)? else {
            return Ok(());
        };
        self.comment(event);
        self.statement(&ddl);
        self.outcome.ddl += 1;
        Ok(())
    }

    fn statement(&mut self, ddl: &Ddl) {
        match (ddl.op, &ddl.charset) {
            (Op::DatabaseCreate, Some(charset)) => {
                self.text.push_str("SET character_set_server=");
                quote::text(&mut self.text, Dialect::Mysql, charset);
                self.text.push_str(";\n");
            }
            (Op::DatabaseCreate | Op::DatabaseDrop, _) => {}
            _ => {
                self.text.push_str("USE ");
                quote::identifier(&mut self.text, Dialect::Mysql, &ddl.database);
                self.text.push_str(";\n");
            }
        }
        let (s, ms) = (ddl.ts_ms.div_euclid(1000), ddl.ts_ms.rem_euclid(1000));
        self.text.push_str(&format!("SET timestamp={s}.{ms:03};\n"));
        if ddl.sql.contains(['\0', '\r']) || ddl.sql.to_ascii_lowercase().contains("delimiter") {
            // The stock client would change these bytes, or take the word for a command.
            self.text.push_str("SET @binsync_ddl=CONVERT(");
            quote::bytes(&mut self.text, ddl.sql.as_bytes());
            self.text.push_str(" USING utf8mb4);\nPREPARE binsync_ddl FROM @binsync_ddl;\nEXECUTE binsync_ddl;\nDEALLOCATE PREPARE binsync_ddl;\n");
        } else {
            self.text.push_str(&ddl.sql);
            self.text.push_str(";\n");
        }
        self.text.push_str("SET timestamp=DEFAULT;\n");
    }

    /// The line before a statement: time, position, xid, table.
    fn comment(&mut self, event: &Event<'_>) {
        let meta = &event.meta;
        if self.time.0 != meta.ts {
            let time = DateTime::from_timestamp(meta.ts, 0);
            let text = time.map(|t| t.format("%Y-%m-%dT%H:%M:%SZ").to_string());
            self.time = (meta.ts, text.unwrap_or_default());
        }
        self.text.push_str("-- ");
        self.text.push_str(&self.time.1);
        if let Some(position) = meta.position {
            let _ = write!(self.text, " {position}");
        }
        if let Some(xid) = meta.xid {
            let _ = write!(self.text, " xid {xid}");
        }
        self.text.push(' ');
        self.text.push_str(meta.op.name());
        self.text.push(' ');
        self.text.push_str(&printable(&meta.database));
        if !meta.table.is_empty() {
            self.text.push('.');
            self.text.push_str(&printable(&meta.table));
        }
        self.text.push('\n');
    }

    fn flush(&mut self) -> Result<()> {
        self.out.write_all(self.text.as_bytes()).context("writing SQL")?;
        self.text.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Outcome> {
        self.commit();
        let Outcome { rows, transactions, ddl, .. } = self.outcome;
        self.text.push_str(&format!(
            "-- binsync: complete: {rows} row events in {transactions} transactions, {ddl} DDL statements\n"
        ));
        self.flush()?;
        self.out.flush().context("writing SQL")?;
        Ok(self.outcome)
    }
}
