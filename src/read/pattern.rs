//! What is searched for: told apart quickly in raw messages, and exactly in a row's values.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use memchr::memmem::{self, Finder};

use crate::event::row::Value;
use crate::event::typed;

/// A text, or bytes, to be found in values.
pub struct Pattern {
    wanted: Wanted,
    /// One of these stands in every message that holds the pattern; empty: nothing tells.
    needles: Vec<Finder<'static>>,
    lower: bool,
}

enum Wanted {
    Text(String),
    /// The same in lower case.
    Folded(Vec<char>),
    Bytes(Vec<u8>),
}

/// Where a pattern was found in a value: the value as shown, and the places.
pub struct Match<'v> {
    /// The value's text, or its bytes as text.
    pub text: Cow<'v, str>,
    /// The places, rising.
    pub places: Vec<Range<usize>>,
}

impl Pattern {
    /// A text, as it stands or in any case of letters.
    pub fn text(text: &str, ignore_case: bool) -> Self {
        let lower = text.to_lowercase();
        let raw = text_needles(if ignore_case { &lower } else { text }, ignore_case);
        let wanted = match ignore_case {
            true => Wanted::Folded(lower.chars().collect()),
            false => Wanted::Text(text.to_owned()),
        };
        Self { wanted, needles: finders(raw), lower: ignore_case }
    }

    /// Bytes inside binary values: those of a text, or `0x…`.
    pub fn bytes(typed: &str) -> Self {
        let bytes = typed::bytes(typed).unwrap_or_else(|| typed.as_bytes().to_vec());
        let needles = finders(base64_needles(&bytes));
        Self { wanted: Wanted::Bytes(bytes), needles, lower: false }
    }

    /// Messages in raw content that may hold the pattern, by the place of a find: rising, each
    /// message at least once. `next` is told a place and says where the message behind it begins.
    /// `scratch` is room that may be used again for the next content.
    pub fn candidates(
        &self,
        content: &[u8],
        scratch: &mut Vec<u8>,
        mut next: impl FnMut(usize) -> usize,
    ) {
        let content = match self.lower {
            true => {
                scratch.clear();
                scratch.extend_from_slice(content);
                scratch.make_ascii_lowercase();
                scratch.as_slice()
            }
            false => content,
        };
        let mut at = 0;
        let mut ahead: Vec<Option<usize>> = vec![Some(0); self.needles.len()];
        while at < content.len() {
            let found = match self.needles.is_empty() {
                true => Some(at),
                false => {
                    for (needle, place) in self.needles.iter().zip(&mut ahead) {
                        if place.is_some_and(|place| place <= at) {
                            *place = needle.find(&content[at..]).map(|n| at + n);
                        }
                    }
                    ahead.iter().flatten().min().copied()
                }
            };
            let Some(found) = found else { return };
            at = next(found);
            // A place that was found before counts again only if it lies ahead.
            ahead.iter_mut().for_each(|place| {
                if place.is_some_and(|place| place < at) {
                    *place = Some(at);
                }
            });
        }
    }

    /// Finds the pattern in a value.
    pub fn find<'v>(&self, value: Value<'v>) -> Option<Match<'v>> {
        if let Wanted::Bytes(bytes) = &self.wanted {
            let stored = STANDARD.decode(value.string()?.as_bytes()).ok()?;
            let at = memmem::find(&stored, bytes)?;
            return Some(shown(&stored, at..at + bytes.len()));
        }
        match value.string() {
            Some(text) => self.find_in(text),
            None => self.find_in(Cow::Borrowed(value.0)).or_else(|| {
                let inner = memchr::memchr(b'\\', value.0.as_bytes()).is_some();
                let inner = inner.then(|| serde_json::from_str::<serde_json::Value>(value.0).ok());
                strings(&inner??).into_iter().find_map(|text| self.find_in(Cow::Owned(text)))
            }),
        }
    }

    /// Finds the pattern in a text.
    pub fn find_in<'v>(&self, text: Cow<'v, str>) -> Option<Match<'v>> {
        let places: Vec<Range<usize>> = match &self.wanted {
            Wanted::Text(wanted) => {
                let found = memmem::find_iter(text.as_bytes(), wanted.as_bytes());
                found.map(|at| at..at + wanted.len()).collect()
            }
            Wanted::Folded(wanted) => find_folded(&text, wanted),
            Wanted::Bytes(_) => Vec::new(),
        };
        (!places.is_empty()).then_some(Match { text, places })
    }
}

fn finders(needles: Vec<Vec<u8>>) -> Vec<Finder<'static>> {
    needles.iter().map(|needle| Finder::new(needle).into_owned()).collect()
}

/// What JSON may hold of a text. No writer of JSON escapes letters, digits and most signs, so the
/// longest stretch of them stands in the message as it is; anything else may be written with a
/// backslash.
fn text_needles(text: &str, ignore_case: bool) -> Vec<Vec<u8>> {
    let plain = |c: char| (' '..='~').contains(&c) && !"\"\\/<>&'=".contains(c);
    let longest = text.split(|c| !plain(c)).max_by_key(|part| part.len()).unwrap_or_default();
    if !longest.is_empty() {
        return vec![longest.as_bytes().to_vec()];
    }
    let Some(first) = text.chars().next() else { return Vec::new() };
    let mut needles = vec![b"\\".to_vec(), first.to_string().into_bytes()];
    if ignore_case {
        needles.push(first.to_uppercase().collect::<String>().into_bytes());
    }
    needles
}

