//! What a spool keeps of the runs that have come from it, a file for each run and target.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::dest::Run;
use crate::error::{Context, Result};
use crate::event::TableName;
use crate::event::landmark::Landmark;
use crate::spool::{self, Seq, Spool};

/// The folder in the spool.
pub(super) const FOLDER: &str = "targets";

/// How far a run was seen to have come in a target.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) target: String,
    pub(super) name: String,
    pub(super) spool: String,
    pub(super) direction: String,
    pub(super) selection: String,
    pub(super) seq: Seq,
    pub(super) last: Option<Landmark>,
    /// When that was, milliseconds since 1970; an older version did not say.
    #[serde(default)]
    pub(super) at_ms: Option<i64>,
    /// Going back: how far; an older version did not say.
    #[serde(default)]
    pub(super) to: Option<Seq>,
    /// The tables that the run has written, and what tells them from others of their name.
    #[serde(default)]
    pub(super) tables: Vec<Written>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) name: TableName,
    /// `None` where the target does not tell.
    pub(super) identity: Option<String>,
}

impl Kept {
    /// True when it is of this run, and not of one before it that had the name.
    pub(super) fn is(&self, run: &Run) -> bool {
        run.continues(&self.spool, &self.direction, &self.selection)
    }
}

/// The name of the file of a run in a target.
pub(super) fn file(target: &str, run: &str) -> String {
    format!("{:016x}.json", xxh3_64(format!("{target:?} {run:?}").as_bytes()))
}

/// What such a file holds, where there is one.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(spool: &Spool, file: &str) -> Result<Option<Kept>> {
    let kept = spool::kept(spool.dir(), FOLDER, file)?;
    let kept = kept.map(|bytes| serde_json::from_slice(&bytes)).transpose();
    kept.context(spool.dir().join(FOLDER).join(file).display())
}
