//! Geometries: from the bytes a server stores to the text that the producer prints. Pure.

/// Reads the spatial reference, which the producer drops, and the geometry; `None` when the bytes
/// are none.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes.get(4..)?;
    let text = geometry(&mut rest)?;
    rest.is_empty().then_some(text)
}

const NAMES: [&str; 7] = [
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
];

fn geometry(data: &mut &[u8]) -> Option<String> {
    let (kind, content) = headed(data)?;
    Some(format!("{} {content}", NAMES.get(kind - 1)?))
}

/// The kind of a geometry, and what stands behind its name.
fn headed(data: &mut &[u8]) -> Option<(usize, String)> {
    // Servers store least significant bytes first.
    let [1] = take(data)? else { return None };
    let kind = u32::from_le_bytes(take(data)?) as usize;
    let content = match kind {
        1 => format!("({})", point(data)?),
        2 => list(data, point)?,
        3 => list(data, |data| list(data, point))?,
        4..=6 => list(data, |data| Some(headed(data)?.1))?,
        7 => list(data, geometry)?,
        _ => return None,
    };
    Some((kind, content))
}

fn list(data: &mut &[u8], one: impl Fn(&mut &[u8]) -> Option<String>) -> Option<String> {
    let count = u32::from_le_bytes(take(data)?);
    let all: Option<Vec<String>> = (0..count).map(|_| one(data)).collect();
    match all?.as_slice() {
        [] => Some("EMPTY".to_owned()),
        all => Some(format!("({})", all.join(", "))),
    }
}

fn point(data: &mut &[u8]) -> Option<String> {
    let (x, y) = (f64::from_le_bytes(take(data)?), f64::from_le_bytes(take(data)?));
    Some(format!("{x} {y}"))
}

fn take<const N: usize>(data: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = data.split_first_chunk()?;
    *data = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::text;

    /// A geometry's bytes behind the spatial reference.
    fn made(kind: u32, content: &[u8]) -> Vec<u8> {
        [&[1], kind.to_le_bytes().as_slice(), content].concat()
    }

    fn point(x: f64, y: f64) -> Vec<u8> {
        [x.to_le_bytes(), y.to_le_bytes()].concat()
    }

    fn many(parts: &[Vec<u8>]) -> Vec<u8> {
        [(parts.len() as u32).to_le_bytes().as_slice(), &parts.concat()].concat()
    }

    fn shown(geometry: &[u8]) -> Option<String> {
        text(&[&[0; 4], geometry].concat())
    }

    #[test]
    fn each_kind_is_printed_as_the_producer_does() {
        let (a, b) = (point(0.0, -2.25), point(1.5, 1e10));
        let line = many(&[a.clone(), b.clone()]);
        let points = [a.clone(), b].map(|p| made(1, &p));
        for (bytes, text) in [
            (made(1, &a), "POINT (0 -2.25)"),
            (made(2, &line), "LINESTRING (0 -2.25, 1.5 10000000000)"),
            (
                made(3, &many(&[line.clone(), line.clone()])),
                "POLYGON ((0 -2.25, 1.5 10000000000), (0 -2.25, 1.5 10000000000))",
            ),
            (made(4, &many(&points)), "MULTIPOINT ((0 -2.25), (1.5 10000000000))"),
            (
                made(7, &many(&[made(1, &a), made(2, &line)])),
                "GEOMETRYCOLLECTION (POINT (0 -2.25), LINESTRING (0 -2.25, 1.5 10000000000))",
            ),
            (made(7, &many(&[])), "GEOMETRYCOLLECTION EMPTY"),
        ] {
            assert_eq!(shown(&bytes).as_deref(), Some(text));
        }
        assert_eq!(shown(&made(9, &a)), None);
        assert_eq!(shown(&made(1, &a[..9])), None);
    }
}
