//! What of a queue was stored last, as it came: also where it has been sealed since.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::index::db::Index;
use super::store::segment_reader::SegmentReader;
use super::types::{Seq, TailFrame, TailRecord};
use crate::error::Result;

/// See [`super::SpoolWriter::tail`].
pub(super) fn tail(dir: &Path, queue: &str, n: usize) -> Result<Vec<TailFrame>> {
    let Some(index) = Index::open_read(dir)? else {
        return Ok(Vec::new());
    };
    let mut segments = SegmentReader::new(dir)?;
    let (mut frames, mut acked) = (Vec::new(), 0);
    for row in index.tail(queue, n as u64)?.into_iter().rev() {
        let (header, frame) = segments.read(row.place, &row.range())?;
        let here = frame.range();
        for (part, piece) in header.joined() {
            if part.start < here.start || here.end < part.end {
                continue;
            }
            acked = acked.max(piece.acked.unwrap_or_default());
            let place = |seq: Seq| (seq - here.start) as usize;
            let records = (place(part.start)..place(part.end)).map(|i| print(frame.get(i).bytes));
            frames.push((part.end, records.collect::<Vec<_>>()));
        }
    }
    let mut records = 0;
    let wanted = frames.iter().rev().take_while(|(_, frame)| {
        records += frame.len();
        records - frame.len() < n.max(1)
    });
    let surplus = frames.len() - wanted.count();
    let frame = |(end, records)| TailFrame { records, end, acked: end <= acked };
    Ok(frames.into_iter().skip(surplus).map(frame).collect())
}

/// The fingerprint of a record.
fn print(bytes: &[u8]) -> TailRecord {
    TailRecord { len: bytes.len() as u64, hash: xxh3_128(bytes) }
}
