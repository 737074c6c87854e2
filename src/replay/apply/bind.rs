//! Binds a window's events to the target's tables.

use std::ops::Range;
use std::sync::Arc;

use super::bound::describe;
use super::reader::Events;
use super::shared::{Pass, lock};
use super::statements::Met;
use crate::error::{ErrorKind, Result};
use crate::event::{Event, Op};
use crate::plan::bind::complete;
use crate::plan::window::Rows;
use crate::plan::{Change, Table};
use crate::spool::Seq;

impl Pass<'_, '_> {
    /// Binds events to the target's tables, table by table.
    pub(super) fn bind<'f>(&self, events: &Events<'f>) -> Result<Vec<Rows<'f>>> {
        let mut all: Vec<Rows<'f>> = Vec::new();
        let mut places: Vec<Place<'_>> = Vec::new();
        for (seq, event) in events {
            let place = match places.iter().find(|place| place.holds(*seq, event)) {
                Some(place) => place,
                None => {
                    let (table, seqs) = self.table(*seq, event)?;
                    let rows = table.map(|table| {
                        let known = all.iter().position(|rows| Arc::ptr_eq(&rows.table, &table));
                        known.unwrap_or_else(|| {
                            all.push(Rows { table, changes: Vec::new() });
                            all.len() - 1
                        })
                    });
                    let (database, name) = (&*event.meta.database, &*event.meta.table);
                    places.insert(0, Place { database, name, seqs, rows });
                    &places[0]
                }
            };
            let Some(rows) = place.rows else { continue };
            let rows = &mut all[rows];
            rows.changes.push(self.change(*seq, event, &rows.table)?);
        }
        complete(&mut all);
        Ok(all)
    }

    fn change<'f>(&self, seq: Seq, event: &Event<'f>, table: &Table) -> Result<Change<'f>> {
        let forward = !self.direction().is_reverse();
        let copied = || event.meta.op == Op::BootstrapInsert || self.is_copied(seq, event);
        // What a crash has left of rows without transactions is written over; going back, a row
        // that is undone already is a conflict.
        let overwrite = table.rescue || forward && (!table.transactional || copied());
        let direction = self.job.run.direction;
        let reading = self.job.definitions.reading(seq, overwrite, direction);
        let change =
            Change::bind(seq, event, table, reading).map_err(|e| e.at(describe(seq, event)))?;
        if forward { Ok(change) } else { change.inverse(table) }
    }

    fn is_copied(&self, seq: Seq, event: &Event<'_>) -> bool {
        self.bootstraps.iter().any(|b| b.copies(seq, &event.meta))
    }

    /// The target's table for an event, and over which messages it is the same; none for a
    /// sequence.
    fn table(&self, seq: Seq, event: &Event<'_>) -> Result<(Option<Arc<Table>>, Range<Seq>)> {
        let name = event.meta.name();
        let seqs = self.job.definitions.history.span(&name, seq);
        let def = self.job.definitions.history.at(&name, seq);
        if def.as_ref().is_some_and(|def| def.is_sequence()) {
            return Ok((None, seqs));
        }
        let some = |table: &Arc<Table>| Some(table.clone()).filter(|table| !table.is_sequence());
        let mut tables = lock(&self.tables);
        if let Some((known, table)) = tables.get(&name) {
            let same = match (known, &def) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                _ => false,
            };
            if same {
                return Ok((some(table), seqs));
            }
        }
        let mut table =
            lock(&self.executor).table(&name, def.as_deref()).map_err(|e| match e.kind() {
                ErrorKind::Retry | ErrorKind::Lost => e,
                _ => e.at(describe(seq, event)),
            })?;
        // Its rows have to be stored in the source's order: they may be numbered by it.
        if !table.has_key() && self.ddl.values().any(Met::numbers_rows) {
            Arc::make_mut(&mut table).in_order = true;
        }
        tables.insert(name, (def, table.clone()));
        Ok((some(&table), seqs))
    }
}

/// Where the changes of a table's events go.
struct Place<'e> {
    database: &'e str,
    name: &'e str,
    seqs: Range<Seq>,
    /// None for a sequence, which is left as it is.
    rows: Option<usize>,
}

impl Place<'_> {
    fn holds(&self, seq: Seq, event: &Event<'_>) -> bool {
        self.name == event.meta.table
            && self.database == event.meta.database
            && self.seqs.contains(&seq)
    }
}
