//! Follows the stream record by record: re-sends, epochs, and through
//! [grouping](super::grouping) transactions, gaps and bootstraps.
//!
//! A state machine without files: what is stored already it asks of [`Stored`]. Its state is a
//! small value that is kept with the index, so that indexing goes on after a restart.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::grouping::{At, Grouping};
use super::notes::{DamageNote, Notes};
use super::resend::{Entry, EventRows, Ident, Stored};
use super::tables::Tables;
use crate::error::{Context, Result};
use crate::event::maxwell::{self, Damage};
use crate::event::{BinlogPos, Event, Meta, Op};
use crate::spool::types::{Epoch, GapKind, Seq};

mod ddl;
#[cfg(test)]
mod tests;

/// How many transactions are remembered by xid where the stream has no positions.
pub(crate) const RECENT_XIDS: usize = 100_000;
/// How many statements are remembered where the stream has no positions.
pub(crate) const RECENT_DDL: usize = 1_000;

/// How many chains there may be; rows that fit none are indexed one by one.
const CHAINS: usize = 16;

/// The state that outlives a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    epoch: Option<Epoch>,
    /// The epoch's high-water mark: what lies above it is new.
    high: Option<Ident>,
    /// The mark of each chain (see [`super::notes::ChainRange`]): its last row.
    chains: Vec<Ident>,
    /// The mark of a run of rows below the high-water mark that are no re-sends.
    back: Option<Ident>,
    event: EventRows,
    grouping: Grouping,
    statement: Option<Statement>,
    /// Without positions: xid of the transaction that is coming in.
    coming: Option<u64>,
    /// Without positions: the stored record that the next row would repeat.
    repeats: Option<Seq>,
}

/// The statement that came last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Statement {
    group: Seq,
    epoch: u32,
    position: Option<BinlogPos<()>>,
    sql: u64,
    ts_ms: i64,
}

/// What was found of records while messages were stored that are pruned now.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Stretches that are sent again, rising.
    pub(crate) resends: Vec<Range<Seq>>,
    /// Where an epoch began, and why.
    pub(crate) epochs: HashMap<Seq, String>,
}

impl Judged {
    fn is_resend(&self, seq: Seq) -> bool {
        let after = self.resends.partition_point(|range| range.start <= seq);
        after.checked_sub(1).is_some_and(|i| self.resends[i].contains(&seq))
    }
}

/// A record as the tracker takes it.
pub(crate) struct Item<'a, 'e> {
    pub(crate) seq: Seq,
    /// Its place in the frame.
    pub(crate) index: usize,
    pub(crate) len: u64,
    pub(crate) event: &'a Result<Event<'e>, Damage>,
}

/// The tracker.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    state: State,
    /// Table names by number.
    pub(crate) tables: Tables,
    xids: HashMap<u64, Seq>,
    xid_order: VecDeque<(u64, Seq)>,
    ddl: VecDeque<u64>,
    pub(crate) judged: Judged,
}

impl Tracker {
    /// Goes on from a saved state.
    pub(crate) fn resume(state: &str, tables: Tables) -> Result<Self> {
        let state = serde_json::from_str(state).context("index: tracker state")?;
        Ok(Self { state, tables, ..Self::default() })
    }

    /// The state as text.
    pub(crate) fn save(&self) -> Result<String> {
        serde_json::to_string(&self.state).context("index: tracker state")
    }

    /// First sequence of the transaction under way.
    pub(crate) fn open(&self) -> Option<Seq> {
        self.state.grouping.open()
    }

    /// The count of rows in the event under way.
    pub(crate) fn event_rows(&self) -> EventRows {
        self.state.event
    }

    /// Remembers a transaction of a stream without positions.
    pub(crate) fn remember_xid(&mut self, xid: u64, first: Seq) {
        if self.xid_order.len() == RECENT_XIDS
            && let Some((oldest, at)) = self.xid_order.pop_front()
            && self.xids.get(&oldest) == Some(&at)
        {
            self.xids.remove(&oldest);
        }
        self.xids.insert(xid, first);
        self.xid_order.push_back((xid, first));
    }

    /// Remembers a statement of a stream without positions.
    pub(crate) fn remember_ddl(&mut self, hash: u64) {
        if self.ddl.len() == RECENT_DDL {
            self.ddl.pop_front();
        }
        self.ddl.push_back(hash);
    }

