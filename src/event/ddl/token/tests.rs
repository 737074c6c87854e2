//! Texts and their tokens.

use super::*;

fn raws(sql: &str) -> Result<String, Unread> {
    let runs = |c: Condition| match (c.mariadb, c.version) {
        (true, _) => None,
        (false, version) => Some(version.unwrap_or(0) < 50700),
    };
    let mut out = String::new();
    for token in read(sql, &runs, false)? {
        out.push_str(if out.is_empty() { "" } else { "|" });
        token.write(&mut out);
    }
    Ok(out)
}

#[test]
fn a_text_is_read_as_the_servers_read_it() {
    for (sql, wanted) in [
        ("a--b -- c\n,`x``y\\`.1t", "a|-|-|b|,|`x``y\\`|.|1t"),
        ("a/* ; ' */b#'\n--\tx\n'it''s\\';' \"q\\\"\"", "a|b|'it''s\\';'|\"q\\\"\""),
        (
            "DECIMAL(1.50,-2e-3) 0x1F x'41' _utf8'é' 2t",
            "DECIMAL|(|1.50|,|-|2e-3|)|0x1F|x|'41'|_utf8|'é'|2t",
        ),
        ("/*!50100 PARTITION BY */ x/*!80016 y */", "PARTITION|BY|x"),
        ("/*! 'a*/b' */ c", "'a*/b'|c"),
        ("'line\nend\r\0'", "'line\\nend\\r\\0'"),
        ("a/**/b", "a|b"),
    ] {
        assert_eq!(raws(sql).expect(sql), wanted, "{sql}");
    }
}

#[test]
fn what_servers_read_otherwise_is_not_read() {
    for sql in [
        "a 'b",
        "a `b",
        "``",
        "a /* b",
        "a */ b",
        "a \\! b",
        "a\0b",
        "$$ a $$",
        "a \u{1} b",
        "/*! a /*! b */ c */",
        "/*M! a */",
        "/*M!100100 a */",
        "/*!80016 /* a */ b */",
        "/*!500 a */",
        "/*! a",
        "/*!1234567 a */",
        "'a\\",
    ] {
        assert!(raws(sql).is_err(), "{sql}: {:?}", raws(sql));
    }
}

#[test]
fn names_in_double_quotes_are_known_by_their_place() {
    let ansi = |sql: &str| has_ansi_names(&read(sql, &|_| Some(true), false).expect(sql));
    for sql in [
        "CREATE TABLE \"t\" (a INT)",
        "CREATE TABLE t (\"a\" INT)",
        "ALTER TABLE t ADD \"a\" INT",
        "DROP TABLE d.\"t\"",
        "DROP TABLE \"d\".t",
        "RENAME TABLE a TO \"b\"",
    ] {
        assert!(ansi(sql), "{sql}");
    }
    for sql in [
        "CREATE TABLE t (a ENUM(\"x\",\"y\") DEFAULT \"x\" COMMENT \"c\") COMMENT=\"d\"",
        "ALTER TABLE t ALTER a SET DEFAULT (\"x\")",
        "CREATE TABLE t (a INT, CHECK (a LIKE \"x\"))",
    ] {
        assert!(!ansi(sql), "{sql}");
    }
}
