//! Goes through a table in chunks of its key, and finds the rows that may differ.
//!
//! The source's chunks hold each of its rows once. A row of the target is in one of them at least,
//! however the target sorts: on the way from "behind no border" to "behind the last one" there is a
//! first border that it is not behind. So where all sums are the same, the tables are.

use std::collections::HashSet;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::columns::{End, Pair};
use super::keys::{self, Key};
use super::side::{Side, Sum};
use crate::error::{Error, Result};

/// Rows of a chunk. Under load some differ while the one end is behind the other; the smaller a
/// chunk is, the fewer rows are asked for because of that.
const CHUNK: u64 = 2_000;
/// How many chunks are read ahead at the source.
const AHEAD: usize = 2;
/// Rows that differed once are looked at again, so many at a time.
const LOOK: usize = 500;

/// Takes source, target, keys of rows that may differ, and how many further rows were read.
type Each<'e> = &'e mut dyn FnMut(&mut Side, &mut Side, Vec<Key>, u64) -> Result<()>;

/// A chunk, as the source has it.
struct Chunk {
    from: Option<Key>,
    to: Option<Key>,
    sum: Sum,
}

/// Hands over the keys of rows that may differ, some at a time, and how many further rows of the
/// source were read; how many it has. There are two connections to it.
///
/// # Errors
/// When a server cannot be asked, and those of `each`.
pub(super) fn walk(
    pair: &Pair,
    [chunks, source]: &mut [Side; 2],
    target: &mut Side,
    each: Each<'_>,
) -> Result<u64> {
    let (send, receive) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let reader = scope.spawn(move || read(pair, chunks, &send));
        let (mut rows, mut found) = (0, Vec::new());
        for chunk in receive {
            let Chunk { from, to, sum } = chunk;
            let within = |end| keys::between(pair, end, from.as_ref(), to.as_ref());
            let read = sum.rows;
            rows += read;
            if target.sum(pair, &within(End::Target))? != sum {
                found.extend(differing(pair, source, target, &within)?);
            }
            while found.len() >= LOOK {
                let rest = found.split_off(LOOK);
                each(source, target, std::mem::replace(&mut found, rest), 0)?;
            }
            each(source, target, Vec::new(), read)?;
        }
        reader.join().unwrap_or_else(|_| Err(Error::failed("a reader panicked")))?;
        each(source, target, found, 0)?;
        Ok(rows)
    })
}

/// Reads the source's chunks ahead, until nobody takes them any more.
fn read(pair: &Pair, source: &mut Side, send: &SyncSender<Chunk>) -> Result<()> {
    let mut from: Option<Key> = None;
    loop {
        let to = match pair.sorted() {
            [] => None,
            _ => source.ahead(pair, from.as_ref(), CHUNK)?,
        };
        let sum =
            source.sum(pair, &keys::between(pair, End::Source, from.as_ref(), to.as_ref()))?;
        let chunk = Chunk { from: from.take(), to: to.clone(), sum };
        if send.send(chunk).is_err() || to.is_none() {
            return Ok(());
        }
        from = to;
    }
}

/// The keys of rows that are not the same at both ends, or at one end only.
pub(super) fn differing(
    pair: &Pair,
    source: &mut Side,
    target: &mut Side,
    condition: &dyn Fn(End) -> String,
) -> Result<Vec<Key>> {
    let here = source.checksums(pair, &condition(End::Source))?;
    let there = target.checksums(pair, &condition(End::Target))?;
    let keys: HashSet<&Key> = here.keys().chain(there.keys()).collect();
    Ok(keys.into_iter().filter(|key| here.get(*key) != there.get(*key)).cloned().collect())
}
