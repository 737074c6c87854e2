//! The frames of a stretch that may hold something selected.

use std::iter::Peekable;
use std::ops::Range;

use super::by_index;
use crate::error::Result;
use crate::filter::Filter;
use crate::spool::{Frame, Order, Seq, Spool, Transaction};

/// Messages between two selected transactions that are read rather than jumped over.
const JUMP: u64 = 4096;

/// Frames of a stretch, in order; those the index knows to hold nothing selected are left out. A
/// frame that cannot be read is an error that names it; the walk may go on behind it.
///
/// # Errors
/// When the index cannot be read.
pub fn frames<'s>(
    spool: &'s Spool,
    range: Range<Seq>,
    filter: &'s Filter,
) -> Result<Box<dyn Iterator<Item = Result<Frame>> + 's>> {
    // Copied rows are in no transaction, so the index does not tell where they are.
    let copied = spool.bootstraps()?.iter().any(|copy| filter.takes_table(&copy.table));
    if copied || !filter.is_choosy_by_index() {
        return Ok(Box::new(spool.frames(range, Order::Forward)));
    }
    let all = spool.transactions(range.clone(), Order::Forward);
    let taken = all.filter_map(|t| t.map(|t| by_index(t, filter)).transpose());
    let spans = Spans { taken: taken.peekable(), end: range.end };
    Ok(Box::new(spans.flat_map(move |span| -> Box<dyn Iterator<Item = Result<Frame>>> {
        match span {
            Ok(span) => Box::new(spool.frames(span, Order::Forward)),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    })))
}

/// Stretches that hold the transactions taken.
struct Spans<I: Iterator> {
    taken: Peekable<I>,
    end: Seq,
}

impl<I: Iterator<Item = Result<Transaction>>> Iterator for Spans<I> {
    type Item = Result<Range<Seq>>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.taken.next()? {
            Ok(first) => first,
            Err(error) => return Some(Err(error)),
        };
        let mut span = first.first..first.last + 1;
        while let Some(Ok(t)) =
            self.taken.next_if(|t| t.as_ref().is_ok_and(|t| t.first < span.end + JUMP))
        {
            span.end = t.last + 1;
        }
        span.end = span.end.min(self.end);
        Some(Ok(span))
    }
}
