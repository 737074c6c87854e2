//! The shape of each kind of statement: its tables are those of its messages, and get their
//! database.

use std::ops::Range;

use super::clause::Text;
use super::cursor::{Cursor, Named, qualified, refused};
use super::parts::split;
use super::server::Server;
use super::statement::Statement;
use super::token::Token;
use super::told::Told;
use super::{database, words};
use crate::error::{Error, Result};
use crate::event::{Op, TableName};

impl Statement {
    /// Checks what the messages tell; `source` is the server it ran on, where known.
    ///
    /// # Errors
    /// When the text is not what the messages say, or names what they do not tell.
    pub fn checked(told: Told, source: Option<Server>) -> Result<Self> {
        let checked = check(&told, source, &TableName::clone);
        checked.map_err(|e| not_run(&told, e))
    }

    /// The same statement where its tables have other names, which `names` gives. What is written is
    /// read again, and has to say the same.
    ///
    /// # Errors
    /// When the text is not what the messages say, or does not survive that.
    pub fn renamed(
        told: &Told,
        source: Option<Server>,
        names: &dyn Fn(&TableName) -> TableName,
    ) -> Result<Self> {
        let renamed = || {
            let text = check(told, source, names)?.text;
            let there = Told { sql: text.clone(), ..told.renamed(names) };
            let again = check(&there, None, &TableName::clone)?;
            match again.text == text {
                true => Ok(again),
                false => Err(refused("under other names it would be read otherwise")),
            }
        };
        renamed().map_err(|e| not_run(told, e))
    }
}

fn not_run(told: &Told, e: Error) -> Error {
    e.at(format!("{}\n  it is not run", told.place()))
}

/// Holds a text against what its messages say, and writes it with the names that `names` gives.
fn check(
    told: &Told,
    source: Option<Server>,
    names: &dyn Fn(&TableName) -> TableName,
) -> Result<Statement> {
    let tokens = told.tokens(source)?;
    if matches!(told.op, Op::DatabaseCreate | Op::DatabaseAlter | Op::DatabaseDrop) {
        let text = database::text(&mut Cursor { tokens: &tokens, at: 0 }, told, names)?;
        return Ok(statement(told, text, tokens));
    }
    let mut shape = Shape {
        names,
        told,
        tokens: &tokens,
        edits: Vec::new(),
        own: None,
        others: Vec::new(),
        reads: Vec::new(),
        replaces: false,
        partitions: false,
    };
    let mut cursor = Cursor { tokens: &tokens, at: 0 };
    let text = match told.op {
        Op::TableCreate => shape.create(&mut cursor)?,
        Op::TableAlter if cursor.is("RENAME") => shape.rename(&mut cursor)?,
        Op::TableAlter if cursor.is("TRUNCATE") => shape.truncate(&mut cursor)?,
        Op::TableAlter if cursor.is("CREATE") || cursor.is("DROP") => shape.index(&mut cursor)?,
        Op::TableAlter => shape.alter(&mut cursor)?,
        Op::TableDrop => shape.drop(&mut cursor)?,
        op => return Err(refused(format!("{} is no statement", op.name()))),
    };
    let Shape { others, reads, replaces, partitions, .. } = shape;
    Ok(Statement { others, reads, replaces, partitions, ..statement(told, text, tokens) })
}

fn statement(told: &Told, text: String, tokens: Vec<Token>) -> Statement {
    Statement {
        told: told.clone(),
        charsets: [
            words::values(&tokens, &["CHARSET"]),
            words::values(&tokens, &["CHARACTER", "SET"]),
        ]
        .concat(),
        collations: words::values(&tokens, &["COLLATE"]),
        engines: words::engines(&tokens),
        text,
        clauses: Text::of(tokens).clauses(),
        others: Vec::new(),
        reads: Vec::new(),
        replaces: false,
        partitions: false,
    }
}

