//! Patterns of tables as they are typed, and what was meant by one that matches nothing.

use std::fmt;

use globset::{Glob, GlobBuilder, GlobMatcher};

use crate::error::{Error, Means, Result, Words};
use crate::event::{TableName, printable};

/// Names that are shown for one that was not found.
const SHOWN: usize = 5;

/// One pattern, matched against `database.table`.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

impl Pattern {
    /// Reads what was typed, which may be several patterns.
    ///
    /// # Errors
    /// When one cannot be read (usage).
    pub(super) fn read(typed: &[String]) -> Result<Vec<Self>> {
        split(typed).into_iter().map(Self::new).collect()
    }

    fn new(text: String) -> Result<Self> {
        let glob = Glob::new(&text).map_err(|e| {
            Error::usage(format!("table glob {text:?}: {}", e.kind()))
                .help("write it as database.table, with * and ? as wildcards, as in 'shop.*'")
        })?;
        Ok(Self { matcher: glob.compile_matcher(), text })
    }

    pub(super) fn glob(&self) -> &Glob {
        self.matcher.glob()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The table that it names, where it has no wildcards.
    pub(super) fn name(&self) -> Option<TableName> {
        let plain = !self.text.contains(|c: char| "*?[]{}\\".contains(c));
        let (database, table) = self.text.split_once('.').filter(|_| plain)?;
        (!table.is_empty()).then(|| TableName::new(database, table))
    }

    /// True for a pattern that book-keeping matches.
    pub(super) fn is_of_housekeeping(&self) -> bool {
        let tables = [("maxwell", "bootstrap"), ("maxwell", "heartbeats"), ("binsync", "progress")];
        tables.iter().any(|(database, table)| self.matches(&TableName::new(*database, *table)))
    }

    fn matches(&self, name: &TableName) -> bool {
        self.matcher.is_match(full(name))
    }
}

/// How a table is matched; of a statement on a database, the name ends with the dot.
pub(super) fn full(name: &TableName) -> String {
    format!("{}.{}", name.database, name.table)
}

/// Takes patterns apart as they are meant: commas part them, and what stands between backticks is
/// a name as it is, whatever it holds.
pub fn split(typed: &[String]) -> Vec<String> {
    typed.iter().flat_map(|text| split_one(text)).collect()
}

fn split_one(typed: &str) -> Vec<String> {
    // A backtick alone is a part of a name.
    let quotes = typed.matches('`').count().is_multiple_of(2);
    let (mut quoted, mut depth) = (false, 0_usize);
    let mut parts = vec![String::new()];
    let mut chars = typed.chars().peekable();
    while let Some(c) = chars.next() {
        let mut rest = [0; 4];
        let mut piece = &*c.encode_utf8(&mut rest);
        let literal;
        match c {
            '`' if quotes && quoted && chars.next_if_eq(&'`').is_some() => {}
            '`' if quotes => {
                quoted = !quoted;
                continue;
            }
            _ if quoted => {
                literal = globset::escape(piece);
                piece = &literal;
            }
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            '\\' => {
                literal = chars.next().map_or(String::from(c), |next| format!("{c}{next}"));
                piece = &literal;
            }
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(piece);
        }
    }
    let mut parts: Vec<String> = parts.iter().map(|part| part.trim().to_owned()).collect();
    if parts.iter().any(|part| !part.is_empty()) {
        parts.retain(|part| !part.is_empty());
    }
    parts
}

/// What is typed for a name as it is.
pub(super) fn literal(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Refuses patterns that none of the tables matches.
///
/// # Errors
/// As said, with the names that may have been meant (usage).
pub(super) fn check<'p>(
    patterns: impl Iterator<Item = (Means, &'p Pattern)>,
    tables: &[TableName],
) -> Result<()> {
    let missing: Vec<(Means, &Pattern)> =
        patterns.filter(|(_, p)| !tables.iter().any(|name| p.matches(name))).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.iter().map(|(way, p)| *way + format!(" {}", Shown(&p.text)));
    let near: Vec<String> = missing.iter().flat_map(|(_, p)| nearest(&p.text, tables)).collect();
    let help = match near.is_empty() {
        false => format!("did you mean {}?", joined(near)),
        true => {
            let names = named(tables).map(typed).collect();
            format!("there is {}; write DATABASE.TABLE, with * and ? as wildcards", joined(names))
        }
    };
    Err(Error::usage(Words::from("no table matches ") + Words::joined(list, " or ")).help(help))
}

/// Names that may have been meant by one that is not there, or of which nothing is.
pub fn near(name: &TableName, tables: &[TableName]) -> Option<String> {
    let mut near = nearest(&globset::escape(&full(name)), tables);
    near.retain(|other| *other != typed(name));
    (!near.is_empty()).then(|| joined(near))
}

/// The first few, each once.
fn joined(mut names: Vec<String>) -> String {
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} … ({more} more)", names.join(", ")),
    }
}

/// Typed text, safe to print.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", printable(self.0))
    }
}

/// A table's name as it can be typed.
fn typed(name: &TableName) -> String {
    let part = |text: &str| match text.contains(|c: char| ",`*?[]{}\\ .".contains(c)) {
        true => format!("`{}`", printable(&text.replace('`', "``"))),
        false => printable(text).into_owned(),
    };
    format!("{}.{}", part(&name.database), part(&name.table))
}

