//! The key that a copy has reached, as it is kept at the target: names of its columns, and their bytes.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::source::copy::Key;

/// Collations of columns, by name.
pub(super) type Collations = HashMap<String, String>;

/// A key as text; `collations` are those of the table.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn write(key: &Key, def: &TableDef, collations: &Collations) -> Result<String> {
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let parts: Vec<(String, String)> =
        order(def, collations).into_iter().zip(key.iter().map(hex)).collect();
    serde_json::to_string(&parts).map_err(|e| Error::failed(format!("a key as JSON: {e}")))
}

/// A key that was kept; `None` where the table has another primary key now, or sorts it otherwise: then
/// nothing tells what is behind it.
pub(super) fn read(text: &str, def: &TableDef, collations: &Collations) -> Option<Key> {
    let parts: Vec<(String, String)> = serde_json::from_str(text).ok()?;
    let now = order(def, collations);
    let same = parts.iter().map(|(column, _)| column).eq(&now);
    same.then(|| parts.iter().map(|(_, hex)| bytes(hex)).collect())?
}

/// What the order of a table's rows goes by.
fn order(def: &TableDef, collations: &Collations) -> Vec<String> {
    let column = |name: &String| {
        let of = def.column(name).map_or(String::new(), |column| {
            let sign = if column.unsigned { " unsigned" } else { "" };
            format!(" {}{sign} {:?}", column.type_name, column.arguments)
        });
        let collation = collations.get(name).map(String::as_str).unwrap_or_default();
        format!("{name}{of} {collation}")
    };
    def.primary_key.iter().map(column).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_again_where_it_sorts_as_before() {
        let def = |key: &[&str]| {
            TableDef {
            primary_key: key.iter().map(|name| (*name).to_owned()).collect(),
            ..TableDef::parse(
                r#"{"database":"d","table":"t","primary-key":[],"columns":[{"type":"int","name":"a"}]}"#,
            )
            .expect("a definition")
        }
        };
        let collations = |of: &str| Collations::from([("b".to_owned(), of.to_owned())]);
        let key: Key = vec![b"\0\xff\0".to_vec(), "é".into(), Vec::new()];
        let (of, bin) = (def(&["a", "b", "c"]), collations("utf8mb4_bin"));
        let text = write(&key, &of, &bin).expect("a text");
        assert_eq!(read(&text, &of, &bin), Some(key));
        for other in [def(&["a", "b"]), def(&["b", "a", "c"])] {
            assert_eq!(read(&text, &other, &bin), None);
        }
        assert_eq!(read(&text, &of, &collations("utf8mb4_general_ci")), None);
        let mut text_now = of.clone();
        text_now.columns[0].type_name = "varchar".to_owned();
        assert_eq!(read(&text, &text_now, &bin), None);
    }
}
