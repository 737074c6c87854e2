//! One writer at a time: a lock file that holds the holder's process id.
//!
//! The lock itself is the kernel's and ends with the process; the text only names the holder.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use fs4::{FileExt, TryLockError};

use crate::error::{Context, Error, Result};

/// Why the lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To append.
    Write,
    /// To bring the index up to date; over in a moment.
    Index,
}

/// The lock, held until dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock; waits for a reader that is bringing the index up to date.
    ///
    /// # Errors
    /// When another process writes; the error names it.
    pub(super) fn take(dir: &Path, purpose: Purpose) -> Result<Self> {
        loop {
            if let Some(lock) = Self::try_take(dir, purpose)? {
                return Ok(lock);
            }
            let holder = holder(dir);
            if !holder.ends_with("index") {
                let pid = holder.split_whitespace().next().unwrap_or("unknown").to_owned();
                return Err(Error::failed(format!(
                    "{}: process {pid} is writing this spool",
                    dir.display()
                ))
                .help("wait for it, stop it, or use another --spool"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The file that is locked.
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub(super) fn try_take(dir: &Path, purpose: Purpose) -> Result<Option<Self>> {
        let path = dir.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).context(path.display())?;
        match FileExt::try_lock(&file) {
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
}

/// What the holder wrote: process id and purpose.
fn holder(dir: &Path) -> String {
    let mut text = String::new();
    // A file that cannot be read names nobody; the caller says so.
    let _ = File::open(dir.join("lock")).and_then(|mut f| f.read_to_string(&mut text));
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_the_first_is() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        let first = Lock::take(dir.path(), Purpose::Write)?;
        let error = Lock::take(dir.path(), Purpose::Write).expect_err("held").to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        assert!(Lock::try_take(dir.path(), Purpose::Index)?.is_none());
        drop(first);
        Lock::take(dir.path(), Purpose::Write).map(drop)
    }
}
