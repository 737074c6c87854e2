//! What each segment holds in sum, and its biggest transactions, kept apart so that the biggest of
//! all are found without looking at the others.

use std::ops::Range;

use super::db::{Index, damaged, int};
use crate::error::Result;
use crate::spool::follow::notes::Notes;
use crate::spool::types::Seq;

/// How many transactions of a segment are kept by their rows.
pub(crate) const BIGGEST: usize = 100;

/// What the biggest transactions of the segment being written have at least, once they are
/// [`BIGGEST`]; not known at first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Floor(Option<u64>);

/// What a segment holds in sum.
pub(crate) struct SegmentSums {
    pub(crate) range: Range<Seq>,
    pub(crate) frames: u64,
    /// Blocks of its merged keys.
    pub(super) blocks: u64,
    pub(crate) raw: u64,
    pub(crate) resends: u64,
}

impl Index {
    /// Keeps the biggest transactions of a segment; of equal ones the first.
    pub(crate) fn add_biggest(&self, segment: Seq, notes: &Notes, floor: &mut Floor) -> Result<()> {
        let mut touched: Vec<Seq> = Vec::new();
        for t in &notes.closed {
            let rows = t.tables.iter().map(|(_, counts)| counts.rows()).sum::<u64>();
            // A transaction found incomplete late may lie in an earlier segment.
            let here = t.last >= segment;
            if rows == 0 || (here && floor.0.is_some_and(|least| rows <= least)) {
                continue;
            }
            let of = match here {
                true => segment,
                false => self.segment_of(t.last)?,
            };
            self.put("biggest", &[int(of), int(rows), int(t.last)])?;
            if !touched.contains(&of) {
                touched.push(of);
            }
        }
        for of in touched {
            self.execute(
                "DELETE FROM biggest WHERE segment = ?1 AND (rows, last) IN (
                   SELECT rows, last FROM biggest WHERE segment = ?1
                   ORDER BY rows DESC, last LIMIT -1 OFFSET ?2)",
                &[int(of), int(BIGGEST as u64)],
            )?;
            let found = self.biggest_rows(of)?;
            self.change_segment(of, |row| row.biggest = found.len() as u64)?;
            if of == segment {
                floor.0 = found.get(BIGGEST - 1).map(|(rows, _)| *rows);
            }
        }
        Ok(())
    }

    pub(super) fn segment_of(&self, seq: Seq) -> Result<Seq> {
        let sql = "SELECT first FROM segments WHERE first <= ? ORDER BY first DESC LIMIT 1";
        Ok(self.row(sql, &[int(seq)], |row| row.int(0))?.unwrap_or(seq))
    }

    /// The biggest transactions of a segment, as rows and last record.
    pub(crate) fn biggest(&self, segment: Seq) -> Result<Vec<(u64, Seq)>> {
        let found = self.biggest_rows(segment)?;
        match self.segment_row(segment)?.is_some_and(|row| row.biggest == found.len() as u64) {
            true => Ok(found),
            false => Err(damaged("some of a segment's biggest transactions are missing")),
        }
    }

    fn biggest_rows(&self, segment: Seq) -> Result<Vec<(u64, Seq)>> {
        let rest = "WHERE segment = ? ORDER BY rows DESC, last";
        self.checked("biggest", rest, &[int(segment)], |row| Ok((row.int(1)?, row.int(2)?)))
    }

    /// What each segment holds in sum, in the order of the stream.
    pub(crate) fn summaries(&self) -> Result<Vec<SegmentSums>> {
        // The end is asked last: a writer may begin segments in between.
        let rows = self.segment_rows()?;
        let mut next = self.end()?.next;
        let sums = rows.into_iter().rev().map(|row| SegmentSums {
            range: row.first..std::mem::replace(&mut next, row.first),
            frames: row.frames,
            raw: row.raw,
            resends: row.resends,
            blocks: row.blocks,
        });
        let mut all: Vec<SegmentSums> = sums.collect();
        all.reverse();
        match all.iter().all(|segment| segment.range.start <= segment.range.end) {
            true => Ok(all),
            false => Err(damaged("it ends before its last segment")),
        }
    }
}
