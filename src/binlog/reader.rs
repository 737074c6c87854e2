//! A binlog file from its begin to its end: events to transactions, transactions to messages.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use super::changes::Place;
use super::gtid::{Gtid, Stamp};
use super::header::{Event, IGNORABLE, MAGIC, kind};
use super::kept::{Kept, Tally, what};
use super::keys::Keys;
use super::log::{Fault, Format, Log};
use super::payload::Payload;
use super::pending::Pending;
use super::schema::{Origin, Schema};
use super::tables::Tables;
use super::{Dump, Sink, sealed};
use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::{BinlogPos, TableName};

mod commit;
mod keep;
mod statement;

/// What a file told beside its messages.
#[derive(Debug, Default)]
pub struct Told {
    /// The version of the server that wrote it.
    pub server: String,
    /// The server has not closed it: it may grow.
    pub in_use: bool,
    /// It ends inside an event, which begins there.
    pub torn: Option<u64>,
    /// So many events at its end belong to a transaction that has no commit in it.
    pub open: u64,
    /// The file that follows it, by its last event.
    pub next: Option<String>,
    /// What was kept as it is, or is missing.
    pub kept: Vec<Kept>,
    /// The tables whose rows were read, each with what told its columns.
    pub tables: Vec<(TableName, Origin)>,
    /// The server that wrote it.
    pub server_id: u32,
    /// Where its last whole event ends.
    pub end: u64,
}

/// Reads the files of a server one after the other, and remembers what goes on from one to the next.
#[derive(Default)]
pub struct Reader {
    /// What encrypted files are opened with.
    keys: Arc<Keys>,
    /// The definitions of the tables.
    schema: Schema,
    /// Definitions that hold from a place on that has not been reached.
    given: Option<Dump>,
    /// Those of single tables, the last place first.
    later: Vec<(Place, TableDef)>,
    /// Files are missing before the next one.
    leapt: bool,
    /// The last file ends inside an event.
    torn: bool,
    /// XA transactions that are prepared, by what names them.
    prepared: HashMap<String, Open>,
    /// A file was read.
    begun: bool,
}

impl Reader {
    /// A reader that begins with definitions: of the place that they name, else of the first file.
    pub fn new(given: Option<Dump>, keys: Arc<Keys>) -> Self {
        Self { given, keys, ..Self::default() }
    }

    /// A file behind its magic, decrypted where it has to be.
    ///
    /// # Errors
    /// As [`super::open`].
    pub fn open(&self, file: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>> {
        super::open(file, &self.keys)
    }

    /// Files are missing between the last one and the next, or it is another server's: what they did to tables is not
    /// known.
    pub fn leap(&mut self) {
        self.schema.forget();
        self.leapt = true;
        self.prepared.clear();
    }

    /// Definitions as a server tells them when it is at `at`: each holds back to where the log that `read` has read
    /// changed its table last. Those that changed since are left out.
    pub fn give(&mut self, defs: Vec<TableDef>, at: &BinlogPos, read: &Self) {
        let since = |def: &TableDef| read.schema.changes.since(&def.name()).unwrap_or_default();
        let defs = defs.into_iter().map(|def| (since(&def), def));
        self.later = defs.filter(|(place, _)| *place <= at.order()).collect();
        self.later.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    }

    /// How many XA transactions are prepared, and neither committed nor taken back.
    pub fn prepared(&self) -> usize {
        self.prepared.len()
    }

    /// Reads a file that stands behind its magic. Messages of what ends at `from` or before were
    /// handed over by an earlier reading: they are not made again.
    ///
    /// # Errors
    /// When it cannot be read on, when it is of a kind that is not read, and as the sink.
    pub fn read(
        &mut self,
        input: Box<dyn Read>,
        file: &str,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Told> {
        let keys = self.keys.clone();
        if self.torn {
            self.leap();
        }
        let mut reading = Reading {
            reader: self,
            file,
            from,
            end: 0,
            sink,
            format: None,
            tables: Tables::default(),
            open: None,
            gtid: Gtid::default(),
            told: Told::default(),
            kept: Tally::default(),
        };
        reading.enter()?;
        reading.refuse_older()?;
        reading.all(Log::new(input, &keys))?;
        reading.leave_open()?;
        reading.told.end = reading.end;
        reading.told.open = reading.open.map_or(0, |open| open.events.events());
        reading.told.kept = reading.kept.all();
        reading.told.tables = reading.tables.read.into_iter().collect();
        let told = reading.told;
        self.torn = told.torn.is_some();
        Ok(told)
    }
}

/// A transaction whose commit has not come.
#[derive(Default)]
struct Open {
    events: Pending,
    thread: Option<u32>,
    stamp: Stamp,
    /// What names it, where it is one of XA.
    xa: Option<String>,
    /// Some of it was taken back, and no event tells what.
    partly: bool,
    /// One of its events is not what its checksum says: perhaps its commit.
    damaged: bool,
}

struct Reading<'a> {
    reader: &'a mut Reader,
    file: &'a str,
    from: u64,
    /// Where the event ends that is being read.
    end: u64,
    sink: &'a mut dyn Sink,
    format: Option<Format>,
    tables: Tables,
    open: Option<Open>,
    /// Of the transaction that follows.
    gtid: Gtid,
    told: Told,
    kept: Tally,
}

impl Reading<'_> {
    fn all(&mut self, mut log: Log<'_, impl Read>) -> Result<()> {
        loop {
            self.take_given(log.offset());
            let next = log.next();
            self.end = log.offset();
            match next {
                Ok(None) => return Ok(()),
                Ok(Some(event)) => self.event(event)?,
                Err(Fault::Torn) => {
                    self.told.torn = Some(log.offset());
                    return Ok(());
                }
                Err(Fault::Checksum(event)) => {
                    self.gtid = Gtid::default();
                    if matches!(event.header.kind, kind::QUERY | kind::QUERY_COMPRESSED) {
                        self.doubt();
                    }
                    self.keep(event, true)?;
                }
                Err(Fault::Lost(why)) => return self.lost(log.offset(), &why),
                Err(Fault::Sealed(why)) => {
                    return Err(sealed(why).at(self.place(log.offset())));
                }
                Err(Fault::Unreadable(error)) => {
                    return Err(Error::failed(format!("cannot be read on: {error}")).at(format!(
                        "{}:{}",
                        self.file,
                        log.offset()
                    )));
                }
            }
            if self.open.is_none() {
                self.sink.reached(self.end)?;
            }
        }
    }

