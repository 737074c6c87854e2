//! Geometries: from the text that the producer prints to the bytes that servers store. Pure.
//!
//! Servers read the text each in its own way (MariaDB makes NULL of what it does not know, MySQL
//! turns the axes of some spatial references), but store the same bytes, and refuse others.

/// The stored form of a geometry in well-known text, the spatial reference first. `None` when the
/// text is none.
pub(super) fn stored(wkt: &str, srid: u32) -> Option<Vec<u8>> {
    let mut out = srid.to_le_bytes().to_vec();
    let mut text = Text(wkt);
    geometry(&mut text, &mut out, 0)?;
    text.0.trim_start().is_empty().then_some(out)
}

/// What stands in a geometry of each kind, by its number.
const KINDS: [(&str, Content); 7] = [
    ("POINT", Content::Point),
    ("LINESTRING", Content::Line),
    ("POLYGON", Content::Rings),
    ("MULTIPOINT", Content::Many(1)),
    ("MULTILINESTRING", Content::Many(2)),
    ("MULTIPOLYGON", Content::Many(3)),
    ("GEOMETRYCOLLECTION", Content::Any),
];

/// Collections are inside one another at most so deep.
const DEPTH: usize = 64;

#[derive(Clone, Copy)]
enum Content {
    Point,
    Line,
    Rings,
    /// Geometries of the kind of that number, without their names.
    Many(u32),
    Any,
}

/// The rest of the text.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn word(&mut self) -> &'a str {
        self.0 = self.0.trim_start();
        let end = self.0.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    /// True when the sign comes next; it is passed then.
    fn sign(&mut self, sign: char) -> bool {
        self.0 = self.0.trim_start();
        let rest = self.0.strip_prefix(sign);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn number(&mut self) -> Option<f64> {
        self.0 = self.0.trim_start();
        let part = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let end = self.0.find(|c| !part(c)).unwrap_or(self.0.len());
        let (number, rest) = self.0.split_at(end);
        self.0 = rest;
        number.parse().ok().filter(|n: &f64| n.is_finite())
    }
}

fn geometry(text: &mut Text<'_>, out: &mut Vec<u8>, depth: usize) -> Option<()> {
    let name = text.word();
    let number = KINDS.iter().position(|(kind, _)| name.eq_ignore_ascii_case(kind))?;
    head(out, number as u32 + 1);
    content(text, out, KINDS[number].1, depth)
}

/// The byte order, which is that of all servers, and the kind.
fn head(out: &mut Vec<u8>, kind: u32) {
    out.push(1);
    out.extend(kind.to_le_bytes());
}

fn content(text: &mut Text<'_>, out: &mut Vec<u8>, kind: Content, depth: usize) -> Option<()> {
    match kind {
        Content::Point => {
            text.sign('(').then_some(())?;
            point(text, out)?;
            text.sign(')').then_some(())
        }
        Content::Line => list(text, out, point),
        Content::Rings => list(text, out, |text, out| list(text, out, point)),
        Content::Many(kind) => list(text, out, |text, out| {
            head(out, kind);
            match kind == 1 && !text.0.trim_start().starts_with('(') {
                // MariaDB's way: MULTIPOINT(1 1,2 2).
                true => point(text, out),
                false => content(text, out, KINDS[kind as usize - 1].1, depth),
            }
        }),
        Content::Any if depth == DEPTH => None,
        Content::Any => list(text, out, |text, out| geometry(text, out, depth + 1)),
    }
}

fn point(text: &mut Text<'_>, out: &mut Vec<u8>) -> Option<()> {
    for _ in 0..2 {
        out.extend(text.number()?.to_le_bytes());
    }
    Some(())
}

/// How many there are, and each; `EMPTY` is none.
fn list(
    text: &mut Text<'_>,
    out: &mut Vec<u8>,
    one: impl Fn(&mut Text<'_>, &mut Vec<u8>) -> Option<()>,
) -> Option<()> {
    let (place, mut count) = (out.len(), 0_u32);
    out.extend(count.to_le_bytes());
    if !text.sign('(') {
        return text.word().eq_ignore_ascii_case("EMPTY").then_some(());
    }
    loop {
        one(text, out)?;
        count += 1;
        if !text.sign(',') {
            break;
        }
    }
    out[place..place + 4].copy_from_slice(&count.to_le_bytes());
    text.sign(')').then_some(())
}

#[cfg(test)]
mod tests {
    use super::stored;

    fn hex(wkt: &str) -> Option<String> {
        let bytes = stored(wkt, 0)?;
        Some(bytes[4..].iter().map(|b| format!("{b:02X}")).collect())
    }

    #[test]
    fn each_kind_has_the_bytes_that_servers_store() {
        let one = "000000000000F03F000000000000F03F";
        let two = "00000000000000400000000000000040";
        let line = format!("02000000{one}{two}");
        for (wkt, bytes) in [
            ("POINT (1 1)", format!("0101000000{one}")),
            ("LINESTRING (1 1, 2 2)", format!("0102000000{line}")),
            ("POLYGON ((1 1, 2 2), (1 1, 2 2))", format!("010300000002000000{line}{line}")),
            (
                "MULTIPOINT ((1 1), (2 2))",
                format!("0104000000020000000101000000{one}0101000000{two}"),
            ),
            ("MULTIPOINT(1 1,2 2)", format!("0104000000020000000101000000{one}0101000000{two}")),
            ("MULTILINESTRING ((1 1, 2 2))", format!("0105000000010000000102000000{line}")),
            ("MULTIPOLYGON (((1 1, 2 2)))", format!("010600000001000000010300000001000000{line}")),
            (
                "GEOMETRYCOLLECTION (POINT (1 1), GEOMETRYCOLLECTION EMPTY)",
                format!("0107000000020000000101000000{one}010700000000000000"),
            ),
            ("LINESTRING EMPTY", "010200000000000000".to_owned()),
        ] {
            assert_eq!(hex(wkt).as_deref(), Some(&*bytes), "{wkt}");
        }
        let extreme = stored("POINT (-0 1e300)", 4326).expect("a point");
        assert_eq!(extreme[..4], 4326_u32.to_le_bytes());
        assert_eq!(extreme[9..], [(-0.0_f64).to_le_bytes(), 1e300_f64.to_le_bytes()].concat());
    }

    #[test]
    fn what_is_no_geometry_is_none() {
        for wkt in [
            "",
            "foo",
            "POINT",
            "POINT EMPTY",
            "POINT (1)",
            "POINT (1 1 1)",
            "POINT (1 1) x",
            "POINT (NaN 1)",
            "POINT (1e999 1)",
            "LINESTRING (1 1,)",
            "LINESTRING ()",
            "MULTIPOINT (1 1",
            "CIRCULARSTRING (1 1, 2 2)",
            "POINT (1 1), POINT (1 1)",
        ] {
            assert_eq!(hex(wkt), None, "{wkt}");
        }
        let deep = "GEOMETRYCOLLECTION (".repeat(100_000);
        assert_eq!(hex(&deep), None);
        let nested = format!("{}POINT (1 1){}", "GEOMETRYCOLLECTION (".repeat(60), ")".repeat(60));
        assert!(hex(&nested).is_some());
    }
}
