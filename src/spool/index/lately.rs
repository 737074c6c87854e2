//! What of the index tells how the spool is now: its last frames, and how much is wrong in it.

use super::db::Index;
use super::read::column;
use super::schema::GAP_KINDS;
use crate::error::Result;
use crate::spool::types::{GapKind, Seq};

impl Index {
    /// Of the last frames, newest first and so many at most, back to one whose messages all arrived
    /// before `since`: the first and the last arrival in milliseconds since 1970, and records.
    pub(crate) fn arrivals(&self, limit: usize, since: i64) -> Result<Vec<(i64, i64, u64)>> {
        let mut all = Vec::new();
        self.walk_checked("frames", "ORDER BY first DESC", &[], |row| {
            let [arrival, latest] = [row.int(column::ARRIVAL)?, row.int(column::LATEST)?];
            all.push((arrival as i64, latest as i64, row.int(1)?));
            Ok(all.len() < limit && latest as i64 > since)
        })?;
        Ok(all)
    }

    /// How many gaps there are, and the record at which the last one was noticed.
    pub(crate) fn gap_count(&self) -> Result<(u64, Option<Seq>)> {
        self.count_of("gaps")
    }

    /// How many of the gaps are messages of one of several queues that came too late.
    pub(crate) fn late_count(&self) -> Result<u64> {
        let kind = GAP_KINDS.iter().position(|kind| *kind == GapKind::Late).unwrap_or_default();
        let sql = format!("SELECT count(*) FROM gaps WHERE kind = {kind}");
        Ok(self.row(&sql, &[], |row| row.int(0))?.unwrap_or_default())
    }

    /// How many records cannot be read, and the last of them.
    pub(crate) fn damaged_count(&self) -> Result<(u64, Option<Seq>)> {
        self.count_of("damaged")
    }

    fn count_of(&self, table: &str) -> Result<(u64, Option<Seq>)> {
        let sql = format!("SELECT count(*), max(seq) FROM {table}");
        Ok(self.row(&sql, &[], |row| Ok((row.int(0)?, row.maybe_int(1)?)))?.unwrap_or_default())
    }
}
