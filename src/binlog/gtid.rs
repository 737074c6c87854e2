//! The event before a transaction that names it.

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

/// A GTID event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gtid {
    /// As the server prints it; `None` for an anonymous one.
    pub(super) name: Option<String>,
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
        match header.kind {
            kind::MARIADB_GTID => mariadb(header, &mut bytes),
            kind::GTID => {
                bytes.take(1)?;
                let hex: String = bytes.take(16)?.iter().map(|b| format!("{b:02x}")).collect();
                let number = bytes.u64()?;
                let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
                let (a, b, c, d, e) =
                    (part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32));
                let name = Some(format!("{a}-{b}-{c}-{d}-{e}:{number}"));
                Ok(Self { name, ..Self::default() })
            }
            // An anonymous one has none; how one with a tag is packed is another format.
            _ => Ok(Self::default()),
        }
    }
}

fn mariadb(header: &Header, bytes: &mut Bytes<'_>) -> Read<Gtid> {
    let (number, domain, flags) = (bytes.u64()?, bytes.u32()?, bytes.byte()?);
    let name = Some(format!("{domain}-{}-{number}", header.server));
    let mut gtid = Gtid { name, begins: flags & flag::STANDALONE == 0, ..Gtid::default() };
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
