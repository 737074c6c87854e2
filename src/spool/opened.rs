//! Opens the index for reading: as it stands, brought up to date, or in a temporary folder.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::index::cipher::Made;
use super::index::db::Index;
use super::index::fit::{self, Fit};
use super::index::home::Home;
use super::index::indexer::Indexer;
use super::store::files;
use super::store::key::key;
use super::store::lock::{Lock, Purpose};
use super::store::pruned::{self, Pruned};
use super::store::recovery;
use super::types::{BadFrame, Seq};
use crate::error::{Error, ErrorKind, Means, Result};

/// An index as far as it could be brought.
pub(super) struct Opened {
    pub(super) home: Home,
    pub(super) index: Index,
    /// Segments that are not as it has them.
    pub(super) misfits: Vec<BadFrame>,
    /// Why it was built anew, when it was found damaged.
    pub(super) mended: Option<String>,
    /// What was pruned.
    pub(super) pruned: Option<Pruned>,
}

/// The index as far as it can be brought.
pub(super) fn open(dir: &Path) -> Result<Opened> {
    let home = Home::new(dir);
    let writable = files::is_writable(dir);
    let deadline = Instant::now() + Duration::from_secs(10);
    let pruned = pruned::pruned(dir)?;
    loop {
        let mut known = known(&home)?;
        let fits = match &known {
            Some((index, fit)) => fit.complete && index.made(&home, key())? != Made::Without,
            None => false,
        };
        if fits && let Some((index, Fit { misfits, .. })) = known.take() {
            return Ok(Opened { home, index, misfits, mended: None, pruned });
        }
        let lock = match writable {
            true => Lock::try_take(dir, Purpose::Index)?,
            false => Lock::look(dir)?,
        };
        if let Some(lock) = lock {
            let home = match (writable, known.is_some()) {
                (true, _) => home,
                (false, true) => Home::copied(dir)?,
                (false, false) => Home::apart(dir)?,
            };
            let mended = catch_up(&home)?;
            drop(lock);
            let built = Index::open_read(home.index())?;
            let index = built.ok_or_else(|| Error::failed("index.sqlite: cannot be built"))?;
            return Ok(Opened { home, index, misfits: Vec::new(), mended, pruned });
        }
        // A writer is alive: what it has indexed so far is good.
        if let Some((index, Fit { misfits, .. })) = known {
            return Ok(Opened { home, index, misfits, mended: None, pruned });
        }
        if Instant::now() > deadline {
            return Err(Error::failed(format!(
                "{}: another process is still building the index",
                dir.display()
            ))
            .help("try again in a moment"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The index as it stands, and how the segments are to it; `None`: there is none that can be used.
fn known(home: &Home) -> Result<Option<(Index, Fit)>> {
    let looked = || -> Result<Option<(Index, Fit)>> {
        let Some(index) = Index::open_read(home.index())? else { return Ok(None) };
        if index.get("spool")?.is_none() {
            return Ok(None);
        }
        let fit = fit::fit(home.dir(), &index)?;
        Ok(Some((index, fit)))
    };
    match looked() {
        // Built anew by whoever holds the lock.
        Err(e) if e.kind() == ErrorKind::Damaged => Ok(None),
        other => other,
    }
}

/// Why the index was built anew, if it was found damaged.
fn catch_up(home: &Home) -> Result<Option<String>> {
    let dir = home.dir();
    let spool = recovery::spool_id(dir)?.ok_or_else(|| {
        Error::usage(format!("{}: the spool is empty", dir.display()))
            .help(("{} or {} fills it", [Means::Capture, Means::Import]))
    })?;
    let (mut indexer, unfit) = Indexer::open(home)?;
    indexer.catch_up(spool, Seq::MAX)?;
    Ok(unfit.filter(|unfit| unfit.damaged).map(|unfit| unfit.reason))
}
