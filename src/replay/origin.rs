//! Filters on tables, connections, servers and columns, held against what the stream can tell.

use std::ops::Range;

use super::Definitions;
use super::snapshot::Snapshot;
use crate::error::{Error, Means, Result};
use crate::event::def::TableDef;
use crate::filter::Filter;
use crate::spool::{Numbered, Seq, Spool, Survey, Transaction, Zone};

/// Transactions at the begin of a binlog file that tell whether the server was restarted.
const PROBE: u64 = 10;

/// Refuses a filter that nothing in the stretch can match, and connections whose number was given
/// to different clients by different server starts.
///
/// # Errors
/// As said (usage).
pub(super) fn check(spool: &Spool, range: &Range<Seq>, filter: &Filter) -> Result<()> {
    let asked = [filter.threads(), filter.servers()].iter().any(|list| !list.is_empty());
    if asked || !filter.gtids().is_empty() {
        let mut seen = Look { seen: Seen::default(), filter };
        spool.survey(range.clone(), &mut seen)?;
        seen.seen.check(filter, &|t| spool.named(t.clone()))?;
    }
    check_columns(spool, filter)
}

/// Refuses patterns that match no table: neither one that the stream has named nor one that a
/// snapshot of definitions has.
///
/// # Errors
/// As said (usage), or when the spool cannot be read.
pub(super) fn check_tables(spool: &Spool, filter: &Filter) -> Result<()> {
    let mut known = spool.tables()?;
    if filter.check_tables(&known).is_ok() {
        return Ok(());
    }
    for (_, bytes) in spool.snapshots()? {
        known.extend(Snapshot::parse(&bytes)?.tables.iter().map(TableDef::name));
    }
    filter.check_tables(&known)
}

/// Refuses columns that no selected table has, where the definitions of all of them are known.
fn check_columns(spool: &Spool, filter: &Filter) -> Result<()> {
    if !filter.reads_rows() {
        return Ok(());
    }
    let Definitions { history, .. } = Definitions::load(spool)?;
    let selected: Vec<_> =
        spool.tables()?.into_iter().filter(|name| filter.takes_table(name)).collect();
    for column in filter.columns() {
        let may_have = selected.iter().filter(|name| !name.table.is_empty()).any(|name| {
            let mut defs = history.of(name).peekable();
            defs.peek().is_none() || defs.any(|def| def.column(column).is_some())
        });
        if !may_have {
            return Err(Error::usage(format!("no selected table has a column {column:?}"))
                .help(("`{}` lists tables and columns", [Means::SchemaShow])));
        }
    }
    Ok(())
}

/// Looks at the stretch's transactions.
struct Look<'f> {
    seen: Seen,
    filter: &'f Filter,
}

impl Survey for Look<'_> {
    /// Frames of a binlog file whose begin was seen, in which none of the connections did anything,
    /// tell all there is to know in their bounds.
    fn zone(&mut self, zone: &Zone, whole: bool) -> bool {
        let Some(servers) = zone.servers.all().filter(|_| whole) else { return true };
        if self.filter.threads().iter().any(|thread| zone.threads.may_hold(*thread)) {
            return true;
        }
        if !self.filter.threads().is_empty() {
            let Some((from, to)) = zone.places else { return true };
            let Some(file) = self.seen.files.last_mut() else { return true };
            let same = from.0 == to.0 && file.number == Some(from.0);
            if !same || zone.epochs != Some((file.epoch, file.epoch)) || file.transactions < PROBE {
                return true;
            }
            file.high = file.high.max(zone.xids.bounds().map_or(0, |bounds| bounds.1));
        }
        self.seen.any_thread |= zone.threads.bounds().is_some();
        self.seen.any_gtid |= zone.gtids.bounds().is_some();
        servers.iter().for_each(|server| self.seen.server(*server));
        false
    }

    fn transaction(&mut self, transaction: Numbered) {
        self.seen.add(transaction, self.filter);
    }
}

