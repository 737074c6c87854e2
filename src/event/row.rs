//! Row images: a JSON object as names and values, both still slices of the message.

use std::borrow::Cow;

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use super::Nulls;
use super::members::{self, Members};
use crate::error::{Error, Result};

/// One value as the producer wrote it: a JSON token.
///
/// Two values of one producer are the same exactly when their tokens are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value<'a>(pub &'a str);

impl<'a> Value<'a> {
    /// JSON null: SQL NULL (a JSON column's `null` looks the same).
    pub const NULL: Value<'static> = Value("null");

    /// True when both are the same; at once where one is the other, as in the images of an update
    /// where most columns stay.
    pub fn same(self, other: Value<'_>) -> bool {
        std::ptr::eq(self.0, other.0) || self.0 == other.0
    }

    /// True for null.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// True for a JSON string.
    pub fn is_string(self) -> bool {
        self.0.starts_with('"')
    }

    /// The decoded text of a JSON string; `None` for anything else.
    pub fn string(self) -> Option<Cow<'a, str>> {
        members::string(self.0)
    }

    /// The text of a JSON column's value. Its `null`, and an object that has the key `$json` alone, come
    /// from the binlog as the value of such an object.
    pub fn json(self) -> &'a str {
        let inner = self.0.strip_prefix("{\"$json\":").and_then(|rest| rest.strip_suffix('}'));
        match inner {
            Some(inner) if inner == "null" || inner.starts_with("{\"$json\":") => inner,
            _ => self.0,
        }
    }

    /// The strings of a JSON array of strings; `None` for anything else.
    pub fn strings(self) -> Option<Vec<String>> {
        self.0.starts_with('[').then(|| serde_json::from_str(self.0).ok()).flatten()
    }
}

/// As the producer wrote it: a number may have more digits than a float.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let token: &RawValue = serde_json::from_str(self.0).map_err(S::Error::custom)?;
        token.serialize(to)
    }
}

/// The columns of one image, in the producer's order.
#[derive(Clone, Debug, Default)]
pub struct Columns<'a>(pub Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Columns<'a> {
    /// Splits the text of a JSON object (see [`super::Body::Row`]).
    ///
    /// # Errors
    /// As [`columns`].
    pub fn parse(object: &'a str) -> Result<Self> {
        let mut all = Vec::with_capacity(16);
        for column in columns(object) {
            all.push(column?);
        }
        Ok(Self(all))
    }
}

/// The names and values of an image one by one.
///
/// # Errors
/// When the text is no JSON object; messages in the spool were checked when they were read.
pub fn columns<'a>(object: &'a str) -> impl Iterator<Item = Result<(Cow<'a, str>, Value<'a>)>> {
    let no_object = |_| Error::failed("row image: no JSON object");
    let column = |(name, value)| (name, Value(value));
    Members::of(object).map(move |member| member.map(column).map_err(no_object))
}

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'a> Value<'a> {
    /// The value with the blanks around it, as it stands in the object that it was read from:
    /// MariaDB's JSON is text, which the producer sends as it is.
    pub fn spaced(self, object: &'a str) -> Self {
        let start = (self.0.as_ptr() as usize).wrapping_sub(object.as_ptr() as usize);
        let Some((before, rest)) = object.split_at_checked(start) else { return self };
        let Some(behind) = rest.get(self.0.len()..) else { return self };
        let start = before.trim_end_matches(BLANKS).len();
        let blanks = behind.len() - behind.trim_start_matches(BLANKS).len();
        Value(&object[start..object.len() - behind.len() + blanks])
    }
}

/// True for an object that was set with blanks throughout, so that they belong to no value: the
/// producer sets none.
pub fn is_set_wide(object: &str) -> bool {
    let Ok(Columns(columns)) = Columns::parse(object) else { return true };
    let before = |v: &Value<'_>| v.spaced(object).0.starts_with(BLANKS);
    object[1..].starts_with(BLANKS) || (columns.len() > 1 && columns.iter().all(|(_, v)| before(v)))
}

/// White space of JSON.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// What a row event's images look like, whatever their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// How many columns the row has in it.
    pub width: usize,
    /// What it tells of the producer: that NULL is shown, or left out; mostly neither.
    pub nulls: Nulls,
}

