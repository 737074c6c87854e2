//! The parts of the index that find things without reading the stream: the biggest transactions
//! of a segment, and the frames that hold a row.

use std::ops::Range;

use super::index::{Index, Row, Val, damaged, int};
use super::keyed::RowKey;
use super::keys;
use super::notes::Notes;
use super::types::Seq;
use crate::error::{Error, Result};
use crate::event::TableName;

/// How many transactions of a segment are kept by their rows.
pub(super) const BIGGEST: usize = 100;

/// What the biggest transactions of the segment being written have at least, once they are
/// [`BIGGEST`]; not known at first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Floor(Option<u64>);

/// What a segment holds in sum.
pub(super) struct SegmentSums {
    pub(super) range: Range<Seq>,
    pub(super) frames: u64,
    blocks: u64,
    pub(super) raw: u64,
    pub(super) resends: u64,
}

impl Index {
    /// Keeps the biggest transactions of a segment; of equal ones the first.
    pub(super) fn add_biggest(&self, segment: Seq, notes: &Notes, floor: &mut Floor) -> Result<()> {
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

    fn segment_of(&self, seq: Seq) -> Result<Seq> {
        let sql = "SELECT first FROM segments WHERE first <= ? ORDER BY first DESC LIMIT 1";
        Ok(self.row(sql, &[int(seq)], |row| row.int(0))?.unwrap_or(seq))
    }

    /// The biggest transactions of a segment, as rows and last record.
    pub(super) fn biggest(&self, segment: Seq) -> Result<Vec<(u64, Seq)>> {
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
    pub(super) fn summaries(&self) -> Result<Vec<SegmentSums>> {
        let mut next = self.end()?.next;
        let rows = self.segment_rows()?;
        let sums = rows.into_iter().rev().map(|row| SegmentSums {
            range: row.first..std::mem::replace(&mut next, row.first),
            frames: row.frames,
            raw: row.raw,
            resends: row.resends,
            blocks: row.blocks,
        });
        let mut all: Vec<SegmentSums> = sums.collect();
        all.reverse();
        Ok(all)
    }

    /// Adds the keys of a frame.
    pub(super) fn add_frame_keys(&self, frame: Seq, keys: &[u8]) -> Result<()> {
        self.put("frame_keys", &[int(frame), Val::Blob(keys)])
    }

    /// Merges the keys of the frames before `segment`, which are those of full segments.
    pub(super) fn merge_keys(&self, segment: Seq) -> Result<()> {
        while let Some(first) = self.row(
            "SELECT first FROM frame_keys WHERE first < ? ORDER BY first LIMIT 1",
            &[int(segment)],
            |row| row.int(0),
        )? {
            let full = self.segment_of(first)?;
            let sql = "SELECT first FROM segments WHERE first > ? ORDER BY first LIMIT 1";
            let end = self.row(sql, &[int(full)], |row| row.int(0))?.unwrap_or(segment);
            let mut entries = Vec::new();
            let sql = "SELECT first FROM frames WHERE first >= ? AND first < ? ORDER BY first";
            let frames = self.rows(sql, &[int(full), int(end)], |row| row.int(0))?;
            for (number, frame) in (0..).zip(frames) {
                let keys = self
                    .checked("frame_keys", "WHERE first = ?", &[int(frame)], |row| row.blob(1))?;
                for packed in keys {
                    entries.extend(keys::unpack(&packed).map(|hash| (hash, number)));
                }
            }
            let blocks = keys::pack_run(entries);
            let ends = blocks.iter().skip(1).map(|(low, _)| *low).chain([keys::END]);
            for ((low, block), end) in blocks.iter().zip(ends) {
                let id = keys::block_id(full, *low);
                self.put("key_runs", &[int(id), int(end.into()), Val::Blob(block)])?;
            }
            self.change_segment(full, |segment| segment.blocks = blocks.len() as u64)?;
            self.execute("DELETE FROM frame_keys WHERE first < ?", &[int(end)])?;
        }
        Ok(())
    }

    /// Notes what keys of a table are made of from a record on.
    pub(super) fn add_key_columns(&self, table: u32, columns: &[String], since: Seq) -> Result<()> {
        let names = serde_json::to_string(columns).map_err(|e| Error::failed(e.to_string()))?;
        self.put("key_columns", &[int(table.into()), Val::Text(&names), int(since)])
    }

    /// The columns of the keys of each table at the end.
    pub(super) fn key_columns_in_force(&self) -> Result<Vec<(u32, Vec<String>)>> {
        self.checked("key_columns", "ORDER BY since", &[], |row| {
            Ok((row.int(0)? as u32, names(&row.text(1)?)?))
        })
    }

    /// All lists of columns that keys of a table were made of.
    pub(super) fn key_columns(&self, table: &TableName) -> Result<Vec<Vec<String>>> {
        let Some(id) = self.table_id(table)? else { return Ok(Vec::new()) };
        let rest = "WHERE tab = ? ORDER BY since";
        self.checked("key_columns", rest, &[int(id)], |row| names(&row.text(1)?))
    }

    /// The number of a table.
    pub(super) fn table_id(&self, table: &TableName) -> Result<Option<u64>> {
        let known = self.tables()?.iter().position(|name| name == table);
        Ok(known.map(|id| id as u64))
    }

    /// First records of the frames that may hold events of a row, rising.
    pub(super) fn frames_of(&self, table: &TableName, key: &RowKey<'_>) -> Result<Vec<Seq>> {
        // One view of the index: a writer merges keys meanwhile.
        let view = self.view()?;
        let mut frames = self.look_up(table, key)?;
        drop(view);
        frames.sort_unstable();
        frames.dedup();
        Ok(frames)
    }

    fn look_up(&self, table: &TableName, key: &RowKey<'_>) -> Result<Vec<Seq>> {
        let names = key.names();
        let mut hashes = key.hashes(table);
        hashes.push(keys::marker(table, &[]));
        let others = self.key_columns(table)?.into_iter().filter(|list| *list != names);
        hashes.extend(others.map(|list| keys::marker(table, &list)));
        let mut found = Vec::new();
        let mut unmerged = 0;
        for segment in self.summaries()? {
            if segment.blocks == 0 {
                unmerged += segment.frames;
                continue;
            }
            let mut numbers = Vec::new();
            for &hash in &hashes {
                numbers.extend(self.look_up_in(segment.range.start, hash)?);
            }
            if numbers.is_empty() {
                continue;
            }
            let sql = "SELECT first FROM frames WHERE first >= ? AND first < ? ORDER BY first";
            let range = [int(segment.range.start), int(segment.range.end)];
            let frames = self.rows(sql, &range, |row| row.int(0))?;
            if frames.len() as u64 != segment.frames {
                return Err(damaged("frames of a segment are missing"));
            }
            found.extend(numbers.into_iter().filter_map(|n| frames.get(n as usize)));
        }
        let mut looked_at = 0;
        self.walk_checked("frame_keys", "ORDER BY first", &[], |row| {
            let packed = row.blob(1)?;
            looked_at += 1;
            if keys::unpack(&packed).any(|hash| hashes.contains(&hash)) {
                found.push(row.int(0)?);
            }
            Ok(true)
        })?;
        match looked_at == unmerged {
            true => Ok(found),
            false => Err(damaged("keys of frames are missing")),
        }
    }

    /// Numbers of the frames of a full segment that have a hash.
    fn look_up_in(&self, segment: Seq, hash: u32) -> Result<Vec<u32>> {
        let rest = "WHERE id <= ? ORDER BY id DESC LIMIT 1";
        let id = int(keys::block_id(segment, hash));
        let read = |row: &Row<'_>| Ok((keys::of_block(row.int(0)?), row.int(1)?, row.blob(2)?));
        match self.checked("key_runs", rest, &[id], read)?.pop() {
            Some(((of, low), end, block)) if of == segment && u64::from(hash) < end => {
                Ok(keys::find(low, &block, hash))
            }
            _ => Err(damaged("keys of a segment are missing")),
        }
    }
}

fn names(json: &str) -> Result<Vec<String>> {
    serde_json::from_str(json).map_err(|e| Error::failed(format!("index: key columns: {e}")))
}
