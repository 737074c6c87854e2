//! A place in the stream behind all that the source has committed by now, known to have come.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem::Finder;

use super::base::defines;
use crate::error::{Error, Result};
use crate::event::{BinlogPos, Direction, TableName};
use crate::source::copy::{Base, Did};
use crate::source::mark::{Marker, Place, token};
use crate::spool::{self, Seq, Spool};

/// A mark that is not there comes within this time, unless something older comes meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the spool is looked at, …
const POLL: Duration = Duration::from_millis(10);
/// … and opened anew: its index may have been rebuilt.
const REFRESH: Duration = Duration::from_secs(2);

/// A place that was asked for, to be waited for.
#[must_use]
pub struct Coming {
    place: Place,
    /// It lies behind the records before this one.
    from: Seq,
}

/// Asks the source for a place behind all that has committed by now.
///
/// # Errors
/// As [`Marker::place`] and [`Spool::end`].
pub fn ask(marker: &mut Marker, spool: &Spool) -> Result<Coming> {
    let from = spool.end()?.next;
    Ok(Coming { place: marker.place()?, from })
}

impl Coming {
    /// Waits until the spool has it; every record before the one returned is of what had committed
    /// by then, or of what has come beside it. A capture that is behind is waited for as long as it
    /// comes nearer.
    ///
    /// # Errors
    /// When it does not come, or not within `patience`, and as [`Spool::end`].
    pub fn arrive(self, spool: &mut Spool, marker: &Marker, patience: Duration) -> Result<Seq> {
        let began = Instant::now();
        let (mut quiet, mut refreshed, mut from) = (began, began, self.from);
        let mut first = true;
        loop {
            let next = spool.end()?.next;
            let come = match &self.place {
                Place::Mark { token, .. } if next > from => marked(spool, *token, from..next)?,
                Place::Mark { .. } => None,
                Place::Position(place) => {
                    self.reached(spool, place, marker, first || next > from)?
                }
            };
            if let Some(seq) = come {
                return Ok(seq);
            }
            if next > from && self.is_older(spool)? {
                quiet = Instant::now();
            }
            (from, first) = (next, false);
            if quiet.elapsed() > PATIENCE {
                return Err(self.missing(spool, marker)?);
            }
            if began.elapsed() > patience {
                return Err(Error::stopped(
                    "what the source has committed has not come to the spool in time: what comes is older still",
                )
                .help("the capture is behind: binsync status says how far"));
            }
            if refreshed.elapsed() > REFRESH {
                spool.refresh()?;
                refreshed = Instant::now();
            }
            thread::sleep(POLL);
        }
    }

    /// The spool's end, when it has all that a server has which takes no writes; asked when the
    /// spool has grown, and at first.
    fn reached(
        &self,
        spool: &Spool,
        place: &BinlogPos,
        marker: &Marker,
        ask: bool,
    ) -> Result<Option<Seq>> {
        if !ask {
            return Ok(None);
        }
        let end = spool.end()?;
        let end = end.open.unwrap_or(end.next);
        let last = spool.first_transaction(0..end, Direction::Reverse)?;
        let at = last.and_then(|last| last.position).filter(|at| at.base == place.base);
        let Some(at) = at else {
            return Err(Error::stopped(format!(
                "the server takes no mark, and the spool's last transaction has no position in its \
                 binlog ({place}), so whether all of it has come cannot be told"
            ))
            .help("name the server that is recorded, with positions (Maxwell: output_binlog_position)"));
        };
        if at >= *place {
            return Ok(Some(end));
        }
        let mut missing = false;
        Base::open(marker.server())?.read_log(&at, place, &mut |event, did| {
            missing |= *event > at
                && match did {
                    Did::Rows(name) => !is_housekeeping(name),
                    Did::Statement(sql) => defines(sql),
                    Did::Hidden => true,
                };
            Ok(())
        })?;
        Ok((!missing).then_some(end))
    }

    /// True when what came last was done at the source before the mark was written.
    fn is_older(&self, spool: &Spool) -> Result<bool> {
        let Place::Mark { ts, .. } = self.place else { return Ok(true) };
        let last = spool.first_transaction(0..Seq::MAX, Direction::Reverse)?;
        Ok(last.is_some_and(|last| last.ts < ts))
    }

    fn missing(&self, spool: &Spool, marker: &Marker) -> Result<Error> {
        let source = marker.server().place();
        let what = match &self.place {
            Place::Mark { .. } => format!("the mark written at {source}"),
            Place::Position(place) => format!("what {source} has before {place}"),
        };
        let seconds = PATIENCE.as_secs();
        let missing = format!("{what} has not come to the spool within {seconds} s");
        Ok(match spool::is_written(spool.dir())? {
            false => Error::stopped(missing + ": no capture runs here")
                .help("start a capture of that source into this spool"),
            true => Error::stopped(missing).help(
                "let Maxwell's `filter` take binsync.*, and bind the queue to its exchange with the \
                 routing key binsync.#; and see that it is this source which the capture records",
            ),
        })
    }
}

/// True for a table, as the binlog names it, whose rows are nobody's.
fn is_housekeeping(name: &str) -> bool {
    let (database, table) = name.split_once('.').unwrap_or((name, ""));
    TableName::new(database, table).is_housekeeping()
}

/// The place behind the mark of that token, if a stretch has it.
fn marked(spool: &Spool, wanted: u64, range: Range<Seq>) -> Result<Option<Seq>> {
    let digits = wanted.to_string();
    let digits = Finder::new(&digits);
    for frame in spool.frames(range.clone(), Direction::Forward) {
        let frame = frame?;
        if digits.find(frame.content()).is_none() {
            continue;
        }
        for event in frame.events(&range, Direction::Forward) {
            let (seq, event) = event?;
            if token(&event) == Some(wanted) {
                return Ok(Some(seq + 1));
            }
        }
    }
    Ok(None)
}
