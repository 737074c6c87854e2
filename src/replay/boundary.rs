//! Where a source transaction ends, seen from the events alone and in either direction.

use crate::event::{Direction, Meta};

/// Follows the events, in the order of their processing, and says where a transaction may be cut.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    /// The transaction that is begun and not ended, by its xid (none for non-transactional rows).
    open: Option<Option<u64>>,
}

impl Boundary {
    /// True when a transaction is begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes the next event; true when everything before it is whole.
    ///
    /// Bootstrap rows belong to no transaction and may stand inside one.
    pub(super) fn before(&mut self, meta: &Meta<'_>, direction: Direction) -> bool {
        if !meta.op.is_row() {
            if meta.op.is_ddl() {
                self.open = None;
            }
            return self.open.is_none();
        }
        if meta.is_alone() {
            self.open = None;
            return true;
        }
        match direction {
            Direction::Forward => {
                // Another xid while one is open: the commit row never came.
                let cut = self.open.is_none_or(|xid| xid != meta.xid);
                self.open = (!meta.commit).then_some(meta.xid);
                cut
            }
            Direction::Reverse => {
                let cut = meta.commit || self.open.is_none_or(|xid| xid != meta.xid);
                self.open = Some(meta.xid);
                cut
            }
        }
    }
}
