//! One row change as it is to be written.

use std::sync::Arc;

use serde::Serialize;

use super::net::Net;
use super::{Change, Image, Table, touched};
use crate::event::Seq;

/// The kinds of row changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// The row goes.
    Delete,
    /// The row changes in place.
    Update,
    /// The row comes.
    Insert,
    /// The row comes, whatever has its key.
    Replace,
}

impl Verb {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Update => "update",
            Self::Insert => "insert",
            Self::Replace => "replace",
        }
    }
}

/// What is done to a row.
#[derive(Clone, Copy, Debug)]
pub enum Act<'b, 'a> {
    /// The row goes.
    Delete(&'b Image<'a>),
    /// The row changes in place, from … to.
    Update(&'b Image<'a>, &'b Image<'a>),
    /// The row comes.
    Insert(&'b Image<'a>),
    /// The row comes, whatever has its key.
    Replace(&'b Image<'a>),
}

impl<'b, 'a> Act<'b, 'a> {
    /// The image that names the row at the target.
    pub fn found_by(&self) -> &'b Image<'a> {
        match self {
            Self::Delete(image)
            | Self::Update(image, _)
            | Self::Insert(image)
            | Self::Replace(image) => image,
        }
    }

    /// Its kind.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Delete(_) => Verb::Delete,
            Self::Update(..) => Verb::Update,
            Self::Insert(_) => Verb::Insert,
            Self::Replace(_) => Verb::Replace,
        }
    }
}

/// One row change to be written, and what it must meet.
#[derive(Clone, Copy, Debug)]
pub struct RowOp<'b, 'a> {
    /// The table.
    pub table: &'b Arc<Table>,
    /// What is done.
    pub act: Act<'b, 'a>,
    /// Sequence of the last message behind it. The two halves of a moved row share it.
    pub seq: Seq,
    /// How many equal rows (tables without a key), else 1.
    pub times: u64,
    /// The final image wins: only the key names the row, and it may be missing.
    pub any: bool,
}

impl<'b, 'a> RowOp<'b, 'a> {
    /// What writes a change of its own, in order with others.
    pub fn of_change(
        table: &'b Arc<Table>,
        change: &'b Change<'a>,
    ) -> impl Iterator<Item = Self> + use<'b, 'a> {
        let acts = match (change.before.as_ref(), change.after.as_ref()) {
            (before, after) if change.overwrite => {
                let moved = touched(before, after).iter().any(|i| table.key.contains(i));
                let leaves = before.filter(|_| after.is_none() || moved).map(Act::Delete);
                [leaves, after.map(Act::Replace)]
            }
            (Some(before), Some(after)) => [Some(Act::Update(before, after)), None],
            (Some(before), None) => [Some(Act::Delete(before)), None],
            (None, after) => [after.map(Act::Insert), None],
        };
        let op = move |act| Self { table, act, seq: change.seq, times: 1, any: change.overwrite };
        acts.into_iter().flatten().map(op)
    }

    /// What writes a net effect, the row's leaving before its coming.
    pub(super) fn of_net(table: &'b Arc<Table>, net: &Net<'b, 'a>) -> Vec<Self> {
        let op = |act| Self { table, act, seq: net.seq, times: net.times, any: net.overwrite };
        match (net.before, net.after) {
            (None, None) => vec![],
            (Some(before), None) => vec![op(Act::Delete(before))],
            (_, Some(after)) if net.overwrite => vec![op(Act::Replace(after))],
            (None, Some(after)) => vec![op(Act::Insert(after))],
            (Some(before), Some(after)) if net.moves(table) => {
                vec![op(Act::Delete(before)), op(Act::Insert(after))]
            }
            (Some(before), Some(after)) => vec![op(Act::Update(before, after))],
        }
    }

    /// About how many bytes of values it carries.
    pub(super) fn bytes(&self) -> usize {
        let all =
            |image: &Image<'_>| -> usize { image.0.iter().flatten().map(|v| v.0.len()).sum() };
        match self.act {
            Act::Delete(before) if self.table.has_key() => {
                self.table.key.iter().filter_map(|&i| before.0[i]).map(|v| v.0.len()).sum()
            }
            Act::Delete(image) | Act::Insert(image) | Act::Replace(image) => {
                all(image).saturating_mul(self.times as usize)
            }
            Act::Update(_, after) => all(after),
        }
    }
}
