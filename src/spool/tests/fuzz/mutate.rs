//! Changes segments: their bytes, the fields of their headers, what their frames unpack to.

use fastrand::Rng;

use super::super::super::format::{self, Header, SpoolId, at};
use super::super::super::store::segment;
use super::super::super::*;
use super::text;

/// Numbers at which something ends.
const NUMBERS: [u64; 14] = [
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    1 << 16,
    (1 << 31) - 1,
    1 << 32,
    513 << 20,
    (1 << 62) + 5,
    i64::MAX as u64,
    u64::MAX,
];

/// Changes a segment in one to four ways; `mended`: its checksums are made right again.
pub(super) fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, donor: &[u8], mended: bool) {
    for _ in 0..=rng.usize(..4) {
        match rng.u8(..if mended { 12 } else { 6 }) {
            0 | 1 => flip(rng, bytes),
            2 => bytes.truncate(rng.usize(..=bytes.len())),
            3 => {
                let part = part(rng, bytes.len());
                bytes.drain(part);
            }
            4 => {
                let part = bytes[part(rng, bytes.len())].to_vec();
                insert(rng, bytes, &part);
            }
            5 => {
                let part = &donor[part(rng, donor.len())];
                insert(rng, bytes, part);
            }
            6 | 7 => field(rng, bytes),
            8..=10 => header(rng, bytes),
            _ => frame(rng, bytes),
        }
    }
    if mended {
        mend(rng, bytes);
    }
}

fn flip(rng: &mut Rng, bytes: &mut [u8]) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.usize(..bytes.len());
    bytes[at] = if rng.bool() { bytes[at] ^ (1 << rng.u8(..8)) } else { rng.u8(..) };
}

fn part(rng: &mut Rng, len: usize) -> std::ops::Range<usize> {
    let most = if rng.u8(..4) == 0 { len } else { len.min(64) };
    let start = rng.usize(..=len);
    start..(start + rng.usize(..=most)).min(len)
}

fn insert(rng: &mut Rng, bytes: &mut Vec<u8>, part: &[u8]) {
    let to = rng.usize(..=bytes.len());
    bytes.splice(to..to, part.iter().copied());
}

/// Where headers begin, by their magic alone.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let found =
        memchr::memmem::find_iter(bytes, &format::MAGIC).filter(|place| *place >= at::MAGIC);
    found.map(|place| place - at::MAGIC).filter(|start| bytes.len() >= start + at::PARTS).collect()
}

fn one(rng: &mut Rng, bytes: &[u8]) -> Option<usize> {
    let starts = starts(bytes);
    (!starts.is_empty()).then(|| starts[rng.usize(..starts.len())])
}

/// Another number in a fixed field.
fn field(rng: &mut Rng, bytes: &mut [u8]) {
    let Some(start) = one(rng, bytes) else { return };
    let fields = [
        (at::SIZE, 4),
        (at::MAJOR, 1),
        (at::MINOR, 1),
        (at::SPOOL, 8),
        (at::FIRST, 8),
        (at::ARRIVAL, 8),
        (at::RECORDS, 4),
        (at::GENERATION, 4),
        (at::COMPRESSED, 8),
        (at::RAW, 8),
    ];
    let (place, len) = fields[rng.usize(..fields.len())];
    let number = number(rng).to_le_bytes();
    bytes[start + place..start + place + len].copy_from_slice(&number[..len]);
}

fn number(rng: &mut Rng) -> u64 {
    let number = NUMBERS[rng.usize(..NUMBERS.len())];
    if rng.bool() { number } else { rng.u64(..=number) }
}

