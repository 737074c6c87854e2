//! A part of a table, read by its primary key: one statement, and so one moment.

use std::collections::HashMap;

use mysql::Value;
use mysql::prelude::Queryable;

use super::keys::{self, Part};
use super::{Base, as_bytes, expression, identifier, quoted, token};
use crate::error::{Error, Result};
use crate::event::TableName;
use crate::event::def::{Column, Kind, TableDef};
use crate::mysql::connect::failed;
use crate::mysql::definitions;

/// A part has about so many bytes of values at most.
const BYTES: usize = 16 << 20;

/// The key of a row, as the server compares it.
pub type Key = Vec<Vec<u8>>;

/// Rows that lie one behind the other.
#[derive(Debug, Default)]
pub struct Chunk {
    /// For each row, and each column of the definition, the producer's token.
    pub rows: Vec<Vec<String>>,
    /// The key of the last one; `None`: nothing lies behind them.
    pub reached: Option<Key>,
}

impl Base {
    /// Reads the rows behind a key, so many at most, as they are now.
    ///
    /// # Errors
    /// When the server refuses, there is no primary key, or a value is not of its type.
    pub fn chunk(&mut self, def: &TableDef, from: Option<&Key>, most: usize) -> Result<Chunk> {
        let name = def.name();
        let place = || format!("source: {name}");
        let parts = Part::of_primary_key(def)?;
        let columns = def.columns.iter().map(expression);
        let columns: Vec<String> =
            columns.chain(parts.iter().map(|part| part.expression.clone())).collect();
        // Sorted as the index is, which is by the same.
        let order: Vec<String> = def.primary_key.iter().map(|name| identifier(name)).collect();
        let sql = format!(
            "SELECT {} FROM {} FORCE INDEX (PRIMARY) WHERE {} ORDER BY {} LIMIT {most}",
            columns.join(","),
            quoted(&name),
            from.map_or("1".to_owned(), |key| keys::behind(&parts, key)),
            order.join(",")
        );
        let has_json = !self.version.contains("MariaDB");
        let result = self.conn.query_iter(sql).map_err(|e| failed(&place(), &e))?;
        let (mut chunk, mut key, mut bytes) = (Chunk::default(), None, 0);
        for row in result {
            let values = row.map_err(|e| failed(&place(), &e))?.unwrap();
            let (values, last) = values.split_at(def.columns.len());
            let cells = def.columns.iter().zip(values);
            let tokens: Result<Vec<String>> =
                cells.map(|(column, value)| document(column, has_json, as_bytes(value)?)).collect();
            let tokens = tokens.map_err(|e| e.at(place()))?;
            bytes += tokens.iter().map(String::len).sum::<usize>();
            chunk.rows.push(tokens);
            key = Some(last.to_vec());
            if bytes >= BYTES {
                break;
            }
        }
        if chunk.rows.len() >= most || bytes >= BYTES {
            chunk.reached = key.map(|key| key_of(&key)).transpose()?;
        }
        Ok(chunk)
    }

    /// The statement that would make a table.
    ///
    /// # Errors
    /// When the server has none of that name.
    pub fn create_statement(&mut self, name: &TableName) -> Result<String> {
        let sql = format!("SHOW CREATE TABLE {}", quoted(name));
        let row: Option<(String, String)> =
            self.conn.query_first(sql).map_err(|e| failed(&format!("source: {name}"), &e))?;
        row.map(|(_, text)| text).ok_or_else(|| {
            Error::failed(format!("source: {name}: it does not tell how it is made"))
        })
    }

    /// The columns of a table's keys: the primary one, and those of its other unique indexes.
    ///
    /// # Errors
    /// When the server does not tell.
    pub fn uniques(&mut self, name: &TableName) -> Result<Vec<Vec<String>>> {
        let found = definitions::unique_indexes(&mut self.conn, name);
        let found = found.map_err(|e| failed("source", &e))?;
        Ok(found.into_values().filter_map(|columns| columns.into_iter().collect()).collect())
    }

    /// The collations of a table's columns that have one, by name.
    ///
    /// # Errors
    /// When the server does not tell.
    pub fn collations(&mut self, name: &TableName) -> Result<HashMap<String, String>> {
        definitions::collations(&mut self.conn, name).map_err(|e| failed("source", &e))
    }
}

/// A token as the binlog's messages have it: JSON's `null` is told from NULL.
fn document(column: &Column, json: bool, value: Option<&[u8]>) -> Result<String> {
    let token = token::token(column, json, value)?;
    let wrapped = token == "null" || token.starts_with("{\"$json\":");
    let is_json = matches!(column.kind, Kind::Json | Kind::JsonOrText);
    Ok(if is_json && value.is_some() && wrapped { format!("{{\"$json\":{token}}}") } else { token })
}

fn key_of(values: &[Value]) -> Result<Key> {
    let part = |value| as_bytes(value)?.ok_or_else(|| Error::failed("a key that is NULL"));
    values.iter().map(|value| part(value).map(<[u8]>::to_vec)).collect()
}
