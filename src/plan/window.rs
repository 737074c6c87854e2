//! What a window of whole source transactions comes to: target transactions, in three phases.
//!
//! Within a phase the order of transactions is free, so they may be written side by side:
//!
//! 1. rows that go;
//! 2. rows whose key or a unique value changes, those of one table together, the old places left
//!    before the new ones are taken; and whatever has to be written in the source's order;
//! 3. rows that change in place, and rows that come.
//!
//! No unique value can be in the way, whatever the target's collation takes for equal: after the
//! first two phases the table holds a part of the rows it has at the window's end, with their
//! final unique values, and every write of the third brings it nearer to that.
//!
//! The plan is a function of the changes and the tables alone: a rerun after a crash plans the
//! same transactions, and those that are committed are recognised by number and [`Chunk::hash`].

use std::cmp::Ordering;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3Default;

use super::net::{Net, fold};
use super::op::{Act, RowOp};
use super::present::Present;
use super::{Change, Image, Table, touched};
use crate::error::Result;
use crate::event::Direction;
use crate::event::def::Kind;

/// A target transaction carries about so many bytes of values at most.
const CHUNK_BYTES: usize = 1 << 20;

/// The changes of one table, in the order of their processing.
#[derive(Debug)]
pub struct Rows<'a> {
    /// The table.
    pub table: Arc<Table>,
    /// Its changes.
    pub changes: Vec<Change<'a>>,
}

/// One target transaction, or a part of one.
#[derive(Debug, Default)]
pub struct Chunk<'b, 'a> {
    /// What it writes, in this order.
    pub ops: Vec<RowOp<'b, 'a>>,
}

/// A half of what is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The rows that leave their place.
    Leaving,
    /// All the others.
    Coming,
}

/// The phases of a window, each a list of target transactions.
#[derive(Debug, Default)]
pub struct Plan<'b, 'a> {
    /// The phases, one after the other.
    pub phases: [Vec<Chunk<'b, 'a>>; 3],
    /// The second ends with changes in the order of the source.
    pub ordered: bool,
    /// Of a plan that only looks: the rows it looks for.
    pub present: Present,
}

impl<'b, 'a> Plan<'b, 'a> {
    /// Plans a window. Going back, a row must stay where others may have changed it; `most`: row
    /// changes in one target transaction.
    ///
    /// # Errors
    /// When a row's key is not known.
    pub fn new(tables: &'b [Rows<'a>], direction: Direction, most: usize) -> Result<Self> {
        let mut plan = Self::default();
        let (mut leaving, mut staying) = (Vec::new(), Vec::new());
        let mut ordered: Vec<(&'b Arc<Table>, &'b Change<'a>)> = Vec::new();
        for rows in tables {
            let (nets, taken) = match rows.table.in_order {
                true => (Vec::new(), 0),
                false => fold(&rows.table, &rows.changes)?,
            };
            // A change that does not continue where the last one left the row: rows between them
            // were not selected, and only the source's order is known to be right.
            if taken < rows.changes.len()
                || nets.iter().any(|n| must_stay(&rows.table, n, direction))
            {
                ordered.extend(rows.changes.iter().map(|change| (&rows.table, change)));
                continue;
            }
            plan.table(&rows.table, &nets, &mut leaving, &mut staying);
        }
        plan.ordered(ordered, direction);
        plan.phases[0] = pack(leaving, most);
        plan.phases[2] = pack(staying, most);
        Ok(plan)
    }

    /// All changes as they are, in the order of the source.
    pub fn in_order(tables: &'b [Rows<'a>], direction: Direction) -> Self {
        let mut plan = Self::default();
        let all = |rows: &'b Rows<'a>| rows.changes.iter().map(|change| (&rows.table, change));
        plan.ordered(tables.iter().flat_map(all).collect(), direction);
        plan
    }

    fn ordered(
        &mut self,
        mut changes: Vec<(&'b Arc<Table>, &'b Change<'a>)>,
        direction: Direction,
    ) {
        if changes.is_empty() {
            return;
        }
        changes.sort_by_key(|(_, change)| change.seq);
        if direction.is_reverse() {
            changes.reverse();
        }
        let ops = changes.into_iter().flat_map(|(t, c)| RowOp::of_change(t, c)).collect();
        self.ordered = true;
        self.phases[1].push(Chunk { ops });
    }

    /// Distributes the net effects on one table over the phases.
    fn table(
        &mut self,
        table: &'b Arc<Table>,
        nets: &[Net<'b, 'a>],
        leaving: &mut Vec<RowOp<'b, 'a>>,
        staying: &mut Vec<RowOp<'b, 'a>>,
    ) {
        let mut own = [const { Vec::new() }; 4];
        let together = nets.iter().any(|n| n.overwrite || (!table.has_key() && n.before.is_some()));
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for net in nets {
            let ops = RowOp::of_net(table, net);
            if let [from, to] = ops[..] {
                old.push(from);
                new.push(to);
                continue;
            }
            for op in ops {
                own[place(&op.act)].push(op);
            }
        }
        let [mut deletes, mut updates, mut inserts, mut replaces] = own;
        for list in [&mut deletes, &mut old, &mut updates, &mut inserts, &mut new, &mut replaces] {
            sort(table, list);
        }
        if together {
            let ops = [deletes, old, updates, inserts, new, replaces].concat();
            return self.phases[1].push(Chunk { ops });
        }
        if !old.is_empty() {
            self.phases[1].push(Chunk { ops: [old, new].concat() });
        }
        leaving.append(&mut deletes);
        staying.append(&mut updates);
        staying.append(&mut inserts);
    }

    /// A half of it: for rows that are planned in parts, all of which must have left before any
    /// comes.
    #[must_use]
    pub fn half(self, half: Half, most: usize) -> Self {
        let leaving = half == Half::Leaving;
        let all = self.phases.into_iter().flatten().flat_map(|chunk| chunk.ops);
        let ops = all.filter(|op| matches!(op.act, Act::Delete(_)) == leaving).collect();
        Self { phases: [pack(ops, most), Vec::new(), Vec::new()], ..Self::default() }
    }

    /// Row changes to be written.
    pub fn ops(&self) -> usize {
        self.phases.iter().flatten().map(|chunk| chunk.ops.len()).sum()
    }
}

