//! The parts of the index that find things without reading the stream: the biggest transactions
//! of a segment, and the frames that hold a row.

use std::ops::Range;

use super::index::{Index, Val, int};
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
    pub(super) transactions: u64,
    pub(super) resends: u64,
}

impl Index {
    /// Keeps the biggest transactions of a segment; of equal ones the first.
    pub(super) fn add_biggest(&self, segment: Seq, notes: &Notes, floor: &mut Floor) -> Result<()> {
        let mut added = false;
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
            self.execute(
                "INSERT OR IGNORE INTO biggest VALUES(?, ?, ?)",
                &[int(of), int(rows), int(t.last)],
            )?;
            added |= here;
        }
        if added {
            self.execute(
                "DELETE FROM biggest WHERE segment = ?1 AND (rows, last) IN (
                   SELECT rows, last FROM biggest WHERE segment = ?1
                   ORDER BY rows DESC, last LIMIT -1 OFFSET ?2)",
                &[int(segment), int(BIGGEST as u64)],
            )?;
            let found = self.biggest(segment)?;
            floor.0 = found.get(BIGGEST - 1).map(|(rows, _)| *rows);
        }
        Ok(())
    }

    fn segment_of(&self, seq: Seq) -> Result<Seq> {
        let sql = "SELECT first FROM segments WHERE first <= ? ORDER BY first DESC LIMIT 1";
        Ok(self.row(sql, &[int(seq)], |row| row.int(0))?.unwrap_or(seq))
    }

    /// The biggest transactions of a segment, as rows and last record.
    pub(super) fn biggest(&self, segment: Seq) -> Result<Vec<(u64, Seq)>> {
        let sql = "SELECT rows, last FROM biggest WHERE segment = ? ORDER BY rows DESC, last";
        self.rows(sql, &[int(segment)], |row| Ok((row.int(0)?, row.int(1)?)))
    }

    /// What each segment holds in sum, in the order of the stream.
    pub(super) fn summaries(&self) -> Result<Vec<SegmentSums>> {
        let end = self.end()?.next;
        let sql = "SELECT first, transactions, resends FROM segments ORDER BY first DESC";
        let mut next = end;
        let mut all = self.rows(sql, &[], |row| {
            let range = row.int(0)?..std::mem::replace(&mut next, row.int(0)?);
            Ok(SegmentSums { range, transactions: row.int(1)?, resends: row.int(2)? })
        })?;
        all.reverse();
        Ok(all)
    }

    /// Adds the keys of a frame.
    pub(super) fn add_frame_keys(&self, frame: Seq, keys: &[u8]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.execute("INSERT INTO frame_keys VALUES(?, ?)", &[int(frame), Val::Blob(keys)])
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
            let mut number = 0;
            self.walk(
                "SELECT keys FROM frames f LEFT JOIN frame_keys k ON k.first = f.first
                 WHERE f.first >= ? AND f.first < ? ORDER BY f.first",
                &[int(full), int(end)],
                |row| {
                    if let Some(packed) = row.maybe_blob(0)? {
                        entries.extend(keys::unpack(&packed).map(|hash| (hash, number)));
                    }
                    number += 1;
                    Ok(true)
                },
            )?;
            for (low, block) in keys::pack_run(entries) {
                let id = int(keys::block_id(full, low));
                self.execute("INSERT INTO key_runs VALUES(?, ?)", &[id, Val::Blob(&block)])?;
            }
            self.execute("DELETE FROM frame_keys WHERE first < ?", &[int(end)])?;
        }
        Ok(())
    }

    /// Notes what keys of a table are made of from a record on.
    pub(super) fn add_key_columns(&self, table: u32, columns: &[String], since: Seq) -> Result<()> {
        let names = serde_json::to_string(columns).map_err(|e| Error::failed(e.to_string()))?;
        self.execute(
            "INSERT OR REPLACE INTO key_columns VALUES(?, ?, ?)",
            &[int(table.into()), Val::Text(&names), int(since)],
        )
    }

    /// The columns of the keys of each table at the end.
    pub(super) fn key_columns_in_force(&self) -> Result<Vec<(u32, Vec<String>)>> {
        let sql = "SELECT tab, columns FROM key_columns ORDER BY since";
        self.rows(sql, &[], |row| Ok((row.int(0)? as u32, names(&row.text(1)?)?)))
    }

    /// All lists of columns that keys of a table were made of.
    pub(super) fn key_columns(&self, table: &TableName) -> Result<Vec<Vec<String>>> {
        let sql = "SELECT columns FROM key_columns JOIN tables ON id = tab
                   WHERE database = ? AND name = ? ORDER BY since";
        let values = [Val::Text(&table.database), Val::Text(&table.table)];
        self.rows(sql, &values, |row| names(&row.text(0)?))
    }

    /// First records of the frames that may hold events of a row, rising.
    pub(super) fn frames_of(&self, table: &TableName, key: &RowKey<'_>) -> Result<Vec<Seq>> {
        // One view of the index: a writer merges keys meanwhile.
        self.execute("BEGIN", &[])?;
        let found = self.look_up(table, key);
        self.execute("COMMIT", &[])?;
        let mut frames = found?;
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
        for segment in self.summaries()? {
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
            found.extend(numbers.into_iter().filter_map(|n| frames.get(n as usize)));
        }
        self.walk("SELECT first, keys FROM frame_keys ORDER BY first", &[], |row| {
            let packed = row.blob(1)?;
            if keys::unpack(&packed).any(|hash| hashes.contains(&hash)) {
                found.push(row.int(0)?);
            }
            Ok(true)
        })?;
        Ok(found)
    }

    /// Numbers of the frames of a full segment that have a hash.
    fn look_up_in(&self, segment: Seq, hash: u32) -> Result<Vec<u32>> {
        let sql = "SELECT id, run FROM key_runs WHERE id <= ? ORDER BY id DESC LIMIT 1";
        let block = self.row(sql, &[int(keys::block_id(segment, hash))], |row| {
            Ok((keys::of_block(row.int(0)?), row.blob(1)?))
        })?;
        Ok(match block {
            Some(((of, low), block)) if of == segment => keys::find(low, &block, hash),
            _ => Vec::new(),
        })
    }
}

fn names(json: &str) -> Result<Vec<String>> {
    serde_json::from_str(json).map_err(|e| Error::failed(format!("index: key columns: {e}")))
}
