//! Removes the oldest segments.
//!
//! What must outlive them is written to `pruned/begin.zst` first; from then on the spool begins
//! behind them, whatever is still there. Then they go from the index, then from the folder. Killed
//! in between, each next step is done by whoever opens the index, or prunes again. A writer may be
//! at work beside: it only appends to the last segment.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::index::db::Index;
use super::index::pruned::Border;
use super::index::zones::Level;
use super::reader::Spool;
use super::store::copies;
use super::store::lock::{Lock, Purpose};
use super::store::pruned::{self, Alone, Pruned};
use super::store::recovery;
use super::store::segment::{self, sync_dir};
use super::store::segments::{self, Segments};
use super::types::{SegmentInfo, Seq};
use crate::error::{Error, Result};
use crate::event::Direction;

/// So many segments stay at the end: the one that is written, and the one before it, by which is
/// known what the broker or the producer sends again.
pub(super) const STAY: usize = 2;

/// What is to go: segments that one of the two names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Those whose last message arrived before this, milliseconds since 1970.
    pub before_ms: Option<i64>,
    /// The oldest, until the others have no more bytes here than this; what is in the archive alone
    /// has none.
    pub bytes: Option<u64>,
    /// The first message that somebody still needs.
    pub needed: Option<Seq>,
}

/// What goes, or would.
#[derive(Clone, Debug)]
pub struct Prune {
    /// The segments.
    pub segments: Vec<SegmentInfo>,
    /// How many more would go if nobody needed them.
    pub held: usize,
    /// What is gone then, all prunes together; `None`: nothing goes, nor ever went.
    pub pruned: Option<Pruned>,
    /// How many of the segments have a copy that stays in an archive, and which that is.
    pub copies: Option<(usize, String)>,
}

/// Removes segments as wished.
///
/// # Errors
/// When there is no spool, another prune is at work, or a file cannot be read, written or removed.
pub fn prune(dir: &Path, wish: &Wish, dry_run: bool) -> Result<Prune> {
    let _alone = if dry_run { None } else { Some(Alone::take(dir)?) };
    let spool = Spool::open(dir)?;
    let (mut found, border) = plan(&spool, wish)?;
    if dry_run {
        return Ok(found);
    }
    if let (Some(pruned), Some(border)) = (&found.pruned, border) {
        let index = &spool.opened.index;
        // One view of it: a writer goes on.
        let _view = index.view()?;
        let known = index.known(pruned.segment, border)?;
        let kept = known.frames(index, pruned.segment, pruned.at_ms)?;
        let id = recovery::spool_id(dir)?.ok_or_else(|| Error::failed("no segment has a frame"))?;
        pruned::write(dir, id, pruned, &kept)?;
    }
    drop(spool);
    if let Some(pruned) = &found.pruned {
        // Whoever builds the index anew holds it for a moment; a writer keeps it.
        let _lock = Lock::take(dir, Purpose::Index).ok();
        if let Some(index) = Index::open(dir)? {
            index.prune(pruned.segment)?;
        }
        remove(dir, pruned.segment)?;
        found.copies = copies::forget_before(dir, pruned.segment)?;
    }
    Ok(found)
}

/// Removes the files of the segments before one.
fn remove(dir: &Path, border: Seq) -> Result<()> {
    let gone = segments::here(dir)?.into_iter().filter(|first| *first < border);
    gone.into_iter().try_for_each(|first| segment::remove(dir, first))?;
    sync_dir(dir)
}

