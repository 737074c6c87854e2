//! One stretch of the stream: from a transaction to a transaction, by time or position.

use std::ops::Range;

use super::selected;
use crate::error::{Error, Means, Result};
use crate::event::{BinlogPos, Direction};
use crate::filter::Filter;
use crate::spool::{Pruned, Seq, Spool, Transaction, Zone};

/// Where to cut. Times are seconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// From the first transaction whose commit row is not older than this.
    pub since: Option<i64>,
    /// To before the first transaction whose commit row is not older than this.
    pub until: Option<i64>,
    /// From the first transaction whose commit row stands at or after this position.
    pub from: Option<BinlogPos>,
    /// To before the first transaction whose commit row stands at or after this position.
    pub to: Option<BinlogPos>,
}

/// Reads `bin.000002:1234`.
///
/// # Errors
/// When it is not of that form (usage).
pub fn position(text: &str) -> Result<BinlogPos> {
    let read = BinlogPos::parse(text).ok_or_else(|| {
        Error::usage(format!("{text:?} is no binlog position"))
            .help("write it as FILE:POS, as in bin.000002:1234")
    })?;
    Ok(read.with_base(read.base.to_owned()))
}

/// What a cut takes, and what it leaves although its time would fit.
#[derive(Debug)]
pub struct Cut {
    /// The stretch.
    pub range: Range<Seq>,
    /// Its first transaction.
    pub first: Option<Transaction>,
    /// Its last transaction.
    pub last: Option<Transaction>,
    /// Transactions in it.
    pub transactions: u64,
    /// Transactions outside of which some would be selected and whose time lies inside: statement
    /// times are not in commit order.
    pub outside: u64,
    /// The first of them.
    pub outsider: Option<Transaction>,
    /// First and last transaction of the spool, where the stretch has none.
    pub around: Option<(Transaction, Transaction)>,
    /// First sequence of a transaction that has not ended yet; it is left for the next run.
    pub open: Option<Seq>,
    /// The spool begins behind the place asked for.
    pub late: bool,
    /// What came before the stretch was asked for, too, and is gone.
    pub pruned: Option<Pruned>,
    /// The place where the stretch begins has not come yet; what comes may still lie before it.
    pub ahead: bool,
}

/// Finds the stretch. `filter` says what is of interest outside of it.
///
/// # Errors
/// When the bounds make no sense (usage), a position is not in the spool's epochs or in more
/// than one of them, or the index cannot be read.
pub fn cut(spool: &Spool, bounds: &Bounds, filter: &Filter) -> Result<Cut> {
    if let (Some(since), Some(until)) = (bounds.since, bounds.until)
        && until < since
    {
        return Err(Error::usage(("{} lies before {}", [Means::Until, Means::Since]))
            .help("swap the two times"));
    }
    let end = spool.end()?;
    let begin = spool.begin();
    let whole = begin..end.open.unwrap_or(end.next).max(begin);
    let unbounded = matches!(bounds, Bounds { since: None, until: None, from: None, to: None });
    let (range, ahead) =
        if unbounded { (whole.clone(), false) } else { stretch(spool, bounds, &whole)? };
    let mut cut = Cut {
        range,
        first: None,
        last: None,
        transactions: 0,
        outside: 0,
        outsider: None,
        around: None,
        open: end.open,
        late: false,
        pruned: None,
        ahead,
    };
    let timed = bounds.since.is_some() || bounds.until.is_some();
    let inside = |t: &Transaction| {
        let before = |place: &BinlogPos| t.position.as_ref().is_none_or(|at| at < place);
        timed
            && bounds.since.is_none_or(|since| t.ts >= since)
            && bounds.until.is_none_or(|until| t.ts < until)
            && bounds.from.as_ref().is_none_or(|from| !before(from))
            && bounds.to.as_ref().is_none_or(before)
    };
    let earliest = spool.first_transaction(whole.clone(), Direction::Forward)?;
    let late = |t: &Transaction| cut.range.start == whole.start && begins_late(bounds, t);
    cut.late = earliest.as_ref().is_some_and(late);
    let from_begin = cut.late || bounds.since.is_none() && bounds.from.is_none();
    cut.pruned = spool.pruned().filter(|_| from_begin).cloned();
    let last = |range: &Range<Seq>| spool.first_transaction(range.clone(), Direction::Reverse);
    cut.transactions = spool.transaction_count(cut.range.clone())?;
    if cut.transactions > 0 {
        cut.first = spool.first_transaction(cut.range.clone(), Direction::Forward)?;
        cut.last = last(&cut.range)?;
    } else if cut.range != whole {
        cut.around = earliest.zip(last(&whole)?);
    }
    if timed {
        let (since, until) = (bounds.since, bounds.until);
        let may = move |zone: &Zone| {
            zone.times.is_some_and(|(earliest, latest)| {
                since.is_none_or(|since| latest >= since)
                    && until.is_none_or(|until| earliest < until)
            })
        };
        for part in [whole.start..cut.range.start, cut.range.end..whole.end] {
            for transaction in spool.transactions_where(part, Direction::Forward, may) {
                let t = transaction?;
                if inside(&t) && selected::takes(filter, &t) {
                    cut.outside += 1;
                    cut.outsider.get_or_insert(t);
                }
            }
        }
    }
    Ok(cut)
}

/// The first transaction of a range that is as looked for; `may` tells which frames may hold it.
fn first(
    spool: &Spool,
    range: &Range<Seq>,
    may: impl Fn(&Zone) -> bool + Send + 'static,
    is: impl Fn(&Transaction) -> bool,
) -> Result<Option<Transaction>> {
    let mut all = spool.transactions_where(range.clone(), Direction::Forward, may);
    all.find(|t| t.as_ref().map_or(true, &is)).transpose()
}

