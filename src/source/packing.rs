//! What the lines of a file are packed in, told by its first bytes.

use std::io::{self, BufReader, Cursor, Read};

/// How many bytes tell it.
const HEAD: u64 = 32;

/// Bytes as they are read.
pub(super) type Bytes = Box<dyn Read + Send>;

/// A way in which lines are packed.
struct Packing {
    name: &'static str,
    is: fn(&[u8]) -> bool,
    unpack: fn(Bytes) -> io::Result<Bytes>,
}

const ALL: [Packing; 2] = [
    Packing { name: "zstd", is: is_zstd, unpack: zstd },
    Packing { name: "gzip", is: is_gzip, unpack: gzip },
];

/// Puts the right decoder over a file, and names it; what none of them knows is read as it is.
pub(super) fn unpack(mut raw: Bytes) -> io::Result<(Bytes, Option<&'static str>)> {
    let mut head = Vec::with_capacity(HEAD as usize);
    (&mut raw).take(HEAD).read_to_end(&mut head)?;
    let packing = ALL.iter().find(|packing| (packing.is)(&head));
    let whole = Box::new(Cursor::new(head).chain(raw));
    match packing {
        Some(Packing { name, unpack, .. }) => Ok((unpack(whole)?, Some(name))),
        None => Ok((whole, None)),
    }
}

fn is_zstd(head: &[u8]) -> bool {
    match *head {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => true,
        // A skippable frame, as a spool segment begins with.
        [first, 0x2a, 0x4d, 0x18, ..] => first & 0xf0 == 0x50,
        _ => false,
    }
}

fn zstd(raw: Bytes) -> io::Result<Bytes> {
    Ok(Box::new(zstd::stream::read::Decoder::new(raw)?))
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

fn gzip(raw: Bytes) -> io::Result<Bytes> {
    let packed = BufReader::with_capacity(128 << 10, raw);
    Ok(Box::new(flate2::bufread::MultiGzDecoder::new(packed)))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use super::*;

    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn packed_files_read_like_plain_ones_also_in_several_parts() {
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        let skippable = b"\x5a\x2a\x4d\x18\x03\0\0\0xyz".to_vec();
        for (file, name) in [
            ([gzip(b"one\nt"), gzip(b"wo")].concat(), Some("gzip")),
            ([skippable, zstd(b"one\n"), zstd(b"two")].concat(), Some("zstd")),
            (b"one\ntwo".to_vec(), None),
        ] {
            let (mut plain, known) = unpack(Box::new(Cursor::new(file))).unwrap();
            let mut all = String::new();
            plain.read_to_string(&mut all).unwrap();
            assert_eq!((&*all, known), ("one\ntwo", name));
        }
    }
}
