//! Segment files: their names, and frames to bytes and back.
//!
//! The only file of the spool that names zstd. Knows nothing of what the records say.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe;

use super::format::{self, BadHeader, Header, SpoolId};
use super::frame::{Batch, Frame};
use super::place::Place;
pub(crate) use super::place::name;
use super::ranges::Ranges;
use crate::error::{Context, Error, Means, Result};
use crate::spool::types::Seq;

/// What the index has compressed.
const PACKED: &str = "index: compressed transactions";
/// The transactions of a frame are packed to less than this: a frame has at most so many records
/// as a header has bytes.
const MAX_PACKED: u64 = 1 << 30;
/// Headers longer than this are not written and not believed.
pub(crate) const MAX_HEADER: usize = 16 << 20;

/// Path of that segment.
pub(crate) fn path(dir: &Path, first: Seq) -> PathBuf {
    dir.join(name(first))
}

/// How often a segment was sealed, as its first header says, whose checksum is not looked at; 0
/// when none is there.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn generation(file: &File) -> std::io::Result<u32> {
    let mut bytes = [0; format::at::PARTS];
    match file.read_exact_at(&mut bytes, 0) {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
        read => read?,
    }
    let mut le = [0; 4];
    le.copy_from_slice(&bytes[format::at::GENERATION..][..4]);
    Ok(format::header_len(&bytes).map_or(0, |_| u32::from_le_bytes(le)))
}

/// Removes a segment, and a copy of it that is being made; one that is not there is none. The
/// folder is still to be synced.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn remove(dir: &Path, first: Seq) -> Result<()> {
    for path in [dir.join(format!("{}.new", name(first))), path(dir, first)] {
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e).context(path.display()),
            _ => {}
        }
    }
    Ok(())
}

/// Makes the names in a directory durable.
///
/// # Errors
/// When the directory cannot be synced.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|d| d.sync_all()).context(format_args!("sync {}", dir.display()))
}

/// A frame ready to be written.
pub(crate) struct Encoded {
    /// Header and body.
    pub(crate) bytes: Vec<u8>,
    /// The records, as a reader will see them; its place is still to be set.
    pub(crate) frame: Frame,
    /// The header.
    pub(crate) header: Header,
}

/// Turns batches into frames.
pub(crate) struct Encoder {
    zstd: Compressor<'static>,
    spool: SpoolId,
    /// See [`Header::unsynced`].
    pub(crate) unsynced: Option<Seq>,
}

impl Encoder {
    /// An encoder for one spool.
    pub(crate) fn new(level: i32, spool: SpoolId) -> Result<Self> {
        Ok(Self { zstd: Compressor::new(level).context("zstd")?, spool, unsynced: None })
    }

    /// The spool.
    pub(crate) fn spool(&self) -> SpoolId {
        self.spool
    }

    /// Encodes a batch whose first record gets the sequence `first`.
    pub(crate) fn encode(&mut self, batch: &Batch, first: Seq) -> Result<Encoded> {
        let (content, ends) = batch.content()?;
        let mut start = 0;
        let lengths =
            ends.iter().map(|&end| end - std::mem::replace(&mut start, end + 1)).collect();
        let header = Header {
            spool: self.spool,
            first,
            arrival_ms: batch.arrival_ms,
            generation: 0,
            compressed: 0,
            raw: 0,
            body_crc: 0,
            lengths,
            queue: batch.queue.clone(),
            redelivered: batch.redelivered.clone(),
            source: batch.source.clone(),
            maybe_twice: batch.maybe_twice.clone(),
            acked: batch.acked,
            unsynced: self.unsynced,
            forgotten: 0,
            lost: false,
            pieces: Vec::new(),
            merged: batch.merged.clone(),
        };
        let (header, bytes) = self.close(header, &content)?;
        let place = Place { segment: 0, offset: 0, len: bytes.len() as u64 };
        Ok(Encoded { frame: frame(first, content, ends, place), bytes, header })
    }

    /// The bytes of a frame of this content, and its header with what tells of the body.
    ///
    /// # Errors
    /// When zstd fails, or the header gets too long.
    pub(crate) fn close(&mut self, header: Header, content: &[u8]) -> Result<(Header, Vec<u8>)> {
        let body = self.zstd.compress(content).context("zstd")?;
        let (compressed, raw) = (body.len() as u64, content.len() as u64);
        let header = Header { compressed, raw, body_crc: format::crc32(&body), ..header };
        let mut bytes = header.encode();
        if bytes.len() > MAX_HEADER {
            return Err(Error::failed("too many records for one frame"));
        }
        bytes.extend_from_slice(&body);
        Ok((header, bytes))
    }
}

