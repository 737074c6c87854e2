//! Where what is left of a spool begins, and what is said to whoever wants what came before.

use std::ops::Range;

use super::reader::Spool;
use super::store::pruned::Pruned;
use super::types::Seq;
use crate::error::{Error, Means, Result};

impl Spool {
    /// What was pruned from the front, if anything.
    pub fn pruned(&self) -> Option<&Pruned> {
        self.opened.pruned.as_ref()
    }

    /// The first message that is read.
    pub fn begin(&self) -> Seq {
        self.pruned().map_or(1, |pruned| pruned.begin)
    }

    /// The part of a stretch that was not pruned.
    pub(super) fn left(&self, range: Range<Seq>) -> Range<Seq> {
        let begin = self.pruned().map_or(0, |pruned| pruned.begin);
        range.start.max(begin)..range.end.max(begin)
    }

    /// Refuses whoever wants to go on at a message that was pruned; `who` says where it has come to.
    ///
    /// # Errors
    /// As said.
    pub fn check_begin(&self, next: Seq, who: &str) -> Result<()> {
        let Some(pruned) = self.pruned().filter(|pruned| next < pruned.begin) else {
            return Ok(());
        };
        let begin = pruned.begin;
        Err(Error::stopped(format!("{who}, and {pruned}: what it has not taken of them is gone"))
            .help(
                "bring back the spool as it was then, from a backup; or begin anew under another "
                    + Means::Name
                    + format!(" at message {begin}, with what came before from elsewhere"),
            ))
    }
}
