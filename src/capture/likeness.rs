//! Whether a file is one of messages, told by its first lines; and what it looks like if not.

use serde_json::{Map, Value};

use crate::error::{Error, Means, Result};
use crate::event::maxwell;

/// Fewer bad lines than this are damage in a right file, however short it is.
const FEW: u64 = 10;
/// Lines at the beginning of which one at least must be a message.
const FIRST: usize = 10;

/// Refuses a file whose beginning is none of messages.
///
/// # Errors
/// As said (usage), with what it looks like. `whole`: there is nothing behind `head`.
pub(super) fn check(head: &[u8], whole: bool, packing: Option<&str>) -> Result<()> {
    let mut lines: Vec<&[u8]> = head.split(|&b| b == b'\n').collect();
    if !whole && lines.len() > 1 {
        lines.pop();
    }
    let cut = !whole && lines.len() == 1;
    lines.retain(|line| !is_blank(line));
    let messages: Vec<bool> =
        lines.iter().map(|line| cut && begins(line) || is_one(line)).collect();
    let first = messages.len().min(FIRST);
    if first > 0 && !messages[..first].contains(&true) {
        let what = likeness(head);
        let what = packing.map_or(what.clone(), |packing| format!("{what}, packed with {packing}"));
        return Err(Error::usage(format!("this looks like {what}: no line of it is a message"))
            .help((
                "import takes files of one Maxwell JSON message a line; nothing was stored ({} \
                 stores each line all the same, as damaged)",
                [Means::Force],
            )));
    }
    let bad = messages.iter().filter(|message| !**message).count();
    match is_too_much(bad as u64, messages.len() as u64) {
        false => Ok(()),
        true => Err(Error::usage(format!(
            "{bad} of the first {} lines are no messages; the file looks like {}",
            messages.len(),
            likeness(head)
        ))
        .help(("nothing was stored; with {} they are, as damaged messages", [Means::Force]))),
    }
}

/// More than a tenth, and so many that they are no accident of a small file.
pub(super) fn is_too_much(bad: u64, all: u64) -> bool {
    bad >= FEW && bad.saturating_mul(10) > all
}

fn is_blank(line: &[u8]) -> bool {
    maxwell::without_bom(line).trim_ascii().is_empty()
}

fn is_one(line: &[u8]) -> bool {
    maxwell::parse(line).map_or_else(|damage| damage.is_encrypted(), |_| true)
}

/// A line too long to be looked at whole.
fn begins(line: &[u8]) -> bool {
    maxwell::without_bom(line).trim_ascii_start().starts_with(b"{")
}

/// What the beginning of a file looks like, in words.
fn likeness(head: &[u8]) -> String {
    const MAGIC: [(&[u8], &str); 12] = [
        (b"\xfebin", "a binlog of the server"),
        (b"\xfdbin", "an encrypted binlog of the server"),
        (b"\x1f\x8b", "a file packed twice, the inner time with gzip"),
        (b"\x28\xb5\x2f\xfd", "a file packed twice, the inner time with zstd"),
        (b"BZh", "a bzip2 file: unpack it first"),
        (b"\xfd7zXZ\0", "an xz file: unpack it first"),
        (b"PK\x03\x04", "a zip file: unpack it first"),
        (b"\x04\x22\x4d\x18", "an lz4 file: unpack it first"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x7fELF", "a program"),
        (b"\xff\xfe", "text in UTF-16: convert it to UTF-8"),
        (b"\xfe\xff", "text in UTF-16: convert it to UTF-8"),
    ];
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return (*what).to_owned();
    }
    if head.get(257..262) == Some(b"ustar") {
        return "a tar archive: unpack it first".to_owned();
    }
    let text = String::from_utf8_lossy(&head[..head.len().min(64 << 10)]);
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start() {
        json if json.starts_with(['{', '[']) => json_likeness(json),
        sql if is_binlog_text(sql) => "the text that mysqlbinlog prints".to_owned(),
        sql if is_sql(sql) => "an SQL dump".to_owned(),
        _ if text.contains('\0') || text.contains('\u{fffd}') => "binary data".to_owned(),
        _ => "text that is no JSON".to_owned(),
    }
}

fn is_binlog_text(text: &str) -> bool {
    text.lines().take(50).any(|line| {
        line.starts_with("BINLOG '") || line.starts_with("DELIMITER /*!*/;") || line == "# at 4"
    })
}

