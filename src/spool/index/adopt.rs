//! Takes over a segment that was sealed: the rows of frames that were joined become one row, as if
//! the segment had been read anew.
//!
//! All it needs are the segment's new headers: a crash between the renaming of a segment and this
//! is mended by doing it then.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::db::{Index, Val, damaged, int};
use super::key_runs::Joined;
use super::read::{FrameRow, column, frame_row};
use super::write::Said;
use super::zone::Zone;
use super::zones::Level;
use crate::error::{Context, Result};
use crate::spool::follow::packed::Closed;
use crate::spool::store::format::Header;
use crate::spool::store::place::Place;
use crate::spool::store::ranges::Ranges;
use crate::spool::store::scan::{Found, Scan};
use crate::spool::store::segment;
use crate::spool::store::segments;
use crate::spool::types::Seq;

impl Index {
    /// Takes over a sealed segment, all of it at once. False: the index does not fit it, and is to
    /// be built anew.
    ///
    /// # Errors
    /// When the segment or the index cannot be read or written; the index is as it was.
    pub(crate) fn adopt(&self, dir: &Path, segment: Seq) -> Result<bool> {
        self.begin()?;
        let adopted = self.adopt_frames(dir, segment);
        match adopted {
            Ok(true) => self.commit()?,
            // SQLite may have done so itself.
            _ => drop(self.execute("ROLLBACK", &[])),
        }
        adopted
    }

    fn adopt_frames(&self, dir: &Path, segment: Seq) -> Result<bool> {
        let file = segments::open(dir, segment)?;
        let generation = segment::generation(&file).context(segment::name(segment))?;
        let next = self.end()?.next;
        let (mut joined, mut frames, mut bytes) = (Vec::new(), 0, 0);
        let mut scan = Scan::of(file, segment, 0)?;
        while let Some(found) = scan.next()? {
            let Found::Frame { place, header, .. } = found else { return Ok(false) };
            // What the index does not know yet is caught up with as always.
            if header.first >= next {
                break;
            }
            if header.forgotten == 0 {
                let Some(parts) = self.join(place, &header)? else { return Ok(false) };
                joined.extend(parts.into_iter().map(|first| Joined { first, number: frames }));
                frames += 1;
            }
            bytes = place.offset + place.len;
        }
        self.join_positions(&joined)?;
        self.join_keys(segment, &joined)?;
        self.change_segment(segment, |row| {
            (row.generation, row.bytes, row.frames) = (generation, bytes, frames.into());
        })?;
        Ok(true)
    }

    /// Joins the rows of the frames that one was made of, and says where they began. `None`: the
    /// index does not know them.
    fn join(&self, place: Place, header: &Header) -> Result<Option<Vec<Seq>>> {
        let range = header.first..header.end();
        let (mut firsts, mut next) = (Vec::new(), range.start);
        let (mut resend, mut damaged_ones) = (Ranges::default(), Ranges::default());
        let (mut event, mut closed) = (None, Vec::new());
        for (row, at, transactions) in self.whole_frames(&range)? {
            if (row.first, row.place.segment) != (next, place.segment) {
                return Ok(None);
            }
            let before = (next - range.start) as usize;
            resend.append(&row.resend, before);
            damaged_ones.append(&row.damaged, before);
            closed.extend(transactions);
            event.get_or_insert(at);
            firsts.push(row.first);
            next = row.range().end;
        }
        let Some(event) = event.filter(|_| next == range.end) else { return Ok(None) };
        closed.sort_by_key(|t| t.last);
        self.join_zones(&range, &firsts)?;
        self.execute("DELETE FROM frames WHERE first > ? AND first < ?", &inside(&range))?;
        let said = Said { event: &event, resend: &resend, damaged: &damaged_ones, closed: &closed };
        self.put_frame(place, header, &said)?;
        self.join_damaged(&range)?;
        Ok(Some(firsts))
    }

    /// What the index knows of the frames of a stretch in order: each with the count of event
    /// rows where it begins, and its transactions.
    fn whole_frames(&self, range: &Range<Seq>) -> Result<Vec<(FrameRow, String, Vec<Closed>)>> {
        let rest = "WHERE first >= ? AND first < ? ORDER BY first";
        self.checked("frames", rest, &[int(range.start), int(range.end)], |row| {
            Ok((frame_row(row)?, row.text(column::EVENT)?, self.closed(row)?))
        })
    }

    fn join_zones(&self, range: &Range<Seq>, firsts: &[Seq]) -> Result<()> {
        let mut whole = Zone::default();
        for &first in firsts {
            let zone = self.zone(Level::Frame, first)?;
            whole.merge(&zone.ok_or_else(|| damaged("a frame without its zone"))?.0);
        }
        let rest = "DELETE FROM zones WHERE level = 0 AND first > ? AND first < ?";
        self.execute(rest, &inside(range))?;
        self.put_zone(Level::Frame, range.start, range.end - range.start, &whole)
    }

    fn join_damaged(&self, range: &Range<Seq>) -> Result<()> {
        let rest = "WHERE seq >= ? AND seq < ?";
        let bounds = [int(range.start), int(range.end)];
        let found = self.checked("damaged", rest, &bounds, |row| {
            Ok((row.int(0)?, row.int(2)?, row.text(3)?))
        })?;
        for (seq, len, reason) in found {
            self.put("damaged", &[int(seq), int(range.start), int(len), Val::Text(&reason)])?;
        }
        Ok(())
    }

    /// Joins the bounds of the positions that frames hold of each chain.
    fn join_positions(&self, joined: &[Joined]) -> Result<()> {
        let (Some(first), Some(last)) = (joined.first(), joined.last()) else { return Ok(()) };
        // By the begin of the frame that a frame is a part of now.
        let mut whole: BTreeMap<Seq, Seq> = BTreeMap::new();
        for parts in joined.chunk_by(|a, b| a.number == b.number) {
            whole.extend(parts.iter().map(|part| (part.first, parts[0].first)));
        }
        let rest = "WHERE frame >= ? AND frame <= ?";
        let bounds = [int(first.first), int(last.first)];
        let found: Vec<[u64; 6]> = self.checked("positions", rest, &bounds, |row| {
            let numbers = (0..6).map(|i| row.int(i)).collect::<Result<Vec<u64>>>()?;
            numbers.try_into().map_err(|_| damaged("positions of a frame"))
        })?;
        let mut bounds: BTreeMap<(u64, Seq), [(u64, u64); 2]> = BTreeMap::new();
        for [chain, file_max, offset_max, frame, file_min, offset_min] in found {
            let rest = "WHERE chain = ? AND file_max = ? AND offset_max = ? AND frame = ?";
            let key = [chain, file_max, offset_max, frame].map(int);
            self.execute(&format!("DELETE FROM positions {rest}"), &key)?;
            let of = *whole.get(&frame).ok_or_else(|| damaged("positions of no frame"))?;
            let (min, max) = ((file_min, offset_min), (file_max, offset_max));
            let all = bounds.entry((chain, of)).or_insert([min, max]);
            *all = [all[0].min(min), all[1].max(max)];
        }
        for ((chain, frame), [min, max]) in bounds {
            let values = [chain, max.0, max.1, frame, min.0, min.1].map(int);
            self.put("positions", &values)?;
        }
        Ok(())
    }
}

/// The sequences behind the first of a range.
fn inside(range: &Range<Seq>) -> [Val<'static>; 2] {
    [int(range.start), int(range.end)]
}
