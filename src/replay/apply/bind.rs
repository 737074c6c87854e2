//! Binds a window's events to the target's tables.

use std::ops::Range;
use std::sync::Arc;

use super::reader::Events;
use super::shared::{Pass, lock};
use super::statements::Met;
use crate::error::{ErrorKind, Result};
use crate::event::{Event, TableName};
use crate::plan::Table;
use crate::plan::bind::complete;
use crate::plan::window::Rows;
use crate::replay::binder::{Recent, describe};
use crate::spool::Seq;

impl Pass<'_, '_> {
    /// Binds events to the target's tables, table by table.
    pub(super) fn bind<'f>(&self, events: &Events<'f>) -> Result<Vec<Rows<'f>>> {
        let mut all: Vec<Rows<'f>> = Vec::new();
        // Where their changes go: nowhere for a sequence, which is left as it is.
        let mut recent: Recent<Option<usize>> = Recent::default();
        for (seq, event) in events {
            let place = match recent.find(*seq, event) {
                Some(place) => *place,
                None => {
                    let name = event.meta.name();
                    let (table, seqs) = self.table(&name, *seq, event)?;
                    let place = table.map(|table| {
                        let known = all.iter().position(|rows| Arc::ptr_eq(&rows.table, &table));
                        known.unwrap_or_else(|| {
                            all.push(Rows { table, changes: Vec::new() });
                            all.len() - 1
                        })
                    });
                    recent.put(name, seqs, place);
                    place
                }
            };
            let Some(rows) = place.map(|place| &mut all[place]) else { continue };
            rows.changes.push(self.binder.change(*seq, event, &rows.table)?);
        }
        complete(&mut all);
        Ok(all)
    }

    /// The target's table for an event, and over which messages it is the same; none for a
    /// sequence.
    fn table(
        &self,
        name: &TableName,
        seq: Seq,
        event: &Event<'_>,
    ) -> Result<(Option<Arc<Table>>, Range<Seq>)> {
        let (def, seqs) = self.binder.definition(name, seq);
        if def.as_ref().is_some_and(|def| def.is_sequence()) {
            return Ok((None, seqs));
        }
        let some = |table: Arc<Table>| Some(table).filter(|table| !table.is_sequence());
        let mut tables = lock(&self.tables);
        if let Some(table) = tables.get(name, def.as_ref()) {
            return Ok((some(table), seqs));
        }
        let made = |name: &TableName, def: Option<&_>| lock(&self.executor).table(name, def);
        let table = self.binder.table(name, def.as_deref(), made);
        let mut table = table.map_err(|e| match e.kind() {
            ErrorKind::Retry | ErrorKind::Lost => e,
            _ => e.at(describe(seq, event)),
        })?;
        // Its rows have to be stored in the source's order: they may be numbered by it.
        if !table.has_key() && self.ddl.values().any(Met::numbers_rows) {
            Arc::make_mut(&mut table).in_order = true;
        }
        tables.put(name.clone(), def, table.clone());
        Ok((some(table), seqs))
    }
}
