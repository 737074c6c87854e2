//! Maxwell's JSON: bytes to [`Event`].
//!
//! Fields and their traps are described in the producer's documentation
//! (<https://maxwells-daemon.io/dataformat/>). A message that cannot be read is an answer here
//! ([`Damage`]), not an error: it is stored, shown and passed over.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::IgnoredAny;

use super::def::TableDef;
use super::envelope::Envelope;
use super::{BinlogPos, Body, Event, Key, Meta, Op};

/// JSON nested deeper than this is refused: no MySQL or MariaDB value can be (their limits are
/// 100 and 32), and a reader must not be led into deep recursion.
pub const MAX_DEPTH: usize = 128;

/// Seconds since 1970 that a server can have sent: up to the end of the year 9999.
const TIMES: RangeInclusive<i64> = 0..=253_402_300_799;

/// Why a message could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage(pub String);

/// Why a message that the producer encrypted is not read.
pub const ENCRYPTED: &str = "encrypted by the producer (encrypt=data or all), and no key that is given makes a message of it";

impl Damage {
    /// True for a message that says nothing without the producer's key.
    pub fn is_encrypted(&self) -> bool {
        self.0 == ENCRYPTED
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::printable(&self.0))
    }
}

/// Reads one message as it came from outside.
///
/// # Errors
/// [`Damage`] with the reason when the bytes are not a message this version knows.
pub fn parse(bytes: &[u8]) -> Result<Event<'_>, Damage> {
    if bytes.is_empty() {
        return Err(Damage("empty message".into()));
    }
    let event = event(envelope(bytes)?)?;
    let check = |part: Option<&str>, check: fn(&str) -> Result<(), String>, what: &str| {
        part.map_or(Ok(()), check).map_err(|e| Damage(format!("{what}: {e}")))
    };
    match event.body {
        Body::Row { data, old } => {
            check(Some(data), check_names, "data")?;
            check(old, check_names, "old")?;
        }
        Body::Ddl { def, old, .. } => {
            check(def, check_definition, "def")?;
            check(old, check_definition, "old")?;
        }
        Body::Nothing => {}
    }
    Ok(event)
}

/// Refuses names of columns that are no text: half a surrogate is an escape that the reading of the
/// whole message lets pass, and that would stop every reader of the row.
fn check_names(image: &str) -> Result<(), String> {
    if memchr::memmem::find(image.as_bytes(), b"\\u").is_none() {
        return Ok(());
    }
    let names = serde_json::from_str::<HashMap<String, IgnoredAny>>(image);
    names.map(drop).map_err(|e| e.to_string())
}

/// A table's definition is read with the message, or the message would be found damaged only where it
/// is needed.
fn check_definition(text: &str) -> Result<(), String> {
    TableDef::parse(text).map(drop).map_err(|e| e.message().plain())
}

/// Reads a message that [`parse`] has read before: the index marks those it could not.
///
/// # Errors
/// As [`parse`].
pub fn parse_stored(bytes: &[u8]) -> Result<Event<'_>, Damage> {
    event(Envelope::read(text(bytes)?).map_err(no_message)?)
}

fn event(env: Envelope<'_>) -> Result<Event<'_>, Damage> {
    if env.encrypted.is_some() {
        return Err(Damage(ENCRYPTED.into()));
    }
    let meta = meta(&env)?;
    let op = meta.op;
    let values = list(env.primary_key, "primary_key")?;
    let columns = list(env.primary_key_columns, "primary_key_columns")?;
    let key = values.zip(columns).map(|(values, columns)| Key { columns, values });
    let from_binlog = env.producer.is_some();
    let body = body(op, env)?;
    Ok(Event { meta, key, body, from_binlog })
}

/// Reads where a message stands, without what it says; an encrypted one tells that too, unless all
/// of it is encrypted.
///
/// # Errors
/// As [`parse`].
pub fn parse_meta(bytes: &[u8]) -> Result<Meta<'_>, Damage> {
    let env = envelope(bytes)?;
    match (&env.kind, env.encrypted) {
        (None, Some(_)) => Err(Damage(ENCRYPTED.into())),
        _ => meta(&env),
    }
}

