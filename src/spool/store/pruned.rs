//! What was pruned from the front of a spool, and what is known from there: `pruned/begin.zst`.
//!
//! Frames of the form of a segment's. The first has one record, [`Pruned`] as JSON; what the others
//! have is their reader's affair. It is written before the first segment goes, in the place of the
//! one before.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files;
use super::format::{Header, SpoolId};
use super::frame::{Batch, Frame};
use super::framed::Framed;
use super::kept::keep;
use super::place::Place;
use super::segment::Encoder;
use crate::error::{Context, Error, Means, Result};
use crate::event::landmark::Landmark;
use crate::event::time::utc;
use crate::spool::types::Seq;

/// The folder in the spool, and the file.
const FOLDER: &str = "pruned";
const FILE: &str = "begin.zst";
/// On rows of text; written once for years.
const LEVEL: i32 = 9;

/// What was removed from the front of a spool, all prunes together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// The first message that there was.
    pub first: Seq,
    /// The first segment that is left.
    pub segment: Seq,
    /// The first message that is read: the end of a transaction whose begin is gone comes before.
    pub begin: Seq,
    /// Behind the last message when it was pruned, and behind the last from a queue.
    pub next: Seq,
    /// See [`Pruned::next`].
    pub captured: Seq,
    /// When the last prune was, milliseconds since 1970.
    pub at_ms: i64,
    /// Stored messages that went.
    pub messages: u64,
    /// Transactions of them.
    pub transactions: u64,
    /// Messages that the producer had sent again.
    pub resends: u64,
    /// Messages that could not be read.
    pub damaged: u64,
    /// Gaps that were noticed.
    pub gaps: u64,
    /// Times of the first and the last transaction, seconds since 1970.
    pub times: Option<(i64, i64)>,
    /// The message before the begin.
    pub last: Option<Landmark>,
}

/// Shows `messages 1 to 4,710 were pruned on 2026-11-26T03:00:00Z`.
impl fmt::Display for Pruned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, begin, at_ms, .. } = self;
        let last = begin.saturating_sub(1);
        write!(f, "messages {first} to {last} were pruned")?;
        write!(f, " (the last on {})", utc(at_ms.div_euclid(1000)))
    }
}

/// Path of the file.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(FOLDER).join(FILE)
}

/// What was pruned; `None`: nothing.
///
/// # Errors
/// When the file cannot be read.
pub fn pruned(dir: &Path) -> Result<Option<Pruned>> {
    let Some(mut frames) = open(dir)? else { return Ok(None) };
    let first = next(&mut frames)?;
    let told = first.as_ref().filter(|(_, frame)| frame.len() == 1);
    let told = told.map(|(_, frame)| serde_json::from_slice(frame.get(0).bytes));
    told.transpose()
        .ok()
        .flatten()
        .ok_or_else(|| mendable(frames.damaged("it does not say what was")))
        .map(Some)
}

/// True when a segment was pruned.
///
/// # Errors
/// As [`pruned`].
pub(crate) fn is_gone(dir: &Path, segment: Seq) -> Result<bool> {
    Ok(pruned(dir)?.is_some_and(|pruned| segment < pruned.segment))
}

/// Why a frame could not be read, if it was pruned under its reader's hands.
pub(crate) fn explained(dir: &Path, place: Place, error: Error) -> Error {
    match pruned(dir) {
        Ok(Some(pruned)) if place.segment < pruned.segment => {
            Error::stopped(format!("{pruned}, while this command read them"))
                .help("run it again on what is left")
        }
        _ => error,
    }
}

/// The spool that the file belongs to; `None`: nothing was pruned.
///
/// # Errors
/// As [`pruned`].
pub(crate) fn spool_id(dir: &Path) -> Result<Option<SpoolId>> {
    let Some(mut frames) = open(dir)? else { return Ok(None) };
    Ok(next(&mut frames)?.map(|(header, _)| header.spool))
}

