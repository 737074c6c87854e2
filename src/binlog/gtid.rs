//! The event before a transaction that names it.

use std::fmt::Write as _;

use super::bytes::{Bytes, Read};
use super::header::{Header, kind};

/// What MariaDB's flags say.
mod flag {
    pub(super) const STANDALONE: u8 = 1;
    pub(super) const GROUP_COMMIT: u8 = 2;
    pub(super) const XA: u8 = 0xc0;
    pub(super) const EXTRA_ENGINES: u8 = 1;
    pub(super) const EXTRA_START_ALTER: u8 = 2;
    pub(super) const EXTRA_COMMIT_ALTER: u8 = 4;
    pub(super) const EXTRA_ROLLBACK_ALTER: u8 = 8;
    pub(super) const EXTRA_THREAD: u8 = 16;
}

/// What names a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The GTID as the server prints it; an anonymous one has none.
    pub(super) gtid: Option<String>,
    /// When it was committed, microseconds since 1970 (MySQL since 8.0).
    pub(super) commit_ts: Option<u64>,
}

impl Stamp {
    /// Writes it as fields of a message.
    pub(super) fn write(&self, out: &mut String) {
        if let Some(gtid) = &self.gtid {
            let _ = write!(out, ",\"gtid\":\"{gtid}\"");
        }
        if let Some(commit_ts) = self.commit_ts {
            let _ = write!(out, ",\"commit_ts\":{commit_ts}");
        }
    }
}

/// A GTID event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gtid {
    /// Of the transaction that follows.
    pub(super) stamp: Stamp,
    /// A transaction follows, with a commit of its own (MariaDB, which logs no BEGIN).
    pub(super) begins: bool,
    /// The connection, where it is told here.
    pub(super) thread: Option<u32>,
    /// The statement that follows is only begun, or was given up: an ALTER in two phases.
    pub(super) unfinished: bool,
}

impl Gtid {
    pub(super) fn read(header: &Header, body: &[u8]) -> Read<Self> {
        let mut bytes = Bytes::new(body);
        let stamp = match header.kind {
            kind::MARIADB_GTID => return mariadb(header, &mut bytes),
            kind::GTID_TAGGED => tagged(&mut bytes)?,
            _ => {
                bytes.take(1)?;
                let source = uuid(bytes.take(16)?);
                let number = bytes.u64()?;
                let named = header.kind == kind::GTID;
                let gtid = named.then(|| format!("{source}:{number}"));
                Stamp { gtid, commit_ts: commit_ts(&mut bytes) }
            }
        };
        Ok(Self { stamp, ..Self::default() })
    }
}

