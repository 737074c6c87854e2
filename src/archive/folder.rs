//! A folder, perhaps of another machine.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use super::content::Content;
use super::place::{Archive, not_there};
use crate::error::{Context, Error, Result};

/// A folder.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder's full path.
    ///
    /// # Errors
    /// When it is not there (usage).
    pub(super) fn full_name(to: &str) -> Result<String> {
        let path = Path::new(to);
        let full = path.canonicalize().ok().filter(|full| full.is_dir());
        let full = full.ok_or_else(|| {
            Error::usage(format!("{to}: no folder is there")).help(
                "make it, or see that its disk is there; s3://BUCKET/PREFIX is an object store",
            )
        })?;
        full.into_os_string()
            .into_string()
            .map_err(|_| Error::usage(format!("{to}: a path that is no UTF-8")))
    }

    pub(super) fn new(path: &str) -> Self {
        Self(path.into())
    }

    /// Refuses to take a folder whose disk is not there for one that is empty.
    fn check(&self) -> Result<()> {
        match self.0.is_dir() {
            true => Ok(()),
            false => Err(Error::stopped(format!("{}: the archive is not there", self.0.display()))
                .help("see that its disk is there, then run the same command again")),
        }
    }
}

impl Archive for Folder {
    fn put(&self, name: &str, mut file: &File, content: &Content) -> Result<()> {
        self.check()?;
        let path = self.0.join(name);
        let folder = path.parent().unwrap_or(&self.0);
        if !folder.is_dir() {
            fs::create_dir(folder).and_then(|()| sync(&self.0)).map_err(|e| full(folder, &e))?;
        }
        file.rewind().context(path.display())?;
        let mut new = tempfile::NamedTempFile::new_in(folder).map_err(|e| full(folder, &e))?;
        let copied = std::io::copy(&mut file.take(content.bytes), &mut new);
        copied.and_then(|_| new.as_file().sync_all()).map_err(|e| full(&path, &e))?;
        new.persist(&path).map_err(|e| full(&path, &e.error))?;
        sync(folder).map_err(|e| full(folder, &e))
    }

    fn len(&self, name: &str) -> Result<Option<u64>> {
        self.check()?;
        let path = self.0.join(name);
        match path.metadata() {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            meta => Ok(Some(meta.context(path.display())?.len())),
        }
    }

    fn get(&self, name: &str, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.check()?;
        let path = self.0.join(name);
        let mut file = match File::open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(not_there(&path.display().to_string()));
            }
            file => file.context(path.display())?,
        };
        let mut piece = vec![0; 1 << 20];
        loop {
            match file.read(&mut piece).context(path.display())? {
                0 => return Ok(()),
                n => take(&piece[..n])?,
            }
        }
    }
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn full(path: &Path, e: &std::io::Error) -> Error {
    Error::stopped(format!("{}: {e}", path.display()))
        .help("nothing is lost: see to that disk, then run the same command again")
}
