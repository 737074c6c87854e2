//! Zones: what a frame, and a segment, holds in bounds and sums, so that what is looked for is
//! found without opening those that cannot hold it.
//!
//! A zone says too much rather than too little. Its numbers and tables are those of all records
//! but re-sends, damaged messages and book-keeping; its times, places and sums are those of the
//! transactions that end in it.

use crate::event::{Meta, Op};
use crate::spool::follow::packed::Closed;
use crate::spool::store::format::{put_varint, take_varint};
use crate::spool::types::{Counts, TransactionKind};

/// So many different numbers are kept one by one.
const FEW: usize = 16;

/// Numbers that occur: each of them while they are few, else their bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    known: Known,
    /// Some records have none.
    pub absent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// Rising.
    Few(Vec<u64>),
    /// The least and the greatest.
    Between(u64, u64),
}

impl Default for Known {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Numbers {
    /// True when the number may be among them.
    pub fn may_hold(&self, n: u64) -> bool {
        match &self.known {
            Known::Few(list) => list.binary_search(&n).is_ok(),
            Known::Between(least, greatest) => (*least..=*greatest).contains(&n),
        }
    }

    /// The least and the greatest; `None` when there is none.
    pub fn bounds(&self) -> Option<(u64, u64)> {
        match &self.known {
            Known::Few(list) => list.first().copied().zip(list.last().copied()),
            Known::Between(least, greatest) => Some((*least, *greatest)),
        }
    }

    /// All of them; `None` when only their bounds are kept.
    pub fn all(&self) -> Option<&[u64]> {
        match &self.known {
            Known::Few(list) => Some(list),
            Known::Between(..) => None,
        }
    }

    fn add(&mut self, n: u64) {
        match &mut self.known {
            Known::Between(least, greatest) => {
                (*least, *greatest) = (n.min(*least), n.max(*greatest));
            }
            Known::Few(list) => {
                let Err(at) = list.binary_search(&n) else { return };
                list.insert(at, n);
                if list.len() > FEW {
                    self.widen(n, n);
                }
            }
        }
    }

    fn widen(&mut self, least: u64, greatest: u64) {
        let own = self.bounds().unwrap_or((least, greatest));
        self.known = Known::Between(own.0.min(least), own.1.max(greatest));
    }

    fn merge(&mut self, other: &Self) {
        self.absent |= other.absent;
        match &other.known {
            Known::Few(list) => list.iter().for_each(|n| self.add(*n)),
            Known::Between(least, greatest) => self.widen(*least, *greatest),
        }
    }

    fn pack(&self, out: &mut Vec<u8>) {
        let bounds;
        let (list, between) = match &self.known {
            Known::Few(list) => (list.as_slice(), false),
            Known::Between(least, greatest) => {
                bounds = [*least, *greatest];
                (bounds.as_slice(), true)
            }
        };
        put_varint(
            out,
            u64::from(self.absent) | u64::from(between) << 1 | (list.len() as u64) << 2,
        );
        put_rising(out, list.iter().copied());
    }

    fn unpack(bytes: &mut &[u8]) -> Option<Self> {
        let head = take_varint(bytes)?;
        let list = take_rising(bytes, head >> 2)?;
        let known = match (head & 2 != 0, list.as_slice()) {
            (true, [least, greatest]) => Known::Between(*least, *greatest),
            (true, _) => return None,
            (false, _) => Known::Few(list),
        };
        Some(Self { known, absent: head & 1 != 0 })
    }
}

/// What a zone holds of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Its number in the spool's [tables](crate::spool::Spool::tables).
    pub table: u32,
    /// Which kinds of messages there are, by [`Touched::INSERT`] and so on.
    pub kinds: u64,
    /// Rows of the transactions that end here.
    pub counts: Counts,
    /// Messages about statements.
    pub ddl: u64,
}

impl Touched {
    /// Inserted rows, copied ones among them.
    pub const INSERT: u64 = 1;
    /// Updated rows.
    pub const UPDATE: u64 = 2;
    /// Deleted rows.
    pub const DELETE: u64 = 4;
    /// Statements.
    pub const DDL: u64 = 8;

    fn kind(op: Op) -> u64 {
        match op {
            Op::Insert | Op::BootstrapInsert => Self::INSERT,
            Op::Update => Self::UPDATE,
            Op::Delete => Self::DELETE,
            op if op.is_ddl() => Self::DDL,
            _ => 0,
        }
    }
}

