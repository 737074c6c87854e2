//! Small files beside the segments, each written whole or not at all. What is in them is not the
//! spool's affair.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::files;
use super::segment::sync_dir;
use crate::error::{Context, Result};

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
