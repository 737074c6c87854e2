//! The server's own binlog files into the spool, in the order of their numbers.
//!
//! Each frame carries the file's identity and an offset that all before it is stored of, with no
//! transaction open there: an import that was cut short reads the file again from its begin, for the
//! definitions in it, and hands over what follows that offset. What it has stored behind it is known
//! again by its places.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{SYNC_EVERY, Watch, batch};
use crate::binlog::{self, MAGIC, Reader, Sink, Told};
use crate::error::{Error, Means, Result};
use crate::event::{BinlogPos, printable};
use crate::source::Records;
use crate::source::lines::{Lines, identity};
use crate::spool::SpoolWriter;

/// Bytes of messages that make a frame.
const FRAME: usize = 1 << 20;

/// A binlog file that was looked at.
pub struct Binlog {
    path: PathBuf,
    /// As the server names it.
    name: String,
    number: u64,
    /// What cannot be opened a second time.
    stream: Option<Lines>,
}

impl Binlog {
    /// Takes a file whose begin was looked at; `name` is how the server calls it, where the file itself is
    /// not called so.
    ///
    /// # Errors
    /// When its name has no number, as the server's have (usage).
    pub(super) fn new(path: &Path, lines: Lines, name: Option<&str>) -> Result<Self> {
        let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let own = own.unwrap_or_default();
        let own = [".gz", ".zst"].iter().find_map(|end| own.strip_suffix(end)).unwrap_or(&own);
        let name = name.unwrap_or(own).to_owned();
        let place = format!("{name}:0");
        let Some(place) = BinlogPos::parse(&place) else {
            return Err(Error::usage(format!(
                "this is a binlog, whose places are told by the name that the server gave it, and {:?} \
                 is none",
                printable(&name)
            ))
            .help(("say it with {} mysql-bin.000123", [Means::BinlogName])));
        };
        let number = place.file;
        let stream = (!path.is_file()).then_some(lines);
        Ok(Self { path: path.into(), name, number, stream })
    }

    /// As the server names it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is in it, from its begin.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn into_lines(self) -> Result<Lines> {
        self.stream.map_or_else(|| Lines::open(&self.path), Ok)
    }

    /// What files are sorted by.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The name without the number.
    fn base(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(base, _)| base)
    }
}

