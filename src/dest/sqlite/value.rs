//! Numbers and values on their way into SQLite and out.

use rusqlite::types::Value;

use crate::error::{Error, Result};

/// A sequence as SQLite stores numbers.
pub(super) fn stored(seq: u64) -> Result<i64> {
    i64::try_from(seq).map_err(|_| Error::failed(format!("sequence {seq} is out of range")))
}

pub(super) fn spelled(value: Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => format!("{bytes:02X?}"),
    }
}