    /// What came before the file may have changed any table, where it was not given.
    fn enter(&mut self) -> Result<()> {
        self.end = MAGIC.len() as u64;
        self.reader.schema.changes.here = self.here(self.end);
        if std::mem::take(&mut self.reader.leapt) {
            self.reader.schema.changes.of_any();
        }
        match std::mem::take(&mut self.reader.torn) {
            true => self.gap(self.end, TORN),
            false => Ok(()),
        }
    }

    /// Nothing is known of the tables from here on.
    fn doubt(&mut self) {
        let here = self.here(self.end);
        self.reader.schema.doubt(here);
    }

    /// A place of this file among those of its server.
    fn here(&self, offset: u64) -> Place {
        let place = BinlogPos::parse(&self.place(offset)).map(|place| place.order());
        place.unwrap_or((0, offset))
    }

    /// Definitions of a place in a file before the first one that was given: what came in between is not known.
    fn refuse_older(&mut self) -> Result<()> {
        let first = !std::mem::replace(&mut self.reader.begun, true);
        let here = BinlogPos::parse(&format!("{}:0", self.file)).map(|here| here.order().0);
        let is_older = |dump: &mut Dump| {
            let file = dump.place.as_ref().map(|place| place.order().0);
            first && file.zip(here).is_some_and(|(file, here)| file < here)
        };
        if self.reader.given.take_if(is_older).is_some() {
            self.end = 4;
            return self.gap(4, OLDER);
        }
        Ok(())
    }

    /// What waits for a commit at the end of the file is left to a later reading, but for what cannot be read.
    fn leave_open(&mut self) -> Result<()> {
        match &self.open {
            Some(open) if open.damaged => {
                self.gap(self.end, DAMAGED_END)?;
                // Told once: should the file grow, a commit is behind that.
                self.sink.reached(self.end)
            }
            _ => Ok(()),
        }
    }

    /// Takes the definitions that were given, where their place is reached.
    fn take_given(&mut self, offset: u64) {
        let waits = self.reader.given.is_some() || !self.reader.later.is_empty();
        if self.open.is_some() || !waits {
            return;
        }
        let here = self.here(offset);
        let reached = |dump: &mut Dump| dump.place.as_ref().is_none_or(|at| at.order() <= here);
        if let Some(given) = self.reader.given.take_if(|dump| reached(dump)) {
            self.reader.schema.take(given.schema);
        }
        while let Some((_, def)) = self.reader.later.pop_if(|(place, _)| *place <= here) {
            self.reader.schema.give(def);
        }
    }

    /// Nothing behind that offset can be found.
    fn lost(&mut self, offset: u64, why: &str) -> Result<()> {
        // Once told, it is behind what was reached.
        self.end = offset + 1;
        let open = self.open.take().map_or(0, |open| open.events.events());
        let why = match open {
            0 => format!("{why}: nothing behind it is read"),
            _ => format!(
                "{why}: nothing behind it is read, nor are {open} events of a transaction before it \
                 that has no commit"
            ),
        };
        self.gap(offset, &why)?;
        self.reader.leap();
        self.sink.reached(self.end)
    }

