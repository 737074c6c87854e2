//! What the messages of one statement say.

use super::super::def::TableDef;
use super::super::{Op, Seq, TableName, printable};
use super::clause::Text;
use super::cursor::{by_hand, refused};
use super::server::{Server, has_run};
use super::token::{self, Token, Unread};
use crate::error::{Error, Means, Result};

/// What the messages of one statement say.
#[derive(Clone, Debug)]
pub struct Told {
    /// Sequence of the first message.
    pub seq: Seq,
    /// The text, as it came.
    pub sql: String,
    /// What it does.
    pub op: Op,
    /// When it ran at the source, milliseconds since 1970.
    pub ts_ms: i64,
    /// Character set of the database it creates.
    pub charset: Option<String>,
    /// The table (or database) of each message, in order.
    pub tables: Vec<TableName>,
    /// Definitions before, where the messages have them: one for each message of an ALTER.
    pub before: Vec<TableDef>,
    /// Definitions afterwards, one for each message of a CREATE or ALTER.
    pub after: Vec<TableDef>,
}

impl Told {
    /// Every table (or database) the messages name, each once.
    pub fn names(&self) -> Vec<TableName> {
        let mut names: Vec<TableName> = Vec::new();
        let defined = self.before.iter().chain(&self.after).map(TableDef::name);
        for name in self.tables.iter().cloned().chain(defined) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What the messages would say where their tables have the names that `names` gives.
    #[must_use]
    pub fn renamed(&self, names: &dyn Fn(&TableName) -> TableName) -> Self {
        let def = |def: &TableDef| {
            let TableName { database, table } = names(&def.name());
            TableDef { database, table, ..def.clone() }
        };
        Self {
            tables: self.tables.iter().map(names).collect(),
            before: self.before.iter().map(def).collect(),
            after: self.after.iter().map(def).collect(),
            ..self.clone()
        }
    }

    /// The table of that name as the statement leaves it; `None` when it leaves none.
    ///
    /// Several messages of one statement follow one another: in a ring of renames a name comes
    /// and goes.
    pub fn leaves(&self, name: &TableName) -> Option<&TableDef> {
        let mut left = None;
        for i in 0..self.before.len().max(self.after.len()) {
            if self.before.get(i).is_some_and(|def| def.name() == *name) {
                left = None;
            }
            left = self.after.get(i).filter(|def| def.name() == *name).or(left);
        }
        left
    }

    /// The columns of the table of that name as the statement leaves it; none when it leaves none.
    pub fn columns_left(&self, name: &TableName) -> Vec<&str> {
        columns(self.leaves(name))
    }

    /// True when the columns alone tell the tables before the statement from those after it.
    pub fn shows(&self) -> bool {
        let before = |name: &TableName| self.before.iter().find(|def| def.name() == *name);
        let alters = |name: &TableName| columns(before(name)) != self.columns_left(name);
        matches!(self.op, Op::TableCreate | Op::TableDrop) || self.names().iter().any(alters)
    }

    /// True for TRUNCATE TABLE: the table stays, its rows go, and no message tells them.
    pub fn truncates(&self) -> bool {
        self.op == Op::TableAlter && Text::read(&self.sql).is_some_and(|text| text.truncates())
    }

    /// Its message and the beginning of its text, safe to print.
    pub fn place(&self) -> String {
        let short: String = self.sql.chars().take(300).collect();
        let dots = if short.len() < self.sql.len() { "…" } else { "" };
        let text = short.replace(['\n', '\r', '\t'], " ");
        format!("DDL statement (message {}): {}{dots}", self.seq, printable(&text))
    }

    /// The tokens of the one statement that the text has to be.
    pub(super) fn tokens(&self, source: Option<Server>) -> Result<Vec<Token>> {
        let runs = |condition| has_run(source, condition);
        // Makes no difference anywhere, and every dump by mysqldump 8 has it.
        let sql = match self.op {
            Op::DatabaseCreate => self.sql.replace("/*!80016 DEFAULT ENCRYPTION='N' */", " "),
            _ => self.sql.clone(),
        };
        let read = |ansi| token::read(&sql, &runs, ansi).map_err(unread);
        let mut tokens = read(false).or_else(|e| read(true).map_err(|_| e))?;
        if token::has_ansi_names(&tokens) {
            tokens = read(true)?;
        }
        while tokens.last().is_some_and(|t| t.is_sign(';')) {
            tokens.pop();
        }
        // MySQL logs CREATE … SELECT so, which would leave the session in a transaction.
        if let [.., start, transaction] = &tokens[..]
            && self.op == Op::TableCreate
            && start.is("START")
            && transaction.is("TRANSACTION")
        {
            tokens.truncate(tokens.len() - 2);
        }
        Ok(tokens)
    }
}

fn columns(def: Option<&TableDef>) -> Vec<&str> {
    def.into_iter().flat_map(|def| &def.columns).map(|c| c.name.as_str()).collect()
}

fn unread(unread: Unread) -> Error {
    match unread {
        Unread::Broken(why) => refused(why),
        Unread::Comment(text) => {
            let short: String = text.chars().take(80).collect();
            Error::stopped(format!(
                "some servers run what stands in {:?}, and whether the source has is not known",
                printable(&short)
            ))
            .help(
                "store the source's version with `" + Means::SchemaAdd + " URL`; else " + by_hand(),
            )
        }
    }
}
