//! From the spool to a target or to SQL: a stretch of the stream, cut and filtered.

use std::ops::Range;

use crate::error::{Error, Means, Result, Words};
use crate::event::ddl::{Server, Statement, Text, Told};
use crate::event::def::{ForeignKey, TableDef};
use crate::event::history::History;
use crate::event::{Body, Direction, Event, Nulls, TableName};
use crate::filter::{Filter, Type};
use crate::plan::bind::Reading;
use crate::route::Route;
use crate::spool::{DdlRef, Frame, Seq, Spool};

use statement::Rewritten;

mod alike;
pub mod apply;
pub mod base;
mod binder;
mod boundary;
pub mod copy;
pub mod cut;
mod kept;
pub mod mark;
mod origin;
pub mod prepare;
pub mod render;
pub mod reversible;
pub mod runs;
pub mod selected;
pub mod snapshot;
mod standing;
mod statement;
pub mod wait;

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

/// A DDL message, as far as it is asked for often.
#[derive(Clone, Debug)]
pub struct Ddl {
    /// The message.
    pub seq: Seq,
    /// First message of the same statement (one statement over several tables sends several).
    pub group: Seq,
    /// The table it is about; that of a database has no name.
    pub table: TableName,
}

/// The definitions over the whole spool, and where its statements are.
pub struct Definitions {
    /// The definitions.
    pub history: History,
    /// Every DDL message.
    pub ddl: Vec<Ddl>,
    /// Whether the source writes the rows that its foreign keys change into its binlog; `None`
    /// when no snapshot tells the source's version.
    pub logs_cascades: Option<bool>,
    /// The source's kind and version, where a snapshot tells it.
    pub source: Option<Server>,
    /// Every foreign key told of that changes rows by itself.
    pub foreign_keys: Vec<ForeignKey>,
    /// From which messages on NULLs are shown, or left out.
    pub nulls: Vec<(Seq, Nulls)>,
}

