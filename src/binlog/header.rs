//! What stands before each event, and the numbers of the kinds of events.

use super::bytes::{Bytes, Read};

/// The first bytes of a binlog file.
pub const MAGIC: &[u8; 4] = b"\xfebin";
/// The first bytes of one that MySQL has encrypted.
pub const ENCRYPTED: &[u8; 4] = b"\xfdbin";

/// Bytes of a header.
pub(super) const HEADER: usize = 19;

/// The flag of the format description of a file that its server has not closed.
pub(super) const IN_USE: u16 = 1;
/// The flag of an event that a reader which does not know it may pass over.
pub(super) const IGNORABLE: u16 = 0x80;

/// The kinds of events, by the servers' own numbers.
pub(super) mod kind {
    pub(in super::super) const QUERY: u8 = 2;
    pub(in super::super) const STOP: u8 = 3;
    pub(in super::super) const ROTATE: u8 = 4;
    pub(in super::super) const INTVAR: u8 = 5;
    pub(in super::super) const APPEND_BLOCK: u8 = 9;
    pub(in super::super) const DELETE_FILE: u8 = 11;
    pub(in super::super) const RAND: u8 = 13;
    pub(in super::super) const USER_VAR: u8 = 14;
    pub(in super::super) const FORMAT: u8 = 15;
    pub(in super::super) const XID: u8 = 16;
    pub(in super::super) const BEGIN_LOAD_QUERY: u8 = 17;
    pub(in super::super) const EXECUTE_LOAD_QUERY: u8 = 18;
    pub(in super::super) const TABLE_MAP: u8 = 19;
    pub(in super::super) const OLD_ROWS: std::ops::RangeInclusive<u8> = 20..=22;
    pub(in super::super) const WRITE_V1: u8 = 23;
    pub(in super::super) const UPDATE_V1: u8 = 24;
    pub(in super::super) const DELETE_V1: u8 = 25;
    pub(in super::super) const INCIDENT: u8 = 26;
    pub(in super::super) const HEARTBEAT: u8 = 27;
    pub(in super::super) const IGNORABLE: u8 = 28;
    pub(in super::super) const ROWS_QUERY: u8 = 29;
    pub(in super::super) const WRITE: u8 = 30;
    pub(in super::super) const UPDATE: u8 = 31;
    pub(in super::super) const DELETE: u8 = 32;
    pub(in super::super) const GTID: u8 = 33;
    pub(in super::super) const ANONYMOUS_GTID: u8 = 34;
    pub(in super::super) const PREVIOUS_GTIDS: u8 = 35;
    pub(in super::super) const TRANSACTION_CONTEXT: u8 = 36;
    pub(in super::super) const VIEW_CHANGE: u8 = 37;
    pub(in super::super) const XA_PREPARE: u8 = 38;
    pub(in super::super) const PARTIAL_UPDATE: u8 = 39;
    pub(in super::super) const PAYLOAD: u8 = 40;
    pub(in super::super) const HEARTBEAT_V2: u8 = 41;
    pub(in super::super) const GTID_TAGGED: u8 = 42;
    pub(in super::super) const ANNOTATE: u8 = 160;
    pub(in super::super) const CHECKPOINT: u8 = 161;
    pub(in super::super) const MARIADB_GTID: u8 = 162;
    pub(in super::super) const MARIADB_GTID_LIST: u8 = 163;
    pub(in super::super) const START_ENCRYPTION: u8 = 164;
    pub(in super::super) const QUERY_COMPRESSED: u8 = 165;
    pub(in super::super) const WRITE_COMPRESSED_V1: u8 = 166;
    pub(in super::super) const UPDATE_COMPRESSED_V1: u8 = 167;
    pub(in super::super) const DELETE_COMPRESSED_V1: u8 = 168;
    pub(in super::super) const WRITE_COMPRESSED: u8 = 169;
    pub(in super::super) const UPDATE_COMPRESSED: u8 = 170;
    pub(in super::super) const DELETE_COMPRESSED: u8 = 171;
    pub(in super::super) const PARTIAL_ROW_DATA: u8 = 172;
}

/// An event's header. Its own position is not read: it is 0, or wrapped, on real servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Seconds since 1970.
    pub(super) time: u32,
    pub(super) kind: u8,
    pub(super) server: u32,
    /// Of the whole event, this header and the checksum included.
    pub(super) size: u32,
    pub(super) flags: u16,
}

impl Header {
    pub(super) fn read(bytes: &[u8; HEADER]) -> Read<Self> {
        let mut bytes = Bytes::new(bytes);
        let (time, kind, server) = (bytes.u32()?, bytes.byte()?, bytes.u32()?);
        let size = bytes.u32()?;
        bytes.take(4)?;
        Ok(Self { time, kind, server, size, flags: bytes.u16()? })
    }
}

/// An event without header and checksum.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// Where it begins in its file, or where the event does that it came in.
    pub(super) offset: u64,
    pub(super) header: Header,
    pub(super) body: Vec<u8>,
}
