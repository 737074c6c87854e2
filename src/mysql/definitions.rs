//! The definitions of a server's tables, as its information_schema has them.

use std::collections::{BTreeMap, HashMap};

use mysql::prelude::Queryable;
use mysql::{Conn, Params, Result as Sql};

use crate::event::TableName;
use crate::event::ddl::attributes;
use crate::event::def::{Column, Kind, TableDef, is_large};

/// Database, table, column.
type Place = (String, String, String);

type ColumnRow =
    (String, String, String, String, String, Option<String>, String, Option<u64>, bool, bool);

/// Definitions of one table, or of all user tables, as the server has them.
pub(crate) fn definitions(conn: &mut Conn, only: Option<&TableName>) -> Sql<Vec<TableDef>> {
    let (filter, params) = match only {
        Some(name) => (
            "TABLE_SCHEMA=? AND TABLE_NAME=?",
            Params::from((name.database.clone(), name.table.clone())),
        ),
        None => (
            "TABLE_SCHEMA NOT IN ('mysql','information_schema','performance_schema','sys','binsync')",
            Params::Empty,
        ),
    };
    let rows: Vec<ColumnRow> = conn.exec(
        format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, \
             CHARACTER_SET_NAME, EXTRA, CHARACTER_MAXIMUM_LENGTH, IS_NULLABLE='YES', \
             COLUMN_DEFAULT IS NULL OR (COLUMN_DEFAULT='NULL' AND VERSION() LIKE '%MariaDB%') \
             FROM information_schema.COLUMNS WHERE {filter} ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"
        ),
        params,
    )?;
    let (json, mut srids) = (json_checked(conn, only)?, srids(conn, only)?);
    let mut defs: Vec<TableDef> = Vec::new();
    for (database, table, name, data_type, column_type, charset, extra, length, nullable, null) in
        rows
    {
        let extra = extra.to_lowercase();
        let mut kind = Kind::from_type(&data_type, charset.as_deref());
        let place = (database.clone(), table.clone(), name.clone());
        if kind == Kind::Text && json.contains(&place) {
            kind = Kind::JsonOrText;
        }
        let width = |text: &str| text.split(['(', ')']).nth(1).and_then(|n| n.parse().ok());
        let column = Column {
            name,
            kind,
            unsigned: column_type.contains("unsigned"),
            generated: ["virtual generated", "stored generated", "persistent"]
                .iter()
                .any(|word| extra.contains(word)),
            on_update: extra.contains("on update"),
            binary_width: if data_type == "binary" { length.map(|l| l as u32) } else { None },
            zerofill: if column_type.contains("zerofill") { width(&column_type) } else { None },
            arguments: attributes::of_type(&column_type),
            srid: srids.remove(&place),
            nullable: Some(nullable),
            defaults_to_null: nullable && null,
            large: is_large(&data_type),
            charset,
            type_name: data_type,
        };
        match defs.last_mut().filter(|d| d.database == database && d.table == table) {
            Some(def) => def.columns.push(column),
            None => defs.push(TableDef {
                database,
                table,
                columns: vec![column],
                primary_key: Vec::new(),
                charset: None,
                complete: true,
            }),
        }
    }
    for def in &mut defs {
        let primary = unique_indexes(conn, &def.name())?.remove("PRIMARY").unwrap_or_default();
        def.primary_key = primary.into_iter().flatten().collect();
    }
    Ok(defs)
}

/// The collations of a table's columns that have one, by name.
pub(crate) fn collations(conn: &mut Conn, name: &TableName) -> Sql<HashMap<String, String>> {
    let sql = "SELECT COLUMN_NAME, COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=? \
               AND TABLE_NAME=? AND COLLATION_NAME IS NOT NULL";
    let rows: Vec<(String, String)> = conn.exec(sql, (&name.database, &name.table))?;
    Ok(rows.into_iter().collect())
}

/// The columns that have one spatial reference for all values. Only MySQL has such.
fn srids(conn: &mut Conn, only: Option<&TableName>) -> Sql<HashMap<Place, u32>> {
    let sql = "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, SRS_ID FROM information_schema.COLUMNS \
         WHERE SRS_ID IS NOT NULL";
    let rows: Sql<Vec<(String, String, String, u32)>> = match only {
        Some(name) => conn.exec(
            format!("{sql} AND TABLE_SCHEMA=? AND TABLE_NAME=?"),
            (&name.database, &name.table),
        ),
        None => conn.query(sql),
    };
    match rows {
        Ok(rows) => Ok(rows.into_iter().map(|(d, t, c, srid)| ((d, t, c), srid)).collect()),
        // There is no such column.
        Err(mysql::Error::MySqlError(e)) if e.code == 1054 => Ok(HashMap::new()),
        Err(e) => Err(e),
    }
}

/// Columns that MariaDB checks with `json_valid`, which is how it shows a JSON column.
fn json_checked(conn: &mut Conn, only: Option<&TableName>) -> Sql<Vec<Place>> {
    let rows: Result<Vec<Place>, mysql::Error> = conn.query(
        "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CHECK_CLAUSE FROM \
         information_schema.CHECK_CONSTRAINTS WHERE CHECK_CLAUSE LIKE 'json_valid(%'",
    );
    // MySQL has that view without TABLE_NAME, and a JSON type of its own.
    let Ok(rows) = rows else {
        return Ok(Vec::new());
    };
    let column = |clause: &str| {
        let name = clause.trim_start_matches("json_valid(`").trim_end_matches("`)");
        name.replace("``", "`")
    };
    Ok(rows
        .into_iter()
        .filter(|(db, table, _)| only.is_none_or(|n| n.database == *db && n.table == *table))
        .map(|(db, table, clause)| (db, table, column(&clause)))
        .collect())
}

/// Unique indexes by name, the primary key among them; an expression has no column name.
pub(crate) fn unique_indexes(
    conn: &mut Conn,
    name: &TableName,
) -> Sql<BTreeMap<String, Vec<Option<String>>>> {
    let rows: Vec<(String, Option<String>)> = conn.exec(
        "SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA=? \
         AND TABLE_NAME=? AND NON_UNIQUE=0 ORDER BY INDEX_NAME, SEQ_IN_INDEX",
        (&name.database, &name.table),
    )?;
    let mut indexes: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    for (index, column) in rows {
        indexes.entry(index).or_default().push(column);
    }
    Ok(indexes)
}