/// The bounds and sums of a frame or a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Transactions that end here.
    pub transactions: u64,
    /// Their earliest and latest time, seconds since 1970.
    pub times: Option<(i64, i64)>,
    /// Their first and last epoch.
    pub epochs: Option<(u32, u32)>,
    /// The lowest and highest place of those that have one: file number and offset.
    pub places: Option<((u64, u64), (u64, u64))>,
    /// Transaction numbers of the records.
    pub xids: Numbers,
    /// Their connections.
    pub threads: Numbers,
    /// Their servers.
    pub servers: Numbers,
    /// The numbers that their GTIDs end with.
    pub gtids: Numbers,
    /// The tables, by number.
    pub tables: Vec<Touched>,
}

impl Zone {
    /// Takes a record that is stored for the first time and no book-keeping.
    pub(crate) fn record(&mut self, table: u32, meta: &Meta<'_>) {
        self.numbers([meta.xid, meta.thread_id, meta.server_id, meta.facts.number()]);
        self.touched(table).kinds |= Touched::kind(meta.op);
    }

    /// Takes a transaction that ended here.
    pub(crate) fn closed(&mut self, t: &Closed) {
        self.transactions += 1;
        // Its first rows may have told them, in earlier frames.
        self.numbers([t.xid, t.thread_id, t.server_id, t.facts.number()]);
        self.times = hull(self.times, Some((t.ts, t.ts)));
        self.epochs = hull(self.epochs, Some((t.epoch, t.epoch)));
        self.places = hull(self.places, t.position.map(|at| (at.order(), at.order())));
        for (table, counts) in &t.tables {
            let touched = self.touched(*table);
            touched.counts = touched.counts.plus(*counts);
            touched.ddl += u64::from(t.kind == TransactionKind::Ddl);
            let kinds = [
                (counts.insert, Touched::INSERT),
                (counts.update, Touched::UPDATE),
                (counts.delete, Touched::DELETE),
            ];
            // Its rows may stand in earlier frames.
            let kinds = kinds.iter().filter(|(n, _)| *n > 0).map(|(_, kind)| kind);
            touched.kinds |= kinds.fold(0, |all, kind| all | kind);
        }
    }

    /// Adds what another zone holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.transactions += other.transactions;
        self.times = hull(self.times, other.times);
        self.epochs = hull(self.epochs, other.epochs);
        self.places = hull(self.places, other.places);
        self.xids.merge(&other.xids);
        self.threads.merge(&other.threads);
        self.servers.merge(&other.servers);
        self.gtids.merge(&other.gtids);
        for theirs in &other.tables {
            let ours = self.touched(theirs.table);
            ours.kinds |= theirs.kinds;
            ours.counts = ours.counts.plus(theirs.counts);
            ours.ddl += theirs.ddl;
        }
    }

    fn numbers(&mut self, each: [Option<u64>; 4]) {
        let all = [&mut self.xids, &mut self.threads, &mut self.servers, &mut self.gtids];
        for (numbers, n) in all.into_iter().zip(each) {
            match n {
                Some(n) => numbers.add(n),
                None => numbers.absent = true,
            }
        }
    }

    fn touched(&mut self, table: u32) -> &mut Touched {
        let at = match self.tables.binary_search_by_key(&table, |touched| touched.table) {
            Ok(at) => at,
            Err(at) => {
                self.tables.insert(at, Touched { table, ..Touched::default() });
                at
            }
        };
        &mut self.tables[at]
    }

    /// The zone as bytes.
    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        put_varint(&mut out, self.transactions);
        let flags = u64::from(self.times.is_some()) | u64::from(self.places.is_some()) << 1;
        put_varint(&mut out, flags);
        if let Some(((from, to), epochs)) = self.times.zip(self.epochs) {
            put_varint(&mut out, from as u64);
            put_varint(&mut out, to.wrapping_sub(from) as u64);
            put_varint(&mut out, epochs.0.into());
            put_varint(&mut out, epochs.1.into());
        }
        if let Some((from, to)) = self.places {
            [from.0, from.1, to.0, to.1].into_iter().for_each(|n| put_varint(&mut out, n));
        }
        let numbers = [&self.xids, &self.threads, &self.servers, &self.gtids];
        numbers.iter().for_each(|n| n.pack(&mut out));
        put_varint(&mut out, self.tables.len() as u64);
        put_rising(&mut out, self.tables.iter().map(|t| u64::from(t.table)));
        for Touched { kinds, counts, ddl, .. } in &self.tables {
            [*kinds, counts.insert, counts.update, counts.delete, *ddl]
                .into_iter()
                .for_each(|n| put_varint(&mut out, n));
        }
        out
    }

    /// The reverse of [`Zone::pack`]; `None` when the bytes are none.
    pub(crate) fn unpack(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let (transactions, flags) = (take_varint(bytes)?, take_varint(bytes)?);
        let mut zone = Self { transactions, ..Self::default() };
        if flags & 1 != 0 {
            let from = take_varint(bytes)? as i64;
            zone.times = Some((from, from.wrapping_add(take_varint(bytes)? as i64)));
            let mut epoch = || u32::try_from(take_varint(bytes)?).ok();
            zone.epochs = Some((epoch()?, epoch()?));
        }
        if flags & 2 != 0 {
            let from = (take_varint(bytes)?, take_varint(bytes)?);
            zone.places = Some((from, (take_varint(bytes)?, take_varint(bytes)?)));
        }
        let all = [&mut zone.xids, &mut zone.threads, &mut zone.servers, &mut zone.gtids];
        for numbers in all {
            *numbers = Numbers::unpack(bytes)?;
        }
        let tables = take_varint(bytes)?;
        for table in take_rising(bytes, tables)? {
            let mut next = || take_varint(bytes);
            zone.tables.push(Touched {
                table: u32::try_from(table).ok()?,
                kinds: next()?,
                counts: Counts { insert: next()?, update: next()?, delete: next()? },
                ddl: next()?,
            });
        }
        bytes.is_empty().then_some(zone)
    }
}

