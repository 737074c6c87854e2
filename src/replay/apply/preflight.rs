//! Every table of the selection held against the target, before the first write.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::bind::bound;
use super::{Job, Report};
use crate::error::{Error, ErrorKind, Result};
use crate::event::TableName;
use crate::filter::Filter;
use crate::spool::{Counts, Order, Seq, Spool, Transaction};
use crate::target::{Ddl, Direction, Target};

/// Asks the target for every table whose rows are selected, but for those that a statement in the
/// stretch makes or changes before.
///
/// # Errors
/// With all refusals, each with its reason.
pub(super) fn check(
    spool: &Spool,
    job: &Job<'_>,
    ddl: &HashMap<Seq, Ddl>,
    left: &Range<Seq>,
    target: &mut dyn Target,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    let filter = &job.selection.filter;
    let back = job.run.direction == Direction::Reverse;
    let mut seen: HashSet<TableName> = HashSet::new();
    let mut refused: Vec<Error> = Vec::new();
    for transaction in spool.transactions(left.clone(), Order::Forward) {
        let t = transaction?;
        for (name, counts) in &t.tables {
            if !is_taken(filter, &t, name, counts)
                || !seen.insert(name.clone())
                || is_made(ddl, name, t.first)
            {
                continue;
            }
            let def = job.definitions.history.at(name, t.first);
            if back && job.route.renames(name) {
                target.rescue(&job.route.table(name), name)?;
            }
            match bound(target, job, name, def.as_deref()) {
                Ok(table) if !table.has_key() => report(Report::Keyless(table.name.clone())),
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::Retry | ErrorKind::Lost) => return Err(e),
                Err(e) => refused.push(e),
            }
        }
    }
    match refused.len() {
        0 => Ok(()),
        1 => Err(refused.remove(0)),
        n => {
            let list: Vec<String> = refused.iter().map(|e| format!("  {}", e.message())).collect();
            Err(Error::stopped(format!(
                "{n} tables cannot be written, nothing was:\n{}",
                list.join("\n")
            ))
            .help("mend them, or leave them out with --exclude-table"))
        }
    }
}

/// True when the transaction changes rows of the table that are selected.
pub(super) fn is_taken(filter: &Filter, t: &Transaction, name: &TableName, rows: &Counts) -> bool {
    rows.rows() > 0
        && filter.takes_table(name)
        && filter.takes_transaction(t.xid, t.thread_id, t.server_id)
        && name.database != "maxwell"
}

/// True when a statement before `seq` makes or changes the table, or makes its database.
fn is_made(ddl: &HashMap<Seq, Ddl>, name: &TableName, seq: Seq) -> bool {
    let of = |other: &TableName| {
        other == name || (other.table.is_empty() && other.database == name.database)
    };
    ddl.values().any(|ddl| ddl.seq < seq && ddl.names.iter().any(of))
}
