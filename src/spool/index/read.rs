//! What the index is asked.

use std::ops::Range;

use super::db::{Index, Row, Val, damaged, int};
use super::schema::GAP_KINDS;
use crate::error::{Context, Result};
use crate::event::{Direction, TableName};
use crate::spool::follow::packed::{self, Closed};
use crate::spool::follow::resend::{EventRows, Ident};
use crate::spool::store::place::Place;
use crate::spool::store::ranges::Ranges;
use crate::spool::store::segment;
use crate::spool::types::{
    BadFrame, Bootstrap, Damaged, DdlRef, End, Epoch, Gap, SegmentInfo, Seq,
};

/// A frame as the index knows it.
#[derive(Clone, Debug)]
pub(crate) struct FrameRow {
    pub(crate) first: Seq,
    pub(crate) records: u64,
    pub(crate) place: Place,
    pub(crate) resend: Ranges,
    pub(crate) damaged: Ranges,
}

/// Columns of `frames` that are read.
pub(super) mod column {
    pub(crate) const CRC: usize = 6;
    pub(crate) const ARRIVAL: usize = 7;
    pub(crate) const LATEST: usize = 8;
    pub(crate) const SOURCE: usize = 10;
    pub(crate) const EVENT: usize = 11;
    pub(crate) const RESEND: usize = 12;
    pub(crate) const DAMAGED: usize = 13;
    pub(crate) const TRANSACTIONS: usize = 14;
}

impl FrameRow {
    /// Its records.
    pub(crate) fn range(&self) -> Range<Seq> {
        self.first..self.first.saturating_add(self.records)
    }
}

pub(super) fn frame_row(row: &Row<'_>) -> Result<FrameRow> {
    let ranges = |i| {
        let blob = row.blob(i)?;
        Ranges::unpack(&blob).ok_or_else(|| damaged("marks of a frame"))
    };
    Ok(FrameRow {
        first: row.int(0)?,
        records: row.int(1)?,
        place: Place { segment: row.int(2)?, offset: row.int(3)?, len: row.int(4)? },
        resend: ranges(column::RESEND)?,
        damaged: ranges(column::DAMAGED)?,
    })
}

impl Index {
    /// Frames that hold a record of `range`, at most `limit` of them.
    pub(crate) fn frames(
        &self,
        range: &Range<Seq>,
        order: Direction,
        limit: u64,
    ) -> Result<Vec<FrameRow>> {
        let order = sql_order(order);
        // One statement: a writer may join frames between two.
        let frames = self.checked(
            "frames",
            &format!(
                "WHERE first >= coalesce((SELECT max(first) FROM frames WHERE first <= ?1), 0)
                 AND first < ?2 AND first + records > ?1 ORDER BY first {order} LIMIT ?3"
            ),
            &[upto(range.start), upto(range.end), int(limit)],
            frame_row,
        )?;
        self.check_run(frames.iter().map(|f| f.first..f.first + f.records))?;
        Ok(frames)
    }

    /// The transactions whose last record lies in a part of a frame.
    pub(crate) fn transactions_of(&self, part: &Range<Seq>) -> Result<Vec<Closed>> {
        let rest = "WHERE first <= ? ORDER BY first DESC LIMIT 1";
        let read = |row: &Row<'_>| Ok((frame_row(row)?, self.closed(row)?));
        let found = self.checked("frames", rest, &[upto(part.start)], read)?.pop();
        let (_, mut closed) = found
            .filter(|(frame, _)| part.end <= frame.range().end)
            .ok_or_else(|| damaged("a frame is missing"))?;
        closed.retain(|t| part.contains(&t.last));
        Ok(closed)
    }

    /// The transactions of a row of `frames`.
    pub(super) fn closed(&self, row: &Row<'_>) -> Result<Vec<Closed>> {
        let blob = self.unpack(&row.blob(column::TRANSACTIONS)?)?;
        packed::unpack(row.int(0)?, &blob).ok_or_else(|| damaged("packed transactions"))
    }

