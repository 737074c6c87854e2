//! What a statement is about: which tables it defines, changes by rows, or leaves alone.

use super::clause::Text;
use super::parts::{skip, split, table, word};
use super::token::Token;
use crate::event::TableName;

/// What a statement is about. Names have their database: the session's, where none is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// CREATE DATABASE.
    CreateDatabase {
        /// Its name.
        name: String,
        /// It may have been there before (IF NOT EXISTS).
        existing: bool,
    },
    /// ALTER DATABASE.
    AlterDatabase(String),
    /// DROP DATABASE.
    DropDatabase(String),
    /// CREATE TABLE; `existing`: it may be there already, and stays as it is then.
    CreateTable {
        /// The table.
        name: TableName,
        /// IF NOT EXISTS.
        existing: bool,
    },
    /// ALTER TABLE.
    AlterTable {
        /// The table.
        name: TableName,
        /// Its name afterwards.
        to: TableName,
    },
    /// RENAME TABLE, pair after pair.
    RenameTables(Vec<(TableName, TableName)>),
    /// DROP TABLE.
    DropTables(Vec<TableName>),
    /// TRUNCATE TABLE.
    Truncate(TableName),
    /// CREATE INDEX or DROP INDEX on a table.
    Index(TableName),
    /// Rows are changed by it, and no row event tells which.
    Rows,
    /// Neither rows nor definitions of tables: views, users, temporary tables and the like.
    Nothing,
    /// It is not known what it does.
    Unknown,
}

/// Statements that change rows.
const ROWS: [&str; 9] =
    ["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "CALL", "WITH", "DO", "SELECT"];
/// Statements that change neither rows nor tables. Some begin with what stands in conditional comments.
const NOTHING: [&str; 16] = [
    "GRANT",
    "REVOKE",
    "SET",
    "FLUSH",
    "ANALYZE",
    "OPTIMIZE",
    "REPAIR",
    "CHECK",
    "INSTALL",
    "UNINSTALL",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "XA",
];
/// What CREATE, ALTER and DROP may be about beside tables and databases, behind their attributes.
const OTHERS: [&str; 15] = [
    "VIEW",
    "TRIGGER",
    "PROCEDURE",
    "FUNCTION",
    "EVENT",
    "USER",
    "ROLE",
    "SERVER",
    "TABLESPACE",
    "LOGFILE",
    "PACKAGE",
    "RESOURCE",
    "SPATIAL",
    "INSTANCE",
    "LIBRARY",
];

impl Text {
    /// What the statement is about; `current` is its session's database.
    pub fn subject(&self, current: &str) -> Subject {
        let tokens = self.tokens();
        let Some(first) = tokens.first() else { return Subject::Nothing };
        let is = |words: &[&str]| words.iter().any(|word| first.is(word));
        let found = match first {
            t if t.is("CREATE") => create(self, &tokens[1..], current),
            t if t.is("ALTER") => alter(&tokens[1..], current),
            t if t.is("DROP") => drop(&tokens[1..], current),
            t if t.is("RENAME") => rename(&tokens[1..], current),
            t if t.is("TRUNCATE") => named(skip(&tokens[1..], &["TABLE"]), current)
                .map(|(name, _)| Subject::Truncate(name)),
            _ if is(&ROWS) => Some(Subject::Rows),
            _ if is(&NOTHING) => Some(Subject::Nothing),
            _ => None,
        };
        found.unwrap_or(Subject::Unknown)
    }
}

/// The table that the tokens begin with, and what follows.
fn named<'t>(tokens: &'t [Token], current: &str) -> Option<(TableName, &'t [Token])> {
    let (database, name, rest) = table(tokens)?;
    let database = database.unwrap_or(current);
    (!database.is_empty()).then(|| (TableName::new(database, name), rest))
}

fn is_one(tokens: &[Token], words: &[&str]) -> bool {
    tokens.first().is_some_and(|first| words.iter().any(|word| first.is(word)))
}

