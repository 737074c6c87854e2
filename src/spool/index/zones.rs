//! Zones in the index, and the walk that goes down only into those that are of interest.

use std::collections::VecDeque;
use std::ops::Range;

use super::db::{Index, Row, Val, damaged, int};
use super::zone::Zone;
use crate::error::Result;
use crate::event::Direction;
use crate::spool::follow::packed::Closed;
use crate::spool::types::{Numbered, Seq};

/// Zones of frames asked of the index at a time: few at first, often the first frame is all.
const CHUNK: Range<u64> = 4..512;

/// Whose zone it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Frame,
    Segment,
}

/// Somebody who goes through the transactions of a stretch, and is content with sums where they
/// tell enough.
pub trait Survey {
    /// Takes what the transactions of a frame or segment come to; true when each of them is to be
    /// seen. `whole`: all of it lies in the stretch.
    fn zone(&mut self, zone: &Zone, whole: bool) -> bool;

    /// Takes a transaction.
    fn transaction(&mut self, transaction: Numbered);
}

/// Records, and what they hold.
type Found = (Range<Seq>, Zone);

impl Level {
    fn value(self) -> Val<'static> {
        int(match self {
            Self::Frame => 0,
            Self::Segment => 1,
        })
    }
}

fn found(row: &Row<'_>) -> Result<Found> {
    let (first, zone) = (row.int(1)?, Zone::unpack(&row.blob(3)?));
    let zone = zone.ok_or_else(|| damaged("what a frame or segment holds"))?;
    Ok((first..first.saturating_add(row.int(2)?), zone))
}

impl Index {
    /// Keeps what a frame or segment of so many records holds.
    pub(crate) fn put_zone(&self, of: Level, first: Seq, records: u64, zone: &Zone) -> Result<()> {
        self.put("zones", &[of.value(), int(first), int(records), Val::Blob(&zone.pack())])
    }

    /// What a frame or segment holds, and how many records; `None` when it is not known.
    pub(crate) fn zone(&self, of: Level, first: Seq) -> Result<Option<(Zone, u64)>> {
        let rest = "WHERE level = ? AND first = ?";
        let zone = self.checked("zones", rest, &[of.value(), int(first)], found)?.pop();
        Ok(zone.map(|(range, zone)| (zone, range.end - range.start)))
    }

    /// Adds a transaction that was found later.
    pub(crate) fn change_zone(&self, of: Level, first: Seq, late: &Closed) -> Result<()> {
        let zone = self.zone(of, first)?;
        let (mut zone, records) = zone.ok_or_else(|| damaged("a frame without its zone"))?;
        zone.closed(late);
        self.put_zone(of, first, records, &zone)
    }

    /// The zones of all segments that have frames, by rising sequence.
    fn segment_zones(&self) -> Result<Vec<Found>> {
        let _view = self.view()?;
        let rest = "WHERE level = ? ORDER BY first";
        let zones = self.checked("zones", rest, &[Level::Segment.value()], found)?;
        let rows = self.segment_rows()?.into_iter().filter(|row| row.frames > 0);
        match rows.map(|row| row.first).eq(zones.iter().map(|(range, _)| range.start)) {
            true => Ok(zones),
            false => Err(damaged("what a segment holds is missing")),
        }
    }

    /// The zones of frames that begin in `firsts`, at most `limit` of them.
    fn frame_zones(&self, firsts: &Range<Seq>, order: Direction, limit: u64) -> Result<Vec<Found>> {
        let order = match order {
            Direction::Forward => "ASC",
            Direction::Reverse => "DESC",
        };
        self.checked(
            "zones",
            &format!("WHERE level = ? AND first >= ? AND first < ? ORDER BY first {order} LIMIT ?"),
            &[Level::Frame.value(), int(firsts.start), int(firsts.end), int(limit)],
            found,
        )
    }
}

