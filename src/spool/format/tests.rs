//! The layout, held to the docs.

use super::*;

fn sample() -> Header {
    Header {
        spool: SpoolId([7; 16]),
        first: 42,
        arrival_ms: 1_795_351_690_123,
        generation: 0,
        compressed: 99,
        raw: 306,
        body_crc: 0xdead_beef,
        lengths: vec![3, 0, 300],
        queue: Some("maxwell".into()),
        redelivered: vec![false, true, false],
        source: Some(("/a b".into(), 1 << 40)),
        maybe_twice: vec![true, false, false],
        acked: Some(40),
    }
}

#[test]
fn a_header_comes_back_as_it_went() {
    let bytes = sample().encode();
    assert_eq!(Header::decode(&bytes), Ok(sample()));
    assert_eq!(header_len(&bytes), Ok(bytes.len()));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let bytes = sample().encode();
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(
            matches!(Header::decode(&bad), Err(BadHeader::Short | BadHeader::Wrong(_))),
            "bit {bit}"
        );
    }
    for len in 0..bytes.len() {
        assert_eq!(Header::decode(&bytes[..len]), Err(BadHeader::Short), "cut at {len}");
    }
}

#[test]
fn a_newer_version_is_named_and_unknown_parts_are_skipped() {
    let mut newer = sample().encode();
    make_newer(&mut newer);
    let newer = Header::decode(&newer);
    assert_eq!(newer, Err(BadHeader::Newer { major: MAJOR + 1, minor: 0 }));
    let mut more = sample().encode();
    more[at::MINOR] = MINOR + 1;
    put_part(&mut more, 4711, b"for later");
    let size = (more.len() - at::MAGIC) as u32;
    more[at::SIZE..at::MAGIC].copy_from_slice(&size.to_le_bytes());
    let crc = header_crc(&more);
    more[at::HEADER_CRC..at::SPOOL].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Header::decode(&more), Ok(sample()));
}

#[test]
fn a_header_of_the_version_before_is_read_and_knows_nothing_of_acknowledgements() {
    let older = Header { maybe_twice: Vec::new(), acked: None, ..sample() };
    let mut bytes = older.encode();
    bytes[at::MINOR] = 0;
    let crc = header_crc(&bytes);
    bytes[at::HEADER_CRC..at::SPOOL].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Header::decode(&bytes), Ok(older));
}

#[test]
fn varints_of_every_size_come_back_and_overlong_ones_do_not() {
    for n in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, n);
        assert_eq!(take_varint(&mut bytes.as_slice()), Some(n));
    }
    assert_eq!(take_varint(&mut [0xff; 11].as_slice()), None);
    assert_eq!(take_varint(&mut [].as_slice()), None);
}

#[test]
fn the_checksum_is_the_one_the_docs_name() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

#[test]
fn the_docs_hold_the_same_numbers() {
    let docs = include_str!("../../../docs/format.md");
    let rows = [
        (0, "magic of a skippable frame"),
        (at::SIZE, "length of the header after this field"),
        (at::MAGIC, "our magic"),
        (at::MAJOR, "major version"),
        (at::MINOR, "minor version"),
        (at::HEADER_CRC, "CRC-32 of the header"),
        (at::SPOOL, "spool id"),
        (at::FIRST, "first sequence"),
        (at::ARRIVAL, "arrival"),
        (at::RECORDS, "number of records"),
        (at::GENERATION, "sealing generation"),
        (at::COMPRESSED, "compressed length"),
        (at::RAW, "raw length"),
        (at::BODY_CRC, "CRC-32 of the zstd frame"),
        (at::PARTS, "parts"),
    ];
    for (offset, name) in rows {
        let found = docs.lines().any(|l| {
            let mut cells = l.split('|').map(str::trim).skip(1);
            cells.next() == Some(&offset.to_string())
                && cells.nth(1).is_some_and(|c| c.starts_with(name))
        });
        assert!(found, "docs/format.md: offset {offset}, {name}");
    }
    let tags = [
        (tag::LENGTHS, "record lengths"),
        (tag::QUEUE, "queue"),
        (tag::REDELIVERED, "redelivered"),
        (tag::SOURCE, "source"),
        (tag::KEY_RUN, "key run"),
        (tag::MAYBE_TWICE, "maybe twice"),
        (tag::ACKED, "acknowledged"),
    ];
    for (tag, name) in tags {
        assert!(docs.contains(&format!("| {tag} | {name}")), "docs/format.md: tag {tag}");
    }
    assert!(docs.contains(&format!("0x{SKIPPABLE:08X}")));
    assert!(docs.contains(&format!("format version is {MAJOR}.{MINOR}")));
}
