//! Changes inside of a JSON value (`binlog_row_value_options=PARTIAL_JSON`), applied to the text of the value
//! before: the result is what the server stores.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::bytes::{Bytes, Read};
use super::{json, jsonb};
use crate::event::row::{Columns, Value};

/// MySQL's own limit.
const MAX_DEPTH: usize = 100;

/// A change of one part.
struct Diff {
    how: How,
    path: Vec<Leg>,
    /// The new part; empty where one is taken out.
    value: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Replace,
    Insert,
    Remove,
}

/// A step from a value to one of its parts.
enum Leg {
    Key(String),
    Place(usize),
}

/// Writes what the value of a column becomes. `before` is its token, `bytes` are the changes.
pub(super) fn write(out: &mut String, before: &str, bytes: &[u8]) -> Read<()> {
    let diffs = read(bytes)?;
    let before = Value(before).json();
    let mut root = Node::Text(before);
    for diff in &diffs {
        root.apply(diff)?;
    }
    let mut text = String::with_capacity(before.len());
    root.write(&mut text);
    json::column(out, &text);
    Ok(())
}

fn read(bytes: &[u8]) -> Read<Vec<Diff>> {
    let (mut bytes, mut diffs) = (Bytes::new(bytes), Vec::new());
    while !bytes.is_empty() {
        let how = match bytes.byte()? {
            0 => How::Replace,
            1 => How::Insert,
            2 => How::Remove,
            _ => return Err("a change of a JSON value is of a kind that is not known".into()),
        };
        let path = std::str::from_utf8(bytes.packed_bytes()?);
        let path = path.ok().and_then(path_of).ok_or("the path of a JSON change is none")?;
        let value = match how {
            How::Remove => String::new(),
            _ => jsonb::text(bytes.packed_bytes()?)?,
        };
        diffs.push(Diff { how, path, value });
    }
    Ok(diffs)
}

/// Reads `$.key."quoted key"[3]`.
fn path_of(text: &str) -> Option<Vec<Leg>> {
    let (mut rest, mut legs) = (text.strip_prefix('$')?, Vec::new());
    while !rest.is_empty() {
        if legs.len() == MAX_DEPTH {
            return None;
        }
        if let Some(inside) = rest.strip_prefix('[') {
            let (number, behind) = inside.split_once(']')?;
            legs.push(Leg::Place(number.parse().ok()?));
            rest = behind;
            continue;
        }
        let key = rest.strip_prefix('.')?;
        let end = match key.strip_prefix('"') {
            Some(inside) => closing(inside)? + 2,
            None => key.find(['.', '[']).unwrap_or(key.len()),
        };
        let (key, behind) = key.split_at(end);
        let key =
            if key.starts_with('"') { serde_json::from_str(key).ok()? } else { key.to_owned() };
        legs.push(Leg::Key(key));
        rest = behind;
    }
    Some(legs)
}

/// Where a quoted text ends.
fn closing(inside: &str) -> Option<usize> {
    let mut escaped = false;
    let ends = |(_, b): &(usize, u8)| match b {
        _ if std::mem::take(&mut escaped) => false,
        b'\\' => {
            escaped = true;
            false
        }
        b => *b == b'"',
    };
    inside.bytes().enumerate().find(ends).map(|(at, _)| at)
}

/// A value, looked into as far as a path leads through it.
enum Node<'a> {
    Text(&'a str),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    Array(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    fn apply(&mut self, diff: &'a Diff) -> Read<()> {
        let value = Node::Text(&diff.value);
        let Some((last, way)) = diff.path.split_last() else {
            if diff.how != How::Replace {
                return Err("a JSON value as a whole is neither put in nor taken out".into());
            }
            *self = value;
            return Ok(());
        };
        let mut node = self;
        for leg in way {
            node = node.child(leg)?;
        }
        node.open()?;
        match (node, last) {
            (Node::Object(parts), Leg::Key(key)) => {
                let found = parts.binary_search_by(|(own, _)| order(own).cmp(&order(key)));
                match (diff.how, found) {
                    (How::Replace, Ok(at)) => parts[at].1 = value,
                    (How::Remove, Ok(at)) => drop(parts.remove(at)),
                    (How::Insert, Err(at)) => parts.insert(at, (key.as_str().into(), value)),
                    _ => return Err(MISSING.into()),
                }
            }
            (Node::Array(parts), Leg::Place(at)) => match diff.how {
                How::Replace if *at < parts.len() => parts[*at] = value,
                How::Remove if *at < parts.len() => drop(parts.remove(*at)),
                How::Insert => parts.insert((*at).min(parts.len()), value),
                _ => return Err(MISSING.into()),
            },
            _ => return Err(MISSING.into()),
        }
        Ok(())
    }

    fn child(&mut self, leg: &Leg) -> Read<&mut Self> {
        self.open()?;
        let found = match (self, leg) {
            (Node::Object(parts), Leg::Key(key)) => {
                let at = parts.binary_search_by(|(own, _)| order(own).cmp(&order(key)));
                at.ok().map(|at| &mut parts[at].1)
            }
            (Node::Array(parts), Leg::Place(at)) => parts.get_mut(*at),
            _ => None,
        };
        found.ok_or_else(|| MISSING.into())
    }

    /// Takes a text apart.
    fn open(&mut self) -> Read<()> {
        let Node::Text(text) = *self else { return Ok(()) };
        if text.starts_with('{') {
            let parts = Columns::parse(text).map_err(|_| "a JSON value is none")?.0;
            let parts = parts.into_iter().map(|(key, value)| (key, Node::Text(value.0)));
            *self = Node::Object(parts.collect());
        } else if text.starts_with('[') {
            let parts: Vec<&'a RawValue> =
                serde_json::from_str(text).map_err(|_| "a JSON value is none")?;
            *self = Node::Array(parts.into_iter().map(|part| Node::Text(part.get())).collect());
        }
        Ok(())
    }

    fn write(&self, out: &mut String) {
        match self {
            Node::Text(text) => out.push_str(text),
            Node::Object(parts) => {
                out.push('{');
                for (n, (key, value)) in parts.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    json::string(out, key);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Node::Array(parts) => {
                out.push('[');
                for (n, value) in parts.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    value.write(out);
                }
                out.push(']');
            }
        }
    }
}