/// True for attributes and what they are of (`DEFINER=a@b SQL SECURITY INVOKER VIEW v`).
fn is_other(tokens: &[Token]) -> bool {
    let words = tokens.iter().take(16);
    words.take_while(|t| !t.is("TABLE")).any(|t| OTHERS.iter().any(|other| t.is(other)))
}

fn create(text: &Text, tokens: &[Token], current: &str) -> Option<Subject> {
    let replaces = tokens.len() > 1 && tokens[0].is("OR") && tokens[1].is("REPLACE");
    let tokens = if replaces { &tokens[2..] } else { tokens };
    if is_one(tokens, &["DATABASE", "SCHEMA"]) {
        let (name, _) = word(skip(&tokens[1..], &["IF", "NOT", "EXISTS"]))?;
        let existing = is_one(&tokens[1..], &["IF"]);
        return Some(Subject::CreateDatabase { name: name.to_owned(), existing });
    }
    if is_one(tokens, &["TEMPORARY", "SEQUENCE"]) {
        // A sequence is a table of one row, whose row is left as it is.
        return Some(Subject::Nothing);
    }
    if is_one(tokens, &["TABLE"]) {
        let (name, _) = named(skip(&tokens[1..], &["IF", "NOT", "EXISTS"]), current)?;
        return Some(Subject::CreateTable { name, existing: text.takes_existing() && !replaces });
    }
    if is_one(tokens, &["INDEX", "UNIQUE", "FULLTEXT", "SPATIAL"])
        && !is_one(&tokens[1..], &["REFERENCE"])
    {
        return index(tokens, current);
    }
    is_other(tokens).then_some(Subject::Nothing)
}

/// The table behind ON.
fn index(tokens: &[Token], current: &str) -> Option<Subject> {
    let on = tokens.iter().position(|t| t.is("ON"))?;
    named(&tokens[on + 1..], current).map(|(name, _)| Subject::Index(name))
}

