//! Small files beside the segments, each written whole or not at all. What is in them is not the
//! spool's affair.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::files;
use super::segment::sync_dir;
use crate::error::{Context, Result};

/// A kept file in use, until dropped. The lock is the kernel's and ends with the process.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "ends when dropped")] File);

/// Stores a file in one of the spool's folders, durably, in the place of the one before.
///
/// # Errors
/// When it cannot be written.
pub fn keep(dir: &Path, folder: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let folder = dir.join(folder);
    files::make_folder(&folder)?;
    files::check_folder(&folder)?;
    sync_dir(dir)?;
    let mut new = tempfile::NamedTempFile::new_in(&folder).context(folder.display())?;
    let written = new.write_all(bytes).and_then(|()| new.as_file().sync_all());
    written.context(folder.display())?;
    let file = folder.join(name);
    new.persist(&file).context(file.display())?;
    sync_dir(&folder)
}

/// A file that was stored so; `None` when there is none.
///
/// # Errors
/// When it cannot be read.
pub fn kept(dir: &Path, folder: &str, name: &str) -> Result<Option<Vec<u8>>> {
    let folder = dir.join(folder);
    files::check_folder(&folder)?;
    let file = folder.join(name);
    match file.symlink_metadata() {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        _ => files::read_all(&file).map(Some),
    }
}

/// The names of all files that were stored in a folder.
///
/// # Errors
/// When the folder cannot be read.
pub fn kept_names(dir: &Path, folder: &str) -> Result<Vec<String>> {
    let folder = dir.join(folder);
    files::check_folder(&folder)?;
    let mut names = Vec::new();
    let entries = match fs::read_dir(&folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(names),
        entries => entries.context(folder.display())?,
    };
    for entry in entries {
        let name = entry.context(folder.display())?.file_name();
        // One that is just being stored begins with a dot.
        let stored = |name: &String| !name.starts_with('.') && !name.ends_with(".lock");
        names.extend(name.into_string().ok().filter(stored));
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes a file that was stored so, if it is there.
///
/// # Errors
/// When it cannot be removed.
pub fn forget_kept(dir: &Path, folder: &str, name: &str) -> Result<()> {
    let folder = dir.join(folder);
    match fs::remove_file(folder.join(name)) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        done => done.context(folder.join(name).display()).and_then(|()| sync_dir(&folder)),
    }
}

/// Says that a file is in use, beside others who say so; waits for whoever has [seized](seize) it.
///
/// # Errors
/// When that cannot be written there.
pub fn hold(dir: &Path, folder: &str, name: &str) -> Result<Held> {
    files::make_folder(&dir.join(folder))?;
    files::check_folder(&dir.join(folder))?;
    let path = lock(dir, folder, name);
    let file = files::open_or_make(&path).map_err(|e| files::refused(&e, &path))?;
    file.lock_shared().context(path.display())?;
    Ok(Held(file))
}

/// Keeps a file from being used, until dropped; `None` when somebody uses it.
///
/// # Errors
/// As [`hold`].
pub fn seize(dir: &Path, folder: &str, name: &str) -> Result<Option<Held>> {
    files::make_folder(&dir.join(folder))?;
    files::check_folder(&dir.join(folder))?;
    let path = lock(dir, folder, name);
    try_seize(files::open_or_make(&path).map_err(|e| files::refused(&e, &path))?, &path)
}

/// Whether somebody uses a file; `None` where nobody ever has.
///
/// # Errors
/// When it cannot be looked at.
pub fn is_held(dir: &Path, folder: &str, name: &str) -> Result<Option<bool>> {
    files::check_folder(&dir.join(folder))?;
    let path = lock(dir, folder, name);
    match path.symlink_metadata() {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        _ => try_seize(files::read(&path)?, &path).map(|seized| Some(seized.is_none())),
    }
}

fn lock(dir: &Path, folder: &str, name: &str) -> PathBuf {
    dir.join(folder).join(name).with_extension("lock")
}

fn try_seize(file: File, path: &Path) -> Result<Option<Held>> {
    // Somebody else who looks holds it for a blink.
    for _ in 0..3 {
        match file.try_lock() {
            Ok(()) => return Ok(Some(Held(file))),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
            Err(TryLockError::Error(e)) => return Err(e).context(path.display()),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_in_use_until_the_last_who_said_so_is_gone() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        let (dir, name) = (dir.path(), "a.json");
        assert_eq!(is_held(dir, "f", name)?, None);
        let (one, other) = (hold(dir, "f", name)?, hold(dir, "f", name)?);
        drop(one);
        assert_eq!(is_held(dir, "f", name)?, Some(true));
        assert!(seize(dir, "f", name)?.is_none());
        drop(other);
        assert_eq!(is_held(dir, "f", name)?, Some(false));
        assert!(seize(dir, "f", name)?.is_some());
        assert_eq!(kept_names(dir, "f")?, [""; 0]);
        keep(dir, "f", name, b"{}")?;
        assert_eq!(kept_names(dir, "f")?, [name]);
        forget_kept(dir, "f", name)?;
        forget_kept(dir, "f", name)?;
        assert_eq!(kept_names(dir, "f")?, [""; 0]);
        Ok(())
    }

    #[test]
    fn a_spool_that_was_moved_away_is_not_begun_anew() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        let gone = dir.path().join("gone");
        assert!(keep(&gone, "f", "a.json", b"{}").is_err());
        assert!(hold(&gone, "f", "a.json").is_err());
        assert!(seize(&gone, "f", "a.json").is_err());
        assert!(!gone.exists());
        Ok(())
    }
}
