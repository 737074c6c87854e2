//! Reads everything and says what is wrong; builds the index anew.

use std::collections::HashMap;
use std::path::Path;

use super::frame::Place;
use super::index::{self, Index};
use super::indexer::Indexer;
use super::lock::{Lock, Purpose};
use super::recovery;
use super::scan::{Found, Scan};
use super::segment::{self, Decoder};
use super::types::{Recovery, Seq};
use crate::error::{Error, Result};

/// Something wrong in the spool's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// File name.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// What [`verify`] read and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments read.
    pub segments: u64,
    /// Whole frames.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// What is wrong, in the order of the stream.
    pub findings: Vec<Finding>,
}

/// Reads every frame of every segment and compares with the index.
///
/// # Errors
/// When a file cannot be read at all, or is of a newer version.
pub fn verify(dir: &Path) -> Result<Report> {
    let index = Index::open_read(dir)?;
    let mut report = Report::default();
    let mut next: Option<Seq> = None;
    let segments = segment::list(dir)?;
    for &segment in &segments {
        // Whoever writes is in the middle of a frame: the end of the last segment is no finding
        // then. A writer that starts waits for this lock, so it is held for that segment only.
        let last = segments.last() == Some(&segment);
        let lock = if last { Lock::try_take(dir, Purpose::Index)? } else { None };
        let live = last && lock.is_none();
        verify_segment(dir, segment, live, index.as_ref(), &mut next, &mut report)?;
    }
    if index.is_none() && !segments.is_empty() {
        report.add("index.sqlite", 0, "missing; the next command builds it anew");
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, file: &str, offset: u64, what: &str) {
        self.findings.push(Finding { file: file.into(), offset, what: what.into() });
    }
}

fn verify_segment(
    dir: &Path,
    segment: Seq,
    live: bool,
    index: Option<&Index>,
    next: &mut Option<Seq>,
    report: &mut Report,
) -> Result<()> {
    let name = segment::name(segment);
    let mut indexed: HashMap<u64, (Place, u32)> = HashMap::new();
    if let Some(index) = index {
        indexed.extend(index.checksums(segment)?.into_iter().map(|(p, crc)| (p.offset, (p, crc))));
    }
    let mut decoder = Decoder::new()?;
    let mut scan = Scan::open(dir, segment, 0)?;
    report.segments += 1;
    while let Some(found) = scan.next()? {
        match found {
            Found::Frame { place, header, body } => {
                report.bytes += place.len;
                if let Err(e) = decoder.decode(&header, &body, place) {
                    report.add(&name, place.offset, &e.to_string());
                    continue;
                }
                report.frames += 1;
                report.records += header.lengths.len() as u64;
                if next.is_some_and(|next| next != header.first) {
                    let what = format!(
                        "record {} expected, the frame begins with {}",
                        next.unwrap_or_default(),
                        header.first
                    );
                    report.add(&name, place.offset, &what);
                }
                *next = Some(header.end());
                match indexed.remove(&place.offset) {
                    Some((known, crc)) if known == place && crc == header.body_crc => {}
                    None if index.is_none() || live => {}
                    _ => report.add(&name, place.offset, "the index does not know this frame"),
                }
            }
            Found::Bad(bad) => {
                report.bytes += bad.bytes;
                indexed.remove(&bad.offset);
                let what = format!("{} ({} bytes)", bad.reason, bad.bytes);
                report.add(&name, bad.offset, &what);
            }
            Found::Torn(_) if live => {}
            Found::Torn(torn) => {
                report.bytes += torn.bytes;
                indexed.remove(&torn.offset);
                let what = format!("{} ({} bytes at the end)", torn.reason, torn.bytes);
                report.add(&name, torn.offset, &what);
            }
        }
    }
    let mut rest: Vec<u64> = indexed.into_keys().collect();
    rest.sort_unstable();
    for offset in rest {
        report.add(&name, offset, "the index knows a frame here that is not there");
    }
    Ok(())
}

/// Deletes the index and builds it anew from the segments.
///
/// # Errors
/// When a writer is alive, there is no spool, or a file cannot be read or written.
pub fn reindex(dir: &Path) -> Result<Recovery> {
    let spool = match dir.is_dir() {
        true => recovery::spool_id(dir)?,
        false => None,
    };
    let spool = spool.ok_or_else(|| {
        Error::usage(format!("{}: no spool here", dir.display())).help("--spool names it")
    })?;
    let _lock = Lock::take(dir, Purpose::Index)?;
    index::delete(dir)?;
    let (mut indexer, _) = Indexer::open(dir)?;
    let caught_up = indexer.catch_up(spool)?;
    let bad_frames = indexer.index().bad_frames()?;
    Ok(Recovery { caught_up, bad_frames, ..Recovery::default() })
}
