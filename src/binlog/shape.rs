//! Geometries: from the bytes that servers store to WKT.

use std::fmt::Write as _;

use super::bytes::{Bytes, Read};

/// A collection holds collections no deeper than this.
const MAX_DEPTH: usize = 32;

const KINDS: [&str; 7] = [
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
];

/// A geometry's text; with its spatial reference before it, where that is not 0. `None` for what is none.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let mut bytes = Bytes::new(bytes);
    let mut out = String::new();
    let mut read = || -> Read<()> {
        match bytes.u32()? {
            0 => {}
            srid => {
                let _ = write!(out, "SRID={srid};");
            }
        }
        shape(&mut out, &mut bytes, 0)
    };
    read().ok().filter(|()| bytes.is_empty()).map(|()| out)
}

fn shape(out: &mut String, bytes: &mut Bytes<'_>, depth: usize) -> Read<()> {
    let kind = head(bytes)?;
    let _ = write!(out, "{} ", KINDS[kind - 1]);
    content(out, bytes, kind, depth)
}

/// The number of a kind; the order of bytes before it is always the same.
fn head(bytes: &mut Bytes<'_>) -> Read<usize> {
    match (bytes.byte()?, bytes.u32()?) {
        (1, kind @ 1..=7) => Ok(kind as usize),
        _ => Err("it is no geometry".into()),
    }
}

fn content(out: &mut String, bytes: &mut Bytes<'_>, kind: usize, depth: usize) -> Read<()> {
    if depth > MAX_DEPTH {
        return Err("a geometry is nested too deep".into());
    }
    match kind {
        1 => {
            out.push('(');
            point(out, bytes)?;
            out.push(')');
            Ok(())
        }
        2 => list(out, bytes, point),
        3 => list(out, bytes, |out, bytes| list(out, bytes, point)),
        7 => list(out, bytes, |out, bytes| shape(out, bytes, depth + 1)),
        _ => list(out, bytes, |out, bytes| match head(bytes)? {
            inner if inner == kind - 3 => content(out, bytes, inner, depth + 1),
            _ => Err("a geometry has a part of another kind".into()),
        }),
    }
}

fn list(
    out: &mut String,
    bytes: &mut Bytes<'_>,
    mut one: impl FnMut(&mut String, &mut Bytes<'_>) -> Read<()>,
) -> Read<()> {
    let count = bytes.u32()?;
    if count == 0 {
        out.push_str("EMPTY");
        return Ok(());
    }
    out.push('(');
    for n in 0..count {
        out.push_str(if n > 0 { ", " } else { "" });
        one(out, bytes)?;
    }
    out.push(')');
    Ok(())
}

/// Two coordinates, with all the digits that they have.
fn point(out: &mut String, bytes: &mut Bytes<'_>) -> Read<()> {
    let [x, y] = [bytes.u64()?, bytes.u64()?].map(f64::from_bits);
    if !x.is_finite() || !y.is_finite() {
        return Err("a coordinate is no number".into());
    }
    let _ = write!(out, "{x} {y}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|n| u8::from_str_radix(&hex[n..n + 2], 16).unwrap()).collect()
    }

    #[test]
    fn geometries_are_wkt() {
        let point = "000000000101000000000000000000f83f00000000000002c0";
        assert_eq!(text(&stored(point)).as_deref(), Some("POINT (1.5 -2.25)"));
        let with_srid = point.replacen("00000000", "e6100000", 1);
        assert_eq!(text(&stored(&with_srid)).as_deref(), Some("SRID=4326;POINT (1.5 -2.25)"));
        assert_eq!(text(&stored("000000000107000000")), None);
        let empty = "00000000010700000000000000";
        assert_eq!(text(&stored(empty)).as_deref(), Some("GEOMETRYCOLLECTION EMPTY"));
        assert_eq!(text(&stored(&format!("{empty}00"))), None);
        // A collection in a collection, and so on.
        let deep = format!("00000000{}", "010700000001000000".repeat(100_000));
        assert_eq!(text(&stored(&deep)), None);
        for end in 0..point.len() / 2 {
            assert_eq!(text(&stored(point)[..end]), None);
        }
    }
}