fn is_sql(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "--", "/*", "CREATE ", "INSERT ", "DROP ", "SET ", "USE ", "LOCK ", "REPLACE ", "UPDATE ",
        "DELETE ", "BEGIN",
    ];
    let mut lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty());
    lines.next().is_some_and(|line| {
        let line = line.to_ascii_uppercase();
        WORDS.iter().any(|word| line.starts_with(word))
    })
}

fn json_likeness(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(object)) => object_likeness(&object),
        Ok(_) => "JSON whose lines are no objects".to_owned(),
        Err(_) => "JSON that is not one object a line (jq -c makes it so)".to_owned(),
    }
}

fn object_likeness(object: &Map<String, Value>) -> String {
    let has = |names: &[&str]| names.iter().all(|name| object.contains_key(*name));
    let inner = object.get("payload").and_then(Value::as_object);
    if inner.is_some_and(|payload| payload.contains_key("op")) || has(&["op", "source"]) {
        return "JSON of Debezium, not Maxwell's".to_owned();
    }
    if has(&["isDdl"]) || has(&["mysqlType"]) || has(&["sqlType"]) {
        return "JSON of canal, not Maxwell's".to_owned();
    }
    let names: Vec<String> = object.keys().take(5).map(|name| format!("{name:?}")).collect();
    match names.is_empty() {
        true => "JSON objects without content".to_owned(),
        false => format!("JSON with {}, but not Maxwell's", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str =
        r#"{"database":"d","table":"t","type":"insert","ts":1,"xid":1,"data":{"id":1}}"#;

    fn said(head: &[u8]) -> String {
        check(head, true, None).expect_err("no messages").to_string()
    }

    #[test]
    fn what_is_no_file_of_messages_is_named() {
        for (head, what) in [
            (
                &b"-- MariaDB dump 10.19\n\nCREATE TABLE t (id INT);\nINSERT INTO t VALUES (1);\n"
                    [..],
                "SQL dump",
            ),
            (b"/*M!999999\\- enable the sandbox mode */ \n-- x\n", "SQL dump"),
            (b"\xfebin\xf1\x00\x00\n\x00\x0f\x01", "binlog"),
            (b"\x1f\x8b\x08\x00", "packed twice"),
            (b"# The proper term is pseudo_replica_mode\n# at 4\nBINLOG '\nabc\n", "mysqlbinlog"),
            (b"{\n  \"database\": \"d\"\n}\n", "not one object a line"),
            (b"{\"payload\":{\"op\":\"c\"}}\n", "Debezium"),
            (b"{\"data\":[],\"isDdl\":false,\"type\":\"INSERT\"}\n", "canal"),
            (b"{\"name\":\"x\",\"pid\":1}\n", "\"name\", \"pid\""),
            (b"[1,2]\n", "no objects"),
            (b"hello\n", "no JSON"),
            (b"a\x00\xffb\n", "binary"),
        ] {
            let said = said(head);
            assert!(said.contains(what), "{what}: {said}");
        }
        let packed = check(b"hello\n", true, Some("gzip")).expect_err("none").to_string();
        assert!(packed.contains("packed with gzip"), "{packed}");
    }

    #[test]
    fn messages_with_a_few_bad_lines_are_taken() {
        let lines = |bad: usize, good: usize| {
            let all = [vec!["hello"; bad], vec![ROW; good]].concat();
            all.join("\n").into_bytes()
        };
        for (bad, good) in [(0, 1), (1, 1), (9, 81), (0, 0)] {
            assert!(check(&lines(bad, good), true, None).is_ok(), "{bad} of {good}");
        }
        for (bad, good) in [(1, 0), (10, 10_000)] {
            assert!(check(&lines(bad, good), true, None).is_err(), "{bad} of {good}");
        }
        let padded = format!("\u{feff}\r\n\n{ROW}\n \n{ROW}");
        assert!(check(padded.as_bytes(), true, None).is_ok());
        assert!(check(&ROW.as_bytes()[..20], false, None).is_ok(), "a line longer than the head");
        let encrypted = br#"{"encrypted":{"iv":"x","bytes":"y"}}"#;
        assert!(check(encrypted, true, None).is_ok());
    }
}
