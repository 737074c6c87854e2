#![doc = include_str!("../../../docs/format.md")]

use std::fmt;
use std::ops::Range;

pub use pieces::Piece;
pub use varint::{put_varint, take_varint};

pub use merged::Merged;

/// First four bytes of the skippable zstd frame that holds a header.
pub const SKIPPABLE: u32 = 0x184D_2A5B;
/// Our own magic: tells our headers from other skippable frames.
pub const MAGIC: [u8; 8] = *b"binsync\x1a";
/// Readers refuse a greater major version.
pub const MAJOR: u8 = 1;
/// A greater minor version adds only parts that a reader may skip.
pub const MINOR: u8 = 2;
/// A frame's content is no longer than this: the largest message a broker takes, and a batch.
pub const MAX_RAW: u64 = 513 << 20;
/// Sequences stay below this: the index keeps them as signed numbers.
pub const MAX_SEQ: u64 = i64::MAX as u64;

/// Offsets of the fixed fields, from the start of the skippable frame.
pub mod at {
    /// Length of the header after this field and the magic before it.
    pub const SIZE: usize = 4;
    /// [`super::MAGIC`].
    pub const MAGIC: usize = 8;
    /// Major version.
    pub const MAJOR: usize = 16;
    /// Minor version.
    pub const MINOR: usize = 17;
    /// CRC-32 of the header, this field taken as zero.
    pub const HEADER_CRC: usize = 20;
    /// The spool's id.
    pub const SPOOL: usize = 24;
    /// Sequence of the first record.
    pub const FIRST: usize = 40;
    /// Arrival, milliseconds since 1970.
    pub const ARRIVAL: usize = 48;
    /// Number of records.
    pub const RECORDS: usize = 56;
    /// Sealing generation; 0 while live.
    pub const GENERATION: usize = 60;
    /// Length of the zstd frame that follows.
    pub const COMPRESSED: usize = 64;
    /// Length of its content, line ends included.
    pub const RAW: usize = 72;
    /// CRC-32 of the zstd frame.
    pub const BODY_CRC: usize = 80;
    /// First tagged part.
    pub const PARTS: usize = 88;
}

/// Tags of the parts.
pub mod tag {
    /// Lengths of the records, a varint each.
    pub const LENGTHS: u64 = 1;
    /// Name of the queue.
    pub const QUEUE: u64 = 2;
    /// Redelivered flags, one bit a record, lowest bit first; absent: none.
    pub const REDELIVERED: u64 = 3;
    /// Import: end offset (varint), then the source's name.
    pub const SOURCE: u64 = 4;
    /// Reserved: the sorted key-hash run of a sealed segment.
    pub const KEY_RUN: u64 = 5;
    /// Flags of records that may be stored a second time, as those of [`REDELIVERED`].
    pub const MAYBE_TWICE: u64 = 6;
    /// The sequence behind the last record of the queue whose acknowledgement has arrived.
    pub const ACKED: u64 = 7;
    /// How many records were taken out here (varint).
    pub const FORGOTTEN: u64 = 8;
    /// How many records were lost here, as a repair found (varint).
    pub const LOST: u64 = 11;
    /// A sealed frame: what it keeps of each frame that was joined into it.
    pub const PIECES: u64 = 10;
    /// From which queues the records were merged.
    pub const MERGED: u64 = 9;
    /// The first record before the frame's that was not known to be durable when it was written.
    pub const UNSYNCED: u64 = 12;
}

/// A spool's id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpoolId(pub [u8; 16]);

impl fmt::Display for SpoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for SpoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A frame's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The spool it belongs to.
    pub spool: SpoolId,
    /// Sequence of the first record.
    pub first: u64,
    /// Arrival, milliseconds since 1970.
    pub arrival_ms: i64,
    /// Sealing generation.
    pub generation: u32,
    /// Length of the zstd frame.
    pub compressed: u64,
    /// Length of its content.
    pub raw: u64,
    /// CRC-32 of the zstd frame.
    pub body_crc: u32,
    /// Lengths of the records, line ends not counted.
    pub lengths: Vec<u64>,
    /// The queue they came from.
    pub queue: Option<String>,
    /// Redelivered flags; empty when none is set.
    pub redelivered: Vec<bool>,
    /// The file they came from and the offset behind the last of them.
    pub source: Option<(String, u64)>,
    /// Which of them may be stored before them already; empty when none.
    pub maybe_twice: Vec<bool>,
    /// Every record of the queue before this sequence was acknowledged, as the broker has
    /// confirmed, when the frame was written.
    pub acked: Option<u64>,
    /// The first record of those before it that were not known to be durable when it was written:
    /// from there on a power loss may have left holes. `None`: all of them were.
    pub unsynced: Option<u64>,
    /// Records that were taken out of the spool here; the frame has none then.
    pub forgotten: u64,
    /// Those were lost, as a repair found, and not taken out.
    pub lost: bool,
    /// The frames that were joined into this one; empty when it was written as it is.
    pub pieces: Vec<Piece>,
    /// From which queues the records were merged.
    pub merged: Option<Merged>,
}

