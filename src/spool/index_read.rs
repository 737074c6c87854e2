//! What the index is asked.

use std::ops::Range;

use super::frame::Place;
use super::index::{Index, Row, Val, int};
use super::index_write::GAP_KINDS;
use super::ranges::Ranges;
use super::resend::{EventRows, Ident};
use super::segment;
use super::types::{
    BadFrame, Bootstrap, Damaged, DdlRef, End, Epoch, Gap, Order, SegmentInfo, Seq,
};
use crate::error::{Context, Error, Result};
use crate::event::TableName;

/// A frame as the index knows it.
#[derive(Clone, Debug)]
pub(super) struct FrameRow {
    pub(super) first: Seq,
    pub(super) records: u64,
    pub(super) place: Place,
    pub(super) resend: Ranges,
    pub(super) damaged: Ranges,
}

const FRAME: &str = "first, records, segment, offset, len, resend, damaged";

fn frame_row(row: &Row<'_>) -> Result<FrameRow> {
    let ranges = |i| {
        let blob = row.blob(i)?;
        Ranges::unpack(&blob).ok_or_else(|| Error::failed("index: marks of a frame"))
    };
    Ok(FrameRow {
        first: row.int(0)?,
        records: row.int(1)?,
        place: Place { segment: row.int(2)?, offset: row.int(3)?, len: row.int(4)? },
        resend: ranges(5)?,
        damaged: ranges(6)?,
    })
}

impl Index {
    /// Frames that hold a record of `range`, at most `limit` of them.
    pub(super) fn frames(
        &self,
        range: &Range<Seq>,
        order: Order,
        limit: u64,
    ) -> Result<Vec<FrameRow>> {
        let (from, order) = (self.frame_start(range.start)?, sql_order(order));
        self.rows(
            &format!(
                "SELECT {FRAME} FROM frames WHERE first >= ? AND first < ? AND first + records > ?
                 ORDER BY first {order} LIMIT ?"
            ),
            &[int(from), upto(range.end), upto(range.start), int(limit)],
            frame_row,
        )
    }

    /// Packed transactions of frames that begin in `firsts`: first sequence and blob.
    pub(super) fn transactions(
        &self,
        firsts: &Range<Seq>,
        order: Order,
        limit: u64,
    ) -> Result<Vec<(Seq, Vec<u8>)>> {
        let order = sql_order(order);
        self.rows(
            &format!(
                "SELECT first, transactions FROM frames
                 WHERE first >= ? AND first < ? ORDER BY first {order} LIMIT ?"
            ),
            &[upto(firsts.start), upto(firsts.end), int(limit)],
            |row| Ok((row.int(0)?, segment::decompress(&row.blob(1)?)?)),
        )
    }

    /// First sequence of the last frame that begins at or before `seq`.
    pub(super) fn frame_start(&self, seq: Seq) -> Result<Seq> {
        let sql = "SELECT first FROM frames WHERE first <= ? ORDER BY first DESC LIMIT 1";
        Ok(self.row(sql, &[upto(seq)], |row| row.int(0))?.unwrap_or(0))
    }

    /// The frame that holds a record.
    pub(super) fn frame_of(&self, seq: Seq) -> Result<Option<FrameRow>> {
        Ok(self.frames(&(seq..seq.saturating_add(1)), Order::Forward, 1)?.pop())
    }

    /// The count of event rows where a frame begins.
    pub(super) fn event_rows(&self, frame: Seq) -> Result<EventRows> {
        let sql = "SELECT event FROM frames WHERE first = ?";
        let text = self.row(sql, &[int(frame)], |row| row.text(0))?;
        serde_json::from_str(&text.unwrap_or_default()).context("index: event rows")
    }

    /// Frames whose rows of a chain reach over a place in the binlog.
    pub(super) fn frames_at(&self, chain: usize, at: Ident) -> Result<Vec<Seq>> {
        let mut frames = Vec::new();
        self.walk(
            "SELECT frame, file_min, offset_min FROM positions
             WHERE chain = ? AND (file_max, offset_max) >= (?, ?)
             ORDER BY file_max, offset_max, frame",
            &[int(chain as u64), int(at.file), int(at.offset)],
            |row| {
                let reaches = (row.int(1)?, row.int(2)?) <= (at.file, at.offset);
                if reaches {
                    frames.push(row.int(0)?);
                }
                // Ranges of a chain rise: behind the first that begins later all do.
                Ok(reaches)
            },
        )?;
        Ok(frames)
    }

