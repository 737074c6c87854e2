//! The fields of one message, each as its type has it, before anything is made of them.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::members::{Members, NoObject, string};

/// What a message has of the fields that are read; one that is null is not there. Objects and arrays
/// stay text.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub(super) kind: Option<Cow<'a, str>>,
    pub(super) encrypted: Option<&'a str>,
    pub(super) database: Option<Cow<'a, str>>,
    pub(super) table: Option<Cow<'a, str>>,
    pub(super) ts: Option<i64>,
    pub(super) xid: Option<u64>,
    pub(super) xoffset: Option<u64>,
    pub(super) commit: Option<bool>,
    pub(super) position: Option<&'a str>,
    pub(super) server_id: Option<u64>,
    pub(super) thread_id: Option<u64>,
    pub(super) primary_key: Option<&'a str>,
    pub(super) primary_key_columns: Option<&'a str>,
    pub(super) data: Option<&'a str>,
    pub(super) old: Option<&'a str>,
    pub(super) def: Option<&'a str>,
    pub(super) sql: Option<Cow<'a, str>>,
    pub(super) charset: Option<Cow<'a, str>>,
    pub(super) producer: Option<Cow<'a, str>>,
    pub(super) reason: Option<Cow<'a, str>>,
}

impl<'a> Envelope<'a> {
    /// Reads text that nobody has looked at so far.
    ///
    /// # Errors
    /// Why it is none: it is not JSON, and as [`Envelope::read`].
    pub(super) fn check(text: &'a str) -> Result<Self, String> {
        serde_json::from_str::<IgnoredAny>(text).map_err(|e| e.to_string())?;
        Self::read(text)
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

    fn damage(text: &str) -> String {
        Envelope::check(text).err().unwrap_or_default()
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
            let told = format!("invalid value in field `{name}`");
            assert_eq!(damage(&format!("{{{field}}}")), told);
        }
        let twice = damage(r#"{"ts":1,"xid":2,"\u0074s":3}"#);
        assert_eq!(twice, "duplicate field `ts`");
        assert_eq!(damage("[]"), "no JSON object");
        assert!(damage(r#"{"ts":1} x"#).contains("trailing characters"));
    }

    #[test]
    fn null_is_not_there_and_other_fields_are_passed_over() {
        let read = Envelope::read(r#"{"ts":null,"new":{"ts":2},"commit":true,"xid":3,"data":[1]}"#);
        let read = read.ok().map(|e| (e.ts, e.commit, e.xid, e.data));
        assert_eq!(read, Some((None, Some(true), Some(3), Some("[1]"))));
    }
}
