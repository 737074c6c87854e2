//! What the index keeps of messages that were pruned: taken from it before they go, and put into
//! one that is built anew, so that both give the same answers of what is left.

use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::db::{Index, Row, Val, damaged, int, maybe_int};
use super::keys;
use super::read::column;
use crate::error::{Context, Error, Result};
use crate::event::{BinlogPos, Body, TableName, maxwell};
use crate::spool::follow::notes::DdlNote;
use crate::spool::follow::tracker::Judged;
use crate::spool::store::format::SpoolId;
use crate::spool::store::frame::{Batch, Frame};
use crate::spool::store::pruned::{self, Pruned};
use crate::spool::store::ranges::Ranges;
use crate::spool::store::segment;
use crate::spool::types::{Epoch, Seq};

/// The segment that the index begins with, if some were pruned.
const BORDER: &str = "border";
/// Bytes of messages about statements in a frame.
const FRAME: usize = 8 << 20;

/// What is followed where a segment begins.
#[derive(Serialize, Deserialize)]
pub(crate) struct Border {
    /// The tracker's state.
    pub(crate) tracker: String,
    /// The columns of the keys of each table, by its number.
    pub(crate) keys: Vec<(u32, Vec<String>)>,
}

/// What is known from before a border.
#[derive(Serialize, Deserialize)]
pub(crate) struct Known {
    /// What was followed there.
    pub(crate) border: Border,
    tables: Vec<TableName>,
    epochs: Vec<Epoch>,
    /// Start, table, when it was complete, end.
    bootstraps: Vec<(Seq, u32, Option<i64>, Option<Seq>)>,
    /// Table, columns, since when.
    key_columns: Vec<(u32, Vec<String>, Seq)>,
    /// Table, columns of its row images, first and last message.
    widths: Vec<(u32, u64, Seq, Seq)>,
    /// From which messages on NULLs are shown, or not.
    nulls: Vec<(Seq, bool)>,
    sources: Vec<(String, u64)>,
    /// The queues that were merged, each with the place behind the last message taken; a version
    /// before did not say.
    #[serde(default)]
    merged: Vec<(String, u64)>,
    /// Of what is left, what is sent again.
    resends: Vec<Range<Seq>>,
    statements: Vec<Statement>,
}

/// A message about a statement; the rest of it is in the message.
#[derive(Serialize, Deserialize)]
struct Statement {
    seq: Seq,
    group: Seq,
    epoch: u32,
    /// File and offset in the binlog.
    place: Option<(u64, u64)>,
    hash: u64,
}

impl Known {
    /// Reads it from the spool.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(dir: &Path) -> Result<(Self, Vec<Frame>)> {
        let mut frames = pruned::rest(dir)?.into_iter();
        let known = frames.next().filter(|frame| frame.len() == 1);
        let known = known.map(|frame| serde_json::from_slice::<Self>(frame.get(0).bytes));
        let known = known.transpose().context(pruned::path(dir).display())?;
        let messages: Vec<Frame> = frames.collect();
        let count: usize = messages.iter().map(Frame::len).sum();
        match known.filter(|known| known.statements.len() == count) {
            Some(known) => Ok((known, messages)),
            None => Err(Error::failed(format!("{}: not whole", pruned::path(dir).display()))),
        }
    }

    /// What was found of the messages that are left.
    pub(crate) fn judged(self, border: Seq) -> Judged {
        let epochs = self.epochs.into_iter().filter(|epoch| epoch.first_seq >= border);
        Judged {
            resends: self.resends,
            epochs: epochs.map(|epoch| (epoch.first_seq, epoch.reason)).collect(),
        }
    }

    /// The frames that keep it, with the messages about statements.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub(crate) fn frames(&self, index: &Index, border: Seq, at_ms: i64) -> Result<Vec<Batch>> {
        let new = || Batch { arrival_ms: at_ms, ..Batch::default() };
        let mut frames = vec![new(), new()];
        frames[0].push(&serde_json::to_vec(self).context("pruned")?);
        index.each_ddl(&(0..border), |_, message| {
            if frames.last().is_none_or(|frame| frame.records.len() > FRAME) {
                frames.push(new());
            }
            frames.last_mut().into_iter().for_each(|frame| frame.push(&message));
            Ok(())
        })?;
        frames.retain(|frame| !frame.is_empty());
        Ok(frames)
    }
}

