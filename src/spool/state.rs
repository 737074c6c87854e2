//! How a spool is, in a few numbers: for whoever watches it. What is asked does not grow with the
//! messages: sums of segments, the last frames, and counts.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::archive::InArchive;
use super::inboxes::{self, Waiting};
use super::reader::Spool;
use super::store::{disk, lock};
use super::types::{Seq, Transaction};
use crate::error::{Context, Result};
use crate::event::Direction;

/// The rate is that of so many milliseconds, …
const LATELY: i64 = 60_000;
/// … or of so many frames, if more have come in that time.
const FRAMES: usize = 512;

/// How a spool is.
#[derive(Clone, Debug)]
pub struct State {
    /// Its messages' numbers: the first there is, and the one behind the last.
    pub span: (Seq, Seq),
    /// How many messages it holds.
    pub messages: u64,
    /// Their bytes.
    pub raw: u64,
    /// Bytes of its files: segments and index.
    pub stored: u64,
    /// Segments.
    pub segments: u64,
    /// The first transaction (or statement) that ended in it.
    pub first: Option<Transaction>,
    /// The last one.
    pub last: Option<Transaction>,
    /// When the last frame was stored, milliseconds since 1970.
    pub arrival_ms: Option<i64>,
    /// Messages a second that were stored in the last minute.
    pub rate: f64,
    /// Messages that the producer sent again.
    pub resends: u64,
    /// Messages that the producer encrypted, and that were not read for want of the key.
    pub encrypted: u64,
    /// Messages that cannot be read, those among them, and the last of them.
    pub damaged: (u64, Option<Seq>),
    /// Gaps, and the record at which the last one was noticed.
    pub gaps: (u64, Option<Seq>),
    /// Those among them that are messages of one of several queues, come when what stands behind
    /// them was merged.
    pub late: u64,
    /// What cannot be read in the segments or is gone from them, in words.
    pub unreadable: Vec<String>,
    /// What of it is in an archive.
    pub archive: Option<InArchive>,
    /// Of each of several queues, what is not merged yet.
    pub waiting: Vec<Waiting>,
    /// Bytes that the disk has left, and the reserve below which a capture pauses.
    pub disk: (u64, u64),
    /// The process that writes the spool, where there is one.
    pub writer: Option<u32>,
}

impl Spool {
    /// How it is now.
    ///
    /// # Errors
    /// When the index or the disk cannot be asked.
    pub fn state(&self) -> Result<State> {
        let index = self.index();
        let sums = index.summaries()?;
        let next = self.end()?.next;
        let first = sums.first().map_or(next, |segment| segment.range.start);
        let (span, raw) = self.size()?;
        let gone = self.forgotten()?.into_iter().map(|range| range.end - range.start).sum::<u64>();
        let bad = self.bad_frames()?;
        let lost = bad.iter().filter(|bad| !bad.last).map(|bad| bad.lost.end - bad.lost.start);
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        let arrivals = index.arrivals(FRAMES, now - LATELY)?.into_iter();
        let arrivals: Vec<(i64, u64)> = arrivals
            .map(|(first, last, records)| (last, lately(first..last, records, now)))
            .collect();
        Ok(State {
            span: (first.max(self.begin()), next),
            messages: span.saturating_sub(gone + lost.sum::<u64>()),
            raw,
            stored: bytes(self.dir())?,
            segments: sums.len() as u64,
            first: self.first_transaction(0..Seq::MAX, Direction::Forward)?,
            last: self.first_transaction(0..Seq::MAX, Direction::Reverse)?,
            arrival_ms: arrivals.first().map(|(arrival, _)| *arrival),
            rate: rate(&arrivals, now),
            resends: self.resends(0..Seq::MAX)?,
            encrypted: self.encrypted()?,
            damaged: index.damaged_count()?,
            gaps: index.gap_count()?,
            late: index.late_count()?,
            unreadable: bad.iter().map(ToString::to_string).collect(),
            archive: self.in_archive()?,
            waiting: inboxes::waiting(self.dir(), &index.merged()?)?,
            disk: disk::space(self.dir())?,
            writer: lock::writer(self.dir())?,
        })
    }
}

/// How many messages of a frame count as of its last arrival: of one that was joined from many, its
/// share of the last minute.
fn lately(arrivals: Range<i64>, records: u64, now: i64) -> u64 {
    let spans = (arrivals.end - arrivals.start).max(0);
    match (arrivals.end - (now - LATELY).max(arrivals.start)).max(0) {
        share if share < spans => (records as f64 * share as f64 / spans as f64) as u64,
        _ => records,
    }
}

/// Messages a second, by the last frames: newest first, each with its arrival.
fn rate(arrivals: &[(i64, u64)], now: i64) -> f64 {
    let since = now - LATELY;
    let (oldest, since) = match arrivals.last() {
        // More came than was looked at: the time they took, the oldest being where it begins.
        Some((oldest, _)) if arrivals.len() == FRAMES && *oldest > since => (*oldest, *oldest),
        _ => (i64::MIN, since),
    };
    let lately = arrivals.iter().filter(|(arrival, _)| *arrival > since.max(oldest));
    let messages: u64 = lately.map(|(_, records)| records).sum();
    messages as f64 * 1000.0 / (now - since).max(1) as f64
}

/// What the segments and the index take on disk.
fn bytes(dir: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir).context(dir.display())? {
        let entry = entry.context(dir.display())?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".zst") || name.starts_with("index.sqlite") {
            // A file that has just gone takes nothing.
            sum += entry.metadata().map_or(0, |meta| meta.len());
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_minute_or_of_the_frames_looked_at() {
        let now = 1_000_000;
        assert!(rate(&[], now).abs() < 1e-9);
        // 600 in the last minute; what is older does not count.
        let few = [(now - 1_000, 400), (now - 59_000, 200), (now - 61_000, 9_999)];
        assert!((rate(&few, now) - 10.0).abs() < 1e-9);
        // A frame a millisecond: half a second was looked at.
        let many: Vec<(i64, u64)> = (1..=FRAMES as i64).map(|n| (now - n, 1)).collect();
        assert!((rate(&many, now) - 1000.0).abs() < 5.0);
        // Joined from what came in ten minutes, the last of them half a minute ago; in a second; at once.
        assert_eq!(lately(now - 600_000..now - 30_000, 5_700, now), 300);
        assert_eq!(lately(now - 2_000..now - 1_000, 5_700, now), 5_700);
        assert_eq!(lately(now - 1_000..now - 1_000, 5, now), 5);
    }
}