/// A walk through the frames of a stretch, past segments and frames that are not of interest.
pub(crate) struct Walk {
    range: Range<Seq>,
    direction: Direction,
    chunk: u64,
    /// Segments still to be looked at, in the order of the walk; `None`: not asked for yet.
    segments: Option<VecDeque<Found>>,
    /// What is left of the segment that is gone through.
    left: Range<Seq>,
    /// The border behind which the walk has been: frames may be joined across it meanwhile.
    border: Seq,
    frames: VecDeque<(Range<Seq>, Found)>,
}

impl Walk {
    pub(crate) fn new(range: Range<Seq>, direction: Direction) -> Self {
        let border = if direction.is_reverse() { Seq::MAX } else { 0 };
        let (segments, frames) = (None, VecDeque::new());
        Self { range, direction, chunk: CHUNK.start, segments, left: 0..0, border, frames }
    }

    /// The records of the next frame that `open` wants opened, or those of them that were not in a
    /// frame before; it is asked for each segment that has a record of the stretch, and for each
    /// such frame of those it wants opened, and told whether all of it lies in what is to be seen.
    pub(crate) fn next(
        &mut self,
        index: &Index,
        mut open: impl FnMut(&Zone, bool) -> bool,
    ) -> Result<Option<Range<Seq>>> {
        loop {
            while let Some((part, (frame, zone))) = self.frames.pop_front() {
                if open(&zone, part == frame && self.is_inside(&frame)) {
                    return Ok(Some(part));
                }
            }
            if !self.left.is_empty() {
                self.fill(index)?;
            } else if let Some((segment, zone)) = self.segment(index)? {
                if open(&zone, self.is_inside(&segment)) {
                    let from = index.frame_start(self.range.start)?.max(segment.start);
                    self.left = from..segment.end.min(self.range.end);
                }
            } else {
                return Ok(None);
            }
        }
    }

    /// Ends the walk: behind an error nothing is to be relied on.
    pub(crate) fn end(&mut self) {
        (self.range, self.left, self.segments) = (0..0, 0..0, Some(VecDeque::new()));
        self.frames.clear();
    }

    fn is_inside(&self, part: &Range<Seq>) -> bool {
        self.range.start <= part.start && part.end <= self.range.end
    }

    /// The next segment.
    fn segment(&mut self, index: &Index) -> Result<Option<Found>> {
        if self.segments.is_none() {
            let mut all: VecDeque<Found> = index.segment_zones()?.into();
            all.retain(|(s, _)| s.start < self.range.end && self.range.start < s.end);
            if self.direction == Direction::Reverse {
                all.make_contiguous().reverse();
            }
            self.segments = Some(all);
        }
        Ok(self.segments.as_mut().and_then(VecDeque::pop_front))
    }

    /// Asks for zones of frames of what is left of the segment, which the index must all know.
    fn fill(&mut self, index: &Index) -> Result<()> {
        let mut all = {
            let _view = index.view()?;
            let from = index.frame_start(self.left.start)?;
            index.frame_zones(&(from..self.left.end), self.direction, self.chunk)?
        };
        all.retain(|(frame, _)| frame.end > self.left.start);
        self.chunk = (self.chunk * 4).min(CHUNK.end);
        if all.is_empty() {
            index.check_hole(&self.left)?;
            self.left = 0..0;
        }
        for (frame, zone) in all {
            let part = match self.direction {
                Direction::Forward => {
                    index.check_hole(&(self.left.start..frame.start))?;
                    self.left.start = frame.end.min(self.left.end);
                    frame.start.max(std::mem::replace(&mut self.border, frame.end))..frame.end
                }
                Direction::Reverse => {
                    index.check_hole(&(frame.end.min(self.left.end)..self.left.end))?;
                    self.left.end = frame.start;
                    frame.start..frame.end.min(std::mem::replace(&mut self.border, frame.start))
                }
            };
            if part.end > self.range.start {
                self.frames.push_back((part, (frame, zone)));
            }
        }
        Ok(())
    }
}
