//! Which segments there are, and where: in their folder, or in the archive alone. What is in the
//! folder comes first, whatever the archive has of it.

use std::fs::{self, File};
use std::path::Path;

use super::copies::{Copied, Copies};
use super::format::MAX_SEQ;
use super::segment::{generation, path};
use super::{fetch, files};
use crate::error::{Context, Result};
use crate::spool::types::Seq;

/// First sequences of the segments that are in the folder, rising.
///
/// # Errors
/// When the directory cannot be read, or a segment is no regular file.
pub(crate) fn here(dir: &Path) -> Result<Vec<Seq>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).context(dir.display())? {
        let file = entry.context(dir.display())?.file_name();
        let digits = file.to_str().and_then(|f| f.strip_suffix(".zst")).filter(|d| d.len() == 20);
        found.extend(digits.and_then(|d| d.parse::<Seq>().ok()).filter(|&first| first < MAX_SEQ));
    }
    found.sort_unstable();
    found.iter().try_for_each(|&first| files::check(&path(dir, first)))?;
    Ok(found)
}

/// The segments as they stand.
pub(crate) struct Segments {
    here: Vec<Seq>,
    copies: Option<Copies>,
}

impl Segments {
    /// Looks at the folder.
    ///
    /// # Errors
    /// As [`here`], and when the record of the copies cannot be read.
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        let here = here(dir)?;
        // Read afterwards: what has just gone from the folder is among the copies.
        Ok(Self { here, copies: Copies::read(dir)? })
    }

    /// First sequences of all, rising.
    pub(crate) fn all(&self) -> Vec<Seq> {
        let mut all = self.here.clone();
        all.extend(self.away().map(|copied| copied.first));
        all.sort_unstable();
        all
    }

    /// Those that are in the archive alone, rising.
    pub(crate) fn away(&self) -> impl Iterator<Item = &Copied> {
        let all = self.copies.iter().flat_map(|copies| &copies.all);
        all.filter(|copied| self.here.binary_search(&copied.first).is_err())
    }

    /// The copy of a segment that is in the archive alone.
    pub(crate) fn copied(&self, first: Seq) -> Option<&Copied> {
        let copies = self.copies.as_ref().filter(|_| self.here.binary_search(&first).is_err());
        copies?.of(first)
    }

    /// Where the copies are, and all of them.
    pub(crate) fn copies(&self) -> Option<&Copies> {
        self.copies.as_ref()
    }

    /// The length of a segment and how often it was sealed; nothing is fetched for it.
    ///
    /// # Errors
    /// When it cannot be read, or is nowhere.
    pub(crate) fn look(&self, dir: &Path, first: Seq) -> Result<(u64, u32)> {
        if let Some(copied) = self.copied(first) {
            return Ok((copied.bytes, copied.generation));
        }
        // Fetched if it has gone in this moment.
        let (file, path) = (open(dir, first)?, path(dir, first));
        let len = file.metadata().context(path.display())?.len();
        Ok((len, generation(&file).context(path.display())?))
    }
}

/// First sequences of all segments, rising.
///
/// # Errors
/// As [`Segments::of`].
pub(crate) fn list(dir: &Path) -> Result<Vec<Seq>> {
    Segments::of(dir).map(|segments| segments.all())
}

/// Opens a segment; one that is in the archive alone is fetched.
///
/// # Errors
/// When it cannot be read, or be had from the archive.
pub(crate) fn open(dir: &Path, first: Seq) -> Result<File> {
    let path = path(dir, first);
    match files::read(&path) {
        // Also one that has gone in this moment.
        Err(e) if path.symlink_metadata().is_err() => {
            let copies = Copies::read(dir)?;
            let copy = copies.as_ref().and_then(|copies| Some((copies, copies.of(first)?)));
            copy.map_or(Err(e), |(copies, copied)| fetch::open(dir, copies, copied))
        }
        opened => opened,
    }
}
