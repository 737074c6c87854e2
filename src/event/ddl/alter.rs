//! The definition that an ALTER TABLE leaves, from the one before and its text.

use super::clause::Text;
use super::define::{Defaults, column, key_columns, named_charset, settle_key, widest};
use super::parts::{group, is_column, skip, split, word};
use super::token::Token;
use crate::event::def::{Column, Kind, TableDef};
use crate::event::typed::same_name;

impl Text {
    /// The table as an ALTER TABLE leaves it, but for its name; `None` where the text does not tell.
    pub fn alters(&self, before: &TableDef, defaults: Defaults<'_>) -> Option<TableDef> {
        let rest = self.body("ALTER")?;
        let mut def = before.clone();
        let actions = split(rest);
        // The table's own character set counts for the columns that are added, wherever it stands.
        for action in &actions {
            if !is_one(action, &["ADD", "MODIFY", "CHANGE", "CONVERT", "ALTER"]) {
                def.charset = named_charset(action).or(def.charset);
            }
        }
        for action in actions {
            act(&mut def, action, defaults)?;
            // The server reads all names as they were before: where two actions give and take one, this does not.
            if has_twice(&def) {
                return None;
            }
        }
        settle_key(&mut def);
        Some(def)
    }
}

fn is_one(tokens: &[Token], words: &[&str]) -> bool {
    tokens.first().is_some_and(|first| words.iter().any(|word| first.is(word)))
}

fn place(def: &TableDef, name: &str) -> Option<usize> {
    def.columns.iter().position(|column| same_name(&column.name, name))
}

fn has_twice(def: &TableDef) -> bool {
    (0..).zip(&def.columns).any(|(at, column)| place(def, &column.name) != Some(at))
}

fn act(def: &mut TableDef, action: &[Token], defaults: Defaults<'_>) -> Option<()> {
    let Some((first, rest)) = action.split_first() else { return Some(()) };
    match first {
        t if t.is("ADD") => add(def, rest, defaults),
        t if t.is("MODIFY") => {
            let rest = skip(rest, &["COLUMN", "IF", "EXISTS"]);
            let (name, _) = word(rest)?;
            replace(def, name, rest, defaults)
        }
        t if t.is("CHANGE") => {
            let (was, rest) = word(skip(rest, &["COLUMN", "IF", "EXISTS"]))?;
            replace(def, was, rest, defaults)
        }
        t if t.is("DROP") => drop(def, rest),
        t if t.is("RENAME") && is_one(rest, &["COLUMN"]) && rest.len() > 2 => {
            let (was, rest) = word(skip(&rest[1..], &["IF", "EXISTS"]))?;
            let (name, _) = word(skip(rest, &["TO"]))?;
            let at = place(def, was)?;
            rename(def, at, name);
            Some(())
        }
        t if t.is("CONVERT") && is_one(rest, &["TO"]) => {
            let charset = named_charset(rest)?;
            convert(def, &charset);
            Some(())
        }
        _ => Some(()),
    }
}

fn add(def: &mut TableDef, rest: &[Token], defaults: Defaults<'_>) -> Option<()> {
    if let Some(key) = key_columns(rest) {
        def.primary_key = key;
        return Some(());
    }
    if is_one(rest, &["PARTITION"]) || !is_column(rest) {
        return Some(());
    }
    if is_one(rest, &["SYSTEM"]) {
        return None;
    }
    let rest = skip(rest, &["COLUMN"]);
    let existing = is_one(rest, &["IF"]);
    let rest = skip(rest, &["IF", "NOT", "EXISTS"]);
    let Some(inside) = group(rest) else {
        return insert(def, rest, existing, defaults);
    };
    for part in split(inside) {
        match key_columns(part) {
            Some(key) => def.primary_key = key,
            None if is_column(part) => insert(def, part, existing, defaults)?,
            None => {}
        }
    }
    Some(())
}

/// Adds a column at its place.
fn insert(
    def: &mut TableDef,
    tokens: &[Token],
    existing: bool,
    defaults: Defaults<'_>,
) -> Option<()> {
    let charset = def.charset.as_deref().or(defaults.charset);
    let (column, is_key) = column(tokens, charset, defaults.checked_json)?;
    match place(def, &column.name) {
        Some(_) if existing => return Some(()),
        Some(_) => return None,
        None => {}
    }
    if is_key {
        def.primary_key = vec![column.name.clone()];
    }
    put(def, column, tokens, None)
}

/// Puts a column where `FIRST` or `AFTER` says, else where it was, else at the end.
fn put(def: &mut TableDef, column: Column, tokens: &[Token], was: Option<usize>) -> Option<()> {
    let at = match tokens {
        [.., first] if first.is("FIRST") => 0,
        [.., after, name] if after.is("AFTER") => place(def, name.name()?)? + 1,
        _ => was.unwrap_or(def.columns.len()),
    };
    def.columns.insert(at, column);
    Some(())
}

