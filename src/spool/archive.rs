//! Copies segments to an archive, and removes those that are safe there.
//!
//! A segment is copied, then the spool writes that down, durably; before it is removed here its copy
//! is read back and compared. So at every moment it is in the folder, or what is written down leads to
//! it. Killed in between, the same call goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::prune::{STAY, Wish, wished};
use super::reader::Spool;
use super::store::copies::{self, Copied, Copies};
use super::store::lock::{Places, writer};
use super::store::pruned::Alone;
use super::store::scan::{Found, Scan};
use super::store::seal::are_tiny;
use super::store::segment::{self, sync_dir};
use super::store::segments::{self, Segments};
use super::store::{fetch, files, recovery};
use super::types::{SegmentInfo, Seq};
use crate::archive::{self, Archive, Content};
use crate::error::{Context, Error, ErrorKind, Means, Result};
use crate::event::printable;

/// What was copied and removed, or would be.
#[derive(Clone, Debug, Default)]
pub struct Archived {
    /// The archive's full name.
    pub to: String,
    /// Segments that were copied.
    pub copied: Vec<SegmentInfo>,
    /// Segments that were removed here.
    pub removed: Vec<SegmentInfo>,
    /// How many are left for later: a writer is about to write them anew.
    pub later: usize,
}

/// What of a spool is in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InArchive {
    /// The archive's full name.
    pub to: String,
    /// The copies, each with whether the segment is also here.
    pub segments: Vec<(Copied, bool)>,
}

impl Spool {
    /// What of it is in an archive; `None`: it has none.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn in_archive(&self) -> Result<Option<InArchive>> {
        let segments = Segments::of(self.dir())?;
        let begin = self.pruned().map_or(0, |pruned| pruned.segment);
        let here = |copied: &Copied| segments.copied(copied.first).is_none();
        Ok(segments.copies().map(|copies| {
            let all = copies.all.iter().filter(|copied| copied.first >= begin);
            let segments = all.map(|copied| (copied.clone(), here(copied))).collect();
            InArchive { to: copies.to.clone(), segments }
        }))
    }
}

/// Copies all segments that have ended to the archive `to`, and removes here those that are wished;
/// the last two stay. Another archive than before gets what that one has, too.
///
/// # Errors
/// When there is no spool, a segment is damaged, the archive cannot be reached or a file not be
/// written, and when told to stop. Run again, it goes on.
pub fn archive(
    dir: &Path,
    to: &str,
    wish: &Wish,
    dry_run: bool,
    stop: &AtomicBool,
) -> Result<Archived> {
    let to = archive::full_name(to)?;
    if printable(&to) != to {
        return Err(Error::usage(format!(
            "{}: a name that cannot be shown as it is",
            printable(&to)
        )));
    }
    let _alone = if dry_run { None } else { Some(Alone::take(dir)?) };
    let spool = Spool::open(dir)?;
    let segments = Segments::of(dir)?;
    let begin = spool.pruned().map_or(0, |pruned| pruned.segment);
    let all = infos(&spool, &segments, begin)?;
    let ended = &all[..all.len().saturating_sub(1)];
    let id = recovery::spool_id(dir)?.ok_or_else(|| Error::failed("no segment has a frame"))?;
    let old = segments.copies().cloned();
    let same = old.as_ref().is_some_and(|old| old.to == to);
    let known =
        old.filter(|_| same).unwrap_or(Copies { to: to.clone(), spool: id, all: Vec::new() });
    // Those are written anew first, and would be copied twice.
    let sealed_soon = |s: &&SegmentInfo| are_tiny(s.frames, s.raw, s.bytes);
    let later: BTreeSet<Seq> = match writer(dir)? {
        Some(_) => ended.iter().filter(sealed_soon).map(|s| s.segment).collect(),
        None => BTreeSet::new(),
    };
    let mut run = Run { dir, archive: archive::open(&to)?, copies: known, published: same, stop };
    let mut done = Archived { to, ..Archived::default() };
    let away = || segments.away().filter(|copied| copied.first >= begin);
    if !same && !dry_run {
        away().try_for_each(|copied| run.bring_along(copied))?;
    }
    for segment in ended {
        match segments.copied(segment.segment) {
            Some(_) if same => {}
            Some(_) => done.copied.push(segment.clone()),
            None if later.contains(&segment.segment) => done.later += 1,
            None if run.is_copied(&segments, segment.segment)? => {}
            None => {
                done.copied.push(segment.clone());
                if !dry_run {
                    run.copy(segment.segment)?;
                }
            }
        }
    }
    let away: BTreeSet<Seq> = away().map(|copied| copied.first).collect();
    let count = wished(&all, all.len().saturating_sub(STAY), &away, wish);
    let stays = |first| away.contains(first) || later.contains(first);
    let goes = all[..count].iter().filter(|s| !stays(&s.segment));
    done.removed = goes.cloned().collect();
    drop(spool);
    if !dry_run {
        run.publish()?;
        run.remove(&done.removed)?;
        fetch::forget(dir)?;
    }
    Ok(done)
}

