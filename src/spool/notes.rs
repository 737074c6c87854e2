//! What reading one frame's records adds to the index.

use super::packed::Closed;
use super::ranges::Ranges;
use super::resend::Ident;
use super::types::{Epoch, Gap, GapKind, Seq};
use crate::event::{BinlogPos, Op};

/// The findings of one frame, in the order of its records.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) resend: Ranges,
    pub(super) damaged: Ranges,
    pub(super) damages: Vec<DamageNote>,
    /// Transactions that ended, or were found to have ended before, by rising last sequence.
    pub(super) closed: Vec<Closed>,
    pub(super) ddl: Vec<DdlNote>,
    /// Epochs begun, or known better now.
    pub(super) epochs: Vec<Epoch>,
    pub(super) gaps: Vec<Gap>,
    /// Bootstraps begun, completed or ended.
    pub(super) bootstraps: Vec<BootstrapNote>,
    pub(super) ranges: Vec<ChainRange>,
    /// Rows in no chain.
    pub(super) strays: Vec<(Seq, Ident)>,
}

/// A record that could not be read.
#[derive(Debug)]
pub(super) struct DamageNote {
    pub(super) index: usize,
    pub(super) len: u64,
    pub(super) reason: String,
}

/// A DDL message that is no re-send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DdlNote {
    pub(super) seq: Seq,
    pub(super) group: Seq,
    pub(super) epoch: u32,
    pub(super) position: Option<BinlogPos<()>>,
    pub(super) hash: u64,
    pub(super) op: Op,
    pub(super) sql: String,
}

/// A bootstrap as known so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct BootstrapNote {
    pub(super) table: u32,
    pub(super) start: Seq,
    pub(super) complete_ts: Option<i64>,
    pub(super) end: Option<Seq>,
}

/// The positions a frame holds of one chain: a run of rows whose positions rise. Ranges of one
/// chain rise from frame to frame, so that a position is found with one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainRange {
    pub(super) chain: usize,
    pub(super) min: (u64, u64),
    pub(super) max: (u64, u64),
}

impl Notes {
    pub(super) fn gap(&mut self, seq: Seq, kind: GapKind, detail: String) {
        self.gaps.push(Gap { seq, kind, detail });
    }

    /// Notes a stored row of a chain; rows of one chain come rising.
    pub(super) fn at_position(&mut self, chain: usize, ident: Ident) {
        let at = (ident.file, ident.offset);
        match self.ranges.iter_mut().rev().find(|r| r.chain == chain) {
            Some(range) => range.max = at,
            None => self.ranges.push(ChainRange { chain, min: at, max: at }),
        }
    }
}
