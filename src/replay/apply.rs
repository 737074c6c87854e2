//! Spool to database: chunks of events, folded to their net effect, each target transaction
//! ending where a source transaction ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::boundary::Boundary;
use super::{Definitions, Selection, ahead};
use crate::error::{Error, ErrorKind, Result};
use crate::event::def::TableDef;
use crate::event::{Event, Op, TableName, maxwell};
use crate::plan::{Change, Table};
use crate::spool::{Bootstrap, Frame, Order, Seq, Spool};
use crate::sql::{Guard, Statements};
use crate::target::{Direction, Run, Target};

/// Events are planned together up to so many …
const CHUNK_ROWS: usize = 16_000;
/// … or so many bytes of messages.
const CHUNK_BYTES: usize = 8 << 20;
/// Rows in one statement.
const STATEMENT_ROWS: usize = 500;
/// A step that fails for a passing reason is tried so many times.
const TRIES: u32 = 8;

/// What an apply did; what was rolled back is not in it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Row events taken, by table.
    pub rows: BTreeMap<TableName, u64>,
    /// Statements sent for them.
    pub statements: u64,
    /// DDL statements run.
    pub ddl: u64,
    /// Bootstrap rows left out of a reverse.
    pub bootstrap_rows_left_out: u64,
}

impl Outcome {
    /// Row events of all tables.
    pub fn row_events(&self) -> u64 {
        self.rows.values().sum()
    }

    fn add(&mut self, other: Self) {
        for (table, rows) in other.rows {
            *self.rows.entry(table).or_default() += rows;
        }
        self.statements += other.statements;
        self.ddl += other.ddl;
        self.bootstrap_rows_left_out += other.bootstrap_rows_left_out;
    }
}

/// What an apply works from.
pub struct Job<'s> {
    /// The spool.
    pub spool: &'s Spool,
    /// Its definitions.
    pub definitions: &'s Definitions,
    /// What to take.
    pub selection: &'s Selection,
    /// The progress row.
    pub run: Run,
    /// Raised to end the apply at the next chance.
    pub stop: &'s AtomicBool,
}

/// Applies a selection. `open` connects to the target, again after a lost connection; `report`
/// is told the sequence reached, or in words what went wrong and is tried again.
///
/// # Errors
/// When the target refuses, or the apply was told to stop; what is committed stays, a rerun goes
/// on after it.
pub fn apply(
    job: &Job<'_>,
    open: &mut dyn FnMut() -> Result<Box<dyn Target>>,
    report: &mut dyn FnMut(Report<'_>),
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let (mut rows_a_statement, mut tries, mut connected) = (STATEMENT_ROWS, 0, false);
    loop {
        let (before, mut executing) = (outcome.statements, false);
        let done = open().and_then(|mut target| {
            connected = true;
            let mut pass = Pass::new(job, target.as_mut(), rows_a_statement, &mut outcome)?;
            let done = pass.run(report);
            executing = pass.executing;
            done
        });
        if outcome.statements > before {
            tries = 0;
        }
        match done {
            Ok(()) => return Ok(outcome),
            // Once more, row by row, so that the error names the row.
            Err(e) if e.kind() == ErrorKind::Stopped && rows_a_statement > 1 && executing => {
                rows_a_statement = 1;
            }
            Err(e) if e.kind() == ErrorKind::Retry && connected && tries < TRIES => {
                tries += 1;
                report(Report::Trouble(&format!("{e}; trying again ({tries} of {TRIES})")));
                std::thread::sleep(Duration::from_millis(200 << tries.min(6)));
            }
            Err(e) => return Err(e),
        }
    }
}

/// What is told of an apply while it runs.
pub enum Report<'a> {
    /// The sequence reached.
    Reached(Seq),
    /// What went wrong and is tried again.
    Trouble(&'a str),
}

struct Pass<'s> {
    job: &'s Job<'s>,
    target: &'s mut dyn Target,
    direction: Direction,
    bootstraps: Vec<Bootstrap>,
    tables: HashMap<TableName, (Option<Arc<TableDef>>, Arc<Table>)>,
    statements: Statements,
    boundary: Boundary,
    from: Seq,
    executing: bool,
    /// What the open target transaction has done.
    pending: Outcome,
    outcome: &'s mut Outcome,
}

