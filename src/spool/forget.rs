//! Takes imports out of the spool again.
//!
//! Where their frames stood a frame without records says how many there were, so that all other
//! records keep their numbers. Each segment is written anew beside the old one and renamed over
//! it; the index is deleted before the first and derived again after the last. Killed in between,
//! the same call goes on.

use std::fs;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::index::db::{self, Index};
use super::index::fit::{self, Past};
use super::index::home::Home;
use super::index::indexer::Indexer;
use super::index::pruned::forget_sources;
use super::reader::Spool;
use super::store::files;
use super::store::format::{Header, SpoolId};
use super::store::lock::{Lock, Purpose};
use super::store::place::Place;
use super::store::pruned::Alone;
use super::store::recovery;
use super::store::scan::{Found, Scan};
use super::store::segment::{self, sync_dir, tombstone};
use super::store::segments::{self, Segments};
use super::types::{BadFrame, Seq, Transaction, TransactionKind};
use crate::error::{Context, Error, ErrorKind, Means, Result};
use crate::event::Direction;

/// What stands in stretches of the spool, and what beside them depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependents {
    /// Stored messages.
    pub messages: u64,
    /// Those of them that cannot be read.
    pub damaged: u64,
    /// Those that the producer sent again.
    pub resends: u64,
    /// Transactions of row events that end there.
    pub transactions: u64,
    /// Statements; what is behind them is read by the definitions that are left.
    pub statements: u64,
    /// Copies of tables that begin there.
    pub copies: u64,
    /// Transactions that have only a part of their messages there.
    pub parted: Vec<Transaction>,
    /// Later messages that are marked as sent again: those that repeat one of these count as the
    /// first then.
    pub later_resends: u64,
}

impl Spool {
    /// What stands in stretches, rising, and what depends on it.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub fn dependents(&self, stretches: &[Range<Seq>]) -> Result<Dependents> {
        let mut all = Dependents::default();
        for range in stretches {
            for frame in self.frames(range.clone(), Direction::Forward) {
                let part = match frame {
                    Err(e) if e.kind() == ErrorKind::Failed => continue,
                    frame => frame?.range(),
                };
                all.messages += part.end.min(range.end).saturating_sub(part.start.max(range.start));
            }
            all.damaged += self.damaged(range.clone())?.len() as u64;
            all.resends += self.resends(range.clone())?;
            for transaction in self.transactions(range.start..range.end, Direction::Forward) {
                let t = transaction?;
                match t.kind {
                    TransactionKind::Ddl => all.statements += 1,
                    _ => all.transactions += 1,
                }
                if t.first < range.start {
                    all.parted.push(t);
                }
            }
            let next = self.first_transaction(range.end..Seq::MAX, Direction::Forward)?;
            all.parted.extend(next.filter(|t| t.first < range.end));
            let copies = self.bootstraps()?.into_iter();
            all.copies += copies.filter(|copy| range.contains(&copy.start)).count() as u64;
        }
        if let Some(last) = stretches.last() {
            all.later_resends = self.resends(last.end..self.end()?.next)?;
        }
        Ok(all)
    }
}

/// Takes the imports of these stretches, rising, out of the spool. Gives what its segments had
/// lost before.
///
/// # Errors
/// When a stretch does not begin and end with an import's frames, or holds messages of a queue,
/// which nobody else has (usage; nothing is done then), when a writer is alive, or a file cannot
/// be read or written.
pub fn forget(dir: &Path, stretches: &[Range<Seq>]) -> Result<Vec<BadFrame>> {
    let lock = Lock::take(dir, Purpose::Write)?;
    let _alone = Alone::take(dir)?;
    let spool = recovery::spool_id(dir)?
        .ok_or_else(|| Error::usage(format!("{}: the spool is empty", dir.display())))?;
    let (mut touched, mut sources) = (Vec::new(), Vec::new());
    let segments = Segments::of(dir)?;
    // What of them is in the archive alone is written anew here; the copies stay as they are.
    let may_hold = |segment: &Seq| {
        let range = segments.copied(*segment).map(|copied| copied.first..copied.end);
        let inside =
            |s: &Range<Seq>, range: &Range<Seq>| s.start < range.end && range.start < s.end;
        range.is_none_or(|range| stretches.iter().any(|s| inside(s, &range)))
    };
    for segment in segments.all().into_iter().filter(may_hold) {
        if holds(dir, segment, stretches, &mut sources)? {
            touched.push(segment);
        }
    }
    let past = match Index::open_read(dir) {
        Ok(Some(index)) => Past::of(&index).unwrap_or_default(),
        _ => Past::default(),
    };
    // What it says of the segments is about to be wrong.
    db::delete(dir)?;
    sync_dir(dir)?;
    forget_sources(dir, spool, &sources)?;
    for segment in touched {
        rewrite(dir, segment, spool, stretches)?;
    }
    let mut indexer = Indexer::begin_anew(&Home::new(dir), past)?;
    indexer.catch_up(spool, Seq::MAX)?;
    let mut bad = indexer.index().bad_frames()?;
    bad.extend(fit::tail(indexer.index())?);
    drop(lock);
    Ok(bad)
}

