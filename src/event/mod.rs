//! What the producer says: one message, its coordinates in the stream, its row images.
//!
//! Everything here borrows from the message's bytes. Nothing knows files, sockets or SQL.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

pub mod cipher;
pub mod ddl;
pub mod def;
mod envelope;
pub mod facts;
pub mod history;
pub mod landmark;
pub mod maxwell;
mod members;
pub mod row;
mod stream;
pub mod time;
pub mod typed;

pub use facts::Facts;
pub use stream::{BinlogPos, Direction, Seq};

/// Whether the producer shows NULL (`output_nulls`), or leaves out the columns that have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nulls {
    /// Nothing told it so far.
    #[default]
    Unknown,
    /// It shows them.
    Shown,
    /// It leaves them out.
    LeftOut,
}

/// What a message reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// A row was inserted.
    Insert,
    /// A row was updated.
    Update,
    /// A row was deleted.
    Delete,
    /// The producer begins to copy a table.
    BootstrapStart,
    /// A row of such a copy.
    BootstrapInsert,
    /// The copy is complete.
    BootstrapComplete,
    /// CREATE DATABASE.
    DatabaseCreate,
    /// ALTER DATABASE.
    DatabaseAlter,
    /// DROP DATABASE.
    DatabaseDrop,
    /// CREATE TABLE.
    TableCreate,
    /// ALTER TABLE or RENAME TABLE.
    TableAlter,
    /// DROP TABLE.
    TableDrop,
    /// The producer's sign of life, passed over.
    Heartbeat,
}

impl Op {
    /// True for insert, update and delete.
    pub fn is_row(self) -> bool {
        matches!(self, Self::Insert | Self::Update | Self::Delete)
    }

    /// True for the three bootstrap messages.
    pub fn is_bootstrap(self) -> bool {
        matches!(self, Self::BootstrapStart | Self::BootstrapInsert | Self::BootstrapComplete)
    }

    /// True for a statement that changes definitions.
    pub fn is_ddl(self) -> bool {
        !self.is_row() && !self.is_bootstrap() && self != Self::Heartbeat
    }

    /// True for what is about a table, not about a database.
    pub fn has_table(self) -> bool {
        !matches!(
            self,
            Self::DatabaseCreate | Self::DatabaseAlter | Self::DatabaseDrop | Self::Heartbeat
        )
    }

    /// The producer's own word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::BootstrapStart => "bootstrap-start",
            Self::BootstrapInsert => "bootstrap-insert",
            Self::BootstrapComplete => "bootstrap-complete",
            Self::DatabaseCreate => "database-create",
            Self::DatabaseAlter => "database-alter",
            Self::DatabaseDrop => "database-drop",
            Self::TableCreate => "table-create",
            Self::TableAlter => "table-alter",
            Self::TableDrop => "table-drop",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// A database and a table in it; the table is empty for statements on a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
}

impl TableName {
    /// Joins the two parts.
    pub fn new(database: impl Into<String>, table: impl Into<String>) -> Self {
        Self { database: database.into(), table: table.into() }
    }

    /// True for book-keeping: the producer's own tables, and all that a run of ours keeps in its
    /// target, which is in the stream when that target is recorded as well. It is stored, and no
    /// command applies, shows, counts or takes it back.
    pub fn is_housekeeping(&self) -> bool {
        is_housekeeping(&self.database, &self.table)
    }
}

fn is_housekeeping(database: &str, table: &str) -> bool {
    match database {
        "binsync" => true,
        "maxwell" => matches!(table, "bootstrap" | "heartbeats"),
        _ => false,
    }
}

/// Shows `db.table`, control characters escaped, so that a name cannot end a comment or a line.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.table.as_str() {
            "" => self.database.clone(),
            table => format!("{}.{table}", self.database),
        };
        f.write_str(&printable(&name))
    }
}

