//! SQL for the stock clients: what stands around the row changes, and statements that change
//! definitions.

use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::{Op, TableName};
use crate::plan::Table;
use crate::sql::{Dialect, quote};

use super::Ddl;
use super::sqlite::script as sqlite;

mod net;

pub use net::{Out, Script, unknown};

/// What a script begins with, the sqlite3 client's stop at the first error before all else: any
/// other client stops there by itself.
pub fn first_line(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Mysql => "",
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
"
        }
        Dialect::Sqlite => "PRAGMA foreign_keys=OFF;\nPRAGMA legacy_alter_table=ON;\n",
    }
}

/// A table as a script writes it.
///
/// # Errors
/// When its definition does not tell what is needed for that.
pub fn table(dialect: Dialect, def: &TableDef) -> Result<Table> {
    match dialect {
        Dialect::Mysql => Ok(Table::from_def(def)),
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
pub fn ddl(dialect: Dialect, ddl: &Ddl, packet: usize) -> Result<String> {
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
            "DDL statement (message {}) of {} bytes, a statement may have {packet}",
            ddl.seq,
            text.len()
        ))
        .help(
            "raise --max-packet, and max_allowed_packet of the server and the client that run it",
        )),
    }
}

fn mysql_ddl(ddl: &Ddl) -> String {
    let mut text = String::new();
    match (ddl.op, &ddl.charset) {
        (Op::DatabaseCreate, Some(charset)) => {
            text.push_str("SET character_set_server=");
            quote::text(&mut text, Dialect::Mysql, charset);
            text.push_str(";\n");
        }
        (Op::DatabaseCreate | Op::DatabaseDrop, _) => {}
        _ => {
            text.push_str("USE ");
            quote::identifier(&mut text, Dialect::Mysql, &ddl.database);
            text.push_str(";\n");
        }
    }
    let (s, ms) = (ddl.ts_ms.div_euclid(1000), ddl.ts_ms.rem_euclid(1000));
    text.push_str(&format!("SET timestamp={s}.{ms:03};\n"));
    if ddl.sql.contains(['\0', '\r']) || ddl.sql.to_ascii_lowercase().contains("delimiter") {
        // The stock client would change these bytes, or take the word for a command.
        text.push_str("SET @binsync_ddl=CONVERT(");
        quote::bytes(&mut text, ddl.sql.as_bytes());
        text.push_str(" USING utf8mb4);\nPREPARE binsync_ddl FROM @binsync_ddl;\nEXECUTE binsync_ddl;\nDEALLOCATE PREPARE binsync_ddl;\n");
    } else {
        text.push_str(&ddl.sql);
        text.push_str(";\n");
    }
    text.push_str("SET timestamp=DEFAULT;\n");
    text
}