    /// True for what an earlier reading has handed over.
    fn is_over(&self) -> bool {
        self.end <= self.from
    }

    fn place(&self, offset: u64) -> String {
        format!("{}:{offset}", self.file)
    }

    fn event(&mut self, event: Event) -> Result<()> {
        if self.format.is_none() && event.header.kind != kind::FORMAT {
            return Err(Error::failed("it does not begin with a format description")
                .at(self.place(event.offset))
                .help("a part of a binlog cannot be read: import the whole file"));
        }
        if self.told.next.is_some() {
            return Err(relay().at(self.place(event.offset)));
        }
        match event.header.kind {
            kind::FORMAT => self.format(&event)?,
            kind::ROTATE => self.told.next = event.body.get(8..).and_then(name),
            kind::QUERY | kind::QUERY_COMPRESSED => self.query(event)?,
            kind::XID => {
                let xid = <[u8; 8]>::try_from(event.body.as_slice()).ok().map(u64::from_le_bytes);
                match (xid, self.open.take()) {
                    (Some(xid), Some(open)) => self.hand_over(open, Some(xid), true, None)?,
                    (Some(_), None) => {}
                    (None, open) => {
                        self.open = open;
                        self.keep(event, true)?;
                    }
                }
            }
            kind::GTID | kind::ANONYMOUS_GTID | kind::GTID_TAGGED | kind::MARIADB_GTID => {
                self.begin_gtid(&event)?;
            }
            kind::XA_PREPARE => self.prepare(&event)?,
            kind::PAYLOAD => self.payload(event)?,
            kind::START_ENCRYPTION | kind::STOP | kind::HEARTBEAT | kind::HEARTBEAT_V2 => {}
            kind::INTVAR | kind::RAND | kind::USER_VAR => {}
            kind::APPEND_BLOCK | kind::DELETE_FILE | kind::BEGIN_LOAD_QUERY => {}
            kind::ROWS_QUERY | kind::ANNOTATE => self.text(event)?,
            kind::IGNORABLE => {}
            kind::PREVIOUS_GTIDS | kind::CHECKPOINT | kind::MARIADB_GTID_LIST => {}
            kind::TRANSACTION_CONTEXT | kind::VIEW_CHANGE => {}
            kind::INCIDENT => {
                self.doubt();
                self.gap(event.offset, &what(kind::INCIDENT))?;
            }
            _ if event.header.flags & IGNORABLE != 0 => {}
            _ => self.keep(event, false)?,
        }
        Ok(())
    }

    fn format(&mut self, event: &Event) -> Result<()> {
        const RELAY: u16 = 0x40;
        let place = self.place(event.offset);
        if event.header.flags & RELAY != 0 {
            return Err(relay().at(place));
        }
        let format = Format::read(&event.body).map_err(|why| {
            Error::failed(why).at(place).help("servers since MySQL 5.0 write version 4")
        })?;
        self.told.server.clone_from(&format.server);
        self.told.server_id = event.header.server;
        self.told.in_use = event.header.flags & super::header::IN_USE != 0;
        self.format = Some(format);
        self.tables.clear();
        Ok(())
    }

    fn payload(&mut self, event: Event) -> Result<()> {
        let mut inside = match Payload::new(&event.body, event.offset) {
            Ok(inside) => inside,
            Err(broken) => return self.undecoded(&event, None, &broken.0),
        };
        loop {
            match inside.next() {
                Ok(Some(inner)) if OUTSIDE.contains(&inner.header.kind) => {
                    self.open = None;
                    return self.undecoded(
                        &event,
                        None,
                        "it holds an event that is of no transaction",
                    );
                }
                Ok(Some(inner)) => self.event(inner)?,
                Ok(None) => return Ok(()),
                Err(broken) => {
                    // What came before it is in the event that is kept.
                    self.open = None;
                    return self.undecoded(&event, None, &broken.0);
                }
            }
        }
    }
}

/// A server's own log ends where it names the next; a relay log names that of the source first.
fn relay() -> Error {
    Error::failed("it is a replica's relay log, whose places are not those of its source")
        .help("import the binlogs of the source, or the replica's own (log_replica_updates)")
}

const TEMPORARY: &str = "a temporary file (TMPDIR names where it is)";
/// What a server writes around transactions only.
const OUTSIDE: [u8; 4] = [kind::PAYLOAD, kind::FORMAT, kind::ROTATE, kind::START_ENCRYPTION];
const OLDER: &str =
    "the definitions that were given are of an earlier file, and what came since was not given";
const TORN: &str = "the file before it ends inside an event: what it had behind that is missing";
const DAMAGED_END: &str =
    "the last transaction has a damaged event, which may be its commit: it is left out";

/// The name in an event that says which file follows.
fn name(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8(bytes.get(..end)?.to_vec()).ok()
}
