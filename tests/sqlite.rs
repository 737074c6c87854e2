//! An SQLite target holds each value as the server would print it: no digit, byte or letter is lost.

use crate::support::{Fresh, Kind, Spool, fresh, servers::quoted, temp_dir};
use mysql::{Conn, Opts, prelude::Queryable};
use rusqlite::{Connection, types::ValueRef};

/// A value in one spelling for both databases: numbers that a float printed by their value, shapes without blanks.
fn canonical(kind: &str, text: Option<Vec<u8>>) -> String {
    let Some(bytes) = text else {
        return "NULL".into();
    };
    let words = || String::from_utf8_lossy(&bytes).into_owned();
    match kind {
        "float" => format!("{:?}", words().parse::<f64>().unwrap() as f32),
        "double" => format!("{:?}", words().parse::<f64>().unwrap()),
        "geometry" | "point" | "linestring" | "polygon" => words().to_uppercase().replace(' ', ""),
        "json" => serde_json::from_slice::<serde_json::Value>(&bytes).unwrap().to_string(),
        _ => match String::from_utf8(bytes) {
            Ok(text) => format!("{text:?}"),
            Err(binary) => format!("{:x?}", binary.into_bytes()),
        },
    }
}

fn server_expression(name: &str, kind: &str) -> String {
    let column = quoted(name);
    match kind {
        "bit" => format!("{column}+0"),
        "float" => format!("{column}*1e0"),
        "geometry" | "point" | "linestring" | "polygon" => format!("ST_AsText({column})"),
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

fn compare(server: &Fresh, file: &Connection) {
    let mut session = Conn::new(Opts::from_url(&server.url()).unwrap()).unwrap();
    session.query_drop("SET NAMES utf8mb4").unwrap();
    session.query_drop("SET time_zone='+00:00'").unwrap();
    let tables: Vec<(String, String)> = session
        .query("SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN ('mysql','sys','information_schema','performance_schema','binsync')")
        .unwrap();
    assert!(!tables.is_empty());
    for (database, table) in tables {
        let columns: Vec<(String, String)> = session
            .exec("SELECT column_name, data_type FROM information_schema.columns WHERE table_schema=? AND table_name=? ORDER BY ordinal_position", (&database, &table))
            .unwrap();
        let expected = server_rows(
            &mut session,
            &format!("{}.{}", quoted(&database), quoted(&table)),
            &columns,
        );
        let found = sqlite_rows(file, &format!("{database}.{table}"), &columns);
        assert_eq!(found.len(), expected.len(), "rows of {database}.{table}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{database}.{table}: {columns:?}");
        }
    }
}

fn every_value_equals_the_servers_text(name: &str) {
    let (server, spool, dir) = (fresh(Kind::of(name)), Spool::recording(name), temp_dir());
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    let file = dir.path().join("copy.db");
    spool.apply(&format!("sqlite:{}", file.display()), [] as [&str; 0]).code(0);
    compare(&server, &Connection::open(file).unwrap());
}

#[test]
fn types_from_mariadb() {
    every_value_equals_the_servers_text("mariadb-types");
}

#[test]
fn types_from_mysql() {
    every_value_equals_the_servers_text("mysql-types");
}

#[test]
fn the_shop() {
    every_value_equals_the_servers_text("mariadb-incident");
    every_value_equals_the_servers_text("mysql-incident");
}

#[test]
fn sysbench() {
    every_value_equals_the_servers_text("mariadb-sysbench");
}
