//! The members of a JSON object, found in its text by where they begin and end.
//!
//! For text that was read as JSON before: a message is, once, when it comes ([`super::maxwell::parse`]).
//! Nothing in between is looked at again. Of other text this tells something or nothing, and does no
//! harm.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Goes through the names of an object, and their values as they stand.
pub(super) struct Members<'a> {
    text: &'a str,
    at: usize,
    /// What comes before the next name.
    sign: u8,
}

/// The text is no object.
#[derive(Debug)]
pub(super) struct NoObject;

impl<'a> Members<'a> {
    pub(super) fn of(object: &'a str) -> Self {
        Self { text: object, at: blanks(object.as_bytes(), 0), sign: b'{' }
    }

    /// The member that begins where it stands; behind it comes a comma or the end.
    fn member(&mut self) -> Option<(Cow<'a, str>, &'a str)> {
        let bytes = self.text.as_bytes();
        let (name_end, escaped) = string_end(bytes, self.at)?;
        let name = match escaped {
            false => Cow::Borrowed(self.text.get(self.at + 1..name_end - 1)?),
            true => string(self.text.get(self.at..name_end)?)?,
        };
        let colon = blanks(bytes, name_end);
        let value = (bytes.get(colon) == Some(&b':')).then(|| blanks(bytes, colon + 1))?;
        let value_end = value_end(bytes, value)?;
        self.at = blanks(bytes, value_end);
        Some((name, self.text.get(value..value_end)?))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<(Cow<'a, str>, &'a str), NoObject>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let sign = std::mem::replace(&mut self.sign, b',');
        let member = match bytes.get(self.at) {
            Some(b'}') if sign == b',' => return None,
            Some(found) if *found == sign => {
                self.at = blanks(bytes, self.at + 1);
                if sign == b'{' && bytes.get(self.at) == Some(&b'}') {
                    return None;
                }
                self.member()
            }
            _ => None,
        };
        if member.is_none() {
            // The end of an object: nothing more is found.
            (self.text, self.at) = ("}", 0);
        }
        Some(member.ok_or(NoObject))
    }
}

/// The text of a JSON string, borrowed unless it holds escapes; `None` for anything else.
pub(super) fn string(token: &str) -> Option<Cow<'_, str>> {
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(token).ok().map(Cow::Owned)
}

/// The first place from `at` on that is not white space.
fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Behind the string that begins at `at`, and whether it has escapes.
fn string_end(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let mut at = (bytes.get(at) == Some(&b'"')).then_some(at + 1)?;
    let mut escaped = false;
    loop {
        at += special(bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some((at + 1, escaped));
        }
        escaped = true;
        at += 2;
    }
}

/// Where the first quote or backslash is. Names and most texts end within a few bytes, which are looked
/// at eight at a time; in longer ones a search that takes a while to begin is faster.
fn special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    // The lowest byte that is zero has its high bit set, and none below.
    let zero = |n: u64| n.wrapping_sub(ONES) & !n & (ONES << 7);
    let (parts, _) = bytes.as_chunks::<8>();
    for (number, part) in parts.iter().take(2).enumerate() {
        let part = u64::from_le_bytes(*part);
        let found = zero(part ^ (ONES * u64::from(b'"'))) | zero(part ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let looked = parts.len().min(2) * 8;
    memchr2(b'"', b'\\', &bytes[looked..]).map(|at| looked + at)
}

/// Behind the value that begins at `at`.
fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
    match bytes.get(at)? {
        b'"' => string_end(bytes, at).map(|(end, _)| end),
        b'{' | b'[' => nested_end(bytes, at),
        _ => bytes[at..].iter().position(ends).filter(|len| *len > 0).map(|len| at + len),
    }
}

/// Behind the object or array that begins at `at`.
fn nested_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        at = match bytes.get(at)? {
            b'"' => string_end(bytes, at)?.0,
            b'{' | b'[' => {
                depth += 1;
                at + 1
            }
            b'}' | b']' if depth == 1 => return Some(at + 1),
            b'}' | b']' => {
                depth -= 1;
                at + 1
            }
            _ => at + 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn members(object: &str) -> Option<Vec<(String, &str)>> {
        let own = Members::of(object).map(Result::ok).collect::<Option<Vec<_>>>()?;
        Some(own.into_iter().map(|(name, value)| (name.into_owned(), value)).collect())
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for text in [
            "",
            " ",
            "{",
            "[1]",
            "1",
            "\"a\"",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":\"b}",
            "{\"a\":{}",
            "{\"a\":[\"]\"",
            "{\"a\\",
            "{\"\\ud800\":1}",
            "{\"a\":1 2}",
            "{,\"a\":1}",
            "{\"a\":1,}",
        ] {
            assert_eq!(members(text), None, "{text}");
            let found = Members::of(text);
            assert!(found.take(10).count() < 10, "{text}: it ends");
        }
        assert_eq!(members(" { } "), Some(Vec::new()));
    }

    /// JSON with every kind of value, and white space wherever it may stand.
    fn json() -> impl Strategy<Value = String> {
        let blank = "[ \t\n\r]{0,2}";
        let text = r#""([a-c:,{}\[\] é日]|\\["\\/bnt]|\\u00e[0-9]|\\ud83d\\ude00){0,6}""#;
        let plain = prop_oneof![
            text,
            "null|true|false",
            "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,4})?([eE][+-]?[0-9])?",
        ];
        let nested = plain.prop_recursive(3, 24, 4, move |inner| {
            let value = (blank, inner, blank).prop_map(|(a, v, b)| a + &v + &b);
            let list = prop::collection::vec(value.clone(), 0..4)
                .prop_map(|all| format!("[{}]", all.join(",")));
            let object = prop::collection::vec((blank, text, blank, value), 0..4).prop_map(|all| {
                let member = |(a, name, b, value)| format!("{a}{name}{b}:{value}");
                format!("{{{}}}", all.into_iter().map(member).collect::<Vec<_>>().join(","))
            });
            prop_oneof![list, object]
        });
        (blank, nested, blank).prop_map(|(a, v, b)| a + &v + &b)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn an_object_has_the_members_that_serde_finds(text in json()) {
            let told = serde_json::from_str::<BTreeMap<String, &RawValue>>(&text).ok();
            let told = told.map(|all| {
                all.into_iter().map(|(name, value)| (name, value.get())).collect::<BTreeMap<_, _>>()
            });
            let own = members(&text).map(|all| all.into_iter().collect::<BTreeMap<_, _>>());
            prop_assert_eq!(own, told);
        }

        #[test]
        fn no_text_does_harm(text in r#"[{}\[\]",:\\u ad8é1-]{0,24}"#) {
            Members::of(&text).count();
        }
    }
}
