//! What is applied, how, and what became of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

use super::conflict::{OnConflict, Sink};
use crate::dest::{Catalog, Copying, Run, Settled};
use crate::error::{Result, Words};
use crate::event::ddl::Told;
use crate::event::landmark::Landmark;
use crate::event::{Direction, TableName};
use crate::replay::{Definitions, Selection};
use crate::route::Route;
use crate::spool::Seq;

/// What is done about DDL statements in the stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDdl {
    /// They run.
    Apply,
    /// They are passed over.
    Skip,
    /// The apply ends before the first.
    Stop,
}

/// In what pieces a selection is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Windows of whole source transactions, each folded.
    Windows,
    /// Each source transaction is one target transaction, in commit order.
    Serial,
    /// Only the net effect of the whole selection is written.
    Net,
}

/// How a selection is applied.
pub struct How {
    /// In what pieces.
    pub mode: Mode,
    /// Row events that are folded together, about, where several lanes share them.
    pub window: usize,
    /// What is done about DDL.
    pub on_ddl: OnDdl,
    /// What is done about rows that are not as the stream has them.
    pub on_conflict: OnConflict,
    /// Row changes a second, at most.
    pub most_rows: Option<u64>,
    /// A target that is away is waited for, however long.
    pub patient: bool,
}

/// What became of a table's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableOutcome {
    /// Row events taken.
    pub events: u64,
    /// Row changes written for them, after folding.
    pub written: u64,
    /// The table has no key at the target: rows are found by their content.
    pub keyless: bool,
    /// Its changes are written one by one, in the source's order.
    pub in_order: bool,
}

/// What an apply did; what was rolled back is not in it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By table.
    pub tables: BTreeMap<TableName, TableOutcome>,
    /// Statements sent for rows.
    pub statements: u64,
    /// DDL statements run.
    pub ddl: u64,
    /// DDL statements passed over.
    pub ddl_skipped: u64,
    /// Conflicts passed over or overwritten.
    pub conflicts: u64,
    /// Runs of this name have passed conflicts over before.
    pub skipped_before: bool,
    /// A table that runs of this name have written was made anew since.
    pub made_anew: bool,
    /// Bootstrap rows left out of a reverse.
    pub bootstrap_rows_left_out: u64,
    /// The record that the run has come to, as the target keeps it: the spool is known again by it.
    pub last: Option<Landmark>,
    /// Target transactions committed: also those of a window that is not at its end.
    pub commits: u64,
}

impl Outcome {
    /// Row events of all tables.
    pub fn row_events(&self) -> u64 {
        self.tables.values().map(|table| table.events).sum()
    }

    pub(super) fn add(&mut self, other: Self) {
        for (name, table) in other.tables {
            let sum = self.tables.entry(name).or_default();
            sum.events += table.events;
            sum.written += table.written;
            sum.keyless |= table.keyless;
            sum.in_order |= table.in_order;
        }
        self.statements += other.statements;
        self.ddl += other.ddl;
        self.ddl_skipped += other.ddl_skipped;
        self.conflicts += other.conflicts;
        self.skipped_before |= other.skipped_before;
        self.made_anew |= other.made_anew;
        self.bootstrap_rows_left_out += other.bootstrap_rows_left_out;
        self.commits += other.commits;
        self.last = other.last.or(self.last.take());
    }
}

/// What an apply works from.
pub struct Job<'s> {
    /// The spool's definitions.
    pub definitions: &'s Definitions,
    /// What to take.
    pub selection: &'s Selection,
    /// Where it goes.
    pub route: &'s Route,
    /// The progress row.
    pub run: &'s Run,
    /// How.
    pub how: &'s How,
    /// Where conflicts are written down.
    pub journal: &'s dyn Sink,
    /// Raised to end the apply at the next chance.
    pub stop: &'s AtomicBool,
}

impl Job<'_> {
    /// Where it begins.
    pub(super) fn begin(&self) -> Seq {
        self.run.direction.begin(&self.selection.range)
    }

    /// What is selected of a part of the stretch.
    pub(super) fn of(&self, range: Range<Seq>) -> Selection {
        Selection { range, ..self.selection.clone() }
    }

    /// Whether a statement was done that a run has not: see [`Catalog::settled`]. Where its tables have other names at
    /// the target, what is there under their own says nothing of it.
    pub(super) fn settled(
        &self,
        target: &mut (impl Catalog + ?Sized),
        told: &Told,
    ) -> Result<Settled> {
        match told.names().iter().any(|name| self.route.renames(name)) {
            true => Ok(Settled::Open(None)),
            false => target.settled(&self.run.name, told),
        }
    }

    /// True when recovered rows of a table go to another one.
    pub(super) fn recovers(&self, name: &TableName) -> bool {
        self.run.direction == Direction::Reverse && self.route.renames(name)
    }
}

/// What is told of an apply while it runs.
#[derive(Clone, Debug)]
pub enum Report {
    /// The sequence reached, and when the source changed the last row before it, seconds since
    /// 1970.
    Reached(Seq, Option<i64>),
    /// What went wrong and is tried again, or is worth knowing.
    Note(Words),
    /// A table has no key at the target.
    Keyless(TableName),
    /// A table's first copy has come to its end, with so many rows since this start.
    Copied(TableName, u64),
}

/// A part of a table's first copy.
#[derive(Debug)]
pub struct Part<'p> {
    /// The table, and behind which key the part was read.
    pub behind: &'p Copying,
    /// Its rows, each as the object that a message of the producer would have.
    pub rows: &'p [String],
    /// The key that it reaches; `None`: the end of the table.
    pub reached: Option<&'p str>,
}
