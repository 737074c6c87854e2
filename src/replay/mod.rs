//! From the spool to a target or to SQL: a stretch of the stream, cut and filtered.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::event::ddl::Statement;
use crate::event::def::{ForeignKey, TableDef};
use crate::event::history::History;
use crate::event::{Body, Event, maxwell, printable};
use crate::filter::Filter;
use crate::route::Route;
use crate::spool::{DdlRef, Frame, Seq, Spool};
use crate::target::Ddl;

mod alike;
pub mod apply;
pub mod base;
mod boundary;
pub mod cut;
pub mod origin;
pub mod render;
pub mod reversible;
pub mod selected;
pub mod snapshot;
mod standing;

/// What a command takes from the spool.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The stretch, from and up to a transaction's end.
    pub range: Range<Seq>,
    /// Which events of it.
    pub filter: Filter,
    /// The selection in words: what a progress row is held against.
    pub words: String,
}

/// The definitions over the whole spool, and where its statements are.
pub struct Definitions {
    /// The definitions.
    pub history: History,
    /// Every DDL message.
    pub ddl: Vec<DdlRef>,
    /// Whether the source writes the rows that its foreign keys change into its binlog; `None`
    /// when no snapshot tells the source's version.
    pub logs_cascades: Option<bool>,
    /// Every foreign key told of that changes rows by itself.
    pub foreign_keys: Vec<ForeignKey>,
}

impl Definitions {
    /// Reads them from the spool.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn load(spool: &Spool) -> Result<Self> {
        let mut history = History::default();
        let (mut logs_cascades, mut foreign_keys) = (None, Vec::new());
        for (seq, bytes) in spool.snapshots()? {
            let snapshot = snapshot::Snapshot::parse(&bytes)?;
            if let Some(after) = &snapshot.after {
                let file = spool.dir().join(format!("schema/{seq:020}.json"));
                spool.recognise(after, &format!("the snapshot {}", file.display())).map_err(
                    |e| {
                        Error::stopped(e.message()).help(format!(
                        "bring back the spool that it was, or remove {} and store the definitions \
                         anew with binsync schema add --from URL",
                        file.display()
                    ))
                    },
                )?;
            }
            logs_cascades = Some(snapshot.logs_cascades());
            foreign_keys.extend(snapshot.foreign_keys);
            history.add_snapshot(seq, snapshot.tables);
        }
        let ddl = spool.ddl()?;
        for message in &ddl {
            let bytes = spool.record(message.seq)?;
            let event = maxwell::parse(&bytes).map_err(|d| Error::failed(d.to_string()))?;
            history.add_ddl(message.seq, &event)?;
            if let Body::Ddl { sql, .. } = &event.body
                && let Some(statement) = Statement::read(sql)
            {
                foreign_keys.extend(statement.foreign_keys(&event.meta.name()));
            }
        }
        Ok(Self { history, ddl, logs_cascades, foreign_keys })
    }

    /// The statement whose first message is at `seq`, with all its messages; `None` when the
    /// message at `seq` is a further one of a statement that ran already. One that is to be `run`
    /// is held against this filter.
    ///
    /// # Errors
    /// When a table it names is not in the selection: half a statement cannot be run.
    pub fn statement(&self, spool: &Spool, run: Option<&Filter>, seq: Seq) -> Result<Option<Ddl>> {
        let Some(group) = self.ddl.iter().find(|d| d.seq == seq).map(|d| d.group) else {
            return Err(Error::failed(format!("message {seq}: not known as a DDL statement")));
        };
        if group != seq {
            return Ok(None);
        }
        let mut statement: Option<Ddl> = None;
        for message in self.ddl.iter().filter(|d| d.group == group) {
            let bytes = spool.record(message.seq)?;
            let event = maxwell::parse(&bytes).map_err(|d| Error::failed(d.to_string()))?;
            self.add_message(&mut statement, message.seq, &event)?;
        }
        if let (Some(ddl), Some(filter)) = (&statement, run)
            && let Some(outside) = ddl.names.iter().find(|name| !filter.takes_table(name))
        {
            let (what, help) = match outside.is_housekeeping() {
                true => (
                    "is book-keeping and never written",
                    "run what is meant for the other tables at the target by hand, and leave DDL \
                     out with --type insert,update,delete",
                ),
                false => (
                    "is not selected",
                    "select that table too, or leave DDL out with --type insert,update,delete",
                ),
            };
            return Err(Error::stopped(format!(
                "DDL statement (message {seq}) also names {outside}, which {what}: {}",
                printable(&ddl.sql)
            ))
            .help(help));
        }
        Ok(statement)
    }

    /// The statements of which a message is selected, by the sequence of their first message.
    ///
    /// # Errors
    /// When the spool cannot be read.
    fn selected(&self, spool: &Spool, selection: &Selection) -> Result<Vec<Seq>> {
        let mut groups: Vec<Seq> = Vec::new();
        for message in self.ddl.iter().filter(|d| selection.range.contains(&d.seq)) {
            if groups.last() == Some(&message.group) {
                continue;
            }
            let bytes = spool.record(message.seq)?;
            let event = maxwell::parse(&bytes).map_err(|d| Error::failed(d.to_string()))?;
            if selection.filter.takes(&event.meta) {
                groups.push(message.group);
            }
        }
        Ok(groups)
    }

    /// Adds what one message tells to the statement it belongs to, the first one beginning it.
    fn add_message(&self, statement: &mut Option<Ddl>, seq: Seq, event: &Event<'_>) -> Result<()> {
        let Body::Ddl { sql, def, old, charset } = &event.body else { return Ok(()) };
        let ddl = statement.get_or_insert_with(|| Ddl {
            seq,
            sql: runnable(sql),
            op: event.meta.op,
            database: event.meta.database.to_string(),
            ts_ms: event.meta.ts_ms,
            charset: charset.as_ref().map(|c| c.to_string()),
            before: Vec::new(),
            after: Vec::new(),
            names: Vec::new(),
        });
        let before = old.map(TableDef::parse).transpose()?;
        let after = def.map(TableDef::parse).transpose()?.map(|def| {
            // The history knows what the message does not: generated columns and the like.
            self.history.at(&def.name(), seq).map_or(def, |known| known.as_ref().clone())
        });
        let names = [
            Some(event.meta.name()),
            before.as_ref().map(TableDef::name),
            after.as_ref().map(TableDef::name),
        ];
        for name in names.into_iter().flatten() {
            if !ddl.names.contains(&name) {
                ddl.names.push(name);
            }
        }
        ddl.before.extend(before);
        ddl.after.extend(after);
        Ok(())
    }
}

