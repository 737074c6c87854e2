//! Identity of messages: what tells a message sent again from a new one.
//!
//! A row is known by its place in the binlog and its place in the event there; whether the stored
//! one says the same is the [tracker](super::tracker)'s question.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::event::{Body, Event};
use crate::spool::types::Seq;
use xxhash_rust::xxh3::xxh3_64;

/// Place of a row in the binlog. Rows of one multi-row event share file and offset; the one that
/// commits comes last. Orders as the source wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ident {
    pub(crate) file: u64,
    pub(crate) offset: u64,
    /// The row's xoffset; its number in the event where the stream has none; the greatest number
    /// on the row that commits.
    pub(crate) ord: u64,
}

/// Counts the rows of the event that is being read, for streams without xoffset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventRows {
    at: Option<(u64, u64)>,
    rows: u64,
    /// A hash of the first row, of a stream without transactions and of a table with a key.
    first: Option<u64>,
}

impl EventRows {
    /// The identity of the next row; `None` without a position. To be called for every row event
    /// in turn, re-sends too.
    pub(crate) fn next(&mut self, event: &Event<'_>) -> Option<Ident> {
        let meta = &event.meta;
        let (file, offset) = meta.position?.order();
        let row = keyed_hash(event);
        // One event does not change a row twice to the same: it is sent again from its begin.
        let begins = row.is_some() && row == self.first;
        match self.at == Some((file, offset)) && !begins {
            true => self.rows += 1,
            false => *self = Self { at: Some((file, offset)), rows: 0, first: row },
        }
        let ord = match (meta.commit, meta.xoffset) {
            (true, _) => u64::MAX,
            (false, Some(xoffset)) => xoffset,
            (false, None) => self.rows,
        };
        Some(Ident { file, offset, ord })
    }
}

/// What tells a row that stands alone from the others of its event; `None` where rows may be
/// equal, and where the stream tells by itself which row of its transaction one is.
fn keyed_hash(event: &Event<'_>) -> Option<u64> {
    event.key.filter(|key| event.meta.is_alone() && key.columns != "[]")?;
    let Body::Row { data, old } = event.body else { return None };
    Some(xxh3_64(data.as_bytes()) ^ xxh3_64(old.unwrap_or_default().as_bytes()).rotate_left(1))
}

/// A stored message that is no re-send: a row event, or a statement (then neither identity nor
/// xid is set and `row` is false).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) seq: Seq,
    pub(crate) ident: Option<Ident>,
    pub(crate) xid: Option<u64>,
    pub(crate) row: bool,
}

/// What is stored already: the records before the one being read.
pub(crate) trait Stored {
    /// Adds the record being read.
    fn remember(&mut self, entry: Entry);
    /// Adds a statement and its place in the binlog.
    fn remember_ddl(&mut self, file: u64, offset: u64, seq: Seq);
    /// The row behind the one found last, if it has that identity: re-sends come in order.
    fn next_like(&mut self, ident: Ident) -> Result<Vec<Seq>>;
    /// The rows of that identity that are no re-sends, newest first. Chains have the numbers
    /// below `chains`.
    fn rows_at(&mut self, ident: Ident, chains: usize) -> Result<Vec<Seq>>;
    /// The first row or statement from `seq` on that is no re-send.
    fn next_from(&mut self, seq: Seq) -> Result<Option<Entry>>;
    /// The statements at a place in the binlog that are no re-sends, newest first.
    fn ddl_at(&mut self, file: u64, offset: u64) -> Result<Vec<Seq>>;
    /// A record's bytes.
    fn record(&mut self, seq: Seq) -> Result<Vec<u8>>;
}
