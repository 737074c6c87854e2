//! Transactions packed per frame: columns of varints in a blob.
//!
//! A row each was measured at 17 to 34 % of the data; packed they are below 1 %. A blob is one or
//! more chunks.

use std::borrow::Cow;

use crate::event::{BinlogPos, Facts};
use crate::spool::store::format::{put_varint, take_varint};
use crate::spool::types::{Counts, Seq, Transaction, TransactionKind};

/// A transaction as the index keeps it.
pub(crate) type Closed = Transaction<u32, ()>;

const KINDS: [TransactionKind; 4] = [
    TransactionKind::Rows,
    TransactionKind::Ddl,
    TransactionKind::Incomplete,
    TransactionKind::Alone,
];
const XID: u64 = 4;
const POSITION: u64 = 8;
const THREAD: u64 = 16;
const SERVER: u64 = 32;
const GTID: u64 = 64;
const COMMIT_TS: u64 = 128;
const QUERY: u64 = 256;

impl Closed {
    fn flags(&self) -> u64 {
        let has = |set: bool, flag: u64| if set { flag } else { 0 };
        KINDS.iter().position(|&k| k == self.kind).unwrap_or_default() as u64
            | has(self.xid.is_some(), XID)
            | has(self.position.is_some(), POSITION)
            | has(self.thread_id.is_some(), THREAD)
            | has(self.server_id.is_some(), SERVER)
            | has(self.facts.gtid.is_some(), GTID)
            | has(self.facts.commit_ts.is_some(), COMMIT_TS)
            | has(self.facts.query.is_some(), QUERY)
    }
}

/// Packs transactions, rising by last sequence, of the frame that begins with `base`.
pub(crate) fn pack(base: Seq, all: &[Closed]) -> Vec<u8> {
    let mut out = Vec::with_capacity(all.len() * 12 + 8);
    put_varint(&mut out, all.len() as u64);
    all.iter().for_each(|t| put_varint(&mut out, t.flags()));
    put_deltas(&mut out, base, all.iter().map(|t| t.last));
    all.iter().for_each(|t| put_varint(&mut out, t.last - t.first));
    put_deltas(&mut out, 0, all.iter().map(|t| t.ts as u64));
    put_deltas(&mut out, 0, all.iter().map(|t| u64::from(t.epoch)));
    put_deltas(&mut out, 0, all.iter().filter_map(|t| t.xid));
    put_deltas(&mut out, 0, all.iter().filter_map(|t| t.position).map(|p| p.file));
    put_deltas(&mut out, 0, all.iter().filter_map(|t| t.position).map(|p| p.offset));
    put_deltas(&mut out, 0, all.iter().filter_map(|t| t.thread_id));
    put_deltas(&mut out, 0, all.iter().filter_map(|t| t.server_id));
    put_deltas(&mut out, 0, all.iter().filter_map(|t| t.facts.commit_ts));
    put_texts(&mut out, all.iter().filter_map(|t| t.facts.gtid.as_deref()));
    put_texts(&mut out, all.iter().filter_map(|t| t.facts.query.as_deref()));
    all.iter().for_each(|t| put_varint(&mut out, t.tables.len() as u64));
    let tables = || all.iter().flat_map(|t| &t.tables);
    tables().for_each(|(id, _)| put_varint(&mut out, u64::from(*id)));
    tables().for_each(|(_, c)| put_varint(&mut out, c.insert));
    tables().for_each(|(_, c)| put_varint(&mut out, c.update));
    tables().for_each(|(_, c)| put_varint(&mut out, c.delete));
    out
}

/// The reverse of [`pack`], over all chunks; `None` when the bytes are none.
pub(crate) fn unpack(base: Seq, mut bytes: &[u8]) -> Option<Vec<Closed>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        unpack_chunk(base, &mut bytes, &mut all)?;
    }
    Some(all)
}