/// Has files count as not imported: what was left of them is taken out of the spool.
///
/// # Errors
/// When what is kept cannot be read or written.
pub(crate) fn forget_sources(dir: &Path, spool: SpoolId, names: &[String]) -> Result<()> {
    let Some(pruned) = pruned::pruned(dir)? else { return Ok(()) };
    let (mut known, messages) = Known::read(dir)?;
    known.sources.retain(|(name, _)| !names.contains(name));
    let new = || Batch { arrival_ms: pruned.at_ms, ..Batch::default() };
    let mut frames = vec![new()];
    frames[0].push(&serde_json::to_vec(&known).context("pruned")?);
    for message in messages {
        let mut frame = new();
        message.records().for_each(|record| frame.push(record.bytes));
        frames.push(frame);
    }
    pruned::write(dir, spool, &pruned, &frames)
}

impl Index {
    /// Notes what is followed where a segment begins.
    pub(crate) fn add_border(&self, segment: Seq, border: &Border) -> Result<()> {
        let state = serde_json::to_vec(border).context("index: border")?;
        self.put("borders", &[int(segment), Val::Blob(&segment::compress(&state)?)])
    }

    /// What is followed where a segment begins; `None` where its first frame is not whole.
    pub(crate) fn border(&self, segment: Seq) -> Result<Option<Border>> {
        let read = |row: &Row<'_>| self.unpack(&row.blob(1)?);
        let found = self.checked("borders", "WHERE first = ?", &[int(segment)], read)?.pop();
        found.map(|state| serde_json::from_slice(&state).map_err(damaged)).transpose()
    }

    /// The first message about a statement from a record on, and the first of its statement.
    pub(crate) fn next_ddl(&self, from: Seq) -> Result<Option<(Seq, Seq)>> {
        let read = |row: &Row<'_>| Ok((row.int(0)?, row.int(1)?));
        let rest = "WHERE seq >= ? ORDER BY seq LIMIT 1";
        Ok(self.checked("ddl", rest, &[int(from)], read)?.pop())
    }

