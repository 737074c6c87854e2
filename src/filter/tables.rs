//! The tables that a route takes: patterns, of which one with `!` before it leaves tables out again.

use super::globs::Globs;
use super::pattern;
use crate::error::Result;
use crate::event::TableName;

/// A choice of tables.
#[derive(Clone, Debug)]
pub struct Tables {
    patterns: Vec<String>,
    taken: Globs,
    left: Globs,
}

impl Tables {
    /// Reads patterns, each of which is one table or several, as [`super::split`] has it.
    ///
    /// # Errors
    /// When one cannot be read (usage).
    pub fn read(patterns: &[String]) -> Result<Self> {
        let (left, taken): (Vec<&String>, Vec<&String>) =
            patterns.iter().partition(|pattern| pattern.starts_with('!'));
        let taken: Vec<String> = taken.into_iter().cloned().collect();
        let left: Vec<String> = left.into_iter().map(|pattern| pattern[1..].to_owned()).collect();
        let (taken, left) = (Globs::read(&taken)?, Globs::read(&left)?);
        Ok(Self { patterns: patterns.to_vec(), taken, left })
    }

    /// One table, whatever signs its name has.
    ///
    /// # Errors
    /// When the pattern for it cannot be read.
    pub fn of(name: &TableName) -> Result<Self> {
        Self::read(&[pattern::literal(&pattern::full(name))])
    }

    /// All tables of a database, and statements on it.
    ///
    /// # Errors
    /// When the pattern for it cannot be read.
    pub fn of_database(database: &str) -> Result<Self> {
        Self::read(&[format!("{}.*", pattern::literal(database))])
    }

    /// True when it takes a table; of a statement on a database, the table has no name.
    pub fn takes(&self, name: &TableName) -> bool {
        let name = pattern::full(name);
        self.taken.set.is_match(&name) && !self.left.set.is_match(&name)
    }

    /// True when nothing is taken by any of its patterns.
    pub fn is_empty(&self) -> bool {
        self.taken.patterns.is_empty()
    }

    /// The tables that it takes by name, each without a wildcard; `None` where there are wildcards.
    pub fn names(&self) -> Option<Vec<TableName>> {
        self.taken.patterns.iter().map(|pattern| pattern.name()).collect()
    }

    /// True when it is plain that it takes whatever `other` takes.
    pub fn covers(&self, other: &Self) -> bool {
        let covered = |text: &str| {
            self.taken.patterns.iter().any(|own| match own.text() {
                "*" | "*.*" => true,
                own if own == text => true,
                own => own.strip_suffix('*').is_some_and(|begin| {
                    !begin.contains(SIGNS) && begin.contains('.') && text.starts_with(begin)
                }),
            })
        };
        self.left.patterns.is_empty() && other.taken.patterns.iter().all(|p| covered(p.text()))
            || other.names().is_some_and(|names| names.iter().all(|name| self.takes(name)))
    }

    /// The patterns as they were typed.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }
}

/// What is no plain text in a pattern.
const SIGNS: [char; 8] = ['*', '?', '[', ']', '{', '}', '!', '\\'];

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(patterns: &[&str]) -> Tables {
        let own: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        Tables::read(&own).expect("patterns")
    }

    #[test]
    fn a_pattern_with_a_mark_leaves_out_again() {
        let taken = tables(&["crm.*", "!crm.tmp_*"]);
        let takes = |table: &str| taken.takes(&TableName::new("crm", table));
        assert!(takes("orders") && takes("") && !takes("tmp_1"));
        assert!(!taken.takes(&TableName::new("Crm", "orders")), "case counts");
        assert!(tables(&["!crm.*"]).is_empty() && !taken.is_empty());
    }

    #[test]
    fn what_hides_another_is_told_where_that_is_plain() {
        for (first, second, hides) in [
            (&["*.*"][..], &["crm.orders"][..], true),
            (&["crm.*"], &["crm.orders", "crm.o*"], true),
            (&["crm.*"], &["crm.orders", "log.x"], false),
            (&["crm.*", "!crm.tmp_*"], &["crm.tmp_1"], false),
            (&["crm.*", "!crm.tmp_*"], &["crm.orders"], true),
            (&["crm.o?"], &["crm.o*"], false),
            (&["crm.o*"], &["crm.o*"], true),
            (&["crm*"], &["crm.a"], true),
        ] {
            assert_eq!(tables(first).covers(&tables(second)), hides, "{first:?} {second:?}");
        }
    }
}
