//! SQL for the stock clients: what stands around the row changes, and statements that change
//! definitions.

use crate::error::{Error, Means, Result};
use crate::event::TableName;
use crate::event::ddl::Statement;
use crate::event::def::TableDef;
use crate::plan::Table;
use crate::sql::{Dialect, quote};

use super::sqlite::script as sqlite;

mod net;
mod switch;

pub use net::{Out, Script, unknown};
pub use switch::Switch;

/// What a script begins with. The mariadb client takes no commands behind such a line, and other
/// clients ignore it; the sqlite3 client is told to stop at the first error, where any other stops
/// by itself.
pub fn first_line(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Mysql => "/*M!999999\\- enable the sandbox mode */ \n",
        Dialect::Sqlite => ".bail on\n",
    }
}

/// The settings that a script relies on.
pub fn settings(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Mysql => {
            "SET NAMES utf8mb4;
SET time_zone='+00:00';
SET sql_mode='STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';
SET autocommit=1, foreign_key_checks=@binsync_checks;
"
        }
        Dialect::Sqlite => "PRAGMA foreign_keys=OFF;\nPRAGMA legacy_alter_table=ON;\n",
    }
}

/// Whether foreign keys are checked while a script runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checks {
    /// They are not.
    Off,
    /// They are: some act, and what they did at the source has to be done here.
    On,
    /// If one of the target's acts when rows of these tables go or change.
    WhereSomeAct(Vec<TableName>),
}

/// Tells a script so; the settings that follow make use of it.
pub fn checks(dialect: Dialect, checks: &Checks) -> String {
    let plain = |on: u8| format!("SET @binsync_checks={on};\nSET foreign_key_checks={on};\n");
    match (dialect, checks) {
        (Dialect::Sqlite, _) => String::new(),
        (_, Checks::Off) => plain(0),
        (_, Checks::On) => plain(1),
        (_, Checks::WhereSomeAct(tables)) if tables.is_empty() => plain(0),
        (_, Checks::WhereSomeAct(tables)) => {
            let mut list = String::new();
            for name in tables {
                list.push_str(if list.is_empty() { "(" } else { ",(" });
                plain_name(&mut list, &name.database);
                list.push(',');
                plain_name(&mut list, &name.table);
                list.push(')');
            }
            format!(
                "SET @binsync_checks=(SELECT EXISTS(SELECT * FROM \
                 information_schema.REFERENTIAL_CONSTRAINTS WHERE (UNIQUE_CONSTRAINT_SCHEMA, \
                 REFERENCED_TABLE_NAME) IN ({list}) AND (DELETE_RULE NOT IN ('RESTRICT','NO \
                 ACTION') OR UPDATE_RULE NOT IN ('RESTRICT','NO ACTION'))));\n"
            )
        }
    }
}

/// A name as a literal where the script has set neither character set nor sql_mode yet.
fn plain_name(out: &mut String, name: &str) {
    match name.chars().all(|c| matches!(c, ' '..='~') && !matches!(c, '\'' | '\\')) {
        true => quote::text(out, Dialect::Mysql, name),
        false => {
            out.push_str("_utf8mb4 ");
            quote::bytes(out, name.as_bytes());
        }
    }
}

/// A table as a script writes it.
///
/// # Errors
/// When its definition does not tell what is needed for that.
pub fn table(dialect: Dialect, def: &TableDef) -> Result<Table> {
    match dialect {
        Dialect::Mysql => {
            let mut names = def.columns.iter().map(|c| &c.name).chain([&def.database, &def.table]);
            if names.any(|name| name.contains('\\')) {
                return Err(Error::stopped(format!(
                    "{}: a backslash in a name, which some clients take for an escape, so that they \
                     would see other statements than the server",
                    def.name()
                ))
                .help(("leave the table out with {}, or use {}", [Means::ExcludeTable, Means::Apply])));
            }
            Ok(Table::from_def(def))
        }
        Dialect::Sqlite => sqlite::table(def),
    }
}

/// What makes a table that is not there yet, for a file that may be empty.
pub fn create(dialect: Dialect, def: &TableDef) -> String {
    match dialect {
        Dialect::Mysql => String::new(),
        Dialect::Sqlite => sqlite::create(def),
    }
}

/// What makes a table for recovered rows beside the one it is like. In SQLite tables are made
/// where their first row comes.
pub fn rescue(dialect: Dialect, name: &TableName, like: &TableName) -> String {
    let mut text = String::new();
    if dialect == Dialect::Mysql {
        text.push_str("CREATE DATABASE IF NOT EXISTS ");
        quote::identifier(&mut text, dialect, &name.database);
        text.push_str(";\nCREATE TABLE IF NOT EXISTS ");
        quote::table(&mut text, dialect, name);
        text.push_str(" LIKE ");
        quote::table(&mut text, dialect, like);
        text.push_str(";\n");
    }
    text
}

/// A statement that changes definitions.
///
/// # Errors
/// When a script cannot do it, or it is larger than a packet.
pub fn ddl(dialect: Dialect, ddl: &Statement, packet: usize) -> Result<String> {
    let text = match dialect {
        Dialect::Mysql => mysql_ddl(ddl),
        Dialect::Sqlite => match sqlite::ddl(ddl)? {
            empty if empty.is_empty() => empty,
            text => format!("BEGIN;\n{text}COMMIT;\n"),
        },
    };
    match text.len() > packet {
        false => Ok(text),
        true => Err(Error::stopped(format!(
            "{}: {} bytes, a statement may have {packet}",
            ddl.told().place(),
            text.len()
        ))
        .help((
            "raise {}, and max_allowed_packet of the server and the client that run it",
            [Means::MaxPacket],
        ))),
    }
}

fn mysql_ddl(ddl: &Statement) -> String {
    let ms = ddl.told().ts_ms;
    let (s, ms) = (ms.div_euclid(1000), ms.rem_euclid(1000));
    let mut text = format!("SET timestamp={s}.{ms:03}, foreign_key_checks=0;\n");
    // A line end, or a backslash in a name, is read by each client in its own way.
    if ddl.text().contains(|c: char| c.is_control() || c == '\\') {
        text.push_str("SET @binsync_ddl=CONVERT(");
        quote::bytes(&mut text, ddl.text().as_bytes());
        text.push_str(" USING utf8mb4);\nPREPARE binsync_ddl FROM @binsync_ddl;\nEXECUTE binsync_ddl;\nDEALLOCATE PREPARE binsync_ddl;\n");
    } else {
        text.push_str(ddl.text());
        text.push_str(";\n");
    }
    text.push_str("SET timestamp=DEFAULT;\n");
    text.push_str(settings(Dialect::Mysql));
    text
}
