//! Segments that were sealed on their way into their places.

use super::Indexer;
use crate::error::Result;
use crate::spool::index::db;
use crate::spool::store::format::SpoolId;
use crate::spool::store::lock::Places;
use crate::spool::store::{pruned, seal, segment};
use crate::spool::types::Seq;

impl Indexer {
    /// Puts a sealed segment, all of which was indexed before it was sealed, into its place. False:
    /// that is to be tried later.
    ///
    /// # Errors
    /// When a file cannot be read or written; the next start does what is not done.
    pub(crate) fn put_in_place(&mut self, spool: SpoolId, segment: Seq) -> Result<bool> {
        let Some(_places) = Places::change(self.home.dir())? else { return Ok(false) };
        self.save(spool)?;
        let dir = self.home.dir();
        let placed = seal::put_in_place(dir, segment);
        self.lookup.forget();
        match placed.and_then(|()| self.index.adopt(dir, segment)) {
            Ok(true) => Ok(true),
            _ if pruned::is_gone(dir, segment)? => segment::remove(dir, segment).map(|()| true),
            Ok(false) => Err(db::damaged("it does not know all of a segment that was sealed")),
            Err(e) => Err(e),
        }
    }

    /// Leaves a sealed segment out of its place.
    pub(crate) fn leave(&self, segment: Seq) {
        seal::discard(self.home.dir(), segment);
    }
}