/// Looks at the texts of a row's images. A former value of a column that the row does not have any
/// more, and `old` without a column, come only where NULLs are left out.
pub fn look(data: &str, old: Option<&str>) -> Look {
    let (mut width, mut null) = (0, false);
    // Both name the columns in the table's order.
    let former = old.and_then(|old| Columns::parse(old).ok()).unwrap_or_default().0;
    null |= former.iter().any(|(_, value)| value.is_null());
    let mut met = 0;
    for (name, value) in columns(data).flatten() {
        width += 1;
        null |= value.is_null();
        met += usize::from(former.get(met).is_some_and(|(former, _)| *former == name));
    }
    let has = |(name, _): &(Cow<'_, str>, Value<'_>)| {
        columns(data).flatten().any(|(own, _)| own == *name)
    };
    let left_out = old.is_some() && (former.is_empty() || !former[met..].iter().all(has));
    let nulls = match (null, left_out) {
        (true, _) => Nulls::Shown,
        (false, true) => Nulls::LeftOut,
        (false, false) => Nulls::Unknown,
    };
    Look { width, nulls }
}

/// The value of a column in a JSON object, and how many columns that has.
pub fn find<'a>(object: &'a str, column: &str) -> (Option<Value<'a>>, usize) {
    let (mut found, mut width) = (None, 0);
    for (name, value) in columns(object).flatten() {
        width += 1;
        if name.eq_ignore_ascii_case(column) {
            found = Some(value);
        }
    }
    (found, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_looked_at() {
        let seen = |data, old| {
            let Look { width, nulls } = look(data, old);
            (width, nulls)
        };
        assert_eq!(seen(r#"{"a":1,"b":{"c":[1,null]},"e\"":"x,y"}"#, None), (3, Nulls::Unknown));
        assert_eq!(seen("{}", None), (0, Nulls::Unknown));
        assert_eq!(seen(r#"{"a":1,"b":null}"#, None), (2, Nulls::Shown));
        assert_eq!(seen(r#"{"a":1,"b":2}"#, Some(r#"{"b":null}"#)), (2, Nulls::Shown));
        assert_eq!(seen(r#"{"a":1,"b":2}"#, Some(r#"{"b":1}"#)), (2, Nulls::Unknown));
        // The columns that only the former image has come last.
        assert_eq!(seen(r#"{"b":2,"a":1}"#, Some(r#"{"a":0,"b":1}"#)), (2, Nulls::Unknown));
        assert_eq!(seen(r#"{"a":1,"b":2}"#, Some("{}")), (2, Nulls::LeftOut));
        assert_eq!(seen(r#"{"a":1}"#, Some(r#"{"b":1}"#)), (1, Nulls::LeftOut));
    }

    #[test]
    fn a_column_is_found_by_its_name_in_any_case() {
        let object = r#"{"id":1,"Corp":{"corp":2},"x":null}"#;
        assert_eq!(find(object, "corp"), (Some(Value(r#"{"corp":2}"#)), 3));
        assert_eq!(find(object, "y"), (None, 3));
    }

    #[test]
    fn blanks_around_json_text_are_its_own() {
        let object = "{\"id\":1,\"j\": {\"a\":1}\n,\"k\":[ ],\"l\": null }";
        let columns = Columns::parse(object).expect("an object").0;
        let spaced: Vec<&str> = columns.iter().map(|(_, v)| v.spaced(object).0).collect();
        assert_eq!(spaced, ["1", " {\"a\":1}\n", "[ ]", " null "]);
        assert!(!is_set_wide(object) && !is_set_wide("{\"j\": 1}"));
        assert!(is_set_wide("{\"id\": 1, \"j\": {\"a\": 1}}"));
        assert!(is_set_wide("{\n  \"j\":1 }"));
    }

    #[test]
    fn values_keep_their_text() {
        let c = Columns::parse(
            r#"{"a":1.10,"b\"":"x\u0000y","c":[ "p" , "q"],"d":{"k": [1,  2]},"e":null}"#,
        )
        .expect("an object");
        assert_eq!(c.0[0], ("a".into(), Value("1.10")));
        assert_eq!(c.0[1].0, "b\"");
        assert_eq!(c.0[1].1.string().as_deref(), Some("x\0y"));
        assert_eq!(c.0[2].1.strings(), Some(vec!["p".to_owned(), "q".to_owned()]));
        assert_eq!(c.0[3].1, Value(r#"{"k": [1,  2]}"#));
        assert!(c.0[4].1.is_null());
    }
}
