//! Questions about the stream: what a selection holds, by transaction and over time.
//!
//! The index answers where it can; frames are read only for what stands in the rows.

use std::ops::Range;

use crate::error::Result;
use crate::event::Direction;
use crate::filter::{Filter, Type};
use crate::select;
use crate::spool::{Counts, Records, Seq, Spool, Transaction, TransactionKind};

pub mod biggest;
pub mod export;
pub mod history;
pub mod pattern;
pub mod position;
pub mod stats;

/// The transactions of a stretch, each as far as it is selected.
///
/// # Errors
/// When the index, or a frame that has to be read, cannot be.
pub fn transactions<'s>(
    spool: &Spool,
    range: Range<Seq>,
    filter: &'s Filter,
) -> Result<impl Iterator<Item = Result<Transaction>> + use<'s>> {
    let mut taker = Taker::new(spool, filter)?;
    let all = select::transactions(spool, filter, range, Direction::Forward)?;
    Ok(all.filter_map(move |t| t.and_then(|t| taker.take(t)).transpose()))
}

/// Takes of transactions what is selected.
pub(crate) struct Taker<'s> {
    filter: &'s Filter,
    records: Option<Records>,
}

impl<'s> Taker<'s> {
    pub(crate) fn new(spool: &Spool, filter: &'s Filter) -> Result<Self> {
        let records = filter.reads_rows().then(|| spool.records()).transpose()?;
        Ok(Self { filter, records })
    }

    /// The selected part of a transaction; `None` when nothing of it is.
    pub(crate) fn take(&mut self, t: Transaction) -> Result<Option<Transaction>> {
        let Some(mut t) = by_index(t, self.filter) else { return Ok(None) };
        let Some(records) = &mut self.records else { return Ok(Some(t)) };
        t.tables.iter_mut().for_each(|(_, counts)| *counts = Counts::default());
        let mut seq = t.first;
        while seq <= t.last {
            let Some(frame) = records.frame(seq)? else {
                seq += 1;
                continue;
            };
            let part = seq..frame.range().end.min(t.last + 1);
            for event in frame.events(&part, Direction::Forward) {
                let (_, event) = event?;
                if self.filter.takes_event(&event) {
                    let name = event.meta.name();
                    let counts = t.tables.iter_mut().find(|(table, _)| *table == name);
                    counts.into_iter().for_each(|(_, counts)| counts.add(event.meta.op));
                }
            }
            seq = part.end;
        }
        t.tables.retain(|(_, counts)| counts.rows() > 0);
        Ok((t.rows() > 0).then_some(t))
    }
}

/// The part of a transaction that is selected as far as the index tells.
fn by_index(mut t: Transaction, filter: &Filter) -> Option<Transaction> {
    if !filter.takes_transaction(t.xid, t.thread_id, t.server_id, &t.facts) {
        return None;
    }
    t.tables.retain(|(name, _)| filter.takes_table(name));
    if t.kind == TransactionKind::Ddl {
        return (filter.takes_type(Type::Ddl) && !t.tables.is_empty()).then_some(t);
    }
    for (_, counts) in &mut t.tables {
        for (kind, count) in [
            (Type::Insert, &mut counts.insert),
            (Type::Update, &mut counts.update),
            (Type::Delete, &mut counts.delete),
        ] {
            if !filter.takes_type(kind) {
                *count = 0;
            }
        }
    }
    t.tables.retain(|(_, counts)| counts.rows() > 0);
    (t.rows() > 0).then_some(t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TableName;

    #[test]
    fn only_the_selected_part_of_a_transaction_is_taken() {
        let table = |name: &str, insert, update, delete| {
            (TableName::new("shop", name), Counts { insert, update, delete })
        };
        let tables = vec![table("orders", 12, 3, 1), table("customers", 0, 900, 0)];
        let t = Transaction { xid: Some(7), ..Transaction::with_rows(tables) };
        let part = |tables: &[String], types: &[Type], xids: &[u64]| {
            let filter = Filter::new(tables, &[], types, xids).expect("a filter");
            by_index(t.clone(), &filter).map(|t| t.tables)
        };
        let taken = part(&["shop.o*".to_owned()], &[Type::Insert, Type::Delete], &[]);
        assert_eq!(taken, Some(vec![table("orders", 12, 0, 1)]));
        assert_eq!(part(&[], &[], &[8]), None);
        assert_eq!(part(&["blog.*".to_owned()], &[], &[]), None);
        assert_eq!(part(&[], &[Type::Ddl], &[]), None);
    }
}
