//! The frames that hold a row, by the hashes of its key: those of each frame at first, one sorted
//! run in blocks when a segment is full.

use super::db::{Index, Row, Val, damaged, int};
use super::keyed::RowKey;
use super::keys;
use crate::error::{Error, Result};
use crate::event::TableName;
use crate::spool::types::Seq;

/// A frame, and the number of the one in its segment that it is a part of now.
pub(super) struct Joined {
    pub(super) first: Seq,
    pub(super) number: u32,
}

impl Index {
    /// Adds the keys of a frame.
    pub(crate) fn add_frame_keys(&self, frame: Seq, keys: &[u8]) -> Result<()> {
        self.put("frame_keys", &[int(frame), Val::Blob(keys)])
    }

    /// Merges the keys of the frames before `segment`, which are those of full segments.
    pub(crate) fn merge_keys(&self, segment: Seq) -> Result<()> {
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
            self.put_run(full, entries)?;
            self.execute("DELETE FROM frame_keys WHERE first < ?", &[int(end)])?;
        }
        Ok(())
    }

    /// Keeps the hashes of a full segment, each with the number of its frame.
    fn put_run(&self, segment: Seq, entries: Vec<(u32, u32)>) -> Result<()> {
        let blocks = keys::pack_run(entries);
        let ends = blocks.iter().skip(1).map(|(low, _)| *low).chain([keys::END]);
        for ((low, block), end) in blocks.iter().zip(ends) {
            let id = keys::block_id(segment, *low);
            self.put("key_runs", &[int(id), int(end.into()), Val::Blob(block)])?;
        }
        self.change_segment(segment, |segment| segment.blocks = blocks.len() as u64)
    }

    /// Joins the keys of a segment's frames, in order.
    pub(super) fn join_keys(&self, segment: Seq, joined: &[Joined]) -> Result<()> {
        if self.segment_row(segment)?.is_none_or(|row| row.blocks == 0) {
            return self.join_frame_keys(joined);
        }
        let ids = [segment, segment + 1].map(|segment| int(keys::block_id(segment, 0)));
        let mut entries = Vec::new();
        self.walk_checked("key_runs", "WHERE id >= ? AND id < ? ORDER BY id", &ids, |row| {
            let low = keys::of_block(row.int(0)?).1;
            for (hash, frame) in keys::unpack_run(low, &row.blob(2)?) {
                let now = joined.get(frame as usize);
                entries.push((hash, now.ok_or_else(|| damaged("keys of a segment"))?.number));
            }
            Ok(true)
        })?;
        entries.sort_unstable();
        entries.dedup();
        self.execute("DELETE FROM key_runs WHERE id >= ? AND id < ?", &ids)?;
        self.put_run(segment, entries)
    }

    fn join_frame_keys(&self, joined: &[Joined]) -> Result<()> {
        for parts in joined.chunk_by(|a, b| a.number == b.number).filter(|parts| parts.len() > 1) {
            let mut hashes = Vec::new();
            for Joined { first, .. } in parts {
                let rest = "WHERE first = ?";
                let keys = self.checked("frame_keys", rest, &[int(*first)], |row| row.blob(1))?;
                keys.iter().for_each(|packed| hashes.extend(keys::unpack(packed)));
                self.execute("DELETE FROM frame_keys WHERE first = ?", &[int(*first)])?;
            }
            self.add_frame_keys(parts[0].first, &keys::pack(&mut hashes))?;
        }
        Ok(())
    }

    /// Notes what keys of a table are made of from a record on.
    pub(crate) fn add_key_columns(&self, table: u32, columns: &[String], since: Seq) -> Result<()> {
        let names = serde_json::to_string(columns).map_err(|e| Error::failed(e.to_string()))?;
        self.put("key_columns", &[int(table.into()), Val::Text(&names), int(since)])
    }

    /// The columns of the keys of each table at the end.
    pub(crate) fn key_columns_in_force(&self) -> Result<Vec<(u32, Vec<String>)>> {
        self.checked("key_columns", "ORDER BY since", &[], |row| {
            Ok((row.int(0)? as u32, names(&row.text(1)?)?))
        })
    }

    /// All lists of columns that keys of a table were made of.
    pub(crate) fn key_columns(&self, table: &TableName) -> Result<Vec<Vec<String>>> {
        let Some(id) = self.table_id(table)? else { return Ok(Vec::new()) };
        let rest = "WHERE tab = ? ORDER BY since";
        self.checked("key_columns", rest, &[int(id)], |row| names(&row.text(1)?))
    }

    /// The number of a table.
    pub(crate) fn table_id(&self, table: &TableName) -> Result<Option<u64>> {
        let known = self.tables()?.iter().position(|name| name == table);
        Ok(known.map(|id| id as u64))
    }

    /// First records of the frames that may hold events of a row, rising.
    pub(crate) fn frames_of(&self, table: &TableName, key: &RowKey<'_>) -> Result<Vec<Seq>> {
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
