//! The spool: messages as they came, in compressed segments, and an index derived from them.
//!
//! ```text
//! writer ── store (frame, segment, format)      bytes, durable before they are acknowledged
//!    └───── index (indexer) ── follow           what they say: transactions, re-sends, gaps
//! reader ── index, store                        many, also while a writer appends
//! ```
//!
//! Three rooms, each of which knows only those before it: `store`, `follow`, `index`. The
//! files beside them are what is asked of the whole.
//!
//! It knows bytes and what [`crate::event`] reads from them; nothing of brokers, plans or targets.

mod archive;
mod begin;
mod check;
mod follow;
mod forget;
mod inbox;
mod inboxes;
mod index;
mod landmark;
mod lots;
mod opened;
mod prune;
mod reader;
mod records;
mod repair;
mod sealing;
mod snapshots;
mod state;
mod store;
mod tail;
#[cfg(test)]
mod tests;
mod troubles;
mod types;
mod walk;
mod walks;
mod writer;

use std::path::Path;

use crate::error::Result;

pub use archive::{Archived, InArchive, archive};
pub use check::{Finding, Report, reindex, verify};
pub use forget::{Dependents, forget};
pub use inbox::{Inbox, Standing};
pub use inboxes::Waiting;
pub use index::keyed::RowKey;
pub use index::zone::{Numbers, Touched, Zone};
pub use index::zones::Survey;
pub use lots::{Lot, Lots};
pub use prune::{Prune, Wish, prune};
pub use reader::Spool;
pub use records::Records;
pub use repair::{Repair, repair};
pub use snapshots::{add_snapshot, snapshots};
pub use state::State;
pub use store::copies::Copied;
pub use store::format;
pub use store::frame::{Batch, Frame, Message, Record};
pub use store::kept::{Held, forget_kept, hold, is_held, keep, kept, kept_names, seize};
pub use store::key::decrypt_with;
pub use store::pruned::{Pruned, pruned};
pub use troubles::Trouble;
pub use types::{
    BadFrame, Biggest, Bootstrap, Counts, Damaged, DdlRef, End, Epoch, Gap, GapKind, Numbered,
    Recovery, SegmentInfo, Seq, Summary, TailFrame, TailRecord, Transaction, TransactionKind,
};
pub use writer::{SEGMENT_BYTES, SpoolWriter, WriterOptions};

/// The id of the spool in a folder, 32 hex digits; `None`: there is no readable frame.
///
/// # Errors
/// When a segment cannot be read or is of a newer version.
pub fn id_of(dir: &Path) -> Result<Option<String>> {
    Ok(store::recovery::spool_id(dir)?.map(|id| id.to_string()))
}

/// True while a capture or an import writes there.
///
/// # Errors
/// When its lock cannot be looked at.
pub fn is_written(dir: &Path) -> Result<bool> {
    Ok(store::lock::writer(dir)?.is_some())
}
