//! Which tables have selected rows, and where, as far as the index tells.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Selection, ahead};
use crate::error::Result;
use crate::event::{Direction, TableName};
use crate::filter::{Filter, Type};
use crate::select;
use crate::spool::{Counts, Seq, Spool, Transaction, TransactionKind};

/// The selected rows of a table.
#[derive(Clone, Debug)]
pub struct Rows {
    /// From the first message of their transactions to behind the last.
    pub seqs: Range<Seq>,
    /// How many.
    pub counts: Counts,
}

/// The selected rows by table.
pub type Selected = BTreeMap<TableName, Rows>;

/// True when a transaction changes rows of the table that are selected.
pub(super) fn has(filter: &Filter, t: &Transaction, name: &TableName, rows: &Counts) -> bool {
    let kinds =
        [(Type::Insert, rows.insert), (Type::Update, rows.update), (Type::Delete, rows.delete)];
    kinds.iter().any(|(kind, n)| *n > 0 && filter.takes_type(*kind))
        && filter.takes_transaction(t.xid, t.thread_id, t.server_id, &t.facts)
        && filter.takes_table(name)
}

/// True when some of a transaction is selected, as far as the index tells.
pub(super) fn takes(filter: &Filter, t: &Transaction) -> bool {
    if t.kind == TransactionKind::Ddl {
        return filter.takes_type(Type::Ddl)
            && filter.takes_transaction(t.xid, t.thread_id, t.server_id, &t.facts)
            && t.tables.iter().any(|(name, _)| filter.takes_table(name));
    }
    t.tables.iter().any(|(name, counts)| has(filter, t, name, counts))
}

/// True when anything at all is selected: what the index does not tell is read, up to the first.
///
/// # Errors
/// When the index or a frame cannot be read.
pub fn any(spool: &Spool, selection: &Selection) -> Result<bool> {
    let Selection { range, filter, .. } = selection;
    if !filter.reads_rows() {
        for transaction in
            select::transactions(spool, filter, selection.range.clone(), Direction::Forward)?
        {
            if takes(filter, &transaction?) {
                return Ok(true);
            }
        }
    }
    // Rows that the producer copied are in no transaction.
    for frame in ahead(select::frames(spool, filter, range.clone(), Direction::Forward)?) {
        let frame = frame?;
        for event in frame.events(range, Direction::Forward) {
            if filter.takes_event(&event?.1) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Finds the selected rows.
///
/// # Errors
/// When the index cannot be read.
pub fn rows(spool: &Spool, selection: &Selection) -> Result<Selected> {
    let filter = &selection.filter;
    let [inserts, updates, deletes] =
        [Type::Insert, Type::Update, Type::Delete].map(|kind| filter.takes_type(kind));
    let part = |taken: bool, n: u64| if taken { n } else { 0 };
    // By the numbers of the tables; those that are not selected are left out at the end.
    let mut all: Vec<Option<Rows>> = Vec::new();
    for transaction in select::numbered(spool, filter, selection.range.clone(), Direction::Forward)?
    {
        let t = transaction?;
        if !filter.takes_transaction(t.xid, t.thread_id, t.server_id, &t.facts) {
            continue;
        }
        for (table, counts) in &t.tables {
            let counts = Counts {
                insert: part(inserts, counts.insert),
                update: part(updates, counts.update),
                delete: part(deletes, counts.delete),
            };
            let table = *table as usize;
            if counts.rows() > 0 {
                all.resize(all.len().max(table + 1), None);
                let begun = Rows { seqs: t.first..t.last + 1, counts: Counts::default() };
                let rows = all[table].get_or_insert(begun);
                rows.seqs.end = t.last + 1;
                rows.counts = rows.counts.plus(counts);
            }
        }
    }
    let found = spool.tables()?.into_iter().zip(all);
    let found = found.filter_map(|(name, rows)| Some((name, rows?)));
    Ok(found.filter(|(name, _)| filter.takes_table(name)).collect())
}
