//! What reading one frame's records adds to the index.

use super::packed::Closed;
use super::resend::Ident;
use crate::event::{BinlogPos, Op};
use crate::spool::store::format::Header;
use crate::spool::store::ranges::Ranges;
use crate::spool::types::{Epoch, Gap, GapKind, Seq};

/// The findings of one frame, in the order of its records.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) resend: Ranges,
    pub(crate) damaged: Ranges,
    pub(crate) damages: Vec<DamageNote>,
    /// Transactions that ended, or were found to have ended before, by rising last sequence.
    pub(crate) closed: Vec<Closed>,
    pub(crate) ddl: Vec<DdlNote>,
    /// Epochs begun, or known better now.
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) gaps: Vec<Gap>,
    /// Bootstraps begun, completed or ended.
    pub(crate) bootstraps: Vec<BootstrapNote>,
    pub(crate) ranges: Vec<ChainRange>,
    /// Rows in no chain.
    pub(crate) strays: Vec<(Seq, Ident)>,
}

/// A record that could not be read.
#[derive(Debug)]
pub(crate) struct DamageNote {
    pub(crate) index: usize,
    pub(crate) len: u64,
    pub(crate) reason: String,
}

/// A DDL message that is no re-send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DdlNote {
    pub(crate) seq: Seq,
    pub(crate) group: Seq,
    pub(crate) epoch: u32,
    pub(crate) position: Option<BinlogPos<()>>,
    pub(crate) hash: u64,
    pub(crate) op: Op,
    pub(crate) sql: String,
}

/// A bootstrap as known so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct BootstrapNote {
    pub(crate) table: u32,
    pub(crate) start: Seq,
    pub(crate) complete_ts: Option<i64>,
    pub(crate) end: Option<Seq>,
}

/// The positions a frame holds of one chain: a run of rows whose positions rise. Ranges of one
/// chain rise from frame to frame, so that a position is found with one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainRange {
    pub(crate) chain: usize,
    pub(crate) min: (u64, u64),
    pub(crate) max: (u64, u64),
}

impl Notes {
    pub(crate) fn gap(&mut self, seq: Seq, kind: GapKind, detail: String) {
        self.gaps.push(Gap { seq, kind, detail });
    }

    /// Notes the runs of records that may be stored twice. Those that the message itself tells to be
    /// re-sends are in no doubt.
    pub(crate) fn maybe_twice(&mut self, header: &Header) {
        for (part, _) in header.joined() {
            let [from, to] = [part.start, part.end].map(|seq| (seq - header.first) as usize);
            let told = |i: &usize| header.maybe_twice.get(*i) == Some(&true);
            let all: Vec<usize> =
                (from..to).filter(told).filter(|i| !self.resend.contains(*i)).collect();
            for run in all.chunk_by(|a, b| a + 1 == *b) {
                let [from, to] = [run[0], run[run.len() - 1]].map(|i| header.first + i as u64);
                let detail = format!(
                    "messages {from} to {to} were handed out a second time, and what they say does \
                     not tell whether they are some of those stored before them"
                );
                self.gap(from, GapKind::MaybeTwice, detail);
            }
        }
    }

    /// Names the queue of what was merged from it later than what stands behind it.
    pub(crate) fn late(&mut self, header: &Header) {
        let Some(merged) = &header.merged else { return };
        for gap in self.gaps.iter_mut().filter(|gap| gap.kind == GapKind::PositionBack) {
            let record = gap.seq.checked_sub(header.first);
            if let Some(queue) = record.and_then(|record| merged.queue(record)) {
                gap.kind = GapKind::Late;
                gap.detail = format!(
                    "from queue {queue}, when what stands behind it in the source had been merged: \
                     {}",
                    gap.detail
                );
            }
        }
    }

    /// Notes a stored row of a chain; rows of one chain come rising.
    pub(crate) fn at_position(&mut self, chain: usize, ident: Ident) {
        let at = (ident.file, ident.offset);
        match self.ranges.iter_mut().rev().find(|r| r.chain == chain) {
            Some(range) => range.max = at,
            None => self.ranges.push(ChainRange { chain, min: at, max: at }),
        }
    }
}