impl Definitions {
    /// Reads them from the spool.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn load(spool: &Spool) -> Result<Self> {
        let mut history = History::default();
        let (mut logs_cascades, mut foreign_keys, mut source) = (None, Vec::new(), None);
        for (seq, bytes) in spool.snapshots()? {
            let snapshot = snapshot::Snapshot::parse(&bytes)?;
            // What came before the spool's begin cannot be recognised any more.
            if let Some(after) = snapshot.after.as_ref().filter(|at| at.seq + 1 >= spool.begin()) {
                let file = spool.dir().join(format!("schema/{seq:020}.json"));
                spool.recognise(after, &format!("the snapshot {}", file.display())).map_err(
                    |e| {
                        let file = file.display();
                        let other = format!("bring back the spool that it was, or remove {file}");
                        let anew = Words::from((
                            "and store the definitions anew with {} URL",
                            [Means::SchemaAdd],
                        ));
                        Error::stopped(e.message().clone()).help(Words::from(other) + anew)
                    },
                )?;
            }
            logs_cascades = Some(snapshot.logs_cascades());
            source = Server::parse(&snapshot.server);
            foreign_keys.extend(snapshot.foreign_keys);
            history.add_snapshot(seq, snapshot.tables);
        }
        let mut ddl = Vec::new();
        spool.each_ddl(&(0..Seq::MAX), |DdlRef { seq, group }, message| {
            let event = message.event()?;
            let table = event.meta.name();
            // Most statements have none, and reading one takes longer than this.
            if let Body::Ddl { sql, .. } = &event.body
                && sql.to_ascii_lowercase().contains("references")
                && let Some(statement) = Text::read(sql)
            {
                foreign_keys.extend(statement.foreign_keys(&table));
            }
            ddl.push(Ddl { seq, group, table });
            history.add_ddl(seq, &event)
        })?;
        Ok(Self { history, ddl, logs_cascades, source, foreign_keys, nulls: spool.nulls()? })
    }

    /// Whether the producer shows NULLs at a message, as far as those up to it tell: a rerun finds
    /// the same.
    fn nulls(&self, seq: Seq) -> Nulls {
        let next = self.nulls.partition_point(|(from, _)| *from <= seq);
        next.checked_sub(1).map_or(Nulls::Unknown, |i| self.nulls[i].1)
    }

    /// How a message is read.
    pub(crate) fn reading(&self, seq: Seq, overwrite: bool, direction: Direction) -> Reading {
        Reading {
            overwrite,
            nulls: self.nulls(seq),
            first: self.nulls.first().map_or(Nulls::Unknown, |(_, nulls)| *nulls),
            direction,
        }
    }

    /// What is told of the statement whose first message is at `seq`; `None` when the message at
    /// `seq` is a further one of a statement that ran already.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn told(&self, spool: &Spool, seq: Seq) -> Result<Option<Told>> {
        let Some(group) = self.ddl.iter().find(|d| d.seq == seq).map(|d| d.group) else {
            return Err(Error::failed(format!("message {seq}: not known as a DDL statement")));
        };
        if group != seq {
            return Ok(None);
        }
        let mut told: Option<Told> = None;
        for message in self.ddl.iter().filter(|d| d.group == group) {
            let stored = spool.ddl_message(message.seq)?;
            let event = stored.event()?;
            self.add_message(&mut told, message.seq, &event)?;
        }
        Ok(told)
    }

    /// A statement, if it may be run on what is selected.
    ///
    /// # Errors
    /// When its text is not what the messages tell; when a table it names is not in the selection:
    /// half a statement cannot be run; when it is not rewritten for the names at the target.
    fn statement(&self, told: Told, filter: &Filter, route: &Route) -> Result<Rewritten> {
        let statement = Statement::checked(told, self.source)?;
        let place = statement.told().place();
        if let Some(outside) = statement.changes().find(|name| !filter.takes_table(name)) {
            let (what, help) = match outside.is_housekeeping() {
                true => (
                    "is book-keeping and never written",
                    Words::from((
                        "run what is meant for the other tables at the target by hand, and leave DDL out \
                         with {} insert,update,delete",
                        [Means::Type],
                    )),
                ),
                false => (
                    "is not selected",
                    Words::from((
                        "select that table too, or leave DDL out with {} insert,update,delete",
                        [Means::Type],
                    )),
                ),
            };
            return Err(Error::stopped(format!(
                "{place}\n  it also names {outside}, which {what}"
            ))
            .help(help));
        }
        statement::rewritten(statement, self.source, route, &self.history)
    }

    /// The statements of which a message is selected, by the sequence of their first message.
    ///
    /// # Errors
    /// When the spool cannot be read.
    fn selected(&self, spool: &Spool, selection: &Selection) -> Result<Vec<Seq>> {
        let mut groups: Vec<Seq> = Vec::new();
        if !selection.filter.takes_type(Type::Ddl) {
            return Ok(groups);
        }
        for message in self.ddl.iter().filter(|d| selection.range.contains(&d.seq)) {
            if groups.last() == Some(&message.group) {
                continue;
            }
            let stored = spool.ddl_message(message.seq)?;
            let event = stored.event()?;
            if selection.filter.takes(&event.meta) {
                groups.push(message.group);
            }
        }
        Ok(groups)
    }

    /// Adds what one message tells to the statement it belongs to, the first one beginning it.
    fn add_message(&self, told: &mut Option<Told>, seq: Seq, event: &Event<'_>) -> Result<()> {
        let Body::Ddl { sql, def, old, charset } = &event.body else { return Ok(()) };
        let told = told.get_or_insert_with(|| Told {
            seq,
            sql: sql.to_string(),
            op: event.meta.op,
            ts_ms: event.meta.ts_ms,
            charset: charset.as_ref().map(|c| c.to_string()),
            tables: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
        });
        if told.op != event.meta.op {
            return Err(Error::stopped(format!(
                "message {seq} and message {} have one statement, and say different things of it",
                told.seq
            ))
            .help(("leave DDL out with {} insert,update,delete", [Means::Type])));
        }
        told.tables.push(event.meta.name());
        told.before.extend(old.map(TableDef::parse).transpose()?);
        let after = def.map(TableDef::parse).transpose()?.map(|def| {
            // The history knows what the message does not: generated columns and the like.
            self.history.at(&def.name(), seq).map_or(def, |known| known.as_ref().clone())
        });
        told.after.extend(after);
        Ok(())
    }
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
