//! Rows per table and kind over time, in as many stretches as memory should hold.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::Result;
use crate::event::TableName;
use crate::filter::{Filter, Type};
use crate::read;
use crate::select::Choice;
use crate::spool::{Counts, Numbered, Seq, Spool, Survey, Transaction, TransactionKind, Zone};

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
pub struct Stats<Table: Ord = TableName> {
    /// Seconds of a stretch.
    pub length: i64,
    /// First and last stretch with anything in it.
    pub span: Option<(i64, i64)>,
    /// The tables.
    pub tables: BTreeMap<Table, Series>,
}

impl<Table: Ord> Default for Stats<Table> {
    fn default() -> Self {
        Self { length: LENGTHS[0], span: None, tables: BTreeMap::new() }
    }
}

/// Counts what is selected of a stretch: in the sums of whole frames and segments where these lie
/// in one stretch of time.
///
/// # Errors
/// When the spool cannot be read.
pub fn stats(spool: &Spool, range: &Range<Seq>, filter: &Filter) -> Result<Stats> {
    // What a sum is of cannot be told apart any more.
    let choosy = !filter.xids().is_empty()
        || !filter.threads().is_empty()
        || !filter.servers().is_empty()
        || !filter.gtids().is_empty()
        || filter.reads_rows();
    if choosy {
        let mut stats = Stats::default();
        for transaction in read::transactions(spool, range.clone(), filter)? {
            stats.add(&transaction?);
        }
        return Ok(stats);
    }
    let mut sums = Sums { stats: Stats::default(), choice: Choice::new(spool, filter)?, filter };
    if !filter.is_choosy() {
        let mut times = Times(None);
        spool.survey(range.clone(), &mut times)?;
        sums.stats.reach(times.0);
    }
    spool.survey(range.clone(), &mut sums)?;
    let Stats { length, span, mut tables } = sums.stats;
    let named = (0..).zip(spool.tables()?).filter(|(_, name)| filter.takes_table(name));
    let tables = named.filter_map(|(table, name)| Some((name, tables.remove(&table)?))).collect();
    Ok(Stats { length, span, tables })
}

/// The earliest and the latest time.
struct Times(Option<(i64, i64)>);

impl Times {
    fn add(&mut self, from: i64, to: i64) {
        let (least, greatest) = self.0.unwrap_or((from, to));
        self.0 = Some((from.min(least), to.max(greatest)));
    }
}

impl Survey for Times {
    fn zone(&mut self, zone: &Zone, whole: bool) -> bool {
        zone.times.filter(|_| whole).into_iter().for_each(|(from, to)| self.add(from, to));
        !whole
    }

    fn transaction(&mut self, t: Numbered) {
        self.add(t.ts, t.ts);
    }
}

/// Counts in sums, tables by their numbers.
struct Sums<'s> {
    stats: Stats<u32>,
    choice: Choice,
    filter: &'s Filter,
}

impl Sums<'_> {
    fn count(&mut self, ts: i64, table: u32, counts: Counts, ddl: u64) {
        if self.choice.takes_table(table) {
            self.stats.count(ts, &table, taken(self.filter, kinds(counts, ddl)));
        }
    }
}

impl Survey for Sums<'_> {
    fn zone(&mut self, zone: &Zone, whole: bool) -> bool {
        let Some((from, to)) = zone.times.filter(|_| self.choice.may_hold(zone)) else {
            return false;
        };
        let stretch = |ts: i64| ts.div_euclid(self.stats.length);
        if !whole || stretch(from) != stretch(to) {
            return true;
        }
        for touched in &zone.tables {
            self.count(from, touched.table, touched.counts, touched.ddl);
        }
        self.stats.fit(KEPT);
        false
    }

    fn transaction(&mut self, t: Numbered) {
        let ddl = u64::from(t.kind == TransactionKind::Ddl);
        t.tables.iter().for_each(|(table, counts)| self.count(t.ts, *table, *counts, ddl));
        self.stats.fit(KEPT);
    }
}

