//! One writer at a time: a lock file that holds the holder's process id.
//!
//! The lock itself is the kernel's and ends with the process; the text only names the holder.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::files;
use crate::error::{Context, Error, Means, Result};

/// How long the holder's word is not believed: whoever may only read takes the lock for a blink,
/// and writes nothing into it.
const BLINK: Duration = Duration::from_millis(500);

/// Why the lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To append.
    Write,
    /// To bring the index up to date; over in a moment.
    Index,
}

/// The lock, held until dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock; waits for a reader that is bringing the index up to date.
    ///
    /// # Errors
    /// When another process writes; the error names it.
    pub(crate) fn take(dir: &Path, purpose: Purpose) -> Result<Self> {
        let begun = Instant::now();
        loop {
            if let Some(lock) = Self::try_take(dir, purpose)? {
                return Ok(lock);
            }
            let holder = holder(dir);
            if !holder.ends_with("index") && begun.elapsed() > BLINK {
                let pid = holder.split_whitespace().next().unwrap_or("unknown").to_owned();
                return Err(Error::failed(format!(
                    "{}: process {pid} is writing this spool",
                    dir.display()
                ))
                .help("wait for it, stop it, or use another " + Means::Spool));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The file that is locked.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub(crate) fn try_take(dir: &Path, purpose: Purpose) -> Result<Option<Self>> {
        let path = dir.join("lock");
        let mut file = files::open_or_make(&path).map_err(|e| files::refused(&e, &path))?;
        // Its text is about to be replaced.
        if file.metadata().context(path.display())?.nlink() > 1 {
            return Err(Error::failed(format!("{}: the file has a second name", path.display()))
                .help("see whose it is, then remove it here: the lock is made anew"));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e).context(path.display()),
        }
        let word = if purpose == Purpose::Write { "write" } else { "index" };
        let text = format!("{} {word}", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .context(path.display())?;
        Ok(Some(Self(file)))
    }

    /// Keeps writers away as far as somebody can who may only read; `None`: one is at work.
    ///
    /// # Errors
    /// When the lock file is there and cannot be opened.
    pub(crate) fn look(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join("lock");
        match path.symlink_metadata() {
            // Nobody has ever written here; the folder stands for it.
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Ok(Some(Self(File::open(dir).context(dir.display())?)));
            }
            _ => {}
        }
        let file = files::read(&path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e).context(path.display()),
        }
    }
}

/// The process that writes the spool; `None` where nobody does.
///
/// # Errors
/// As [`Lock::look`].
pub(crate) fn writer(dir: &Path) -> Result<Option<u32>> {
    if Lock::look(dir)?.is_some() {
        return Ok(None);
    }
    let holder = holder(dir);
    Ok(holder.strip_suffix(" write").and_then(|pid| pid.parse().ok()))
}

/// The right to find every segment where it is, or to put one into the place of another; until
/// dropped. The folder itself is locked: it is there for whoever may only read, too.
pub(crate) struct Places(#[expect(dead_code, reason = "ends when dropped")] File);

impl Places {
    /// Segments stay where they are; waits for one that is being put into its place.
    ///
    /// # Errors
    /// When the folder cannot be opened or locked.
    pub(crate) fn keep(dir: &Path) -> Result<Self> {
        let folder = File::open(dir).context(dir.display())?;
        folder.lock_shared().context(dir.display())?;
        Ok(Self(folder))
    }

    /// One may be put into the place of another; `None`: somebody keeps them there.
    ///
    /// # Errors
    /// As [`Places::keep`].
    pub(crate) fn change(dir: &Path) -> Result<Option<Self>> {
        let folder = File::open(dir).context(dir.display())?;
        match folder.try_lock() {
            Ok(()) => Ok(Some(Self(folder))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e).context(dir.display()),
        }
    }
}

/// What the holder wrote: process id and purpose.
fn holder(dir: &Path) -> String {
    let mut text = String::new();
    // A file that cannot be read names nobody; the caller says so.
    if let Ok(file) = files::read(&dir.join("lock")) {
        let _ = file.take(100).read_to_string(&mut text);
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_the_first_is() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        assert_eq!(writer(dir.path())?, None);
        let first = Lock::take(dir.path(), Purpose::Write)?;
        assert_eq!(writer(dir.path())?, Some(std::process::id()));
        let error = Lock::take(dir.path(), Purpose::Write).expect_err("held").to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        assert!(Lock::try_take(dir.path(), Purpose::Index)?.is_none());
        drop(first);
        Lock::take(dir.path(), Purpose::Write).map(drop)
    }
}