const MISSING: &str = "a part of a JSON value that is to be changed is not there";

/// MySQL keeps keys by their length, and then by their bytes.
fn order(key: &str) -> (usize, &[u8]) {
    (key.len(), key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change whose value is a string of one letter, as MySQL packs it.
    fn diff(how: u8, path: &str, letter: Option<u8>) -> Vec<u8> {
        let mut bytes = vec![how, path.len() as u8];
        bytes.extend(path.as_bytes());
        bytes.extend(letter.into_iter().flat_map(|letter| [3, 12, 1, letter]));
        bytes
    }

    fn applied(before: &str, diffs: &[Vec<u8>]) -> Read<String> {
        let mut out = String::new();
        write(&mut out, before, &diffs.concat())?;
        Ok(out)
    }

    #[test]
    fn parts_are_replaced_put_in_and_taken_out() {
        let before = r#"{"a":[1,{"b":2.50}],"bb":{},"x y\"]":0}"#;
        for (how, path, letter, after) in [
            (0, "$.a[1].b", Some(b'z'), r#"{"a":[1,{"b":"z"}],"bb":{},"x y\"]":0}"#),
            (1, "$.a[9]", Some(b'z'), r#"{"a":[1,{"b":2.50},"z"],"bb":{},"x y\"]":0}"#),
            (1, "$.a[0]", Some(b'z'), r#"{"a":["z",1,{"b":2.50}],"bb":{},"x y\"]":0}"#),
            (1, "$.b", Some(b'z'), r#"{"a":[1,{"b":2.50}],"b":"z","bb":{},"x y\"]":0}"#),
            (2, r#"$."x y\"]""#, None, r#"{"a":[1,{"b":2.50}],"bb":{}}"#),
            (2, "$.a[0]", None, r#"{"a":[{"b":2.50}],"bb":{},"x y\"]":0}"#),
            (0, "$", Some(b'z'), r#""z""#),
        ] {
            assert_eq!(applied(before, &[diff(how, path, letter)]).as_deref(), Ok(after), "{path}");
        }
        assert_eq!(applied(before, &[]).as_deref(), Ok(before));
        let two = [diff(1, "$.c", Some(b'y')), diff(0, "$.c", Some(b'z'))];
        assert_eq!(applied("{}", &two).as_deref(), Ok(r#"{"c":"z"}"#));
        assert_eq!(
            applied(r#"{"$json":{"$json":1}}"#, &[diff(2, "$.$json", None)]).as_deref(),
            Ok("{}")
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (how, path) in [
            (0, "$.c"),
            (1, "$.a"),
            (2, "$.a[2]"),
            (0, "$.a.b"),
            (0, "$[0]"),
            (1, "$"),
            (0, "a"),
            (0, "$.a["),
            (0, "$.\"a"),
            (0, "$x"),
            (3, "$.a"),
        ] {
            let made = diff(how, path, (how != 2).then_some(b'z'));
            assert!(
                applied(r#"{"a":[1,2]}"#, std::slice::from_ref(&made)).is_err(),
                "{how} {path}"
            );
            for end in 1..made.len() {
                assert!(applied(r#"{"a":[1,2]}"#, &[made[..end].to_vec()]).is_err());
            }
        }
        let deep = format!("${}", "[0]".repeat(80));
        assert!(applied("[]", &[diff(0, &deep, Some(b'z'))]).is_err());
    }
}
