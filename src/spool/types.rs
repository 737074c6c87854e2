//! What the spool answers with: plain values, no files behind them.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::event::maxwell::ENCRYPTED;
use crate::event::time::utc;
use crate::event::{BinlogPos, Facts, Meta, Op, TableName};

pub use crate::event::Seq;

/// Where the spool ends, as far as the index has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The next sequence to be given.
    pub next: Seq,
    /// First sequence of a transaction whose commit has not arrived.
    pub open: Option<Seq>,
}

/// Rows of one table in one transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Inserted rows.
    pub insert: u64,
    /// Updated rows.
    pub update: u64,
    /// Deleted rows.
    pub delete: u64,
}

impl Counts {
    /// Counts one event; anything but a row event counts nothing.
    pub fn add(&mut self, op: Op) {
        match op {
            Op::Insert => self.insert += 1,
            Op::Update => self.update += 1,
            Op::Delete => self.delete += 1,
            _ => {}
        }
    }

    /// The sums of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            insert: self.insert + other.insert,
            update: self.update + other.update,
            delete: self.delete + other.delete,
        }
    }

    /// Rows in all.
    pub fn rows(&self) -> u64 {
        self.insert + self.update + self.delete
    }
}

/// What a [`Transaction`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionKind {
    /// Row events that end with a commit.
    Rows,
    /// One message about a statement.
    Ddl,
    /// Row events whose commit never came: another transaction followed.
    Incomplete,
    /// One row event whose transaction the producer does not tell.
    Alone,
}

/// A source transaction.
///
/// Its records are the row events of `first..=last` (or the one statement) that are no re-sends;
/// bootstrap rows may stand between them. Transactions never overlap.
///
/// Inside the spool its tables go by number, and its epoch tells the base name of its position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction<Table = TableName, Base = String> {
    /// First record.
    pub first: Seq,
    /// Last record.
    pub last: Seq,
    /// The epoch it belongs to.
    pub epoch: u32,
    /// Time of the last record, seconds since 1970.
    pub ts: i64,
    /// The source's transaction number.
    pub xid: Option<u64>,
    /// Position of the last record.
    pub position: Option<BinlogPos<Base>>,
    /// The connection that made it.
    pub thread_id: Option<u64>,
    /// The server it was made on.
    pub server_id: Option<u64>,
    /// What else is told of it.
    #[serde(default)]
    pub facts: Facts<'static>,
    /// Rows, a statement, a torso, or a row by itself.
    pub kind: TransactionKind,
    /// Tables touched, in the order of first touch.
    pub tables: Vec<(Table, Counts)>,
}

/// A transaction as the spool keeps it.
pub type Numbered = Transaction<u32, ()>;

#[cfg(test)]
impl<Table, Base> Transaction<Table, Base> {
    /// One whose rows, and nothing else of it, matter to a test.
    pub(crate) fn with_rows(tables: Vec<(Table, Counts)>) -> Self {
        Self {
            first: 1,
            last: 1,
            epoch: 1,
            ts: 0,
            xid: None,
            position: None,
            thread_id: None,
            server_id: None,
            facts: Facts::default(),
            kind: TransactionKind::Rows,
            tables,
        }
    }
}

impl Transaction {
    /// Row events in all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, c)| c.rows()).sum()
    }
}

/// One transaction in words: time, xid, position.
impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", utc(self.ts))?;
        if let Some(xid) = self.xid {
            write!(f, " xid {xid}")?;
        }
        self.position.as_ref().map_or(Ok(()), |position| write!(f, " {position}"))
    }
}

/// The transactions with the most rows of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Biggest {
    /// The segment's records.
    pub range: Range<Seq>,
    /// Rows and last record of each, most rows first.
    pub transactions: Vec<(u64, Seq)>,
    /// No other transaction of the segment has more rows.
    pub floor: u64,
}

/// A DDL message that is no re-send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DdlRef {
    /// The message.
    pub seq: Seq,
    /// First message of the same statement (one statement over several tables sends several).
    pub group: Seq,
}

/// A copy of a table by the producer, and the stretch its rows are ahead of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// The table copied.
    pub table: TableName,
    /// The message that began it.
    pub start: Seq,
    /// When it was complete, seconds since 1970; `None` while it is not.
    pub complete_ts: Option<i64>,
    /// First record of the first transaction of that table later than the copy (or of the next
    /// copy); `None`: not seen yet.
    pub end: Option<Seq>,
}