/// What base64 holds of bytes: one text for each place they may have in its groups of three.
/// Empty when one of the three has nothing of its own.
fn base64_needles(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut needles = Vec::new();
    for before in 0..3 {
        let padded = [&[0; 2][..before], bytes].concat();
        let text = STANDARD_NO_PAD.encode(&padded);
        // Characters that hold bits of what stands before or behind.
        let from = (before * 8).div_ceil(6);
        let to = padded.len() * 8 / 6;
        let Some(own) = text.get(from..to).filter(|own| !own.is_empty()) else {
            return Vec::new();
        };
        needles.push(own.as_bytes().to_vec());
        if own.contains('/') {
            needles.push(own.replace('/', "\\/").into_bytes());
        }
    }
    needles
}

/// Places at which a text, letter by letter in lower case, goes on as wanted.
fn find_folded(text: &str, wanted: &[char]) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.char_indices() {
        if places.last().is_some_and(|last| at < last.end) {
            continue;
        }
        let mut left = wanted.iter();
        let mut end = at;
        for c in text[at..].chars() {
            if left.as_slice().is_empty() || !c.to_lowercase().all(|c| left.next() == Some(&c)) {
                break;
            }
            end += c.len_utf8();
            if left.as_slice().is_empty() {
                places.push(at..end);
            }
        }
    }
    places
}

/// Bytes as text, with the place of a stretch of them.
fn shown(bytes: &[u8], found: Range<usize>) -> Match<'static> {
    let mut text = String::from_utf8_lossy(&bytes[..found.start]).into_owned();
    let start = text.len();
    text.push_str(&String::from_utf8_lossy(&bytes[found.clone()]));
    let end = text.len();
    text.push_str(&String::from_utf8_lossy(&bytes[found.end..]));
    Match { text: Cow::Owned(text), places: std::iter::once(start..end).collect() }
}

/// All strings inside a JSON value, names included.
fn strings(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(list) => list.iter().flat_map(strings).collect(),
        serde_json::Value::Object(members) => {
            members.iter().flat_map(|(name, v)| [vec![name.clone()], strings(v)].concat()).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(pattern: &Pattern, value: &str) -> bool {
        let message = format!(r#"{{"data":{{"x":{value}}}}}"#);
        let mut candidate = false;
        pattern.candidates(message.as_bytes(), &mut Vec::new(), |_| {
            candidate = true;
            usize::MAX
        });
        let found = pattern.find(Value(value)).is_some();
        assert!(candidate || !found, "the raw message was passed over: {value}");
        found
    }

    #[test]
    fn text_is_found_however_json_writes_it() {
        for (text, value) in [
            ("shipped", r#""was shipped""#),
            ("a\"b", r#""a\"b""#),
            ("\"", r#""a\"b""#),
            ("two\nlines", r#""two\nlines""#),
            ("é", r#""caf\u00e9""#),
            ("café", r#""café""#),
            ("a/b", r#""a\/b""#),
            ("\u{0}", r#""nul\u0000inside""#),
            ("4.5", "14.50"),
            ("x\\y", r#"{"deep":["x\\y"]}"#),
        ] {
            assert!(finds(&Pattern::text(text, false), value), "{text:?} in {value}");
        }
        assert!(!finds(&Pattern::text("Shipped", false), r#""shipped""#));
        assert!(!finds(&Pattern::text("u00e9", false), r#""caf\u00e9""#));
        assert!(finds(&Pattern::text("SHIPPED é", true), r#""x Shipped É""#));
        assert!(finds(&Pattern::text("É", true), r#""caf\u00e9""#));
    }

    #[test]
    fn bytes_are_found_at_every_place_in_base64() {
        for before in 0..7 {
            for needle in [&b"\xde\xad\xbe\xef"[..], b"k", b"??>"] {
                let stored = [vec![0x55; before], needle.to_vec(), vec![0xaa; 4]].concat();
                let typed: String = needle.iter().map(|b| format!("{b:02x}")).collect();
                let value = format!("\"{}\"", STANDARD.encode(&stored));
                assert!(finds(&Pattern::bytes(&format!("0x{typed}")), &value), "{typed} {before}");
            }
        }
        assert!(!finds(&Pattern::bytes("0xdeadbeef"), r#""3q2+""#));
    }

    #[test]
    fn every_message_with_a_find_is_a_candidate_once() {
        let content = b"a needle\nnothing\nneedle needle\n\nneedle";
        let mut lines = Vec::new();
        Pattern::text("needle", false).candidates(content, &mut Vec::new(), |at| {
            lines.push(content[..at].iter().filter(|b| **b == b'\n').count());
            memchr::memchr(b'\n', &content[at..]).map_or(content.len(), |n| at + n + 1)
        });
        assert_eq!(lines, [0, 2, 4]);
    }
}
