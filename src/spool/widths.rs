//! How many columns the row images of each table have, and where: an image that lacks some tells
//! that the source wrote MINIMAL or NOBLOB row images.

use std::collections::HashMap;
use std::ops::Range;

use super::index::{Index, int};
use super::types::Seq;
use crate::error::Result;
use crate::event::{Body, Event, TableName, row};

/// What was seen since the index was saved.
#[derive(Debug, Default)]
pub(super) struct Widths {
    seen: HashMap<(u32, usize), (Seq, Seq)>,
}

impl Widths {
    /// Takes a row of the table of that number.
    pub(super) fn row(&mut self, table: u32, seq: Seq, event: &Event<'_>) {
        let Body::Row { data, .. } = event.body else { return };
        self.seen.entry((table, row::width(data))).or_insert((seq, seq)).1 = seq;
    }

    /// Puts what was seen into the index.
    pub(super) fn save(&mut self, index: &Index) -> Result<()> {
        for ((table, width), (first, last)) in self.seen.drain() {
            let key = [int(table.into()), int(width as u64)];
            let rest = "WHERE tab = ? AND width = ?";
            let known = index.checked("image_widths", rest, &key, |row| row.int(2))?.pop();
            let values = [key[0], key[1], int(known.unwrap_or(first)), int(last)];
            index.put("image_widths", &values)?;
        }
        Ok(())
    }
}

impl Index {
    /// The widths of a table's row images: number of columns, and from the first message of it to
    /// behind the last.
    pub(super) fn image_widths(&self, table: &TableName) -> Result<Vec<(u64, Range<Seq>)>> {
        let Some(id) = self.table_id(table)? else { return Ok(Vec::new()) };
        self.checked("image_widths", "WHERE tab = ?", &[int(id)], |row| {
            Ok((row.int(1)?, row.int(2)?..row.int(3)? + 1))
        })
    }
}
