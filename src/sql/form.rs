//! How statements are written: whose SQL, for how many rows, how much of a row they name.

use crate::event::Direction;

/// Whose SQL is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// MySQL and MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

/// What becomes of a row that comes where one of its key is already. Rows of a table without a
/// primary key are always inserted plainly: nothing says which row is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insert {
    /// The statement fails.
    Plain,
    /// The old row stays.
    Ignore,
    /// The old row goes.
    Replace,
    /// The old row takes the values of the new one.
    Upsert,
}

/// How much of a row an UPDATE or DELETE names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// What changes, the key, and going back every value that is taken back.
    Minimal,
    /// Every column of the event, in what is set as in the condition.
    Full,
}

/// How statements are written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Whose SQL.
    pub dialect: Dialect,
    /// Forward a row is found by its key; going back it must also hold every value that is taken
    /// back, since others may have changed it.
    pub direction: Direction,
    /// Rows of one statement, at most.
    pub rows: usize,
    /// How rows are inserted.
    pub insert: Insert,
    /// How much of a row is named.
    pub images: Images,
    /// Bytes of one statement, at most.
    pub packet: usize,
}

/// A statement of several rows is closed at this size, in bytes.
const STATEMENT_BYTES: usize = 256 << 10;
/// SQLite takes expressions of a depth of 1000 at most.
const SQLITE_CONDITIONS: usize = 500;

impl Form {
    /// Statements of at most so many rows, for whoever counts what each touches.
    pub fn new(dialect: Dialect, direction: Direction, rows: usize) -> Self {
        let (insert, images) = (Insert::Plain, Images::Minimal);
        Self { dialect, direction, rows: rows.max(1), insert, images, packet: usize::MAX }
    }

    /// The size at which a further row begins another statement.
    pub(super) fn full_at(&self) -> usize {
        STATEMENT_BYTES.min(self.packet / 2)
    }

    /// How many conditions, each for a row, may stand side by side.
    pub(super) fn conditions(&self) -> usize {
        match self.dialect {
            Dialect::Mysql => self.rows,
            Dialect::Sqlite => self.rows.min(SQLITE_CONDITIONS),
        }
    }
}
