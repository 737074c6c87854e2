//! A table and an event of the stream as they are at the target and in words.

use std::sync::Arc;

use super::job::Job;
use crate::error::Result;
use crate::event::def::TableDef;
use crate::event::{Direction, Event, TableName};
use crate::plan::Table;
use crate::spool::Seq;
use crate::target::Target;

/// The target's table for a table of the stream; `def` is the stream's definition.
///
/// # Errors
/// As [`Target::table`], and when a column rule does not fit.
pub(super) fn bound(
    target: &mut dyn Target,
    job: &Job<'_>,
    name: &TableName,
    def: Option<&TableDef>,
) -> Result<Arc<Table>> {
    let route = job.route;
    if route.is_empty() {
        return target.table(name, def);
    }
    let def = def.map(|def| route.def(def)).transpose()?;
    let mut table = Table::clone(&*target.table(&route.table(name), def.as_ref())?);
    table.route(&route.columns(name))?;
    table.rescue |= job.run.direction == Direction::Reverse && route.renames(name);
    Ok(Arc::new(table))
}

/// An event in words: message, kind, xid, position.
pub(super) fn describe(seq: Seq, event: &Event<'_>) -> String {
    let mut text = format!("message {seq} ({}", event.meta.op.name());
    if let Some(xid) = event.meta.xid {
        text.push_str(&format!(", xid {xid}"));
    }
    if let Some(position) = event.meta.position {
        text.push_str(&format!(", {position}"));
    }
    text + ")"
}