/// True when a frame lies in one of the stretches. One that was taken out already does not.
fn takes(header: &Header, stretches: &[Range<Seq>]) -> bool {
    let inside = |s: &Range<Seq>| s.start < header.end() && header.first < s.end;
    header.forgotten == 0 && stretches.iter().any(inside)
}

/// True when a segment has frames to be taken out; they are checked, and their sources named.
fn holds(
    dir: &Path,
    segment: Seq,
    stretches: &[Range<Seq>],
    sources: &mut Vec<String>,
) -> Result<bool> {
    let mut scan = Scan::open(dir, segment, 0)?;
    let mut holds = false;
    while let Some(found) = scan.next()? {
        if let Found::Frame { place, header, .. } = found
            && takes(&header, stretches)
        {
            check(place, &header, stretches)?;
            sources.extend(header.source.map(|(name, _)| name).filter(|n| !sources.contains(n)));
            holds = true;
        }
    }
    Ok(holds)
}

fn check(place: Place, header: &Header, stretches: &[Range<Seq>]) -> Result<()> {
    if let Some(queue) = &header.queue {
        return Err(Error::usage(format!(
            "{place}: messages {} to {} came from the queue {queue:?}, where they are no more",
            header.first,
            header.end() - 1
        ))
        .help(("only an import can be taken out; `{}` lists them", [Means::SpoolLs])));
    }
    match stretches.iter().any(|s| s.start <= header.first && header.end() <= s.end) {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "{place}: messages {} to {} were stored as one piece, and only a part is meant",
            header.first,
            header.end() - 1
        ))
        .help(("take all of them or none; `{}` lists the imports", [Means::SpoolLs]))),
    }
}

/// Writes a segment anew without the frames of the stretches.
fn rewrite(dir: &Path, segment: Seq, spool: SpoolId, stretches: &[Range<Seq>]) -> Result<()> {
    let path = segment::path(dir, segment);
    let temp = dir.join(format!("{}.new", segment::name(segment)));
    let (old, mut new) = (segments::open(dir, segment)?, files::make(&temp)?);
    let mut scan = Scan::open(dir, segment, 0)?;
    let mut taken: Option<(Range<Seq>, i64)> = None;
    let mut bytes = Vec::new();
    loop {
        let found = scan.next()?;
        if let Some(Found::Frame { header, .. }) = &found
            && !header.lost
            && (header.forgotten > 0 || takes(header, stretches))
        {
            match &mut taken {
                Some((range, _)) if range.end == header.first => range.end = header.end(),
                _ => {
                    put(&mut new, &temp, spool, taken.take())?;
                    taken = Some((header.first..header.end(), header.arrival_ms));
                }
            }
            continue;
        }
        put(&mut new, &temp, spool, taken.take())?;
        let (offset, len) = match found {
            None => break,
            Some(Found::Frame { place, .. }) => (place.offset, place.len),
            Some(Found::Bad(unread) | Found::Torn(unread)) => (unread.offset, unread.bytes),
        };
        // As they stand, what is no frame too.
        bytes.resize(len as usize, 0);
        old.read_exact_at(&mut bytes, offset).context(path.display())?;
        new.write_all(&bytes).context(temp.display())?;
    }
    new.sync_all().context(temp.display())?;
    fs::rename(&temp, &path).context(path.display())?;
    sync_dir(dir)
}

fn put(
    new: &mut fs::File,
    path: &Path,
    spool: SpoolId,
    taken: Option<(Range<Seq>, i64)>,
) -> Result<()> {
    let Some((range, arrival_ms)) = taken else { return Ok(()) };
    new.write_all(&tombstone(spool, arrival_ms, &range, false)?).context(path.display())
}