/// Writes control characters as `\xNN`, and those that are not seen or turn text around as
/// `\u{202e}`: safe in a comment, a terminal and a log line, and what is shown is what is there.
pub fn printable(text: &str) -> Cow<'_, str> {
    let plain = |b: u8| (0x20..0x7f).contains(&b);
    if text.bytes().all(plain) || !text.chars().any(|c| c.is_control() || is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push_str(&format!("\\x{:02X}", c as u32)),
            c if is_hidden(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// True for what no reader sees: marks of direction, joiners and blanks without width, fillers,
/// tags, and ends of lines and paragraphs.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// A message's coordinates: what the index keeps of it.
#[derive(Clone, Debug)]
pub struct Meta<'a> {
    /// What it reports.
    pub op: Op,
    /// The database.
    pub database: Cow<'a, str>,
    /// The table; empty for statements on a database.
    pub table: Cow<'a, str>,
    /// Start of the statement at the source, seconds since 1970 (DDL arrives in milliseconds).
    pub ts: i64,
    /// As `ts`, in milliseconds where the producer sends them.
    pub ts_ms: i64,
    /// The source's transaction number; repeats after a server restart.
    pub xid: Option<u64>,
    /// Place in the transaction; absent on the row that commits.
    pub xoffset: Option<u64>,
    /// True on the last row of a transaction.
    pub commit: bool,
    /// Start of the row event in the binlog.
    pub position: Option<BinlogPos<&'a str>>,
    /// The source's server id.
    pub server_id: Option<u64>,
    /// The connection that made the change; MariaDB sends none.
    pub thread_id: Option<u64>,
    /// What else is told of its transaction.
    pub facts: Facts<'a>,
}

impl Meta<'_> {
    /// Database and table.
    pub fn name(&self) -> TableName {
        TableName::new(self.database.as_ref(), self.table.as_ref())
    }

    /// True for a row of which the producer tells no transaction (`output_commit_info=false`): it
    /// stands for itself. Rows of a table without transactions are told by xoffset and commit.
    pub fn is_alone(&self) -> bool {
        self.op.is_row() && self.xid.is_none() && self.xoffset.is_none() && !self.commit
    }

    /// True for a sign of life, and as [`TableName::is_housekeeping`] has it.
    pub fn is_housekeeping(&self) -> bool {
        self.op == Op::Heartbeat || is_housekeeping(&self.database, &self.table)
    }
}

/// One message, read.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Its coordinates.
    pub meta: Meta<'a>,
    /// The row's key, where the producer names it.
    pub key: Option<Key<'a>>,
    /// Its content.
    pub body: Body<'a>,
    /// It was read from the server's binlog, not by Maxwell: some values are written otherwise.
    pub from_binlog: bool,
}

/// A row's primary key as the producer names it: two JSON arrays, still unread.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Names of its columns.
    pub columns: &'a str,
    /// Their values after the event.
    pub values: &'a str,
}

/// The content of a message; JSON objects stay unread text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A row event or a row of a bootstrap.
    Row {
        /// The row after the event (before it, for a delete).
        data: &'a str,
        /// The former values of the columns an update changed.
        old: Option<&'a str>,
    },
    /// A statement.
    Ddl {
        /// Its text.
        sql: Cow<'a, str>,
        /// The table's definition afterwards.
        def: Option<&'a str>,
        /// The table's definition before.
        old: Option<&'a str>,
        /// The database's character set, on statements about a database.
        charset: Option<Cow<'a, str>>,
    },
    /// Bootstrap start and completion, heartbeats.
    Nothing,
}

impl Event<'_> {
    /// True when both report the same thing: what makes a message a re-send of another with the
    /// same identity. Fields that change with each sending (`push_ts`, `schema_id`) do not count; nor
    /// do values, where one of them is Maxwell's and the other was read from the binlog.
    pub fn same_content(&self, other: &Event<'_>) -> bool {
        self.meta.ts_ms == other.meta.ts_ms
            && self.meta.xid == other.meta.xid
            && self.meta.op == other.meta.op
            && self.meta.database == other.meta.database
            && self.meta.table == other.meta.table
            && match (&self.body, &other.body) {
                (Body::Ddl { sql: a, .. }, Body::Ddl { sql: b, .. }) => a == b,
                _ if self.from_binlog != other.from_binlog => true,
                (a, b) => a == b,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_there() {
        for (text, shown) in [
            ("plain, ünïcode, 日本語", "plain, ünïcode, 日本語"),
            ("a\nb\x1b[31m\u{85}", "a\\x0Ab\\x1B[31m\\x85"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("a\u{200b}b\u{feff}\u{2066}", "a\\u{200b}b\\u{feff}\\u{2066}"),
            ("line\u{2028}line\u{e0041}", "line\\u{2028}line\\u{e0041}"),
        ] {
            assert_eq!(printable(text), shown);
            assert_eq!(printable(shown), shown);
        }
    }
}