/// Imports the files of one server. True when something was found that the exit status has to tell, and
/// that is no message.
///
/// # Errors
/// When one cannot be read or stored, or when it was stopped: what was read before is stored.
pub fn import(
    spool: &mut SpoolWriter,
    files: Vec<Binlog>,
    mut reader: Reader,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<bool> {
    let one = |file, missing, reader: &mut Reader| one(spool, file, missing, reader, stop, watch);
    let differs = in_turn(files, &mut reader, one)?;
    match reader.prepared() {
        0 => {}
        n => watch.say(&format!("{n} XA transactions are prepared and not committed: not stored")),
    }
    Ok(differs)
}

/// Goes through the files of one server; with each go the names of those that are missing before it. True
/// when one of them gave true.
pub(super) fn in_turn(
    files: Vec<Binlog>,
    reader: &mut Reader,
    mut one: impl FnMut(Binlog, Option<String>, &mut Reader) -> Result<bool>,
) -> Result<bool> {
    let (mut differs, mut before) = (false, None::<(String, u64)>);
    for file in files {
        let missing = before
            .as_ref()
            .filter(|(base, number)| base == file.base() && number + 1 < file.number);
        let missing = missing.map(|(base, number)| match (number + 1, file.number - 1) {
            (first, last) if first == last => format!("{base}.{first:06}"),
            (first, last) => format!("{base}.{first:06} to {base}.{last:06}"),
        });
        if missing.is_some() || before.as_ref().is_some_and(|(base, _)| base != file.base()) {
            reader.leap();
        }
        before = Some((file.base().to_owned(), file.number));
        differs |= one(file, missing, reader)?;
    }
    Ok(differs)
}

fn one(
    spool: &mut SpoolWriter,
    file: Binlog,
    missing: Option<String>,
    reader: &mut Reader,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<bool> {
    let shown = printable(&file.name).into_owned();
    let (mut source, mut from) = (None, 0);
    let lines = match file.stream {
        Some(lines) => lines,
        None => {
            let identity = identity(&file.path)?;
            let known = spool.sources().filter(|(name, _)| identity.is(name));
            let known = known.max_by_key(|&(_, end)| end).map(|(name, end)| (name.to_owned(), end));
            let (name, end) = known.unwrap_or_else(|| (identity.name(), 0));
            (source, from) = (Some(name), end);
            Lines::open(&file.path)?
        }
    };
    let (read, size) = (lines.counter(), lines.size());
    let input = reader.open(lines.into_bytes()).map_err(|e| e.at(&shown))?;
    let records = Records::default();
    let mut store = Store {
        spool,
        source,
        reached: from,
        records,
        messages: 0,
        unsynced: 0,
        stop,
        watch,
        read,
        size,
    };
    if let Some(missing) = missing.filter(|_| from == 0) {
        let reason = format!("the files {missing} were not given: what they hold is missing");
        watch.say(&reason);
        store.message(&binlog::gap(&file.name, MAGIC.len() as u64, &reason))?;
    }
    let told = reader.read(input, &file.name, from, &mut store);
    let stored = store.flush();
    let messages = store.messages;
    spool.sync()?;
    let told = told.map_err(|e| e.or_help("run the same command again, it goes on"))?;
    stored?;
    if messages == 0 && from > 0 {
        watch.note(&format!("{shown}: already imported"));
    }
    Ok(tell(&shown, &told, watch))
}

/// Says what a file told beside its messages; true when the exit status has to tell it.
fn tell(shown: &str, told: &Told, watch: &dyn Watch) -> bool {
    for kept in &told.kept {
        let about = if kept.table.is_empty() { String::new() } else { format!("{}: ", kept.table) };
        let events = if kept.events == 1 { "1 event" } else { &format!("{} events", kept.events) };
        let (offset, reason) = (kept.offset, &kept.reason);
        let text = format!("{shown}:{offset}: {about}{reason}: {events} not read");
        watch.say(&printable(&text));
    }
    if told.kept.iter().any(|kept| kept.undefined) {
        watch.tell(
            &("  next: give the definitions of that time with "
                + Means::Schema
                + ", into another spool; what is stored now leaves them out"),
        );
    }
    if let Some(offset) = told.torn {
        watch.say(&format!(
            "{shown}:{offset}: the file ends inside an event; what came before it is stored"
        ));
    }
    if told.open > 0 {
        watch.say(&format!(
            "{shown}: its last transaction has no commit in it ({} events): not stored",
            told.open
        ));
    }
    told.torn.is_some()
}

/// Stores messages, a frame of them at a time.
struct Store<'a> {
    spool: &'a mut SpoolWriter,
    source: Option<String>,
    /// All of the file before it was handed over.
    reached: u64,
    records: Records,
    messages: u64,
    unsynced: usize,
    stop: &'a AtomicBool,
    watch: &'a dyn Watch,
    read: Arc<AtomicU64>,
    size: Option<u64>,
}

impl Store<'_> {
    fn flush(&mut self) -> Result<()> {
        let records = std::mem::take(&mut self.records);
        if records.is_empty() {
            return Ok(());
        }
        let (count, bytes) = (records.len() as u64, records.bytes.len());
        let source = self.source.clone().map(|name| (name, self.reached));
        self.spool.append_unsynced(&batch(records, Vec::new(), None, source))?;
        self.messages += count;
        self.unsynced += bytes;
        if self.unsynced >= SYNC_EVERY {
            self.spool.sync()?;
            self.unsynced = 0;
        }
        self.watch.stored(count, bytes as u64);
        self.watch.position(self.read.load(Ordering::Relaxed), self.size);
        Ok(())
    }

    fn check_stop(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::stopped("stopped").help("run the same command again, it goes on")),
            false => Ok(()),
        }
    }
}

impl Sink for Store<'_> {
    fn message(&mut self, message: &str) -> Result<()> {
        self.records.push(message.as_bytes());
        if self.records.bytes.len() >= FRAME {
            self.flush()?;
            self.check_stop()?;
        }
        Ok(())
    }

    fn reached(&mut self, offset: u64) -> Result<()> {
        self.reached = self.reached.max(offset);
        self.check_stop()
    }
}
