//! The servers' own binlog files: from bytes to the messages that the producer would have sent.
//!
//! A message begins with `"producer":"binlog/1"`. What an event holds is exact, or the event is kept as
//! it is (`undecoded`), with the reason: names, signs and character sets are never guessed. The bytes
//! are a stranger's: each length is held against what is there, and nothing here panics on them.

mod bytes;
mod changes;
mod charset;
mod column;
mod crypt;
mod described;
mod diff;
mod dump;
mod fit;
mod gtid;
mod header;
mod json;
mod jsonb;
mod kept;
mod keys;
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
pub use header::{ENCRYPTED, MAGIC};
pub use kept::{Kept, gap};
pub use keys::Keys;
pub use reader::{Reader, Told};
pub use schema::{Origin, Schema};

use std::io::{self, Read};

use header::kind;
use log::Fault;

use crate::error::{Error, Means, Result};

/// What every message of a binlog begins with, before its other fields.
pub const PRODUCER: &str = "{\"producer\":\"binlog/1\"";

/// A file as a row of events, behind its magic; one that MySQL has encrypted is decrypted.
///
/// # Errors
/// When it is none, or no key that is given opens it (usage).
pub fn open(mut file: Box<dyn Read + Send>, keys: &Keys) -> Result<Box<dyn Read + Send>> {
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic).map_err(|e| Error::failed(e.to_string()))?;
    match &magic {
        MAGIC => Ok(file),
        ENCRYPTED => match crypt::File::open(file, keys) {
            Ok(file) => Ok(Box::new(file)),
            Err(why) => Err(sealed(why)),
        },
        _ => Err(Error::failed("it is no binlog of a server")),
    }
}

/// A file whose key is not known.
fn sealed(why: String) -> Error {
    Error::usage(why).help((
        "give the server's own file of keys with {}: that of component_keyring_file (MySQL), or of \
         file_key_management (MariaDB)",
        [Means::KeyFile],
    ))
}

/// Whether bytes are the begin of a binlog that can be read.
///
/// # Errors
/// When they are not (usage).
pub fn check(head: &[u8], keys: &Keys) -> Result<()> {
    let mut events = open(Box::new(io::Cursor::new(head.to_vec())), keys)?;
    begin(&mut events, keys).map_err(|fault| match fault {
        Fault::Sealed(why) => sealed(why),
        Fault::Lost(why) => Error::usage(format!(
            "this looks like a binlog of the server, but cannot be read: {why}"
        ))
        .help(("import a whole file; {} stores its lines as damaged messages", [Means::Force])),
        _ => Error::failed("it cannot be read"),
    })
}

/// Looks at the first events.
fn begin(events: &mut dyn Read, keys: &Keys) -> std::result::Result<(), Fault> {
    let mut log = log::Log::new(events, keys);
    match log.next() {
        Ok(Some(event)) if event.header.kind == kind::FORMAT => {
            log::Format::read(&event.body).map_err(Fault::Lost)?
        }
        Err(fault @ Fault::Lost(_)) => return Err(fault),
        _ => {
            let why = "it does not begin with a whole format description";
            return Err(Fault::Lost(why.into()));
        }
    };
    let mut next = || match log.next() {
        Err(fault @ Fault::Sealed(_)) => Err(fault),
        other => Ok(other.ok().flatten().map(|event| event.header.kind)),
    };
    // A server's own log ends where it names the next.
    match next()? {
        Some(kind::ROTATE) if next()?.is_some() => Err(Fault::Lost(
            "it is a replica's relay log, whose places are not those of its source".into(),
        )),
        Some(kind::START_ENCRYPTION) => next().map(drop),
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
