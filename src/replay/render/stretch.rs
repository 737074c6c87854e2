//! One stretch of whole transactions as SQL.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use super::job::{Done, Job, Piece};
use super::sheet::{Part, Sheet, Split};
use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::time::utc;
use crate::event::{Direction, Event, Op, TableName, printable};
use crate::plan::op::RowOp;
use crate::plan::{Change, Table};
use crate::replay::boundary::Boundary;
use crate::spool::{Frame, Seq};
use crate::sql::{Dialect, Statements};
use crate::target::script;

/// Renders a stretch frame by frame; `hand_over` takes the text of each part with the sequence it
/// reaches, and is false when nobody wants more.
///
/// # Errors
/// When a value's type is not known, or a frame cannot be read.
pub(super) fn render(
    job: &Job<'_>,
    frames: impl Iterator<Item = Result<Frame>>,
    range: &Range<Seq>,
    hand_over: &mut dyn FnMut(Piece) -> bool,
) -> Result<Done> {
    let reverse = job.direction == Direction::Reverse;
    let mut writer = Writer {
        job,
        known: Vec::new(),
        tables: HashMap::new(),
        statements: Statements::of(job.form),
        note: String::new(),
        sheets: Vec::new(),
        at: 0,
        time: (i64::MIN, String::new()),
        begun: false,
        done: Done::default(),
    };
    let mut boundary = Boundary::default();
    for frame in frames {
        let frame = frame?;
        for event in frame.events(range, job.direction) {
            let (seq, event) = event?;
            if boundary.before(&event.meta, job.direction) && !event.meta.op.is_bootstrap() {
                writer.commit()?;
            }
            writer.event(seq, &event)?;
        }
        if !writer.hand_over(frame.first(), hand_over) {
            return Ok(writer.done);
        }
    }
    writer.commit()?;
    writer.hand_over(if reverse { range.start } else { range.end }, hand_over);
    Ok(writer.done)
}

/// So many tables are found without asking the history.
const KNOWN: usize = 16;

/// A table that was met, and over which sequences it is the same.
struct Known {
    name: TableName,
    seqs: Range<Seq>,
    table: Arc<Table>,
}

impl Known {
    fn holds(&self, seq: Seq, event: &Event<'_>) -> bool {
        self.name.table == event.meta.table
            && self.name.database == event.meta.database
            && self.seqs.contains(&seq)
    }
}

/// A table of the stream: its definition there, and as it is written.
struct Bound {
    known: Arc<TableDef>,
    def: TableDef,
    table: Arc<Table>,
}

struct Writer<'s> {
    job: &'s Job<'s>,
    known: Vec<Known>,
    tables: HashMap<TableName, Bound>,
    statements: Statements,
    /// The line that stands before the open statement, without its end.
    note: String,
    sheets: Vec<Sheet>,
    /// The sheet that the open statement belongs to.
    at: usize,
    /// The time written last, in seconds and in words: rows come in thousands a second.
    time: (i64, String),
    /// A transaction is begun, in whatever sheets.
    begun: bool,
    done: Done,
}

