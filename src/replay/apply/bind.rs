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
use crate::replay::binder::{Binder, Places, Recent, Tables, describe};
use crate::route::dealing::Dealing;

/// Which table of the stream each of some events is of.
pub(super) struct Placed<'e, 'f, 's> {
    events: &'e Events<'f>,
    tables: Vec<Place<'s>>,
    /// For each event its place in `tables`.
    at: Vec<usize>,
}

/// A table as the stream has it for some messages, how its rows are dealt out, and which event is the
/// first of it.
struct Place<'s> {
    name: TableName,
    def: Option<Arc<TableDef>>,
    dealing: Dealing<'s>,
    first: usize,
}

impl<'e, 'f, 's> Placed<'e, 'f, 's> {
    /// Finds the tables of events.
    ///
    /// # Errors
    /// When nobody said where the rows of one go.
    pub(super) fn of(events: &'e Events<'f>, binder: &Binder<'s>) -> Result<Self> {
        let at = Vec::with_capacity(events.len());
        let mut placed = Self { events, tables: Vec::new(), at };
        let mut recent = Recent::default();
        for (first, (seq, event)) in events.iter().enumerate() {
            if let Some(known) = recent.find(*seq, event) {
                placed.at.push(*known);
                continue;
            }
            let name = event.meta.name();
            let (def, seqs) = binder.definition(&name, *seq);
            let dealing = binder.dealing(&name, def.as_deref());
            let dealing = dealing.map_err(|e| e.at(describe(*seq, event)))?;
            placed.at.push(placed.tables.len());
            recent.put(name.clone(), seqs, placed.tables.len());
            placed.tables.push(Place { name, def, dealing, first });
        }
        Ok(placed)
    }

    /// Binds the events to `tables`, which are from [`Known::of`].
    ///
    /// # Errors
    /// As [`Binder::changes`].
    pub(super) fn bind(
        &self,
        tables: Option<Vec<Option<Places>>>,
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
        let rows_of: Vec<Vec<usize>> = tables
            .iter()
            .map(|at| at.iter().flat_map(|at| at.iter()).map(&mut place).collect())
            .collect();
        for ((seq, event), at) in self.events.iter().zip(&self.at) {
            let (Some(tables), rows_of) = (&tables[*at], &rows_of[*at]) else { continue };
            let dealing = &self.tables[*at].dealing;
            binder.changes(*seq, event, dealing, tables, &mut |n, change| {
                all[rows_of[n]].changes.push(change);
                Ok(())
            })?;
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

    /// Asks for the tables where the rows of a table of the stream go.
    ///
    /// # Errors
    /// As [`Binder::table`].
    pub(super) fn ask(
        &mut self,
        binder: &Binder<'_>,
        name: &TableName,
        def: Option<Arc<TableDef>>,
        dealing: &Dealing<'_>,
        taker: &mut dyn Taker,
    ) -> Result<Places> {
        let mut places = Vec::with_capacity(dealing.places.len());
        for place in &dealing.places {
            let made = |def: Option<&_>| taker.table(name, place, def);
            let mut table = binder.table(name, def.as_deref(), place, made)?;
            if self.in_order && !table.has_key() {
                Arc::make_mut(&mut table).in_order = true;
            }
            places.push(self.tables.shared(table));
        }
        let places = Places::from(places);
        self.tables.put(name.clone(), def, places.clone());
        Ok(places)
    }

    /// The tables of events, none for a sequence, which is left as it is. `None` when one is not known
    /// and there is no taker to ask.
    ///
    /// # Errors
    /// As [`Binder::table`], with the event.
    pub(super) fn of(
        &mut self,
        placed: &Placed<'_, '_, '_>,
        binder: &Binder<'_>,
        mut taker: Option<&mut dyn Taker>,
    ) -> Result<Option<Vec<Option<Places>>>> {
        let mut all = Vec::new();
        for Place { name, def, dealing, first } in &placed.tables {
            let places = match (self.tables.get(name, def.as_ref()), &mut taker) {
                _ if def.as_ref().is_some_and(|def| def.is_sequence()) => None,
                (Some(places), _) => Some(places),
                (None, None) => return Ok(None),
                (None, Some(taker)) => {
                    let asked = self.ask(binder, name, def.clone(), dealing, *taker);
                    Some(asked.map_err(|e| match e.kind() {
                        ErrorKind::Retry | ErrorKind::Lost => e,
                        _ => {
                            let (seq, event) = &placed.events[*first];
                            e.at(describe(*seq, event))
                        }
                    })?)
                }
            };
            all.push(places.filter(|places| !places.iter().any(|table| table.is_sequence())));
        }
        Ok(Some(all))
    }

    /// A statement was run: what was known may be otherwise now.
    pub(super) fn forget(&mut self) {
        self.tables.clear();
    }
}
