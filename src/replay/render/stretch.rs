//! One stretch of whole transactions as SQL.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use super::job::{Done, Job, Piece};
use super::sheet::{Part, Sheet, Split};
use crate::dest::script;
use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::time::utc;
use crate::event::{Direction, Event, TableName, printable};
use crate::plan::Table;
use crate::plan::op::RowOp;
use crate::replay::binder::{Places, Recent, Tables};
use crate::replay::boundary::Boundary;
use crate::route::dealing::Dealing;
use crate::spool::{Frame, Seq};
use crate::sql::{Dialect, Statements};

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
    let reverse = job.what.direction == Direction::Reverse;
    let mut writer = Writer {
        job,
        recent: Recent::default(),
        tables: Tables::default(),
        statements: Statements::of(job.what.form),
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
        for event in frame.events(range, job.what.direction) {
            let (seq, event) = event?;
            if boundary.before(&event.meta, job.what.direction) && !event.meta.op.is_bootstrap() {
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

struct Writer<'s> {
    job: &'s Job<'s>,
    recent: Recent<(Arc<Dealing<'s>>, Places)>,
    tables: Tables,
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

impl<'s> Writer<'s> {
    fn event(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        if !self.job.what.selection.filter.takes_event(event) {
            return Ok(());
        }
        if self.job.what.direction == Direction::Reverse && event.meta.op.is_bootstrap() {
            self.done.bootstrap_rows_left_out += 1;
            return Ok(());
        }
        if event.meta.op.is_ddl() {
            return self.ddl(seq, event);
        }
        let (dealing, tables) = match self.recent.find(seq, event) {
            Some(known) => known.clone(),
            None => self.tables(seq, event)?,
        };
        if tables.iter().any(|table| table.is_sequence()) {
            return Ok(());
        }
        let job = self.job;
        job.binder.changes(seq, event, &dealing, &tables, &mut |n, change| {
            let table = &tables[n];
            let sheet = self.sheet(seq, event, table);
            self.sheets[sheet].counts.rows += 1;
            for op in RowOp::of_change(table, &change) {
                if self.statements.add(&op)? {
                    self.written();
                    self.begin(sheet, event, &table.name)?;
                }
            }
            Ok(())
        })
    }

    /// Begins a statement in a sheet, and its transaction.
    fn begin(&mut self, sheet: usize, event: &Event<'_>, place: &TableName) -> Result<()> {
        let job = self.job;
        self.at = sheet;
        self.done.transactions += u64::from(!std::mem::replace(&mut self.begun, true));
        let sheet = &mut self.sheets[sheet];
        sheet.begin();
        if job.what.form.dialect == Dialect::Sqlite
            && let Some(def) = self.tables.definition(&event.meta.name())
        {
            let create = || Ok(script::create(Dialect::Sqlite, &job.what.route.def(def, place)?));
            sheet.make(place, create)?;
        }
        self.comment(event);
        Ok(())
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
        let found = match self.job.what.split {
            None => self.sheets.len().checked_sub(1),
            Some(Split::Table) => self
                .sheets
                .iter()
                .position(|sheet| matches!(&sheet.part, Part::Table(name) if *name == table.name)),
            Some(Split::Transaction) => self.sheets.iter().position(|sheet| !sheet.ended),
        };
        found.unwrap_or_else(|| {
            let part = match self.job.what.split {
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
            if let Some((part, text, counts)) = sheet.take(|| self.job.text())
                && !to(Piece::Text { part, text, counts, seq })
            {
                return false;
            }
        }
        if self.job.what.split == Some(Split::Transaction) {
            // One goes on at most.
            self.sheets.retain(|sheet| !sheet.ended);
            self.at = 0;
        }
        true
    }

    /// How the rows of an event's table are dealt out, and the tables where they go, remembered for
    /// those that follow.
    fn tables(&mut self, seq: Seq, event: &Event<'_>) -> Result<(Arc<Dealing<'s>>, Places)> {
        let (name, job) = (event.meta.name(), self.job);
        let (def, seqs) = job.binder.definition(&name, seq);
        let at = |e: Error| e.at(format!("message {seq}"));
        let dealing = Arc::new(job.binder.dealing(&name, def.as_deref()).map_err(at)?);
        let places = match self.tables.get(&name, def.as_ref()) {
            Some(places) => places,
            None => {
                let made = |def: Option<&TableDef>| match def.filter(|d| d.complete) {
                    Some(def) => script::table(job.what.form.dialect, def).map(Arc::new),
                    None => Err(at(script::unknown(&name))),
                };
                let table = |place| job.binder.table(&name, def.as_deref(), place, made);
                dealing.places.iter().map(table).collect::<Result<_>>()?
            }
        };
        self.tables.put(name.clone(), def, places.clone());
        let known = (dealing, places);
        self.recent.put(name, seqs, known.clone());
        Ok(known)
    }

    fn ddl(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        // A further message of a statement, or one that is being taken back.
        let Some(text) = self.job.ddl.get(&seq) else { return Ok(()) };
        self.commit()?;
        self.comment(event);
        if self.job.what.split == Some(Split::Transaction) {
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
            note.push(' ');
            position.push_to(note);
        }
        if let Some(xid) = meta.xid {
            note.push_str(" xid ");
            note.push_str(itoa::Buffer::new().format(xid));
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
