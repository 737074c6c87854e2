//! What of a table is asked for again and again, by its definition. Pure.

use crate::event::TableName;
use crate::event::def::{Column, TableDef};

/// A row as the object that a message of the producer would have.
pub(super) fn object(def: &TableDef, tokens: &[String]) -> String {
    let pair = |(column, token): (&Column, &String)| {
        format!("{}:{token}", serde_json::Value::from(column.name.as_str()))
    };
    let pairs: Vec<String> = def.columns.iter().zip(tokens).map(pair).collect();
    format!("{{{}}}", pairs.join(","))
}

/// The columns of the primary key, by their places.
pub(super) fn key_places(def: &TableDef) -> Vec<usize> {
    let at = |name: &String| def.columns.iter().position(|column| column.name == *name);
    def.primary_key.iter().filter_map(at).collect()
}

/// True for the table's name, and for that of its database.
pub(super) fn is_about(def: &TableDef, name: &TableName) -> bool {
    name.database == def.database && (name.table == def.table || name.table.is_empty())
}
