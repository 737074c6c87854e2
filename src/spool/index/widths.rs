//! What the row images of the stream look like: how many columns those of each table have, and
//! where (one that lacks some tells that the source wrote MINIMAL or NOBLOB row images, or the
//! producer left out NULLs), and where the producer shows NULLs or leaves them out.

use std::collections::HashMap;
use std::ops::Range;

use super::db::{Index, int};
use crate::error::Result;
use crate::event::{Body, Event, Nulls, Op, TableName, row};
use crate::spool::types::Seq;

/// What was seen since the index was saved.
#[derive(Debug, Default)]
pub(crate) struct Widths {
    seen: HashMap<(u32, usize), (Seq, Seq)>,
    /// Since which message NULLs are shown or left out, and what was told last.
    nulls: Vec<(Seq, Nulls)>,
    last: Nulls,
}

impl Widths {
    /// Takes a row of the table of that number.
    pub(crate) fn row(&mut self, table: u32, seq: Seq, event: &Event<'_>) {
        let Body::Row { data, old } = event.body else { return };
        let look = row::look(data, old);
        self.add(table, look.width, seq);
        if event.meta.op == Op::Update && old.is_none_or(|old| old == "{}") {
            self.add(table, UNNAMED, seq);
        }
        if look.nulls != Nulls::Unknown && look.nulls != self.last {
            self.last = look.nulls;
            self.nulls.push((seq, look.nulls));
        }
    }

    fn add(&mut self, table: u32, width: usize, seq: Seq) {
        self.seen.entry((table, width)).or_insert((seq, seq)).1 = seq;
    }

    /// Puts what was seen into the index.
    pub(crate) fn save(&mut self, index: &Index) -> Result<()> {
        for ((table, width), (first, last)) in self.seen.drain() {
            let key = [int(table.into()), int(width as u64)];
            let rest = "WHERE tab = ? AND width = ?";
            let known = index.checked("image_widths", rest, &key, |row| row.int(2))?.pop();
            let values = [key[0], key[1], int(known.unwrap_or(first)), int(last)];
            index.put("image_widths", &values)?;
        }
        for (seq, nulls) in self.nulls.drain(..) {
            // A writer that begins anew does not know what was told last.
            if index.nulls("ORDER BY seq DESC LIMIT 1")?.pop().is_none_or(|(_, last)| last != nulls)
            {
                let shown = int(u64::from(nulls == Nulls::Shown));
                index.put("nulls", &[int(seq), shown])?;
            }
        }
        Ok(())
    }
}

/// Stands for updates that name no former value, in the place of a width.
pub(crate) const UNNAMED: usize = 0;

impl Index {
    /// From which messages on NULLs are shown, or left out.
    pub(crate) fn nulls(&self, rest: &str) -> Result<Vec<(Seq, Nulls)>> {
        self.checked("nulls", rest, &[], |row| {
            let nulls = if row.int(1)? == 1 { Nulls::Shown } else { Nulls::LeftOut };
            Ok((row.int(0)?, nulls))
        })
    }

    /// The widths of a table's row images: number of columns, and from the first message of it to
    /// behind the last.
    pub(crate) fn image_widths(&self, table: &TableName) -> Result<Vec<(u64, Range<Seq>)>> {
        let Some(id) = self.table_id(table)? else { return Ok(Vec::new()) };
        self.checked("image_widths", "WHERE tab = ?", &[int(id)], |row| {
            Ok((row.int(1)?, row.int(2)?..row.int(3)? + 1))
        })
    }
}
