//! The rows of a server's tables and of an SQLite file, in one spelling for both.

use super::servers::{Server, quoted};
use mysql::{Conn, Opts, prelude::Queryable};
use rusqlite::{Connection, types::ValueRef};
use std::{collections::BTreeMap, path::Path};

/// A table's columns with their types, and its rows.
struct Rows {
    columns: Vec<(String, String)>,
    rows: Vec<Vec<String>>,
}

/// All tables of a server, by `db.table`.
pub struct Content(BTreeMap<String, Rows>);

impl Content {
    pub fn of(server: &Server) -> Content {
        let mut session = Conn::new(Opts::from_url(&server.url()).unwrap()).unwrap();
        session.query_drop("SET NAMES utf8mb4").unwrap();
        session.query_drop("SET time_zone='+00:00'").unwrap();
        let tables: Vec<(String, String)> = session
            .query("SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN ('mysql','sys','information_schema','performance_schema','binsync')")
            .unwrap();
        assert!(!tables.is_empty());
        let content = tables.into_iter().map(|(database, table)| {
            let columns: Vec<(String, String)> = session
                .exec("SELECT column_name, data_type FROM information_schema.columns WHERE table_schema=? AND table_name=? ORDER BY ordinal_position", (&database, &table))
                .unwrap();
            let name = format!("{}.{}", quoted(&database), quoted(&table));
            let rows = server_rows(&mut session, &name, &columns);
            (format!("{database}.{table}"), Rows { columns, rows })
        });
        Content(content.collect())
    }

    /// The other has the same tables with the same rows.
    #[track_caller]
    pub fn assert_equals(&self, other: &Content, what: &str) {
        let names = |content: &Content| content.0.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(other), names(self), "{what}: tables");
        for (name, Rows { columns, rows }) in &self.0 {
            assert_eq!(&other.0[name].rows, rows, "{what}: {name}: {columns:?}");
        }
    }

    /// How many rows there are in all tables.
    pub fn rows(&self) -> usize {
        self.0.values().map(|table| table.rows.len()).sum()
    }

    /// The file has these tables, with these rows, and no others.
    #[track_caller]
    pub fn assert_is_in(&self, file: &Path, what: &str) {
        let file = Connection::open(file).unwrap();
        let names = "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'binsync_%' ORDER BY name";
        let mut query = file.prepare(names).unwrap();
        let names: Vec<String> =
            query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(names, self.0.keys().cloned().collect::<Vec<_>>(), "{what}: tables");
        for (name, Rows { columns, rows }) in &self.0 {
            let found = sqlite_rows(&file, name, columns);
            assert_eq!(found.len(), rows.len(), "{what}: rows of {name}");
            for (found, expected) in found.iter().zip(rows) {
                assert_eq!(found, expected, "{what}: {name}: {columns:?}");
            }
        }
    }
}

/// A value in one spelling for both databases: numbers that a float printed by their value (six digits of a FLOAT, as
/// servers print it), shapes without blanks.
fn canonical(kind: &str, text: Option<Vec<u8>>) -> String {
    let Some(bytes) = text else {
        return "NULL".into();
    };
    let words = || String::from_utf8_lossy(&bytes).into_owned();
    match kind {
        "float" => format!("{:?}", words().parse::<f64>().unwrap() as f32),
        "double" => format!("{:?}", words().parse::<f64>().unwrap()),
        kind if is_shape(kind) => shape(&words()),
        "json" => serde_json::from_slice::<serde_json::Value>(&bytes).unwrap().to_string(),
        _ => match String::from_utf8(bytes) {
            Ok(text) => format!("{text:?}"),
            Err(binary) => format!("{:x?}", binary.into_bytes()),
        },
    }
}

fn is_shape(kind: &str) -> bool {
    ["geom", "point", "linestring", "polygon"].iter().any(|part| kind.contains(part))
}

/// Without blanks. Servers set the points of a MULTIPOINT in brackets, or do not.
fn shape(text: &str) -> String {
    let text = text.to_uppercase().replace(", ", ",").replace(" (", "(");
    match text.contains("MULTIPOINT") {
        true => text.replace(['(', ')'], ""),
        false => text,
    }
}

fn server_expression(name: &str, kind: &str) -> String {
    let column = quoted(name);
    match kind {
        "bit" => format!("{column}+0"),
        kind if is_shape(kind) => format!("ST_AsText({column})"),
        _ => column,
    }
}

fn server_rows(session: &mut Conn, table: &str, columns: &[(String, String)]) -> Vec<Vec<String>> {
    let list: Vec<_> = columns.iter().map(|(name, kind)| server_expression(name, kind)).collect();
    let rows: Vec<mysql::Row> =
        session.query(format!("SELECT {} FROM {table}", list.join(","))).unwrap();
    let value = |value: mysql::Value| match value {
        mysql::Value::NULL => None,
        mysql::Value::Bytes(bytes) => Some(bytes),
        other => panic!("the text protocol gave {other:?}"),
    };
    let spelled = |row: mysql::Row| {
        row.unwrap()
            .into_iter()
            .zip(columns)
            .map(|(cell, (_, kind))| canonical(kind, value(cell)))
            .collect()
    };
    let mut rows: Vec<Vec<String>> = rows.into_iter().map(spelled).collect();
    rows.sort();
    rows
}

fn sqlite_rows(file: &Connection, table: &str, columns: &[(String, String)]) -> Vec<Vec<String>> {
    let double_quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let list: Vec<_> = columns.iter().map(|(name, _)| double_quoted(name)).collect();
    let mut query =
        file.prepare(&format!("SELECT {} FROM {}", list.join(","), double_quoted(table))).unwrap();
    let value = |value: ValueRef<'_>| match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
        ValueRef::Real(number) => Some(number.to_string().into_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
    };
    let rows = query.query_map([], |row| {
        Ok(columns
            .iter()
            .enumerate()
            .map(|(place, (_, kind))| canonical(kind, value(row.get_ref(place).unwrap())))
            .collect())
    });
    let mut rows: Vec<Vec<String>> = rows.unwrap().map(Result::unwrap).collect();
    rows.sort();
    rows
}
