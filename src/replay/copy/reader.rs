//! Reads a table in parts, a mark behind each.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::event::def::TableDef;
use crate::replay::mark::{self, Coming};
use crate::source::copy::{Base, Chunk, Key};
use crate::source::mark::Marker;
use crate::spool::Spool;

/// A part takes the source about so long.
const TIME: Duration = Duration::from_millis(500);
/// Rows of the first part, and of any.
const FIRST: usize = 1_000;
const FEWEST: usize = 100;
const MOST: usize = 20_000;

/// What a source is read by.
pub(super) struct Reader {
    pub(super) base: Base,
    pub(super) marker: Marker,
    pub(super) spool: Spool,
}

/// A part, and the mark that was written when it had been read.
pub(super) struct Read {
    pub(super) chunk: Chunk,
    pub(super) high: Coming,
}

impl Reader {
    /// Reads to the table's end, or until nobody takes the parts any more.
    pub(super) fn read(
        mut self,
        def: &TableDef,
        mut from: Option<Key>,
        send: SyncSender<Result<Read>>,
    ) {
        let mut most = FIRST;
        loop {
            let began = Instant::now();
            let chunk = self.base.chunk(def, from.as_ref(), most);
            let took = began.elapsed();
            let read = chunk.and_then(|chunk| {
                Ok(Read { chunk, high: mark::ask(&mut self.marker, &self.spool)? })
            });
            let next = read.as_ref().ok().and_then(|read| {
                most = fitting(read.chunk.rows.len(), took, most);
                read.chunk.reached.clone()
            });
            if send.send(read).is_err() || next.is_none() {
                return;
            }
            from = next;
        }
    }
}

/// How many rows the next part has, by the time that those of the last took.
fn fitting(rows: usize, took: Duration, most: usize) -> usize {
    let fit = rows as f64 * TIME.as_secs_f64() / took.as_secs_f64().max(1e-6);
    (fit as usize).min(most * 2).clamp(FEWEST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_and_shrink_with_what_they_take() {
        let ms = Duration::from_millis;
        assert_eq!(fitting(1_000, ms(250), 1_000), 2_000);
        assert_eq!(fitting(1_000, ms(1), 1_000), 2_000, "doubled at most");
        assert_eq!(fitting(20_000, ms(2_000), 20_000), 5_000);
        assert_eq!(fitting(100, ms(60_000), 100), FEWEST);
        assert_eq!(fitting(20_000, ms(10), 20_000), MOST);
    }
}
