//! Where a script goes: a new file that appears when it is whole, or what is there to be written to.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::NamedTempFile;

use crate::error::{Context as _, Error, Result};

/// Where a script goes.
pub(in crate::cli) enum Out {
    /// To stdout, a pipe or a device, as it is made.
    Stream(Box<dyn Write + Send>),
    /// To a file that is not there yet.
    New(PathBuf),
    /// To a file that replaces the one that is there.
    Instead(PathBuf),
}

impl Out {
    /// What is meant by `-o`: nothing and `-` are stdout. What is there is looked at first:
    /// pipes and devices are written to, a file is replaced by `force` only, and no link is.
    ///
    /// # Errors
    /// When something else is there (usage), or the place cannot be written.
    pub(in crate::cli) fn open(path: Option<&Path>, force: bool) -> Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stream(Box::new(io::stdout())));
        };
        let place = &path.display();
        let there = match fs::symlink_metadata(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                    let missing = format!("{place}: there is no folder {}", folder.display());
                    return Err(Error::usage(missing).help("make it, or name another place"));
                }
                return Ok(Self::New(path.to_owned()));
            }
            there => there.context(place)?.file_type(),
        };
        let kind = match there.is_symlink() {
            // As /dev/stdout is.
            true => fs::metadata(path).map_or(there, |leads_to| leads_to.file_type()),
            false => there,
        };
        if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() && force {
            let to = File::options().write(true).open(path).context(place)?;
            return Ok(Self::Stream(Box::new(to)));
        }
        let refused = |what: &str, help: &str| {
            Err(Error::usage(format!("{place} is {what}")).help(help.to_owned()))
        };
        match kind {
            _ if there.is_symlink() => {
                refused("a link, which is not replaced", "name the file itself; - is stdout")
            }
            kind if kind.is_dir() => {
                refused("a folder", "name a file in it, or write files with --split")
            }
            kind if kind.is_block_device() => refused("a disk", "--force writes over it"),
            kind if !kind.is_file() => refused("no file", "name another place"),
            _ if !force => refused("there already", "--force replaces it, or name another file"),
            _ => Ok(Self::Instead(path.to_owned())),
        }
    }

    /// Hands what the script is written to to `write`; a file appears when that has done all.
    ///
    /// # Errors
    /// As `write` has it, when a file has come to be there meanwhile, or the disk refuses.
    pub(in crate::cli) fn fill<T>(
        self,
        write: impl FnOnce(Box<dyn Write + Send>) -> Result<T>,
    ) -> Result<T> {
        let (path, instead) = match self {
            Self::Stream(to) => return write(to),
            Self::New(path) => (path, false),
            Self::Instead(path) => (path, true),
        };
        let place = &path.display();
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or(".".as_ref())).context(place)?;
        if instead {
            let rights = fs::metadata(&path).context(place)?.permissions();
            file.as_file().set_permissions(rights).context(place)?;
        }
        let done = write(Box::new(file.reopen().context(place)?))?;
        file.as_file().sync_all().context(place)?;
        let kept = if instead { file.persist(&path) } else { file.persist_noclobber(&path) };
        kept.context(place)?;
        Ok(done)
    }
}

/// A writer that notes when its reader has gone away, who has seen enough then.
pub(super) struct Noted {
    pub(super) to: Box<dyn Write + Send>,
    pub(super) gone: Arc<AtomicBool>,
}

impl Noted {
    fn noted<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if done.as_ref().is_err_and(|e| e.kind() == ErrorKind::BrokenPipe) {
            self.gone.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl Write for Noted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.to.write(bytes);
        self.noted(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.to.flush();
        self.noted(done)
    }
}
