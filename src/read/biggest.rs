//! The transactions with the most rows, of which the index keeps some of each segment.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use super::Taker;
use crate::error::Result;
use crate::event::Direction;
use crate::filter::Filter;
use crate::spool::{Biggest, Seq, Spool, Transaction};

/// The `count` transactions of a stretch with the most selected rows, biggest first; of equal ones
/// the first.
///
/// # Errors
/// When the index, or a frame that has to be read, cannot be.
pub fn biggest(
    spool: &Spool,
    range: &Range<Seq>,
    filter: &Filter,
    count: usize,
) -> Result<Vec<Transaction>> {
    let mut taker = Taker::new(spool, filter)?;
    let mut found = Found { count, kept: BTreeMap::new() };
    let segments = spool.biggest()?;
    let kept = segments.iter().flat_map(|s| &s.transactions).filter(|t| range.contains(&t.1));
    let mut kept: Vec<(u64, Seq)> = kept.copied().collect();
    kept.sort_unstable_by_key(|&(rows, last)| (Reverse(rows), last));
    for (rows, last) in kept {
        // What follows has no more rows than this one in all.
        if found.least().is_some_and(|least| least > rows || (least == rows && !filter.is_choosy()))
        {
            break;
        }
        let again = spool.transactions(last..last + 1, Direction::Forward).next().transpose()?;
        if let Some(t) = again.map(|t| taker.take(t)).transpose()?.flatten() {
            found.add(t);
        }
    }
    for segment in &segments {
        if !found.may_gain(segment, range, filter) {
            continue;
        }
        let part = segment.range.start.max(range.start)..segment.range.end.min(range.end);
        for transaction in spool.transactions(part, Direction::Forward) {
            let t = transaction?;
            if found.least().is_none_or(|least| t.rows() >= least)
                && let Some(t) = taker.take(t)?
            {
                found.add(t);
            }
        }
    }
    Ok(found.kept.into_values().collect())
}

/// The best so far, by falling rows and rising place.
struct Found {
    count: usize,
    kept: BTreeMap<(Reverse<u64>, Seq), Transaction>,
}

impl Found {
    fn add(&mut self, t: Transaction) {
        if t.rows() > 0 {
            self.kept.insert((Reverse(t.rows()), t.last), t);
        }
        if self.kept.len() > self.count {
            self.kept.pop_last();
        }
    }

    /// What a transaction needs to be among them; `None` while any will do.
    fn least(&self) -> Option<u64> {
        let (Reverse(rows), _) =
            self.kept.last_key_value().filter(|_| self.kept.len() == self.count)?.0;
        Some(*rows)
    }

    /// True when a transaction that the index does not keep may be among them.
    fn may_gain(&self, segment: &Biggest, range: &Range<Seq>, filter: &Filter) -> bool {
        if segment.floor == 0
            || segment.range.start >= range.end
            || segment.range.end <= range.start
        {
            return false;
        }
        // Equal ones count only if they may come first: the index keeps the first of them.
        let whole = range.start <= segment.range.start && range.end >= segment.range.end;
        let ties = filter.is_choosy() || !whole;
        self.least().is_none_or(|least| segment.floor > least || (ties && segment.floor == least))
    }
}