/// The statement's text as it can be run on its own: MySQL logs CREATE … SELECT with a trailing
/// START TRANSACTION, which would leave the session in a transaction.
fn runnable(sql: &str) -> String {
    let trimmed = sql.trim_end().trim_end_matches(';').trim_end();
    match trimmed.len().checked_sub("START TRANSACTION".len()) {
        Some(at)
            if trimmed.is_char_boundary(at)
                && trimmed[at..].eq_ignore_ascii_case("START TRANSACTION") =>
        {
            trimmed[..at].trim_end().to_owned()
        }
        _ => trimmed.to_owned(),
    }
}

/// Refuses a statement on a table that has other names at the target: it is not rewritten.
fn refuse_routed(route: &Route, ddl: &Ddl) -> Result<()> {
    let renamed = ddl.names.iter().find(|name| route.renames(name)).cloned();
    let moved = ddl.before.iter().chain(&ddl.after).find(|def| route.moves_columns(def));
    let Some(name) = renamed.or(moved.map(TableDef::name)) else { return Ok(()) };
    Err(Error::stopped(format!(
        "{name} has other names at the target, and a statement of the stretch on it (message {}) is \
         not rewritten: {}",
        ddl.seq,
        printable(&ddl.sql)
    ))
    .help("run it at the target by hand, and leave statements out with --type insert,update,delete"))
}

/// Told to stop.
fn stopped() -> Error {
    Error::stopped("stopped by a signal")
        .help("run the same command again, it goes on after what is committed")
}

/// How many frames are read ahead.
const AHEAD: usize = 4;

/// Reads and decompresses frames on a thread of their own, a few ahead of their use.
fn ahead(
    frames: impl Iterator<Item = Result<Frame>> + Send + 'static,
) -> impl Iterator<Item = Result<Frame>> {
    let (send, receive) = std::sync::mpsc::sync_channel(AHEAD);
    std::thread::spawn(move || {
        for frame in frames {
            if send.send(frame).is_err() {
                break;
            }
        }
    });
    receive.into_iter()
}