/// What follows a GTID since MySQL 8.0; nothing is told by older servers.
fn commit_ts(bytes: &mut Bytes<'_>) -> Option<u64> {
    const LOGICAL_TIMES: u8 = 2;
    const ORIGINAL_FOLLOWS: u64 = 1 << 55;
    if bytes.byte().ok()? != LOGICAL_TIMES {
        return None;
    }
    bytes.take(16).ok()?;
    let ts = bytes.low_first(7).ok()? & !ORIGINAL_FOLLOWS;
    (ts > 0).then_some(ts)
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (n, byte) in bytes.iter().enumerate() {
        text.push_str(if matches!(n, 4 | 6 | 8 | 10) { "-" } else { "" });
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// One with a tag (MySQL since 8.3): fields by their number, each number in a packing of its own.
fn tagged(bytes: &mut Bytes<'_>) -> Read<Stamp> {
    const FORMAT: u8 = 2;
    if bytes.byte()? != FORMAT {
        return Err("its GTID is packed in a way that is not known".into());
    }
    // The whole length, and the last field that every reader has to know.
    spread(bytes)?;
    spread(bytes)?;
    let (mut source, mut tag, mut number, mut commit_ts) = (None, String::new(), None, None);
    while !bytes.is_empty() {
        match spread(bytes)? {
            1 => {
                let mut own = [0; 16];
                for byte in &mut own {
                    *byte = u8::try_from(spread(bytes)?).map_err(|_| "a GTID is none")?;
                }
                source = Some(uuid(&own));
            }
            // Signed: the lowest bit is the sign.
            2 => number = Some(spread(bytes)? >> 1),
            3 => {
                let len = usize::try_from(spread(bytes)?).map_err(|_| "a GTID is none")?;
                let own = std::str::from_utf8(bytes.take(len)?).map_err(|_| "a GTID is none")?;
                if !own.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                    return Err("a GTID's tag is none".into());
                }
                own.clone_into(&mut tag);
            }
            6 => commit_ts = Some(spread(bytes)?).filter(|ts| *ts > 0),
            0 | 4 | 5 | 7..=11 => drop(spread(bytes)?),
            // One of a newer server: nothing tells its length.
            _ => break,
        }
    }
    let gtid = source.zip(number).map(|(source, number)| match tag.as_str() {
        "" => format!("{source}:{number}"),
        tag => format!("{source}:{tag}:{number}"),
    });
    Ok(Stamp { gtid, commit_ts })
}

/// A number whose first byte has as many ones at its end as bytes follow.
fn spread(bytes: &mut Bytes<'_>) -> Read<u64> {
    let first = bytes.byte()?;
    match first.trailing_ones() {
        8 => bytes.u64(),
        more => {
            let rest = bytes.low_first(more as usize)?;
            Ok(u64::from(first >> more >> 1) | rest << (7 - more))
        }
    }
}

fn mariadb(header: &Header, bytes: &mut Bytes<'_>) -> Read<Gtid> {
    let (number, domain, flags) = (bytes.u64()?, bytes.u32()?, bytes.byte()?);
    let gtid = Some(format!("{domain}-{}-{number}", header.server));
    let stamp = Stamp { gtid, commit_ts: None };
    let mut gtid = Gtid { stamp, begins: flags & flag::STANDALONE == 0, ..Gtid::default() };
    if flags & flag::GROUP_COMMIT != 0 {
        bytes.take(8)?;
    }
    if flags & flag::XA != 0 {
        bytes.take(4)?;
        let (global, branch) = (bytes.byte()?, bytes.byte()?);
        bytes.take(usize::from(global) + usize::from(branch))?;
    }
    // What else is known comes with newer servers.
    let extra = bytes.byte().unwrap_or(0);
    gtid.unfinished = extra & (flag::EXTRA_START_ALTER | flag::EXTRA_ROLLBACK_ALTER) != 0;
    if extra & flag::EXTRA_ENGINES != 0 {
        bytes.take(1)?;
    }
    if extra & (flag::EXTRA_COMMIT_ALTER | flag::EXTRA_ROLLBACK_ALTER) != 0 {
        bytes.take(8)?;
    }
    if extra & flag::EXTRA_THREAD != 0 {
        gtid.thread = Some(bytes.u32()?);
    }
    Ok(gtid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gtid_with_a_tag_is_read() {
        let header = Header { time: 0, kind: kind::GTID_TAGGED, server: 1, size: 0, flags: 0 };
        // Made by hand from the format: numbers below 64 are their double.
        let mut body = vec![2, 0x80, 2, 0, 2, 2];
        body.extend((0..16u8).map(|n| n * 2));
        // The number 300 as a signed one: 600 in two bytes, the first of which ends with a one.
        body.extend([4, 0b0110_0001, 0b0000_1001, 6, 4 * 2, b't', b'a', b'g', b'1']);
        body.extend([12, 0xff]);
        body.extend(1_700_000_000_123_456u64.to_le_bytes());
        let gtid = Gtid::read(&header, &body).expect("a GTID");
        let name = "00010203-0405-0607-0809-0a0b0c0d0e0f:tag1:300";
        assert_eq!(gtid.stamp.gtid.as_deref(), Some(name));
        assert_eq!(gtid.stamp.commit_ts, Some(1_700_000_000_123_456));
        for end in 0..body.len() {
            let _ = Gtid::read(&header, &body[..end]);
        }
    }
}
