//! Files of JSON lines into the spool, going on where an earlier import stopped.
//!
//! Each frame carries the file's [identity] and how far it
//! reaches, so an import that was cut short at any moment goes on behind the last whole frame,
//! and a file imported twice adds nothing. A stream (stdin, a pipe) has no identity: it is stored
//! again, and the spool marks what it has as re-sends.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::binlog::Binlog;
use super::likeness;
use super::{SYNC_EVERY, Watch, batch};
use crate::binlog::{self, ENCRYPTED, Keys, MAGIC};
use crate::error::{Error, Means, Result};
use crate::source::lines::{Lines, identity};
use crate::spool::SpoolWriter;

/// A file (`-` is stdin) that was looked at: it may be imported.
pub enum Input {
    /// One of messages.
    Lines(Messages),
    /// A binlog of the server.
    Binlog(Binlog),
}

/// A file of messages that was looked at.
pub struct Messages {
    path: PathBuf,
    /// What cannot be opened a second time.
    stream: Option<Lines>,
    forced: bool,
}

impl Input {
    /// Looks at a file. Unless `forced`, one whose beginning is none of messages is refused, or read as a
    /// binlog, if it is one; `name` is the server's name of it then, where the file has another, and `keys`
    /// open what is encrypted.
    ///
    /// # Errors
    /// As said (usage), and when it cannot be read.
    pub fn open(path: &Path, forced: bool, name: Option<&str>, keys: &Keys) -> Result<Self> {
        let mut lines = Lines::open(path)?;
        if !forced {
            let packing = lines.packing();
            let (head, whole) = lines.head();
            if head.starts_with(MAGIC) || head.starts_with(ENCRYPTED) {
                return binlog::check(head, keys)
                    .and_then(|()| Binlog::new(path, lines, name))
                    .map(Self::Binlog)
                    .map_err(|e| e.at(shown(path)));
            }
            likeness::check(head, whole, packing).map_err(|e| e.at(shown(path)))?;
        }
        let stream = (!path.is_file()).then_some(lines);
        Ok(Self::Lines(Messages { path: path.into(), stream, forced }))
    }
}

/// Files by what they are: those of messages in their order, binlogs by their numbers.
pub fn sorted(inputs: Vec<Input>) -> (Vec<Messages>, Vec<Binlog>) {
    let (mut messages, mut binlogs) = (Vec::new(), Vec::new());
    for input in inputs {
        match input {
            Input::Lines(input) => messages.push(input),
            Input::Binlog(binlog) => binlogs.push(binlog),
        }
    }
    binlogs.sort_by_key(Binlog::number);
    (messages, binlogs)
}

fn shown(path: &Path) -> String {
    if path == Path::new("-") { "stdin".into() } else { path.display().to_string() }
}

/// Imports a file of messages.
///
/// # Errors
/// When it cannot be read or stored, when it was stopped, or when more than a tenth of it is no
/// message and that is not forced: what was read before is stored.
pub fn import(
    spool: &mut SpoolWriter,
    input: Messages,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<()> {
    let Messages { path, stream, forced } = input;
    let shown = shown(&path);
    let mut source = None;
    let mut lines = match stream {
        Some(lines) => {
            watch.note(&format!(
                "{shown} is a stream: it cannot be gone on with. If it is imported again, \
                 what is in the spool already is stored again and marked as re-sent"
            ));
            lines
        }
        None => {
            let identity = identity(&path)?;
            let known = spool.sources().filter(|(name, _)| identity.is(name));
            // Of a file that grew, the name it was first given.
            let known = known.max_by_key(|&(_, end)| end).map(|(name, end)| (name.to_owned(), end));
            source = Some(known.unwrap_or_else(|| (identity.name(), 0)));
            Lines::open(&path)?
        }
    };
    let before = source.as_ref().map_or(0, |&(_, end)| end);
    lines.skip_to(before);
    let name = source.map(|(name, _)| name);
    let copied = copy(spool, &mut lines, name, forced, stop, watch);
    spool.sync()?;
    match copied? {
        Copied { damaged: Some(damaged), messages, .. } => Err(Error::stopped(format!(
            "{shown}: {damaged} of {messages} lines are no messages: stopped after {} bytes",
            lines.offset()
        ))
        .help((
            "go on with {}, or take out what is stored of it with `{}` (`{}` lists the imports)",
            [Means::Force, Means::SpoolForget, Means::SpoolLs],
        ))),
        Copied { stopped: true, .. } => {
            let place = format!("{shown}: stopped after {} bytes", lines.offset());
            Err(Error::stopped(place).help("run the same command again, it goes on"))
        }
        Copied { messages: 0, .. } if before > 0 => {
            watch.note(&format!("{shown}: already imported"));
            Ok(())
        }
        Copied { .. } if before > 0 => {
            watch.note(&format!("{shown}: went on at byte {before}"));
            Ok(())
        }
        Copied { .. } => Ok(()),
    }
}

struct Copied {
    messages: u64,
    stopped: bool,
    /// How many of them are none, when that is why it ended.
    damaged: Option<u64>,
}

fn copy(
    spool: &mut SpoolWriter,
    lines: &mut Lines,
    name: Option<String>,
    forced: bool,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<Copied> {
    let (mut messages, mut unsynced) = (0, 0);
    let before = spool.damaged();
    while !stop.load(Ordering::Relaxed) {
        let Some(chunk) = lines.next_chunk()? else {
            return Ok(Copied { messages, stopped: false, damaged: None });
        };
        let (count, bytes) = (chunk.records.len(), chunk.records.bytes.len());
        let source = name.clone().map(|name| (name, chunk.end));
        spool.append_unsynced(&batch(chunk.records, Vec::new(), None, source))?;
        messages += count as u64;
        unsynced += bytes;
        if unsynced >= SYNC_EVERY {
            spool.sync()?;
            unsynced = 0;
        }
        watch.stored(count as u64, bytes as u64);
        watch.position(lines.read(), lines.size());
        let damaged = spool.damaged() - before;
        if !forced && likeness::is_too_much(damaged, messages) {
            return Ok(Copied { messages, stopped: true, damaged: Some(damaged) });
        }
    }
    Ok(Copied { messages, stopped: true, damaged: None })
}
