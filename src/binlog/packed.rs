//! What MariaDB packs: statements and row images (`log_bin_compress`).

use std::io::Read as _;

use super::bytes::{Bytes, Read};

/// No packet of a server is longer.
const MAX: u64 = 1 << 30;

/// Unpacks bytes behind a byte that says how they are packed, and their length.
pub(super) fn unpack(bytes: &[u8]) -> Read<Vec<u8>> {
    let mut bytes = Bytes::new(bytes);
    let head = bytes.byte()?;
    // The first bit is always set; the next three name the algorithm, of which there is one, zlib.
    if head & 0xf0 != 0x80 {
        return Err("it is packed in a way that is not known".into());
    }
    let len = bytes.high_first(usize::from(head & 7))?;
    if len > MAX {
        return Err("it unpacks to more than a packet".into());
    }
    let mut out = Vec::new();
    let unpacked = flate2::read::ZlibDecoder::new(bytes.rest()).take(len + 1).read_to_end(&mut out);
    match unpacked {
        Ok(got) if got as u64 == len => Ok(out),
        _ => Err("it cannot be unpacked".into()),
    }
}
