//! Character sets: which one a collation's number is of, and the text that bytes are in it.
//!
//! A text is given only where the servers would give the same; else the bytes are kept.

use std::borrow::Cow;

use encoding_rs::Encoding;

/// Which character set the collations of these numbers are of, where it is not one by one.
const RANGES: [(u64, u64, &str); 27] = [
    (45, 46, "utf8mb4"),
    (54, 55, "utf16"),
    (60, 61, "utf32"),
    (101, 124, "utf16"),
    (128, 151, "ucs2"),
    (160, 183, "utf32"),
    (192, 215, "utf8mb3"),
    (224, 247, "utf8mb4"),
    (248, 250, "gb18030"),
    (255, 323, "utf8mb4"),
    // MariaDB's own.
    (576, 578, "utf8mb3"),
    (608, 610, "utf8mb4"),
    (640, 642, "ucs2"),
    (672, 674, "utf16"),
    (736, 738, "utf32"),
    (2048, 2303, "utf8mb3"),
    (2304, 2559, "utf8mb4"),
    (2560, 2815, "ucs2"),
    (2816, 3071, "utf16"),
    (3072, 3327, "utf32"),
    (41, 42, "latin7"),
    (47, 49, "latin1"),
    (50, 52, "cp1251"),
    (58, 59, "cp1257"),
    (92, 93, "geostd8"),
    (95, 96, "cp932"),
    (97, 98, "eucjpms"),
];

/// Each of the others.
const NUMBERS: [(&str, &[u64]); 40] = [
    ("armscii8", &[32, 64]),
    ("ascii", &[11, 65]),
    ("big5", &[1, 84]),
    ("binary", &[63]),
    ("cp1250", &[26, 34, 44, 66, 99]),
    ("cp1251", &[14, 23]),
    ("cp1256", &[57, 67]),
    ("cp1257", &[29]),
    ("cp850", &[4, 80]),
    ("cp852", &[40, 81]),
    ("cp866", &[36, 68]),
    ("dec8", &[3, 69]),
    ("euckr", &[19, 85]),
    ("gb2312", &[24, 86]),
    ("gbk", &[28, 87]),
    ("greek", &[25, 70]),
    ("hebrew", &[16, 71]),
    ("hp8", &[6, 72]),
    ("keybcs2", &[37, 73]),
    ("koi8r", &[7, 74]),
    ("koi8u", &[22, 75]),
    ("latin1", &[5, 8, 15, 31, 94]),
    ("latin2", &[2, 9, 21, 27, 77]),
    ("latin5", &[30, 78]),
    ("latin7", &[20, 79]),
    ("macce", &[38, 43]),
    ("macroman", &[39, 53]),
    ("sjis", &[13, 88]),
    ("swe7", &[10, 82]),
    ("tis620", &[18, 89]),
    ("ucs2", &[35, 90, 159]),
    ("ujis", &[12, 91]),
    ("utf16le", &[56, 62]),
    ("utf8mb3", &[33, 76, 83, 223]),
    // MariaDB's collations that do not pad, and those of MySQL that are left.
    ("utf8mb4", &[]),
    ("utf16", &[]),
    ("utf32", &[]),
    ("gb18030", &[]),
    ("geostd8", &[]),
    ("cp932", &[]),
];

/// MariaDB numbers a collation that does not pad so much above the one that does.
const NO_PAD: u64 = 1024;

/// The character set of a collation.
pub(super) fn of_collation(number: u64) -> Option<&'static str> {
    let number = if (NO_PAD..2 * NO_PAD).contains(&number) { number - NO_PAD } else { number };
    let range = RANGES.iter().find(|(from, to, _)| (*from..=*to).contains(&number));
    let single = || NUMBERS.iter().find(|(_, numbers)| numbers.contains(&number));
    range.map(|(.., name)| *name).or_else(|| single().map(|(name, _)| *name))
}

/// A character set's name, a table of it, and letters (from one to another) of the table that the servers
/// have otherwise, or not.
type Table = (&'static str, &'static Encoding, &'static [(char, char)]);

/// Character sets that are read by tables, but for texts with such letters, which stay bytes.
/// `tests/binlogs.rs` holds them against the servers.
const TABLES: [Table; 15] = [
    (
        "cp1250",
        encoding_rs::WINDOWS_1250,
        &[('\u{81}', '\u{83}'), ('\u{88}', '\u{88}'), ('\u{90}', '\u{98}')],
    ),
    ("cp1251", encoding_rs::WINDOWS_1251, &[('\u{98}', '\u{98}')]),
    ("cp1256", encoding_rs::WINDOWS_1256, &[('\u{679}', '\u{6d2}')]),
    ("cp1257", encoding_rs::WINDOWS_1257, &[('\u{81}', '\u{9f}')]),
    ("cp866", encoding_rs::IBM866, &[('\u{a4}', '\u{a4}'), ('\u{2116}', '\u{2116}')]),
    ("cp932", encoding_rs::SHIFT_JIS, &[('\u{80}', '\u{80}')]),
    ("euckr", encoding_rs::EUC_KR, &[]),
    (
        "gbk",
        encoding_rs::GBK,
        &[
            ('\u{1f9}', '\u{1f9}'),
            ('\u{1e3f}', '\u{1e3f}'),
            ('\u{20ac}', '\u{20ac}'),
            ('\u{2e80}', '\u{2fff}'),
            ('\u{303e}', '\u{303e}'),
            ('\u{3400}', '\u{4dff}'),
            ('\u{9fa6}', '\u{9fff}'),
            ('\u{e000}', '\u{f8ff}'),
            ('\u{fe10}', '\u{fe1f}'),
        ],
    ),
    (
        "greek",
        encoding_rs::ISO_8859_7,
        &[('\u{37a}', '\u{37a}'), ('\u{2018}', '\u{2019}'), ('\u{20ac}', '\u{20af}')],
    ),
    ("hebrew", encoding_rs::ISO_8859_8, &[('\u{af}', '\u{af}')]),
    ("koi8r", encoding_rs::KOI8_R, &[]),
    (
        "koi8u",
        encoding_rs::KOI8_U,
        &[('\u{40e}', '\u{40e}'), ('\u{45e}', '\u{45e}'), ('\u{2219}', '\u{2219}')],
    ),
    ("latin2", encoding_rs::ISO_8859_2, &[]),
    ("latin7", encoding_rs::ISO_8859_13, &[]),
    ("macroman", encoding_rs::MACINTOSH, &[]),
];

/// The text that bytes are in a character set, by the servers' name of it; `None` where they stay bytes.
pub fn text<'b>(charset: &str, bytes: &'b [u8]) -> Option<Cow<'b, str>> {
    Charset::named(charset).text(bytes)
}

