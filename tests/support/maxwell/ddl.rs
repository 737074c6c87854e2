//! Statements that change definitions, and the messages they become. Understands the statements the tests run, and as
//! little of them as it takes: which tables they name. What has changed is told by the definitions before and after.

use super::{definitions::Schema, text::quoted};

/// Does the producer publish this statement?
pub(super) fn defines(sql: &str) -> bool {
    let mut words = Words(sql);
    matches!(
        (words.next().to_uppercase().as_str(), words.next().to_uppercase().as_str()),
        ("CREATE" | "DROP", "DATABASE" | "TABLE") | ("ALTER" | "RENAME", "TABLE")
    )
}

/// The words of a statement, names without their backticks.
pub(super) fn words(sql: &str) -> Vec<String> {
    let mut words = Words(sql);
    std::iter::from_fn(|| Some(words.next()).filter(|word| !word.is_empty())).collect()
}

/// The first half of each message of a statement, without the brace.
pub(super) fn messages(sql: &str, current: &str, before: &Schema, after: &Schema) -> Vec<String> {
    let plain = sql.replace("IF NOT EXISTS ", "");
    let mut words = Words(&plain);
    let (verb, what) = (words.next().to_uppercase(), words.next().to_uppercase());
    if what == "DATABASE" {
        let name = words.next();
        let kind = verb.to_lowercase();
        let charset = match verb.as_str() {
            "CREATE" => format!(",\"charset\":\"{}\"", after.charset(&name)),
            _ => String::new(),
        };
        return vec![format!(
            "\"type\":\"database-{kind}\",\"database\":{}{charset}",
            quoted(&name)
        )];
    }
    match verb.as_str() {
        "CREATE" => {
            let table = words.table(current);
            let def = &after.table(&table.0, &table.1).json;
            vec![head("create", &table) + &format!(",\"def\":{def}")]
        }
        "DROP" => {
            let mut dropped = vec![head("drop", &words.table(current))];
            while words.next() == "," {
                dropped.push(head("drop", &words.table(current)));
            }
            dropped
        }
        "ALTER" => {
            let table = words.table(current);
            let old = &before.table(&table.0, &table.1).json;
            let new = words.renamed(current).unwrap_or_else(|| table.clone());
            let def = &after.table(&new.0, &new.1).json;
            vec![head("alter", &table) + &format!(",\"old\":{old},\"def\":{def}")]
        }
        _ => renames(words, current, before),
    }
}

/// One message for each pair, each beginning where the last one left the names.
fn renames(mut words: Words<'_>, current: &str, before: &Schema) -> Vec<String> {
    let mut schema = before.clone();
    let mut all = Vec::new();
    loop {
        let from = words.table(current);
        assert_eq!(words.next().to_uppercase(), "TO");
        let to = words.table(current);
        let old = schema.table(&from.0, &from.1).json.clone();
        schema.rename(&from, &to);
        let def = &schema.table(&to.0, &to.1).json;
        all.push(head("alter", &from) + &format!(",\"old\":{old},\"def\":{def}"));
        if words.next() != "," {
            return all;
        }
    }
}

fn head(kind: &str, (database, table): &(String, String)) -> String {
    format!(
        "\"type\":\"table-{kind}\",\"database\":{},\"table\":{}",
        quoted(database),
        quoted(table)
    )
}

/// The words of a statement; a name loses its backticks, a sign is a word of its own.
struct Words<'a>(&'a str);

impl Words<'_> {
    fn next(&mut self) -> String {
        self.0 = self.0.trim_start();
        let end = match self.0.chars().next() {
            None => 0,
            Some('`') => {
                let mut end = 1;
                loop {
                    end += self.0[end..].find('`').expect("a closed name") + 1;
                    match self.0[end..].starts_with('`') {
                        true => end += 1,
                        false => break end,
                    }
                }
            }
            Some(first) if is_letter(first) => {
                self.0.find(|letter| !is_letter(letter)).unwrap_or(self.0.len())
            }
            Some(first) => first.len_utf8(),
        };
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        match word.strip_prefix('`').and_then(|word| word.strip_suffix('`')) {
            Some(name) => name.replace("``", "`"),
            None => word.to_owned(),
        }
    }

    /// The new name, where the rest is `RENAME TO …`.
    fn renamed(&mut self, current: &str) -> Option<(String, String)> {
        let next = [(); 2].map(|()| self.next().to_uppercase());
        (next == ["RENAME", "TO"]).then(|| self.table(current))
    }

    /// A table's name, with its database.
    fn table(&mut self, current: &str) -> (String, String) {
        let first = self.next();
        if self.0.starts_with('.') {
            self.next();
            return (first, self.next());
        }
        (current.to_owned(), first)
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$'
}
