//! Which frames hold events of which row: hashes of keys, packed.
//!
//! A hash has 24 bits: in a frame of 2,500 rows every 7,000th look goes wrong, and costs reading
//! that frame for nothing. With more bits the index would grow by a third for no answer that
//! anyone would notice.

use xxhash_rust::xxh3::xxh3_64;

use crate::event::TableName;
use crate::spool::store::format::{put_varint, take_varint};

/// Bits of a hash.
const BITS: u32 = 24;
/// A run of a full segment is cut into blocks of about so many bytes, two on a page of the index.
const BLOCK: usize = 440;

/// Behind the greatest hash.
pub(crate) const END: u32 = 1 << BITS;

/// Hashes the folded values of a key, given with its columns' names in the order of their names.
/// A key without columns stands for all rows whose key is not known.
pub(crate) fn hash<'k>(
    table: &TableName,
    key: impl IntoIterator<Item = (&'k str, &'k str)>,
) -> u32 {
    let mut bytes = Vec::with_capacity(64);
    let mut put = |text: &str| {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    };
    put(&table.database);
    put(&table.table);
    for (column, value) in key {
        put(column);
        put(value);
    }
    (xxh3_64(&bytes) >> (64 - BITS)) as u32
}

/// The hash under which every frame is found that has keys of these columns.
pub(crate) fn marker(table: &TableName, columns: &[String]) -> u32 {
    hash(table, columns.iter().map(|column| (column.as_str(), "")))
}

/// Packs the hashes of a frame; empty without any.
pub(crate) fn pack(hashes: &mut Vec<u32>) -> Vec<u8> {
    hashes.sort_unstable();
    hashes.dedup();
    let mut out = Vec::with_capacity(hashes.len() * 2);
    let mut before = 0;
    for &hash in hashes.iter() {
        put_varint(&mut out, u64::from(hash - before));
        before = hash;
    }
    out
}

/// The hashes of a frame, rising.
pub(crate) fn unpack(mut bytes: &[u8]) -> impl Iterator<Item = u32> {
    let mut at = 0u32;
    std::iter::from_fn(move || {
        at = at.wrapping_add(take_varint(&mut bytes)? as u32);
        Some(at)
    })
}

/// Packs the hashes of a segment's frames, each with the number of its frame, as blocks: the
/// least hash that each may have, 0 for the first, and its bytes. What one hash has is in one
/// block; there is one at least.
pub(crate) fn pack_run(mut entries: Vec<(u32, u32)>) -> Vec<(u32, Vec<u8>)> {
    entries.sort_unstable();
    let mut blocks: Vec<(u32, Vec<u8>)> = vec![(0, Vec::new())];
    let mut before: Option<(u32, u32)> = None;
    for (hash, frame) in entries {
        let full = blocks.last().is_none_or(|(_, block)| block.len() >= BLOCK);
        if full && before.is_none_or(|(last, _)| last != hash) {
            blocks.push((hash, Vec::new()));
            before = None;
        }
        let Some((low, block)) = blocks.last_mut() else { continue };
        let (last, last_frame) = before.unwrap_or((*low, 0));
        put_varint(block, u64::from(hash - last));
        put_varint(block, u64::from(if hash == last { frame - last_frame } else { frame }));
        before = Some((hash, frame));
    }
    blocks
}

/// The hashes of a block, rising, each with the number of a frame.
pub(crate) fn unpack_run(low: u32, mut block: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    let (mut hash, mut frame) = (low, 0u32);
    std::iter::from_fn(move || {
        let (step, number) = take_varint(&mut block).zip(take_varint(&mut block))?;
        frame = if step == 0 { frame.wrapping_add(number as u32) } else { number as u32 };
        hash = hash.wrapping_add(step as u32);
        Some((hash, frame))
    })
}

/// The frames that a hash has in a block.
pub(crate) fn find(low: u32, block: &[u8], wanted: u32) -> Vec<u32> {
    let rising = unpack_run(low, block).take_while(|(hash, _)| *hash <= wanted);
    rising.filter(|(hash, _)| *hash == wanted).map(|(_, frame)| frame).collect()
}

/// Id of a block in the index: its segment, then its least hash.
pub(crate) fn block_id(segment: u64, low: u32) -> u64 {
    segment << BITS | u64::from(low)
}

/// Segment and least hash of a block.
pub(crate) fn of_block(id: u64) -> (u64, u32) {
    (id >> BITS, (id & ((1 << BITS) - 1)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_finds_the_frames_of_every_hash() {
        // Hashes that come in one frame, in all of them, and side by side.
        let mut entries: Vec<(u32, u32)> = (0..300).map(|frame| (7_000_000, frame)).collect();
        entries.extend((0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8, i % 300)));
        let blocks = pack_run(entries.clone());
        assert!(blocks.len() > 10 && blocks.windows(2).all(|two| two[0].0 < two[1].0));
        for &(hash, _) in &entries {
            let mut wanted: Vec<u32> =
                entries.iter().filter(|e| e.0 == hash).map(|e| e.1).collect();
            wanted.sort_unstable();
            let block = blocks.iter().rfind(|(low, _)| *low <= hash).expect("a block");
            assert_eq!(find(block.0, &block.1, hash), wanted);
        }
        assert_eq!(of_block(block_id(77, 5)), (77, 5));
    }

    #[test]
    fn the_hashes_of_a_frame_come_back() {
        let mut hashes = vec![9, 1 << 23, 9, 0, (1 << 24) - 1];
        let bytes = pack(&mut hashes);
        assert_eq!(unpack(&bytes).collect::<Vec<_>>(), [0, 9, 1 << 23, (1 << 24) - 1]);
        assert_eq!(unpack(&[]).next(), None);
    }
}
