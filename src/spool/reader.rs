//! The read side: many readers, also while a writer appends.
//!
//! A reader believes the index, which is written only after the frame is on disk.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::index::db::Index;
use super::index::fit;
use super::index::keyed::RowKey;
use super::index::sums::{BIGGEST, SegmentSums};
use super::opened::{Opened, open};
use super::records::Records;
use super::store::files;
use super::store::frame::Message;
use super::store::pruned;
use super::store::segment;
use super::store::segment_reader::SegmentReader;
use super::store::segments;
use super::types::{
    BadFrame, Biggest, Bootstrap, Damaged, DdlRef, End, Epoch, Gap, SegmentInfo, Seq,
};
use crate::error::{Context, Error, Means, Result, Words};
use crate::event::landmark::Landmark;
use crate::event::{Direction, Nulls, TableName};

/// A spool, open for reading.
pub struct Spool {
    dir: PathBuf,
    pub(super) opened: Opened,
    id: String,
}

impl Spool {
    /// Opens a spool. An index that is missing or behind is brought up to date first, unless a
    /// writer does so already; where the folder takes no writes, in a temporary one.
    ///
    /// # Errors
    /// When there is no spool, or a file of it cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let place = dir.display();
        let fills = Words::from((
            "{} or {} fills one; {} names it",
            [Means::Capture, Means::Import, Means::Spool],
        ));
        let missing = |what: &str| Err(Error::usage(format!("{place}: {what}")).help(fills));
        let there = match dir.metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return missing("no spool here"),
            there => there.context(&place)?,
        };
        match there.is_dir() {
            false => return missing("a file, where a spool is a folder"),
            true if !segments::list(dir)?.is_empty() || pruned::path(dir).exists() => {}
            // A writer has been here.
            true if dir.join("lock").exists() || dir.join("schema").exists() => {
                return missing("the spool has stored nothing yet");
            }
            true => return missing("no spool here, the folder holds none"),
        }
        if files::is_writable(dir) {
            files::keep_private(dir);
        }
        let opened = open(dir)?;
        let id = opened.index.get("spool")?.unwrap_or_default();
        Ok(Self { dir: dir.into(), opened, id })
    }

    /// Makes the live segment durable: whoever acts on its records must not be ahead of the disk,
    /// and a writer that was killed may not have come to it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn settle(&self) -> Result<()> {
        let Some(live) = segments::here(&self.dir)?.pop() else { return Ok(()) };
        let path = segment::path(&self.dir, live);
        files::read(&path)?.sync_data().context(path.display())
    }

    /// Its id, 32 hex digits, given when it was made.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn index(&self) -> &Index {
        &self.opened.index
    }

    /// Where it ends.
    ///
    /// # Errors
    /// When the index cannot be read; so for all questions below.
    pub fn end(&self) -> Result<End> {
        self.opened.index.end()
    }

    /// Sees what was added since, also by another process.
    ///
    /// # Errors
    /// As [`Spool::open`].
    pub fn refresh(&mut self) -> Result<()> {
        let mended = self.opened.mended.take();
        self.opened = open(&self.dir)?;
        self.opened.mended = self.opened.mended.take().or(mended);
        Ok(())
    }

    /// How many messages are encrypted by the producer and not read.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn encrypted(&self) -> Result<u64> {
        Ok(self.opened.index.unread(&(0..Seq::MAX))?.map_or(0, |unread| unread.count))
    }

    /// One record's bytes.
    ///
    /// # Errors
    /// When it is not stored or its frame cannot be read.
    pub fn record(&self, seq: Seq) -> Result<Vec<u8>> {
        let row = self.opened.index.frame_of(seq)?.filter(|row| row.first + row.records > seq);
        let row = row.ok_or_else(|| {
            let gone = self.pruned().filter(|pruned| seq < pruned.begin);
            let gone = gone.map(|pruned| format!(", {pruned}")).unwrap_or_default();
            Error::failed(format!("{}: no record {seq}{gone}", self.dir.display()))
                .help(Means::SpoolLs + " shows which records there are")
        })?;
        let (_, frame) = SegmentReader::new(&self.dir)?.read(row.place, &row.range())?;
        Ok(frame.get((seq - frame.first()) as usize).bytes.to_vec())
    }

    /// Hands over the messages about statements in a stretch, in order, re-sends left out.
    ///
    /// # Errors
    /// As `visit` has it, and see [`Spool::end`].
    pub fn each_ddl(
        &self,
        range: &Range<Seq>,
        mut visit: impl FnMut(DdlRef, &Message) -> Result<()>,
    ) -> Result<()> {
        self.opened.index.each_ddl(range, |ddl, bytes| visit(ddl, &Message { seq: ddl.seq, bytes }))
    }

    /// How many messages about statements there are, re-sends left out.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn ddl_count(&self) -> Result<u64> {
        self.opened.index.ddl_count()
    }

    /// Every copy of a table by the producer.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn bootstraps(&self) -> Result<Vec<Bootstrap>> {
        self.opened.index.bootstraps()
    }

    /// Every hole noticed in the stream.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn gaps(&self) -> Result<Vec<Gap>> {
        self.opened.index.gaps()
    }

    /// The epochs, of which there is at least one.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn epochs(&self) -> Result<Vec<Epoch>> {
        self.opened.index.epochs()
    }

    /// Records of `range` that could not be read.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn damaged(&self, range: Range<Seq>) -> Result<Vec<Damaged>> {
        self.opened.index.damaged(&range)
    }

    /// How many records of `range` the producer sent again.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn resends(&self, range: Range<Seq>) -> Result<u64> {
        let mut count = 0;
        for segment in self.opened.index.summaries()?.iter().filter(|s| s.resends > 0) {
            let part = segment.range.start.max(range.start)..segment.range.end.min(range.end);
            count += match part == segment.range {
                true => segment.resends,
                false => self.resends_in(part)?,
            };
        }
        Ok(count)
    }

    fn resends_in(&self, range: Range<Seq>) -> Result<u64> {
        let (mut left, mut count) = (range.clone(), 0);
        while !left.is_empty() {
            let rows = self.opened.index.frames(&left, Direction::Forward, 512)?;
            let Some(last) = rows.last() else { break };
            // A frame may begin before: it was joined with others meanwhile.
            let from = std::mem::replace(&mut left.start, last.range().end);
            for row in rows.iter().filter(|row| row.resend.count() > 0) {
                let records = row.first.max(from)..row.range().end.min(range.end);
                let again = records.filter(|seq| row.resend.contains((seq - row.first) as usize));
                count += again.count() as u64;
            }
        }
        Ok(count)
    }

    /// How many messages there are, and their bytes.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn size(&self) -> Result<(u64, u64)> {
        let all = self.opened.index.summaries()?;
        let size = |s: &SegmentSums| (s.range.end - s.range.start, s.raw);
        Ok(all.iter().map(size).fold((0, 0), |sum, s| (sum.0 + s.0, sum.1 + s.1)))
    }

    /// The transactions with the most rows of each segment, with the records of the segment.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn biggest(&self) -> Result<Vec<Biggest>> {
        let mut all = Vec::new();
        // One view of the index: a writer adds to it meanwhile.
        let _view = self.opened.index.view()?;
        for segment in self.opened.index.summaries()? {
            let found = self.opened.index.biggest(segment.range.start)?;
            let floor = if found.len() < BIGGEST { 0 } else { found.last().map_or(0, |b| b.0) };
            all.push(Biggest { range: segment.range, transactions: found, floor });
        }
        Ok(all)
    }

    /// The message about a statement, from the index.
    ///
    /// # Errors
    /// When it is none, and see [`Spool::end`].
    pub fn ddl_message(&self, seq: Seq) -> Result<Message> {
        let found = self.opened.index.ddl_message(seq)?.map(|bytes| Message { seq, bytes });
        found.ok_or_else(|| Error::failed(format!("message {seq}: not known as a DDL statement")))
    }

    /// A statement: the producer's word for what it is, and its text.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn statement(&self, seq: Seq) -> Result<Option<(String, String)>> {
        self.opened.index.statement(seq)
    }

    /// First records of the frames that may hold events of a row; frames in which the key is
    /// not known, or is made of other columns, are among them.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn frames_of(&self, table: &TableName, key: &RowKey<'_>) -> Result<Vec<Seq>> {
        self.opened.index.frames_of(table, key)
    }

    /// The columns that keys of a table were made of, lower case; several lists when they changed.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn key_columns(&self, table: &TableName) -> Result<Vec<Vec<String>>> {
        self.opened.index.key_columns(table)
    }

    /// How many columns a table's row images have, each number with the messages from its first
    /// to its last; 0 stands for updates that name no former value.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn image_widths(&self, table: &TableName) -> Result<Vec<(u64, Range<Seq>)>> {
        self.opened.index.image_widths(table)
    }

    /// See [`Records::landmark`].
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn landmark(&self, seq: Seq) -> Result<Option<Landmark>> {
        match self.pruned().filter(|pruned| pruned.begin == seq) {
            Some(pruned) => Ok(pruned.last.clone()),
            None => self.records()?.landmark(seq),
        }
    }

    /// From which messages on the producer shows NULLs or leaves them out; before the first of
    /// them nothing tells.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn nulls(&self) -> Result<Vec<(Seq, Nulls)>> {
        self.opened.index.nulls("ORDER BY seq")
    }

    /// Reads single records.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn records(&self) -> Result<Records> {
        Records::open(&self.opened.home)
    }

    /// Unreadable stretches of the segments, and what is gone from their end. Those of one stretch
    /// are among its [troubles](Spool::troubles).
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn bad_frames(&self) -> Result<Vec<BadFrame>> {
        let mut all = self.opened.index.bad_frames()?;
        all.extend(self.opened.misfits.iter().cloned());
        all.extend(fit::tail(&self.opened.index)?);
        Ok(all)
    }

    /// Stretches that were taken out of the spool (see [`super::forget()`]).
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn forgotten(&self) -> Result<Vec<Range<Seq>>> {
        self.opened.index.forgotten()
    }

    /// The records of each imported file, under what the file is known by.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn imports(&self) -> Result<Vec<(String, Range<Seq>)>> {
        self.opened.index.imports()
    }

    /// Why the index had to be built anew, when it was found damaged.
    pub(super) fn mended(&self) -> Option<&str> {
        self.opened.mended.as_deref()
    }

    /// The tables named so far, by number.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn tables(&self) -> Result<Vec<TableName>> {
        self.opened.index.tables()
    }

    /// The segments.
    ///
    /// # Errors
    /// See [`Spool::end`].
    pub fn segments(&self) -> Result<Vec<SegmentInfo>> {
        self.opened.index.segments()
    }

    /// Snapshots of table definitions, by rising sequence.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn snapshots(&self) -> Result<Vec<(Seq, Vec<u8>)>> {
        super::snapshots(&self.dir)
    }
}
