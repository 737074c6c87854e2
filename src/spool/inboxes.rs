//! The inboxes of a spool, looked at from outside: what waits in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::inbox::{FOLDER, Inbox};
use super::index::db::Index;
use super::lots::Lots;
use super::store::files;
use super::store::scan::{Found, Scan};
use super::store::segment;
use super::store::segments;
use super::types::Seq;
use crate::error::{Context, Error, Result};
use crate::event::printable;

/// An inbox as it is found.
pub(super) struct Place {
    /// Its queue; where no frame can be read that tells it, the folder's name.
    pub(super) queue: String,
    /// Its folder.
    pub(super) dir: PathBuf,
    /// Every record before this one is merged, as far as the spool's index knows.
    pub(super) merged: Seq,
}

/// What of a queue is not merged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The queue.
    pub queue: String,
    /// How many messages.
    pub messages: u64,
    /// When the first of them arrived, milliseconds since 1970.
    pub since_ms: Option<i64>,
}

impl Inbox {
    /// Refuses to leave a queue out of which something is not merged yet.
    ///
    /// # Errors
    /// When there is one that is not among the `named` (usage), or the inboxes cannot be read.
    pub fn check_left(spool: &Path, merged: &[(String, Seq)], named: &[&str]) -> Result<()> {
        for Place { queue, dir, merged } in all(spool, merged)? {
            if !named.contains(&queue.as_str()) && Lots::new(&dir, merged)?.read()?.is_some() {
                return Err(Error::usage(format!(
                    "{}: messages of queue {} are stored here that are not merged yet",
                    spool.display(),
                    printable(&queue)
                ))
                .help("name that queue too: they are merged with the others"));
            }
        }
        Ok(())
    }

    /// True when there are inboxes in a spool.
    pub fn any(spool: &Path) -> bool {
        spool.join(FOLDER).is_dir()
    }
}

/// The inboxes that hold something, by their folders.
///
/// # Errors
/// When one cannot be read.
pub(super) fn all(spool: &Path, merged: &[(String, Seq)]) -> Result<Vec<Place>> {
    let folder = spool.join(FOLDER);
    files::check_folder(&folder)?;
    let mut all = Vec::new();
    if !Inbox::any(spool) {
        return Ok(all);
    }
    for entry in fs::read_dir(&folder).context(folder.display())? {
        let entry = entry.context(folder.display())?;
        let (dir, name) = (entry.path(), entry.file_name());
        files::check_folder(&dir)?;
        if segments::list(&dir)?.is_empty() {
            continue;
        }
        let queue = queue_of(&dir)?.unwrap_or_else(|| name.to_string_lossy().into_owned());
        let merged = merged.iter().find(|(known, _)| *known == queue).map_or(1, |known| known.1);
        all.push(Place { queue, dir, merged });
    }
    all.sort_by(|a, b| a.dir.cmp(&b.dir));
    Ok(all)
}

/// The same, with how far each is merged as the spool's index has it; without one, all before the
/// first segment is.
///
/// # Errors
/// When one cannot be read.
pub(super) fn known(spool: &Path) -> Result<Vec<Place>> {
    let index = Index::open_read(spool).ok().flatten();
    if let Some(merged) = index.and_then(|index| index.merged().ok()) {
        return all(spool, &merged);
    }
    let mut all = all(spool, &[])?;
    for place in &mut all {
        place.merged = segments::list(&place.dir)?.first().copied().unwrap_or(1);
    }
    Ok(all)
}

/// What waits in the inboxes. At most two segments of each are read.
///
/// # Errors
/// When one cannot be read.
pub(super) fn waiting(spool: &Path, merged: &[(String, Seq)]) -> Result<Vec<Waiting>> {
    let mut waiting = Vec::new();
    for Place { queue, dir, merged } in all(spool, merged)? {
        let segments = segments::list(&dir)?;
        let holds = segments.partition_point(|first| *first <= merged).saturating_sub(1);
        let (mut since_ms, mut end) = (None, merged);
        for &segment in segments.get(holds).into_iter().chain(segments.last()) {
            let Some(mut scan) = open(&dir, segment)? else { continue };
            while let Some(found) = scan.next()? {
                let Found::Frame { header, .. } = found else { continue };
                if header.end() > merged {
                    since_ms.get_or_insert(header.arrival_ms);
                    end = end.max(header.end());
                }
            }
        }
        waiting.push(Waiting { queue, messages: end - merged, since_ms });
    }
    Ok(waiting)
}

/// The queue, by the first frame that tells it.
fn queue_of(dir: &Path) -> Result<Option<String>> {
    for segment in segments::list(dir)? {
        let Some(mut scan) = open(dir, segment)? else { continue };
        while let Some(found) = scan.next()? {
            if let Found::Frame { header, .. } = found
                && header.queue.is_some()
            {
                return Ok(header.queue);
            }
        }
    }
    Ok(None)
}

/// A segment; `None` where it was merged meanwhile, and is gone.
fn open(dir: &Path, segment: Seq) -> Result<Option<Scan>> {
    match Scan::open(dir, segment, 0) {
        Err(_) if !segment::path(dir, segment).exists() => Ok(None),
        opened => opened.map(Some),
    }
}
