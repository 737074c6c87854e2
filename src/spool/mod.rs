//! The spool: messages as they came, in compressed segments, and an index derived from them.
//!
//! ```text
//! writer ── frame ── segment (zstd) ── format        bytes, durable before they are acknowledged
//!    └─ indexing ── indexer ── tracker ── index      what they say: transactions, re-sends, gaps
//! reader ── index, segment                           many, also while a writer appends
//! ```
//!
//! It knows bytes and what [`crate::event`] reads from them; nothing of brokers, plans or targets.

mod check;
mod files;
mod fit;
mod forget;
pub mod format;
mod frame;
mod grouping;
mod home;
mod index;
mod index_read;
mod index_schema;
mod index_write;
mod indexer;
mod indexing;
mod kept;
mod keyed;
mod keys;
mod keys_index;
mod landmark;
mod lock;
mod lookup;
mod notes;
mod opened;
mod packed;
mod place;
mod ranges;
mod reader;
mod records;
mod recovery;
mod resend;
mod scan;
mod segment;
mod snapshots;
mod tables;
#[cfg(test)]
mod tests;
mod tracker;
mod troubles;
mod types;
mod walk;
mod widths;
mod writer;
mod zone;
mod zones;

pub use check::{Finding, Report, reindex, verify};
pub use forget::{Dependents, forget};
pub use frame::{Batch, Frame, Message, Record};
pub use kept::{keep, kept};
pub use keyed::RowKey;
pub use reader::Spool;
pub use records::Records;
pub use snapshots::{add_snapshot, snapshots};
pub use troubles::Trouble;
pub use types::{
    BadFrame, Biggest, Bootstrap, Counts, Damaged, DdlRef, End, Epoch, Gap, GapKind, Recovery,
    SegmentInfo, Seq, Summary, TailFrame, TailRecord, Transaction, TransactionKind,
};
pub use writer::{SEGMENT_BYTES, SpoolWriter, WriterOptions};
pub use zone::{Numbers, Touched, Zone};
pub use zones::Survey;
