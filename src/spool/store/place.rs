//! Where a frame lies.

use std::fmt;

use crate::spool::types::Seq;

/// File name of the segment that begins with `first`.
pub(crate) fn name(first: Seq) -> String {
    format!("{first:020}.zst")
}

/// Where a frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// First sequence of its segment, which is the segment's name.
    pub(crate) segment: Seq,
    /// Offset of its header.
    pub(crate) offset: u64,
    /// Length of header and body.
    pub(crate) len: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} offset {}", name(self.segment), self.offset)
    }
}
