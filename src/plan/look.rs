//! What the target's rows have to be before a stretch is taken back: one look for each row.

use std::collections::HashSet;
use std::sync::Arc;

use super::net::fold;
use super::op::{Act, RowOp};
use super::present::text_key;
use super::window::{Chunk, Plan, Rows};
use super::{Image, Table};
use crate::error::Result;

/// A row before and after all its changes, the last message of them, how many equal rows, and
/// whether it is written whatever is there.
type Looked<'b, 'a> = (Option<&'b Image<'a>>, Option<&'b Image<'a>>, u64, u64, bool);

impl<'b, 'a> Plan<'b, 'a> {
    /// Plans the looks. Where the changes of a table do not follow one another (others between
    /// them were not selected), a row is looked at for the first of its changes.
    ///
    /// # Errors
    /// When a row's key is not known.
    pub fn looks(tables: &'b [Rows<'a>]) -> Result<Self> {
        let mut plan = Self::default();
        let mut ops = Vec::new();
        for Rows { table, changes } in tables {
            let (nets, taken) = fold(table, changes)?;
            let folded = nets.iter().map(|n| (n.before, n.after, n.seq, n.times, n.overwrite));
            if !table.has_key() {
                ops.extend(folded.filter_map(|look| op(table, &look)));
                continue;
            }
            let rest = changes[taken..].iter();
            let rest = rest.map(|c| (c.before.as_ref(), c.after.as_ref(), c.seq, 1, c.overwrite));
            let all: Vec<Looked<'b, 'a>> = folded.chain(rest).collect();
            let present = plan.present.of(&table.name);
            // Keys that rows come to, and what comes where no row is looked for.
            let (mut reached, mut coming) = (HashSet::new(), Vec::new());
            for (n, look) in all.iter().enumerate() {
                let from = look.0.map(|image| text_key(image, table)).transpose()?;
                let to = look.1.map(|image| text_key(image, table)).transpose()?;
                match from {
                    // A net effect begins at a row that is there; so does the first of the
                    // changes that could not be folded.
                    Some(from) if n < nets.len() || !reached.contains(&from) => {
                        if present.insert(from) {
                            ops.extend(op(table, look));
                        }
                    }
                    Some(_) => {}
                    None => coming.extend(to.clone().map(|to| (to, look))),
                }
                reached.extend(to);
            }
            // What comes may take the place of a row that leaves.
            let mut once = HashSet::new();
            coming.retain(|(key, _)| !present.contains(key) && once.insert(key.clone()));
            ops.extend(coming.iter().filter_map(|(_, look)| op(table, look)));
        }
        plan.phases[0].push(Chunk { ops });
        Ok(plan)
    }
}

fn op<'b, 'a>(
    table: &'b Arc<Table>,
    &(before, after, seq, times, any): &Looked<'b, 'a>,
) -> Option<RowOp<'b, 'a>> {
    let act = match (before, after) {
        (Some(before), Some(after)) => Act::Update(before, after),
        (Some(before), None) => Act::Delete(before),
        (None, Some(after)) => Act::Insert(after),
        (None, None) => return None,
    };
    Some(RowOp { table, act, seq, times, any })
}