/// What of a message is encrypted.
pub(super) enum Sealed<'a> {
    /// All of it.
    Whole(&'a str),
    /// What the rows hold; the text before and after the place where it belongs.
    Data { before: &'a str, encrypted: &'a str, after: &'a str },
}

/// The encrypted part of a message; `None` where there is none as the producer writes it.
pub(super) fn sealed(bytes: &[u8]) -> Option<Sealed<'_>> {
    let env = envelope(bytes).ok()?;
    let encrypted = env.encrypted?;
    if env.kind.is_none() {
        return Some(Sealed::Whole(encrypted));
    }
    let text = text(bytes).ok()?;
    let start = (encrypted.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let (before, rest) = text.split_at_checked(start)?;
    let before = before.trim_end().strip_suffix(':')?.trim_end().strip_suffix("\"encrypted\"")?;
    Some(Sealed::Data { before, encrypted, after: rest.get(encrypted.len()..)? })
}

/// The fields of a message from outside.
fn envelope(bytes: &[u8]) -> Result<Envelope<'_>, Damage> {
    check_depth(bytes)?;
    Envelope::check(text(bytes)?).map_err(no_message)
}

fn text(bytes: &[u8]) -> Result<&str, Damage> {
    let text = std::str::from_utf8(without_bom(bytes));
    text.map_err(|e| Damage(format!("not UTF-8: {e}")))
}

fn no_message(why: impl fmt::Display) -> Damage {
    Damage(format!("not a Maxwell message: {why}"))
}

/// Without the byte order mark that an editor puts before a file's first line.
pub fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn op(kind: &str) -> Option<Op> {
    Some(match kind {
        "insert" => Op::Insert,
        "update" => Op::Update,
        "delete" => Op::Delete,
        "bootstrap-start" => Op::BootstrapStart,
        "bootstrap-insert" => Op::BootstrapInsert,
        "bootstrap-complete" => Op::BootstrapComplete,
        "database-create" => Op::DatabaseCreate,
        "database-alter" => Op::DatabaseAlter,
        "database-drop" => Op::DatabaseDrop,
        "table-create" => Op::TableCreate,
        // One that takes the rows: what it is stands in its text.
        "table-alter" | "table-truncate" => Op::TableAlter,
        "table-drop" => Op::TableDrop,
        "heartbeat" => Op::Heartbeat,
        _ => return None,
    })
}

fn meta<'a>(env: &Envelope<'a>) -> Result<Meta<'a>, Damage> {
    let kind = env.kind.as_deref().ok_or_else(|| no_message("missing field `type`"))?;
    let op = op(kind).ok_or_else(|| unread(kind, env))?;
    let text = |t: &Option<Cow<'a, str>>| t.clone().unwrap_or_default();
    let ts = env.ts.unwrap_or_default();
    let (ts, ms) = if op.is_ddl() { (ts.div_euclid(1000), ts.rem_euclid(1000)) } else { (ts, 0) };
    if !TIMES.contains(&ts) {
        return Err(Damage(format!("{ts} is no time")));
    }
    let position = match env.position {
        None => None,
        // With GTID as position the producer sends an object; that is no file position.
        Some(raw) => raw.strip_prefix('"').and_then(|t| t.strip_suffix('"')),
    };
    let meta = Meta {
        op,
        database: text(&env.database),
        table: text(&env.table),
        ts,
        ts_ms: ts * 1000 + ms,
        xid: env.xid,
        xoffset: env.xoffset,
        commit: env.commit.unwrap_or(false),
        position: position.and_then(BinlogPos::parse),
        server_id: env.server_id,
        thread_id: env.thread_id,
        facts: env.facts(),
    };
    if meta.database.is_empty() && op != Op::Heartbeat {
        return Err(Damage("no database named".into()));
    }
    if meta.table.is_empty() && op.has_table() {
        return Err(Damage("no table named".into()));
    }
    Ok(meta)
}

/// What a message says that is no event: of what the binlog holds and that was not read, or is missing.
fn unread(kind: &str, env: &Envelope<'_>) -> Damage {
    let reason = env.reason.as_deref().unwrap_or_default();
    let about = match (&env.database, &env.table) {
        (Some(database), Some(table)) => format!("{database}.{table}: "),
        (Some(database), None) => format!("{database}: "),
        _ => String::new(),
    };
    let place = env.position.map(|raw| raw.trim_matches('"')).unwrap_or_default();
    match (kind, &env.sql) {
        ("undecoded", _) => Damage(format!("{about}rows at {place} are not read: {reason}")),
        ("statement", Some(sql)) => {
            let short: String = sql.chars().take(100).collect();
            Damage(format!("{about}statement at {place}: {reason}: {short}"))
        }
        ("gap", _) => Damage(format!("missing at {place}: {reason}")),
        _ => Damage(format!("unknown message type {kind:?}")),
    }
}