/// The bytes of a frame that stands where records were taken out, or lost.
///
/// # Errors
/// When zstd fails.
pub(crate) fn tombstone(
    spool: SpoolId,
    arrival_ms: i64,
    taken: &Range<Seq>,
    lost: bool,
) -> Result<Vec<u8>> {
    let body = zstd::bulk::compress(&[], 1).context("zstd")?;
    let header = Header {
        spool,
        first: taken.start,
        arrival_ms,
        generation: 0,
        compressed: body.len() as u64,
        raw: 0,
        body_crc: format::crc32(&body),
        lengths: Vec::new(),
        queue: None,
        redelivered: Vec::new(),
        source: None,
        maybe_twice: Vec::new(),
        acked: None,
        unsynced: None,
        forgotten: taken.end - taken.start,
        lost,
        pieces: Vec::new(),
        merged: None,
    };
    Ok([header.encode(), body].concat())
}

fn frame(first: Seq, content: Vec<u8>, ends: Vec<u64>, place: Place) -> Frame {
    let (resend, damaged) = (Ranges::default(), Ranges::default());
    Frame { first, content, ends, place, resend, damaged, plain: None }
}

/// Decompresses bodies, and what the index has compressed.
pub(crate) struct Decoder(Decompressor<'static>);

impl Decoder {
    /// A decoder.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Decompressor::new().context("zstd")?))
    }

    /// Decompresses a body whose header was checked.
    ///
    /// # Errors
    /// When its checksum is wrong or it is not what the header says.
    pub(crate) fn decode(&mut self, header: &Header, body: &[u8], place: Place) -> Result<Frame> {
        if format::crc32(body) != header.body_crc {
            return Err(unreadable("the body's checksum is wrong", place));
        }
        // The header bounds it: one that claims more than is there costs address space alone.
        let mut content = Vec::with_capacity(header.raw as usize);
        let done = self.0.decompress_to_buffer(body, &mut content);
        if done.is_err() || content.len() as u64 != header.raw {
            return Err(unreadable("the body is not what its header says", place));
        }
        let mut at = 0;
        let ends = header.lengths.iter().map(|len| {
            let end = at + len;
            at = end + 1;
            end
        });
        let ends = ends.collect();
        Ok(frame(header.first, content, ends, place))
    }

    /// The reverse of [`compress`], over all pieces that were put one behind the other.
    ///
    /// # Errors
    /// When it is not what was compressed.
    pub(crate) fn unpack(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let (mut len, mut rest) = (0_u64, bytes);
        while !rest.is_empty() {
            let piece = zstd_safe::find_frame_compressed_size(rest).ok();
            let piece = piece.and_then(|end| rest.split_at_checked(end));
            let plain = zstd_safe::get_frame_content_size(rest).ok().flatten();
            let (Some((_, behind)), Some(plain)) = (piece, plain) else {
                return Err(Error::failed(format!("{PACKED}: damaged")));
            };
            (len, rest) = (len.saturating_add(plain), behind);
        }
        match len < MAX_PACKED {
            true => self.0.decompress(bytes, len as usize).context(PACKED),
            false => Err(Error::failed(format!("{PACKED}: too long"))),
        }
    }
}

/// The error of a frame that cannot be read.
pub(crate) fn unreadable(what: &str, place: Place) -> Error {
    Error::failed(format!("{place}: {what}"))
        .help(Means::SpoolVerify + " names every unreadable frame; the others stay readable")
}

/// The error of a header that cannot be read.
pub(crate) fn bad_header(bad: BadHeader, place: Place) -> Error {
    match bad {
        BadHeader::Newer { major, minor } => Error::failed(format!(
            "{place}: format {major}.{minor}, made by a newer binsync; this one knows {}.{}",
            format::MAJOR,
            format::MINOR
        ))
        .help("use the binsync that wrote this spool, or a later one"),
        other => unreadable(&other.to_string(), place),
    }
}

/// Compresses bytes for the index; nothing gives nothing.
pub(crate) fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::compress(bytes, 3).context("zstd")
}

/// What `zstd -dc` prints of a segment.
#[cfg(test)]
pub(crate) fn plain(dir: &Path, segment: Seq) -> Result<Vec<u8>> {
    let file = File::open(path(dir, segment)).context("open")?;
    zstd::stream::decode_all(file).context("zstd")
}