/// What may have been meant: the pattern in another case, with SQL's wildcards, without its
/// database or table; else the names that are spelled most alike.
fn nearest(text: &str, tables: &[TableName]) -> Vec<String> {
    let of = |pattern: &str| -> Vec<String> {
        let glob = GlobBuilder::new(pattern).case_insensitive(true).build();
        let Ok(matcher) = glob.map(|glob| glob.compile_matcher()) else { return Vec::new() };
        named(tables).filter(|name| matcher.is_match(full(name))).map(typed).collect()
    };
    let star = text.replace('%', "*");
    let wider = match star.rsplit_once('.') {
        None => vec![format!("*.{star}"), format!("{star}.*")],
        Some((_, table)) if table.trim_matches('*').is_empty() => Vec::new(),
        Some((_, table)) => vec![format!("*.{table}")],
    };
    let mut found: Vec<String> = of(&star);
    if star != text && !found.is_empty() {
        found.push(Shown(&star).to_string());
    }
    let mut wider = wider.iter();
    while found.is_empty() {
        let Some(pattern) = wider.next() else { return alike(&star, tables) };
        found = of(pattern);
    }
    found
}

/// The tables, without the databases that statements are about.
fn named(tables: &[TableName]) -> impl Iterator<Item = &TableName> {
    tables.iter().filter(|name| !name.table.is_empty())
}

/// The names that differ from the text in a few letters, for a pattern with wildcards those of
/// databases.
fn alike(text: &str, tables: &[TableName]) -> Vec<String> {
    let wanted = text.to_lowercase();
    let database = wanted.split_once('.').filter(|(_, table)| table.contains(['*', '?']));
    let distance = |name: &TableName| {
        let (wanted, name) = match (database, wanted.contains('.')) {
            (Some((database, _)), _) => (database, name.database.clone()),
            (None, true) => (&*wanted, full(name)),
            (None, false) => (&*wanted, name.table.clone()),
        };
        let most = (wanted.chars().count() / 3).max(1);
        let distance = strsim::damerau_levenshtein(wanted, &name.to_lowercase());
        (distance <= most).then_some(distance)
    };
    let near = named(tables).filter_map(|name| Some((distance(name)?, typed(name))));
    let mut near: Vec<(usize, String)> = near.collect();
    near.sort();
    near.into_iter().map(|(_, name)| name).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Vec<TableName> {
        let names = [
            ("shop", ""),
            ("shop", "orders"),
            ("shop", "audit_log"),
            ("zoo", "a,b`c"),
            ("Zoo", "x"),
        ];
        names.map(|(database, table)| TableName::new(database, table)).to_vec()
    }

    fn split(text: &str) -> Vec<String> {
        super::split(&[text.to_owned()])
    }

    fn near(text: &str) -> Vec<String> {
        nearest(text, &tables())
    }

    #[test]
    fn commas_part_patterns_and_backticks_hold_names_together() {
        assert_eq!(split("shop.orders, shop.customers"), ["shop.orders", "shop.customers"]);
        assert_eq!(split("`shop`.`orders`"), ["shop.orders"]);
        assert_eq!(split("shop.{orders,items},shop.[a,b]"), ["shop.{orders,items}", "shop.[a,b]"]);
        assert_eq!(split("`zoo`.`a,b``c*`"), ["zoo.a,b`c[*]"]);
        assert_eq!(split("d.we`ird"), ["d.we`ird"]);
        assert_eq!(split(""), [""]);
        let read = Pattern::read(&["`zoo`.`a,b``c`".to_owned()]).expect("a pattern");
        assert!(read.iter().all(|pattern| pattern.matches(&TableName::new("zoo", "a,b`c"))));
    }

    #[test]
    fn what_was_meant_is_named_as_it_can_be_typed() {
        assert_eq!(near("Shop.Orders"), ["shop.orders"]);
        assert_eq!(near("audit_log"), ["shop.audit_log"]);
        assert_eq!(near("shop"), ["shop.orders", "shop.audit_log"]);
        assert_eq!(near("shop.ord%"), ["shop.orders", "'shop.ord*'"]);
        assert_eq!(near("prod.orders"), ["shop.orders"]);
        assert_eq!(near("shop.ordres"), ["shop.orders"]);
        assert_eq!(near("shpo.*"), ["shop.audit_log", "shop.orders"]);
        assert_eq!(near("zoo.a,b"), ["zoo.`a,b``c`"]);
        assert_eq!(near("*.a,b?c"), ["zoo.`a,b``c`"]);
        assert_eq!(near("nosuch.*"), [] as [&str; 0]);
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_refused_with_what_is_there() {
        let check = |text: &str| {
            let patterns = Pattern::read(&[text.to_owned()]).expect("patterns");
            check(patterns.iter().map(|pattern| (Means::Table, pattern)), &tables())
        };
        assert!(check("shop.*,Zoo.x").is_ok());
        let error = check("shop.orders,Shop.Orders").expect_err("one is wrong").words();
        let error = error.worded(|means| format!("--{means:?}").to_lowercase());
        assert!(error.contains("--table 'Shop.Orders'") && error.contains("mean shop.orders?"));
        let error = check("nosuch.*").expect_err("wrong").to_string();
        assert!(error.contains("there is Zoo.x, shop.audit_log, shop.orders"), "{error}");
    }
}