/// What is known of each segment; of one that has no readable frame its length alone.
fn infos(spool: &Spool, segments: &Segments, begin: Seq) -> Result<Vec<SegmentInfo>> {
    let known = spool.segments()?.into_iter().map(|info| (info.segment, info));
    let mut known: BTreeMap<Seq, SegmentInfo> = known.collect();
    let all = segments.all().into_iter().filter(|segment| *segment >= begin);
    all.map(|segment| {
        known.remove(&segment).map_or_else(
            || {
                let (bytes, _) = segments.look(spool.dir(), segment)?;
                let name = segment::name(segment);
                Ok(SegmentInfo { name, segment, bytes, ..SegmentInfo::default() })
            },
            Ok,
        )
    })
    .collect()
}

/// An archiving as far as it has come.
struct Run<'a> {
    dir: &'a Path,
    archive: Box<dyn Archive>,
    copies: Copies,
    /// What is copied is written down at once; else when all is there that the archive before had.
    published: bool,
    stop: &'a AtomicBool,
}

impl Run<'_> {
    /// True when a segment is copied as it stands.
    fn is_copied(&self, segments: &Segments, first: Seq) -> Result<bool> {
        let Some(copied) = self.copies.of(first) else { return Ok(false) };
        Ok(segments.look(self.dir, first)? == (copied.bytes, copied.generation))
    }

    /// Copies a segment of the folder.
    fn copy(&mut self, first: Seq) -> Result<()> {
        let path = segment::path(self.dir, first);
        let file = files::read(&path)?;
        let (end, generation) = whole(&file, first)?;
        let Content { bytes, sha256 } = Content::of(&file)?;
        let copied = Copied { first, end, generation, bytes, sha256 };
        self.put(&copied, &file)?;
        self.copies.add(copied);
        if self.published { self.copies.write(self.dir) } else { Ok(()) }
    }

    /// Has a segment here, too, that is in the archive before alone.
    fn bring_along(&mut self, copied: &Copied) -> Result<()> {
        let there = archive::again(|| self.archive.len(&self.copies.place(&copied.name())))?;
        if there != Some(copied.bytes) {
            self.put(copied, &segments::open(self.dir, copied.first)?)?;
        }
        fetch::check(&*self.archive, &self.copies.place(&copied.name()), copied)?;
        self.copies.add(copied.clone());
        Ok(())
    }

    /// Stores a segment under its name, if nothing is there.
    fn put(&self, copied: &Copied, file: &File) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::stopped("stopped by a signal").help("run it again: it goes on"));
        }
        let place = self.copies.place(&copied.name());
        archive::again(|| match self.archive.len(&place)? {
            Some(bytes) if bytes == copied.bytes => Ok(()),
            _ => self.archive.put(&place, file, &copied.content()),
        })
    }

    /// Writes down what is copied, here and in the archive.
    fn publish(&self) -> Result<()> {
        self.copies.write(self.dir)?;
        let file = copies::file(self.dir)?;
        let content = Content::of(&file)?;
        let place = self.copies.place(copies::file_name());
        archive::again(|| self.archive.put(&place, &file, &content))
    }

    /// Removes segments that are in the archive as they are here.
    fn remove(&mut self, segments: &[SegmentInfo]) -> Result<()> {
        for SegmentInfo { segment, .. } in segments {
            let path = segment::path(self.dir, *segment);
            let here = || Content::of(&files::read(&path)?);
            // Of the same length and written anew: by a repair, say.
            if self.copies.of(*segment).map(Copied::content) != Some(here()?) {
                self.copy(*segment)?;
            }
            let Some(copied) = self.copies.of(*segment) else { continue };
            // Somebody may have taken it away there.
            self.put(copied, &files::read(&path)?)?;
            let place = self.copies.place(&copied.name());
            if matches!(fetch::check(&*self.archive, &place, copied), Err(e) if e.kind() == ErrorKind::Failed)
            {
                self.archive.put(&place, &files::read(&path)?, &copied.content())?;
                fetch::check(&*self.archive, &place, copied)?;
            }
            // None is put into the place of another meanwhile.
            let _places = Places::keep(self.dir)?;
            if here()? != copied.content() {
                return Err(Error::stopped(format!("{}: written anew meanwhile", path.display()))
                    .help("run it again: it goes on"));
            }
            fs::remove_file(&path).context(path.display())?;
            sync_dir(self.dir)?;
        }
        Ok(())
    }
}

/// The sequence behind the last record of a segment, and how often it was sealed.
///
/// # Errors
/// When something in it is no whole frame, or missing: a repair does not look at what is archived.
fn whole(file: &File, first: Seq) -> Result<(Seq, u32)> {
    let mut scan = Scan::of(file.try_clone().context("a segment")?, first, 0)?;
    let (generation, mut end) = (scan.generation()?, first);
    while let Some(found) = scan.next()? {
        let (offset, wrong) = match found {
            Found::Frame { header, .. } if header.first == end => {
                end = header.end();
                continue;
            }
            Found::Frame { place, .. } => {
                (place.offset, "messages are missing before it".to_owned())
            }
            Found::Bad(bad) | Found::Torn(bad) => (bad.offset, bad.reason),
        };
        return Err(Error::failed(format!("{} offset {offset}: {wrong}", segment::name(first)))
            .help("it was not archived: " + Means::SpoolRepair + " first"));
    }
    Ok((end, generation))
}
