//! What takes planned windows: a database, a look at one, a script.

use std::sync::Arc;

use super::job::Outcome;
use super::statements::Met;
use crate::dest::{ChunkId, Window};
use crate::error::Result;
use crate::event::def::TableDef;
use crate::event::{Event, TableName};
use crate::plan::Table;
use crate::plan::window::{Plan, Rows};
use crate::replay::binder::describe;
use crate::spool::Seq;

/// Events, bound and planned.
#[derive(Default)]
pub(in crate::replay) struct Work<'w, 'f> {
    /// The changes that were planned; none for a part of a net effect.
    pub(in crate::replay) rows: &'w [Rows<'f>],
    pub(in crate::replay) plan: Plan<'w, 'f>,
    /// What they are in words; none for a part of a net effect.
    pub(in crate::replay) events: &'w [(Seq, Event<'f>)],
}

/// Takes what is planned, in the order of the stream.
pub(in crate::replay) trait Taker: Send {
    /// The table where the rows go `of` a table of the stream, by the name and the definition that it
    /// has there.
    ///
    /// # Errors
    /// When the rows do not fit; so for what follows, when it cannot be taken.
    fn table(
        &mut self,
        of: &TableName,
        name: &TableName,
        def: Option<&TableDef>,
    ) -> Result<Arc<Table>>;

    /// Takes whole transactions, behind which the run stands at `to`; `None` for a part of a
    /// transaction that goes on.
    fn take(&mut self, work: &Work<'_, '_>, to: Option<Seq>) -> Result<()>;

    /// Takes the message of a statement at `seq`; `met` where it is a selected one's first.
    fn statement(&mut self, seq: Seq, met: Option<&Met>) -> Result<()>;

    /// Takes a part of a net effect, its chunks counted from `first`; the whole is one window.
    fn part(&mut self, work: &Work<'_, '_>, window: Window, first: ChunkId) -> Result<()>;

    /// Ends a net effect; with the number of events of each table.
    fn end_net(&mut self, window: Window, events: &[(Arc<Table>, u64)]) -> Result<()>;

    /// Says something where a connection would be ended that is silent.
    fn keep_alive(&mut self) -> Result<()>;
}

impl Work<'_, '_> {
    /// An event in words.
    pub(super) fn describe(&self, seq: Seq) -> String {
        // A reverse reads them from the last to the first.
        let found = self.events.iter().find(|(s, _)| *s == seq);
        found.map_or_else(|| format!("message {seq}"), |(seq, event)| describe(*seq, event))
    }

    /// Adds what it takes of each table, and what it comes to.
    pub(in crate::replay) fn count(&self, outcome: &mut Outcome) {
        for rows in self.rows {
            let table = outcome.tables.entry(rows.table.name.clone()).or_default();
            table.events += rows.changes.len() as u64;
            table.keyless |= !rows.table.has_key();
            table.in_order |= rows.table.in_order;
        }
        // Changes that follow one another are mostly of one table.
        for chunk in self.plan.phases.iter().flatten() {
            for run in chunk.ops.chunk_by(|a, b| Arc::ptr_eq(a.table, b.table)) {
                let table = outcome.tables.entry(run[0].table.name.clone()).or_default();
                table.written += run.len() as u64;
            }
        }
    }
}

impl Outcome {
    /// Adds the events of a net effect.
    pub(in crate::replay) fn count_net(&mut self, events: &[(Arc<Table>, u64)]) {
        for (table, events) in events {
            let sum = self.tables.entry(table.name.clone()).or_default();
            sum.events += events;
            sum.keyless |= !table.has_key();
        }
    }
}