/// A character set, as far as its texts can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8 with up to three bytes a letter, or up to four.
    Utf8 {
        wide: bool,
    },
    Ascii,
    Latin1,
    /// UTF-16, the highest byte first; without surrogates it is UCS-2.
    Utf16 {
        surrogates: bool,
    },
    Utf16Le,
    Utf32,
    /// One that is read by a table, but for the letters that the servers have otherwise.
    Table(&'static Encoding, &'static [(char, char)]),
    /// One whose bytes are kept.
    Other,
}

impl Charset {
    /// The character set of that name; `binary` is none.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "utf8mb4" => Self::Utf8 { wide: true },
            "utf8mb3" | "utf8" => Self::Utf8 { wide: false },
            "ascii" => Self::Ascii,
            "latin1" => Self::Latin1,
            "utf16" => Self::Utf16 { surrogates: true },
            "ucs2" => Self::Utf16 { surrogates: false },
            "utf16le" => Self::Utf16Le,
            "utf32" => Self::Utf32,
            name => match TABLES.iter().find(|(known, ..)| *known == name) {
                Some((_, table, others)) => Self::Table(table, others),
                None => Self::Other,
            },
        }
    }

    /// The text that bytes are; `None` where they are none.
    pub(super) fn text(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 { wide } => {
                let text = std::str::from_utf8(bytes).ok()?;
                (wide || bytes.iter().all(|b| *b < 0xf0)).then_some(text.into())
            }
            Self::Ascii if bytes.is_ascii() => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Latin1 if bytes.is_ascii() => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Latin1 => Some(bytes.iter().map(|byte| latin1(*byte)).collect()),
            Self::Utf16 { surrogates } => utf16(bytes, u16::from_be_bytes, surrogates),
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes, true),
            Self::Utf32 => {
                let (letters, rest) = bytes.as_chunks::<4>();
                let letters = letters.iter().map(|four| char::from_u32(u32::from_be_bytes(*four)));
                let text = letters.collect::<Option<String>>()?;
                rest.is_empty().then_some(text.into())
            }
            Self::Table(table, others) => {
                let text = table.decode_without_bom_handling_and_without_replacement(bytes)?;
                // Longer sequences of the table may be several letters of the servers'.
                let back = *table.encode(&text).0 == *bytes;
                let other = |c: char| others.iter().any(|(from, to)| (*from..=*to).contains(&c));
                (back && !text.chars().any(other)).then_some(text)
            }
            Self::Ascii | Self::Other => None,
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, surrogates: bool) -> Option<Cow<'_, str>> {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut units = units.iter().map(|two| unit(*two));
    if !rest.is_empty() || !surrogates && units.clone().any(|u| (0xd800..0xe000).contains(&u)) {
        return None;
    }
    let text: Result<String, _> = char::decode_utf16(&mut units).collect();
    text.ok().map(Cow::Owned)
}

/// The servers' latin1 is Windows' code page 1252, with control characters where that has holes.
fn latin1(byte: u8) -> char {
    const C1: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => C1[usize::from(byte & 0x1f)],
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_a_text_or_stay_bytes() {
        let text = |name, bytes| super::text(name, bytes).map(Cow::into_owned);
        assert_eq!(text("utf8mb4", "é😀".as_bytes()).as_deref(), Some("é😀"));
        assert_eq!(text("utf8mb3", "😀".as_bytes()), None);
        assert_eq!(text("utf8mb4", b"\xff"), None);
        assert_eq!(text("latin1", b"\xe9\x80\x81").as_deref(), Some("é€\u{81}"));
        assert_eq!(text("ascii", b"\x80"), None);
        assert_eq!(text("utf16", b"\xd8\x3d\xde\x00").as_deref(), Some("😀"));
        assert_eq!(text("ucs2", b"\xd8\x3d\xde\x00"), None);
        assert_eq!(text("utf16", b"\xd8\x3d\x00"), None);
        assert_eq!(text("utf16le", b"a\0").as_deref(), Some("a"));
        assert_eq!(text("utf32", b"\0\x01\xf6\x00").as_deref(), Some("😀"));
        assert_eq!(text("utf32", b"\0\x11\0\0"), None);
        assert_eq!(text("swe7", b"a"), None);
    }

    #[test]
    fn a_collations_number_tells_its_character_set() {
        for (number, name) in [
            (8, Some("latin1")),
            (63, Some("binary")),
            (83, Some("utf8mb3")),
            (255, Some("utf8mb4")),
            (1032, Some("latin1")),
            (1070, Some("utf8mb4")),
            (2304, Some("utf8mb4")),
            (0, None),
            (17, None),
        ] {
            assert_eq!(of_collation(number), name, "{number}");
        }
    }
}
