//! The tables of a target as they are there.

use std::collections::HashMap;

use mysql::prelude::Queryable;
use mysql::{Conn, Result as Sql};

use crate::event::TableName;
use crate::event::def::{Kind, TableDef};
use crate::mysql::definitions::{definitions, unique_indexes};
use crate::plan::{Routed, Table};
use crate::sql::{Dialect, quote};

/// Names of a table's columns, in order; none when there is no such table.
pub(super) fn column_names(conn: &mut Conn, name: &TableName) -> Sql<Vec<String>> {
    conn.exec(
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=? AND \
         TABLE_NAME=? ORDER BY ORDINAL_POSITION",
        (&name.database, &name.table),
    )
}

/// What tells whether a DDL statement has changed these tables: SHOW CREATE, and where the server
/// lets us see it InnoDB's own id, since renaming equal tables in a ring changes nothing else.
pub(super) fn fingerprint(conn: &mut Conn, names: &[TableName]) -> Sql<String> {
    let mut all = Vec::new();
    for name in names {
        let mut show = "SHOW CREATE ".to_owned();
        if name.table.is_empty() {
            show.push_str("DATABASE ");
            quote::identifier(&mut show, Dialect::Mysql, &name.database);
        } else {
            show.push_str("TABLE ");
            quote::table(&mut show, Dialect::Mysql, name);
        }
        let text = match conn.query_first::<mysql::Row, _>(&show) {
            Ok(row) => row.and_then(|mut r| r.take::<String, _>(1)).unwrap_or_default(),
            Err(mysql::Error::MySqlError(e)) if matches!(e.code, 1146 | 1049 | 1932) => {
                "absent".to_owned()
            }
            Err(e) => return Err(e),
        };
        let ids = innodb_ids(conn, name).unwrap_or_default();
        all.push(format!("{name}#{ids}: {}", without_counter(&text)));
    }
    Ok(all.join("\n"))
}

/// True when a table has no unique index.
pub(super) fn is_keyless(conn: &mut Conn, name: &TableName) -> Sql<bool> {
    let sql = "SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA=? AND \
               TABLE_NAME=? AND NON_UNIQUE=0";
    Ok(conn.exec_first(sql, (&name.database, &name.table))? == Some(0_u64))
}

/// True when the server has such a database.
pub(super) fn has_database(conn: &mut Conn, name: &str) -> Sql<bool> {
    let sql = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME=?";
    Ok(conn.exec_first(sql, (name,))? == Some(1_u64))
}

/// InnoDB's ids of these tables, as far as the user may see them: a table that is made anew, or
/// rebuilt, has another.
pub(super) fn identities(conn: &mut Conn, names: &[TableName]) -> Vec<(TableName, String)> {
    if names.is_empty() {
        return Vec::new();
    }
    let all = INNODB_TABLES.iter().find_map(|view| {
        let sql = format!("SELECT TABLE_ID, NAME FROM information_schema.{view} ORDER BY NAME");
        conn.query::<(u64, String), _>(sql).ok()
    });
    let mut ids: HashMap<String, String> = HashMap::new();
    for (id, name) in all.unwrap_or_default() {
        let table = name.split('#').next().unwrap_or_default();
        ids.entry(table.to_owned()).or_default().push_str(&format!("{id},"));
    }
    names.iter().filter_map(|name| Some((name.clone(), ids.remove(&file(name))?))).collect()
}

/// InnoDB's list of tables, as MySQL and as MariaDB call it.
const INNODB_TABLES: [&str; 2] = ["INNODB_TABLES", "INNODB_SYS_TABLES"];

/// The ids of a table and of its partitions, which are tables by another name.
fn innodb_ids(conn: &mut Conn, name: &TableName) -> Option<String> {
    INNODB_TABLES.iter().find_map(|view| {
        let sql = format!(
            "SELECT TABLE_ID, NAME FROM information_schema.{view} WHERE NAME=? OR \
             LEFT(NAME, CHAR_LENGTH(?))=? ORDER BY NAME"
        );
        let file = file(name);
        let part = format!("{file}#");
        let rows: Vec<(u64, String)> = conn.exec(sql, (file, &part, &part)).ok()?;
        let ids: Vec<String> = rows.iter().map(|(id, _)| id.to_string()).collect();
        (!ids.is_empty()).then(|| ids.join(","))
    })
}

fn file(name: &TableName) -> String {
    format!("{}/{}", file_name(&name.database), file_name(&name.table))
}

/// An identifier as InnoDB writes it in file names: `@` and four hex digits for what is not
/// a letter, digit or underscore.
fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars()
        .map(|c| if plain(c) { c.to_string() } else { format!("@{:04x}", c as u32) })
        .collect()
}

fn without_counter(show: &str) -> String {
    let Some(at) = show.rfind(" AUTO_INCREMENT=") else {
        return show.to_owned();
    };
    let rest = show[at + 16..].trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{}{rest}", &show[..at])
}

/// The table as the server has it, values encoded as the source's definition says where known.
pub(super) fn table(
    conn: &mut Conn,
    name: &TableName,
    source: Option<&TableDef>,
) -> Sql<Option<Table>> {
    let Some(mut def) = definitions(conn, Some(name))?.pop() else {
        return Ok(None);
    };
    for column in &mut def.columns {
        let there = source.and_then(|s| s.column(&column.name));
        column.large = there.map_or(column.large, |there| there.large);
        match there.map(|there| there.kind) {
            None | Some(Kind::Unknown) => {}
            // A number is compared as it is stored here.
            Some(Kind::Float | Kind::Double)
                if matches!(column.kind, Kind::Float | Kind::Double) => {}
            Some(kind) => column.kind = kind,
        }
    }
    let indexes = unique_indexes(conn, name)?;
    let at = |column: &Option<String>| {
        column.as_ref().and_then(|c| def.columns.iter().position(|d| d.name == *c))
    };
    let target_only: Vec<usize> = match source {
        Some(source) => {
            let all = def.columns.iter().enumerate();
            all.filter(|(_, c)| source.column(&c.name).is_none()).map(|(i, _)| i).collect()
        }
        None => Vec::new(),
    };
    let nullable = nullable_columns(conn, name)?;
    let (mut key, mut uniques, mut hidden) = (Vec::new(), Vec::new(), false);
    for (index, columns) in &indexes {
        let Some(columns) = columns.iter().map(at).collect::<Option<Vec<usize>>>() else {
            hidden = true;
            continue;
        };
        let names_rows = columns.iter().all(|&c| {
            let column = &def.columns[c];
            !nullable.contains(&column.name) && !column.generated && !target_only.contains(&c)
        });
        if names_rows && (index == "PRIMARY" || key.is_empty()) {
            key = columns.clone();
        }
        // A generated value changes with columns that the index does not name.
        hidden |= columns.iter().any(|&c| def.columns[c].generated);
        uniques.push(columns);
    }
    Ok(Some(Table {
        name: name.clone(),
        columns: def.columns,
        key,
        uniques,
        target_only,
        defined: source.is_some(),
        fills: true,
        in_order: hidden,
        checks: false,
        transactional: true,
        routed: Routed::default(),
        rescue: false,
    }))
}

fn nullable_columns(conn: &mut Conn, name: &TableName) -> Sql<Vec<String>> {
    conn.exec(
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=? AND \
         TABLE_NAME=? AND IS_NULLABLE='YES'",
        (&name.database, &name.table),
    )
}