    /// How many gaps and damaged messages come before a record.
    pub(crate) fn wrong_before(&self, seq: Seq) -> Result<(u64, u64)> {
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table} WHERE seq < ?");
            Ok(self.row(&sql, &[int(seq)], |row| row.int(0))?.unwrap_or(0))
        };
        Ok((count("gaps")?, count("damaged")?))
    }

    /// What is to be kept when all before a segment goes.
    pub(crate) fn known(&self, segment: Seq, border: Border) -> Result<Known> {
        let below = [int(segment)];
        let names = |text: String| serde_json::from_str(&text).map_err(damaged);
        Ok(Known {
            border,
            tables: self.tables()?,
            epochs: self.epochs()?,
            bootstraps: self.checked("bootstraps", "WHERE start < ?", &below, |row| {
                let complete = row.maybe_int(2)?.map(|ts| ts as i64);
                Ok((row.int(0)?, row.int(1)? as u32, complete, row.maybe_int(3)?))
            })?,
            key_columns: self.checked("key_columns", "WHERE since < ?", &below, |row| {
                Ok((row.int(0)? as u32, names(row.text(1)?)?, row.int(2)?))
            })?,
            widths: self.checked("image_widths", "WHERE first < ?", &below, |row| {
                Ok((row.int(0)? as u32, row.int(1)?, row.int(2)?, row.int(3)?))
            })?,
            nulls: self.checked("nulls", "WHERE seq < ? ORDER BY seq", &below, |row| {
                Ok((row.int(0)?, row.int(1)? == 1))
            })?,
            sources: self.sources()?,
            merged: self.merged()?,
            resends: self.resends_from(segment)?,
            statements: self.checked("ddl", "WHERE seq < ? ORDER BY seq", &below, |row| {
                Ok(Statement {
                    seq: row.int(0)?,
                    group: row.int(1)?,
                    epoch: row.int(2)? as u32,
                    place: row.maybe_int(3)?.zip(row.maybe_int(4)?),
                    hash: row.int(5)?,
                })
            })?,
        })
    }

    /// The stretches from a segment on that are sent again.
    fn resends_from(&self, segment: Seq) -> Result<Vec<Range<Seq>>> {
        let mut all: Vec<Range<Seq>> = Vec::new();
        let segments = self.segment_rows()?.into_iter();
        for row in segments.filter(|row| row.first >= segment && row.resends > 0) {
            let rest = "WHERE segment = ? ORDER BY first";
            self.walk_checked("frames", rest, &[int(row.first)], |row| {
                let first = row.int(0)?;
                let marks = Ranges::unpack(&row.blob(column::RESEND)?);
                let marks = marks.ok_or_else(|| damaged("marks of a frame"))?;
                for (from, to) in marks.spans() {
                    let span = first + u64::from(from)..first + u64::from(to);
                    match all.last_mut() {
                        Some(last) if last.end == span.start => last.end = span.end,
                        _ => all.push(span),
                    }
                }
                Ok(true)
            })?;
        }
        Ok(all)
    }

    /// Where the index begins, if messages before were pruned.
    pub(crate) fn begins(&self) -> Result<Option<Seq>> {
        self.get_int(BORDER)
    }

    /// Begins an empty index behind what was pruned.
    pub(crate) fn begin_behind(
        &self,
        pruned: &Pruned,
        known: &Known,
        messages: &[Frame],
    ) -> Result<()> {
        self.begin()?;
        for (id, name) in (0..).zip(&known.tables) {
            self.add_table(id, name)?;
        }
        for epoch in known.epochs.iter().filter(|epoch| epoch.first_seq < pruned.segment) {
            self.add_epoch(epoch)?;
        }
        for (start, table, complete, end) in &known.bootstraps {
            let complete = complete.map_or(Val::Null, Val::Int);
            let row = [int(*start), int((*table).into()), complete, maybe_int(*end)];
            self.put("bootstraps", &row)?;
        }
        for (table, columns, since) in &known.key_columns {
            self.add_key_columns(*table, columns, *since)?;
        }
        for (table, width, first, last) in &known.widths {
            let row = [int((*table).into()), int(*width), int(*first), int(*last)];
            self.put("image_widths", &row)?;
        }
        for (seq, shown) in &known.nulls {
            self.put("nulls", &[int(*seq), int(u64::from(*shown))])?;
        }
        for (name, end) in &known.sources {
            self.put("sources", &[Val::Text(name), int(*end)])?;
        }
        if !known.merged.is_empty() {
            self.set_merged(&known.merged)?;
        }
        let messages = messages.iter().flat_map(|frame| frame.records().map(|r| r.bytes));
        for (statement, message) in known.statements.iter().zip(messages) {
            self.add_ddl(&note(statement, message)?, message)?;
        }
        self.set("tracker", Val::Text(&known.border.tracker))?;
        self.set("next", int(pruned.segment))?;
        self.set(BORDER, int(pruned.segment))?;
        self.commit()
    }

    /// Forgets the segments before one, each by itself: a writer may be at work beside.
    pub(crate) fn prune(&self, segment: Seq) -> Result<()> {
        let rows = self.segment_rows()?;
        let ends = rows.iter().skip(1).map(|row| row.first).filter(|first| *first < segment);
        for end in ends.chain([segment]) {
            self.begin()?;
            for (table, column) in [
                ("segments", "first"),
                ("frames", "first"),
                ("zones", "first"),
                ("positions", "frame"),
                ("strays", "seq"),
                ("gaps", "seq"),
                ("damaged", "seq"),
                ("bad_frames", "segment"),
                ("forgotten", "first"),
                ("biggest", "segment"),
                ("frame_keys", "first"),
                ("borders", "first"),
            ] {
                self.execute(&format!("DELETE FROM {table} WHERE {column} < ?"), &[int(end)])?;
            }
            self.execute("DELETE FROM bad_frames WHERE lost_to <= ?", &[int(end)])?;
            let run = int(keys::block_id(end, 0));
            self.execute("DELETE FROM key_runs WHERE id < ?", &[run])?;
            if end == segment {
                self.set(BORDER, int(segment))?;
            }
            self.commit()?;
        }
        Ok(())
    }
}

/// What the index keeps of a statement.
fn note(statement: &Statement, message: &[u8]) -> Result<DdlNote> {
    let Statement { seq, group, epoch, place, hash } = *statement;
    let event = maxwell::parse(message).ok();
    let event = event.as_ref().and_then(|event| match &event.body {
        Body::Ddl { sql, .. } => Some((event.meta.op, sql.to_string())),
        _ => None,
    });
    let (op, sql) = event.ok_or_else(|| {
        Error::failed(format!("message {seq} is kept as a statement, and is none"))
    })?;
    let position = place.map(|(file, offset)| BinlogPos { base: (), file, offset });
    Ok(DdlNote { seq, group, epoch, position, hash, op, sql })
}
