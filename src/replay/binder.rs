//! Binds row events to the tables they are written to.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::Definitions;
use crate::error::{Error, Means, Result};
use crate::event::def::TableDef;
use crate::event::{Direction, Event, Op, TableName};
use crate::plan::{Change, Table};
use crate::route::Route;
use crate::spool::{Bootstrap, Seq, Spool};

/// What a row event comes to, the same for all that write.
pub(super) struct Binder<'s> {
    definitions: &'s Definitions,
    route: &'s Route,
    direction: Direction,
    bootstraps: Vec<Bootstrap>,
}

impl<'s> Binder<'s> {
    /// # Errors
    /// When the spool cannot be read.
    pub(super) fn new(
        spool: &Spool,
        definitions: &'s Definitions,
        route: &'s Route,
        direction: Direction,
    ) -> Result<Self> {
        Ok(Self { definitions, route, direction, bootstraps: spool.bootstraps()? })
    }

    /// The change that an event makes to a table, inverted where it is taken back.
    ///
    /// # Errors
    /// When the event does not fit the table, does not tell what is needed, or was copied into a
    /// table whose rows nothing tells apart.
    pub(super) fn change<'f>(
        &self,
        seq: Seq,
        event: &Event<'f>,
        table: &Table,
    ) -> Result<Change<'f>> {
        let copied = || {
            event.meta.op == Op::BootstrapInsert
                || self.bootstraps.iter().any(|b| b.copies(seq, &event.meta))
        };
        // What a crash has left of rows without transactions is written over; going back, a row
        // that is undone already is a conflict.
        let wins = !self.direction.is_reverse() && (!table.transactional || copied());
        let reading = self.definitions.reading(seq, table.rescue || wins, self.direction);
        let change =
            Change::bind(seq, event, table, reading).map_err(|e| e.at(describe(seq, event)))?;
        let change = match self.direction {
            Direction::Forward => change,
            Direction::Reverse => change.inverse(table)?,
        };
        if wins && !table.has_key() && !table.rescue {
            return Err(Error::stopped(format!(
                "{}: the producer copied (bootstrapped) this table while it changed, and it has \
                 no key to tell its rows apart",
                table.name
            ))
            .help("leave the table out with " + Means::ExcludeTable));
        }
        Ok(change)
    }

    /// The table that rows of a table of the stream are written to: what `made` gives for the name
    /// and definition it has there.
    ///
    /// # Errors
    /// As `made`, and when a column rule does not fit.
    pub(super) fn table(
        &self,
        name: &TableName,
        def: Option<&TableDef>,
        made: impl FnOnce(&TableName, Option<&TableDef>) -> Result<Arc<Table>>,
    ) -> Result<Arc<Table>> {
        let route = self.route;
        if route.is_empty() {
            return made(name, def);
        }
        let def = def.map(|def| route.def(def)).transpose()?;
        let mut table = made(&route.table(name), def.as_ref())?;
        let routed = Arc::make_mut(&mut table);
        routed.route(&route.columns(name))?;
        routed.rescue |= self.direction.is_reverse() && route.renames(name);
        Ok(table)
    }

    /// The stream's definition of a table at a message, and over which messages it is the same.
    pub(super) fn definition(
        &self,
        name: &TableName,
        seq: Seq,
    ) -> (Option<Arc<TableDef>>, Range<Seq>) {
        let history = &self.definitions.history;
        (history.at(name, seq), history.span(name, seq))
    }
}

/// Tables that rows are written to, each with the definition of the stream that it was made by.
#[derive(Default)]
pub(super) struct Tables(HashMap<TableName, (Option<Arc<TableDef>>, Arc<Table>)>);

impl Tables {
    /// The table, if it was made by this definition.
    pub(super) fn get(&self, name: &TableName, def: Option<&Arc<TableDef>>) -> Option<Arc<Table>> {
        let (known, table) = self.0.get(name)?;
        (known.as_ref().map(Arc::as_ptr) == def.map(Arc::as_ptr)).then(|| table.clone())
    }

    /// The definition that the table was made by last.
    pub(super) fn definition(&self, name: &TableName) -> Option<&TableDef> {
        self.0.get(name)?.0.as_deref()
    }

    pub(super) fn put(&mut self, name: TableName, def: Option<Arc<TableDef>>, table: Arc<Table>) {
        self.0.insert(name, (def, table));
    }

    /// Forgets them: they may have changed where they are.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// So many tables are found without asking the history.
const RECENT: usize = 16;

/// What was found for the tables of the last events, and over which messages it holds.
pub(super) struct Recent<T>(Vec<(TableName, Range<Seq>, T)>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Vec::with_capacity(RECENT))
    }
}

impl<T> Recent<T> {
    pub(super) fn find(&self, seq: Seq, event: &Event<'_>) -> Option<&T> {
        let meta = &event.meta;
        let is = |(name, seqs, _): &&(TableName, Range<Seq>, T)| {
            name.table == meta.table && name.database == meta.database && seqs.contains(&seq)
        };
        self.0.iter().find(is).map(|(.., found)| found)
    }

    pub(super) fn put(&mut self, name: TableName, seqs: Range<Seq>, found: T) {
        self.0.truncate(RECENT - 1);
        self.0.insert(0, (name, seqs, found));
    }
}

/// An event in words: message, kind, xid, position.
pub(super) fn describe(seq: Seq, event: &Event<'_>) -> String {
    let mut text = format!("message {seq} ({}", event.meta.op.name());
    if let Some(xid) = event.meta.xid {
        text.push_str(&format!(", xid {xid}"));
    }
    if let Some(position) = event.meta.position {
        text.push_str(&format!(", {position}"));
    }
    text + ")"
}