/// Why bytes are no header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// The bytes end before the header does.
    Short,
    /// A whole header of a version this reader does not know.
    Newer {
        /// Its major version.
        major: u8,
        /// Its minor version.
        minor: u8,
    },
    /// Anything else.
    Wrong(&'static str),
}

impl fmt::Display for BadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the frame's header is cut short"),
            Self::Newer { major, minor } => write!(f, "format {major}.{minor}"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl Header {
    /// The header's bytes, the skippable frame's own eight included.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0u8; at::PARTS];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &SKIPPABLE.to_le_bytes());
        put(at::MAGIC, &MAGIC);
        put(at::MAJOR, &[MAJOR, MINOR]);
        put(at::SPOOL, &self.spool.0);
        put(at::FIRST, &self.first.to_le_bytes());
        put(at::ARRIVAL, &self.arrival_ms.to_le_bytes());
        put(at::RECORDS, &(self.lengths.len() as u32).to_le_bytes());
        put(at::GENERATION, &self.generation.to_le_bytes());
        put(at::COMPRESSED, &self.compressed.to_le_bytes());
        put(at::RAW, &self.raw.to_le_bytes());
        put(at::BODY_CRC, &self.body_crc.to_le_bytes());
        self.encode_parts(&mut out);
        let size = (out.len() - at::MAGIC) as u32;
        out[at::SIZE..at::MAGIC].copy_from_slice(&size.to_le_bytes());
        let crc = header_crc(&out);
        out[at::HEADER_CRC..at::SPOOL].copy_from_slice(&crc.to_le_bytes());
        out
    }

    fn encode_parts(&self, out: &mut Vec<u8>) {
        let mut part = Vec::with_capacity(self.lengths.len() * 2);
        for &len in &self.lengths {
            put_varint(&mut part, len);
        }
        put_part(out, tag::LENGTHS, &part);
        if let Some(queue) = &self.queue {
            put_part(out, tag::QUEUE, queue.as_bytes());
        }
        put_flags(out, tag::REDELIVERED, &self.redelivered);
        if let Some((name, end)) = &self.source {
            part.clear();
            put_varint(&mut part, *end);
            part.extend_from_slice(name.as_bytes());
            put_part(out, tag::SOURCE, &part);
        }
        put_flags(out, tag::MAYBE_TWICE, &self.maybe_twice);
        if let Some(acked) = self.acked {
            part.clear();
            put_varint(&mut part, acked);
            put_part(out, tag::ACKED, &part);
        }
        if let Some(unsynced) = self.unsynced {
            part.clear();
            put_varint(&mut part, unsynced);
            put_part(out, tag::UNSYNCED, &part);
        }
        if self.forgotten > 0 {
            part.clear();
            put_varint(&mut part, self.forgotten);
            put_part(out, if self.lost { tag::LOST } else { tag::FORGOTTEN }, &part);
        }
        if !self.pieces.is_empty() {
            put_part(out, tag::PIECES, &pieces::pack(&self.pieces));
        }
        if let Some(merged) = &self.merged {
            put_part(out, tag::MERGED, &merged.pack());
        }
    }

    /// Reads a header from bytes that begin with it.
    ///
    /// # Errors
    /// [`BadHeader`]: too few bytes, another version, or no header of ours.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let len = header_len(bytes)?;
        let header = bytes.get(..len).ok_or(BadHeader::Short)?;
        if u32_at(header, at::HEADER_CRC) != header_crc(header) {
            return Err(BadHeader::Wrong("the header's checksum is wrong"));
        }
        if header[at::MAJOR] > MAJOR {
            return Err(BadHeader::Newer { major: header[at::MAJOR], minor: header[at::MINOR] });
        }
        let mut id = [0; 16];
        id.copy_from_slice(&header[at::SPOOL..at::FIRST]);
        let mut decoded = Self {
            spool: SpoolId(id),
            first: u64_at(header, at::FIRST),
            arrival_ms: u64_at(header, at::ARRIVAL) as i64,
            generation: u32_at(header, at::GENERATION),
            compressed: u64_at(header, at::COMPRESSED),
            raw: u64_at(header, at::RAW),
            body_crc: u32_at(header, at::BODY_CRC),
            lengths: Vec::new(),
            queue: None,
            redelivered: Vec::new(),
            source: None,
            maybe_twice: Vec::new(),
            acked: None,
            unsynced: None,
            forgotten: 0,
            lost: false,
            pieces: Vec::new(),
            merged: None,
        };
        let records = u32_at(header, at::RECORDS) as usize;
        if decoded.raw > MAX_RAW {
            return Err(BadHeader::Wrong("the content is longer than a frame's may be"));
        }
        decoded
            .decode_parts(&header[at::PARTS..], records)
            .ok_or(BadHeader::Wrong("a part of the header is malformed"))?;
        let all = decoded.first.checked_add(records as u64);
        if all.and_then(|end| end.checked_add(decoded.forgotten)).is_none_or(|end| end > MAX_SEQ) {
            return Err(BadHeader::Wrong("there are no such sequences"));
        }
        let content =
            decoded.lengths.iter().try_fold(0u64, |sum, &l| sum.checked_add(l)?.checked_add(1));
        match decoded.lengths.len() == records && content == Some(decoded.raw) {
            true => Ok(decoded),
            false => Err(BadHeader::Wrong("the record lengths do not add up")),
        }
    }

    fn decode_parts(&mut self, mut rest: &[u8], records: usize) -> Option<()> {
        while !rest.is_empty() {
            let tag = take_varint(&mut rest)?;
            let len = usize::try_from(take_varint(&mut rest)?).ok()?;
            let mut part = rest.get(..len)?;
            rest = &rest[len..];
            match tag {
                tag::LENGTHS => {
                    self.lengths.reserve_exact(records.min(part.len()));
                    while !part.is_empty() {
                        self.lengths.push(take_varint(&mut part)?);
                    }
                }
                tag::QUEUE => self.queue = Some(String::from_utf8(part.to_vec()).ok()?),
                tag::REDELIVERED => self.redelivered = take_flags(part, records),
                tag::MAYBE_TWICE => self.maybe_twice = take_flags(part, records),
                tag::ACKED => self.acked = Some(take_varint(&mut part)?),
                tag::UNSYNCED => self.unsynced = Some(take_varint(&mut part)?),
                tag::SOURCE => {
                    let end = take_varint(&mut part)?;
                    self.source = Some((String::from_utf8(part.to_vec()).ok()?, end));
                }
                tag::FORGOTTEN | tag::LOST if records == 0 => {
                    self.forgotten = take_varint(&mut part)?;
                    self.lost = tag == tag::LOST;
                }
                tag::PIECES => self.pieces = pieces::unpack(part, records as u64)?,
                tag::MERGED => self.merged = Some(Merged::unpack(part, records as u64)?),
                _ => {}
            }
        }
        Some(())
    }

    /// Sequence behind the last record, or the last that was taken out.
    pub fn end(&self) -> u64 {
        self.first + self.lengths.len() as u64 + self.forgotten
    }

    /// The frames that this one was made of, each with its sequences; one that was written as it is
    /// is made of itself.
    pub fn joined(&self) -> impl Iterator<Item = (Range<u64>, Piece)> + use<'_> {
        let itself = Piece {
            records: self.lengths.len() as u64,
            arrival_ms: self.arrival_ms,
            source_end: self.source.as_ref().map(|(_, end)| *end),
            acked: self.acked,
        };
        let itself = self.pieces.is_empty().then_some(itself);
        let mut next = self.first;
        self.pieces.iter().copied().chain(itself).map(move |piece| {
            let first = next;
            next += piece.records;
            (first..next, piece)
        })
    }
}

