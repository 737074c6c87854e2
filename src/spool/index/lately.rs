//! What of the index tells how the spool is now: its last frames, and how much is wrong in it.

use super::db::{Index, int};
use super::read::column;
use crate::error::Result;
use crate::spool::types::Seq;

impl Index {
    /// Of the last frames, newest first and so many at most: the first and the last arrival in
    /// milliseconds since 1970, and records.
    pub(crate) fn arrivals(&self, limit: u64) -> Result<Vec<(i64, i64, u64)>> {
        let read = |row: &super::db::Row<'_>| {
            let [arrival, latest] = [row.int(column::ARRIVAL)?, row.int(column::LATEST)?];
            Ok((arrival as i64, latest as i64, row.int(1)?))
        };
        self.checked("frames", "ORDER BY first DESC LIMIT ?", &[int(limit)], read)
    }

    /// How many gaps there are, and the record at which the last one was noticed.
    pub(crate) fn gap_count(&self) -> Result<(u64, Option<Seq>)> {
        self.count_of("gaps")
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
