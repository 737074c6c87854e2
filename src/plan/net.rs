//! Folds the changes of one table to their net effect per row.
//!
//! Folding is legal because every event carries the whole row: what a run of changes does to a
//! key is known from its first `before` and its last `after`. On the net state the order is free
//! if all deletes come before all inserts, so swapped unique values and moved keys need no care.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{Change, Image, Table, touched};
use crate::error::Result;
use crate::event::Seq;
use crate::event::row::Value;

/// The net effect on one row. Neither side: the row came and went.
#[derive(Clone, Copy, Debug)]
pub struct Net<'b, 'a> {
    /// The row as the table holds it before.
    pub before: Option<&'b Image<'a>>,
    /// The row as the table shall hold it.
    pub after: Option<&'b Image<'a>>,
    /// As [`Change::overwrite`].
    pub overwrite: bool,
    /// Sequence of the last change folded in.
    pub seq: Seq,
    /// How many equal rows (tables without a key), else 1.
    pub times: u64,
}

impl Net<'_, '_> {
    /// True when a key or unique column changes, so that the row has to leave its place before
    /// another takes it.
    pub fn moves(&self, table: &Table) -> bool {
        let changed = touched(self.before, self.after);
        table.uniques.iter().flatten().chain(&table.key).any(|i| changed.contains(i))
    }
}

/// Folds as many changes as fit together. Returns the net effects and how many changes they
/// take in; fewer than given when a change does not continue where the former left the row
/// (rows between them were not selected): what follows has to be folded after these are written.
///
/// # Errors
/// When a row's key is not known.
pub fn fold<'b, 'a>(table: &Table, changes: &'b [Change<'a>]) -> Result<(Vec<Net<'b, 'a>>, usize)> {
    match table.has_key() {
        true => Keyed::default().fold(table, changes),
        false if is_untold(changes) => Ok((Vec::new(), 0)),
        false => Ok((multiset(changes), changes.len())),
    }
}

/// True when a row without a key that leaves columns to their defaults may be one of those that
/// go: what is told of it is not its content, and only the source's order is known to be right.
fn is_untold(changes: &[Change<'_>]) -> bool {
    changes.iter().any(|change| change.partial) && changes.iter().any(|c| c.before.is_some())
}

/// What names a row: nearly always one column.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    One(Value<'a>),
    Many(Vec<Value<'a>>),
}

impl<'a> Key<'a> {
    fn of(image: &Image<'a>, table: &Table) -> Result<Self> {
        match table.key[..] {
            [i] => match image.0[i].filter(|value| !value.is_null()) {
                Some(value) => Ok(Self::One(value)),
                None => image.key(table).map(Self::Many),
            },
            _ => image.key(table).map(Self::Many),
        }
    }
}

#[derive(Default)]
struct Keyed<'b, 'a> {
    nets: Vec<Net<'b, 'a>>,
    at: HashMap<Key<'a>, usize, FixedState>,
}

impl<'b, 'a> Keyed<'b, 'a> {
    fn fold(
        mut self,
        table: &Table,
        changes: &'b [Change<'a>],
    ) -> Result<(Vec<Net<'b, 'a>>, usize)> {
        self.at.reserve(changes.len());
        for (i, change) in changes.iter().enumerate() {
            let from = change.before.as_ref().map(|b| Key::of(b, table)).transpose()?;
            let to = change.after.as_ref().map(|a| Key::of(a, table)).transpose()?;
            if change.overwrite {
                self.overwrite(change, from, to);
            } else if !self.follow(change, from, to) {
                return Ok((self.nets, i));
            }
        }
        Ok((self.nets, changes.len()))
    }

    /// Adds a change to the row it continues; false when it continues none it could.
    fn follow(
        &mut self,
        change: &'b Change<'a>,
        from: Option<Key<'a>>,
        to: Option<Key<'a>>,
    ) -> bool {
        let here = from.as_ref().or(to.as_ref()).and_then(|key| self.at.get(key)).copied();
        if let Some(i) = here.filter(|&i| !self.nets[i].overwrite) {
            let fits = match (self.nets[i].after, &change.before) {
                (Some(now), Some(before)) => now.agrees(before),
                (None, None) => true,
                _ => false,
            };
            if !fits {
                return false;
            }
        }
        let moved = from.is_some() && to.is_some() && from != to;
        if moved {
            let taken = to.as_ref().and_then(|key| self.at.get(key)).map(|&i| self.nets[i].after);
            if taken.is_some_and(|after| after.is_some()) {
                return false;
            }
        }
        let i = match here {
            Some(i) => i,
            None => {
                self.nets.push(Net {
                    before: change.before.as_ref(),
                    after: None,
                    overwrite: false,
                    seq: change.seq,
                    times: 1,
                });
                self.nets.len() - 1
            }
        };
        self.nets[i].after = change.after.as_ref();
        self.nets[i].seq = change.seq;
        if moved && let Some(from) = &from {
            self.at.remove(from);
        }
        if let Some(key) = to.or(from) {
            self.at.insert(key, i);
        }
        true
    }

    fn overwrite(&mut self, change: &'b Change<'a>, from: Option<Key<'a>>, to: Option<Key<'a>>) {
        if let Some(from) = from.filter(|from| Some(from) != to.as_ref()) {
            self.put(from, change.before.as_ref(), None, change.seq);
        }
        if let Some(to) = to {
            self.put(to, None, change.after.as_ref(), change.seq);
        }
    }

    fn put(
        &mut self,
        key: Key<'a>,
        before: Option<&'b Image<'a>>,
        after: Option<&'b Image<'a>>,
        seq: Seq,
    ) {
        let nets = &mut self.nets;
        let i = *self.at.entry(key).or_insert_with(|| {
            nets.push(Net { before, after, overwrite: true, seq, times: 1 });
            nets.len() - 1
        });
        let net = &mut self.nets[i];
        net.before = net.before.or(before);
        (net.after, net.overwrite, net.seq) = (after, true, seq);
    }
}

/// Rows without a key: equal rows are the same row, so images are counted. None of them is to be
/// written over: which one that is, nothing tells.
fn multiset<'b, 'a>(changes: &'b [Change<'a>]) -> Vec<Net<'b, 'a>> {
    let mut counts: HashMap<&'b Image<'a>, (i64, u64)> = HashMap::new();
    let mut order = Vec::new();
    for change in changes {
        for (image, step) in [(&change.before, -1), (&change.after, 1)] {
            let Some(image) = image else { continue };
            let (count, seq) = counts.entry(image).or_insert_with(|| {
                order.push(image);
                (0, 0)
            });
            (*count, *seq) = (*count + step, change.seq);
        }
    }
    let net = |image: &'b Image<'a>| {
        let (count, seq) = counts[image];
        let times = count.unsigned_abs();
        let (before, after) = if count < 0 { (Some(image), None) } else { (None, Some(image)) };
        (count != 0).then_some(Net { before, after, overwrite: false, seq, times })
    };
    order.into_iter().filter_map(net).collect()
}
