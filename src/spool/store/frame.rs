//! Records on their way in ([`Batch`]) and out ([`Frame`]).
//!
//! A frame's content is the records, each followed by one line end that belongs to none.

use std::ops::Range;

use memchr::memmem;

use super::format::{MAX_RAW, Merged};
use super::place::Place;
use super::ranges::Ranges;
use crate::error::{Error, Result};
use crate::event::cipher::Key;
use crate::event::{Direction, Event, maxwell};
use crate::spool::types::Seq;

/// Records to be stored as one frame.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The records' bytes, one after the other, nothing between them.
    pub records: Vec<u8>,
    /// Where each record ends in `records`.
    pub ends: Vec<u32>,
    /// The broker's redelivered flag of each record; empty: none is set.
    pub redelivered: Vec<bool>,
    /// Arrival, milliseconds since 1970.
    pub arrival_ms: i64,
    /// The queue they came from.
    pub queue: Option<String>,
    /// The file they came from, and the offset in it behind the last of them.
    pub source: Option<(String, u64)>,
    /// Which of them may be stored already; empty: none.
    pub maybe_twice: Vec<bool>,
    /// Every stored record of the queue before this sequence has been acknowledged, as the broker
    /// has confirmed.
    pub acked: Option<Seq>,
    /// From which queues they were merged.
    pub merged: Option<Merged>,
}

impl Batch {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without records.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.records.extend_from_slice(record);
        self.ends.push(self.records.len() as u32);
    }

    /// The content of the frame and where each record ends in it.
    pub(crate) fn content(&self) -> Result<(Vec<u8>, Vec<u64>)> {
        let raw = self.records.len() + self.ends.len();
        if raw as u64 > MAX_RAW {
            return Err(Error::failed(format!(
                "a frame may not hold more than {} MiB, these messages have {raw} bytes",
                MAX_RAW >> 20
            )));
        }
        let mut content = Vec::with_capacity(self.records.len() + self.ends.len());
        let mut ends = Vec::with_capacity(self.ends.len());
        let mut start = 0;
        for &end in &self.ends {
            let record = self
                .records
                .get(start..end as usize)
                .ok_or_else(|| Error::failed("a batch whose record ends do not rise"))?;
            content.extend_from_slice(record);
            ends.push(content.len() as u64);
            content.push(b'\n');
            start = end as usize;
        }
        Ok((content, ends))
    }
}

/// Records read back, decompressed.
#[derive(Clone, Debug)]
pub struct Frame {
    pub(crate) first: Seq,
    pub(crate) content: Vec<u8>,
    pub(crate) ends: Vec<u64>,
    pub(crate) place: Place,
    pub(crate) resend: Ranges,
    pub(crate) damaged: Ranges,
    pub(crate) plain: Option<Plain>,
}

/// The records of a frame of which some came encrypted, as they are read.
#[derive(Clone, Debug)]
pub(crate) struct Plain {
    content: Vec<u8>,
    ends: Vec<u64>,
    opened: Vec<bool>,
}

/// A stored message by itself.
#[derive(Clone, Debug)]
pub struct Message {
    pub(crate) seq: Seq,
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    /// What it says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn event(&self) -> Result<Event<'_>> {
        let event = maxwell::parse_stored(&self.bytes);
        event.map_err(|damage| Error::failed(format!("message {}: {damage}", self.seq)))
    }
}

/// One message of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its sequence.
    pub seq: Seq,
    /// Its bytes as they came.
    pub bytes: &'a [u8],
    /// What is read of it: the same, unless it came encrypted and the key is here.
    pub text: &'a [u8],
    /// It came encrypted and was decrypted.
    pub opened: bool,
    /// The producer sent it a second time: no replay writes it again.
    pub resend: bool,
    /// It could not be read; see [`crate::spool::Spool::damaged`].
    pub damaged: bool,
}

impl Frame {
    /// Sequence of the first record.
    pub fn first(&self) -> Seq {
        self.first
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without records.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Sequences of its records.
    pub fn range(&self) -> Range<Seq> {
        self.first..self.first + self.ends.len() as u64
    }

    /// The record at place `i`.
    ///
    /// # Panics
    /// When `i` is not below [`Frame::len`], as a slice does.
    pub fn get(&self, i: usize) -> Record<'_> {
        let part = |ends: &[u64]| {
            let start = if i == 0 { 0 } else { ends[i - 1] as usize + 1 };
            start..ends[i] as usize
        };
        let bytes = &self.content[part(&self.ends)];
        let plain = self.plain.as_ref();
        Record {
            seq: self.first + i as u64,
            bytes,
            text: plain.map_or(bytes, |plain| &plain.content[part(&plain.ends)]),
            opened: plain.is_some_and(|plain| plain.opened[i]),
            resend: self.resend.contains(i),
            damaged: self.damaged.contains(i),
        }
    }

