//! Walks a segment file without an index: frames, unreadable stretches, the torn end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::format::{self, BadHeader, Header, MAGIC, at};
use super::place::Place;
use super::segment::{self, MAX_HEADER, bad_header};
use super::segments;
use crate::error::{Context, Result};
use crate::spool::types::Seq;

/// What lies at one place of a segment.
pub(crate) enum Found {
    /// A whole frame.
    Frame {
        /// Where.
        place: Place,
        /// Its header.
        header: Box<Header>,
        /// Its body, checksum right.
        body: Vec<u8>,
    },
    /// Bytes that are no frame; another follows.
    Bad(Unread),
    /// Bytes at the end that are no whole frame.
    Torn(Unread),
}

/// A stretch that is no whole frame.
pub(crate) struct Unread {
    /// Where it begins.
    pub(crate) offset: u64,
    /// Its length.
    pub(crate) bytes: u64,
    /// What is wrong.
    pub(crate) reason: String,
}

/// A walk through one segment.
pub(crate) struct Scan {
    file: File,
    segment: Seq,
    offset: u64,
    end: u64,
}

enum Look {
    Frame(Box<Header>, u64, Vec<u8>),
    /// The header is right, the body is not; both together have this length.
    BadBody(u64),
    NoHeader(String),
}

impl Scan {
    /// Begins at an offset where a frame begins.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(dir: &Path, segment: Seq, offset: u64) -> Result<Self> {
        Self::of(segments::open(dir, segment)?, segment, offset)
    }

    /// The same of a segment that is open.
    ///
    /// # Errors
    /// When its length cannot be told.
    pub(crate) fn of(file: File, segment: Seq, offset: u64) -> Result<Self> {
        let end = file.metadata().context(segment::name(segment))?.len();
        Ok(Self { file, segment, offset, end })
    }

    /// How often the segment was sealed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn generation(&self) -> Result<u32> {
        let place = Place { segment: self.segment, offset: 0, len: 0 };
        segment::generation(&self.file).context(place)
    }

    /// What comes next; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or a frame is of a newer version.
    pub(crate) fn next(&mut self) -> Result<Option<Found>> {
        if self.offset >= self.end {
            return Ok(None);
        }
        let offset = self.offset;
        let (bytes, reason) = match self.look(offset)? {
            Look::Frame(header, len, body) => {
                self.offset += len;
                let place = Place { segment: self.segment, offset, len };
                return Ok(Some(Found::Frame { place, header, body }));
            }
            // The header's checksum is right, so its lengths are.
            Look::BadBody(len) => (len, "the body's checksum is wrong".to_owned()),
            Look::NoHeader(reason) => (self.find_header(offset + 1)? - offset, reason),
        };
        let bytes = bytes.min(self.end - offset);
        self.offset += bytes;
        let unread = Unread { offset, bytes, reason };
        Ok(Some(match self.offset < self.end {
            true => Found::Bad(unread),
            false => Found::Torn(unread),
        }))
    }

    fn look(&self, offset: u64) -> Result<Look> {
        let header = match self.header_at(offset)? {
            Ok(header) => header,
            Err(newer @ BadHeader::Newer { .. }) => {
                let place = Place { segment: self.segment, offset, len: 0 };
                return Err(bad_header(newer, place));
            }
            Err(bad) => return Ok(Look::NoHeader(bad.to_string())),
        };
        let (header, header_len) = header;
        let len = header_len.saturating_add(header.compressed);
        if len > self.end - offset {
            return Ok(Look::BadBody(len));
        }
        let mut body = vec![0; header.compressed as usize];
        self.read(&mut body, offset + header_len)?;
        Ok(match format::crc32(&body) == header.body_crc {
            true => Look::Frame(Box::new(header), len, body),
            false => Look::BadBody(len),
        })
    }

    /// The header at an offset and its length.
    fn header_at(&self, offset: u64) -> Result<Result<(Header, u64), BadHeader>> {
        let rest = self.end - offset;
        if rest < at::PARTS as u64 {
            return Ok(Err(BadHeader::Short));
        }
        let mut fixed = [0; at::PARTS];
        self.read(&mut fixed, offset)?;
        let len = match format::header_len(&fixed) {
            Ok(len) if len > MAX_HEADER || len as u64 > rest => return Ok(Err(BadHeader::Short)),
            Ok(len) => len,
            Err(bad) => return Ok(Err(bad)),
        };
        let mut bytes = vec![0; len];
        self.read(&mut bytes, offset)?;
        Ok(Header::decode(&bytes).map(|header| (header, len as u64)))
    }

    /// Where the next header with a right checksum begins, from an offset on; the end of the file
    /// when there is none.
    fn find_header(&self, from: u64) -> Result<u64> {
        const WINDOW: usize = 1 << 20;
        let mut bytes = vec![0; WINDOW];
        let mut at_byte = from;
        while at_byte < self.end {
            let n = WINDOW.min((self.end - at_byte) as usize);
            self.read(&mut bytes[..n], at_byte)?;
            for hit in memchr::memmem::find_iter(&bytes[..n], &MAGIC) {
                let Some(start) = (at_byte + hit as u64).checked_sub(at::MAGIC as u64) else {
                    continue;
                };
                let right = match start >= from {
                    true => self.header_at(start)?,
                    false => continue,
                };
                if matches!(right, Ok(_) | Err(BadHeader::Newer { .. })) {
                    return Ok(start);
                }
            }
            if n < WINDOW {
                break;
            }
            // The magic may lie across the border of two windows.
            at_byte += (n - MAGIC.len() + 1) as u64;
        }
        Ok(self.end)
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let place = Place { segment: self.segment, offset, len: 0 };
        self.file.read_exact_at(bytes, offset).context(place)
    }
}