impl Bootstrap {
    /// True while the table of a message is copied.
    pub fn copies(&self, seq: Seq, meta: &Meta<'_>) -> bool {
        self.start <= seq
            && self.end.is_none_or(|end| seq < end)
            && self.table.table == meta.table
            && self.table.database == meta.database
    }
}

/// What kind of hole a [`Gap`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GapKind {
    /// Rows are missing inside a transaction.
    XoffsetJump,
    /// A transaction has no commit.
    NoCommit,
    /// The position went back, and what came then was not stored before.
    PositionBack,
    /// The same, of one of several queues: it came when what stands behind it was merged already.
    Late,
    /// Messages that the broker handed out again are stored, and may be stored before them already.
    MaybeTwice,
}

/// A hole in the stream, noticed at a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The record at which it was noticed.
    pub seq: Seq,
    /// What kind.
    pub kind: GapKind,
    /// In words.
    pub detail: String,
}

/// A stretch of the stream with one run of binlog positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub number: u32,
    /// Its first record.
    pub first_seq: Seq,
    /// Base name of the binlog files, once known.
    pub base: Option<String>,
    /// Server id, once known.
    pub server_id: Option<u64>,
    /// Why it began.
    pub reason: String,
}

/// A stored message that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The record.
    pub seq: Seq,
    /// File name of its segment.
    pub segment: String,
    /// Where its frame begins in that file.
    pub offset: u64,
    /// Its place in the frame.
    pub index_in_frame: usize,
    /// Its length in bytes.
    pub len: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl Damaged {
    /// True for one that the producer encrypted: it can be read with its key.
    pub fn is_encrypted(&self) -> bool {
        self.reason == ENCRYPTED
    }
}

/// Bytes inside a segment that are no whole frame; what lies behind them is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrame {
    /// File name of the segment.
    pub segment: String,
    /// Where the bad bytes begin.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
    /// The records that are lost with them.
    pub lost: Range<Seq>,
    /// What is wrong with them.
    pub reason: String,
    /// They are the end of the spool: nothing tells how much is lost, or only an earlier index.
    pub last: bool,
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} offset {}: ", self.segment, self.offset)?;
        if self.bytes > 0 {
            write!(f, "{} bytes unreadable, ", self.bytes)?;
        }
        match self.lost.end.saturating_sub(self.lost.start) {
            0 if self.last => f.write_str("what the end held is lost")?,
            0 => f.write_str("no message is lost")?,
            1 => write!(f, "message {} is lost", self.lost.start)?,
            _ => write!(f, "messages {} to {} are lost", self.lost.start, self.lost.end - 1)?,
        }
        write!(f, ": {}", self.reason)
    }
}

/// One segment file, as indexed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentInfo {
    /// File name.
    pub name: String,
    /// The sequence that names it: it may begin with messages that were taken out.
    pub segment: Seq,
    /// First sequence.
    pub first: Seq,
    /// Last sequence.
    pub last: Seq,
    /// Frames.
    pub frames: u64,
    /// Records.
    pub records: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes of the records.
    pub raw: u64,
    /// Arrival of the first and last frame, milliseconds since 1970.
    pub arrival_ms: (i64, i64),
}

/// What a start found and mended; for messages to the user.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// Bytes cut from the end of the live segment, and the file they were moved to.
    pub torn: Option<(PathBuf, u64)>,
    /// Why the index was built anew, if it was.
    pub reindexed: Option<String>,
    /// Records the index was behind.
    pub caught_up: u64,
    /// Unreadable stretches in the segments, and what is gone from their end.
    pub bad_frames: Vec<BadFrame>,
}

/// What a writer appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records stored.
    pub records: u64,
    /// Transactions completed (statements included).
    pub transactions: u64,
    /// Of these, rows whose transaction the producer does not tell.
    pub alone: u64,
    /// Records that are re-sends.
    pub resends: u64,
    /// Records that the producer encrypted, and no key given was for.
    pub encrypted: u64,
    /// Other records that could not be read.
    pub damaged: u64,
    /// Gaps noticed.
    pub gaps: u64,
    /// Epochs begun.
    pub epochs: u64,
}

/// A stored frame of a queue, for the alignment of redelivered messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailFrame {
    /// Its records.
    pub records: Vec<TailRecord>,
    /// The sequence behind them.
    pub end: Seq,
    /// The broker has confirmed that it was acknowledged, and will not hand it out again.
    pub acked: bool,
}

/// Fingerprint of a stored record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TailRecord {
    /// Length in bytes.
    pub len: u64,
    /// xxh3-128 of the bytes.
    pub hash: u128,
}
