//! Whether an index and the segments it was derived from still belong together, told by the
//! files' names and sizes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::db::{Index, PAST, TORN, Val, damaged, int};
use crate::error::{Error, Result};
use crate::spool::store::pruned;
use crate::spool::store::scan::Unread;
use crate::spool::store::segment;
use crate::spool::store::segments::Segments;
use crate::spool::types::{BadFrame, Seq};

/// What an index says about files that are not so (any more).
#[derive(Debug, Default)]
pub(crate) struct Fit {
    /// Segments that are gone, shorter than indexed, or not known.
    pub(crate) misfits: Vec<BadFrame>,
    /// Segments that were sealed since they were indexed.
    pub(crate) sealed: Vec<Seq>,
    /// All bytes of the segments are indexed, as they stand.
    pub(crate) complete: bool,
}

/// Compares an index with the files.
///
/// # Errors
/// When the folder or the index cannot be read.
pub(crate) fn fit(dir: &Path, index: &Index) -> Result<Fit> {
    // An interrupted prune may have left some of what is gone.
    let begin = pruned::pruned(dir)?.map_or(0, |pruned| pruned.segment);
    let segments = Segments::of(dir)?;
    let mut listed = segments.all();
    listed.retain(|first| *first >= begin);
    let mut known = index.segment_rows()?;
    known.retain(|row| row.first >= begin);
    let ends = known.iter().skip(1).map(|row| row.first).chain([index.end()?.next]);
    let mut fit = Fit::default();
    let mut size = 0;
    for (row, end) in known.iter().zip(ends) {
        let mut misfit = |offset, lost, reason: String| {
            let segment = segment::name(row.first);
            fit.misfits.push(BadFrame { segment, offset, bytes: 0, lost, reason, last: false });
        };
        if listed.binary_search(&row.first).is_err() {
            misfit(0, row.first..end, "the segment is gone".to_owned());
            continue;
        }
        let generation;
        (size, generation) = segments.look(dir, row.first)?;
        if generation > row.generation {
            fit.sealed.push(row.first);
        } else if generation < row.generation {
            // A power loss has kept the index and not the sealed file.
            misfit(0, end..end, "the index knows this segment as it is no more".to_owned());
        } else if size < row.bytes {
            let whole = index.checksums(row.first)?;
            let kept = whole.iter().take_while(|(place, _)| place.offset + place.len <= size);
            let first = index.frame_firsts(row.first)?.get(kept.count()).copied();
            let reason = format!("the segment ends here, its index knows {} bytes", row.bytes);
            misfit(size, first.unwrap_or(end)..end, reason);
        }
    }
    let last = known.last().map_or(0, |row| row.first);
    for &first in listed.iter().filter(|&&first| first < last) {
        if known.iter().all(|row| row.first != first) {
            let reason = "the index does not know this segment".to_owned();
            let (segment, lost) = (segment::name(first), first..first);
            let bad = BadFrame { segment, offset: 0, bytes: 0, lost, reason, last: false };
            fit.misfits.push(bad);
        }
    }
    let torn = Torn::of(index)?.filter(|torn| torn.segment == last).map_or(0, |torn| torn.bytes);
    let indexed = known.last().map_or(0, |row| row.bytes);
    fit.complete = fit.misfits.is_empty()
        && fit.sealed.is_empty()
        && index.begins()?.unwrap_or(0) == begin
        && !known.is_empty()
        && listed.last() == Some(&last)
        && size == indexed + torn;
    Ok(fit)
}

/// Bytes behind the last whole frame while nobody writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Torn {
    segment: Seq,
    offset: u64,
    bytes: u64,
    reason: String,
}

impl Torn {
    pub(crate) fn new(segment: Seq, unread: &Unread) -> Self {
        let (offset, bytes, reason) = (unread.offset, unread.bytes, unread.reason.clone());
        Self { segment, offset, bytes, reason }
    }

    fn of(index: &Index) -> Result<Option<Self>> {
        let text = index.get(TORN)?;
        let torn = text.map(|text| serde_json::from_str(&text)).transpose();
        torn.map_err(|e| damaged(format_args!("the torn end: {e}")))
    }
}

/// How far an earlier index knew the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// The sequence behind its last record.
    pub(crate) next: Seq,
    /// The same of the last record from a queue: nobody else has it any more.
    pub(crate) captured: Seq,
}

impl Past {
    /// What an index knows, itself and by what it was told of an earlier one.
    pub(crate) fn of(index: &Index) -> Result<Self> {
        let kept = Self::kept(index)?;
        let next = kept.next.max(index.end()?.next);
        Ok(Self { next, captured: kept.captured.max(index.captured_end()?) })
    }

    /// The farther of two.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { next: self.next.max(other.next), captured: self.captured.max(other.captured) }
    }

    /// What an index was told of an earlier one.
    pub(crate) fn kept(index: &Index) -> Result<Self> {
        let [next, captured] = PAST.map(|key| index.get_int(key));
        Ok(Self { next: next?.unwrap_or(0), captured: captured?.unwrap_or(0) })
    }
}

/// Keeps what is to be said of the spool's end.
pub(crate) fn keep(index: &Index, torn: Option<&Torn>, past: Past) -> Result<()> {
    let torn =
        torn.map(serde_json::to_string).transpose().map_err(|e| Error::failed(e.to_string()))?;
    index.set(TORN, torn.as_deref().map_or(Val::Null, Val::Text))?;
    index.set(PAST[0], int(past.next))?;
    index.set(PAST[1], int(past.captured))
}

/// What is wrong with the end of the spool.
///
/// # Errors
/// When the index cannot be read.
pub(crate) fn tail(index: &Index) -> Result<Option<BadFrame>> {
    let (torn, past, next) = (Torn::of(index)?, Past::kept(index)?, index.end()?.next);
    let lost = next..past.next.max(next);
    let knew = format!("the spool once had messages up to {}", past.next.saturating_sub(1));
    Ok(match (torn, lost.is_empty()) {
        (None, true) => None,
        (Some(torn), whole) => {
            let Torn { segment, offset, bytes, mut reason } = torn;
            if !whole {
                reason = format!("{reason}; {knew}");
            }
            Some(BadFrame {
                segment: segment::name(segment),
                offset,
                bytes,
                lost,
                reason,
                last: true,
            })
        }
        (None, false) => {
            let (segment, offset) = index.live()?.unwrap_or_default();
            let segment = segment::name(segment);
            let reason = format!("it ends here; {knew}");
            Some(BadFrame { segment, offset, bytes: 0, lost, reason, last: true })
        }
    })
}
