//! Which tables have selected rows, and where, as far as the index tells.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Selection;
use crate::error::Result;
use crate::event::TableName;
use crate::filter::Type;
use crate::spool::{Counts, Order, Seq, Spool};

/// The selected rows of a table.
#[derive(Clone, Debug)]
pub struct Rows {
    /// From the first message of their transactions to behind the last.
    pub seqs: Range<Seq>,
    /// Some are updated.
    pub updates: bool,
    /// Some are deleted.
    pub deletes: bool,
}

/// The selected rows by table.
pub type Selected = BTreeMap<TableName, Rows>;

/// Finds the selected rows.
///
/// # Errors
/// When the index cannot be read.
pub fn rows(spool: &Spool, selection: &Selection) -> Result<Selected> {
    let filter = &selection.filter;
    let [inserts, updates, deletes] =
        [Type::Insert, Type::Update, Type::Delete].map(|kind| filter.takes_type(kind));
    let mut all = Selected::new();
    for transaction in spool.transactions(selection.range.clone(), Order::Forward) {
        let t = transaction?;
        if !filter.takes_transaction(t.xid, t.thread_id, t.server_id) {
            continue;
        }
        for (name, Counts { insert, update, delete }) in &t.tables {
            let (updated, deleted) = (updates && *update > 0, deletes && *delete > 0);
            if !(inserts && *insert > 0 || updated || deleted) {
                continue;
            }
            // Most transactions are about tables that were met before.
            if !all.contains_key(name) {
                if name.database == "maxwell" || !filter.takes_table(name) {
                    continue;
                }
                let seqs = t.first..t.last + 1;
                all.insert(name.clone(), Rows { seqs, updates: false, deletes: false });
            }
            if let Some(rows) = all.get_mut(name) {
                rows.seqs.end = t.last + 1;
                (rows.updates, rows.deletes) = (rows.updates || updated, rows.deletes || deleted);
            }
        }
    }
    Ok(all)
}