/// A transaction with its names.
type Named<'a> = dyn Fn(&Numbered) -> Result<Transaction> + 'a;

/// What was seen of the stretch's transactions.
#[derive(Default)]
struct Seen {
    any_thread: bool,
    any_gtid: bool,
    any_server: bool,
    servers: Vec<u64>,
    files: Vec<File>,
}

/// One binlog file, and what the connections asked for did in it.
struct File {
    epoch: u32,
    number: Option<u64>,
    transactions: u64,
    /// Greatest transaction number among the first ones, and among all.
    early: u64,
    high: u64,
    found: Vec<Found>,
}

/// What a connection did in a binlog file, or in several of one server start.
#[derive(Clone)]
struct Found {
    thread: u64,
    transactions: u64,
    first: Numbered,
    last: Numbered,
}

impl Seen {
    fn add(&mut self, t: Numbered, filter: &Filter) {
        self.any_thread |= t.thread_id.is_some();
        self.any_gtid |= t.facts.gtid.is_some();
        t.server_id.into_iter().for_each(|server| self.server(server));
        let number = t.position.as_ref().map(|at| at.file);
        let same = |file: &File| file.epoch == t.epoch && file.number == number;
        if !self.files.last().is_some_and(same) {
            let found = Vec::new();
            self.files.push(File {
                epoch: t.epoch,
                number,
                transactions: 0,
                early: 0,
                high: 0,
                found,
            });
        }
        let Some(file) = self.files.last_mut() else { return };
        if let Some(xid) = t.xid {
            file.transactions += 1;
            file.high = file.high.max(xid);
            if file.transactions <= PROBE {
                file.early = file.high;
            }
        }
        let Some(thread) = t.thread_id.filter(|n| filter.threads().contains(n)) else { return };
        match file.found.iter_mut().find(|found| found.thread == thread) {
            Some(found) => (found.transactions, found.last) = (found.transactions + 1, t),
            None => file.found.push(Found { thread, transactions: 1, first: t.clone(), last: t }),
        }
    }

    fn server(&mut self, server: u64) {
        self.any_server = true;
        if !self.servers.contains(&server) {
            self.servers.push(server);
        }
    }

    /// Holds it against the filter; `named` gives transactions with their names.
    fn check(self, filter: &Filter, named: &Named<'_>) -> Result<()> {
        if !filter.threads().is_empty() && !self.any_thread {
            return Err(Error::usage(Means::ThreadId + ": the stream carries no thread ids").help(
                ("MariaDB sends none; with MySQL set Maxwell's output_thread_id. {} chooses single \
                  transactions", [Means::Xid]),
            ));
        }
        if !filter.gtids().is_empty() && !self.any_gtid {
            return Err(Error::usage(Means::Gtid + ": the stream carries no GTIDs").help((
                "binlogs tell them where the source has them, Maxwell with output_gtid_position. {} chooses single \
                 transactions",
                [Means::Xid],
            )));
        }
        if !filter.servers().is_empty() && !self.any_server {
            return Err(Error::usage(Means::ServerId + ": the stream carries no server ids")
                .help("set Maxwell's output_server_id"));
        }
        if let Some(server) = filter.servers().iter().find(|n| !self.servers.contains(n)) {
            let list: Vec<String> = self.servers.iter().map(u64::to_string).collect();
            return Err(Error::usage(format!("nothing of server {server} in the stretch"))
                .help(format!("there is: {}", list.join(", "))));
        }
        let starts = starts(self.files);
        for &thread in filter.threads() {
            let of = |found: &&Found| found.thread == thread;
            let found: Vec<&Found> = starts.iter().flatten().filter(of).collect();
            if found.is_empty() {
                return Err(Error::usage(format!("nothing of thread {thread} in the stretch"))
                    .help(("`{}` lists the transactions with their threads", [Means::Log])));
            }
            if found.len() > 1 {
                return Err(ambiguous(thread, &found, named)?);
            }
        }
        Ok(())
    }
}