/// What is to go, and what is followed where the rest begins.
fn plan(spool: &Spool, wish: &Wish) -> Result<(Prune, Option<Border>)> {
    let segments = spool.segments()?;
    let stay = segments.len().saturating_sub(STAY);
    let stored = Segments::of(spool.dir())?;
    let away: BTreeSet<Seq> = stored.away().map(|copied| copied.first).collect();
    let wanted = wished(&segments, stay, &away, wish);
    let cut = |needed: Seq| -> Result<Option<(usize, Seq, Border)>> {
        for count in (1..=wanted).rev() {
            if let Some((begin, border)) = border(spool, &segments[count])?
                && begin <= needed
            {
                return Ok(Some((count, begin, border)));
            }
        }
        Ok(None)
    };
    let most = cut(Seq::MAX)?.map_or(0, |(count, ..)| count);
    let Some((count, begin, border)) = cut(wish.needed.unwrap_or(Seq::MAX))? else {
        let pruned = spool.pruned().cloned();
        return Ok((Prune { segments: Vec::new(), held: most, pruned, copies: None }, None));
    };
    let pruned = sum(spool, &segments[..count], segments[count].first, begin)?;
    let segments = segments[..count].to_vec();
    let copied = stored.copies().map(|all| {
        let before = all.all.iter().filter(|copied| copied.first < pruned.segment);
        (before.count(), all.to.clone())
    });
    let copies = copied.filter(|(count, _)| *count > 0);
    Ok((Prune { segments, held: most - count, pruned: Some(pruned), copies }, Some(border)))
}

/// How many of the oldest are to go, of the first `most`; `away` are in the archive alone.
pub(super) fn wished(
    segments: &[SegmentInfo],
    most: usize,
    away: &BTreeSet<Seq>,
    wish: &Wish,
) -> usize {
    let may = &segments[..most];
    let bytes = |s: &SegmentInfo| if away.contains(&s.segment) { 0 } else { s.bytes };
    let old = |s: &&SegmentInfo| wish.before_ms.is_some_and(|before| s.arrival_ms.1 < before);
    let by_age = may.iter().take_while(old).count();
    let mut left: u64 = segments.iter().map(bytes).sum();
    let too_many = |s: &&SegmentInfo| {
        let goes = wish.bytes.is_some_and(|most| left > most);
        left -= bytes(s);
        goes
    };
    by_age.max(may.iter().take_while(too_many).count())
}

/// Where reading begins when all before a segment goes: behind a transaction or statement that
/// began before it; `None` where it cannot begin there.
fn border(spool: &Spool, segment: &SegmentInfo) -> Result<Option<(Seq, Border)>> {
    let (index, first) = (&spool.opened.index, segment.first);
    // A transaction that has not ended would lose its begin.
    if spool.end()?.open.is_some_and(|open| open < first) {
        return Ok(None);
    }
    let next = spool.first_transaction(first..Seq::MAX, Direction::Forward)?;
    let mut begin = next.filter(|t| t.first < first).map_or(first, |t| t.last + 1);
    while let Some((seq, _)) = index.next_ddl(begin)?.filter(|(_, group)| *group < begin) {
        begin = seq + 1;
    }
    Ok(index.border(first)?.map(|border| (begin, border)))
}

/// What is gone when these segments are, with what went before.
fn sum(spool: &Spool, gone: &[SegmentInfo], segment: Seq, begin: Seq) -> Result<Pruned> {
    let index = &spool.opened.index;
    let (end, (gaps, damaged)) = (spool.end()?, index.wrong_before(segment)?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
    let first = gone.first().map_or(segment, |first| first.first);
    let mut sum = spool.pruned().cloned().unwrap_or(Pruned {
        first,
        segment,
        begin,
        next: 0,
        captured: 0,
        at_ms: now,
        messages: 0,
        transactions: 0,
        resends: 0,
        damaged: 0,
        gaps: 0,
        times: None,
        last: None,
    });
    sum.gaps += gaps;
    sum.damaged += damaged;
    for info in gone {
        sum.messages += info.records;
        sum.resends += index.segment_row(info.first)?.map_or(0, |row| row.resends);
        let Some((zone, _)) = index.zone(Level::Segment, info.first)? else { continue };
        sum.transactions += zone.transactions;
        sum.times = match (sum.times, zone.times) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (times, more) => times.or(more),
        };
    }
    let last = spool.landmark(begin)?;
    let (next, captured) = (end.next, index.captured_end()?.max(sum.captured));
    Ok(Pruned { segment, begin, next, captured, at_ms: now, last, ..sum })
}
