//! What a run is, what it does, and where it stands in its target.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::event::ddl::Told;
use crate::event::landmark::Landmark;
use crate::event::{Direction, Seq, TableName};
use crate::route::words;

/// What a progress row is about. A name goes on only with the same run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The progress row's name.
    pub name: String,
    /// Id of the spool.
    pub spool: String,
    /// Forward or back.
    pub direction: Direction,
    /// The selection in words, without `--until`, which may move.
    pub selection: String,
}

impl Run {
    /// As a target has kept it: name, spool, direction and selection.
    ///
    /// # Errors
    /// When the direction is none.
    pub(super) fn kept(row: (String, String, String, String)) -> Result<Self> {
        let (name, spool, direction, selection) = row;
        let unknown = || Error::failed(format!("the progress {name:?} has an unknown direction"));
        let direction = Direction::named(&direction).ok_or_else(unknown)?;
        Ok(Self { name, spool, direction, selection })
    }

    /// True when it goes on with what a run of its name has done, of which this was kept.
    pub fn continues(&self, spool: &str, direction: &str, selection: &str) -> bool {
        (spool, direction) == (&*self.spool, self.direction.name())
            && words::go_on(selection, &self.selection)
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, spool {}, selection {}", self.direction.name(), self.spool, self.selection)
    }
}

/// What a run will do, as far as the user needs rights for it.
#[derive(Debug, Default)]
pub struct Needs<'d> {
    /// Changes of rows, by table.
    pub tables: Vec<(TableName, Changes)>,
    /// Statements that will run.
    pub statements: Vec<&'d Told>,
}

/// Kinds of changes to a table's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rows come.
    pub insert: bool,
    /// Rows change.
    pub update: bool,
    /// Rows go.
    pub delete: bool,
    /// So many leave the place they have, at most.
    pub leave: u64,
    /// The table is made for them where it is not there.
    pub made: bool,
}

/// Where a run stands at the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Everything before it is committed (behind it, going back).
    pub seq: Seq,
    /// The last record of the spool that the run has taken (going back: the one it began behind);
    /// none at a spool's begin, and where an older version kept the progress.
    pub last: Option<Landmark>,
    /// A window that was begun there.
    pub window: Option<Window>,
    /// The chunks of it that are committed: number and hash.
    pub chunks: HashMap<u64, u64>,
    /// A statement that was begun there, by its first message.
    pub statement: Option<Seq>,
    /// Changes were passed over on the way there: their rows are not as the stream has them.
    pub skipped: bool,
    /// The tables whose first copy is not at its end.
    pub copying: Vec<Copying>,
}

/// A table whose first copy is not at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copying {
    /// Its name in the stream.
    pub table: TableName,
    /// The key of the last row that is copied, in the form of whoever copies; `None` before the first.
    pub reached: Option<String>,
}

/// Where a run comes to stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// As [`Standing::seq`].
    pub seq: Seq,
    /// As [`Standing::last`]; `None` leaves it as it is.
    pub last: Option<Landmark>,
}

impl From<Seq> for Point {
    fn from(seq: Seq) -> Self {
        Self { seq, last: None }
    }
}

/// A stretch whose rows are committed in several transactions, each marked with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where the run will stand behind it.
    pub end: Seq,
    /// In how many parts its rows are folded; 1: all together.
    pub parts: u32,
    /// How many row changes a chunk carries at most.
    pub chunk: u32,
}

/// What a run holds at the target: its name, and the epoch that nobody has taken over.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The progress row's name.
    pub name: String,
    /// The epoch taken at the start.
    pub epoch: u64,
    /// Where the run stands.
    pub seq: Seq,
}

/// What a new progress row begins with, as its epoch: a time, in microseconds. A name that was given
/// up, or removed while an apply of it stood still elsewhere, never comes to an epoch it has had.
pub(super) fn first_epoch() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_micros() as u64
}

/// What a target transaction is to the progress; its first statement says so, and fails when
/// another run has taken over.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// It will move the progress.
    Step,
    /// It is a numbered part of the open window, planned with this hash.
    Chunk {
        /// [`ChunkId::number`].
        n: u64,
        /// [`crate::plan::window::Chunk::hash`].
        hash: u64,
    },
}

/// Which chunk of a window it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkId {
    /// The part of a net effect; those of its second half are counted on.
    pub part: u32,
    /// The phase.
    pub phase: u8,
    /// The place in the phase.
    pub n: u32,
}

impl ChunkId {
    /// The number that is kept in the target; a rerun by another version has to find the same.
    pub fn number(self) -> u64 {
        u64::from(self.part) << 40 | u64::from(self.phase) << 32 | u64::from(self.n)
    }
}

/// Whether a statement was done by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was.
    Done,
    /// It was not, or that does not show; with how the tables are where that is to be kept.
    Open(Option<String>),
}
