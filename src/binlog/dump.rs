//! The definitions of tables in a file of statements: a dump by the servers' own tools, or what SHOW
//! CREATE TABLE prints.

use std::io::BufRead;

use super::query::Query;
use super::schema::Schema;
use crate::error::{Context, Error, Result};
use crate::event::BinlogPos;
use crate::event::ddl::{Subject, Text};

/// A longer statement defines no table.
const MOST: usize = 4 << 20;
/// Lines that begin so, behind a conditional comment's begin, are read.
const VERBS: [&str; 5] = ["CREATE", "ALTER", "DROP", "USE", "RENAME"];

/// What a file of definitions tells.
#[derive(Default)]
pub struct Dump {
    /// The tables.
    pub schema: Schema,
    /// The place in the source's binlog that they are of, where the file says it.
    pub place: Option<BinlogPos>,
}

impl Dump {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or defines no table.
    pub fn read(mut input: impl BufRead, name: &str) -> Result<Self> {
        let mut dump = Self { schema: Schema::given(), place: None };
        let (mut database, mut statement, mut line) = (String::new(), String::new(), Vec::new());
        let (mut number, mut delimited, mut defined) = (0, false, 0);
        while read_line(&mut input, &mut line).context(name)? {
            number += 1;
            let Ok(text) = std::str::from_utf8(&line) else { continue };
            if let Some(mark) = text.strip_prefix("DELIMITER ") {
                delimited = mark.trim() != ";";
                continue;
            }
            if delimited {
                continue;
            }
            if statement.is_empty() {
                dump.place = dump.place.take().or_else(|| place(text));
                if let Some((_, named)) =
                    text.split_once("Database: ").filter(|_| text.starts_with("-- Host:"))
                {
                    named.trim().clone_into(&mut database);
                }
                if !begins(text) {
                    continue;
                }
            }
            statement.push_str(text);
            statement.push('\n');
            let ends = text.trim_end().ends_with(';') && Text::read(&statement).is_some();
            if !ends && statement.len() < MOST {
                continue;
            }
            let sql = std::mem::take(&mut statement);
            let sql = sql.trim().trim_end_matches(';');
            defined +=
                u32::from(dump.statement(sql, &mut database, &format!("{name}, line {number}"))?);
        }
        if !statement.trim().is_empty() {
            let place = format!("{name}, line {number}");
            defined += u32::from(dump.statement(statement.trim(), &mut database, &place)?);
        }
        match defined {
            0 => Err(Error::usage("it defines no table").at(name).help(
                "take a dump of the definitions by the server's own tool, or what SHOW CREATE TABLE \
                 prints, with `USE database;` before it",
            )),
            _ => Ok(dump),
        }
    }

    /// Takes a statement; true when it defines a table.
    fn statement(&mut self, sql: &str, database: &mut String, place: &str) -> Result<bool> {
        if let Some(name) =
            sql.get(..4).filter(|verb| verb.eq_ignore_ascii_case("USE ")).and(sql.get(4..))
        {
            *database = name.trim().trim_matches('`').replace("``", "`");
            return Ok(false);
        }
        let subject = Text::read(sql).map(|text| text.subject(database));
        if subject == Some(Subject::Unknown) && database.is_empty() {
            return Err(Error::usage("it names a table without its database")
                .at(place)
                .help("write `USE database;` before it"));
        }
        let creates = matches!(subject, Some(Subject::CreateTable { .. }));
        let (database, sql) = (database.clone(), sql.to_owned());
        self.schema.statement(&Query { thread: 0, database, sql, server_charset: None });
        Ok(creates)
    }
}

/// Reads a line without keeping more of it than a statement may have; false at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = buffer.iter().position(|b| *b == b'\n');
        let taken = end.unwrap_or(buffer.len());
        if line.len() < MOST {
            line.extend_from_slice(&buffer[..taken]);
        }
        input.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn begins(line: &str) -> bool {
    let line = line.trim_start();
    let inner =
        line.strip_prefix("/*!").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let word = inner.unwrap_or(line).split_whitespace().next().unwrap_or_default();
    VERBS.iter().any(|verb| word.eq_ignore_ascii_case(verb))
}

/// The place that a dump says it is of: file and offset of CHANGE MASTER TO, commented or not.
fn place(line: &str) -> Option<BinlogPos> {
    let line = line.trim_start_matches("-- ");
    if !line.starts_with("CHANGE ") {
        return None;
    }
    let behind = |name: &str| line.split_once(name).map(|(_, rest)| rest);
    let file = behind("LOG_FILE='")?.split('\'').next()?;
    let offset = behind("LOG_POS=")?;
    let offset = offset.split(|c: char| !c.is_ascii_digit()).next()?;
    let place = format!("{file}:{offset}");
    BinlogPos::parse(&place).map(|place| place.with_base(place.base.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "-- Host: localhost    Database: \n\
        -- CHANGE MASTER TO MASTER_LOG_FILE='bin.000003', MASTER_LOG_POS=1234;\n\
        CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET latin1 */;\n\
        USE `shop`;\n\
        CREATE TABLE `orders` (\n  `id` int NOT NULL,\n  `note` varchar(20) DEFAULT NULL \
        COMMENT 'one;\ntwo',\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB;\n\
        INSERT INTO `orders` VALUES (1,'CREATE TABLE x (a INT);');\n\
        DELIMITER ;;\nCREATE TABLE inside (a INT);\nDELIMITER ;\n\
        CREATE TABLE `last` (a INT)";

    #[test]
    fn a_dump_tells_definitions_and_their_place() {
        let dump = Dump::read(DUMP.as_bytes(), "dump.sql").expect("definitions");
        let def = dump.schema.table("shop", "orders").expect("a table");
        assert_eq!(def.columns[1].charset.as_deref(), Some("latin1"));
        assert_eq!(def.primary_key, ["id"]);
        assert!(dump.schema.table("shop", "last").is_some());
        assert!(dump.schema.table("shop", "inside").is_none());
        assert_eq!(dump.place.expect("a place").order(), (3, 1234));
        assert!(Dump::read(&b"SELECT 1;\n"[..], "x").is_err());
        assert!(Dump::read(&b"CREATE TABLE t (a INT);\n"[..], "x").is_err());
    }
}
