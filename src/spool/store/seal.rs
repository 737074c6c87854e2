//! Sealing: a segment that is not appended to is written anew, its small frames joined into large
//! ones. What each of them told is kept (see [`super::format::Piece`]).

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::files;
use super::format::{self, Header, Merged, at};
use super::frame::Frame;
use super::place::Place;
use super::scan::{Found, Scan};
use super::segment::{self, Decoder, Encoder, sync_dir};
use crate::error::{Context, Result};
use crate::spool::types::Seq;

/// Where a sealed frame ends: its records reach this many bytes.
pub(crate) const FRAME_BYTES: u64 = 1 << 20;
/// Frames of fewer bytes of records are joined. Rows that are changed again and again take 1.3 times
/// the bytes in frames of 100 KiB, 1.2 in those of 256 KiB; rows that come once 1.02 in both.
const SMALL: u64 = 256 << 10;
/// Frames of fewer bytes take at least 1.2 times the bytes, whatever the rows.
const TINY: u64 = 8 << 10;
/// With fewer bytes in small frames there is nothing to gain.
const LEAST: u64 = 64 << 10;

/// A segment stays as it is when less than this part of it is saved.
const LEAST_SAVED: u64 = 32;

/// What is to be gained by sealing a segment: the bytes of frames that would be joined to the one
/// before.
#[derive(Debug, Default)]
pub(crate) struct Gain {
    bytes: u64,
    /// Queue and source of the last frame, if it may be joined.
    last: Option<(Option<String>, Option<String>)>,
}

impl Gain {
    /// Takes the next frame of the segment, of so many bytes.
    pub(crate) fn add(&mut self, header: &Header, len: u64) {
        let source = header.source.as_ref().map(|(name, _)| name);
        let same =
            |(queue, name): &(_, Option<String>)| *queue == header.queue && name.as_ref() == source;
        if !is_joinable(header) {
            self.last = None;
        } else if self.last.as_ref().is_none_or(|last| !same(last)) {
            self.last = Some((header.queue.clone(), source.cloned()));
        } else if header.pieces.is_empty() {
            self.bytes += len;
        }
    }

    /// True when a segment of `len` bytes is worth being written anew: for an eighth of it, so that
    /// one that is sealed again and again is not copied for ever.
    pub(crate) fn is_due(&self, len: u64) -> bool {
        self.bytes >= LEAST.max(len / 8)
    }
}

/// True when the frames of a segment are so small that sealing it gains something.
pub(crate) fn are_tiny(frames: u64, raw: u64, len: u64) -> bool {
    raw < frames.saturating_mul(TINY) && len >= LEAST
}

/// Writes a segment anew beside the old one, durably, for [`put_in_place`]. False: nothing is
/// gained by it, or something in the segment is not as it was written, and stays where it is.
///
/// # Errors
/// When a file cannot be read or written; the segment is as it was.
pub(crate) fn seal(dir: &Path, segment: Seq, level: i32, frame_bytes: u64) -> Result<bool> {
    let written = write(dir, segment, level, frame_bytes);
    if !matches!(written, Ok(true)) {
        discard(dir, segment);
    }
    written
}

/// Removes what [`seal`] wrote.
pub(crate) fn discard(dir: &Path, segment: Seq) {
    // A file of this name means nothing to anybody.
    let _ = fs::remove_file(temp(dir, segment));
}

/// Puts what [`seal`] wrote into the segment's place.
///
/// # Errors
/// When it cannot be renamed, or the folder not be synced.
pub(crate) fn put_in_place(dir: &Path, segment: Seq) -> Result<()> {
    let path = segment::path(dir, segment);
    fs::rename(temp(dir, segment), &path).context(path.display())?;
    sync_dir(dir)
}

fn temp(dir: &Path, segment: Seq) -> PathBuf {
    dir.join(format!("{}.new", segment::name(segment)))
}

fn write(dir: &Path, segment: Seq, level: i32, frame_bytes: u64) -> Result<bool> {
    let path = segment::path(dir, segment);
    let old = files::read(&path)?;
    let generation = segment::generation(&old).context(path.display())? + 1;
    let temp = temp(dir, segment);
    let out = files::make(&temp)?;
    let decoder = Decoder::new()?;
    let mut sealed = Sealed {
        level,
        frame_bytes,
        generation,
        decoder,
        out,
        temp,
        len: 0,
        group: Vec::new(),
        raw: 0,
    };
    let (mut scan, mut next, mut len) = (Scan::open(dir, segment, 0)?, segment, 0);
    while let Some(found) = scan.next()? {
        let Found::Frame { place, header, body } = found else { return Ok(false) };
        // What is known of a loss names its place.
        if header.lost || header.first != next || is_of_newer_minor(&old, place)? {
            return Ok(false);
        }
        (next, len) = (header.end(), place.offset + place.len);
        sealed.take(*header, body, place)?;
    }
    sealed.end_group()?;
    if sealed.len > len - len / LEAST_SAVED {
        return Ok(false);
    }
    sealed.out.sync_all().context(sealed.temp.display())?;
    Ok(true)
}