    /// Packed transactions of frames that begin in `firsts`: first sequence and blob.
    pub(crate) fn transactions(
        &self,
        firsts: &Range<Seq>,
        order: Direction,
        limit: u64,
    ) -> Result<Vec<(Seq, Vec<u8>)>> {
        let order = sql_order(order);
        let mut runs = Vec::new();
        let found = self.checked(
            "frames",
            &format!("WHERE first >= ? AND first < ? ORDER BY first {order} LIMIT ?"),
            &[upto(firsts.start), upto(firsts.end), int(limit)],
            |row| {
                let first = row.int(0)?;
                runs.push(first..first.saturating_add(row.int(1)?));
                Ok((first, self.unpack(&row.blob(column::TRANSACTIONS)?)?))
            },
        )?;
        self.check_run(runs.into_iter())?;
        Ok(found)
    }

    /// Refuses frames, one after the other in either order, between which records lie that
    /// nobody has said to be lost or forgotten: the index has lost a row.
    fn check_run(&self, frames: impl Iterator<Item = Range<Seq>>) -> Result<()> {
        let mut before: Option<Range<Seq>> = None;
        for frame in frames {
            if let Some(before) = before.replace(frame.clone()) {
                let (a, b) = match before.start < frame.start {
                    true => (before.end, frame.start),
                    false => (frame.end, before.start),
                };
                self.check_hole(&(a..b))?;
            }
        }
        Ok(())
    }

    /// Refuses a stretch without frames that nobody has said to be lost or forgotten.
    pub(crate) fn check_hole(&self, range: &Range<Seq>) -> Result<()> {
        let Range { start, end } = range;
        match start == end || self.is_hole(range)? {
            true => Ok(()),
            false => Err(damaged(format_args!("it does not know messages {start} to {}", end - 1))),
        }
    }

    /// True when the index knows why a stretch holds nothing.
    fn is_hole(&self, range: &Range<Seq>) -> Result<bool> {
        let lost = self.bad_frames()?.into_iter().map(|bad| bad.lost);
        let mut holes: Vec<Range<Seq>> = lost.chain(self.forgotten()?).collect();
        holes.sort_by_key(|hole| hole.start);
        let mut at = range.start;
        for hole in holes.iter().filter(|hole| hole.end > range.start) {
            if hole.start > at {
                break;
            }
            at = at.max(hole.end);
        }
        Ok(at >= range.end)
    }

    /// Stretches that were taken out of the spool, rising.
    pub(crate) fn forgotten(&self) -> Result<Vec<Range<Seq>>> {
        self.checked("forgotten", "ORDER BY first", &[], |row| {
            let first = row.int(0)?;
            Ok(first..first.saturating_add(row.int(1)?))
        })
    }

    /// First sequence of the last frame that begins at or before `seq`.
    pub(crate) fn frame_start(&self, seq: Seq) -> Result<Seq> {
        let sql = "SELECT first FROM frames WHERE first <= ? ORDER BY first DESC LIMIT 1";
        Ok(self.row(sql, &[upto(seq)], |row| row.int(0))?.unwrap_or(0))
    }

    /// The frame that holds a record.
    pub(crate) fn frame_of(&self, seq: Seq) -> Result<Option<FrameRow>> {
        Ok(self.frames(&(seq..seq.saturating_add(1)), Direction::Forward, 1)?.pop())
    }

    /// The count of event rows where a frame begins.
    pub(crate) fn event_rows(&self, frame: Seq) -> Result<EventRows> {
        let read = |row: &Row<'_>| row.text(column::EVENT);
        let text = self.checked("frames", "WHERE first = ?", &[int(frame)], read)?.pop();
        serde_json::from_str(&text.unwrap_or_default()).context("index: event rows")
    }

    /// Frames whose rows of a chain reach over a place in the binlog.
    pub(crate) fn frames_at(&self, chain: usize, at: Ident) -> Result<Vec<Seq>> {
        let mut frames = Vec::new();
        self.walk_checked(
            "positions",
            "WHERE chain = ? AND (file_max, offset_max) >= (?, ?)
             ORDER BY file_max, offset_max, frame",
            &[int(chain as u64), int(at.file), int(at.offset)],
            |row| {
                let reaches = (row.int(4)?, row.int(5)?) <= (at.file, at.offset);
                if reaches {
                    frames.push(row.int(3)?);
                }
                // Ranges of a chain rise: behind the first that begins later all do.
                Ok(reaches)
            },
        )?;
        Ok(frames)
    }

    /// Rows of an identity that are in no chain.
    pub(crate) fn strays_at(&self, at: Ident) -> Result<Vec<Seq>> {
        let rest = "WHERE file = ? AND offset = ? AND ord = ?";
        let values = [int(at.file), int(at.offset), int(at.ord)];
        self.checked("strays", rest, &values, |row| row.int(3))
    }