fn unpack_chunk(base: Seq, bytes: &mut &[u8], all: &mut Vec<Closed>) -> Option<()> {
    let n = usize::try_from(take_varint(bytes)?).ok().filter(|&n| n <= bytes.len())?;
    let flags = take_many(bytes, n)?;
    let last = take_deltas(bytes, base, n)?;
    let span = take_many(bytes, n)?;
    let ts = take_deltas(bytes, 0, n)?;
    let epoch = take_deltas(bytes, 0, n)?;
    let has = |flag: u64| flags.iter().filter(|&f| f & flag != 0).count();
    let mut xid = take_deltas(bytes, 0, has(XID))?.into_iter();
    let mut file = take_deltas(bytes, 0, has(POSITION))?.into_iter();
    let mut offset = take_deltas(bytes, 0, has(POSITION))?.into_iter();
    let mut thread = take_deltas(bytes, 0, has(THREAD))?.into_iter();
    let mut server = take_deltas(bytes, 0, has(SERVER))?.into_iter();
    let mut commit_ts = take_deltas(bytes, 0, has(COMMIT_TS))?.into_iter();
    let mut gtid = take_texts(bytes, has(GTID))?.into_iter();
    let mut query = take_texts(bytes, has(QUERY))?.into_iter();
    let tables = take_many(bytes, n)?;
    let total = tables.iter().try_fold(0u64, |sum, &n| sum.checked_add(n))?;
    let total = usize::try_from(total).ok()?;
    let ids = take_many(bytes, total)?;
    let inserts = take_many(bytes, total)?;
    let updates = take_many(bytes, total)?;
    let deletes = take_many(bytes, total)?;
    let mut touched = (0..total).map(|i| {
        let counts = Counts { insert: inserts[i], update: updates[i], delete: deletes[i] };
        (ids[i] as u32, counts)
    });
    for i in 0..n {
        let one = |flag: u64, column: &mut std::vec::IntoIter<u64>| match flags[i] & flag {
            0 => None,
            _ => column.next(),
        };
        let text = |flag: u64, column: &mut std::vec::IntoIter<Cow<'static, str>>| {
            (flags[i] & flag != 0).then(|| column.next()).flatten()
        };
        all.push(Closed {
            first: last[i].checked_sub(span[i])?,
            last: last[i],
            epoch: epoch[i] as u32,
            ts: ts[i] as i64,
            xid: one(XID, &mut xid),
            position: one(POSITION, &mut file)
                .zip(one(POSITION, &mut offset))
                .map(|(file, offset)| BinlogPos { base: (), file, offset }),
            thread_id: one(THREAD, &mut thread),
            server_id: one(SERVER, &mut server),
            facts: Facts {
                gtid: text(GTID, &mut gtid),
                commit_ts: one(COMMIT_TS, &mut commit_ts),
                query: text(QUERY, &mut query),
            },
            kind: *KINDS.get((flags[i] & 3) as usize)?,
            tables: touched.by_ref().take(tables[i] as usize).collect(),
        });
    }
    Some(())
}

/// Writes each number as its signed distance from the one before.
fn put_deltas(out: &mut Vec<u8>, mut before: u64, numbers: impl Iterator<Item = u64>) {
    for n in numbers {
        let delta = n.wrapping_sub(before) as i64;
        put_varint(out, ((delta << 1) ^ (delta >> 63)) as u64);
        before = n;
    }
}

fn take_deltas(bytes: &mut &[u8], mut before: u64, n: usize) -> Option<Vec<u64>> {
    let mut numbers = take_many(bytes, n)?;
    for number in &mut numbers {
        let delta = (*number >> 1) ^ (*number & 1).wrapping_neg();
        before = before.wrapping_add(delta);
        *number = before;
    }
    Some(numbers)
}

fn take_many(bytes: &mut &[u8], n: usize) -> Option<Vec<u64>> {
    if n > bytes.len() {
        return None;
    }
    (0..n).map(|_| take_varint(bytes)).collect()
}

/// Writes texts, their lengths first.
fn put_texts<'t>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'t str> + Clone) {
    texts.clone().for_each(|text| put_varint(out, text.len() as u64));
    texts.for_each(|text| out.extend_from_slice(text.as_bytes()));
}

fn take_texts<'b>(bytes: &mut &'b [u8], n: usize) -> Option<Vec<Cow<'static, str>>> {
    let lengths = take_many(bytes, n)?;
    let text = |len: u64| {
        let all: &'b [u8] = bytes;
        let (text, rest) = all.split_at_checked(usize::try_from(len).ok()?)?;
        *bytes = rest;
        Some(Cow::Owned(std::str::from_utf8(text).ok()?.to_owned()))
    };
    lengths.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_come_back_from_their_columns() {
        let counts = |insert, update, delete| Counts { insert, update, delete };
        let full = Closed {
            first: 90,
            last: 120,
            epoch: 2,
            ts: 1_795_351_690,
            xid: Some(u64::MAX),
            position: Some(BinlogPos { base: (), file: 2, offset: 5_000_000_000 }),
            thread_id: Some(7),
            server_id: Some(3310),
            facts: Facts {
                gtid: Some("0-1-7".into()),
                commit_ts: Some(1_795_351_690_123_456),
                query: Some("DELETE FROM t".into()),
            },
            kind: TransactionKind::Rows,
            tables: vec![(0, counts(1, 2, 3)), (9, counts(0, 0, 1 << 40))],
        };
        let ddl = Closed {
            first: 121,
            last: 121,
            ts: -5,
            xid: None,
            thread_id: None,
            server_id: None,
            facts: Facts { gtid: Some("".into()), ..Facts::default() },
            kind: TransactionKind::Ddl,
            tables: vec![(3, Counts::default())],
            ..full.clone()
        };
        let torso = Closed {
            first: 122,
            last: 130,
            position: None,
            kind: TransactionKind::Incomplete,
            tables: vec![],
            ..full.clone()
        };
        let mut blob = pack(100, &[full.clone(), ddl.clone()]);
        blob.extend(pack(100, std::slice::from_ref(&torso)));
        assert_eq!(unpack(100, &blob), Some(vec![full, ddl, torso]));
        for cut in 1..blob.len() {
            unpack(100, &blob[..cut]);
        }
    }
}
