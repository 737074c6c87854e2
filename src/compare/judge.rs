//! Decides on rows that differed: the spool is the judge of what was under way.
//!
//! The source's row is read between two marks, the target's together with where the run stands. A
//! row that differs counts only if nothing in the stream has touched it between the earlier and the
//! later of these places: then both ends have had the time to be the same. Else it is asked again
//! when the run has come behind the second mark.

use std::thread;
use std::time::{Duration, Instant};

use super::columns::{End, Pair};
use super::keys::{self, Key};
use super::side::{Side, Tokens};
use super::touched::Touched;
use super::value;
use crate::dest::Run;
use crate::error::{Error, Result};
use crate::event::TableName;
use crate::replay::mark;
use crate::source::mark::Marker;
use crate::spool::{Seq, Spool};

/// A row that is touched again and again is asked for so often.
const ROUNDS: usize = 6;
/// A run that does not move for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// What rows are judged by.
pub(super) struct Judge<'a> {
    pub(super) spool: &'a mut Spool,
    pub(super) marker: &'a mut Marker,
    pub(super) run: &'a Run,
}

/// What was found of some rows; of those that are the same, nothing.
#[derive(Default)]
pub(super) struct Judged {
    /// Rows that differ: those that only the target has, those that are others, those that it lacks.
    pub(super) differing: [Vec<Rows>; 3],
    /// Rows that could not be read at both ends in the same state.
    pub(super) undecided: Vec<Key>,
}

/// A row at both ends.
pub(super) struct Rows {
    pub(super) source: Option<Tokens>,
    pub(super) target: Option<Tokens>,
}

impl Judge<'_> {
    /// Judges the rows of these keys.
    ///
    /// # Errors
    /// When a server or the spool cannot be asked.
    pub(super) fn judge(
        &mut self,
        pair: &Pair,
        parents: &[TableName],
        (source, target): (&mut Side, &mut Side),
        mut keys: Vec<Key>,
    ) -> Result<Judged> {
        let mut judged = Judged::default();
        for _ in 0..ROUNDS {
            let among = |end| keys::among(pair, end, keys.iter());
            let low = mark::ask(self.marker, self.spool)?;
            let mut here = source.rows(pair, &among(End::Source))?;
            let high = mark::ask(self.marker, self.spool)?;
            let low = low.arrive(self.spool, self.marker, Duration::MAX)?;
            let high = high.arrive(self.spool, self.marker, Duration::MAX)?;
            let (standing, mut there) = target.rows_of(self.run, pair, &among(End::Target))?;
            // Of a window that is open some chunks are committed.
            let end = standing.window.map_or(standing.seq, |window| window.end);
            self.see(end)?;
            let stretch = low.min(standing.seq)..high.max(end);
            self.spool.check_begin(stretch.start, "rows are compared from there on")?;
            let touched = Touched::read(self.spool, pair, parents, stretch)?;
            keys.retain(|key| {
                let rows = Rows { source: here.remove(key), target: there.remove(key) };
                let Some(kind) = kind(pair, &rows) else { return false };
                let decided = !touched.has(pair, key);
                if decided {
                    judged.differing[kind].push(rows);
                }
                !decided
            });
            if keys.is_empty() || !self.follows(target, high)? {
                break;
            }
        }
        judged.undecided = keys;
        Ok(judged)
    }

    /// Sees what the run has taken from the spool.
    fn see(&mut self, end: Seq) -> Result<()> {
        if self.spool.end()?.next < end {
            self.spool.refresh()?;
        }
        match self.spool.end()?.next < end {
            false => Ok(()),
            true => Err(Error::stopped(format!(
                "the run {:?} has come to message {end}, and this spool ends before it",
                self.run.name
            ))
            .help("name the spool that the run applies")),
        }
    }

    /// Waits until the run has come to a place; false when it does not move.
    fn follows(&self, target: &mut Side, place: Seq) -> Result<bool> {
        let (mut seen, mut moved) = (0, Instant::now());
        loop {
            let standing = target.standing(self.run)?.unwrap_or_default();
            if standing.seq >= place {
                return Ok(true);
            }
            let at = standing.seq + standing.chunks.len() as Seq;
            if at != seen {
                (seen, moved) = (at, Instant::now());
            }
            if moved.elapsed() > PATIENCE {
                return Ok(false);
            }
            thread::sleep(POLL);
        }
    }
}

/// The place of a difference in [`Judged::differing`]; `None` where there is none.
fn kind(pair: &Pair, rows: &Rows) -> Option<usize> {
    match (&rows.source, &rows.target) {
        (None, None) => None,
        (None, Some(_)) => Some(0),
        (Some(a), Some(b)) => (!value::differing(pair, a, b).is_empty()).then_some(1),
        (Some(_), None) => Some(2),
    }
}