fn body<'a>(op: Op, env: Envelope<'a>) -> Result<Body<'a>, Damage> {
    if op.is_row() || op == Op::BootstrapInsert {
        let data = object(env.data, "data")?.ok_or_else(|| Damage("no data".into()))?;
        return Ok(Body::Row { data, old: object(env.old, "old")? });
    }
    if op.is_ddl() {
        let sql = env.sql.ok_or_else(|| Damage("no sql".into()))?;
        return Ok(Body::Ddl {
            sql,
            def: object(env.def, "def")?,
            old: object(env.old, "old")?,
            charset: env.charset,
        });
    }
    Ok(Body::Nothing)
}

fn object<'a>(raw: Option<&'a str>, what: &str) -> Result<Option<&'a str>, Damage> {
    match raw {
        None => Ok(None),
        Some(text) if text.starts_with('{') => Ok(Some(text)),
        Some(_) => Err(Damage(format!("{what} is not an object"))),
    }
}

fn list<'a>(raw: Option<&'a str>, what: &str) -> Result<Option<&'a str>, Damage> {
    match raw {
        Some(text) if !text.starts_with('[') => Err(Damage(format!("{what} is no list"))),
        text => Ok(text),
    }
}

/// Refuses JSON deeper than [`MAX_DEPTH`]; the count of brackets decides most messages at once.
fn check_depth(bytes: &[u8]) -> Result<(), Damage> {
    if memchr::memchr2_iter(b'{', b'[', bytes).nth(MAX_DEPTH).is_none() {
        return Ok(());
    }
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for &b in bytes {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Damage(format!("nested deeper than {MAX_DEPTH}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage(bytes: &[u8]) -> String {
        parse(bytes).expect_err("a damaged message").0
    }

    #[test]
    fn a_row_borrows_from_its_message() {
        let e = parse(br#"{"database":"a","table":"t\n","type":"update","ts":7,"xid":9,"commit":true,"position":"b.x.000012:34","data":{"id":1},"old":{"id":2},"new_field":[]}"#).expect("a row");
        assert_eq!((e.meta.op, e.meta.ts, e.meta.commit), (Op::Update, 7, true));
        assert_eq!(e.meta.table, "t\n");
        let p = e.meta.position.expect("a position");
        assert_eq!((p.base, p.file, p.offset), ("b.x", 12, 34));
        assert_eq!(e.body, Body::Row { data: r#"{"id":1}"#, old: Some(r#"{"id":2}"#) });
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let bytes = b"\xef\xbb\xbf{\"type\":\"heartbeat\"}";
        assert_eq!(parse(bytes).map(|event| event.meta.op), Ok(Op::Heartbeat));
    }

    #[test]
    fn ddl_times_are_milliseconds() {
        let e = parse(br#"{"type":"database-create","database":"a","ts":1795351690123,"sql":"CREATE DATABASE a"}"#).expect("ddl");
        assert_eq!((e.meta.ts, e.meta.ts_ms), (1_795_351_690, 1_795_351_690_123));
    }

    #[test]
    fn damage_is_named() {
        assert_eq!(damage(b""), "empty message");
        assert!(damage(b"hello").starts_with("not a Maxwell message"));
        assert!(damage(b"[1]").starts_with("not a Maxwell message"));
        assert!(damage(br#"{"type":"insert","database":"a"#).contains("EOF"));
        assert!(damage(b"{\"type\":\"\xff\"}").starts_with("not UTF-8"));
        assert!(damage(br#"{"type":"odd","database":"a"}"#).contains("\"odd\""));
        assert_eq!(damage(br#"{"type":"insert","database":"a","table":"t"}"#), "no data");
        assert!(damage(br#"{"database":"a"}"#).ends_with("missing field `type`"));
        for message in [
            &br#"{"database":"a","table":"t","type":"insert","ts":1,"encrypted":{"iv":"x","bytes":"y"}}"#[..],
            br#"{"encrypted":{"iv":"x","bytes":"y"}}"#,
        ] {
            let damage = parse(message).expect_err("encrypted");
            assert!(damage.is_encrypted() && damage.0.contains("encrypted"), "{damage}");
        }
        for ts in [i64::MAX, i64::MIN, -1] {
            let row =
                format!(r#"{{"type":"insert","database":"a","table":"t","ts":{ts},"data":{{}}}}"#);
            assert_eq!(damage(row.as_bytes()), format!("{ts} is no time"));
        }
        let half = br#"{"type":"insert","database":"a","table":"t","data":{"\ud800":1}}"#;
        assert!(damage(half).starts_with("data: "), "{}", damage(half));
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        let row =
            format!(r#"{{"type":"insert","database":"a","table":"t","data":{{"j":{deep}}}}}"#);
        assert_eq!(damage(row.as_bytes()), "nested deeper than 128");
    }
}