    /// Rows of an identity that are in no chain.
    pub(super) fn strays_at(&self, at: Ident) -> Result<Vec<Seq>> {
        let sql = "SELECT seq FROM strays WHERE file = ? AND offset = ? AND ord = ?";
        self.rows(sql, &[int(at.file), int(at.offset), int(at.ord)], |row| row.int(0))
    }

    /// Statements at a place in the binlog, newest first.
    pub(super) fn ddl_at(&self, file: u64, offset: u64) -> Result<Vec<Seq>> {
        let sql = "SELECT seq FROM ddl WHERE file = ? AND offset = ? ORDER BY seq DESC";
        self.rows(sql, &[int(file), int(offset)], |row| row.int(0))
    }

    /// Hashes of the last statements without position, newest first.
    pub(super) fn ddl_hashes(&self, limit: usize) -> Result<Vec<u64>> {
        let sql = "SELECT hash FROM ddl WHERE file IS NULL ORDER BY seq DESC LIMIT ?";
        self.rows(sql, &[int(limit as u64)], |row| row.int(0))
    }

    /// All statements.
    pub(super) fn ddl(&self) -> Result<Vec<DdlRef>> {
        self.rows("SELECT seq, grp, epoch FROM ddl ORDER BY seq", &[], |row| {
            Ok(DdlRef { seq: row.int(0)?, group: row.int(1)?, epoch: row.int(2)? as u32 })
        })
    }

    /// What a statement was: the producer's word for it, and its text.
    pub(super) fn statement(&self, seq: Seq) -> Result<Option<(String, String)>> {
        let sql = "SELECT op, sql FROM ddl WHERE seq = ?";
        self.row(sql, &[int(seq)], |row| Ok((row.text(0)?, row.text(1)?)))
    }

    /// All table names, by number.
    pub(super) fn tables(&self) -> Result<Vec<TableName>> {
        self.rows("SELECT database, name FROM tables ORDER BY id", &[], |row| {
            Ok(TableName::new(row.text(0)?, row.text(1)?))
        })
    }

    /// All bootstraps.
    pub(super) fn bootstraps(&self) -> Result<Vec<Bootstrap>> {
        let sql = "SELECT database, name, start, complete, stop FROM bootstraps
                   JOIN tables ON id = tab ORDER BY start";
        self.rows(sql, &[], |row| {
            Ok(Bootstrap {
                table: TableName::new(row.text(0)?, row.text(1)?),
                start: row.int(2)?,
                complete_ts: row.maybe_int(3)?.map(|n| n as i64),
                end: row.maybe_int(4)?,
            })
        })
    }

    /// All gaps.
    pub(super) fn gaps(&self) -> Result<Vec<Gap>> {
        self.rows("SELECT seq, kind, detail FROM gaps ORDER BY id", &[], |row| {
            let kind = GAP_KINDS.get(row.int(1)? as usize);
            let kind = *kind.ok_or_else(|| Error::failed("index: kind of a gap"))?;
            Ok(Gap { seq: row.int(0)?, kind, detail: row.text(2)? })
        })
    }

    /// All epochs.
    pub(super) fn epochs(&self) -> Result<Vec<Epoch>> {
        let sql = "SELECT number, first, base, server, reason FROM epochs ORDER BY number";
        self.rows(sql, &[], |row| {
            Ok(Epoch {
                number: row.int(0)? as u32,
                first_seq: row.int(1)?,
                base: row.maybe_text(2)?,
                server_id: row.maybe_int(3)?,
                reason: row.text(4)?,
            })
        })
    }

    /// Damaged records of a range.
    pub(super) fn damaged(&self, range: &Range<Seq>) -> Result<Vec<Damaged>> {
        self.rows(
            "SELECT d.seq, f.segment, f.offset, f.first, d.len, d.reason
             FROM damaged d JOIN frames f ON f.first = d.frame
             WHERE d.seq >= ? AND d.seq < ? ORDER BY d.seq",
            &[upto(range.start), upto(range.end)],
            |row| {
                let seq = row.int(0)?;
                Ok(Damaged {
                    seq,
                    segment: segment::name(row.int(1)?),
                    offset: row.int(2)?,
                    index_in_frame: (seq - row.int(3)?) as usize,
                    len: row.int(4)?,
                    reason: row.text(5)?,
                })
            },
        )
    }

