//! Column types and their values, as SQL literals: few values each, so that keys meet again and again. None that the
//! producer damages.

use super::{super::servers::Kind, random::Random};

/// What a column may hold.
#[derive(Clone, Copy)]
pub(super) enum Values {
    Made(fn(&mut Random) -> String),
    /// Words in groups; under most collations those of a group are equal.
    Words(&'static [&'static [&'static str]]),
}

impl Values {
    pub(super) fn literal(self, random: &mut Random) -> String {
        self.pair(random).0
    }

    /// Two literals that many collations hold for equal.
    pub(super) fn pair(self, random: &mut Random) -> (String, String) {
        match self {
            Values::Made(make) => {
                let literal = make(random);
                (literal.clone(), literal)
            }
            Values::Words(groups) => {
                let group = groups[random.below(groups.len())];
                let mut word = || format!("'{}'", random.pick(group));
                (word(), word())
            }
        }
    }
}

const WORDS: Values = Values::Words(&[
    &["a", "A", "a ", "á", "Á", "A  "],
    &["b", "B"],
    &["ss", "ß", "SS", "s"],
    &["e", "é", "E ", "É"],
    &["straße", "strasse", "STRASSE"],
    &["", " "],
    &["ae", "æ", "Æ"],
    &["o", "ö", "ø", "Ö"],
    &["x1"],
    &["x2", "X2"],
    &["\t", "a\t"],
]);

const WIDE_WORDS: Values = Values::Words(&[
    &["a", "A", "a ", "á", "ａ", "a\u{301}"],
    &["ss", "ß", "ẞ"],
    &["i", "ı", "İ", "I"],
    &["漢", "汉"],
    &["か", "が", "カ"],
    &["😀", "😁"],
    &["ﬁ", "fi"],
    &["", " "],
    &["ё", "е", "Е"],
    &["y1", "Y1"],
    &["y2"],
]);

pub(super) const SMALL: Values = Values::Made(|random| (random.below(40) + 1).to_string());
pub(super) const FEW: Values = Values::Made(|random| random.below(25).to_string());

/// Types that a key may be made of.
const KEYS: &[(&str, Values)] = &[
    ("INT", SMALL),
    ("INT", SMALL),
    (
        "BIGINT UNSIGNED",
        Values::Made(|random| {
            let near = random.below(16) as u64;
            [near, u64::MAX - near, (1 << 63) - 8 + near, (1 << 53) - 8 + near][random.below(4)]
                .to_string()
        }),
    ),
    ("BIGINT", Values::Made(|random| (random.below(30) as i64 - 15).to_string())),
    (
        "DECIMAL(20,4)",
        Values::Made(|random| {
            format!("{}.{}", random.below(6), ["0", "1", "1000", "0001"][random.below(4)])
        }),
    ),
    ("DATETIME(3)", Values::Made(datetime)),
    ("DATE", Values::Made(|random| format!("'2024-02-{:02}'", random.below(29) + 1))),
    ("TIMESTAMP(6)", Values::Made(datetime)),
    ("BINARY(4)", Values::Made(bytes)),
    ("VARBINARY(8)", Values::Made(bytes)),
    ("VARCHAR(20) CHARACTER SET latin1", WORDS),
    ("CHAR(12) COLLATE utf8mb4_general_ci", WIDE_WORDS),
    ("VARCHAR(20) COLLATE utf8mb4_general_ci", WORDS),
    ("VARCHAR(20) COLLATE utf8mb4_unicode_ci", WIDE_WORDS),
    ("VARCHAR(20) COLLATE utf8mb4_unicode_520_ci", WIDE_WORDS),
    ("VARCHAR(20) COLLATE utf8mb4_bin", WORDS),
    ("VARCHAR(20) CHARACTER SET utf8mb3", WORDS),
    ("VARCHAR(20) CHARACTER SET utf16", WIDE_WORDS),
    ("ENUM('red','green','sea blue','z')", Values::Made(label)),
    (
        "FLOAT",
        Values::Made(|random| ["0", "0.1", "0.3", "1e10", "16777216"][random.below(5)].into()),
    ),
    (
        "DOUBLE",
        Values::Made(|random| ["0", "0.1", "1.0/3", "1e300", "-2.5"][random.below(5)].into()),
    ),
    ("BIT(8)", Values::Made(|random| format!("b'{:b}'", random.below(40)))),
    ("YEAR", Values::Made(|random| (random.below(30) + 1990).to_string())),
    ("TIME(2)", Values::Made(|random| format!("'10:00:{:02}.5'", random.below(30)))),
    (
        "SET('a','b','c d')",
        Values::Made(|random| ["''", "'a'", "'a,c d'", "'b,a'"][random.below(4)].into()),
    ),
];

const MARIADB_KEYS: &[(&str, Values)] = &[
    ("VARCHAR(20) COLLATE utf8mb4_nopad_bin", WORDS),
    ("VARCHAR(20) COLLATE utf8mb4_unicode_nopad_ci", WIDE_WORDS),
    ("VARCHAR(20) CHARACTER SET utf8mb4 COLLATE uca1400_ai_ci", WIDE_WORDS),
    ("VARCHAR(20) CHARACTER SET utf8mb4 COLLATE uca1400_as_cs", WORDS),
];

const MYSQL_KEYS: &[(&str, Values)] = &[
    ("VARCHAR(20) COLLATE utf8mb4_0900_ai_ci", WIDE_WORDS),
    ("VARCHAR(20) COLLATE utf8mb4_0900_as_cs", WORDS),
    ("VARCHAR(20) COLLATE utf8mb4_0900_bin", WORDS),
    ("VARCHAR(20) COLLATE utf8mb4_ja_0900_as_cs_ks", WIDE_WORDS),
];

/// Types that are only carried along.
const OTHERS: &[(&str, Values)] = &[
    ("TINYINT", Values::Made(|random| (random.below(256) as i64 - 128).to_string())),
    ("BOOL", Values::Made(|random| random.below(2).to_string())),
    ("SMALLINT UNSIGNED", Values::Made(|random| random.below(65536).to_string())),
    ("MEDIUMINT", Values::Made(|random| (random.below(1 << 24) as i64 - (1 << 23)).to_string())),
    (
        "DECIMAL(65,30)",
        Values::Made(|random| {
            format!(
                "{}{}.{:030}",
                ["", "-"][random.below(2)],
                random.below(99),
                random.below(1 << 40)
            )
        }),
    ),
    (
        "FLOAT",
        Values::Made(|random| {
            ["0", "0.1", "1e10", "-3.25", "16777216", "1.17549e-38"][random.below(6)].into()
        }),
    ),
    (
        "DOUBLE",
        Values::Made(|random| {
            ["0", "0.1", "1e300", "-1e-300", "1.0/3", "123456789.125"][random.below(6)].into()
        }),
    ),
    ("BIT(1)", Values::Made(|random| format!("b'{}'", random.below(2)))),
    ("BIT(20)", Values::Made(|random| format!("b'{:020b}'", random.below(1 << 20)))),
    (
        "DATE",
        Values::Made(|random| {
            ["'0000-00-00'", "'2024-02-29'", "'9999-12-31'"][random.below(3)].into()
        }),
    ),
    (
        "DATETIME",
        Values::Made(|random| {
            ["'0000-00-00 00:00:00'", "'1000-01-01 00:00:00'", "'2024-03-31 02:30:00'"]
                [random.below(3)]
            .into()
        }),
    ),
    ("DATETIME(6)", Values::Made(datetime)),
    (
        "TIME(2)",
        Values::Made(|random| {
            format!("'{:02}:{:02}:00.{:02}'", random.below(24), random.below(60), random.below(100))
        }),
    ),
    ("YEAR", Values::Made(|random| (random.below(255) + 1901).to_string())),
    ("CHAR(10)", WORDS),
    ("TINYTEXT", WIDE_WORDS),
    (
        "TEXT",
        Values::Made(|random| {
            ["''", "'it''s \"x\" \\\\ \\n \\0'", "REPEAT('long ', 900)", "'NULL'"][random.below(4)]
                .into()
        }),
    ),
    (
        "BLOB",
        Values::Made(|random| {
            ["''", "X'00ff27225c0a0d1a'", "REPEAT(X'fe00', 700)"][random.below(3)].into()
        }),
    ),
    ("BINARY(6)", Values::Made(bytes)),
    ("ENUM('red','green','sea blue','z')", Values::Made(label)),
    (
        "SET('a','b','c d')",
        Values::Made(|random| ["''", "'a'", "'a,c d'", "'b,a'"][random.below(4)].into()),
    ),
    (
        "JSON",
        Values::Made(|random| {
            [
                "'{\"a\": [1, 2.5, \"x\\\\\"y\", null, true]}'",
                "'[]'",
                "'{}'",
                "'\"text\"'",
                "'12'",
                "'{\"é\": \"😀\", \"b\": {\"c\": -1}}'",
            ][random.below(6)]
            .into()
        }),
    ),
    (
        "POINT",
        Values::Made(|random| format!("ST_GeomFromText('POINT({} -2.25)')", random.below(9))),
    ),
];

fn datetime(random: &mut Random) -> String {
    format!("'2024-03-10 02:30:{:02}.{}'", random.below(10), ["0", "5", "001"][random.below(3)])
}

fn bytes(random: &mut Random) -> String {
    format!("X'{}'", ["", "00", "0001", "ff00", "27", "20", "41", "61"][random.below(8)])
}

fn label(random: &mut Random) -> String {
    format!("'{}'", random.pick(&["red", "green", "sea blue", "z"]))
}

pub(super) fn key_type(kind: Kind, random: &mut Random) -> (&'static str, Values) {
    let own = match kind {
        Kind::MariaDb => MARIADB_KEYS,
        Kind::MySql => MYSQL_KEYS,
    };
    let place = random.below(KEYS.len() + own.len());
    KEYS.get(place).copied().unwrap_or_else(|| own[place - KEYS.len()])
}

pub(super) fn other_type(random: &mut Random) -> (&'static str, Values) {
    OTHERS[random.below(OTHERS.len())]
}