/// All frames behind the first.
///
/// # Errors
/// As [`pruned`].
pub(crate) fn rest(dir: &Path) -> Result<Vec<Frame>> {
    let Some(mut frames) = open(dir)? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    next(&mut frames)?;
    while let Some((_, frame)) = next(&mut frames)? {
        all.push(frame);
    }
    match all.is_empty() {
        true => Err(mendable(frames.damaged("it ends too early"))),
        false => Ok(all),
    }
}

/// Writes the file, durably.
///
/// # Errors
/// When it cannot be written; the one before is there then.
pub(crate) fn write(dir: &Path, spool: SpoolId, pruned: &Pruned, rest: &[Batch]) -> Result<()> {
    let mut first = Batch { arrival_ms: pruned.at_ms, ..Batch::default() };
    first.push(&serde_json::to_vec(pruned).context(FILE)?);
    let mut encoder = Encoder::new(LEVEL, spool)?;
    let mut bytes = Vec::new();
    for batch in std::iter::once(&first).chain(rest) {
        bytes.extend(encoder.encode(batch, pruned.segment)?.bytes);
    }
    keep(dir, FOLDER, FILE, &bytes)
}

/// Keeps other prunes away until dropped; they may go on beside a writer.
#[derive(Debug)]
pub(crate) struct Alone(#[expect(dead_code, reason = "locked until it is closed")] File);

impl Alone {
    /// Takes the lock.
    ///
    /// # Errors
    /// When another prune is at work.
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        let folder = dir.join(FOLDER);
        files::make_folder(&folder)?;
        files::check_folder(&folder)?;
        let file = File::open(&folder).context(folder.display())?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::failed(format!(
                "{}: another prune, repair or archiving is at work",
                dir.display()
            ))
            .help("wait for it")),
            Err(TryLockError::Error(e)) => Err(e).context(folder.display()),
        }
    }
}

/// The frames of the file; `None`: nothing was pruned.
fn open(dir: &Path) -> Result<Option<Framed>> {
    Framed::open(&dir.join(FOLDER), FILE)
}

/// The next frame.
fn next(file: &mut Framed) -> Result<Option<(Header, Frame)>> {
    file.next().map_err(mendable)
}

/// Adds what may be done about a file that is damaged.
fn mendable(error: Error) -> Error {
    error.or_help(
        "what is known of the pruned messages stands in it: bring it back from a backup, or let "
            + Means::SpoolRepair
            + " move it aside: what was pruned counts as lost then",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pruned_comes_back_and_no_damage_goes_unseen() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        assert_eq!((pruned(dir.path())?, spool_id(dir.path())?), (None, None));
        let told = Pruned {
            first: 1,
            segment: 90,
            begin: 93,
            next: 200,
            captured: 150,
            at_ms: 1_764_115_200_000,
            messages: 89,
            transactions: 12,
            resends: 1,
            damaged: 0,
            gaps: 0,
            times: Some((7, 9)),
            last: None,
        };
        let mut batch = Batch::default();
        [&b"one"[..], b"two"].iter().for_each(|record| batch.push(record));
        write(dir.path(), SpoolId([3; 16]), &told, &[batch])?;
        assert_eq!(pruned(dir.path())?.as_ref(), Some(&told));
        assert_eq!(spool_id(dir.path())?, Some(SpoolId([3; 16])));
        assert_eq!(rest(dir.path())?[0].get(1).bytes, b"two");
        let said = told.to_string();
        assert!(
            said.starts_with("messages 1 to 92 were pruned (the last on 2025-11-26T"),
            "{said}"
        );
        let whole = std::fs::read(path(dir.path())).context("read")?;
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            std::fs::write(path(dir.path()), &flipped).context("write")?;
            let (said, rest) = (pruned(dir.path()), rest(dir.path()));
            assert!(said.is_err() || rest.is_err(), "byte {at}: {said:?}");
            std::fs::write(path(dir.path()), &whole[..at]).context("write")?;
            assert!(at == 0 || pruned(dir.path()).is_err() || super::rest(dir.path()).is_err());
        }
        Ok(())
    }
}