    /// All records.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = Record<'_>> + ExactSizeIterator {
        (0..self.len()).map(|i| self.get(i))
    }

    /// The records of a range that count: neither re-sends nor damaged, in the order of their
    /// processing.
    pub fn counted<'f>(
        &'f self,
        range: &Range<Seq>,
        direction: Direction,
    ) -> impl Iterator<Item = Record<'f>> + use<'f> {
        let within = |seq: Seq| (seq.clamp(self.first, self.range().end) - self.first) as usize;
        let (from, to) = (within(range.start), within(range.end));
        (from..to)
            .map(move |n| if direction.is_reverse() { from + to - 1 - n } else { n })
            .map(|n| self.get(n))
            .filter(|record| !record.resend && !record.damaged)
    }

    /// The events of these records.
    pub fn events<'f>(
        &'f self,
        range: &Range<Seq>,
        direction: Direction,
    ) -> impl Iterator<Item = Result<(Seq, Event<'f>)>> + use<'f> {
        self.counted(range, direction).map(|record| Ok((record.seq, self.event(&record)?)))
    }

    /// The event of a record that counts.
    ///
    /// # Errors
    /// When it cannot be read, which is noted where it is stored; the error names its place.
    pub fn event<'f>(&self, record: &Record<'f>) -> Result<Event<'f>> {
        maxwell::parse_stored(record.text).map_err(|damage| {
            Error::failed(format!("{} message {}: {damage}", self.place, record.seq))
        })
    }

    /// Leaves out the records that are not in a range; to be followed by [`Frame::decrypt`].
    pub(crate) fn cut(&mut self, range: &Range<Seq>) {
        let within = |seq: Seq| (seq.clamp(self.first, self.range().end) - self.first) as usize;
        let (from, to) = (within(range.start), within(range.end));
        if (from, to) == (0, self.len()) {
            return;
        }
        self.plain = None;
        let behind = |n: usize| if n == 0 { 0 } else { self.ends[n - 1] + 1 };
        let (start, end) = (behind(from), behind(to));
        self.content.truncate(end as usize);
        self.content.drain(..start as usize);
        self.ends.truncate(to);
        self.ends.drain(..from);
        self.ends.iter_mut().for_each(|end| *end -= start);
        (self.resend, self.damaged) = (self.resend.part(from, to), self.damaged.part(from, to));
        self.first += from as u64;
    }

    /// Decrypts what came encrypted. What the key makes no message of stays as it came, and is none.
    pub(crate) fn decrypt(&mut self, key: Option<&Key>) {
        let Some(key) = key else { return };
        if self.plain.is_some() || memmem::find(&self.content, b"\"encrypted\"").is_none() {
            return;
        }
        let size = self.content.len();
        let mut plain = Plain {
            content: Vec::with_capacity(size),
            ends: Vec::with_capacity(self.len()),
            opened: Vec::with_capacity(self.len()),
        };
        for record in self.records() {
            let opened = key.open(record.bytes);
            plain.content.extend_from_slice(opened.as_deref().unwrap_or(record.bytes));
            plain.ends.push(plain.content.len() as u64);
            plain.content.push(b'\n');
            plain.opened.push(opened.is_some());
        }
        self.plain = plain.opened.contains(&true).then_some(plain);
    }

    /// True when some of its records came encrypted and were decrypted.
    pub(crate) fn is_opened(&self) -> bool {
        self.plain.is_some()
    }

    /// What is read of all records, each followed by a line end.
    pub fn content(&self) -> &[u8] {
        self.plain.as_ref().map_or(&self.content, |plain| &plain.content)
    }

    /// The record that holds a byte of the content, and where the next one begins.
    ///
    /// # Panics
    /// When the byte lies behind the content.
    pub fn at(&self, byte: usize) -> (usize, usize) {
        let ends = self.plain.as_ref().map_or(&self.ends, |plain| &plain.ends);
        let n = ends.partition_point(|end| *end < byte as u64);
        (n, ends[n] as usize + 1)
    }

    /// Bytes of the records, and of what is read of them where that is another.
    pub fn raw_len(&self) -> usize {
        self.content.len() + self.plain.as_ref().map_or(0, |plain| plain.content.len())
    }
}
