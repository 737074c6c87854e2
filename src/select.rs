//! Where a choice of events meets what the spool's zones tell of its frames.

use std::ops::Range;

use crate::error::Result;
use crate::event::{Direction, TableName, facts};
use crate::filter::{Filter, Type};
use crate::spool::{Frame, Numbered, Numbers, Seq, Spool, Touched, Transaction, Zone};

/// Frames of a stretch, in order; those the index knows to hold nothing selected are left out. A
/// frame that cannot be read is an error that names it; the walk may go on behind it.
///
/// # Errors
/// When the index cannot be read.
pub fn frames(
    spool: &Spool,
    filter: &Filter,
    range: Range<Seq>,
    direction: Direction,
) -> Result<impl Iterator<Item = Result<Frame>> + Send + use<>> {
    Ok(spool.frames_where(range, direction, Choice::new(spool, filter)?.may()))
}

/// The same, for rows of one table.
///
/// # Errors
/// As [`frames`].
pub fn frames_of(
    spool: &Spool,
    filter: &Filter,
    range: Range<Seq>,
    table: &TableName,
) -> Result<impl Iterator<Item = Result<Frame>> + Send + use<>> {
    let mut choice = Choice::new(spool, filter)?;
    let names = spool.tables()?;
    choice.tables.iter_mut().zip(&names).for_each(|(taken, name)| *taken &= name == table);
    Ok(spool.frames_where(range, Direction::Forward, choice.may()))
}

/// The transactions of a stretch that may have something selected.
///
/// # Errors
/// As [`frames`].
pub fn transactions(
    spool: &Spool,
    filter: &Filter,
    range: Range<Seq>,
    direction: Direction,
) -> Result<impl Iterator<Item = Result<Transaction>> + Send + use<>> {
    Ok(spool.transactions_where(range, direction, Choice::new(spool, filter)?.may()))
}

/// The same, their tables by number (see [`Spool::tables`]).
///
/// # Errors
/// As [`frames`].
pub fn numbered(
    spool: &Spool,
    filter: &Filter,
    range: Range<Seq>,
    direction: Direction,
) -> Result<impl Iterator<Item = Result<Numbered>> + Send + use<>> {
    Ok(spool.numbered_where(range, direction, Choice::new(spool, filter)?.may()))
}

/// What zones are held against: the choice, and which of the spool's tables it takes.
#[derive(Clone, Debug)]
pub struct Choice {
    xids: Vec<u64>,
    threads: Vec<u64>,
    servers: Vec<u64>,
    /// The numbers that they end with; one that has none is looked for everywhere.
    gtids: Vec<u64>,
    /// By number of the table; one that is not known yet may be taken.
    tables: Vec<bool>,
    /// The kinds of messages that are taken.
    kinds: u64,
}

