//! What a sealed frame keeps of each frame that was joined into it.

use super::varint::{put_varint, take_varint};

/// A frame that was joined into a sealed one. What it tells of single records is in the flags of
/// the whole, its queue and its source are those of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Number of records.
    pub records: u64,
    /// Arrival, milliseconds since 1970.
    pub arrival_ms: i64,
    /// The offset behind its last record in the imported file.
    pub source_end: Option<u64>,
    /// As [`super::Header::acked`], when the frame was written.
    pub acked: Option<u64>,
}

/// Packs pieces: the number of records of each, and the distance of the other numbers from those
/// of the one before.
pub(super) fn pack(pieces: &[Piece]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pieces.len() * 6);
    let mut before = [0; 3];
    for piece in pieces {
        put_varint(&mut out, piece.records);
        let maybe = |n: Option<u64>| n.map_or(0, |n| n.saturating_add(1));
        let numbers = [piece.arrival_ms as u64, maybe(piece.source_end), maybe(piece.acked)];
        for (n, before) in numbers.into_iter().zip(&mut before) {
            let step = n.wrapping_sub(*before) as i64;
            put_varint(&mut out, ((step << 1) ^ (step >> 63)) as u64);
            *before = n;
        }
    }
    out
}

/// The reverse of [`pack`]; `None` when the bytes are no pieces of a frame of so many records.
pub(super) fn unpack(mut bytes: &[u8], records: u64) -> Option<Vec<Piece>> {
    let bytes = &mut bytes;
    let (mut pieces, mut before, mut sum) = (Vec::new(), [0u64; 3], 0u64);
    while !bytes.is_empty() {
        let records = take_varint(bytes)?;
        sum = sum.checked_add(records)?;
        for n in &mut before {
            let step = take_varint(bytes)?;
            *n = n.wrapping_add((step >> 1) ^ (step & 1).wrapping_neg());
        }
        let [arrival, source_end, acked] = before;
        let arrival_ms = arrival as i64;
        let (source_end, acked) = (source_end.checked_sub(1), acked.checked_sub(1));
        pieces.push(Piece { records, arrival_ms, source_end, acked });
    }
    (sum == records).then_some(pieces)
}
