//! What the target's rows have to be before a stretch is taken back: one look for each row.

use std::collections::HashSet;
use std::sync::Arc;

use super::net::fold;
use super::op::{Act, RowOp};
use super::window::{Chunk, Plan, Rows};
use super::{Change, Image, Table};
use crate::error::Result;
use crate::event::row::Value;

impl<'b, 'a> Plan<'b, 'a> {
    /// Plans the looks. Where the changes of a table do not follow one another (others between
    /// them were not selected), a row is looked at for the first of its changes.
    ///
    /// # Errors
    /// When a row's key is not known.
    pub fn looks(tables: &'b [Rows<'a>]) -> Result<Self> {
        let mut ops = Vec::new();
        for rows in tables {
            let (nets, taken) = fold(&rows.table, &rows.changes)?;
            let mut seen: HashSet<Vec<Value<'a>>> = HashSet::new();
            for net in &nets {
                let change = (net.before, net.after);
                if !rows.table.has_key() || is_new(&rows.table, change, &mut seen)? {
                    let (times, any) = (net.times, net.overwrite);
                    ops.extend(op(&rows.table, change, net.seq, times, any));
                }
            }
            for Change { seq, before, after, overwrite } in &rows.changes[taken..] {
                let change = (before.as_ref(), after.as_ref());
                if is_new(&rows.table, change, &mut seen)? {
                    ops.extend(op(&rows.table, change, *seq, 1, *overwrite));
                }
            }
        }
        let mut plan = Self::default();
        plan.phases[0].push(Chunk { ops });
        Ok(plan)
    }
}

/// The row before and after.
type Sides<'b, 'a> = (Option<&'b Image<'a>>, Option<&'b Image<'a>>);

/// True for the first change of a row; the keys it has on both sides are taken down.
fn is_new<'a>(
    table: &Table,
    (before, after): Sides<'_, 'a>,
    seen: &mut HashSet<Vec<Value<'a>>>,
) -> Result<bool> {
    let key = |image: Option<&Image<'a>>| image.map(|image| image.key(table)).transpose();
    let (from, to) = (key(before)?, key(after)?);
    let new = from.as_ref().or(to.as_ref()).is_some_and(|key| !seen.contains(key));
    seen.extend(from.into_iter().chain(to));
    Ok(new)
}

fn op<'b, 'a>(
    table: &'b Arc<Table>,
    sides: Sides<'b, 'a>,
    seq: u64,
    times: u64,
    any: bool,
) -> Option<RowOp<'b, 'a>> {
    let act = match sides {
        (Some(before), Some(after)) => Act::Update(before, after),
        (Some(before), None) => Act::Delete(before),
        (None, Some(after)) => Act::Insert(after),
        (None, None) => return None,
    };
    Some(RowOp { table, act, seq, times, any })
}
