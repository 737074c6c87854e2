//! Spools that captures made side by side become one, in the source's order.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Watch;
use super::merge::{Feed, Merger};
use crate::error::{Error, Result};
use crate::spool::{self, Lot, Lots, SpoolWriter};

/// What became of a merge.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Messages that wait for another spool to come as far.
    pub waiting: u64,
    /// Something in a spool could not be read, or was pruned before it was merged.
    pub lost: bool,
}

/// Merges what the spools hold into one, and goes on where the last merge of them ended. One that is
/// being written, and with `more_to_come` each, has more to come: what the others have behind its
/// last message then waits.
///
/// # Errors
/// When a spool cannot be read, or its messages tell no place. Run again, it goes on.
pub fn merge(
    spool: &mut SpoolWriter,
    spools: &[PathBuf],
    more_to_come: bool,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<Outcome> {
    let mut feeds: Vec<SpoolFeed> = Vec::new();
    for dir in spools {
        let feed = SpoolFeed::open(dir, spool.merged(), more_to_come)?;
        if feeds.iter().any(|other| other.id == feed.id) {
            return Err(Error::usage(format!("{}: the same spool is named twice", dir.display())));
        }
        feeds.push(feed);
    }
    let mut outcome = Outcome::default();
    for pruned in feeds.iter().filter_map(|feed| feed.pruned.as_ref()) {
        outcome.lost = true;
        watch.say(pruned);
    }
    let mut merger = Merger::new(feeds, spool.merged());
    loop {
        let batch = merger.batch()?;
        for unreadable in merger.feeds().flat_map(|feed| feed.lots.take_unreadable()) {
            outcome.lost = true;
            watch.say(&format!("{unreadable}; it was not merged"));
        }
        if batch.is_empty() {
            break;
        }
        spool.append_unsynced(&batch)?;
        watch.stored(batch.len() as u64, batch.records.len() as u64);
        if stop.load(Ordering::Relaxed) {
            return Err(Error::stopped("stopped by a signal").help("run it again: it goes on"));
        }
    }
    spool.sync()?;
    for (feed, place) in merger.places() {
        let left = feed.lots.next().saturating_sub(place);
        outcome.waiting += left;
    }
    Ok(outcome)
}

/// A spool, as it is read.
struct SpoolFeed {
    /// Its id: what it is known by, wherever it is.
    id: String,
    lots: Lots,
    /// More is to come.
    open: bool,
    /// What was pruned before it was merged, in words.
    pruned: Option<String>,
}

impl SpoolFeed {
    fn open(dir: &Path, merged: &[(String, u64)], more_to_come: bool) -> Result<Self> {
        let id = spool::id_of(dir)?.ok_or_else(|| {
            Error::usage(format!("{}: no spool with messages here", dir.display()))
        })?;
        let place = merged.iter().find(|(known, _)| *known == id).map_or(1, |(_, place)| *place);
        let pruned = spool::pruned(dir)?.filter(|pruned| place < pruned.begin);
        let begin = pruned.map_or(place, |pruned| pruned.begin);
        let pruned = (place < begin).then(|| {
            let (dir, last) = (dir.display(), begin - 1);
            format!("{dir}: messages {place} to {last} were pruned before they were merged")
        });
        // Asked before it is read: what is written afterwards is read or not.
        let open = more_to_come || spool::is_written(dir)?;
        Ok(Self { id, lots: Lots::new(dir, begin)?, open, pruned })
    }
}

impl Feed for SpoolFeed {
    fn queue(&self) -> &str {
        &self.id
    }

    fn read(&mut self) -> Result<Option<Lot>> {
        self.lots.read()
    }

    fn has_passed(&self, _: i64) -> bool {
        !self.open
    }
}
