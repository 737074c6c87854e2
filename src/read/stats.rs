//! Rows per table and kind over time, in as many stretches as memory should hold.

use std::collections::BTreeMap;

use crate::event::TableName;
use crate::spool::{Transaction, TransactionKind};

/// Lengths of a stretch in seconds, each a multiple of the one before.
const LENGTHS: [i64; 10] = [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 604_800];
/// Stretches kept.
const KEPT: i64 = 1000;

/// How many of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inserted, updated and deleted rows, and statements.
    pub kinds: [u64; 4],
}

/// The words for [`Tally::kinds`].
pub const KINDS: [&str; 4] = ["insert", "update", "delete", "ddl"];

impl Tally {
    fn add(&mut self, other: Self) {
        self.kinds.iter_mut().zip(other.kinds).for_each(|(sum, n)| *sum += n);
    }

    /// Of all kinds.
    pub fn sum(self) -> u64 {
        self.kinds.iter().sum()
    }
}

/// One table's rows.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Over the whole time.
    pub total: Tally,
    /// By number of the stretch: its begin divided by its length.
    pub stretches: BTreeMap<i64, Tally>,
}

/// What was counted.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Seconds of a stretch.
    pub length: i64,
    /// First and last stretch with anything in it.
    pub span: Option<(i64, i64)>,
    /// The tables.
    pub tables: BTreeMap<TableName, Series>,
}

impl Default for Stats {
    fn default() -> Self {
        Self { length: LENGTHS[0], span: None, tables: BTreeMap::new() }
    }
}

impl Stats {
    /// Counts a transaction.
    pub fn add(&mut self, t: &Transaction) {
        let stretch = t.ts.div_euclid(self.length);
        let (first, last) = self.span.unwrap_or((stretch, stretch));
        self.span = Some((first.min(stretch), last.max(stretch)));
        for (name, counts) in &t.tables {
            let ddl = u64::from(t.kind == TransactionKind::Ddl);
            let tally = Tally { kinds: [counts.insert, counts.update, counts.delete, ddl] };
            if !self.tables.contains_key(name) {
                self.tables.insert(name.clone(), Series::default());
            }
            if let Some(series) = self.tables.get_mut(name) {
                series.total.add(tally);
                series.stretches.entry(stretch).or_default().add(tally);
            }
        }
        self.fit(KEPT);
    }

    /// Makes the stretches so long that there are at most so many.
    pub fn fit(&mut self, most: i64) {
        while let Some((first, last)) = self.span.filter(|(first, last)| last - first >= most) {
            let longer = LENGTHS.iter().find(|length| **length > self.length);
            let length = longer.copied().unwrap_or(self.length * 4);
            let times = length / self.length;
            for series in self.tables.values_mut() {
                for (stretch, tally) in std::mem::take(&mut series.stretches) {
                    series.stretches.entry(stretch.div_euclid(times)).or_default().add(tally);
                }
            }
            self.length = length;
            self.span = Some((first.div_euclid(times), last.div_euclid(times)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Counts;

    #[test]
    fn stretches_grow_until_they_are_few_enough_and_lose_no_row() {
        let mut stats = Stats::default();
        let counts = Counts { insert: 2, update: 0, delete: 1 };
        for ts in [100, 101, 100, 50_000, 5_000_000] {
            let tables = vec![(TableName::new("d", "t"), counts)];
            let t = Transaction { ts, ..Transaction::with_rows(tables) };
            stats.add(&t);
        }
        assert_eq!(stats.length, 14_400);
        stats.fit(60);
        assert_eq!((stats.length, stats.span), (86_400, Some((0, 57))));
        let series = &stats.tables[&TableName::new("d", "t")];
        assert_eq!(series.total.kinds, [10, 0, 5, 0]);
        let by_stretch: Vec<(i64, u64)> =
            series.stretches.iter().map(|(at, tally)| (*at, tally.sum())).collect();
        assert_eq!(by_stretch, [(0, 12), (57, 3)]);
    }
}
