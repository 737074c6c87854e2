//! A place in a statement's tokens, and the names found there.

use std::ops::Range;

use super::parts::table;
use super::token::{Kind, Token};
use crate::error::{Error, Means, Result, Words};
use crate::event::typed::same_name;
use crate::event::{TableName, printable};

/// The next step where a statement is not run.
pub fn by_hand() -> Words {
    Words::from((
        "do at the target by hand what it means, then run the same command again; or leave \
         DDL out with {} insert,update,delete",
        [Means::Type],
    ))
}

pub(super) fn refused(why: impl Into<Words>) -> Error {
    Error::stopped(why).help(by_hand())
}

/// A name in backticks.
pub(super) fn identifier(out: &mut String, name: &str) {
    out.push('`');
    out.push_str(&name.replace('`', "``"));
    out.push('`');
}

pub(super) fn qualified(name: &TableName) -> String {
    let mut text = String::new();
    identifier(&mut text, &name.database);
    text.push('.');
    identifier(&mut text, &name.table);
    text
}

/// A place in the tokens.
pub(super) struct Cursor<'t> {
    pub(super) tokens: &'t [Token],
    pub(super) at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn is(&self, keyword: &str) -> bool {
        self.peek().is_some_and(|t| t.is(keyword))
    }

    /// Takes that keyword, if it is next.
    pub(super) fn word(&mut self, keyword: &str) -> bool {
        let is = self.is(keyword);
        self.at += usize::from(is);
        is
    }

    pub(super) fn sign(&mut self, sign: char) -> bool {
        let is = self.peek().is_some_and(|t| t.is_sign(sign));
        self.at += usize::from(is);
        is
    }

    pub(super) fn expect(&mut self, keyword: &str) -> Result<()> {
        if self.word(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn unexpected(&self) -> Error {
        match self.peek() {
            Some(t) => refused(format!("{:?} is not expected there", printable(&t.value))),
            None => refused("it ends too early"),
        }
    }

    pub(super) fn name(&mut self) -> Result<String> {
        let name = self.peek().and_then(Token::name).ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(name.to_owned())
    }

    /// A value of an option, as it is written.
    pub(super) fn value(&mut self) -> Result<String> {
        let token = self.peek().filter(|t| t.kind != Kind::Sign);
        let token = token.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        let mut text = String::new();
        token.write(&mut text);
        Ok(text)
    }

    pub(super) fn at_end(&self) -> bool {
        self.at == self.tokens.len()
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The name of a table, where it stands, and whether its database is written.
    pub(super) fn table(&mut self) -> Result<Named> {
        let rest = &self.tokens[self.at..];
        let (database, name, after) = table(rest).ok_or_else(|| self.unexpected())?;
        let range = self.at..self.at + rest.len() - after.len();
        self.at = range.end;
        Ok(Named { range, database: database.map(str::to_owned), table: name.to_owned() })
    }

    /// WAIT n and NOWAIT.
    pub(super) fn wait(&mut self) -> Result<()> {
        if self.word("WAIT") {
            self.value()?;
        } else {
            self.word("NOWAIT");
        }
        Ok(())
    }
}

/// A table as the text names it.
pub(super) struct Named {
    pub(super) range: Range<usize>,
    pub(super) database: Option<String>,
    pub(super) table: String,
}

impl Named {
    pub(super) fn is(&self, name: &TableName) -> bool {
        same_name(&self.table, &name.table)
            && self.database.as_ref().is_none_or(|db| same_name(db, &name.database))
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let database = self.database.as_ref().map(|db| format!("{db}.")).unwrap_or_default();
        f.write_str(&printable(&format!("{database}{}", self.table)))
    }
}
