//! Reads frames where the index says they are, also where a segment has been sealed since it said
//! so.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::format::Header;
use super::frame::Frame;
use super::place::Place;
use super::scan::{Found, Scan};
use super::segment::{Decoder, bad_header, unreadable};
use super::segments;
use crate::error::Result;
use crate::spool::types::Seq;

/// Reads frames at known places.
pub(crate) struct SegmentReader {
    dir: PathBuf,
    open: Option<(Seq, File)>,
    decoder: Decoder,
    bytes: Vec<u8>,
    /// The sealed frame that a frame was last cut from.
    sealed: Option<(Header, Frame)>,
}

impl SegmentReader {
    /// A reader of the segments in `dir`.
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let (open, decoder) = (None, Decoder::new()?);
        Ok(Self { dir: dir.into(), open, decoder, bytes: Vec::new(), sealed: None })
    }

    /// Reads the frame of these records at a place the index names. Where the frame has been joined
    /// into a sealed one, the header is that of the sealed one, and the frame its records alone.
    ///
    /// # Errors
    /// When it is not there or damaged; the error names the place.
    pub(crate) fn read(&mut self, place: Place, records: &Range<Seq>) -> Result<(Header, Frame)> {
        // A segment is replaced under its name: a file opened before is another one.
        if self.open.as_ref().is_some_and(|(segment, _)| *segment == place.segment)
            && let Ok(found) = self.read_open(place, records)
        {
            return Ok(found);
        }
        self.open(place.segment)?;
        self.read_open(place, records).or_else(|e| self.cut(place.segment, records)?.ok_or(e))
    }

    /// Reads a header alone.
    ///
    /// # Errors
    /// As [`SegmentReader::read`].
    pub(crate) fn header(&mut self, place: Place) -> Result<Header> {
        self.open(place.segment)?;
        self.fill(place)?;
        Header::decode(&self.bytes).map_err(|e| bad_header(e, place))
    }

    fn open(&mut self, segment: Seq) -> Result<()> {
        self.open = Some((segment, segments::open(&self.dir, segment)?));
        Ok(())
    }

    fn fill(&mut self, place: Place) -> Result<()> {
        self.bytes.resize(place.len as usize, 0);
        let Some((_, file)) = &self.open else { return Err(unreadable("it is not open", place)) };
        file.read_exact_at(&mut self.bytes, place.offset)
            .map_err(|e| unreadable(&e.to_string(), place))
    }

    fn read_open(&mut self, place: Place, records: &Range<Seq>) -> Result<(Header, Frame)> {
        self.fill(place)?;
        let header = Header::decode(&self.bytes).map_err(|e| bad_header(e, place))?;
        if (header.first, header.end()) != (records.start, records.end) {
            return Err(unreadable("not the frame the index knows", place));
        }
        let body = self.bytes.len() as u64 - header.compressed.min(place.len);
        let frame = self.decoder.decode(&header, &self.bytes[body as usize..], place)?;
        Ok((header, frame))
    }

    /// Records out of the sealed frame that holds them; `None` when no such frame does.
    fn cut(&mut self, segment: Seq, records: &Range<Seq>) -> Result<Option<(Header, Frame)>> {
        let holds = |header: &Header| {
            header.first <= records.start
                && records.end <= header.end()
                && !header.pieces.is_empty()
        };
        if !self.sealed.as_ref().is_some_and(|(header, _)| holds(header)) {
            self.sealed = None;
            let mut scan = Scan::open(&self.dir, segment, 0)?;
            while let Some(found) = scan.next()? {
                if let Found::Frame { place, header, body } = found
                    && holds(&header)
                {
                    let frame = self.decoder.decode(&header, &body, place)?;
                    self.sealed = Some((*header, frame));
                    break;
                }
            }
        }
        Ok(self.sealed.clone().map(|(header, mut frame)| {
            frame.cut(records);
            (header, frame)
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::format::SpoolId;
    use super::super::frame::Batch;
    use super::super::segment::{Encoder, path};
    use super::super::segments::list;
    use super::*;
    use crate::error::Context;

    #[test]
    fn a_frame_comes_back_from_its_file() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        let mut batch = Batch { queue: Some("q".into()), ..Batch::default() };
        for record in [&b"one"[..], b"", b"two\nlines", b"\xff\x00"] {
            batch.push(record);
        }
        let encoded = Encoder::new(1, SpoolId([1; 16]))?.encode(&batch, 5)?;
        fs::write(path(dir.path(), 5), &encoded.bytes).context("write")?;
        let place = Place { segment: 5, offset: 0, len: encoded.bytes.len() as u64 };
        let (header, frame) = SegmentReader::new(dir.path())?.read(place, &(5..9))?;
        assert_eq!((header.end(), frame.range()), (9, 5..9));
        let records: Vec<&[u8]> = frame.records().map(|r| r.bytes).collect();
        assert_eq!(records, [&b"one"[..], b"", b"two\nlines", b"\xff\x00"]);
        let plain = zstd::decode_all(encoded.bytes.as_slice()).context("zstd")?;
        assert_eq!(plain, b"one\n\ntwo\nlines\n\xff\x00\n");
        assert_eq!(list(dir.path())?, [5]);
        Ok(())
    }
}
