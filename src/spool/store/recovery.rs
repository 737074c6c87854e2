//! What a writer's start does to the live (last) segment: cut a torn end, make the rest durable.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::copies::Copies;
use super::files;
use super::format::SpoolId;
use super::pruned;
use super::scan::{Found, Scan};
use super::seal::Gain;
use super::segment::{self, path, sync_dir};
use super::segments;
use crate::error::{Context, Error, Result};
use crate::spool::types::Seq;

/// The live segment as a start finds it.
#[derive(Debug)]
pub(crate) struct Live {
    /// False when no frame was left and the file was removed.
    pub(crate) exists: bool,
    /// Its first sequence, which names it.
    pub(crate) segment: Seq,
    /// Length of its whole frames.
    pub(crate) len: u64,
    /// Bytes of their records.
    pub(crate) raw: u64,
    /// How many frames there are.
    pub(crate) frames: u64,
    /// What sealing it would gain.
    pub(crate) gain: Gain,
    /// The sequence that comes next.
    pub(crate) next: Seq,
    /// What was cut from it: where it went, how many bytes.
    pub(crate) torn: Option<(PathBuf, u64)>,
}

/// Reads the live segment and cuts what a crash left at its end. `None`: there are no segments.
///
/// # Errors
/// When a file cannot be read or written, or is of a newer version.
pub(crate) fn recover(dir: &Path) -> Result<Option<Live>> {
    let Some(&segment) = segments::here(dir)?.last() else {
        return Ok(None);
    };
    let (mut live, cut) = measure(dir, segment, u64::MAX)?;
    if let Some(cut) = cut {
        let kept = keep_torn(dir, segment, cut)?;
        let file = path(dir, segment);
        let bytes = fs::metadata(&file).context(file.display())?.len() - cut;
        renew(dir, segment, cut)?;
        live = measure(dir, segment, cut)?.0;
        (live.len, live.torn) = (cut, Some((kept, bytes)));
    }
    drop_if_empty(dir, &mut live)?;
    Ok(Some(live))
}

/// Reads a segment up to an offset: its whole frames, and where it is to be cut. That is where what
/// is no whole frame begins at its end, or, before that, a hole in what was not known to be durable
/// when the last frame was written: a disk that lost its power had written only some of it.
fn measure(dir: &Path, segment: Seq, upto: u64) -> Result<(Live, Option<u64>)> {
    let mut live = Live {
        exists: true,
        segment,
        len: 0,
        raw: 0,
        frames: 0,
        gain: Gain::default(),
        next: segment,
        torn: None,
    };
    // Each with the record that was to come there.
    let mut holes: Vec<(u64, Seq)> = Vec::new();
    let (mut unsynced, mut end) = (None, None);
    let mut scan = Scan::open(dir, segment, 0)?;
    while let Some(found) = scan.next()? {
        match found {
            Found::Frame { place, .. } if place.offset >= upto => break,
            Found::Frame { place, header, .. } => {
                live.len = place.offset + place.len;
                live.raw += header.raw;
                live.frames += 1;
                live.gain.add(&header, place.len);
                live.next = live.next.max(header.end());
                unsynced = header.unsynced;
            }
            Found::Bad(bad) => holes.push((bad.offset, live.next)),
            Found::Torn(torn) => end = Some(torn.offset),
        }
    }
    let lost = |(_, next): &&(u64, Seq)| unsynced.is_some_and(|unsynced| *next >= unsynced);
    Ok((live, holes.iter().find(lost).map(|(offset, _)| *offset).or(end)))
}

/// Removes a live segment without a frame: zstd takes an empty file for a broken one. Its name is
/// kept where nothing else would tell the next sequence.
fn drop_if_empty(dir: &Path, live: &mut Live) -> Result<()> {
    let file = path(dir, live.segment);
    live.exists = live.len > 0 || (live.segment > 1 && segments::list(dir)?.len() == 1);
    if !live.exists {
        fs::remove_file(&file).context(file.display())?;
        sync_dir(dir)?;
    }
    Ok(())
}

/// The id in the first readable frame, or where something was pruned or copied. `None`: there is none.
///
/// # Errors
/// When a segment cannot be read or is of a newer version.
pub(crate) fn spool_id(dir: &Path) -> Result<Option<SpoolId>> {
    for segment in segments::here(dir)? {
        let mut scan = Scan::open(dir, segment, 0)?;
        while let Some(found) = scan.next()? {
            if let Found::Frame { header, .. } = found {
                return Ok(Some(header.spool));
            }
        }
    }
    match pruned::spool_id(dir)? {
        Some(id) => Ok(Some(id)),
        None => Ok(Copies::read(dir)?.map(|copies| copies.spool)),
    }
}

/// Copies what lies behind `from` into a file of its own, durably, before it is cut.
fn keep_torn(dir: &Path, segment: Seq, from: u64) -> Result<PathBuf> {
    let name = segment::name(segment);
    let mut kept = dir.join(format!("{name}.torn"));
    for n in 1.. {
        if kept.symlink_metadata().is_err() {
            break;
        }
        kept = dir.join(format!("{name}.torn.{n}"));
    }
    copy(&path(dir, segment), from, u64::MAX, &kept)?;
    sync_dir(dir)?;
    Ok(kept)
}

/// Makes the first `len` bytes of a segment durable by writing them anew. After a failed fsync
/// the page cache may show bytes the disk does not hold, and a later fsync does not say so.
///
/// # Errors
/// When the copy cannot be made; the segment is then as it was.
pub(crate) fn renew(dir: &Path, segment: Seq, len: u64) -> Result<()> {
    let live = path(dir, segment);
    let temp = dir.join(format!("{}.new", segment::name(segment)));
    let copied = copy(&live, 0, len, &temp)?;
    if copied != len {
        return Err(Error::failed(format!("{}: shorter than when it was read", live.display())));
    }
    fs::rename(&temp, &live).context(live.display())?;
    sync_dir(dir)
}

/// Copies a stretch of a file into a new, synced one. Through memory, not with the kernel's
/// copy call, which may share the very blocks that are in doubt.
pub(crate) fn copy(from: &Path, offset: u64, len: u64, to: &Path) -> Result<u64> {
    let mut source = files::read(from)?;
    source.seek(SeekFrom::Start(offset)).context(from.display())?;
    let mut source = source.take(len);
    let mut target = files::make(to)?;
    let mut bytes = vec![0; 1 << 20];
    let mut copied = 0;
    loop {
        match source.read(&mut bytes).context(from.display())? {
            0 => break,
            n => {
                target.write_all(&bytes[..n]).context(to.display())?;
                copied += n as u64;
            }
        }
    }
    target.sync_all().context(to.display())?;
    Ok(copied)
}
