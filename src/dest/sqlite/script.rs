//! What an SQLite target does about tables and statements, as SQL for the sqlite3 client.
//!
//! A script cannot look at the rows it meets: where an ALTER has to, it is refused.

use rusqlite::types::Value;

use super::ddl::{Change, From, NEW, not_told, takes};
use super::schema::{self, column_name, quoted};
use crate::error::{Error, Means, Result};
use crate::event::ddl::Statement;
use crate::event::def::TableDef;
use crate::event::{Op, TableName};
use crate::plan::Table;
use crate::sql::{Dialect, quote};

/// The table as an SQLite target makes it.
///
/// # Errors
/// When its values, or its name, cannot be written.
pub fn table(def: &TableDef) -> Result<Table> {
    schema::check_widths(def)?;
    let mut names = def.columns.iter().map(|c| &c.name).chain([&def.database, &def.table]);
    if names.any(|name| name.contains('\r')) {
        return Err(Error::stopped(format!(
            "{}: a carriage return in a name, which the sqlite3 client would take out",
            def.name()
        ))
        .help("leave the table out with " + Means::ExcludeTable));
    }
    Ok(schema::as_made(def))
}

/// Makes a table that is not there yet.
pub fn create(def: &TableDef) -> String {
    let name = format!("IF NOT EXISTS {}", quoted(&def.name()));
    schema::create_sql(def, &name) + ";\n"
}

/// Does what the statement did at the source.
///
/// # Errors
/// When that depends on what the file holds.
pub fn ddl(statement: &Statement) -> Result<String> {
    takes(statement)?;
    let ddl = statement.told();
    let refused = |e: Error| e.at(ddl.place());
    let text = match ddl.op {
        Op::TableCreate if ddl.after.is_empty() => Err(not_told()),
        Op::TableCreate => ddl.after.iter().try_fold(String::new(), |text, def| {
            table(def)?;
            let name = quoted(&def.name());
            let drop = if statement.replaces() { drop(&def.name()) } else { String::new() };
            Ok(format!("{text}{drop}{};\n", schema::create_sql(def, &name)))
        }),
        Op::TableAlter if ddl.after.is_empty() || ddl.before.len() != ddl.after.len() => {
            Err(not_told())
        }
        Op::TableAlter => {
            ddl.before.iter().zip(&ddl.after).try_fold(String::new(), |text, (before, after)| {
                Ok(text + &alter(statement, before, after)?)
            })
        }
        Op::TableDrop => Ok(ddl.tables.iter().map(drop).collect()),
        Op::DatabaseDrop => Err(Error::stopped("which tables go is not known to a script").help((
            "leave DDL out with {} insert,update,delete, or use {} {} sqlite:FILE",
            [Means::Type, Means::Apply, Means::Target],
        ))),
        _ => Ok(String::new()),
    };
    text.map_err(refused)
}

fn drop(name: &TableName) -> String {
    format!("DROP TABLE IF EXISTS {};\n", quoted(name))
}

fn alter(ddl: &Statement, before: &TableDef, after: &TableDef) -> Result<String> {
    table(after)?;
    let (old, new) = (before.name(), after.name());
    // Not one row of it may have come by before.
    let mut text = create(before);
    if old != new {
        text.push_str(&format!("ALTER TABLE {} RENAME TO {};\n", quoted(&old), quoted(&new)));
    }
    if ddl.told().truncates() {
        return Ok(text + &format!("DELETE FROM {};\n", quoted(&new)));
    }
    let change =
        Change { name: &new, before, after, clauses: ddl.clauses(), ts_ms: ddl.told().ts_ms };
    let Some(origins) = change.origins()? else { return Ok(text) };
    let mut values = Vec::new();
    for (column, from) in after.columns.iter().zip(&origins) {
        values.push(match from {
            From::Same(old) => column_name(&before.columns[*old].name),
            From::New(defined) => match defined.as_ref().and_then(|d| d.new_value()) {
                Some(value) => literal(&value),
                None => return Err(change.unknown(column, "is computed or has no plain default")),
            },
            From::Converted(..) => {
                return Err(Error::stopped(format!(
                    "{new}: column {:?} is defined anew: what becomes of its values is not known \
                     to a script",
                    column.name
                ))
                .help((
                    "leave DDL out with {} insert,update,delete, or use {} {} sqlite:FILE",
                    [Means::Type, Means::Apply, Means::Target],
                )));
            }
        });
    }
    let (name, values) = (quoted(&new), values.join(", "));
    text.push_str(&format!("{};\n", schema::create_sql(after, NEW)));
    text.push_str(&format!("INSERT INTO {NEW} SELECT {values} FROM {name};\n"));
    text.push_str(&format!("DROP TABLE {name};\nALTER TABLE {NEW} RENAME TO {name};\n"));
    Ok(text)
}

fn literal(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Text(text) => quote::text(&mut out, Dialect::Sqlite, text),
        Value::Blob(bytes) => quote::bytes(&mut out, bytes),
        Value::Null => out.push_str("NULL"),
        Value::Integer(n) => out.push_str(&n.to_string()),
        Value::Real(n) => out.push_str(&n.to_string()),
    }
    out
}