/// Length of the header that `bytes` begin with.
///
/// # Errors
/// [`BadHeader`] when no header of ours begins there.
pub fn header_len(bytes: &[u8]) -> Result<usize, BadHeader> {
    if bytes.len() < at::SPOOL {
        return Err(BadHeader::Short);
    }
    if u32_at(bytes, 0) != SKIPPABLE || bytes[at::MAGIC..at::MAJOR] != MAGIC {
        return Err(BadHeader::Wrong("no frame header here"));
    }
    match at::MAGIC + u32_at(bytes, at::SIZE) as usize {
        len if len < at::PARTS => Err(BadHeader::Wrong("the header's length is wrong")),
        len => Ok(len),
    }
}

/// CRC-32 (IEEE 802.3, the polynomial of gzip) of bytes.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

fn header_crc(header: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..at::HEADER_CRC]);
    crc.update(&[0; 4]);
    crc.update(&header[at::SPOOL..]);
    crc.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut le = [0; 4];
    le.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(le)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut le = [0; 8];
    le.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(le)
}

fn put_part(out: &mut Vec<u8>, tag: u64, part: &[u8]) {
    put_varint(out, tag);
    put_varint(out, part.len() as u64);
    out.extend_from_slice(part);
}

/// One bit a record, lowest bit first; nothing when none is set.
fn put_flags(out: &mut Vec<u8>, tag: u64, flags: &[bool]) {
    if flags.contains(&true) {
        let mut bits = vec![0u8; flags.len().div_ceil(8)];
        for (i, _) in flags.iter().enumerate().filter(|(_, set)| **set) {
            bits[i / 8] |= 1 << (i % 8);
        }
        put_part(out, tag, &bits);
    }
}

fn take_flags(part: &[u8], records: usize) -> Vec<bool> {
    let bit = |i: usize| part.get(i / 8).is_some_and(|b| b >> (i % 8) & 1 == 1);
    (0..records.min(part.len() * 8)).map(bit).collect()
}

/// Makes the header that `bytes` begin with one of the next major version.
#[cfg(test)]
pub(crate) fn make_newer(bytes: &mut [u8]) {
    let len = header_len(bytes).unwrap_or_default();
    (bytes[at::MAJOR], bytes[at::MINOR]) = (MAJOR + 1, 0);
    let crc = header_crc(&bytes[..len]);
    bytes[at::HEADER_CRC..at::SPOOL].copy_from_slice(&crc.to_le_bytes());
}

mod merged;
mod pieces;
#[cfg(test)]
mod tests;
mod varint;
