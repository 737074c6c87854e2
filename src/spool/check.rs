//! Reads everything and says what is wrong; builds the index anew.

use std::collections::HashMap;
use std::path::Path;

use super::inboxes;
use super::index::cipher::Made;
use super::index::db::Index;
use super::index::fit;
use super::index::home::Home;
use super::index::indexer::Indexer;
use super::store::files;
use super::store::format::SpoolId;
use super::store::key::key;
use super::store::lock::{Lock, Places, Purpose};
use super::store::place::Place;
use super::store::pruned;
use super::store::recovery;
use super::store::scan::{Found, Scan};
use super::store::segment::{self, Decoder};
use super::store::segments::{self, Segments};
use super::types::{Recovery, Seq};
use crate::error::{Error, ErrorKind, Means, Result};

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

/// Reads every frame of every segment, derives the index again and compares.
///
/// # Errors
/// When a file cannot be read at all, or is of a newer version, or there is no spool.
pub fn verify(dir: &Path) -> Result<Report> {
    let spool = spool_id(dir)?;
    // A segment that is sealed meanwhile would not be what was read of it before.
    let _places = Places::keep(dir)?;
    let mut report = Report::default();
    let index = match Index::open_read(dir) {
        Ok(Some(index)) => Some(index),
        Ok(None) => {
            report.add(INDEX, 0, "missing; the next command builds it anew");
            None
        }
        Err(e) if e.kind() == ErrorKind::Damaged => {
            report.add(INDEX, 0, &e.message().plain());
            None
        }
        Err(e) => return Err(e),
    };
    let mut failed = None;
    if let Some(index) = &index
        && let Err(e) = verify_index(dir, index, spool, &mut report)
    {
        match e.kind() {
            ErrorKind::Damaged => report.add(INDEX, 0, &e.message().plain()),
            _ => failed = Some(e),
        }
    }
    let index = index.filter(|_| report.findings.is_empty());
    let begin = pruned::pruned(dir)?.map_or(1, |pruned| pruned.segment);
    verify_segments(dir, begin, index.as_ref(), &mut report)?;
    // What cannot be had from the archive is named by now.
    if let Some(e) = failed.filter(|_| report.findings.is_empty()) {
        return Err(e);
    }
    verify_inboxes(dir, &mut report)?;
    Ok(report)
}

/// What is wrong in the inboxes; what is read there is not counted.
fn verify_inboxes(dir: &Path, report: &mut Report) -> Result<()> {
    for inbox in inboxes::known(dir)? {
        let first = segments::list(&inbox.dir)?.first().copied().unwrap_or(1);
        let mut found = Report::default();
        verify_segments(&inbox.dir, first.min(inbox.merged), None, &mut found)?;
        let folder = inbox.dir.strip_prefix(dir).unwrap_or(&inbox.dir).display().to_string();
        let named = |f: Finding| Finding { file: format!("{folder}/{}", f.file), ..f };
        report.findings.extend(found.findings.into_iter().map(named));
    }
    Ok(())
}

const INDEX: &str = "index.sqlite";

/// Derives the index again, as far as it has come, and compares.
fn verify_index(dir: &Path, index: &Index, spool: SpoolId, report: &mut Report) -> Result<()> {
    for what in index.check()? {
        report.add(INDEX, 0, &format!("damaged: {what}"));
    }
    if !report.findings.is_empty() {
        return Ok(());
    }
    // One view of it: a writer may go on meanwhile.
    let _view = index.view()?;
    if index.begins()? != pruned::pruned(dir)?.map(|pruned| pruned.segment) {
        report.add(INDEX, 0, "it knows messages that were pruned; the next command mends that");
        return Ok(());
    }
    let next = index.end()?.next;
    let fit = fit::fit(dir, index)?;
    if let Some(&sealed) = fit.sealed.first() {
        let name = segment::name(sealed);
        let what = format!("behind: {name} was sealed since; the next command takes it over");
        report.add(INDEX, 0, &what);
        return Ok(());
    }
    // Torn bytes are met in their segment.
    let gone = fit::tail(index)?.filter(|bad| bad.bytes == 0);
    for bad in fit.misfits.into_iter().chain(gone) {
        report.add(&bad.segment, bad.offset, &bad.to_string());
    }
    if index.made(&Home::new(dir), key())? == Made::WithOne {
        let what = "not compared with the segments: it was made with the producer's key, which is \
                    not here";
        report.add(INDEX, 0, what);
        return Ok(());
    }
    let again = Home::apart(dir)?;
    Indexer::anew(&again)?.catch_up(spool, next)?;
    if let Some(again) = Index::open_read(again.index())? {
        for what in index.differences(&again)? {
            report.add(INDEX, 0, &what);
        }
    }
    Ok(())
}

/// Reads the segments from a record on.
fn verify_segments(
    dir: &Path,
    mut next: Seq,
    index: Option<&Index>,
    report: &mut Report,
) -> Result<()> {
    let stored = Segments::of(dir)?;
    let mut segments = stored.all();
    // An interrupted prune may have left some of what is gone.
    segments.retain(|first| *first >= next);
    for (i, &segment) in segments.iter().enumerate() {
        // Whoever writes is in the middle of a frame: the end of the last segment is no finding
        // then. A writer that starts waits for this lock, so it is held for that segment only.
        let last = segments.last() == Some(&segment);
        let lock = match last && files::is_writable(dir) {
            true => Lock::try_take(dir, Purpose::Index)?,
            false if last => Lock::look(dir)?,
            false => None,
        };
        let live = last && lock.is_none();
        let verified = verify_segment(dir, segment, live, index, &mut next, report);
        match (verified, stored.copied(segment)) {
            (Err(e), Some(copied)) => {
                report.add(&segment::name(segment), 0, &e.message().plain());
                next = copied.end;
            }
            // Of an inbox: it was merged meanwhile, and is gone.
            (Err(_), None) if index.is_none() && !segment::path(dir, segment).exists() => {
                next = segments.get(i + 1).map_or(next, |behind| next.max(*behind));
            }
            (verified, _) => verified?,
        }
    }
    Ok(())
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
    next: &mut Seq,
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
                    report.add(&name, place.offset, &e.message().plain());
                    continue;
                }
                report.frames += 1;
                report.records += header.lengths.len() as u64;
                if *next != header.first {
                    let what = match *next < header.first {
                        true => {
                            format!("messages {next} to {} are missing before it", header.first - 1)
                        }
                        false => format!("record {} comes a second time", header.first),
                    };
                    report.add(&name, place.offset, &what);
                }
                *next = header.end().max(*next);
                match indexed.remove(&place.offset) {
                    Some((known, crc)) if known == place && crc == header.body_crc => {}
                    None if index.is_none() || live || header.forgotten > 0 => {}
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
    let spool = spool_id(dir)?;
    let _lock = Lock::take(dir, Purpose::Index)?;
    let mut indexer = Indexer::anew(&Home::new(dir))?;
    let caught_up = indexer.catch_up(spool, Seq::MAX)?;
    let mut bad_frames = indexer.index().bad_frames()?;
    bad_frames.extend(fit::tail(indexer.index())?);
    Ok(Recovery { caught_up, bad_frames, ..Recovery::default() })
}

fn spool_id(dir: &Path) -> Result<SpoolId> {
    let spool = match dir.is_dir() {
        true => recovery::spool_id(dir)?,
        false => None,
    };
    spool.ok_or_else(|| {
        Error::usage(format!("{}: no spool here", dir.display())).help(Means::Spool + " names it")
    })
}