struct Shape<'t> {
    /// The name that a table is written with.
    names: &'t dyn Fn(&TableName) -> TableName,
    told: &'t Told,
    tokens: &'t [Token],
    /// What is written in place of tokens.
    edits: Vec<(Range<usize>, String)>,
    /// The session's own database, where a name without one tells it.
    own: Option<String>,
    others: Vec<TableName>,
    reads: Vec<TableName>,
    replaces: bool,
    partitions: bool,
}

impl Shape<'_> {
    fn qualified(&self, name: &TableName) -> String {
        qualified(&(self.names)(name))
    }

    /// Takes the name of a table that the messages tell.
    fn told(&mut self, named: &Named, name: &TableName) -> Result<()> {
        if !named.is(name) {
            return Err(refused(format!("it names the table {named}, its message {name}")));
        }
        if named.database.is_none() {
            self.session_in(&name.database)?;
        }
        self.edits.push((named.range.clone(), self.qualified(name)));
        Ok(())
    }

    fn session_in(&mut self, database: &str) -> Result<()> {
        match &self.own {
            Some(own) if own != database => Err(refused(format!(
                "names without a database are told to be of {own:?} and of {database:?}"
            ))),
            _ => {
                self.own = Some(database.to_owned());
                Ok(())
            }
        }
    }

    /// Takes the name of a table that no message tells.
    fn other(&mut self, named: &Named) -> Result<TableName> {
        let database = named.database.clone().or_else(|| self.own.clone()).ok_or_else(|| {
            refused(format!(
                "it names the table {named} without its database, and which one the session was in \
                 no message tells"
            ))
        })?;
        let name = TableName::new(database, named.table.clone());
        self.edits.push((named.range.clone(), self.qualified(&name)));
        Ok(name)
    }

    fn only(&self) -> Result<&TableName> {
        match &self.told.tables[..] {
            [name] => Ok(name),
            _ => Err(refused("several messages tell of a statement on one table")),
        }
    }

    fn create(&mut self, cursor: &mut Cursor<'_>) -> Result<String> {
        cursor.expect("CREATE")?;
        if cursor.word("OR") {
            cursor.expect("REPLACE")?;
            self.replaces = true;
        }
        cursor.expect("TABLE")?;
        if cursor.word("IF") {
            cursor.expect("NOT")?;
            cursor.expect("EXISTS")?;
        }
        let (named, name) = (cursor.table()?, self.only()?.clone());
        self.told(&named, &name)?;
        let start = cursor.at;
        let open = cursor.sign('(');
        if cursor.word("LIKE") {
            let named = cursor.table()?;
            let like = self.other(&named)?;
            self.reads.push(like);
            if open && !cursor.sign(')') {
                return Err(cursor.unexpected());
            }
            cursor.end()?;
            return Ok(self.text());
        }
        if !open {
            return Err(refused("it defines no columns"));
        }
        if let Some(def) = self.told.after.iter().find(|def| def.name() != name) {
            return Err(refused(format!(
                "its message is about {name}, the definition in it about {}",
                def.name()
            )));
        }
        self.body(start, &name.database)?;
        Ok(self.text())
    }

    fn alter(&mut self, cursor: &mut Cursor<'_>) -> Result<String> {
        cursor.expect("ALTER")?;
        cursor.word("ONLINE");
        cursor.word("IGNORE");
        cursor.expect("TABLE")?;
        if cursor.word("IF") {
            cursor.expect("EXISTS")?;
        }
        let (named, name) = (cursor.table()?, self.only()?.clone());
        let (before, after) = match (&self.told.before[..], &self.told.after[..]) {
            ([before], [after]) => (before.name(), after.name()),
            _ => (name.clone(), name.clone()),
        };
        if before != name {
            return Err(refused(format!(
                "its message is about {name}, the definition in it about {before}"
            )));
        }
        self.told(&named, &name)?;
        cursor.wait()?;
        let start = cursor.at;
        let mut renamed = false;
        let mut at = start;
        for clause in split(&self.tokens[start..]) {
            let mut clause = Cursor { tokens: &self.tokens[..at + clause.len()], at };
            renamed |= self.action(&mut clause, &after)?;
            at = clause.tokens.len() + 1;
        }
        if !renamed && after != name {
            return Err(refused(format!("its message says that {name} becomes {after}")));
        }
        self.body(start, &after.database)?;
        Ok(self.text())
    }

    /// TRUNCATE TABLE, which the server's binlog tells, and Maxwell does not.
    fn truncate(&mut self, cursor: &mut Cursor<'_>) -> Result<String> {
        cursor.expect("TRUNCATE")?;
        cursor.word("TABLE");
        let (named, name) = (cursor.table()?, self.only()?.clone());
        self.told(&named, &name)?;
        cursor.wait()?;
        cursor.end()?;
        Ok(format!("TRUNCATE TABLE {}", self.qualified(&name)))
    }

    /// CREATE INDEX and DROP INDEX, as well.
    fn index(&mut self, cursor: &mut Cursor<'_>) -> Result<String> {
        let indexes = |t: &Token| t.is("INDEX");
        let on = self.tokens.iter().position(|t| t.is("ON"));
        let on = on.filter(|on| self.tokens[..*on].iter().any(indexes));
        cursor.at = on.ok_or_else(|| refused("it names no table"))? + 1;
        let (named, name) = (cursor.table()?, self.only()?.clone());
        self.told(&named, &name)?;
        self.body(0, &name.database)?;
        Ok(self.text())
    }

    /// Looks at one action of ALTER TABLE for the names of tables; true when it renames.
    fn action(&mut self, cursor: &mut Cursor<'_>, after: &TableName) -> Result<bool> {
        let others = cursor.tokens[cursor.at..].iter().skip(1).any(|t| t.is("TABLE"));
        if cursor.word("RENAME") {
            let next = cursor.tokens.get(cursor.at + 1);
            let to = cursor.tokens.get(cursor.at + 2).is_some_and(|t| t.is("TO"));
            let part = ["COLUMN", "INDEX", "KEY"].iter().any(|word| cursor.is(word));
            if part && (to || next.is_some_and(|t| t.is("IF"))) {
                return Ok(false);
            }
            if !cursor.word("TO") && !cursor.word("AS") {
                cursor.sign('=');
            }
            let from = cursor.at;
            let named = cursor.table()?;
            if !named.is(after) {
                return Err(refused(format!("it renames to {named}, its message to {after}")));
            }
            cursor.end()?;
            // AS is taken out with it, which stands for rows elsewhere.
            let lead = if self.tokens[from - 1].is("RENAME") { from } else { from - 1 };
            self.edits.push((lead..named.range.end, format!(" TO {}", self.qualified(after))));
            return Ok(true);
        }
        let place =
            self.tokens[..cursor.tokens.len()].iter().skip(cursor.at).position(|t| t.is("TABLE"));
        if cursor.is("EXCHANGE") || cursor.is("CONVERT") && others {
            let table_at = cursor.at + place.ok_or_else(|| cursor.unexpected())?;
            let mut named = Cursor { tokens: cursor.tokens, at: table_at + 1 };
            let named = named.table()?;
            let other = self.other(&named)?;
            // The word is looked for elsewhere.
            let with = self.tokens[table_at - 1].is("WITH");
            let (lead, words) =
                if with { (table_at - 1, "WITH TABLE") } else { (table_at, "TABLE") };
            let edit =
                self.edits.pop().map(|(range, text)| (lead..range.end, format!("{words} {text}")));
            self.edits.extend(edit);
            self.others.push(other);
            self.partitions = true;
        } else if cursor.is("DROP") || cursor.is("TRUNCATE") {
            self.partitions |= cursor.tokens.get(cursor.at + 1).is_some_and(|t| t.is("PARTITION"));
        }
        Ok(false)
    }

    fn rename(&mut self, cursor: &mut Cursor<'_>) -> Result<String> {
        cursor.expect("RENAME")?;
        if !cursor.word("TABLE") && !cursor.word("TABLES") {
            return Err(cursor.unexpected());
        }
        if cursor.word("IF") {
            cursor.expect("EXISTS")?;
        }
        let told = self.told;
        let messages = told.before.iter().zip(&told.after);
        let pairs: Vec<_> = messages.map(|(b, a)| (b.name(), a.name())).collect();
        let from: Vec<_> = pairs.iter().map(|(before, _)| before).collect();
        if !from.iter().copied().eq(&told.tables) {
            return Err(refused("its messages do not tell the names before and after"));
        }
        let mut text = "RENAME TABLE".to_owned();
        for (n, (before, after)) in pairs.iter().enumerate() {
            if n > 0 && !cursor.sign(',') {
                return Err(refused("it renames fewer tables than its messages tell"));
            }
            let named = cursor.table()?;
            self.told(&named, before)?;
            cursor.wait()?;
            cursor.expect("TO")?;
            let named = cursor.table()?;
            self.told(&named, after)?;
            let comma = if n > 0 { "," } else { "" };
            let (before, after) = (self.qualified(before), self.qualified(after));
            text.push_str(&format!("{comma} {before} TO {after}"));
        }
        cursor.end().map_err(|_| refused("it renames more tables than its messages tell"))?;
        Ok(text)
    }

    /// DROP TABLE is made anew from the messages: what else it names was not there, or is not
    /// published.
    fn drop(&mut self, cursor: &mut Cursor<'_>) -> Result<String> {
        cursor.expect("DROP")?;
        if !cursor.word("TABLE") && !cursor.word("TABLES") {
            return Err(cursor.unexpected());
        }
        let mut text = "DROP TABLE ".to_owned();
        if cursor.word("IF") {
            cursor.expect("EXISTS")?;
            text.push_str("IF EXISTS ");
        }
        let mut names = vec![cursor.table()?];
        while cursor.sign(',') {
            names.push(cursor.table()?);
        }
        cursor.wait()?;
        let _ = cursor.word("RESTRICT") || cursor.word("CASCADE");
        cursor.end()?;
        let told = self.told;
        for (n, name) in told.tables.iter().enumerate() {
            let found = names.iter().position(|named| named.is(name));
            let found = found.ok_or_else(|| {
                refused(format!("it does not name the table {name} of one of its messages"))
            })?;
            let named = names.remove(found);
            self.told(&named, name)?;
            text.push_str(if n > 0 { ", " } else { "" });
            text.push_str(&self.qualified(name));
        }
        Ok(text)
    }

    /// Looks through columns, indexes and options, which stand from `start` on.
    fn body(&mut self, start: usize, child: &str) -> Result<()> {
        // What a name replaces was looked at.
        let seen = |n: usize| self.edits.iter().any(|(range, _)| range.contains(&n));
        let rest: Vec<Token> = (start..self.tokens.len())
            .filter(|n| !seen(*n))
            .map(|n| self.tokens[n].clone())
            .collect();
        if let Some(why) = words::banned(&rest) {
            return Err(refused(why));
        }
        for at in start..self.tokens.len() {
            if !self.tokens[at].is("REFERENCES") {
                continue;
            }
            let named = Cursor { tokens: self.tokens, at: at + 1 }.table()?;
            // A parent without a database is one of the child's.
            let database = named.database.clone().unwrap_or_else(|| child.to_owned());
            let parent = TableName::new(database, named.table.clone());
            self.edits.push((named.range, self.qualified(&parent)));
            self.reads.push(parent);
        }
        Ok(())
    }

    /// The text with its names replaced.
    fn text(&mut self) -> String {
        self.edits.sort_by_key(|(range, _)| range.start);
        let (mut text, mut at) = (String::new(), 0);
        let mut edits = self.edits.iter().peekable();
        while let Some(token) = self.tokens.get(at) {
            if token.apart && !text.is_empty() {
                text.push(' ');
            }
            match edits.next_if(|(range, _)| range.start == at) {
                Some((range, name)) => {
                    text.push_str(name);
                    at = range.end;
                }
                None => {
                    token.write(&mut text);
                    at += 1;
                }
            }
        }
        text
    }
}