    /// Takes the next record.
    pub(crate) fn feed(
        &mut self,
        item: &Item<'_, '_>,
        stored: &mut impl Stored,
        notes: &mut Notes,
    ) -> Result<()> {
        if self.state.epoch.is_none() {
            self.begin_epoch(item.seq, "start of the spool".into(), None, notes);
        }
        let event = match item.event {
            Ok(event) => event,
            Err(damage) => {
                notes.damaged.push(item.index);
                let reason = damage.to_string();
                notes.damages.push(DamageNote { index: item.index, len: item.len, reason });
                return Ok(());
            }
        };
        match event.meta.op {
            Op::Heartbeat => {}
            op if op.is_row() => self.row(item, event, stored, notes)?,
            op if op.is_ddl() => self.ddl(item, event, stored, notes)?,
            _ if event.meta.is_housekeeping() => {}
            _ => {
                let table = self.tables.id(&event.meta);
                self.state.grouping.bootstrap(item.seq, table, &event.meta, notes);
            }
        }
        Ok(())
    }

    fn row(
        &mut self,
        item: &Item<'_, '_>,
        event: &Event<'_>,
        stored: &mut impl Stored,
        notes: &mut Notes,
    ) -> Result<()> {
        let (seq, meta) = (item.seq, &event.meta);
        let ident = self.state.event.next(event);
        let again = match (ident, meta.position) {
            (Some(ident), Some(position)) => {
                self.row_again(seq, event, ident, position, stored, notes)?
            }
            _ => self.row_again_by_xid(event, stored)? || self.judged.is_resend(seq),
        };
        if again {
            notes.resend.push(item.index);
            return Ok(());
        }
        stored.remember(Entry { seq, ident, xid: meta.xid, row: true });
        self.state.statement = self.state.statement.filter(|s| s.position.is_some());
        let table = self.table(meta);
        let before = notes.closed.len();
        let at = At { seq, epoch: self.epoch_number(), table };
        self.state.grouping.row(at, meta, notes);
        for i in before..notes.closed.len() {
            if let (None, Some(xid)) = (notes.closed[i].position, notes.closed[i].xid) {
                self.remember_xid(xid, notes.closed[i].first);
            }
        }
        Ok(())
    }

    /// The table's number, but for book-keeping, which is nobody's table.
    fn table(&mut self, meta: &Meta<'_>) -> Option<u32> {
        (!meta.is_housekeeping()).then(|| self.tables.id(meta))
    }

    /// True when a row with a position is a re-send. Above the high-water mark it cannot be.
    fn row_again(
        &mut self,
        seq: Seq,
        event: &Event<'_>,
        ident: Ident,
        position: BinlogPos<&str>,
        stored: &mut impl Stored,
        notes: &mut Notes,
    ) -> Result<bool> {
        let moved = self.moved(position, &event.meta);
        if moved.is_none() && self.state.high.is_none_or(|high| ident > high) {
            self.state.high = Some(ident);
            self.state.back = None;
            self.learn(position, &event.meta, notes);
            self.place(seq, ident, notes);
            return Ok(false);
        }
        let mut found = stored.next_like(ident)?;
        if !self.any_same(&found, event, stored)? {
            found = stored.rows_at(ident, self.state.chains.len())?;
            if !self.any_same(&found, event, stored)? && !self.judged.is_resend(seq) {
                let other = found.into_iter().find(|&seq| seq >= self.epoch_first());
                let other = other.map(|found| clash(position, found));
                let judged = || self.judged.epochs.get(&seq).cloned();
                match moved.or(other).or_else(judged) {
                    Some(reason) => {
                        self.begin_epoch(seq, reason, Some(ident), notes);
                        self.learn(position, &event.meta, notes);
                    }
                    None => self.gone_back(seq, ident, &event.meta, notes),
                }
                self.place(seq, ident, notes);
                return Ok(false);
            }
        }
        self.state.back = None;
        Ok(true)
    }