/// Another header that says what a header can say, in the place of one.
fn header(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let Some(start) = one(rng, bytes) else { return };
    let Ok(len) = format::header_len(&bytes[start..]) else { return };
    let Some(old) = bytes.get(start..start + len) else { return };
    let Ok(mut header) = Header::decode(old) else { return };
    let n = header.lengths.len();
    let some = |rng: &mut Rng| rng.usize(..=n.max(1));
    match rng.u8(..12) {
        0 => header.first = number(rng),
        1 => header.generation = number(rng) as u32,
        2 => header.raw = number(rng),
        3 => header.acked = Some(number(rng)),
        4 => header.forgotten = number(rng),
        5 => (header.forgotten, header.lost) = (number(rng), true),
        6 => header.source = Some((text::hostile(rng), number(rng))),
        7 => header.queue = Some(text::hostile(rng)),
        8 if n > 0 => header.lengths[rng.usize(..n)] = number(rng),
        9 => header.lengths.truncate(some(rng)),
        10 => {
            let count = some(rng);
            header.pieces = (0..count)
                .map(|_| format::Piece {
                    records: number(rng) % 40,
                    arrival_ms: number(rng) as i64,
                    source_end: rng.bool().then(|| number(rng)),
                    acked: rng.bool().then(|| number(rng)),
                })
                .collect();
        }
        _ => {
            let mut merged = header.merged.take().unwrap_or_default();
            merged.places.push((text::hostile(rng), number(rng)));
            (0..some(rng)).for_each(|_| merged.add(number(rng) as u32 % 4));
            header.merged = Some(merged);
        }
    }
    bytes.splice(start..start + len, header.encode());
}

/// A frame in the place of another: with messages that nobody sends, or that unpacks to more than is
/// good.
fn frame(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let Some(start) = one(rng, bytes) else { return };
    let Ok(len) = format::header_len(&bytes[start..]) else { return };
    let Some(Ok(old)) = bytes.get(start..start + len).map(Header::decode) else { return };
    let end = (start + len).saturating_add(old.compressed as usize).min(bytes.len());
    let new = match rng.u8(..3) {
        0 => bomb(rng, old),
        _ => {
            let mut batch = Batch::default();
            (0..old.lengths.len().max(1)).for_each(|_| batch.push(&text::message(rng)));
            let encoder = segment::Encoder::new(1, SpoolId(old.spool.0));
            let encoded = encoder.and_then(|mut encoder| encoder.encode(&batch, old.first));
            encoded.expect("a frame").bytes
        }
    };
    bytes.splice(start..end, new);
}

/// A frame of few bytes that unpacks to gigabytes, or claims so.
fn bomb(rng: &mut Rng, mut header: Header) -> Vec<u8> {
    // A frame of zstd with the length of its content, and blocks of one byte 128 KiB times.
    let claim = number(rng);
    let mut body = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1100_0000, 0x58];
    body.extend_from_slice(&claim.to_le_bytes());
    let blocks = [1, 100, 20_000][rng.usize(..3)];
    for n in 0..blocks {
        let last = u32::from(n + 1 == blocks);
        let block = last | (1 << 1) | ((128 << 10) << 3);
        body.extend_from_slice(&block.to_le_bytes()[..3]);
        body.push(b'x');
    }
    header.compressed = body.len() as u64;
    header.raw = if rng.bool() { claim } else { header.raw };
    header.body_crc = format::crc32(&body);
    [header.encode(), body].concat()
}

/// Makes the checksums right, and mostly the lengths of the bodies.
fn mend(rng: &mut Rng, bytes: &mut [u8]) {
    let starts = starts(bytes);
    for (n, &start) in starts.iter().enumerate() {
        let next = starts.get(n + 1).copied().unwrap_or(bytes.len());
        let mut four = [0; 4];
        four.copy_from_slice(&bytes[start + at::SIZE..][..4]);
        let body = start.saturating_add(8).saturating_add(u32::from_le_bytes(four) as usize);
        if body > next || body < start + at::PARTS {
            continue;
        }
        if rng.u8(..8) > 0 {
            let len = (next - body) as u64;
            bytes[start + at::COMPRESSED..][..8].copy_from_slice(&len.to_le_bytes());
            let crc = format::crc32(&bytes[body..next]);
            bytes[start + at::BODY_CRC..][..4].copy_from_slice(&crc.to_le_bytes());
        }
        bytes[start + at::HEADER_CRC..][..4].fill(0);
        let crc = format::crc32(&bytes[start..body]);
        bytes[start + at::HEADER_CRC..][..4].copy_from_slice(&crc.to_le_bytes());
    }
}
