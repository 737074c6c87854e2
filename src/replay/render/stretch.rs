//! One stretch of whole transactions as SQL.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use chrono::DateTime;

use super::{Job, Outcome};
use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::{Event, Op, TableName, maxwell, printable};
use crate::plan::{Change, Table};
use crate::replay::boundary::Boundary;
use crate::spool::{Frame, Seq};
use crate::sql::{Dialect, Guard, Statements, quote};
use crate::target::{Ddl, Direction};

/// Renders a stretch frame by frame; `hand_over` takes the text of each with the sequence it
/// reaches, and is false when nobody wants more.
///
/// # Errors
/// When a value's type is not known, or a frame cannot be read.
pub(super) fn render(
    job: &Job<'_>,
    frames: impl Iterator<Item = Result<Frame>>,
    range: &Range<Seq>,
    hand_over: &mut dyn FnMut(String, Seq) -> bool,
) -> Result<Outcome> {
    let reverse = job.direction == Direction::Reverse;
    let guard = if reverse { Guard::Values } else { Guard::Key };
    let mut writer = Writer {
        job,
        tables: HashMap::new(),
        statements: Statements::new(Dialect::Mysql, guard, 1),
        begun: false,
        text: String::new(),
        time: (i64::MIN, String::new()),
        outcome: Outcome::default(),
    };
    let mut boundary = Boundary::default();
    for frame in frames {
        let frame = frame?;
        for n in 0..frame.len() {
            let n = if reverse { frame.len() - 1 - n } else { n };
            let record = frame.get(n);
            if record.resend || record.damaged || !range.contains(&record.seq) {
                continue;
            }
            let event = maxwell::parse_stored(record.bytes).map_err(|damage| {
                Error::failed(format!("{} message {}: {damage}", frame.place(), record.seq))
            })?;
            let cut = boundary.before(&event.meta, job.direction);
            writer.event(record.seq, &event, cut)?;
        }
        let text = std::mem::take(&mut writer.text);
        writer.text.reserve(text.len());
        if !hand_over(text, frame.first()) {
            return Ok(writer.outcome);
        }
    }
    writer.commit();
    hand_over(writer.text, if reverse { range.start } else { range.end });
    Ok(writer.outcome)
}

struct Writer<'s> {
    job: &'s Job<'s>,
    tables: HashMap<TableName, (Arc<TableDef>, Arc<Table>)>,
    statements: Statements,
    begun: bool,
    text: String,
    /// The time written last, in seconds and in words: rows come in thousands a second.
    time: (i64, String),
    outcome: Outcome,
}

impl Writer<'_> {
    fn event(&mut self, seq: Seq, event: &Event<'_>, cut: bool) -> Result<()> {
        if cut && !event.meta.op.is_bootstrap() {
            self.commit();
        }
        if self.job.direction == Direction::Reverse && event.meta.op.is_bootstrap() {
            self.outcome.bootstrap_rows_left_out += u64::from(event.meta.op == Op::BootstrapInsert);
            return Ok(());
        }
        if !self.job.selection.filter.takes_event(event) {
            return Ok(());
        }
        if event.meta.op.is_ddl() {
            self.ddl(seq, event);
            return Ok(());
        }
        let table = self.table(seq, event)?;
        let overwrite = self.job.direction == Direction::Forward
            && (event.meta.op == Op::BootstrapInsert || self.is_copied(seq, &table.name));
        let change = Change::bind(seq, event, &table, overwrite)?;
        let change = match self.job.direction {
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
        self.job
            .bootstraps
            .iter()
            .any(|b| b.table == *name && b.start <= seq && b.end.is_none_or(|end| seq < end))
    }

    fn table(&mut self, seq: Seq, event: &Event<'_>) -> Result<Arc<Table>> {
        let name = event.meta.name();
        let def = self.job.definitions.history.at(&name, seq).filter(|def| def.complete);
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

    fn ddl(&mut self, seq: Seq, event: &Event<'_>) {
        // A further message of a statement, or one that is being taken back.
        let Some(ddl) = self.job.ddl.get(&seq) else { return };
        self.commit();
        self.comment(event);
        self.statement(ddl);
        self.outcome.ddl += 1;
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
}
