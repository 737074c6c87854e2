//! Geometries: from the bytes that servers store to the text that the producer's library prints.

use super::numbers::{little_endian, take};

const KINDS: [&str; 7] = [
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
];

/// Is this a column type with such values?
pub(super) fn is(kind: &str) -> bool {
    kind == "geometry" || KINDS.iter().any(|name| name.eq_ignore_ascii_case(kind))
}

/// A value: the spatial reference, which the producer drops, and the geometry.
pub(super) fn wkt(mut data: &[u8]) -> String {
    take(&mut data, 4);
    shape(&mut data)
}

fn shape(data: &mut &[u8]) -> String {
    let (kind, content) = headed(data);
    format!("{} {content}", KINDS[kind - 1])
}

/// The kind, and what stands behind its name.
fn headed(data: &mut &[u8]) -> (usize, String) {
    assert_eq!(take(data, 1), [1], "least significant bytes first");
    let kind = little_endian(take(data, 4)) as usize;
    let content = match kind {
        1 => format!("({})", point(data)),
        2 => list(data, point),
        3 => list(data, |data| list(data, point)),
        7 => list(data, shape),
        _ => list(data, |data| headed(data).1),
    };
    (kind, content)
}

fn list(data: &mut &[u8], one: impl Fn(&mut &[u8]) -> String) -> String {
    let all: Vec<String> = (0..little_endian(take(data, 4))).map(|_| one(data)).collect();
    if all.is_empty() { "EMPTY".into() } else { format!("({})", all.join(", ")) }
}

fn point(data: &mut &[u8]) -> String {
    let [x, y] = [(); 2].map(|()| coordinate(f64::from_bits(little_endian(take(data, 8)))));
    format!("{x} {y}")
}

/// Plain digits, at most sixteen of them behind the point.
fn coordinate(value: f64) -> String {
    let plain = value.to_string();
    match plain.split_once('.') {
        Some((_, fraction)) if fraction.len() > 16 => {
            format!("{value:.16}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => plain,
    }
}
