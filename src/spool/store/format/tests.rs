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
        unsynced: Some(39),
        forgotten: 0,
        lost: false,
        pieces: vec![],
        merged: None,
    }
}

/// What stands where records were taken out.
fn tombstone() -> Header {
    Header {
        lengths: vec![],
        raw: 0,
        redelivered: vec![],
        maybe_twice: vec![],
        acked: None,
        unsynced: None,
        forgotten: 1764,
        ..sample()
    }
}

#[test]
fn a_header_comes_back_as_it_went() {
    let bytes = sample().encode();
    assert_eq!(Header::decode(&bytes), Ok(sample()));
    assert_eq!(header_len(&bytes), Ok(bytes.len()));
    let bytes = tombstone().encode();
    assert_eq!(Header::decode(&bytes).map(|h| (h.end(), h)), Ok((42 + 1764, tombstone())));
}

/// The sample as two frames that were joined.
fn sealed() -> Header {
    let piece = |records, arrival_ms, source_end, acked| Piece {
        records,
        arrival_ms,
        source_end: Some(source_end),
        acked,
    };
    let pieces = vec![
        piece(1, 1_795_351_690_123, 7, None),
        // The clock was set back.
        piece(2, 1_795_351_000_000, 1 << 40, Some(40)),
    ];
    Header { generation: 1, pieces, ..sample() }
}

#[test]
fn a_sealed_frame_tells_what_it_was_made_of() {
    let header = Header::decode(&sealed().encode()).expect("a header");
    assert_eq!(header, sealed());
    let pieces: Vec<_> = header.joined().map(|(range, piece)| (range, piece.acked)).collect();
    assert_eq!(pieces, [(42..43, None), (43..45, Some(40))]);
    let alone: Vec<_> = sample().joined().collect();
    let (range, piece) = &alone[0];
    assert_eq!((alone.len(), range.clone(), piece.records), (1, 42..45, 3));
    assert_eq!((piece.source_end, piece.acked), (Some(1 << 40), Some(40)));
}

#[test]
fn pieces_that_do_not_add_up_are_refused() {
    let changes: [fn(&mut Header); 3] = [
        |header| header.pieces[0].records = 3,
        |header| header.pieces[0].records = u64::MAX,
        |header| header.pieces.truncate(1),
    ];
    for change in changes {
        let mut header = sealed();
        change(&mut header);
        let said = Header::decode(&header.encode());
        assert_eq!(said, Err(BadHeader::Wrong("a part of the header is malformed")));
    }
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

/// A right checksum proves nothing: a header may come from anybody.
#[test]
fn claims_that_no_spool_makes_are_refused() {
    let too = |change: fn(&mut Header)| {
        let mut header = sample();
        change(&mut header);
        Header::decode(&header.encode())
    };
    for raw in [1 << 50, u64::MAX, MAX_RAW + 1] {
        let mut header = Header { raw, lengths: vec![raw - 1], ..sample() };
        header.redelivered.clear();
        let said = Header::decode(&header.encode());
        assert_eq!(said, Err(BadHeader::Wrong("the content is longer than a frame's may be")));
    }
    assert!(matches!(too(|h| h.lengths = vec![u64::MAX; 3]), Err(BadHeader::Wrong(_))));
    assert!(matches!(too(|h| h.lengths.clear()), Err(BadHeader::Wrong(_))));
    for first in [u64::MAX, MAX_SEQ, MAX_SEQ - 2] {
        let said = Header::decode(&Header { first, ..sample() }.encode());
        assert_eq!(said, Err(BadHeader::Wrong("there are no such sequences")), "{first}");
    }
    let said = Header::decode(&Header { forgotten: u64::MAX, ..tombstone() }.encode());
    assert_eq!(said, Err(BadHeader::Wrong("there are no such sequences")));
}

proptest::proptest! {
    /// Bytes from anybody, the checksum right.
    #[test]
    fn no_parts_of_a_header_do_harm(
        parts in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        records in proptest::num::u32::ANY,
        raw in proptest::num::u64::ANY,
        cut in 0..300usize,
    ) {
        let mut bytes = Header { lengths: vec![], redelivered: vec![], maybe_twice: vec![], queue: None, source: None, raw: 0, ..sample() }.encode();
        bytes.truncate(at::PARTS);
        bytes.extend(&parts);
        bytes[at::RECORDS..at::RECORDS + 4].copy_from_slice(&records.to_le_bytes());
        bytes[at::RAW..at::RAW + 8].copy_from_slice(&raw.to_le_bytes());
        let size = (bytes.len() - at::MAGIC) as u32;
        bytes[at::SIZE..at::MAGIC].copy_from_slice(&size.to_le_bytes());
        let crc = header_crc(&bytes);
        bytes[at::HEADER_CRC..at::SPOOL].copy_from_slice(&crc.to_le_bytes());
        if let Ok(header) = Header::decode(&bytes) {
            proptest::prop_assert!(header.lengths.len() as u64 <= header.raw && header.raw <= MAX_RAW);
            proptest::prop_assert!(header.end() <= MAX_SEQ);
        }
        bytes.truncate(cut);
        let _ = Header::decode(&bytes);
    }
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
    let docs = include_str!("../../../../docs/format.md");
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
        (tag::FORGOTTEN, "forgotten"),
        (tag::LOST, "lost"),
        (tag::PIECES, "pieces"),
    ];
    for (tag, name) in tags {
        assert!(docs.contains(&format!("| {tag} | {name}")), "docs/format.md: tag {tag}");
    }
    assert!(docs.contains(&format!("0x{SKIPPABLE:08X}")));
    assert!(docs.contains(&format!("at most {} MiB of content", MAX_RAW >> 20)));
    assert!(docs.contains(&format!("format version is {MAJOR}.{MINOR}")));
}
