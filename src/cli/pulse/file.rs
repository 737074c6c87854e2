//! Metrics in a file that is there whole or as it was before.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::cli::line;
use crate::error::{Error, Result};

/// The file; it is readable for all, as collectors need it.
pub(super) struct MetricsFile {
    path: PathBuf,
    /// Beside it: what a kill leaves there is written over the next time.
    new: PathBuf,
    /// That it cannot be written was said.
    failing: bool,
}

impl MetricsFile {
    /// # Errors
    /// When no file can be there (usage).
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        let wrong = || {
            Error::usage(format!("--metrics-file {}: no file can be there", path.display()))
                .help("name a file in a folder that is there")
        };
        let name = path.file_name().filter(|_| !path.is_dir()).ok_or_else(wrong)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(wrong());
        }
        let mut new = name.to_owned();
        new.push(".new");
        Ok(Self { new: path.with_file_name(new), path, failing: false })
    }

    /// Writes it; where that fails, it is said once, and tried again the next time.
    pub(super) fn write(&mut self, text: &str) {
        let done = write(&self.new, &self.path, text);
        if let (Err(e), false) = (&done, self.failing) {
            line(&format!("{}: metrics cannot be written: {e}", self.path.display()));
        }
        self.failing = done.is_err();
    }
}

fn write(new: &Path, path: &Path, text: &str) -> io::Result<()> {
    fs::write(new, text)?;
    fs::set_permissions(new, fs::Permissions::from_mode(0o644))?;
    fs::rename(new, path)
}