/// Defines a column anew.
fn replace(def: &mut TableDef, was: &str, tokens: &[Token], defaults: Defaults<'_>) -> Option<()> {
    let charset = def.charset.as_deref().or(defaults.charset);
    let (column, is_key) = column(tokens, charset, defaults.checked_json)?;
    let at = place(def, was)?;
    rename(def, at, &column.name);
    if is_key {
        def.primary_key = vec![column.name.clone()];
    }
    def.columns.remove(at);
    put(def, column, tokens, Some(at))
}

fn rename(def: &mut TableDef, at: usize, name: &str) {
    let was = std::mem::replace(&mut def.columns[at].name, name.to_owned());
    for key in &mut def.primary_key {
        if same_name(key, &was) {
            *key = name.to_owned();
        }
    }
}

fn drop(def: &mut TableDef, rest: &[Token]) -> Option<()> {
    if is_one(rest, &["PRIMARY"]) && rest.get(1).is_some_and(|t| t.is("KEY")) {
        def.primary_key.clear();
        return Some(());
    }
    if is_one(rest, &["SYSTEM"]) && rest.len() > 1 {
        return None;
    }
    let named = is_one(rest, &["COLUMN"]);
    let rest = if named { &rest[1..] } else { rest };
    let existing = is_one(rest, &["IF"]);
    let (name, behind) = word(skip(rest, &["IF", "EXISTS"]))?;
    // DROP COLUMN alone names a column in one word; keys and constraints take two.
    if !behind.is_empty() && !is_one(behind, &["RESTRICT", "CASCADE"]) {
        return Some(());
    }
    let Some(at) = place(def, name) else { return existing.then_some(()) };
    let gone = def.columns.remove(at).name;
    def.primary_key.retain(|key| !same_name(key, &gone));
    Some(())
}

/// Gives every text column another character set; a TEXT whose letters become longer gets more room.
fn convert(def: &mut TableDef, charset: &str) {
    def.charset = Some(charset.to_owned());
    for column in &mut def.columns {
        if !matches!(column.kind, Kind::Text | Kind::Enum | Kind::Set) {
            continue;
        }
        let longer = column.charset.as_deref().is_none_or(|was| widest(was) < widest(charset));
        if longer {
            column.type_name = match column.type_name.as_str() {
                "tinytext" => "text".into(),
                "text" => "mediumtext".into(),
                "mediumtext" => "longtext".into(),
                _ => std::mem::take(&mut column.type_name),
            };
        }
        column.charset = Some(charset.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TableName;

    fn altered(sql: &str) -> Option<String> {
        let text =
            Text::read("CREATE TABLE t (a INT PRIMARY KEY, b TEXT, c CHAR(3))").expect("tokens");
        let defaults = Defaults { charset: Some("latin1"), checked_json: false };
        let def = text.creates(&TableName::new("d", "t"), defaults).expect("a definition");
        let def =
            Text::read(&format!("ALTER TABLE t {sql}")).expect("tokens").alters(&def, defaults)?;
        let columns: Vec<String> =
            def.columns.iter().map(|c| format!("{} {}", c.name, c.type_name)).collect();
        Some(format!("{} [{}]", columns.join(", "), def.primary_key.join(",")))
    }

    #[test]
    fn an_alter_leaves_another_definition() {
        for (sql, left) in [
            (
                "ADD d INT, ADD e INT FIRST, ADD COLUMN f INT AFTER a",
                "e int, a int, f int, b text, c char, d int [a]",
            ),
            ("ADD (d INT, e INT), DROP b", "a int, c char, d int, e int [a]"),
            ("DROP PRIMARY KEY, ADD PRIMARY KEY (C)", "a int, b text, c char [c]"),
            ("CHANGE a x BIGINT, MODIFY c VARCHAR(9) FIRST", "c varchar, x bigint, b text [x]"),
            ("RENAME COLUMN a TO z, RENAME TO u", "z int, b text, c char [z]"),
            ("CONVERT TO CHARACTER SET utf8mb4", "a int, b mediumtext, c char [a]"),
            (
                "ENGINE=InnoDB, ADD INDEX (b(3)), DROP INDEX i, DROP FOREIGN KEY f",
                "a int, b text, c char [a]",
            ),
            (
                "ADD COLUMN IF NOT EXISTS a BIGINT, DROP COLUMN IF EXISTS q",
                "a int, b text, c char [a]",
            ),
            ("DROP a", "b text, c char []"),
        ] {
            assert_eq!(altered(sql).as_deref(), Some(left), "{sql}");
        }
        for crossed in [
            "RENAME COLUMN b TO c, RENAME COLUMN c TO b",
            "CHANGE b c TEXT, CHANGE c b TEXT",
            "CHANGE b c TEXT, CHANGE c d TEXT",
            "CHANGE b c TEXT, DROP c",
        ] {
            assert_eq!(altered(crossed), None, "{crossed}");
        }
        assert_eq!(altered("DROP q"), None);
        assert_eq!(altered("ADD a INT"), None);
        assert_eq!(altered("ADD SYSTEM VERSIONING"), None);
    }
}