    /// Unreadable stretches.
    pub(super) fn bad_frames(&self) -> Result<Vec<BadFrame>> {
        let sql = "SELECT segment, offset, bytes, lost_from, lost_to, reason
                   FROM bad_frames ORDER BY id";
        self.rows(sql, &[], |row| {
            Ok(BadFrame {
                segment: segment::name(row.int(0)?),
                offset: row.int(1)?,
                bytes: row.int(2)?,
                lost: row.int(3)?..row.int(4)?,
                reason: row.text(5)?,
            })
        })
    }

    /// The segments and how far each is indexed.
    pub(super) fn segments(&self) -> Result<Vec<SegmentInfo>> {
        let sql = "SELECT s.first, min(f.first), max(f.first + f.records), count(*),
                   sum(f.records), s.bytes, sum(f.raw - f.records), min(f.arrival), max(f.arrival)
                   FROM segments s JOIN frames f ON f.segment = s.first
                   GROUP BY s.first ORDER BY s.first";
        self.rows(sql, &[], |row| {
            Ok(SegmentInfo {
                name: segment::name(row.int(0)?),
                first: row.int(1)?,
                last: row.int(2)? - 1,
                frames: row.int(3)?,
                records: row.int(4)?,
                bytes: row.int(5)?,
                raw: row.int(6)?,
                arrival_ms: (row.int(7)? as i64, row.int(8)? as i64),
            })
        })
    }

    /// The last segment and how far it is indexed.
    pub(super) fn live(&self) -> Result<Option<(Seq, u64)>> {
        let sql = "SELECT first, bytes FROM segments ORDER BY first DESC LIMIT 1";
        self.row(sql, &[], |row| Ok((row.int(0)?, row.int(1)?)))
    }

    /// The last frame and the checksum of its body.
    pub(super) fn last_frame(&self) -> Result<Option<(FrameRow, u32)>> {
        let sql = format!("SELECT {FRAME}, crc FROM frames ORDER BY first DESC LIMIT 1");
        self.row(&sql, &[], |row| Ok((frame_row(row)?, row.int(7)? as u32)))
    }

    /// Place and body checksum of all frames of a segment.
    pub(super) fn checksums(&self, segment: Seq) -> Result<Vec<(Place, u32)>> {
        let sql = "SELECT offset, len, crc FROM frames WHERE segment = ? ORDER BY offset";
        self.rows(sql, &[int(segment)], |row| {
            Ok((Place { segment, offset: row.int(0)?, len: row.int(1)? }, row.int(2)? as u32))
        })
    }

    /// Last frames of a queue that together hold `n` records or more, newest first.
    pub(super) fn tail(&self, queue: &str, n: u64) -> Result<Vec<FrameRow>> {
        let (mut frames, mut records) = (Vec::new(), 0);
        let sql = format!("SELECT {FRAME} FROM frames WHERE queue = ? ORDER BY first DESC");
        self.walk(&sql, &[Val::Text(queue)], |row| {
            let frame = frame_row(row)?;
            records += frame.records;
            frames.push(frame);
            Ok(records < n)
        })?;
        Ok(frames)
    }

    /// Stored end of each source.
    pub(super) fn sources(&self) -> Result<Vec<(String, u64)>> {
        self.rows("SELECT name, end FROM sources", &[], |row| Ok((row.text(0)?, row.int(1)?)))
    }

    /// A single text.
    pub(super) fn get(&self, key: &str) -> Result<Option<String>> {
        self.row("SELECT value FROM meta WHERE key = ?", &[Val::Text(key)], |row| row.text(0))
    }

    /// Where the index ends.
    pub(super) fn end(&self) -> Result<End> {
        let sql = "SELECT (SELECT value FROM meta WHERE key = 'next'),
                          (SELECT value FROM meta WHERE key = 'open')";
        let read = |row: &Row<'_>| {
            Ok(End { next: row.maybe_int(0)?.unwrap_or(1), open: row.maybe_int(1)? })
        };
        Ok(self.row(sql, &[], read)?.unwrap_or(End { next: 1, open: None }))
    }
}

fn sql_order(order: Order) -> &'static str {
    match order {
        Order::Forward => "ASC",
        Order::Reverse => "DESC",
    }
}

/// A bound of a range of sequences, which may be "to the end".
fn upto(seq: Seq) -> Val<'static> {
    int(seq.min(i64::MAX as u64))
}
