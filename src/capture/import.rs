//! Files of JSON lines into the spool, going on where an earlier import stopped.
//!
//! Each frame carries the file's [identity](crate::source::lines::identity) and how far it
//! reaches, so an import that was cut short at any moment goes on behind the last whole frame,
//! and a file imported twice adds nothing. A stream (stdin, a pipe) has no identity: it is stored
//! again, and the spool marks what it has as re-sends.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Watch, batch};
use crate::error::{Error, Result};
use crate::source::lines::{Lines, identity};
use crate::spool::SpoolWriter;

/// Bytes that may be stored before they are made durable.
const SYNC_EVERY: usize = 64 << 20;

/// Imports one file (`-` is stdin).
pub fn import(
    spool: &mut SpoolWriter,
    path: &Path,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<()> {
    let shown = if path == Path::new("-") { "stdin".into() } else { path.display().to_string() };
    let mut lines = Lines::open(path)?;
    let mut source = None;
    if path.is_file() {
        let identity = identity(path)?;
        let known = spool.sources().filter(|(name, _)| identity.is(name));
        // Of a file that grew, the name it was first given.
        let known = known.max_by_key(|&(_, end)| end).map(|(name, end)| (name.to_owned(), end));
        source = Some(known.unwrap_or_else(|| (identity.name(), 0)));
    } else {
        watch.note(&format!(
            "{shown} is a stream: it cannot be gone on with. If it is imported again, \
             what is in the spool already is stored again and marked as re-sent"
        ));
    }
    let before = source.as_ref().map_or(0, |&(_, end)| end);
    lines.skip_to(before);
    let copied = copy(spool, &mut lines, source.map(|(name, _)| name), stop, watch);
    spool.sync()?;
    match copied? {
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
}

fn copy(
    spool: &mut SpoolWriter,
    lines: &mut Lines,
    name: Option<String>,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<Copied> {
    let (mut messages, mut unsynced) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let Some(chunk) = lines.next_chunk()? else {
            return Ok(Copied { messages, stopped: false });
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
    }
    Ok(Copied { messages, stopped: true })
}