/// True when the spool's first transaction is behind the begin of what is asked for.
fn begins_late(bounds: &Bounds, first: &Transaction) -> bool {
    let place = first.position.as_ref().zip(bounds.from.as_ref());
    bounds.since.is_some_and(|since| first.ts > since)
        || place.is_some_and(|(first, from)| first > from)
}

/// The stretch, and whether its begin has not come yet.
fn stretch(spool: &Spool, bounds: &Bounds, whole: &Range<Seq>) -> Result<(Range<Seq>, bool)> {
    let since = |time: i64| {
        let may = move |zone: &Zone| zone.times.is_some_and(|(_, latest)| latest >= time);
        first(spool, whole, may, |t| t.ts >= time).map(|found| found.map(|t| t.first))
    };
    let start = match bounds.since {
        Some(time) => since(time)?,
        None => Some(whole.start),
    };
    let end = bounds.until.map(since).transpose()?.flatten().unwrap_or(whole.end);
    let inner = start.unwrap_or(whole.end)..end;
    let reaches = |place: &Option<BinlogPos>| -> Result<Option<Seq>> {
        let Some(place) = place else { return Ok(None) };
        let order = place.order();
        let may = move |zone: &Zone| zone.places.is_some_and(|(_, highest)| highest >= order);
        let is = |t: &Transaction| t.position.as_ref().is_some_and(|at| at >= place);
        Ok(first(spool, &inner, may, is)?.map(|t| t.first))
    };
    let (from, to) = (reaches(&bounds.from)?, reaches(&bounds.to)?);
    let by_position = bounds.from.is_some() || bounds.to.is_some();
    let epochs = if by_position { placed(spool, &inner)? } else { Vec::new() };
    if by_position && epochs.is_empty() {
        return Err(Error::usage(Means::Position + ": the stream carries no binlog positions")
            .help(("cut by time with {} and {}", [Means::Since, Means::Until])));
    }
    if by_position && epochs.len() > 1 {
        return Err(Error::usage(
            Means::Position
                + format!(
                    ": binlog positions begin anew within the stretch (epochs {epochs:?}), so a \
                     position may stand for several places"
                ),
        )
        .help((
            "narrow it to one epoch with {} and {}; `{}` lists them",
            [Means::Since, Means::Until, Means::SpoolLs],
        )));
    }
    check_base(spool, bounds)?;
    let ahead = start.is_none() || bounds.from.is_some() && from.is_none();
    let mut range = inner;
    if bounds.from.is_some() {
        range.start = from.unwrap_or(range.end);
    }
    if let Some(to) = to {
        range.end = range.end.min(to);
    }
    range.end = range.end.max(range.start);
    Ok((range, ahead))
}

/// The epochs that have binlog positions in a range.
fn placed(spool: &Spool, range: &Range<Seq>) -> Result<Vec<u32>> {
    let (mut all, mut end) = (Vec::new(), range.end);
    for epoch in spool.epochs()?.into_iter().rev() {
        let part = epoch.first_seq.max(range.start)..end;
        end = end.min(epoch.first_seq);
        let may = |zone: &Zone| zone.places.is_some();
        if first(spool, &part, may, |t| t.position.is_some())?.is_some() {
            all.insert(0, epoch.number);
        }
    }
    Ok(all)
}

/// Refuses a position in a binlog that the source does not have: nothing would ever reach it.
fn check_base(spool: &Spool, bounds: &Bounds) -> Result<()> {
    let mut bases: Vec<String> = spool.epochs()?.into_iter().filter_map(|e| e.base).collect();
    bases.dedup();
    let asked = [&bounds.from, &bounds.to].into_iter().flatten();
    match asked.into_iter().find(|place| !bases.contains(&place.base)) {
        Some(place) if !bases.is_empty() => Err(Error::usage(
            Means::Position
                + format!(
                    ": the binlog of this stream is called {}, not {}",
                    bases.join(" and "),
                    place.base
                ),
        )
        .help((
            "take the name and place as the source itself writes them; `{}` shows some",
            [Means::Log],
        ))),
        _ => Ok(()),
    }
}

/// Refuses transaction numbers that are not in the stretch or name more than one transaction:
/// they begin anew when the source's server restarts.
///
/// # Errors
/// As said (usage), with the list.
pub(super) fn check_xids(spool: &Spool, range: &Range<Seq>, filter: &Filter) -> Result<()> {
    if filter.xids().is_empty() {
        return Ok(());
    }
    let mut found: Vec<Transaction> = Vec::new();
    let xids = filter.xids().to_vec();
    let may = move |zone: &Zone| xids.iter().any(|xid| zone.xids.may_hold(*xid));
    for transaction in spool.transactions_where(range.clone(), Direction::Forward, may) {
        let t = transaction?;
        if t.xid.is_some_and(|xid| filter.xids().contains(&xid)) {
            found.push(t);
        }
    }
    for &xid in filter.xids() {
        let same: Vec<&Transaction> = found.iter().filter(|t| t.xid == Some(xid)).collect();
        if same.is_empty() {
            let pruned = spool.pruned().map(|pruned| format!("; {pruned}")).unwrap_or_default();
            let what = format!("no transaction with xid {xid} in the stretch{pruned}");
            return Err(Error::usage(what).help(("`{}` lists the transactions", [Means::Log])));
        }
        if same.len() > 1 {
            let list: Vec<String> = same.iter().map(|t| format!("  {t}")).collect();
            return Err(Error::usage(format!(
                "xid {xid} names {} transactions (the source's server was restarted between \
                 them):\n{}",
                same.len(),
                list.join("\n")
            ))
            .help((
                "narrow the stretch to one of them with {}, {} or {}",
                [Means::Since, Means::Until, Means::Position],
            )));
        }
    }
    Ok(())
}
