//! Rows to transactions, bootstrap messages to stretches. Sees no re-sends: only what is new.

use serde::{Deserialize, Serialize};

use super::notes::{BootstrapNote, Notes};
use super::packed::Closed;
use crate::event::{Facts, Meta, Op};
use crate::spool::types::{Counts, GapKind, Seq, TransactionKind};

/// The transaction and the bootstraps under way.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Grouping {
    open: Option<Open>,
    /// Bootstraps that have not ended.
    bootstraps: Vec<BootstrapNote>,
}

/// A transaction whose commit has not come.
#[derive(Debug, Serialize, Deserialize)]
struct Open {
    /// As it would be if none came.
    so_far: Closed,
    /// The xoffset to come; `None` where the stream has none.
    xoffset: Option<u64>,
}

/// A row's coordinates beyond what the message says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) seq: Seq,
    pub(crate) epoch: u32,
    /// The table's number; `None` for book-keeping, which no transaction counts.
    pub(crate) table: Option<u32>,
}

impl Grouping {
    /// First sequence of the open transaction.
    pub(crate) fn open(&self) -> Option<Seq> {
        self.so_far().map(|t| t.first)
    }

    /// First sequence of the open transaction if it has this xid.
    pub(crate) fn open_with(&self, xid: u64) -> Option<Seq> {
        self.so_far().filter(|t| t.xid == Some(xid)).map(|t| t.first)
    }

    fn so_far(&self) -> Option<&Closed> {
        self.open.as_ref().map(|open| &open.so_far)
    }

    /// True while a bootstrap holds rows of this table back: they come late, and without xid.
    pub(crate) fn is_held_back(&self, table: Option<u32>) -> bool {
        !self.bootstraps.is_empty() && self.bootstraps.iter().any(|b| Some(b.table) == table)
    }

    /// Takes a row.
    pub(crate) fn row(&mut self, at: At, meta: &Meta<'_>, notes: &mut Notes) {
        let held_back = self.is_held_back(at.table);
        if self.open.as_ref().is_some_and(|open| !open.takes(at, meta, held_back)) {
            self.abandon(at.seq, notes);
        }
        let open = self.open.get_or_insert_with(|| Open::begin(at, meta));
        open.check_xoffset(at.seq, meta, notes);
        open.add(at, meta);
        if meta.commit && meta.xid == open.so_far.xid {
            self.close(TransactionKind::Rows, notes);
        } else if meta.is_alone() && open.so_far.first == at.seq {
            self.close(TransactionKind::Alone, notes);
        }
    }

    /// Takes a statement: a transaction of its own, which ends any other.
    pub(crate) fn statement(&mut self, at: At, meta: &Meta<'_>, notes: &mut Notes) {
        self.abandon(at.seq, notes);
        let mut statement = Open::begin(at, meta);
        statement.add(at, meta);
        self.open = Some(statement);
        self.close(TransactionKind::Ddl, notes);
    }

    /// Takes the start or completion of a bootstrap.
    pub(crate) fn bootstrap(&mut self, seq: Seq, table: u32, meta: &Meta<'_>, notes: &mut Notes) {
        let running = self.bootstraps.iter().position(|b| b.table == table);
        match (meta.op, running) {
            (Op::BootstrapStart, running) => {
                // A copy begun anew takes over from the one before.
                if let Some(i) = running {
                    let before = self.bootstraps.remove(i);
                    notes.bootstraps.push(BootstrapNote { end: Some(seq), ..before });
                }
                let note = BootstrapNote { table, start: seq, complete_ts: None, end: None };
                self.bootstraps.push(note);
                notes.bootstraps.push(note);
            }
            (Op::BootstrapComplete, Some(i)) => {
                self.bootstraps[i].complete_ts = Some(meta.ts);
                notes.bootstraps.push(self.bootstraps[i]);
            }
            _ => {}
        }
    }

    /// Ends the open transaction, if any, without its commit: `seq` belongs to another.
    pub(crate) fn abandon(&mut self, seq: Seq, notes: &mut Notes) {
        if let Some(open) = &self.open {
            let Closed { first, last, .. } = open.so_far;
            let detail = format!("{} (records {first} to {last}) has no commit", open.name());
            notes.gap(seq, GapKind::NoCommit, detail);
            self.close(TransactionKind::Incomplete, notes);
        }
    }

    fn close(&mut self, kind: TransactionKind, notes: &mut Notes) {
        let Some(Open { so_far: closed, .. }) = self.open.take() else {
            return;
        };
        if !self.bootstraps.is_empty() {
            self.bootstraps.retain(|b| {
                let later = b.complete_ts.is_some_and(|ts| closed.ts > ts);
                let ends = later && closed.tables.iter().any(|(t, _)| *t == b.table);
                if ends {
                    notes.bootstraps.push(BootstrapNote { end: Some(closed.first), ..*b });
                }
                !ends
            });
        }
        // Nothing but book-keeping: no transaction of anyone's.
        if closed.tables.is_empty() {
            return;
        }
        notes.closed.push(Closed { kind, ..closed });
    }
}

impl Open {
    fn begin(at: At, meta: &Meta<'_>) -> Self {
        let so_far = Closed {
            first: at.seq,
            last: at.seq,
            epoch: at.epoch,
            ts: meta.ts,
            xid: meta.xid,
            position: None,
            thread_id: None,
            server_id: None,
            facts: Facts::default(),
            kind: TransactionKind::Incomplete,
            tables: Vec::with_capacity(2),
        };
        Self { so_far, xoffset: Some(0) }
    }

    /// True when a row belongs to this transaction. A row without xid that a bootstrap held back
    /// may come in the middle of another transaction; it is committed with it.
    fn takes(&self, at: At, meta: &Meta<'_>, held_back: bool) -> bool {
        let same = meta.xid == self.so_far.xid && meta.xoffset != Some(0);
        self.so_far.epoch == at.epoch && (same || (meta.xid.is_none() && held_back))
    }

    fn check_xoffset(&mut self, seq: Seq, meta: &Meta<'_>, notes: &mut Notes) {
        if meta.xid != self.so_far.xid || meta.commit {
            return;
        }
        if let (Some(expected), Some(came)) = (self.xoffset, meta.xoffset)
            && expected != came
        {
            let detail = format!("{}: row {expected} expected, row {came} came", self.name());
            notes.gap(seq, GapKind::XoffsetJump, detail);
        }
        self.xoffset = meta.xoffset.map(|x| x.saturating_add(1));
    }

    fn add(&mut self, at: At, meta: &Meta<'_>) {
        let all = &mut self.so_far;
        all.last = at.seq;
        all.ts = meta.ts;
        all.position = meta.position.map(|p| p.with_base(())).or(all.position);
        all.thread_id = meta.thread_id.or(all.thread_id);
        all.server_id = meta.server_id.or(all.server_id);
        all.facts.add(&meta.facts);
        let Some(table) = at.table else {
            return;
        };
        match all.tables.iter_mut().rev().find(|(t, _)| *t == table) {
            Some((_, counts)) => counts.add(meta.op),
            None => {
                let mut counts = Counts::default();
                counts.add(meta.op);
                all.tables.push((table, counts));
            }
        }
    }

    fn name(&self) -> String {
        match self.so_far.xid {
            Some(xid) => format!("transaction xid {xid}"),
            None => "a transaction without xid".to_owned(),
        }
    }
}
