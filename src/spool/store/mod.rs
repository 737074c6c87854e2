//! Bytes: records in frames, frames in segments, durable and found again after whatever happened.
//! Nothing here knows what a record says.

pub(crate) mod copies;
pub(crate) mod disk;
pub(crate) mod fetch;
pub(crate) mod files;
pub mod format;
pub(crate) mod frame;
pub(crate) mod framed;
pub(crate) mod kept;
pub(crate) mod key;
pub(crate) mod lock;
pub(crate) mod log;
pub(crate) mod place;
pub(crate) mod pruned;
pub(crate) mod ranges;
pub(crate) mod recovery;
pub(crate) mod scan;
pub(crate) mod seal;
pub(crate) mod segment;
pub(crate) mod segment_reader;
pub(crate) mod segments;