fn ambiguous(thread: u64, found: &[&Found], named: &Named<'_>) -> Result<Error> {
    let line = |one: &&Found| {
        let (first, last) = (named(&one.first)?, named(&one.last)?);
        Ok(format!("  {} transactions, from {first} to {last}", one.transactions))
    };
    let list: Vec<String> = found.iter().map(line).collect::<Result<_>>()?;
    Ok(Error::usage(format!(
        "thread {thread} names a connection in {} starts of the source's server:\n{}",
        found.len(),
        list.join("\n")
    ))
    .help((
        "narrow the stretch to one of them with {}, {} or {}",
        [Means::Since, Means::Until, Means::Position],
    )))
}

/// Joins the files of each server start. A restart begins a binlog file and counts transactions
/// anew: all of the file's first ones are below what was reached before. Without a restart some
/// are above, even if others began long ago.
fn starts(files: Vec<File>) -> Vec<Vec<Found>> {
    let mut starts: Vec<Vec<Found>> = Vec::new();
    let (mut epoch, mut high) = (None, 0);
    for file in files {
        let goes_on = epoch == Some(file.epoch) && (file.transactions == 0 || file.early > high);
        if !goes_on {
            starts.push(Vec::new());
            high = 0;
        }
        (epoch, high) = (Some(file.epoch), high.max(file.high));
        let Some(start) = starts.last_mut() else { continue };
        for new in file.found {
            match start.iter_mut().find(|found| found.thread == new.thread) {
                Some(found) => {
                    (found.transactions, found.last) =
                        (found.transactions + new.transactions, new.last);
                }
                None => start.push(new),
            }
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::event::BinlogPos;

    fn named(t: &Numbered) -> Result<Transaction> {
        Ok(Transaction { xid: t.xid, ..Transaction::with_rows(Vec::new()) })
    }

    fn transaction(file: u64, xid: u64, thread: Option<u64>) -> Numbered {
        Numbered {
            first: xid,
            last: xid,
            xid: Some(xid),
            position: Some(BinlogPos { base: (), file, offset: 4 }),
            thread_id: thread,
            server_id: Some(1),
            ..Numbered::with_rows(Vec::new())
        }
    }

    fn check(stream: &[(u64, u64, u64)], thread: u64) -> Result<()> {
        let filter = Filter::default().by_origin(&[thread], &[]);
        let mut seen = Seen::default();
        for &(file, xid, thread) in stream {
            seen.add(transaction(file, xid, Some(thread)), &filter);
        }
        seen.check(&filter, &named)
    }

    #[test]
    fn a_thread_of_two_server_starts_is_refused_with_the_list() {
        let error = check(&[(1, 500, 7), (1, 900, 7), (2, 30, 7), (2, 31, 8)], 7).expect_err("two");
        assert_eq!(error.kind(), ErrorKind::Usage);
        let text = error.to_string();
        assert!(text.contains("2 starts") && text.contains("xid 500") && text.contains("xid 30"));
        assert!(check(&[(1, 500, 7), (2, 30, 7), (2, 31, 8)], 8).is_ok());
    }

    #[test]
    fn a_binlog_file_that_only_follows_is_no_restart() {
        let old_transaction_first = [(1, 500, 7), (1, 900, 7), (2, 450, 9), (2, 901, 7)];
        assert!(check(&old_transaction_first, 7).is_ok());
    }

    #[test]
    fn what_the_stream_does_not_carry_is_refused() {
        let filter = Filter::default().by_origin(&[7], &[]);
        let mut seen = Seen::default();
        seen.add(transaction(1, 1, None), &filter);
        assert!(
            seen.check(&filter, &named).expect_err("none").to_string().contains("no thread ids")
        );
        assert!(check(&[(1, 1, 2)], 7).is_err());
        let filter = Filter::default().by_origin(&[], &[5]);
        let mut seen = Seen::default();
        seen.add(transaction(1, 1, None), &filter);
        assert!(seen.check(&filter, &named).expect_err("none").to_string().contains("there is: 1"));
    }
}
