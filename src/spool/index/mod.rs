//! What was followed, in SQLite: derived from the segments, and built anew when it does not fit
//! them. [`indexer`] writes it, [`adopt`] follows it when segments are sealed; [`read`], [`zones`] and
//! [`key_runs`] are what it is asked.

mod adopt;
pub(crate) mod cipher;
pub(crate) mod db;
pub(crate) mod fit;
pub(crate) mod home;
pub(crate) mod indexer;
pub(crate) mod indexing;
pub(crate) mod key_runs;
pub(crate) mod keyed;
pub(crate) mod keys;
pub(crate) mod lately;
pub(crate) mod pruned;
pub(crate) mod read;
pub(crate) mod schema;
pub(crate) mod stored;
pub(crate) mod sums;
pub(crate) mod widths;
pub(crate) mod write;
pub(crate) mod zone;
pub(crate) mod zones;