impl Choice {
    /// Reads which tables there are.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn new(spool: &Spool, filter: &Filter) -> Result<Self> {
        let kinds = [
            (Type::Insert, Touched::INSERT),
            (Type::Update, Touched::UPDATE),
            (Type::Delete, Touched::DELETE),
            (Type::Ddl, Touched::DDL),
        ];
        let kinds = kinds.iter().filter(|(kind, _)| filter.takes_type(*kind));
        let gtids: Option<Vec<u64>> =
            filter.gtids().iter().map(|gtid| facts::number(gtid)).collect();
        Ok(Self {
            xids: filter.xids().to_vec(),
            threads: filter.threads().to_vec(),
            servers: filter.servers().to_vec(),
            gtids: gtids.unwrap_or_default(),
            tables: spool.tables()?.iter().map(|name| filter.takes_table(name)).collect(),
            kinds: kinds.fold(0, |all, (_, kind)| all | kind),
        })
    }

    fn may(self) -> impl Fn(&Zone) -> bool + Send + 'static {
        move |zone| self.may_hold(zone)
    }

    /// True when a table is taken, by its number.
    pub fn takes_table(&self, table: u32) -> bool {
        self.tables.get(table as usize).copied().unwrap_or(true)
    }

    /// True when a frame or segment may hold something that is taken.
    pub fn may_hold(&self, zone: &Zone) -> bool {
        let among = |list: &[u64], numbers: &Numbers| {
            list.is_empty() || list.iter().any(|n| numbers.may_hold(*n))
        };
        among(&self.xids, &zone.xids)
            && among(&self.threads, &zone.threads)
            // Messages about statements name no server and are taken from each.
            && (zone.servers.absent || among(&self.servers, &zone.servers))
            && among(&self.gtids, &zone.gtids)
            && zone.tables.iter().any(|touched| {
                self.takes_table(touched.table) && touched.kinds & self.kinds != 0
            })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::event::maxwell;
    use crate::spool::{Batch, SpoolWriter, WriterOptions};

    /// A message: kind, table, transaction, whether it commits, connection, server, time.
    type Said = (u8, u8, u64, bool, Option<u64>, Option<u64>, i64);

    fn said() -> impl Strategy<Value = Said> {
        let server = prop::option::weighted(0.9, 1..3u64);
        let commit = prop::bool::weighted(0.2);
        (0..24u8, 0..4u8, 1..3u64, commit, prop::option::of(1..40u64), server, 0..500i64)
    }

    fn message(n: usize, (kind, table, xid, commit, thread, server, ts): Said) -> Vec<u8> {
        let number = |name: &str, n: Option<u64>| {
            n.map_or_else(String::new, |n| format!(r#","{name}":{n}"#))
        };
        let gtid = thread.map_or_else(String::new, |_| format!(r#","gtid":"0-1-{xid}""#));
        let origin = number("thread_id", thread) + &number("server_id", server) + &gtid;
        let head = format!(
            r#""database":"d","table":"t{table}","ts":{ts},"position":"bin.000001:{n}"{origin}"#
        );
        let row = format!(r#""data":{{"id":{n}}}"#);
        match kind {
            0 => format!(r#"{{"type":"table-drop",{head},"sql":"DROP TABLE t{table}"}}"#),
            1 => format!(r#"{{"type":"bootstrap-start",{head},"data":{{}}}}"#),
            2 => format!(r#"{{"type":"bootstrap-insert",{head},{row}}}"#),
            kind => {
                let kind = ["insert", "update", "delete"][usize::from(kind % 3)];
                let end = if commit { r#","commit":true"# } else { "" };
                format!(r#"{{"type":"{kind}",{head},"xid":{xid}{end},{row}}}"#)
            }
        }
        .into_bytes()
    }

    fn spool(dir: &Path, frames: &[Vec<Said>]) -> Result<Spool> {
        let options = WriterOptions { segment_bytes: 2_000, ..WriterOptions::default() };
        let (mut writer, _) = SpoolWriter::open(dir, options)?;
        let mut n = 0;
        for frame in frames {
            let mut batch = Batch::default();
            for one in frame {
                n += 1;
                batch.push(&message(n, *one));
            }
            writer.append(&batch)?;
        }
        writer.finish()?;
        Spool::open(dir)
    }

    fn filters() -> impl Strategy<Value = Filter> {
        let types = prop::sample::subsequence(
            vec![Type::Insert, Type::Update, Type::Delete, Type::Ddl],
            0..3,
        );
        let some = |range: Range<u64>| prop::collection::vec(range, 0..2);
        let gtids = some(1..3).prop_map(|all| all.iter().map(|n| format!("0-1-{n}")).collect());
        (prop::option::of(0..4u8), types, some(1..3), some(1..40), some(1..4), gtids).prop_map(
            |(table, types, xids, threads, servers, gtids): (_, _, _, _, _, Vec<String>)| {
                let tables: Vec<String> = table.map(|t| format!("d.t{t}")).into_iter().collect();
                let filter = Filter::new(&tables, &[], &types, &xids).expect("a filter");
                filter.by_origin(&threads, &servers).by_facts(&gtids, &[])
            },
        )
    }

    /// What a transaction is chosen by.
    fn takes(filter: &Filter, t: &Transaction) -> bool {
        let rows = |table: &(TableName, crate::spool::Counts)| {
            let (name, counts) = table;
            let kinds = [
                (Type::Insert, counts.insert),
                (Type::Update, counts.update),
                (Type::Delete, counts.delete),
                (Type::Ddl, u64::from(counts.rows() == 0)),
            ];
            filter.takes_table(name)
                && kinds.iter().any(|(kind, n)| *n > 0 && filter.takes_type(*kind))
        };
        filter.takes_transaction(t.xid, t.thread_id, t.server_id, &t.facts)
            && t.tables.iter().any(rows)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn nothing_that_is_chosen_is_passed_over(
            frames in prop::collection::vec(prop::collection::vec(said(), 1..4), 1..60),
            filter in filters(),
            ends in (1..200u64, 1..200u64),
        ) {
            let dir = tempfile::tempdir().expect("temp");
            let failed = |e: crate::error::Error| TestCaseError::fail(e.to_string());
            let spool = spool(dir.path(), &frames).map_err(failed)?;
            for range in [0..Seq::MAX, ends.0.min(ends.1)..ends.0.max(ends.1)] {
                for order in [Direction::Forward, Direction::Reverse] {
                    let all: Vec<Transaction> =
                        spool.transactions(range.clone(), order).collect::<Result<_>>().map_err(failed)?;
                    let count = spool.transaction_count(range.clone()).map_err(failed)?;
                    prop_assert_eq!(count, all.len() as u64);
                    let wanted: Vec<_> = all.into_iter().filter(|t| takes(&filter, t)).collect();
                    let found = transactions(&spool, &filter, range.clone(), order).map_err(failed)?;
                    let found: Vec<_> = found.collect::<Result<_>>().map_err(failed)?;
                    let found: Vec<_> = found.into_iter().filter(|t| takes(&filter, t)).collect();
                    prop_assert_eq!(found, wanted);
                    let records = |frames: &mut dyn Iterator<Item = Result<crate::spool::Frame>>| {
                        let mut all = Vec::new();
                        for frame in frames {
                            let frame = frame?;
                            let new = frame.records().filter(|r| !r.resend && range.contains(&r.seq));
                            let taken = new.filter(|r| {
                                maxwell::parse(r.bytes).is_ok_and(|event| filter.takes_event(&event))
                            });
                            let mut taken: Vec<Seq> = taken.map(|r| r.seq).collect();
                            if order == Direction::Reverse {
                                taken.reverse();
                            }
                            all.extend(taken);
                        }
                        Ok(all)
                    };
                    let wanted = records(&mut spool.frames(range.clone(), order)).map_err(failed)?;
                    let found = super::frames(&spool, &filter, range.clone(), order).map_err(failed)?;
                    let found = records(&mut { found }).map_err(failed)?;
                    prop_assert_eq!(found, wanted);
                }
            }
        }
    }
}
