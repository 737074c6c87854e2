//! Binds row events to the tables they are written to.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::Definitions;
use crate::dest::Copying;
use crate::error::{Error, Means, Result};
use crate::event::def::TableDef;
use crate::event::{Direction, Event, Op, TableName};
use crate::plan::{Change, Table};
use crate::route::dealing::{Dealing, Turn};
use crate::route::{Moved, Route};
use crate::spool::{Bootstrap, Seq, Spool};

/// What a row event comes to, the same for all that write.
pub(super) struct Binder<'s> {
    definitions: &'s Definitions,
    route: &'s Route,
    direction: Direction,
    bootstraps: Vec<Bootstrap>,
    /// Tables whose first copy is not at its end.
    copying: HashSet<TableName>,
}

impl<'s> Binder<'s> {
    /// `copying`: the tables whose first copy is not at its end.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub(super) fn new(
        spool: &Spool,
        definitions: &'s Definitions,
        route: &'s Route,
        direction: Direction,
        copying: &[Copying],
    ) -> Result<Self> {
        let bootstraps = spool.bootstraps()?;
        let copying = copying.iter().map(|one| one.table.clone()).collect();
        Ok(Self { definitions, route, direction, bootstraps, copying })
    }

    /// The changes that an event makes to the tables where its row goes, each with the place of the
    /// table in the list; inverted where they are taken back. `dealing` is from [`Binder::dealing`],
    /// `tables` are those of its places.
    ///
    /// # Errors
    /// When the event does not fit a table, does not tell what is needed, or was copied into a
    /// table whose rows nothing tells apart.
    pub(super) fn changes<'f>(
        &self,
        seq: Seq,
        event: &Event<'f>,
        dealing: &Dealing<'_>,
        tables: &[Arc<Table>],
        take: &mut dyn FnMut(usize, Change<'f>) -> Result<()>,
    ) -> Result<()> {
        if let ([table], true) = (tables, dealing.is_plain()) {
            return take(0, self.change(seq, event, table, Turn::Stays)?);
        }
        let nulls = self.definitions.reading(seq, false, self.direction).nulls;
        let turns = dealing.turns(event, nulls).map_err(|e| e.at(describe(seq, event)))?;
        for (n, turn) in turns {
            take(n, self.change(seq, event, &tables[n], turn)?)?;
        }
        Ok(())
    }

    fn change<'f>(
        &self,
        seq: Seq,
        event: &Event<'f>,
        table: &Table,
        turn: Turn,
    ) -> Result<Change<'f>> {
        let copied = || {
            event.meta.op == Op::BootstrapInsert
                || self.bootstraps.iter().any(|b| b.copies(seq, &event.meta))
                || !self.copying.is_empty() && self.copying.contains(&event.meta.name())
        };
        // What a crash has left of rows without transactions is written over; going back, a row
        // that is undone already is a conflict.
        let wins = !self.direction.is_reverse() && (!table.transactional || copied());
        let reading = self.definitions.reading(seq, table.rescue || wins, self.direction);
        let change = Change::bind(seq, event, table, reading).and_then(|change| match turn {
            Turn::Stays => Ok(change),
            Turn::Goes => Ok(change.goes()),
            Turn::Comes => change.comes(table),
        });
        let change = change.map_err(|e| e.at(describe(seq, event)))?;
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

    /// How the rows of a table of the stream are dealt out.
    ///
    /// # Errors
    /// As [`Route::dealing`].
    pub(super) fn dealing(&self, name: &TableName, def: Option<&TableDef>) -> Result<Dealing<'s>> {
        self.route.dealing(name, def)
    }

    /// The table at a place that rows of a table of the stream are written to: what `made` gives for
    /// the definition it has there.
    ///
    /// # Errors
    /// As `made`, and when a column rule does not fit.
    pub(super) fn table(
        &self,
        name: &TableName,
        def: Option<&TableDef>,
        place: &TableName,
        made: impl FnOnce(Option<&TableDef>) -> Result<Arc<Table>>,
    ) -> Result<Arc<Table>> {
        let route = self.route;
        if route.is_empty() {
            return made(def);
        }
        let def = def.map(|def| route.def(def, place)).transpose()?;
        let mut table = made(def.as_ref())?;
        let routed = Arc::make_mut(&mut table);
        let Moved { names, null, set } = route.columns(name);
        routed.route(&names, &null, &set)?;
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

/// Tables that rows are written to, by those of the stream, each with the definition of the stream that it was made by.
#[derive(Default)]
pub(super) struct Tables(HashMap<TableName, (Option<Arc<TableDef>>, Places)>);

/// The tables where the rows of a table of the stream go.
pub(super) type Places = Arc<[Arc<Table>]>;

impl Tables {
    /// The tables, if they were made by this definition.
    pub(super) fn get(&self, name: &TableName, def: Option<&Arc<TableDef>>) -> Option<Places> {
        let (known, places) = self.0.get(name)?;
        (known.as_ref().map(Arc::as_ptr) == def.map(Arc::as_ptr)).then(|| places.clone())
    }

    /// A table that is the same as this one, where one is known: rows that are merged are of one table.
    pub(super) fn shared(&self, table: Arc<Table>) -> Arc<Table> {
        let mut all = self.0.values().flat_map(|(_, places)| places.iter());
        all.find(|known| known.name == table.name && **known == table).cloned().unwrap_or(table)
    }

    /// The definition that the table was made by last.
    pub(super) fn definition(&self, name: &TableName) -> Option<&TableDef> {
        self.0.get(name)?.0.as_deref()
    }

    pub(super) fn put(&mut self, name: TableName, def: Option<Arc<TableDef>>, places: Places) {
        self.0.insert(name, (def, places));
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