/// In the order of [`KINDS`].
fn kinds(counts: Counts, ddl: u64) -> [u64; 4] {
    [counts.insert, counts.update, counts.delete, ddl]
}

/// The part of a tally whose kinds are selected.
fn taken(filter: &Filter, kinds: [u64; 4]) -> Tally {
    let types = [Type::Insert, Type::Update, Type::Delete, Type::Ddl];
    let mut all = types.into_iter().zip(kinds);
    Tally {
        kinds: [(); 4]
            .map(|()| all.next().filter(|(t, _)| filter.takes_type(*t)).map_or(0, |k| k.1)),
    }
}

impl Stats {
    /// Counts a transaction.
    pub fn add(&mut self, t: &Transaction) {
        let ddl = u64::from(t.kind == TransactionKind::Ddl);
        for (name, counts) in &t.tables {
            self.count(t.ts, name, Tally { kinds: kinds(*counts, ddl) });
        }
        self.fit(KEPT);
    }
}

impl<Table: Ord + Clone> Stats<Table> {
    /// Makes the stretches as long as they have to be for these times in the end.
    fn reach(&mut self, times: Option<(i64, i64)>) {
        let Some((from, to)) = times else { return };
        self.span = Some((from.div_euclid(self.length), to.div_euclid(self.length)));
        self.fit(KEPT);
        self.span = None;
    }

    fn count(&mut self, ts: i64, table: &Table, tally: Tally) {
        if tally.sum() == 0 {
            return;
        }
        let stretch = ts.div_euclid(self.length);
        let (first, last) = self.span.unwrap_or((stretch, stretch));
        self.span = Some((first.min(stretch), last.max(stretch)));
        if !self.tables.contains_key(table) {
            self.tables.insert(table.clone(), Series::default());
        }
        if let Some(series) = self.tables.get_mut(table) {
            series.total.add(tally);
            series.stretches.entry(stretch).or_default().add(tally);
        }
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
    use crate::spool::{Batch, SpoolWriter, WriterOptions};

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

    #[test]
    fn sums_come_to_what_the_transactions_come_to() {
        let dir = tempfile::tempdir().expect("temp");
        let options = WriterOptions { segment_bytes: 4_000, ..WriterOptions::default() };
        let (mut writer, _) = SpoolWriter::open(dir.path(), options).expect("a writer");
        for frame in 0..120u64 {
            let mut batch = Batch::default();
            for n in frame * 7..frame * 7 + 7 {
                let (table, ts, end) = (n % 3, n * n / 40, n % 4 == 3);
                let kind = ["insert", "update", "delete"][n as usize % 5 % 3];
                let row = format!(
                    r#"{{"database":"d","table":"t{table}","type":"{kind}","ts":{ts},"xid":{},"commit":{end},"position":"bin.000001:{n}","data":{{"id":{n}}}}}"#,
                    n / 4
                );
                batch.push(row.as_bytes());
            }
            writer.append(&batch).expect("stored");
        }
        writer.finish().expect("finished");
        let spool = Spool::open(dir.path()).expect("a spool");
        let tables = ["d.t1".to_owned()];
        let filters = [
            Filter::default(),
            Filter::new(&tables, &[], &[], &[]).expect("a filter"),
            Filter::new(&[], &tables, &[Type::Update, Type::Delete], &[]).expect("a filter"),
        ];
        for filter in &filters {
            for range in [0..Seq::MAX, 100..500, 3..4] {
                let mut one_by_one = Stats::default();
                for t in read::transactions(&spool, range.clone(), filter).expect("transactions") {
                    one_by_one.add(&t.expect("a transaction"));
                }
                let summed = stats(&spool, &range, filter).expect("sums");
                let shown = |stats: &Stats| format!("{stats:?}");
                assert_eq!(shown(&summed), shown(&one_by_one), "{range:?}");
            }
        }
    }
}