/// True when a frame may have parts that this version does not know, and would leave out.
fn is_of_newer_minor(file: &File, place: Place) -> Result<bool> {
    let mut minor = [0];
    file.read_exact_at(&mut minor, place.offset + at::MINOR as u64).context(place)?;
    Ok(minor[0] > format::MINOR)
}

/// The new file as far as it is written.
struct Sealed {
    level: i32,
    frame_bytes: u64,
    generation: u32,
    decoder: Decoder,
    out: File,
    temp: PathBuf,
    len: u64,
    /// Frames to be joined, with their bodies as they stand, and the bytes of their records.
    group: Vec<(Header, Vec<u8>, Frame)>,
    raw: u64,
}

impl Sealed {
    fn take(&mut self, header: Header, body: Vec<u8>, place: Place) -> Result<()> {
        if !is_joinable(&header) {
            self.end_group()?;
            return self.put_as_it_is(header, &body);
        }
        if self.group.last().is_some_and(|(last, ..)| !is_of_one_kind(last, &header)) {
            self.end_group()?;
        }
        let frame = self.decoder.decode(&header, &body, place)?;
        self.raw += header.raw;
        self.group.push((header, body, frame));
        match self.raw < self.frame_bytes {
            true => Ok(()),
            false => self.end_group(),
        }
    }

    fn end_group(&mut self) -> Result<()> {
        self.raw = 0;
        let mut group = std::mem::take(&mut self.group);
        if group.len() > 1 {
            return self.put_joined(&group);
        }
        match group.pop() {
            Some((header, body, _)) => self.put_as_it_is(header, &body),
            None => Ok(()),
        }
    }

    fn put_as_it_is(&mut self, header: Header, body: &[u8]) -> Result<()> {
        let header = Header { generation: self.generation, unsynced: None, ..header };
        self.put(&header.encode())?;
        self.put(body)
    }

    fn put_joined(&mut self, group: &[(Header, Vec<u8>, Frame)]) -> Result<()> {
        let headers = || group.iter().map(|(header, ..)| header);
        let (Some(first), Some(last)) = (headers().next(), headers().next_back()) else {
            return Ok(());
        };
        let flags = |of: fn(&Header) -> &[bool]| {
            let each = headers().flat_map(|h| (0..h.lengths.len()).map(move |i| of(h).get(i)));
            each.map(|flag| flag == Some(&true)).collect()
        };
        let header = Header {
            spool: first.spool,
            first: first.first,
            arrival_ms: first.arrival_ms,
            generation: self.generation,
            compressed: 0,
            raw: 0,
            body_crc: 0,
            lengths: headers().flat_map(|h| &h.lengths).copied().collect(),
            queue: first.queue.clone(),
            redelivered: flags(|h| &h.redelivered),
            source: last.source.clone(),
            maybe_twice: flags(|h| &h.maybe_twice),
            acked: headers().filter_map(|h| h.acked).max(),
            unsynced: None,
            forgotten: 0,
            lost: false,
            pieces: headers().flat_map(Header::joined).map(|(_, piece)| piece).collect(),
            merged: last.merged.as_ref().map(|last| Merged {
                places: last.places.clone(),
                runs: headers()
                    .filter_map(|h| h.merged.as_ref())
                    .flat_map(|m| &m.runs)
                    .copied()
                    .collect(),
            }),
        };
        let mut content = Vec::with_capacity(self.frame_bytes as usize);
        group.iter().for_each(|(.., frame)| content.extend_from_slice(frame.content()));
        let (_, bytes) = Encoder::new(self.level, first.spool)?.close(header, &content)?;
        self.put(&bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        self.out.write_all(bytes).context(self.temp.display())
    }
}

/// What came from neither a queue nor a file has no name: `spool forget` takes it out by its frames.
fn is_joinable(header: &Header) -> bool {
    header.raw < SMALL
        && header.forgotten == 0
        && (header.queue.is_some() || header.source.is_some() || header.merged.is_some())
}

/// True when two frames come from one queue or one file, or are both merged: queues keep their
/// numbers.
fn is_of_one_kind(a: &Header, b: &Header) -> bool {
    let name = |h: &Header| h.source.as_ref().map(|(name, _)| name.clone());
    a.spool == b.spool
        && a.queue == b.queue
        && name(a) == name(b)
        && a.merged.is_some() == b.merged.is_some()
}