    /// Statements at a place in the binlog, newest first.
    pub(crate) fn ddl_at(&self, file: u64, offset: u64) -> Result<Vec<Seq>> {
        let rest = "WHERE file = ? AND offset = ? ORDER BY seq DESC";
        self.checked("ddl", rest, &[int(file), int(offset)], |row| row.int(0))
    }

    /// Hashes of the last statements without position, newest first.
    pub(crate) fn ddl_hashes(&self, limit: usize) -> Result<Vec<u64>> {
        let rest = "WHERE file IS NULL ORDER BY seq DESC LIMIT ?";
        self.checked("ddl", rest, &[int(limit as u64)], |row| row.int(5))
    }

    /// The messages about statements in a stretch, in order.
    pub(crate) fn each_ddl(
        &self,
        range: &Range<Seq>,
        mut visit: impl FnMut(DdlRef, Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let values = [upto(range.start), upto(range.end)];
        self.walk_checked("ddl", "WHERE seq >= ? AND seq < ? ORDER BY seq", &values, |row| {
            let ddl = DdlRef { seq: row.int(0)?, group: row.int(1)? };
            visit(ddl, self.unpack(&row.blob(8)?)?)?;
            Ok(true)
        })
    }

    /// The message about a statement; `None` when it is none.
    pub(crate) fn ddl_message(&self, seq: Seq) -> Result<Option<Vec<u8>>> {
        let mut found = None;
        self.each_ddl(&(seq..seq.saturating_add(1)), |_, bytes| {
            found = Some(bytes);
            Ok(())
        })?;
        Ok(found)
    }

    /// How many messages about statements there are.
    pub(crate) fn ddl_count(&self) -> Result<u64> {
        self.number("SELECT count(*) FROM ddl")
    }

    /// What a statement was: the producer's word for it, and its text.
    pub(crate) fn statement(&self, seq: Seq) -> Result<Option<(String, String)>> {
        let read = |row: &Row<'_>| Ok((row.text(6)?, row.text(7)?));
        Ok(self.checked("ddl", "WHERE seq = ?", &[int(seq)], read)?.pop())
    }

    /// All table names, by number.
    pub(crate) fn tables(&self) -> Result<Vec<TableName>> {
        let tables = self.checked("tables", "ORDER BY id", &[], |row| {
            Ok((row.int(0)?, TableName::new(row.text(1)?, row.text(2)?)))
        })?;
        match (0..).zip(&tables).all(|(id, table)| id == table.0) {
            true => Ok(tables.into_iter().map(|(_, name)| name).collect()),
            false => Err(damaged("a table is missing")),
        }
    }

    /// All bootstraps.
    pub(crate) fn bootstraps(&self) -> Result<Vec<Bootstrap>> {
        let tables = self.tables()?;
        self.checked("bootstraps", "ORDER BY start", &[], |row| {
            let table = tables.get(row.int(1)? as usize).cloned();
            Ok(Bootstrap {
                table: table.ok_or_else(|| damaged("a copy of no table"))?,
                start: row.int(0)?,
                complete_ts: row.maybe_int(2)?.map(|n| n as i64),
                end: row.maybe_int(3)?,
            })
        })
    }

    /// All gaps.
    pub(crate) fn gaps(&self) -> Result<Vec<Gap>> {
        self.checked("gaps", "ORDER BY seq, kind", &[], |row| {
            let kind = GAP_KINDS.get(row.int(1)? as usize);
            let kind = *kind.ok_or_else(|| damaged("kind of a gap"))?;
            Ok(Gap { seq: row.int(0)?, kind, detail: row.text(2)? })
        })
    }

    /// All epochs.
    pub(crate) fn epochs(&self) -> Result<Vec<Epoch>> {
        self.checked("epochs", "ORDER BY number", &[], |row| {
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
    pub(crate) fn damaged(&self, range: &Range<Seq>) -> Result<Vec<Damaged>> {
        let rest = "WHERE seq >= ? AND seq < ? ORDER BY seq";
        let bounds = [upto(range.start), upto(range.end)];
        let mut frame: Option<FrameRow> = None;
        self.checked("damaged", rest, &bounds, |row| {
            let (seq, first) = (row.int(0)?, row.int(1)?);
            if frame.as_ref().is_none_or(|frame| frame.first != first) {
                frame = self.frame_of(first)?;
            }
            let place = frame.as_ref().filter(|f| f.first == first && seq >= first);
            let place = place.ok_or_else(|| damaged("a damaged message without frame"))?.place;
            Ok(Damaged {
                seq,
                segment: segment::name(place.segment),
                offset: place.offset,
                index_in_frame: (seq - first) as usize,
                len: row.int(2)?,
                reason: row.text(3)?,
            })
        })
    }

    /// Unreadable stretches.
    pub(crate) fn bad_frames(&self) -> Result<Vec<BadFrame>> {
        self.checked("bad_frames", "ORDER BY segment, offset", &[], |row| {
            Ok(BadFrame {
                segment: segment::name(row.int(0)?),
                offset: row.int(1)?,
                bytes: row.int(2)?,
                lost: row.int(3)?..row.int(4)?,
                reason: row.text(5)?,
                last: false,
            })
        })
    }

    /// The segments and how far each is indexed.
    pub(crate) fn segments(&self) -> Result<Vec<SegmentInfo>> {
        let mut all: Vec<SegmentInfo> = Vec::new();
        let _view = self.view()?;
        for segment in self.segment_rows()? {
            let name = segment::name(segment.first);
            let mut info: Option<SegmentInfo> = None;
            let rest = "WHERE segment = ? ORDER BY first";
            self.walk_checked("frames", rest, &[int(segment.first)], |row| {
                let (first, records) = (row.int(0)?, row.int(1)?);
                let [arrival, latest] =
                    [row.int(column::ARRIVAL)? as i64, row.int(column::LATEST)? as i64];
                let info = info.get_or_insert_with(|| SegmentInfo {
                    name: name.clone(),
                    segment: segment.first,
                    first,
                    last: first,
                    frames: 0,
                    records: 0,
                    bytes: segment.bytes,
                    raw: 0,
                    arrival_ms: (arrival, latest),
                });
                info.last = first + records - 1;
                info.frames += 1;
                info.records += records;
                info.raw += row.int(5)? - records;
                info.arrival_ms.0 = info.arrival_ms.0.min(arrival);
                info.arrival_ms.1 = info.arrival_ms.1.max(latest);
                Ok(true)
            })?;
            all.extend(info);
        }
        Ok(all)
    }

    /// The segments as the index has them, in the order of the stream.
    pub(crate) fn segment_rows(&self) -> Result<Vec<SegmentRow>> {
        self.checked("segments", "ORDER BY first", &[], segment_row)
    }

    /// One of them.
    pub(crate) fn segment_row(&self, first: Seq) -> Result<Option<SegmentRow>> {
        Ok(self.checked("segments", "WHERE first = ?", &[int(first)], segment_row)?.pop())
    }

    /// The last segment and how far it is indexed.
    pub(crate) fn live(&self) -> Result<Option<(Seq, u64)>> {
        let live = self.checked("segments", "ORDER BY first DESC LIMIT 1", &[], segment_row)?.pop();
        Ok(live.map(|live| (live.first, live.bytes)))
    }

    /// The last frame and the checksum of its body.
    pub(crate) fn last_frame(&self) -> Result<Option<(FrameRow, u32)>> {
        let read = |row: &Row<'_>| Ok((frame_row(row)?, row.int(column::CRC)? as u32));
        Ok(self.checked("frames", "ORDER BY first DESC LIMIT 1", &[], read)?.pop())
    }

    /// Place and body checksum of all frames of a segment.
    pub(crate) fn checksums(&self, segment: Seq) -> Result<Vec<(Place, u32)>> {
        let rest = "WHERE segment = ? ORDER BY offset";
        self.checked("frames", rest, &[int(segment)], |row| {
            let place = Place { segment, offset: row.int(3)?, len: row.int(4)? };
            Ok((place, row.int(column::CRC)? as u32))
        })
    }

    /// First sequences of the frames of a segment.
    pub(crate) fn frame_firsts(&self, segment: Seq) -> Result<Vec<Seq>> {
        let rest = "WHERE segment = ? ORDER BY offset";
        self.checked("frames", rest, &[int(segment)], |row| row.int(0))
    }

    /// Last frames of a queue that together hold `n` records or more, newest first.
    pub(crate) fn tail(&self, queue: &str, n: u64) -> Result<Vec<FrameRow>> {
        let (mut frames, mut records) = (Vec::new(), 0);
        let rest = "WHERE queue = ? ORDER BY first DESC";
        self.walk_checked("frames", rest, &[Val::Text(queue)], |row| {
            let frame = frame_row(row)?;
            records += frame.records;
            frames.push(frame);
            Ok(records < n)
        })?;
        Ok(frames)
    }

    /// Stored end of each source.
    pub(crate) fn sources(&self) -> Result<Vec<(String, u64)>> {
        self.checked("sources", "", &[], |row| Ok((row.text(0)?, row.int(1)?)))
    }

    /// The queues whose messages were merged, each with the place behind the last one taken.
    pub(crate) fn merged(&self) -> Result<Vec<(String, u64)>> {
        let Some(places) = self.get("merged")? else { return Ok(Vec::new()) };
        serde_json::from_str(&places).map_err(|_| damaged("merged queues"))
    }

    /// The records of each import that can be gone on with, and its source.
    pub(crate) fn imports(&self) -> Result<Vec<(String, Range<Seq>)>> {
        let mut all: Vec<(String, Range<Seq>)> = Vec::new();
        self.walk_checked("frames", "WHERE source IS NOT NULL ORDER BY first", &[], |row| {
            let (first, source) = (row.int(0)?, row.text(column::SOURCE)?);
            let end = first.saturating_add(row.int(1)?);
            match all.last_mut() {
                Some((last, range)) if *last == source && range.end == first => range.end = end,
                _ => all.push((source, first..end)),
            }
            Ok(true)
        })?;
        Ok(all)
    }

    /// Behind the last record that came from a queue: nobody else has it any more.
    pub(crate) fn captured_end(&self) -> Result<Seq> {
        let rest = "WHERE queue IS NOT NULL ORDER BY first DESC LIMIT 1";
        let end = self.checked("frames", rest, &[], |row| Ok(row.int(0)? + row.int(1)?))?.pop();
        Ok(end.unwrap_or(0))
    }

    /// A single text.
    pub(crate) fn get(&self, key: &str) -> Result<Option<String>> {
        let read = |row: &Row<'_>| row.maybe_text(1);
        Ok(self.checked("meta", "WHERE key = ?", &[Val::Text(key)], read)?.pop().flatten())
    }

    /// A single number.
    pub(crate) fn get_int(&self, key: &str) -> Result<Option<u64>> {
        let read = |row: &Row<'_>| row.maybe_int(1);
        Ok(self.checked("meta", "WHERE key = ?", &[Val::Text(key)], read)?.pop().flatten())
    }

    /// Where the index ends.
    pub(crate) fn end(&self) -> Result<End> {
        let rest = "WHERE key IN ('next', 'open') ORDER BY key";
        let mut end = End { next: 1, open: None };
        self.walk_checked("meta", rest, &[], |row| {
            match row.text(0)?.as_str() {
                "next" => end.next = row.int(1)?,
                _ => end.open = row.maybe_int(1)?,
            }
            Ok(true)
        })?;
        Ok(end)
    }
}

/// A segment as the index has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentRow {
    pub(crate) first: Seq,
    pub(crate) generation: u32,
    /// How far it is indexed.
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
    /// Bytes of the records.
    pub(crate) raw: u64,
    pub(crate) resends: u64,
    /// How many runs of keys it has; 0 while the frames have theirs.
    pub(crate) blocks: u64,
    /// How many of its biggest transactions are kept.
    pub(crate) biggest: u64,
}

fn segment_row(row: &Row<'_>) -> Result<SegmentRow> {
    Ok(SegmentRow {
        first: row.int(0)?,
        generation: row.int(1)? as u32,
        bytes: row.int(2)?,
        frames: row.int(3)?,
        raw: row.int(4)?,
        resends: row.int(5)?,
        blocks: row.int(6)?,
        biggest: row.int(7)?,
    })
}

fn sql_order(order: Direction) -> &'static str {
    match order {
        Direction::Forward => "ASC",
        Direction::Reverse => "DESC",
    }
}

/// A bound of a range of sequences, which may be "to the end".
pub(super) fn upto(seq: Seq) -> Val<'static> {
    int(seq.min(i64::MAX as u64))
}
