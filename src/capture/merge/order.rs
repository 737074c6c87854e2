//! Where a message of one of several queues stands in the source's order.
//!
//! A queue keeps the order of what was published to it, so the place of a message that tells none
//! of its own, or one behind those before it (the producer sends again), is that of the message
//! before it. Pure.

use crate::event::Meta;

/// A place in the source's order: epoch, binlog file, offset, number in the transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    epoch: u32,
    file: u64,
    offset: u64,
    /// The greatest number on the row that commits, which has none.
    row: u64,
}

/// The epochs that all queues have come through, oldest first.
#[derive(Debug, Default)]
pub(super) struct Epochs(Vec<Epoch>);

#[derive(Debug)]
struct Epoch {
    base: String,
    server: Option<u64>,
    /// The time of the first message of it that was met, seconds.
    since: i64,
}

impl Epochs {
    /// The epoch that a queue in `from` comes to with this message, which begins one.
    fn enter(&mut self, from: Option<u32>, meta: &Meta<'_>, base: &str) -> u32 {
        let later = from.map_or(0, |from| from + 1);
        let may = (later..self.0.len() as u32).filter(|epoch| self.is_in(*epoch, meta, base));
        let may: Vec<u32> = may.collect();
        let begun = |epoch: &&u32| self.0[**epoch as usize].since <= meta.ts;
        match may.iter().rev().find(begun).or(may.first()) {
            Some(&number) => {
                let since = &mut self.0[number as usize].since;
                *since = meta.ts.min(*since);
                number
            }
            None => {
                let (base, server) = (base.to_owned(), meta.server_id);
                self.0.push(Epoch { base, server, since: meta.ts });
                (self.0.len() - 1) as u32
            }
        }
    }

    /// True when a message of that source may belong to the epoch.
    fn is_in(&self, epoch: u32, meta: &Meta<'_>, base: &str) -> bool {
        self.0.get(epoch as usize).is_some_and(|epoch| {
            epoch.base == base && epoch.server.zip(meta.server_id).is_none_or(|(a, b)| a == b)
        })
    }
}

/// How far one queue has come.
#[derive(Debug, Default)]
pub(super) struct Course {
    at: Option<At>,
    /// Time and number of the youngest transaction of the epoch.
    youngest: (i64, u64),
}

impl Course {
    /// The place of the last message that was [met](Course::meet).
    pub(super) fn at(&self) -> Option<At> {
        self.at
    }

    /// The place of the next message; `turn` is its number among those of a statement on several
    /// tables.
    pub(super) fn meet(&mut self, meta: Option<&Meta<'_>>, turn: u64, epochs: &mut Epochs) -> At {
        let before = self.at.unwrap_or_default();
        let told = meta
            .filter(|meta| meta.op.is_row() || meta.op.is_ddl())
            .and_then(|p| Some((p, p.position?)));
        let Some((meta, position)) = told else {
            self.at = Some(before);
            return before;
        };
        let row = if meta.commit { u64::MAX } else { meta.xoffset.unwrap_or(turn) };
        let own = |epoch| At { epoch, file: position.file, offset: position.offset, row };
        let age = (meta.ts, meta.xid.unwrap_or_default());
        let stays = self.at.is_some_and(|at| {
            epochs.is_in(at.epoch, meta, position.base)
                && (own(at.epoch) >= at || !self.is_younger(age))
        });
        if !stays {
            let epoch = epochs.enter(self.at.map(|at| at.epoch), meta, position.base);
            (self.at, self.youngest) = (Some(own(epoch).max(before)), age);
        }
        self.youngest = self.youngest.max(age);
        let at = own(self.at.unwrap_or_default().epoch).max(self.at.unwrap_or_default());
        self.at = Some(at);
        at
    }

    /// True for a transaction that cannot be one that is sent again: after RESET MASTER positions
    /// begin anew, times and numbers do not.
    fn is_younger(&self, age: (i64, u64)) -> bool {
        age.0 > self.youngest.0 || (age.0 == self.youngest.0 && age.1 > self.youngest.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BinlogPos, Facts, Op};

    fn place(file: u64, offset: u64, row: Option<u64>, ts: i64) -> Meta<'static> {
        Meta {
            op: Op::Insert,
            database: "a".into(),
            table: "t".into(),
            ts,
            ts_ms: ts * 1000,
            xid: Some(ts as u64 * 10),
            xoffset: row,
            commit: row.is_none(),
            position: Some(BinlogPos { base: "bin", file, offset }),
            server_id: Some(1),
            thread_id: None,
            facts: Facts::default(),
        }
    }

    #[test]
    fn rows_of_a_transaction_are_in_order_over_all_queues() {
        let mut epochs = Epochs::default();
        let (mut a, mut b) = (Course::default(), Course::default());
        let first = a.meet(Some(&place(1, 100, Some(0), 5)), 0, &mut epochs);
        let second = b.meet(Some(&place(1, 200, Some(1), 5)), 0, &mut epochs);
        let last = a.meet(Some(&place(1, 200, None, 5)), 0, &mut epochs);
        assert!(first < second && second < last);
        assert!(last < b.meet(Some(&place(1, 201, None, 6)), 0, &mut epochs));
        assert!(b.at() < Some(a.meet(Some(&place(10, 4, None, 6)), 0, &mut epochs)));
        // What another queue received first may be younger.
        let old = Course::default().meet(Some(&place(1, 50, None, 4)), 0, &mut epochs);
        assert!(old < first);
    }

    #[test]
    fn what_is_sent_again_stands_where_its_queue_is() {
        let mut epochs = Epochs::default();
        let mut course = Course::default();
        course.meet(Some(&place(1, 100, None, 5)), 0, &mut epochs);
        let far = course.meet(Some(&place(2, 100, None, 7)), 0, &mut epochs);
        for again in [place(1, 100, None, 5), place(2, 100, None, 7)] {
            assert_eq!(course.meet(Some(&again), 0, &mut epochs), far);
        }
        assert_eq!(course.meet(None, 0, &mut epochs), far, "a damaged message");
        assert!(course.meet(Some(&place(2, 101, None, 7)), 0, &mut epochs) > far);
    }

    #[test]
    fn another_source_and_a_log_begun_anew_are_behind_what_was() {
        let mut epochs = Epochs::default();
        let (mut a, mut b) = (Course::default(), Course::default());
        let old = a.meet(Some(&place(7, 100, None, 5)), 0, &mut epochs);
        let still = b.meet(Some(&place(7, 90, None, 5)), 0, &mut epochs);
        let reset = a.meet(Some(&place(1, 4, None, 8)), 0, &mut epochs);
        assert!(still < old && old < reset);
        assert!(b.meet(Some(&place(7, 101, None, 6)), 0, &mut epochs) < reset);
        let both = b.meet(Some(&place(1, 4, None, 8)), 0, &mut epochs);
        assert_eq!(both, reset, "the second queue comes into the same epoch");
        let other = Meta { server_id: Some(2), ..place(1, 1, None, 9) };
        let failover = a.meet(Some(&other), 0, &mut epochs);
        assert!(failover > reset && b.meet(Some(&other), 0, &mut epochs) == failover);
    }
}
