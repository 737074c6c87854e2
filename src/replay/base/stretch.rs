//! Which of the spool's transactions came after a time and are in a snapshot of the source.

use std::ops::Range;

use crate::error::{Error, Means, Result, Words};
use crate::event::{BinlogPos, Direction, TableName};
use crate::filter::Filter;
use crate::spool::{Seq, Spool, Transaction, Trouble};

/// The stretch between the two.
pub(super) struct Stretch {
    /// The first transaction that came at or after the time.
    start: Seq,
    /// The first that is not in the snapshot, or where the spool ends.
    end: Seq,
    /// The spool holds a transaction that is not in the snapshot, so all that are.
    pub(super) is_whole: bool,
    /// The transaction before the stretch.
    pub(super) before: Transaction,
    /// The last transaction in the snapshot; where the stretch is empty, the one before it.
    pub(super) last: Transaction,
}

/// Where the transactions begin that came at or after a time.
///
/// # Errors
/// When the spool cannot be read.
pub(super) fn begin(spool: &Spool, until: i64) -> Result<Seq> {
    let whole = whole(spool)?;
    for transaction in spool.transactions(whole.clone(), Direction::Forward) {
        let t = transaction?;
        if t.ts >= until {
            return Ok(t.first);
        }
    }
    Ok(whole.end)
}

fn whole(spool: &Spool) -> Result<Range<Seq>> {
    let end = spool.end()?;
    let begin = spool.begin();
    Ok(begin..end.open.unwrap_or(end.next).max(begin))
}

/// Finds the stretch from a time to a place in the source's binlog.
///
/// # Errors
/// When the spool does not begin before the time, or does not tell positions in that binlog.
pub(super) fn find(spool: &Spool, until: i64, place: &BinlogPos) -> Result<Stretch> {
    let epoch = spool.epochs()?.last().map_or(0, |epoch| epoch.number);
    let whole = whole(spool)?;
    let (mut start, mut end, mut before) = (None, None, None);
    let mut last: Option<Transaction> = None;
    for transaction in spool.transactions(whole.clone(), Direction::Forward) {
        let t = transaction?;
        let newest = t.position.as_ref().filter(|p| t.epoch == epoch && p.base == place.base);
        if newest.is_some_and(|position| position >= place) {
            end = Some(t.first);
            break;
        }
        if start.is_none() && t.ts >= until {
            (start, before) = (Some(t.first), Some(last.take()));
        }
        last = Some(t);
    }
    let is_whole = end.is_some();
    let end = end.unwrap_or(whole.end);
    if is_whole && start.is_none() && begin(spool, until)? > end {
        return Err(Error::stopped(
            Words::from(format!(
                "base: its binlog is at {place}, and the spool holds transactions from before "
            )) + Means::Until
                + " that lie behind that",
        )
        .help("name the server that is recorded; if it is that one, run the same command again"));
    }
    let before = before.unwrap_or_else(|| last.clone());
    let Some((before, last)) = before.clone().zip(last.or(before)) else {
        let nothing = "the spool holds nothing from before " + Means::Until;
        return Err(match spool.pruned() {
            Some(pruned) => {
                Error::stopped(nothing + format!(": {pruned}")).help("choose a later time")
            }
            None => Error::stopped(nothing)
                .help("what came before the capture began is not known: choose a later time"),
        });
    };
    if last.position.is_none() || before.position.is_none() {
        return Err(Error::stopped(
            "the stream carries no binlog positions, so which of its transactions the copy holds \
             is not known",
        )
        .help(
            "switch them on for what is captured from now on (Maxwell: output_binlog_position)",
        ));
    }
    Ok(Stretch { start: start.unwrap_or(end), end, is_whole, before, last })
}

impl Stretch {
    /// What is to be taken back.
    pub(super) fn range(&self) -> Range<Seq> {
        self.start..self.end
    }

    /// Refuses a stretch that may lack transactions.
    ///
    /// # Errors
    /// As said.
    pub(super) fn check(&self, spool: &Spool, place: &BinlogPos) -> Result<()> {
        let base = |t: &Transaction| t.position.as_ref().is_some_and(|p| p.base == place.base);
        let newest = spool.epochs()?.last().map_or(0, |epoch| epoch.number);
        if !base(&self.last) || !base(&self.before) || self.before.epoch != newest {
            return Err(Error::stopped(
                "the spool's positions since "
                    + Means::Until
                    + format!(
                        " are not all of the base's binlog {:?}: the last before is {}",
                        place.base, self.before
                    ),
            )
            .help("name the server that is recorded; a time before its binlog began anew cannot be reached from it"));
        }
        // A hole noticed at the first message behind the stretch lies in it.
        let inside = self.before.last + 1..self.end + 1;
        match spool.troubles(&inside)?.into_iter().find(Trouble::loses) {
            Some(what) => Err(Error::stopped(
                "the spool is not whole since " + Means::Until + format!(": {what}"),
            )
            .help("choose a time after it")),
            None => Ok(()),
        }
    }

    /// Refuses tables that the copy lacks, and those whose events were held back.
    ///
    /// # Errors
    /// As said.
    pub(super) fn check_tables(
        &self,
        spool: &Spool,
        filter: &Filter,
        tables: &[TableName],
    ) -> Result<()> {
        for b in spool.bootstraps()? {
            let overlaps = b.start < self.end && b.end.is_none_or(|end| end > self.start);
            if overlaps && tables.contains(&b.table) {
                return Err(Error::stopped(
                    Words::from(format!("{}: the producer copied it since ", b.table))
                        + Means::Until
                        + format!(" (message {}), its events are not in order", b.start),
                )
                .help(
                    "choose a time after that copy, or leave the table out with "
                        + Means::ExcludeTable,
                ));
            }
        }
        for transaction in spool.transactions(self.range(), Direction::Forward) {
            let t = transaction?;
            let taken = |name: &TableName| filter.takes_table(name);
            let rows = t.tables.iter().filter(|(name, counts)| counts.rows() > 0 && taken(name));
            if let Some((name, _)) = rows.into_iter().find(|(name, _)| !tables.contains(name)) {
                return Err(Error::stopped(
                    Words::from(format!("base: it has no table {name}, whose rows changed since "))
                        + Means::Until
                        + format!(" ({t})"),
                )
                .help(
                    "name the server that is recorded, or leave the table out with "
                        + Means::ExcludeTable,
                ));
            }
        }
        Ok(())
    }
}
