//! Whether the user may do what a run will do, asked before the first write.
//!
//! Rows: the server is asked to explain each kind of statement, which takes the same rights as to
//! run it and does nothing. Definitions and temporary tables cannot be explained: for them counts
//! what SHOW GRANTS says. A server that does not answer is not held against the user.

use std::collections::BTreeMap;

use mysql::Conn;
use mysql::prelude::Queryable;

use super::grants::Grants;
use super::{keyless, progress, tables};
use crate::dest::{Changes, Needs};
use crate::error::{Error, Means, Result};
use crate::event::ddl::Told;
use crate::event::def::TableDef;
use crate::event::{Op, TableName, printable};
use crate::sql::{Dialect, quote};

/// Rights that are missing, by what they are missing on.
#[derive(Default)]
struct Missing(BTreeMap<String, Vec<&'static str>>);

impl Missing {
    fn add(&mut self, scope: String, right: &'static str) {
        let rights = self.0.entry(scope).or_default();
        if !rights.contains(&right) {
            rights.push(right);
        }
    }
}

/// Refuses a run that the user may not do, naming all rights that are missing.
///
/// # Errors
/// As said.
pub(super) fn check(conn: &mut Conn, needs: &Needs<'_>) -> Result<()> {
    let mut missing = Missing::default();
    let grants = grants(conn);
    for (table, changes) in &needs.tables {
        // Many rows without a key go by way of a temporary table, and some come back.
        let many = changes.leave >= keyless::FROM as u64 && may_be_keyless(conn, table);
        let changes = Changes { insert: changes.insert || many, ..*changes };
        for (right, statement) in statements(conn, table, &changes) {
            if denied(conn, &statement) {
                missing.add(shown(table), right);
            }
        }
        let right = "CREATE TEMPORARY TABLES";
        if grants.as_ref().is_some_and(|g| many && !g.hold(right, &table.database, None)) {
            missing.add(database(&table.database), right);
        }
        if let Some(grants) = grants.as_ref().filter(|_| changes.made)
            && tables::column_names(conn, table).is_ok_and(|columns| columns.is_empty())
            && !grants.hold("CREATE", &table.database, Some(&table.table))
        {
            missing.add(database(&table.database), "CREATE");
        }
    }
    if let Some(grants) = &grants {
        needs.statements.iter().for_each(|ddl| of_statement(grants, ddl, &mut missing));
        for right in progress::rights(conn)? {
            if !grants.hold(right, "binsync", Some("progress")) {
                missing.add(database("binsync"), right);
            }
        }
    }
    if missing.0.is_empty() {
        return Ok(());
    }
    let user: Option<String> = conn.query_first("SELECT CURRENT_USER()").ok().flatten();
    let user = user.unwrap_or_default();
    let (name, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
    let [name, host] = [name, host].map(|part| format!("'{}'", part.replace('\'', "''")));
    let lines: Vec<String> = missing
        .0
        .iter()
        .map(|(scope, rights)| {
            format!("  GRANT {} ON {scope} TO {name}@{host};", rights.join(", "))
        })
        .collect();
    let text =
        format!("the target's user lacks rights, nothing was written:\n{}", lines.join("\n"));
    Err(Error::failed(printable_lines(&text)).help((
        "grant them as listed, or leave tables out with {} and statements with {} skip; \
         then run the same command again",
        [Means::ExcludeTable, Means::Ddl],
    )))
}

/// Refuses a table that the user may not see, which looks as if it were not there.
///
/// # Errors
/// As said.
pub(super) fn check_visible(conn: &mut Conn, table: &TableName) -> Result<()> {
    match denied(conn, &format!("SELECT 1 FROM {}", shown(table))) {
        true => Err(Error::failed(format!("{table}: the target's user has no right to see it"))
            .help("GRANT SELECT, INSERT, UPDATE, DELETE on it, then run the same command again")),
        false => Ok(()),
    }
}

fn printable_lines(text: &str) -> String {
    text.lines().map(|line| printable(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// The rights of the user and of the roles in force; `None` when the server does not tell.
fn grants(conn: &mut Conn) -> Option<Grants> {
    let role: Option<Option<String>> = conn.query_first("SELECT CURRENT_ROLE()").ok()?;
    let role = role.flatten().filter(|role| role != "NONE" && !role.is_empty());
    let mut lines: Vec<String> = Vec::new();
    let mut ask = |sql: &str| conn.query::<String, _>(sql).map(|found| lines.extend(found)).is_ok();
    let known = match &role {
        // MySQL prints its roles quoted, and shows what they bring with USING.
        Some(roles) if roles.starts_with('`') => {
            ask(&format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}"))
        }
        Some(_) => ask("SHOW GRANTS") && ask("SHOW GRANTS FOR CURRENT_ROLE"),
        None => ask("SHOW GRANTS"),
    };
    // MariaDB grants to everybody, too.
    ask("SHOW GRANTS FOR PUBLIC");
    known.then(|| Grants::read(&lines))
}

/// What is asked to be explained for each right that changes of rows take.
fn statements(
    conn: &mut Conn,
    table: &TableName,
    changes: &Changes,
) -> Vec<(&'static str, String)> {
    let mut name = String::new();
    quote::table(&mut name, Dialect::Mysql, table);
    let mut all = vec![("SELECT", format!("SELECT 1 FROM {name}"))];
    if changes.insert {
        all.push(("INSERT", format!("INSERT INTO {name} () VALUES ()")));
    }
    if changes.delete {
        all.push(("DELETE", format!("DELETE FROM {name}")));
    }
    if changes.update {
        // Without a column to name there is no right on the table that would show one.
        let columns = tables::column_names(conn, table).unwrap_or_default();
        let mut column = String::new();
        let first = columns.first().map_or("x", String::as_str);
        quote::identifier(&mut column, Dialect::Mysql, first);
        all.push(("UPDATE", format!("UPDATE {name} SET {column}={column}")));
    }
    all
}

/// True when the server denies a statement; that it has no such table is for others to say.
fn denied(conn: &mut Conn, statement: &str) -> bool {
    match conn.query_drop(format!("EXPLAIN {statement}")) {
        Err(mysql::Error::MySqlError(e)) => matches!(e.code, 1044 | 1045 | 1142 | 1143 | 1227),
        _ => false,
    }
}

/// True when the table has no key, and when the user may not see whether it has one.
fn may_be_keyless(conn: &mut Conn, table: &TableName) -> bool {
    let seen = tables::column_names(conn, table).is_ok_and(|columns| !columns.is_empty());
    match seen {
        true => tables::is_keyless(conn, table).is_ok_and(|keyless| keyless),
        false => denied(conn, &format!("SELECT 1 FROM {}", shown(table))),
    }
}

/// What the server asks for before it runs a statement.
fn of_statement(grants: &Grants, ddl: &Told, missing: &mut Missing) {
    let mut need = |right: &'static str, name: &TableName| {
        let table = Some(&*name.table).filter(|table| !table.is_empty());
        if !grants.hold(right, &name.database, table) {
            let scope = if table.is_some() { shown(name) } else { database(&name.database) };
            missing.add(scope, right);
        }
    };
    match ddl.op {
        Op::DatabaseCreate | Op::TableCreate => {
            ddl.names().iter().for_each(|name| need("CREATE", name));
        }
        Op::DatabaseDrop | Op::TableDrop => ddl.names().iter().for_each(|name| need("DROP", name)),
        Op::DatabaseAlter => ddl.names().iter().for_each(|name| need("ALTER", name)),
        Op::TableAlter if ddl.truncates() => {
            ddl.names().iter().for_each(|name| need("DROP", name));
        }
        Op::TableAlter => {
            let names = |defs: &[TableDef]| defs.iter().map(TableDef::name).collect::<Vec<_>>();
            let (before, after) = (names(&ddl.before), names(&ddl.after));
            for name in &after {
                ["ALTER", "CREATE", "INSERT"].into_iter().for_each(|right| need(right, name));
            }
            for name in before.iter().filter(|name| !after.contains(name)) {
                ["ALTER", "DROP"].into_iter().for_each(|right| need(right, name));
            }
        }
        _ => {}
    }
}

fn shown(name: &TableName) -> String {
    let mut out = String::new();
    quote::table(&mut out, Dialect::Mysql, name);
    out
}

fn database(name: &str) -> String {
    let mut out = String::new();
    quote::identifier(&mut out, Dialect::Mysql, name);
    out + ".*"
}