impl Chunk<'_, '_> {
    /// What tells this chunk from any other: a committed chunk of that number with another hash
    /// was planned from something else.
    pub fn hash(&self) -> u64 {
        let mut hash = Xxh3Default::new();
        for op in &self.ops {
            hash.update(op.table.name.database.as_bytes());
            hash.update(&[0]);
            hash.update(op.table.name.table.as_bytes());
            hash.update(op.act.verb().name().as_bytes());
            hash.update(&op.seq.to_le_bytes());
            hash.update(&op.times.to_le_bytes());
        }
        hash.digest()
    }
}

/// True when a row may not leave its place and come back: that would lose what the event does not
/// carry, or, going back, what others have changed in the row since.
fn must_stay(table: &Table, net: &Net<'_, '_>, direction: Direction) -> bool {
    let (Some(_), Some(after)) = (net.before, net.after) else {
        return false;
    };
    !net.overwrite && (direction.is_reverse() || !after.is_full(table)) && net.moves(table)
}

fn place(act: &Act<'_, '_>) -> usize {
    match act {
        Act::Delete(_) => 0,
        Act::Update(..) => 1,
        Act::Insert(_) => 2,
        Act::Replace(_) => 3,
    }
}

/// Sorts by the columns that change, then by key: rows that lie together are written together.
fn sort(table: &Table, ops: &mut [RowOp<'_, '_>]) {
    let mask = |op: &RowOp<'_, '_>| match op.act {
        Act::Update(before, after) => touched(Some(before), Some(after)),
        _ => Vec::new(),
    };
    ops.sort_by(|a, b| by_key(table, a.act.found_by(), b.act.found_by()));
    if ops.first().is_some_and(|op| matches!(op.act, Act::Update(..))) {
        ops.sort_by_cached_key(mask);
    }
}

fn by_key(table: &Table, a: &Image<'_>, b: &Image<'_>) -> Ordering {
    let column = |&i: &usize| {
        let (a, b) = (a.0[i].map_or("", |v| v.0), b.0[i].map_or("", |v| v.0));
        match table.columns[i].kind {
            // Digits of one sign: the longer one is the greater.
            Kind::Integer => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            _ => a.cmp(b),
        }
    };
    table.key.iter().map(column).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

/// Cuts row changes whose order is free into transactions.
fn pack<'b, 'a>(ops: Vec<RowOp<'b, 'a>>, most: usize) -> Vec<Chunk<'b, 'a>> {
    let mut chunks: Vec<Chunk<'b, 'a>> = Vec::new();
    let mut bytes = usize::MAX;
    for op in ops {
        let more = op.bytes();
        match chunks.last_mut().filter(|c| c.ops.len() < most && bytes < CHUNK_BYTES) {
            Some(chunk) => {
                chunk.ops.push(op);
                bytes += more;
            }
            None => {
                chunks.push(Chunk { ops: vec![op] });
                bytes = more;
            }
        }
    }
    chunks
}