    /// True when one of the stored records says the same.
    fn any_same(&self, found: &[Seq], event: &Event<'_>, stored: &mut impl Stored) -> Result<bool> {
        for &seq in found {
            let bytes = stored.record(seq)?;
            if maxwell::parse(&bytes).is_ok_and(|old| same(&old, event)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts a row into the chain whose mark is next below it, so that chains stay few.
    fn place(&mut self, seq: Seq, ident: Ident, notes: &mut Notes) {
        let chains = &mut self.state.chains;
        let below = chains.iter().enumerate().filter(|(_, mark)| **mark < ident);
        let chain = match below.max_by_key(|(_, mark)| **mark) {
            Some((chain, _)) => chain,
            None if chains.len() < CHAINS => {
                chains.push(ident);
                chains.len() - 1
            }
            None => {
                notes.strays.push((seq, ident));
                return;
            }
        };
        chains[chain] = ident;
        notes.at_position(chain, ident);
    }

    /// True when a row without position is a re-send: its transaction is known, and its rows so
    /// far agreed one after the other.
    fn row_again_by_xid(&mut self, event: &Event<'_>, stored: &mut impl Stored) -> Result<bool> {
        let meta = &event.meta;
        let Some(xid) = meta.xid else {
            (self.state.coming, self.state.repeats) = (None, None);
            return Ok(false);
        };
        if self.state.coming != Some(xid) || meta.xoffset == Some(0) {
            let open = self.state.grouping.open_with(xid);
            self.state.repeats = open.or_else(|| self.xids.get(&xid).copied());
        }
        self.state.coming = (!meta.commit).then_some(xid);
        let Some(from) = self.state.repeats.take() else {
            return Ok(false);
        };
        let Some(entry) = stored.next_from(from)?.filter(|e| e.row && e.xid == Some(xid)) else {
            return Ok(false);
        };
        let bytes = stored.record(entry.seq)?;
        let again = maxwell::parse(&bytes).is_ok_and(|old| same(&old, event));
        self.state.repeats = again.then_some(entry.seq + 1);
        Ok(again)
    }

    /// Why a message cannot belong to the epoch, if it cannot.
    fn moved(&self, position: BinlogPos<&str>, meta: &Meta<'_>) -> Option<String> {
        let epoch = self.state.epoch.as_ref()?;
        if let Some(base) = &epoch.base
            && base != position.base
        {
            return Some(format!("binlog base name changed from {base} to {}", position.base));
        }
        match (epoch.server_id, meta.server_id) {
            (Some(old), Some(new)) if old != new => {
                Some(format!("server id changed from {old} to {new}"))
            }
            _ => None,
        }
    }

    /// Completes what is known of the epoch.
    fn learn(&mut self, position: BinlogPos<&str>, meta: &Meta<'_>, notes: &mut Notes) {
        let Some(epoch) = &mut self.state.epoch else {
            return;
        };
        if epoch.base.is_some() && (epoch.server_id.is_some() || meta.server_id.is_none()) {
            return;
        }
        epoch.base.get_or_insert_with(|| position.base.to_owned());
        epoch.server_id = epoch.server_id.or(meta.server_id);
        notes.epochs.push(epoch.clone());
    }

    fn begin_epoch(&mut self, seq: Seq, reason: String, high: Option<Ident>, notes: &mut Notes) {
        let number = self.epoch_number() + 1;
        let epoch = Epoch { number, first_seq: seq, base: None, server_id: None, reason };
        notes.epochs.push(epoch.clone());
        self.state.epoch = Some(epoch);
        self.state.high = high;
        self.state.back = None;
    }

    /// Notes a message below the high-water mark that is no re-send: one gap for each run.
    fn gone_back(&mut self, seq: Seq, ident: Ident, meta: &Meta<'_>, notes: &mut Notes) {
        let run = self.state.back.replace(ident);
        if run.is_some_and(|mark| ident > mark) {
            return;
        }
        let table = self.table(meta);
        if !self.state.grouping.is_held_back(table) {
            let at = meta.position.map(|p| p.to_string()).unwrap_or_default();
            let detail = format!("position went back to {at}, where nothing was stored");
            notes.gap(seq, GapKind::PositionBack, detail);
        }
    }

    fn epoch_number(&self) -> u32 {
        self.state.epoch.as_ref().map_or(0, |e| e.number)
    }

    fn epoch_first(&self) -> Seq {
        self.state.epoch.as_ref().map_or(0, |e| e.first_seq)
    }
}

/// True when a stored message and one that came with the same identity are the same.
fn same(old: &Event<'_>, new: &Event<'_>) -> bool {
    let server = old.meta.server_id.zip(new.meta.server_id);
    let base = old.meta.position.zip(new.meta.position);
    server.is_none_or(|(a, b)| a == b)
        && base.is_none_or(|(a, b)| a.base == b.base)
        && old.same_content(new)
}

fn clash(position: BinlogPos<&str>, found: Seq) -> String {
    format!("{position} came again with other content than record {found}")
}