impl Writer<'_> {
    fn event(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        if !self.job.selection.filter.takes_event(event) {
            return Ok(());
        }
        if self.job.direction == Direction::Reverse && event.meta.op.is_bootstrap() {
            self.done.bootstrap_rows_left_out += 1;
            return Ok(());
        }
        if event.meta.op.is_ddl() {
            return self.ddl(seq, event);
        }
        let table = match self.known.iter().find(|known| known.holds(seq, event)) {
            Some(known) => known.table.clone(),
            None => self.look_up(seq, event)?,
        };
        if table.is_sequence() {
            return Ok(());
        }
        let overwrite = table.rescue
            || self.job.direction == Direction::Forward
                && (event.meta.op == Op::BootstrapInsert || self.is_copied(seq, event));
        let reading = self.job.definitions.reading(seq, overwrite, self.job.direction);
        let change = Change::bind(seq, event, &table, reading)
            .map_err(|e| e.at(format!("message {seq}")))?;
        let change = match self.job.direction {
            Direction::Forward => change,
            Direction::Reverse => change.inverse(&table)?,
        };
        if overwrite && !table.has_key() && !table.rescue {
            return Err(Error::stopped(format!(
                "{}: the producer copied (bootstrapped) this table while it changed, and it has \
                 no key to tell its rows apart",
                table.name
            ))
            .help("leave the table out with --exclude-table"));
        }
        let sheet = self.sheet(seq, event, &table);
        self.sheets[sheet].counts.rows += 1;
        for op in RowOp::of_change(&table, &change) {
            if self.statements.add(&op)? {
                self.written();
                self.begin(sheet, event);
            }
        }
        Ok(())
    }

    /// The table of an event, remembered for those that follow.
    fn look_up(&mut self, seq: Seq, event: &Event<'_>) -> Result<Arc<Table>> {
        let table = self.table(seq, event)?;
        let name = event.meta.name();
        let seqs = self.job.definitions.history.span(&name, seq);
        self.known.truncate(KNOWN - 1);
        self.known.insert(0, Known { name, seqs, table: table.clone() });
        Ok(table)
    }

    /// Begins a statement in a sheet, and its transaction.
    fn begin(&mut self, sheet: usize, event: &Event<'_>) {
        let job = self.job;
        self.at = sheet;
        self.done.transactions += u64::from(!std::mem::replace(&mut self.begun, true));
        let sheet = &mut self.sheets[sheet];
        sheet.begin();
        if job.form.dialect == Dialect::Sqlite
            && let Some(Bound { def, table, .. }) = self.tables.get(&event.meta.name())
        {
            sheet.make(&table.name, || script::create(Dialect::Sqlite, def));
        }
        self.comment(event);
    }

    /// Moves the closed statements to their sheet.
    fn written(&mut self) {
        let Some(sheet) = self.sheets.get_mut(self.at) else { return };
        let note = &self.note;
        self.statements.take(|sql, item| {
            sheet.switch.before(&mut sheet.text, sql, item);
            sheet.text.push_str(note);
            if item.rows > 1 {
                let _ = write!(sheet.text, ", {} rows", item.rows);
            }
            sheet.text.push('\n');
            sheet.text.push_str(sql);
        });
    }

    fn commit(&mut self) -> Result<()> {
        self.statements.close()?;
        self.written();
        self.begun = false;
        self.sheets.iter_mut().for_each(Sheet::commit);
        Ok(())
    }

    /// The sheet that a row change belongs to.
    fn sheet(&mut self, seq: Seq, event: &Event<'_>, table: &Table) -> usize {
        let meta = &event.meta;
        let found = match self.job.split {
            None => self.sheets.len().checked_sub(1),
            Some(Split::Table) => self
                .sheets
                .iter()
                .position(|sheet| matches!(&sheet.part, Part::Table(name) if *name == table.name)),
            Some(Split::Transaction) => self.sheets.iter().position(|sheet| !sheet.ended),
        };
        found.unwrap_or_else(|| {
            let part = match self.job.split {
                None => Part::Whole,
                Some(Split::Table) => Part::Table(table.name.clone()),
                Some(Split::Transaction) => {
                    Part::Transaction { first: seq, ts: meta.ts, xid: meta.xid }
                }
            };
            self.sheets.push(Sheet::new(part, self.job.switch.clone()));
            self.sheets.len() - 1
        })
    }

    /// Hands over what is written.
    fn hand_over(&mut self, seq: Seq, to: &mut dyn FnMut(Piece) -> bool) -> bool {
        for sheet in &mut self.sheets {
            if let Some((part, text, counts)) = sheet.take()
                && !to(Piece::Text { part, text, counts, seq })
            {
                return false;
            }
        }
        if self.job.split == Some(Split::Transaction) {
            // One goes on at most.
            self.sheets.retain(|sheet| !sheet.ended);
            self.at = 0;
        }
        true
    }

    fn is_copied(&self, seq: Seq, event: &Event<'_>) -> bool {
        self.job.bootstraps.iter().any(|b| b.copies(seq, &event.meta))
    }

    fn table(&mut self, seq: Seq, event: &Event<'_>) -> Result<Arc<Table>> {
        let name = event.meta.name();
        let def = self.job.definitions.history.at(&name, seq).filter(|def| def.complete);
        let def = def.ok_or_else(|| script::unknown(&name).at(format!("message {seq}")))?;
        if let Some(Bound { known, table, .. }) = self.tables.get(&name)
            && Arc::ptr_eq(known, &def)
        {
            return Ok(table.clone());
        }
        let (route, known) = (self.job.route, def);
        let def = route.def(&known)?;
        let mut table = script::table(self.job.form.dialect, &def)?;
        table.route(&route.columns(&name))?;
        table.rescue = self.job.direction == Direction::Reverse && route.renames(&name);
        let table = Arc::new(table);
        self.tables.insert(name, Bound { known, def, table: table.clone() });
        Ok(table)
    }

    fn ddl(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        // A further message of a statement, or one that is being taken back.
        let Some(text) = self.job.ddl.get(&seq) else { return Ok(()) };
        self.commit()?;
        self.comment(event);
        if self.job.split == Some(Split::Transaction) {
            let part = Part::Ddl { first: seq, ts: event.meta.ts };
            self.sheets.push(Sheet::new(part, self.job.switch.clone()));
        } else if self.sheets.is_empty() {
            self.sheets.push(Sheet::new(Part::Whole, self.job.switch.clone()));
        }
        if let Some(sheet) = self.sheets.last_mut() {
            sheet.ddl(&self.note, text);
        }
        Ok(())
    }

    /// The line before a statement: time, position, xid, table.
    fn comment(&mut self, event: &Event<'_>) {
        let meta = &event.meta;
        if self.time.0 != meta.ts {
            self.time = (meta.ts, utc(meta.ts));
        }
        let note = &mut self.note;
        note.clear();
        note.push_str("-- ");
        note.push_str(&self.time.1);
        if let Some(position) = meta.position {
            let _ = write!(note, " {position}");
        }
        if let Some(xid) = meta.xid {
            let _ = write!(note, " xid {xid}");
        }
        note.push(' ');
        note.push_str(meta.op.name());
        note.push(' ');
        note.push_str(&printable(&meta.database));
        if !meta.table.is_empty() {
            note.push('.');
            note.push_str(&printable(&meta.table));
        }
    }
}
