//! Brings segments back that are in the archive alone. The last few are kept beside the record of
//! the copies, until others take their room.

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::copies::{Copied, Copies, FOLDER};
use super::{disk, files, segment};
use crate::archive::{self, Archive, Hasher};
use crate::error::{Context, Error, Means, Result, Words};

/// Where they are kept, beside the record of the copies.
const FETCHED: &str = "fetched";
/// So many are kept: commands that read in several threads take turns with a few.
const KEPT: usize = 4;

/// Opens the copy of a segment that is in the archive alone.
///
/// # Errors
/// When it cannot be had from there, is not what was copied, or there is no room for it.
pub(super) fn open(dir: &Path, copies: &Copies, copied: &Copied) -> Result<File> {
    let name = segment::name(copied.first);
    let opened = || {
        let archive = archive::open(&copies.to)?;
        let from = copies.place(&copied.name());
        if !files::is_writable(dir) {
            let mut own = tempfile::tempfile().context("a temporary file")?;
            bring(&*archive, &from, copied, &mut own)?;
            return Ok(own);
        }
        let folder = folder(dir)?;
        // One is fetched at a time, and not by two who need the same.
        let lock = File::open(&folder).context(folder.display())?;
        lock.lock().context(folder.display())?;
        let path = folder.join(copied.name());
        if path.metadata().is_ok_and(|meta| meta.len() == copied.bytes) {
            let file = files::read(&path)?;
            // Where that is not kept, another one goes first.
            let _ = file.set_modified(SystemTime::now());
            return Ok(file);
        }
        make_room(&folder, KEPT - 1)?;
        check_room(dir, copied)?;
        let mut new = tempfile::NamedTempFile::new_in(&folder).context(folder.display())?;
        bring(&*archive, &from, copied, new.as_file_mut())?;
        new.as_file().sync_all().context(folder.display())?;
        new.persist(&path).context(path.display())?;
        files::read(&path)
    };
    opened().map_err(|e: Error| {
        e.at(format!("{name} is in the archive alone")).or_help(
            Words::from(
                "bring it back there from a backup; if it is gone for good, an empty file ",
            ) + dir.join(&name).display().to_string()
                + " stands for it, and "
                + Means::SpoolRepair
                + " says what is lost with it",
        )
    })
}

/// Reads a copy in the archive, and tells whether it is what was copied.
///
/// # Errors
/// When it is not, or cannot be read.
pub(crate) fn check(archive: &dyn Archive, from: &str, copied: &Copied) -> Result<()> {
    archive::again(|| receive(archive, from, copied, &mut |_| Ok(())))
}

/// Removes what was fetched.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn forget(dir: &Path) -> Result<()> {
    let folder = dir.join(FOLDER).join(FETCHED);
    if !folder.is_dir() {
        return Ok(());
    }
    files::check_folder(&folder)?;
    let lock = File::open(&folder).context(folder.display())?;
    lock.lock().context(folder.display())?;
    make_room(&folder, 0)
}

fn bring(archive: &dyn Archive, from: &str, copied: &Copied, new: &mut File) -> Result<()> {
    archive::again(|| {
        new.set_len(0).and_then(|()| new.rewind()).context("a fetched segment")?;
        receive(archive, from, copied, &mut |piece| {
            new.write_all(piece).map_err(|e| {
                Error::stopped(format!("a fetched segment cannot be written: {e}"))
                    .help("make room, then run the same command again")
            })
        })
    })
}

fn receive(
    archive: &dyn Archive,
    from: &str,
    copied: &Copied,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (mut hasher, mut left) = (Hasher::default(), copied.bytes);
    let differs = || Error::failed(format!("{from} in the archive is not what was copied there"));
    archive.get(from, &mut |piece| {
        left = left.checked_sub(piece.len() as u64).ok_or_else(differs)?;
        hasher.add(piece);
        take(piece)
    })?;
    match hasher.end() == copied.content() {
        true => Ok(()),
        false => Err(differs()),
    }
}

/// The folder of what was fetched.
fn folder(dir: &Path) -> Result<PathBuf> {
    let archive = dir.join(FOLDER);
    files::check_folder(&archive)?;
    let folder = archive.join(FETCHED);
    files::make_folder(&folder)?;
    files::check_folder(&folder)?;
    Ok(folder)
}

/// Removes all but the last few that were used, and what a crash has left.
fn make_room(folder: &Path, keep: usize) -> Result<()> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).context(folder.display())? {
        let entry = entry.context(folder.display())?;
        let whole = entry.file_name().to_string_lossy().ends_with(".zst");
        let used = entry.metadata().and_then(|meta| meta.modified()).ok().filter(|_| whole);
        all.push((used, entry.path()));
    }
    all.sort();
    let left = all.iter().filter(|(used, _)| used.is_some()).count().min(keep);
    for (_, path) in &all[..all.len() - left] {
        fs::remove_file(path).context(path.display())?;
    }
    Ok(())
}

/// What is fetched never takes what a capture needs.
fn check_room(dir: &Path, copied: &Copied) -> Result<()> {
    let (free, reserve) = disk::space(dir)?;
    match free.saturating_sub(copied.bytes) >= reserve {
        true => Ok(()),
        false => Err(Error::stopped(format!(
            "there is no room to fetch its {} MiB: the disk has {} MiB left, its reserve is {}",
            copied.bytes >> 20,
            free >> 20,
            reserve >> 20
        ))
        .help("make room, then run the same command again")),
    }
}
