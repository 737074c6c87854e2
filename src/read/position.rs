//! How far a named export has come: a small file in the spool's folder.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};
use crate::spool::{Seq, Spool};

/// A position that outlives the process. What was handed out before it was saved comes again.
pub struct Position {
    file: PathBuf,
    kept: Kept,
    saved: Seq,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    spool: String,
    what: String,
    next: Seq,
}

impl Position {
    /// Opens the position of that name; `what` says what is exported.
    ///
    /// # Errors
    /// When the name cannot be a file's, or it was used for something else (usage).
    pub fn open(spool: &Spool, name: &str, what: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(Error::usage(format!("--name {name:?} cannot be a file's name"))
                .help("take letters, digits, and - _ ."));
        }
        let file = spool.dir().join("export").join(name);
        let new = Kept { spool: spool.id().to_owned(), what: what.to_owned(), next: 0 };
        let kept = match fs::read(&file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => new,
            read => {
                let kept: Kept = serde_json::from_slice(&read.context(file.display())?)
                    .context(file.display())?;
                if kept.spool != new.spool || kept.what != new.what {
                    return Err(Error::usage(format!(
                        "--name {name} belongs to another export: {} (this one: {what})",
                        kept.what
                    ))
                    .help(format!("take another name, or delete {}", file.display())));
                }
                kept
            }
        };
        let saved = kept.next;
        Ok(Self { file, kept, saved })
    }

    /// The first record that was not handed out; 0 when none was.
    pub fn next(&self) -> Seq {
        self.kept.next
    }

    /// All records before this one have been handed out.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reached(&mut self, next: Seq) -> Result<()> {
        self.kept.next = next;
        if self.saved == next {
            return Ok(());
        }
        let dir = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir).context(dir.display())?;
        let mut new = tempfile::NamedTempFile::new_in(dir).context(dir.display())?;
        let bytes = serde_json::to_vec(&self.kept).context("position")?;
        new.write_all(&bytes).context(dir.display())?;
        new.persist(&self.file).context(self.file.display())?;
        self.saved = next;
        Ok(())
    }
}