impl<'s> Pass<'s> {
    fn new(
        job: &'s Job<'s>,
        target: &'s mut dyn Target,
        rows: usize,
        outcome: &'s mut Outcome,
    ) -> Result<Self> {
        let direction = job.run.direction;
        let range = &job.selection.range;
        let (first, guard) = match direction {
            Direction::Forward => (range.start, Guard::Key),
            Direction::Reverse => (range.end, Guard::Values),
        };
        let from = target.start(&job.run, first)?;
        Ok(Self {
            statements: Statements::new(target.dialect(), guard, rows),
            bootstraps: job.spool.bootstraps()?,
            tables: HashMap::new(),
            boundary: Boundary::default(),
            executing: false,
            pending: Outcome::default(),
            job,
            target,
            direction,
            from,
            outcome,
        })
    }

    fn run(&mut self, report: &mut dyn FnMut(Report<'_>)) -> Result<()> {
        let range = &self.job.selection.range;
        let (range, order, end) = match self.direction {
            Direction::Forward => {
                (self.from.max(range.start)..range.end, Order::Forward, range.end)
            }
            Direction::Reverse => {
                (range.start..self.from.min(range.end), Order::Reverse, range.start)
            }
        };
        if range.is_empty() {
            return Ok(());
        }
        let mut frames = ahead(self.job.spool.frames(range.clone(), order));
        let mut chunk: Vec<Frame> = Vec::new();
        loop {
            let (mut rows, mut bytes) = (0, 0);
            chunk.clear();
            while rows < CHUNK_ROWS && bytes < CHUNK_BYTES {
                let Some(frame) = frames.next() else { break };
                let frame = frame?;
                (rows, bytes) = (rows + frame.len(), bytes + frame.raw_len());
                chunk.push(frame);
            }
            if chunk.is_empty() {
                break;
            }
            if self.job.stop.load(Ordering::Relaxed) {
                return Err(Error::stopped("stopped by a signal")
                    .help("run the same command again, it goes on after what is committed"));
            }
            let reached = self.chunk(&chunk, &range)?;
            report(Report::Reached(reached));
        }
        self.commit(end)
    }

    fn commit(&mut self, seq: Seq) -> Result<()> {
        self.target.commit(seq)?;
        self.outcome.add(std::mem::take(&mut self.pending));
        Ok(())
    }

    /// Plans and writes the events of one chunk; returns the last sequence seen.
    fn chunk(&mut self, frames: &[Frame], range: &std::ops::Range<Seq>) -> Result<Seq> {
        let mut events: Vec<(Seq, Event<'_>)> = Vec::new();
        // Up to here events are whole transactions; progress may stand at that sequence.
        let mut whole: Option<(usize, Seq)> = None;
        let mut last = range.start;
        for frame in frames {
            for n in 0..frame.len() {
                let n = if self.direction == Direction::Reverse { frame.len() - 1 - n } else { n };
                let record = frame.get(n);
                if !range.contains(&record.seq) {
                    continue;
                }
                last = record.seq;
                if record.resend || record.damaged {
                    continue;
                }
                let event = maxwell::parse_stored(record.bytes).map_err(|damage| {
                    Error::failed(format!("{} message {}: {damage}", frame.place(), record.seq))
                })?;
                let reverse = self.direction == Direction::Reverse;
                if self.boundary.before(&event.meta, self.direction) {
                    whole = Some((events.len(), if reverse { record.seq + 1 } else { record.seq }));
                }
                if event.meta.op.is_ddl() {
                    self.write(&events)?;
                    events.clear();
                    whole = None;
                    self.ddl(record.seq, &event)?;
                    continue;
                }
                if self.takes(&event) {
                    events.push((record.seq, event));
                }
                if !reverse && !self.boundary.is_open() {
                    whole = Some((events.len(), record.seq + 1));
                }
            }
        }
        if let Some((n, seq)) = whole {
            self.write(&events[..n])?;
            self.commit(seq)?;
            events.drain(..n);
        }
        self.write(&events)?;
        Ok(last)
    }

    fn takes(&mut self, event: &Event<'_>) -> bool {
        if event.meta.op.is_bootstrap() {
            let row = event.meta.op == Op::BootstrapInsert;
            if self.direction == Direction::Reverse {
                self.pending.bootstrap_rows_left_out += u64::from(row);
                return false;
            }
        }
        self.job.selection.filter.takes(&event.meta)
    }

    fn ddl(&mut self, seq: Seq, event: &Event<'_>) -> Result<()> {
        if self.direction == Direction::Reverse {
            return Ok(());
        }
        self.commit(seq)?;
        if !self.job.selection.filter.takes(&event.meta) {
            return Ok(());
        }
        let Job { spool, definitions, selection, .. } = self.job;
        if let Some(ddl) = definitions.statement(spool, &selection.filter, seq)? {
            self.target.ddl(&ddl, seq + 1)?;
            self.outcome.ddl += 1;
            self.tables.clear();
        }
        Ok(())
    }

    /// Writes events into the open target transaction.
    fn write(&mut self, events: &[(Seq, Event<'_>)]) -> Result<()> {
        let mut by_table: Vec<(Arc<Table>, Vec<Change<'_>>)> = Vec::new();
        let mut at: HashMap<*const Table, usize> = HashMap::new();
        for (seq, event) in events {
            let table = self.table(*seq, event)?;
            let overwrite = self.direction == Direction::Forward
                && (event.meta.op == Op::BootstrapInsert || self.is_copied(*seq, &table.name));
            let change = Change::bind(*seq, event, &table, overwrite)
                .map_err(|e| e.at(describe(*seq, event)))?;
            let change = match self.direction {
                Direction::Forward => change,
                Direction::Reverse => change.inverse(&table)?,
            };
            let i = *at.entry(Arc::as_ptr(&table)).or_insert_with(|| {
                by_table.push((table.clone(), Vec::new()));
                by_table.len() - 1
            });
            by_table[i].1.push(change);
        }
        let mut in_order: Vec<(&Arc<Table>, &Change<'_>)> = Vec::new();
        self.statements.clear();
        for (table, changes) in &by_table {
            if !self.statements.net(table, changes)? {
                in_order.extend(changes.iter().map(|change| (table, change)));
            }
        }
        match self.direction {
            Direction::Forward => in_order.sort_by_key(|(_, change)| change.seq),
            Direction::Reverse => in_order.sort_by_key(|(_, change)| std::cmp::Reverse(change.seq)),
        }
        for (table, change) in in_order {
            self.statements.change(table, change)?;
        }
        self.executing = true;
        self.target.execute(&self.statements)?;
        self.executing = false;
        for (table, changes) in &by_table {
            *self.pending.rows.entry(table.name.clone()).or_default() += changes.len() as u64;
        }
        self.pending.statements += self.statements.items.len() as u64;
        Ok(())
    }

    fn is_copied(&self, seq: Seq, name: &TableName) -> bool {
        self.bootstraps
            .iter()
            .any(|b| b.table == *name && b.start <= seq && b.end.is_none_or(|end| seq < end))
    }

    fn table(&mut self, seq: Seq, event: &Event<'_>) -> Result<Arc<Table>> {
        let name = event.meta.name();
        let def = self.job.definitions.history.at(&name, seq);
        if let Some((known, table)) = self.tables.get(&name) {
            let same = match (known, &def) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                _ => false,
            };
            if same {
                return Ok(table.clone());
            }
        }
        let table = self.target.table(&name, def.as_deref()).map_err(|e| {
            if e.kind() == ErrorKind::Retry { e } else { e.at(describe(seq, event)) }
        })?;
        self.tables.insert(name, (def, table.clone()));
        Ok(table)
    }
}

fn describe(seq: Seq, event: &Event<'_>) -> String {
    let mut text = format!("message {seq} ({}", event.meta.op.name());
    if let Some(xid) = event.meta.xid {
        text.push_str(&format!(", xid {xid}"));
    }
    if let Some(position) = event.meta.position {
        text.push_str(&format!(", {position}"));
    }
    text + ")"
}