fn alter(tokens: &[Token], current: &str) -> Option<Subject> {
    if is_one(tokens, &["DATABASE", "SCHEMA"]) {
        const OPTIONS: [&str; 6] =
            ["DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "COMMENT", "ENCRYPTION"];
        let name = match is_one(&tokens[1..], &OPTIONS) {
            true => current,
            false => word(&tokens[1..])?.0,
        };
        return Some(Subject::AlterDatabase(name.to_owned()));
    }
    if is_one(tokens, &["SEQUENCE"]) {
        return Some(Subject::Nothing);
    }
    let tokens = skip(tokens, &["ONLINE", "IGNORE"]);
    if !is_one(tokens, &["TABLE"]) {
        return is_other(tokens).then_some(Subject::Nothing);
    }
    let (name, rest) = named(skip(&tokens[1..], &["IF", "EXISTS"]), current)?;
    let to = split(rest).into_iter().find_map(|action| renamed(action, current));
    Some(Subject::AlterTable { to: to.unwrap_or_else(|| name.clone()), name })
}

/// The new name, where an action of ALTER TABLE renames it.
fn renamed(action: &[Token], current: &str) -> Option<TableName> {
    let at = action.iter().position(|t| t.is("RENAME"))?;
    // WAIT n may stand before the first action, nothing else.
    let first = at == 0 || is_one(action, &["WAIT", "NOWAIT"]);
    let rest = &action[at + 1..];
    let part = is_one(rest, &["COLUMN", "INDEX", "KEY"]) && rest.len() > 2;
    if !first || part {
        return None;
    }
    let sign = rest.first().is_some_and(|t| t.is_sign('='));
    let rest = if sign || is_one(rest, &["TO", "AS"]) { &rest[1..] } else { rest };
    named(rest, current).map(|(name, _)| name)
}

fn drop(tokens: &[Token], current: &str) -> Option<Subject> {
    if is_one(tokens, &["DATABASE", "SCHEMA"]) {
        let (name, _) = word(skip(&tokens[1..], &["IF", "EXISTS"]))?;
        return Some(Subject::DropDatabase(name.to_owned()));
    }
    if is_one(tokens, &["TEMPORARY", "SEQUENCE"]) {
        return Some(Subject::Nothing);
    }
    if is_one(tokens, &["TABLE", "TABLES"]) {
        let names = split(skip(&tokens[1..], &["IF", "EXISTS"]));
        let names: Option<Vec<_>> =
            names.into_iter().map(|part| Some(named(part, current)?.0)).collect();
        return names.map(Subject::DropTables);
    }
    if is_one(tokens, &["INDEX"]) {
        return index(tokens, current);
    }
    (is_one(tokens, &["PREPARE"]) || is_other(tokens)).then_some(Subject::Nothing)
}

fn rename(tokens: &[Token], current: &str) -> Option<Subject> {
    if is_one(tokens, &["USER"]) {
        return Some(Subject::Nothing);
    }
    if !is_one(tokens, &["TABLE", "TABLES"]) {
        return None;
    }
    let pair = |part: &[Token]| {
        let (from, rest) = named(part, current)?;
        let rest = match is_one(rest, &["WAIT"]) {
            true => rest.get(2..)?,
            false => skip(rest, &["NOWAIT"]),
        };
        let (to, _) = named(skip(rest, &["TO"]), current)?;
        Some((from, to))
    };
    let pairs = split(skip(&tokens[1..], &["IF", "EXISTS"])).into_iter().map(pair);
    pairs.collect::<Option<Vec<_>>>().map(Subject::RenameTables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_about_tables_or_not() {
        let name = |text: &str| {
            let (database, table) = text.split_once('.').expect("a point");
            TableName::new(database, table)
        };
        for (sql, subject) in [
            ("CREATE TABLE t (a INT)", Subject::CreateTable { name: name("d.t"), existing: false }),
            (
                "create table if not exists `x y`.t like s",
                Subject::CreateTable { name: name("x y.t"), existing: true },
            ),
            (
                "CREATE OR REPLACE TABLE t (a INT)",
                Subject::CreateTable { name: name("d.t"), existing: false },
            ),
            ("CREATE TEMPORARY TABLE t (a INT)", Subject::Nothing),
            ("CREATE DEFINER=`a`@`b` SQL SECURITY INVOKER VIEW v AS SELECT 1", Subject::Nothing),
            ("CREATE UNIQUE INDEX i ON t (a)", Subject::Index(name("d.t"))),
            ("DROP INDEX i ON e.t", Subject::Index(name("e.t"))),
            (
                "ALTER TABLE t ADD b INT, RENAME TO e.u",
                Subject::AlterTable { name: name("d.t"), to: name("e.u") },
            ),
            (
                "ALTER TABLE t RENAME COLUMN a TO b, RENAME INDEX i TO j",
                Subject::AlterTable { name: name("d.t"), to: name("d.t") },
            ),
            ("ALTER DATABASE CHARACTER SET latin1", Subject::AlterDatabase("d".into())),
            (
                "DROP TABLE IF EXISTS `a`,e.b /* generated by server */",
                Subject::DropTables(vec![name("d.a"), name("e.b")]),
            ),
            (
                "RENAME TABLE a TO b, e.c TO e.d",
                Subject::RenameTables(vec![(name("d.a"), name("d.b")), (name("e.c"), name("e.d"))]),
            ),
            ("TRUNCATE t", Subject::Truncate(name("d.t"))),
            ("/* c */ INSERT INTO t VALUES (1)", Subject::Rows),
            ("GRANT ALL ON *.* TO a", Subject::Nothing),
            ("# Dum", Subject::Nothing),
            ("HANDLER t OPEN", Subject::Unknown),
        ] {
            assert_eq!(Text::read(sql).expect("tokens").subject("d"), subject, "{sql}");
        }
        assert_eq!(Text::read("DROP TABLE t").expect("tokens").subject(""), Subject::Unknown);
    }
}
