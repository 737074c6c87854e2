//! The key that a copy has reached, as it is kept at the target: names of its columns, and their bytes.

use crate::error::{Error, Means, Result};
use crate::event::def::TableDef;
use crate::source::copy::Key;

/// A key as text.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn write(key: &Key, def: &TableDef) -> Result<String> {
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let parts: Vec<(&String, String)> = def.primary_key.iter().zip(key.iter().map(hex)).collect();
    serde_json::to_string(&parts).map_err(|e| Error::failed(format!("a key as JSON: {e}")))
}

/// A key that was kept.
///
/// # Errors
/// When the table has another primary key now.
pub(super) fn read(text: &str, def: &TableDef) -> Result<Key> {
    let other = || {
        Error::stopped(format!(
            "{}: its primary key has become another one while it was copied",
            def.name()
        ))
        .help((
            "forget the run with `{}`, drop its tables at the target, then run the same command again",
            [Means::RunsForget],
        ))
    };
    let parts: Vec<(String, String)> = serde_json::from_str(text).map_err(|_| other())?;
    if !parts.iter().map(|(name, _)| name).eq(&def.primary_key) {
        return Err(other());
    }
    parts.iter().map(|(_, hex)| bytes(hex).ok_or_else(other)).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_again_and_only_by_its_own_table() {
        let def = |key: &[&str]| TableDef {
            primary_key: key.iter().map(|name| (*name).to_owned()).collect(),
            ..TableDef::parse(r#"{"database":"d","table":"t","primary-key":[],"columns":[]}"#)
                .expect("a definition")
        };
        let key: Key = vec![b"\0\xff\0".to_vec(), "é".into(), Vec::new()];
        let of = def(&["a", "b", "c"]);
        let text = write(&key, &of).expect("a text");
        assert_eq!(read(&text, &of).expect("a key"), key);
        for other in [def(&["a", "b"]), def(&["b", "a", "c"])] {
            assert!(read(&text, &other).is_err());
        }
    }
}
