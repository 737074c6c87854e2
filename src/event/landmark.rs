//! A record by which a place in the stream is known again: a bare number says nothing of which
//! stream it was counted in.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{BinlogPos, Seq, maxwell};

/// A position is kept with at most so many bytes; a stranger's may be longer.
const POSITION_BYTES: usize = 200;

/// A record of the spool: its number, what tells it from any other under that number, and where
/// the source's binlog has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landmark {
    /// Its number.
    pub seq: Seq,
    /// Hash of its bytes.
    pub hash: u64,
    /// Its binlog position as FILE:POS; empty where the stream has none.
    pub position: String,
}

impl Landmark {
    /// The landmark that a stored record is.
    pub fn of(seq: Seq, bytes: &[u8]) -> Self {
        let position = maxwell::parse_stored(bytes).ok().and_then(|event| event.meta.position);
        let position = position.map(|p| p.to_string()).filter(|p| p.len() <= POSITION_BYTES);
        Self { seq, hash: xxh3_64(bytes), position: position.unwrap_or_default() }
    }

    /// Where the binlog has it; `None` where the stream has no positions.
    pub fn place(&self) -> Option<BinlogPos<&str>> {
        BinlogPos::parse(&self.position)
    }
}

/// Shows `message 7 (bin.000002:4711)`.
impl fmt::Display for Landmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Some(place) => write!(f, "message {} ({place})", self.seq),
            None => write!(f, "message {}", self.seq),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_told_from_another_of_the_same_number() {
        let row = |offset: u32| {
            format!(
                r#"{{"type":"insert","database":"d","table":"t","position":"bin.000002:{offset}","data":{{}}}}"#
            )
        };
        let one = Landmark::of(7, row(10).as_bytes());
        assert_eq!(one.to_string(), "message 7 (bin.000002:10)");
        assert_eq!(one, Landmark::of(7, row(10).as_bytes()));
        assert_ne!(one.hash, Landmark::of(7, row(11).as_bytes()).hash);
        assert_eq!(Landmark::of(3, b"no message").to_string(), "message 3");
    }
}
