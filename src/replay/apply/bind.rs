//! Finds the target's tables for events, and binds them, table by table.

use std::sync::Arc;

use super::reader::Events;
use super::statements::{Met, Statements};
use super::taker::Taker;
use crate::error::{Error, ErrorKind, Result};
use crate::event::TableName;
use crate::event::def::TableDef;
use crate::plan::Table;
use crate::plan::bind::complete;
use crate::plan::window::Rows;
use crate::replay::binder::{Binder, Recent, Tables, describe};

/// Which table of the stream each of some events is of.
pub(super) struct Placed<'e, 'f> {
    events: &'e Events<'f>,
    tables: Vec<Place>,
    /// For each event its place in `tables`.
    at: Vec<usize>,
}

/// A table as the stream has it for some messages, and which event is the first of it.
struct Place {
    name: TableName,
    def: Option<Arc<TableDef>>,
    first: usize,
}

impl<'e, 'f> Placed<'e, 'f> {
    /// Finds the tables of events.
    pub(super) fn of(events: &'e Events<'f>, binder: &Binder<'_>) -> Self {
        let at = Vec::with_capacity(events.len());
        let mut placed = Self { events, tables: Vec::new(), at };
        let mut recent = Recent::default();
        for (first, (seq, event)) in events.iter().enumerate() {
            let known = recent.find(*seq, event).copied();
            placed.at.push(known.unwrap_or_else(|| {
                let name = event.meta.name();
                let (def, seqs) = binder.definition(&name, *seq);
                recent.put(name.clone(), seqs, placed.tables.len());
                placed.tables.push(Place { name, def, first });
                placed.tables.len() - 1
            }));
        }
        placed
    }

    /// Binds the events to `tables`, which are from [`Known::of`].
    ///
    /// # Errors
    /// As [`Binder::change`].
    pub(super) fn bind(
        &self,
        tables: Option<Vec<Option<Arc<Table>>>>,
        binder: &Binder<'_>,
    ) -> Result<Vec<Rows<'f>>> {
        let tables = tables.ok_or_else(|| Error::failed("a table was not asked for"))?;
        let mut all: Vec<Rows<'f>> = Vec::new();
        let mut place = |table: &Arc<Table>| {
            let known = all.iter().position(|rows| Arc::ptr_eq(&rows.table, table));
            known.unwrap_or_else(|| {
                all.push(Rows { table: table.clone(), changes: Vec::new() });
                all.len() - 1
            })
        };
        let places: Vec<Option<usize>> =
            tables.iter().map(|table| table.as_ref().map(&mut place)).collect();
        for ((seq, event), at) in self.events.iter().zip(&self.at) {
            let Some(rows) = places[*at].map(|place| &mut all[place]) else { continue };
            rows.changes.push(binder.change(*seq, event, &rows.table)?);
        }
        complete(&mut all);
        Ok(all)
    }
}

/// The tables that were asked for.
#[derive(Default)]
pub(super) struct Known {
    tables: Tables,
    /// Rows without a key are stored in the source's order: a statement will number them by it.
    in_order: bool,
}

impl Known {
    /// None so far; `ddl` are the statements that will be met.
    pub(super) fn new(ddl: &Statements) -> Self {
        Self { tables: Tables::default(), in_order: ddl.values().any(Met::numbers_rows) }
    }

    /// Asks for a table.
    ///
    /// # Errors
    /// As [`Binder::table`].
    pub(super) fn ask(
        &mut self,
        binder: &Binder<'_>,
        name: &TableName,
        def: Option<Arc<TableDef>>,
        taker: &mut dyn Taker,
    ) -> Result<Arc<Table>> {
        let made = |at: &_, def: Option<&_>| taker.table(name, at, def);
        let mut table = binder.table(name, def.as_deref(), made)?;
        if self.in_order && !table.has_key() {
            Arc::make_mut(&mut table).in_order = true;
        }
        self.tables.put(name.clone(), def, table.clone());
        Ok(table)
    }

    /// The tables of events, none for a sequence, which is left as it is. `None` when one is not known
    /// and there is no taker to ask.
    ///
    /// # Errors
    /// As [`Binder::table`], with the event.
    pub(super) fn of(
        &mut self,
        placed: &Placed<'_, '_>,
        binder: &Binder<'_>,
        mut taker: Option<&mut dyn Taker>,
    ) -> Result<Option<Vec<Option<Arc<Table>>>>> {
        let mut all = Vec::new();
        for Place { name, def, first } in &placed.tables {
            let table = match (self.tables.get(name, def.as_ref()), &mut taker) {
                _ if def.as_ref().is_some_and(|def| def.is_sequence()) => None,
                (Some(table), _) => Some(table),
                (None, None) => return Ok(None),
                (None, Some(taker)) => {
                    let asked = self.ask(binder, name, def.clone(), *taker);
                    Some(asked.map_err(|e| match e.kind() {
                        ErrorKind::Retry | ErrorKind::Lost => e,
                        _ => {
                            let (seq, event) = &placed.events[*first];
                            e.at(describe(*seq, event))
                        }
                    })?)
                }
            };
            all.push(table.filter(|table| !table.is_sequence()));
        }
        Ok(Some(all))
    }

    /// A statement was run: what was known may be otherwise now.
    pub(super) fn forget(&mut self) {
        self.tables.clear();
    }
}
