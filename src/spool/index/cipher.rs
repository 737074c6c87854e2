//! Which key of the producer an index was made with. It holds what the messages tell of themselves
//! (tables, times, places, counts), no value of a row, and no hash of a key that came encrypted.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use super::db::{Index, Val};
use super::home::Home;
use super::read::upto;
use crate::error::{Error, Means, Result, Words};
use crate::event::cipher::Key;
use crate::event::maxwell::ENCRYPTED;
use crate::spool::store::segment_reader::SegmentReader;
use crate::spool::types::Seq;

/// The key of `meta` that has the mark of the key; set with the first message it decrypts.
pub(crate) const CIPHER: &str = "cipher";

/// How an index is to the key that is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// It knows what can be known with it.
    WithIt,
    /// It was made with a key, and none is given: what it knows holds, the rows cannot be read.
    WithOne,
    /// It was made without one, which is given now.
    Without,
}

/// Messages that are encrypted and not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) count: u64,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
}

impl Index {
    /// What of a stretch is encrypted and not read.
    pub(crate) fn unread(&self, range: &Range<Seq>) -> Result<Option<Unread>> {
        let sql = "SELECT count(*), min(seq), max(seq) FROM damaged
          WHERE seq >= ? AND seq < ? AND reason = ?";
        let values = [upto(range.start), upto(range.end), Val::Text(ENCRYPTED)];
        let found =
            self.row(sql, &values, |row| Ok((row.int(0)?, row.maybe_int(1)?, row.maybe_int(2)?)))?;
        Ok(found.and_then(|(count, first, last)| {
            first.zip(last).map(|(first, last)| Unread { count, first, last })
        }))
    }

    /// Holds the key against the one the index was made with.
    ///
    /// # Errors
    /// When it is another one, or makes no message of those that are unread (usage).
    pub(crate) fn made(&self, home: &Home, key: Option<&Key>) -> Result<Made> {
        match (self.get(CIPHER)?, key) {
            (None, None) => Ok(Made::WithIt),
            (Some(_), None) => Ok(Made::WithOne),
            (Some(mark), Some(key)) if mark == key.mark() => Ok(Made::WithIt),
            (Some(_), Some(_)) => Err(other_key(home.dir())),
            (None, Some(key)) => match self.unread(&(0..Seq::MAX))? {
                None => Ok(Made::WithIt),
                Some(unread) => {
                    for seq in [unread.first, unread.last] {
                        if self.opens(home, seq, key)? {
                            return Ok(Made::Without);
                        }
                    }
                    Err(fits_none(home.dir(), unread))
                }
            },
        }
    }

    /// True when an index that is to be written must be built anew with the key.
    ///
    /// # Errors
    /// When it was made with one and none is given, and as [`Index::made`] (usage).
    pub(crate) fn is_to_be_opened(&self, home: &Home, key: Option<&Key>) -> Result<bool> {
        match self.made(home, key)? {
            Made::WithIt => Ok(false),
            Made::Without => Ok(true),
            Made::WithOne => {
                Err(keyless("the messages of this spool are encrypted by the producer"))
            }
        }
    }

    fn opens(&self, home: &Home, seq: Seq, key: &Key) -> Result<bool> {
        let Some(row) = self.frame_of(seq)?.filter(|row| row.range().contains(&seq)) else {
            return Ok(false);
        };
        let (_, frame) = SegmentReader::new(home.dir())?.read(row.place, &row.range())?;
        Ok(key.open(frame.get((seq - row.first) as usize).bytes).is_some())
    }
}

fn other_key(dir: &Path) -> Error {
    Error::usage(format!("{}: its messages were read with another key than this", dir.display()))
        .help((
            "give that one by {}; where this is the right one, {} builds the index anew with it",
            [Means::KeyFile, Means::SpoolReindex],
        ))
}

fn fits_none(dir: &Path, unread: Unread) -> Error {
    let what = format!("{}: {unread}", dir.display());
    Error::usage(what + ", and the key that is given makes no message of the first or the last")
        .help(GIVE + Means::KeyFile)
}

/// Why a stretch is not read.
pub(crate) fn unreadable(unread: Unread, made: Made, key: Option<&Key>) -> Error {
    let error = match (made, key) {
        (_, None) => return keyless(&unread.to_string()),
        (Made::Without, _) => format!("{unread}, and whoever writes the spool now has no key"),
        _ => format!("{unread}, and the key that is given makes no message of them"),
    };
    Error::usage(error).help(match made {
        Made::Without => "start that process anew with the key, as this one".into(),
        _ => Words::from("select what the key is for; an older key has an index of its own"),
    })
}

/// Why rows are not read without the key.
pub(crate) fn keyless(what: &str) -> Error {
    Error::usage(format!("{what}, and its key is not here")).help(GIVE + Means::KeyFile)
}

const GIVE: &str = "give the text of Maxwell's secret_key by ";

/// Shows `3 messages, 5 to 9, are encrypted by the producer`.
impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "message {} is encrypted by the producer", self.first),
            count => {
                let Self { first, last, .. } = self;
                write!(f, "{count} messages, {first} to {last}, are encrypted by the producer")
            }
        }
    }
}