/// The bounds of both.
fn hull<T: Ord + Copy>(a: Option<(T, T)>, b: Option<(T, T)>) -> Option<(T, T)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Writes each number as its distance from the one before.
fn put_rising(out: &mut Vec<u8>, numbers: impl Iterator<Item = u64>) {
    numbers.fold(0, |before, n| {
        put_varint(out, n.wrapping_sub(before));
        n
    });
}

fn take_rising(bytes: &mut &[u8], n: u64) -> Option<Vec<u64>> {
    let n = usize::try_from(n).ok().filter(|&n| n <= bytes.len())?;
    let mut before = 0u64;
    let mut next = || {
        before = before.checked_add(take_varint(bytes)?)?;
        Some(before)
    };
    (0..n).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{BinlogPos, Facts};

    fn numbers(of: &[u64]) -> Numbers {
        let mut numbers = Numbers::default();
        of.iter().for_each(|n| numbers.add(*n));
        numbers
    }

    proptest! {
        #[test]
        fn no_number_is_lost(a in prop::collection::vec(0u64..60, 0..40), b in prop::collection::vec(any::<u64>(), 0..40)) {
            let (mut both, other) = (numbers(&a), numbers(&b));
            both.merge(&other);
            let all: Vec<u64> = a.iter().chain(&b).copied().collect();
            for n in &all {
                prop_assert!(both.may_hold(*n));
            }
            let bounds = all.iter().min().copied().zip(all.iter().max().copied());
            prop_assert_eq!(both.bounds(), bounds);
            if let Some(list) = both.all() {
                let mut exact = all.clone();
                exact.sort_unstable();
                exact.dedup();
                prop_assert_eq!(list, exact.as_slice());
            }
            let mut bytes = Vec::new();
            both.pack(&mut bytes);
            prop_assert_eq!(Numbers::unpack(&mut bytes.as_slice()), Some(both));
        }
    }

    #[test]
    fn a_zone_comes_back_from_its_bytes_and_broken_ones_are_none() {
        let t = |ts, table, insert| Closed {
            first: 1,
            last: 3,
            epoch: 1,
            ts,
            xid: Some(4711),
            position: Some(BinlogPos { base: (), file: 2, offset: 5_000_000_000 }),
            thread_id: None,
            server_id: Some(1),
            facts: Facts { gtid: Some("0-1-9".into()), ..Facts::default() },
            kind: TransactionKind::Rows,
            tables: vec![(table, Counts { insert, update: 0, delete: 1 })],
        };
        let (mut zone, mut other) = (Zone::default(), Zone::default());
        zone.closed(&t(-5, 9, 4));
        zone.xids = numbers(&(0..50).collect::<Vec<_>>());
        other.closed(&t(1_795_351_690, 2, 1 << 40));
        other.closed(&t(7, 9, 1));
        other.threads.absent = true;
        zone.merge(&other);
        assert_eq!((zone.transactions, zone.times), (3, Some((-5, 1_795_351_690))));
        assert_eq!(
            zone.tables.iter().map(|t| (t.table, t.counts.insert)).collect::<Vec<_>>(),
            [(2, 1 << 40), (9, 5)]
        );
        assert_eq!(zone.tables[1].kinds, Touched::INSERT | Touched::DELETE);
        let bytes = zone.pack();
        assert_eq!(Zone::unpack(&bytes), Some(zone));
        for cut in 0..bytes.len() {
            assert_eq!(Zone::unpack(&bytes[..cut]), None);
        }
    }
}
