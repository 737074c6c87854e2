//! The fields of one message, each as its type has it, before anything is made of them.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;

use super::Facts;
use super::members::{Members, NoObject, string};

/// What a message has of the fields that are read; one that is null is not there. Objects and arrays
/// stay text.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "type", borrow, deserialize_with = "text")]
    pub(super) kind: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "raw")]
    pub(super) encrypted: Option<&'a str>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) database: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) table: Option<Cow<'a, str>>,
    pub(super) ts: Option<i64>,
    pub(super) xid: Option<u64>,
    pub(super) xoffset: Option<u64>,
    pub(super) commit: Option<bool>,
    #[serde(borrow, deserialize_with = "raw")]
    pub(super) position: Option<&'a str>,
    pub(super) server_id: Option<u64>,
    pub(super) thread_id: Option<u64>,
    #[serde(borrow, deserialize_with = "raw")]
    gtid: Option<&'a str>,
    #[serde(borrow, deserialize_with = "raw")]
    commit_ts: Option<&'a str>,
    #[serde(borrow, deserialize_with = "raw")]
    query: Option<&'a str>,
    #[serde(borrow, deserialize_with = "raw")]
    pub(super) primary_key: Option<&'a str>,
    #[serde(borrow, deserialize_with = "raw")]
    pub(super) primary_key_columns: Option<&'a str>,
    #[serde(borrow, deserialize_with = "raw")]
    pub(super) data: Option<&'a str>,
    #[serde(borrow, deserialize_with = "raw")]
    pub(super) old: Option<&'a str>,
    #[serde(borrow, deserialize_with = "raw")]
    pub(super) def: Option<&'a str>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) sql: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) charset: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) producer: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub(super) reason: Option<Cow<'a, str>>,
}

fn raw<'de, D: Deserializer<'de>>(d: D) -> Result<Option<&'de str>, D::Error> {
    Ok(Option::<&RawValue>::deserialize(d)?.map(RawValue::get))
}

/// A string that borrows from the message unless it holds escapes.
fn text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    struct AsText;
    impl<'de> Visitor<'de> for AsText {
        type Value = Option<Cow<'de, str>>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string")
        }
        fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
            Ok(Some(Cow::Borrowed(v)))
        }
        fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
            Ok(Some(Cow::Owned(v.to_owned())))
        }
        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
            d.deserialize_str(self)
        }
    }
    d.deserialize_option(AsText)
}

impl<'a> Envelope<'a> {
    /// Reads text that nobody has looked at so far.
    ///
    /// # Errors
    /// Why it is none: it is not JSON, and as [`Envelope::read`].
    pub(super) fn check(text: &'a str) -> Result<Self, String> {
        if text.trim_start().starts_with('[') {
            return Err("no JSON object".to_owned());
        }
        serde_json::from_str(text).map_err(|e| e.to_string())
    }

    /// Reads text that is known to be JSON.
    ///
    /// # Errors
    /// Why it is none: it is no object, or a field is of another type or stands in it twice.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        let mut fields = Self::default();
        for member in Members::of(text) {
            let (name, value) = member.map_err(|NoObject| "no JSON object")?;
            if value != "null" {
                fields.take(&name, value).map_err(|what| format!("{what} `{name}`"))?;
            }
        }
        Ok(fields)
    }

    /// What is told beside number and place. What is of another form tells nothing: it spoils no row.
    pub(super) fn facts(&self) -> Facts<'a> {
        Facts {
            gtid: self.gtid.and_then(string),
            commit_ts: self.commit_ts.and_then(|number| number.parse().ok()),
            query: self.query.and_then(string),
        }
    }

    fn take(&mut self, name: &str, value: &'a str) -> Result<(), &'static str> {
        match name {
            "type" => put(&mut self.kind, string(value)),
            "encrypted" => put(&mut self.encrypted, Some(value)),
            "database" => put(&mut self.database, string(value)),
            "table" => put(&mut self.table, string(value)),
            "ts" => put(&mut self.ts, value.parse().ok()),
            "xid" => put(&mut self.xid, value.parse().ok()),
            "xoffset" => put(&mut self.xoffset, value.parse().ok()),
            "commit" => put(&mut self.commit, value.parse().ok()),
            "position" => put(&mut self.position, Some(value)),
            "server_id" => put(&mut self.server_id, value.parse().ok()),
            "thread_id" => put(&mut self.thread_id, value.parse().ok()),
            "gtid" => put(&mut self.gtid, Some(value)),
            "commit_ts" => put(&mut self.commit_ts, Some(value)),
            "query" => put(&mut self.query, Some(value)),
            "primary_key" => put(&mut self.primary_key, Some(value)),
            "primary_key_columns" => put(&mut self.primary_key_columns, Some(value)),
            "data" => put(&mut self.data, Some(value)),
            "old" => put(&mut self.old, Some(value)),
            "def" => put(&mut self.def, Some(value)),
            "sql" => put(&mut self.sql, string(value)),
            "charset" => put(&mut self.charset, string(value)),
            "producer" => put(&mut self.producer, string(value)),
            "reason" => put(&mut self.reason, string(value)),
            _ => Ok(()),
        }
    }
}

fn put<T>(field: &mut Option<T>, value: Option<T>) -> Result<(), &'static str> {
    if value.is_none() {
        return Err("invalid value in field");
    }
    match std::mem::replace(field, value) {
        None => Ok(()),
        Some(_) => Err("duplicate field"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What either reading finds.
    fn damage(text: &str) -> [String; 2] {
        [Envelope::check(text), Envelope::read(text)].map(|read| read.err().unwrap_or_default())
    }

    #[test]
    fn a_field_is_of_its_type_and_there_once() {
        for field in [
            r#""type":1"#,
            r#""type":{}"#,
            r#""database":"\ud800""#,
            r#""ts":"1""#,
            r#""ts":1.0"#,
            r#""ts":9223372036854775808"#,
            r#""xid":-1"#,
            r#""xid":1e3"#,
            r#""commit":1"#,
            r#""commit":"true""#,
            r#""reason":[]"#,
        ] {
            let name = field.split('"').nth(1).unwrap_or_default();
            let [checked, read] = damage(&format!("{{{field}}}"));
            assert!(!checked.is_empty(), "{field}");
            assert_eq!(read, format!("invalid value in field `{name}`"));
        }
        let twice = damage(r#"{"ts":1,"xid":2,"\u0074s":3}"#);
        assert!(twice.iter().all(|e| e.starts_with("duplicate field `ts`")), "{twice:?}");
        assert_eq!(damage("[]"), ["no JSON object"; 2]);
        assert!(damage(r#"{"ts":1} x"#)[0].contains("trailing characters"));
    }

    #[test]
    fn null_is_not_there_and_other_fields_are_passed_over() {
        let text = r#"{"ts":null,"table":null,"new":{"ts":2},"commit":true,"xid":3,"data":[1],"old":null}"#;
        for read in [Envelope::check(text), Envelope::read(text)] {
            let read = read.ok().map(|e| (e.ts, e.table, e.commit, e.xid, e.data, e.old));
            assert_eq!(read, Some((None, None, Some(true), Some(3), Some("[1]"), None)));
        }
    }
}
