//! The servers' own binlog files: from bytes to the messages that the producer would have sent.
//!
//! A message begins with `"producer":"binlog/1"`. What an event holds is exact, or the event is kept as
//! it is (`undecoded`), with the reason: names, signs and character sets are never guessed. The bytes
//! are a stranger's: each length is held against what is there, and nothing here panics on them.

mod bytes;
mod charset;
mod column;
mod described;
mod dump;
mod fit;
mod gtid;
mod header;
mod json;
mod jsonb;
mod kept;
mod layout;
mod learned;
mod log;
mod metadata;
mod number;
mod packed;
mod payload;
mod pending;
mod query;
mod reader;
mod rows;
mod schema;
mod shape;
mod table;
mod tables;
#[cfg(test)]
mod tests;
mod transaction;
mod value;

pub use bytes::Broken;
pub use charset::text;
pub use dump::Dump;
pub use kept::{Kept, gap};
pub use log::{ENCRYPTED, MAGIC};
pub use reader::{Reader, Told};
pub use schema::Schema;

use header::kind;

use crate::error::{Error, Means, Result};

/// What every message of a binlog begins with, before its other fields.
pub const PRODUCER: &str = "{\"producer\":\"binlog/1\"";

/// Whether bytes are the begin of a binlog that can be read.
///
/// # Errors
/// When they are not (usage).
pub fn check(head: &[u8]) -> Result<()> {
    begin(head).map_err(|why| {
        Error::usage(format!("this looks like a binlog of the server, but cannot be read: {why}"))
            .help(("import a whole file; {} stores its lines as damaged messages", [Means::Force]))
    })
}

/// Looks at the first events.
fn begin(head: &[u8]) -> std::result::Result<(), String> {
    let mut log = log::Log::new(head.strip_prefix(MAGIC).unwrap_or_default());
    match log.next() {
        Ok(Some(event)) if event.header.kind == kind::FORMAT => log::Format::read(&event.body)?,
        Err(log::Fault::Lost(why)) => return Err(why),
        _ => return Err("it does not begin with a whole format description".into()),
    };
    let mut next = || log.next().ok().flatten();
    match next().map(|event| event.header.kind) {
        Some(kind::START_ENCRYPTION) => Err("it is encrypted by MariaDB".into()),
        // A server's own log ends where it names the next.
        Some(kind::ROTATE) if next().is_some() => {
            Err("it is a replica's relay log, whose places are not those of its source".into())
        }
        _ => Ok(()),
    }
}

/// Takes what a file says.
pub trait Sink {
    /// The next message.
    ///
    /// # Errors
    /// When it cannot be stored, or no more is wanted: the reading ends.
    fn message(&mut self, message: &str) -> Result<()>;

    /// All before this offset of the file has been handed over, and no transaction is open there.
    ///
    /// # Errors
    /// As [`Sink::message`].
    fn reached(&mut self, offset: u64) -> Result<()>;
}
