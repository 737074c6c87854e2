//! What only the text of a CREATE or ALTER TABLE tells about its columns.
//!
//! The producer's `def` names columns and types, but not which are generated, which carry
//! ON UPDATE CURRENT_TIMESTAMP, nor the n of BINARY(n). The text is read as tokens, not parsed:
//! the names are known from `def`, so an unknown clause elsewhere in the statement does no harm.

use super::attributes::{Attributes, attributes};
use super::parts::{group, is_column, skip, split, table, word};
use super::token::{self, Token};
use crate::event::TableName;
use crate::event::def::ForeignKey;

/// What a statement says of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clause {
    /// The column is defined here, its former name being `was` (CHANGE).
    Defined {
        /// Its name from now on.
        name: String,
        /// Its name before (MODIFY, CHANGE); `None` when it is new.
        was: Option<String>,
        /// What its definition says.
        attributes: Attributes,
    },
    /// The column keeps its definition under a new name.
    Renamed {
        /// Its name before.
        was: String,
        /// Its name from now on.
        name: String,
    },
    /// The column of that name goes; a new one may take its name.
    Dropped(String),
}

/// A statement's text as it defines columns. Nothing is known here of whether it may be run.
pub struct Text(Vec<Token>);

impl Text {
    /// Reads the text; `None` when it has no tokens a server would accept.
    pub fn read(sql: &str) -> Option<Self> {
        // What stands in comments for some servers only is hardly about columns.
        let runs = |condition: token::Condition| Some(!condition.mariadb);
        let tokens = token::read(sql, &runs, false).ok()?;
        match token::has_ansi_names(&tokens) {
            true => token::read(sql, &runs, true).ok().map(Self),
            false => Some(Self(tokens)),
        }
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.0
    }

    pub(super) fn begins_with(&self, keyword: &str) -> bool {
        self.0.first().is_some_and(|first| first.is(keyword))
    }

    /// True for TRUNCATE TABLE.
    pub fn truncates(&self) -> bool {
        self.begins_with("TRUNCATE")
    }

    pub(super) fn of(tokens: Vec<Token>) -> Self {
        Self(tokens)
    }

    /// True when it takes what is there already: IF NOT EXISTS, OR REPLACE.
    pub fn takes_existing(&self) -> bool {
        let head = &self.0[..self.0.len().min(8)];
        let has = |words: &[&str]| {
            let same = |tokens: &[Token]| tokens.iter().zip(words).all(|(t, word)| t.is(word));
            head.windows(words.len()).any(same)
        };
        has(&["IF", "NOT", "EXISTS"]) || has(&["OR", "REPLACE"])
    }

    /// The table of `CREATE TABLE … LIKE source`: database (where given) and table.
    pub fn like(&self) -> Option<(Option<String>, String)> {
        let rest = self.body("CREATE")?;
        let at = match rest {
            [open, like, ..] if open.is_sign('(') && like.is("LIKE") => 2,
            [like, ..] if like.is("LIKE") => 1,
            _ => return None,
        };
        let (database, table, _) = table(&rest[at..])?;
        Some((database.map(str::to_owned), table.to_owned()))
    }

    /// The foreign keys of a CREATE or ALTER TABLE that change rows of `child` by themselves.
    pub fn foreign_keys(&self, child: &TableName) -> Vec<ForeignKey> {
        let starts = (0..self.0.len()).filter(|&i| self.0[i].is("REFERENCES"));
        starts.filter_map(|i| reference(&self.0[i + 1..], child)).collect()
    }

    /// What the statement says of columns, in its order.
    pub fn clauses(&self) -> Vec<Clause> {
        if let Some(rest) = self.body("CREATE") {
            let group = group(rest).unwrap_or(&[]);
            return split(group).into_iter().filter_map(defined).collect();
        }
        let Some(rest) = self.body("ALTER") else {
            return Vec::new();
        };
        split(rest).into_iter().flat_map(altered).collect()
    }

    /// What follows the table's name in `CREATE … TABLE [IF NOT EXISTS] name` or `ALTER … TABLE`.
    pub(super) fn body(&self, verb: &str) -> Option<&[Token]> {
        if !self.0.first()?.is(verb) {
            return None;
        }
        let at = self.0.iter().take(8).position(|t| t.is("TABLE"))? + 1;
        let rest = skip(&self.0[at..], &["IF", "NOT", "EXISTS"]);
        Some(table(rest)?.2)
    }
}

/// What follows REFERENCES; `None` when the foreign key only refuses.
fn reference(tokens: &[Token], child: &TableName) -> Option<ForeignKey> {
    let (database, parent, rest) = table(tokens)?;
    let parent = TableName::new(database.unwrap_or(&child.database), parent);
    let inside = group(rest)?;
    let columns = split(inside).into_iter().filter_map(|c| Some(word(c)?.0.to_owned()));
    let end = split(&rest[inside.len() + 2..]).first().map_or(0, |clause| clause.len());
    let clause = &rest[inside.len() + 2..][..end];
    let acts = |verb: &str| {
        clause
            .windows(3)
            .any(|w| w[0].is("ON") && w[1].is(verb) && { w[2].is("CASCADE") || w[2].is("SET") })
    };
    let (on_delete, on_update) = (acts("DELETE"), acts("UPDATE"));
    let columns = columns.collect();
    (on_delete || on_update).then(|| ForeignKey {
        child: child.clone(),
        parent,
        columns,
        on_delete,
        on_update,
    })
}

/// A column definition; `None` for an index, a constraint or anything else.
fn defined(tokens: &[Token]) -> Option<Clause> {
    let (name, rest) = word(tokens).filter(|_| is_column(tokens))?;
    Some(Clause::Defined { name: name.to_owned(), was: None, attributes: attributes(rest) })
}

/// One action of an ALTER TABLE.
fn altered(tokens: &[Token]) -> Vec<Clause> {
    let Some(first) = tokens.first() else {
        return Vec::new();
    };
    let rest = skip(&tokens[1..], &["COLUMN", "IF", "NOT", "EXISTS"]);
    if first.is("ADD") {
        return match group(rest) {
            Some(inside) => split(inside).into_iter().filter_map(defined).collect(),
            None => defined(rest).into_iter().collect(),
        };
    }
    if first.is("MODIFY") {
        return defined(rest).map(modified).into_iter().collect();
    }
    if first.is("DROP") {
        return dropped(rest).into_iter().collect();
    }
    if first.is("CHANGE") {
        return changed(rest).into_iter().collect();
    }
    if first.is("RENAME") && tokens.get(1).is_some_and(|t| t.is("COLUMN")) {
        return renamed(rest).into_iter().collect();
    }
    Vec::new()
}

fn modified(clause: Clause) -> Clause {
    match clause {
        Clause::Defined { name, attributes, .. } => {
            Clause::Defined { was: Some(name.clone()), name, attributes }
        }
        other => other,
    }
}

fn dropped(tokens: &[Token]) -> Option<Clause> {
    let (name, rest) = word(tokens)?;
    // DROP COLUMN alone names a column in one word; keys and constraints take two.
    let end = rest.first().is_none_or(|t| t.is("RESTRICT") || t.is("CASCADE"));
    end.then(|| Clause::Dropped(name.to_owned()))
}

fn changed(tokens: &[Token]) -> Option<Clause> {
    let (was, rest) = word(tokens)?;
    let (name, rest) = word(rest)?;
    let attributes = attributes(rest);
    Some(Clause::Defined { name: name.to_owned(), was: Some(was.to_owned()), attributes })
}

fn renamed(tokens: &[Token]) -> Option<Clause> {
    let (was, rest) = word(tokens)?;
    let (name, _) = word(skip(rest, &["TO"]))?;
    Some(Clause::Renamed { was: was.to_owned(), name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sql: &str) -> Vec<String> {
        let clauses = Text::read(sql).expect("tokens").clauses();
        clauses
            .into_iter()
            .map(|c| match c {
                Clause::Defined { name, was, attributes: a } => {
                    let flags = [(a.generated, "g"), (a.on_update, "u")];
                    let flags: String =
                        flags.iter().filter(|f| f.0).map(|f| f.1).collect::<Vec<_>>().concat();
                    let width = match a.arguments.first() {
                        Some(width) => format!("({width})"),
                        None => String::new(),
                    };
                    let zero = a.zerofill.map(|w| format!("z{w}")).unwrap_or_default();
                    let was = was.map(|w| format!("{w}>")).unwrap_or_default();
                    format!("{was}{name}{width}{zero}:{flags}")
                }
                Clause::Renamed { was, name } => format!("{was}>{name}"),
                Clause::Dropped(name) => format!("-{name}"),
            })
            .collect()
    }

    #[test]
    fn create_table_tells_generated_and_on_update_columns() {
        let sql = "CREATE TABLE IF NOT EXISTS `a b`.`t``x` (id INT PRIMARY KEY, `key` BINARY(16) \
            COMMENT 'as (1), on update', z INT(8) ZEROFILL, g INT GENERATED ALWAYS AS (id*2) \
            VIRTUAL, h VARCHAR(9) AS (CONCAT('a', z)) STORED, u TIMESTAMP DEFAULT (now()) ON \
            UPDATE CURRENT_TIMESTAMP, b BINARY, UNIQUE KEY (g), PRIMARY KEY (id)) /*! ENGINE=x */";
        assert_eq!(names(sql), ["id:", "key(16):", "z(8)z8:", "g:g", "h(9):g", "u:u", "b:"]);
    }

    #[test]
    fn alter_table_tells_what_it_defines_and_renames() {
        let sql = "ALTER TABLE t ADD COLUMN a INT AS (1) AFTER b, ADD (c INT, d INT), DROP x, \
            DROP INDEX i, DROP PRIMARY KEY, \
            MODIFY e TIMESTAMP ON UPDATE now(), CHANGE COLUMN f g BINARY(3), ADD INDEX (a), \
            RENAME COLUMN `h i` TO j";
        assert_eq!(names(sql), ["a:g", "c:", "d:", "-x", "e>e:u", "f>g(3):", "h i>j"]);
    }

    #[test]
    fn foreign_keys_that_change_rows_are_found() {
        let child = TableName::new("d", "child");
        let found = |sql: &str| {
            let keys = Text::read(sql).expect("tokens").foreign_keys(&child);
            let one = |k: ForeignKey| {
                (k.parent.to_string(), k.columns.join(","), k.on_delete, k.on_update)
            };
            keys.into_iter().map(one).collect::<Vec<_>>()
        };
        let sql = "CREATE TABLE child (id INT, a INT, b INT, CONSTRAINT f FOREIGN KEY (a, b) \
            REFERENCES `p q` (x, y) ON UPDATE RESTRICT ON DELETE SET NULL, FOREIGN KEY (a) \
            REFERENCES e.r(id) ON UPDATE CASCADE, FOREIGN KEY (b) REFERENCES s(id) ON DELETE NO \
            ACTION, c INT REFERENCES t(id))";
        let set_null = ("d.p q".to_owned(), "x,y".to_owned(), true, false);
        let cascade = ("e.r".to_owned(), "id".to_owned(), false, true);
        assert_eq!(found(sql), [set_null, cascade]);
        let alter = "ALTER TABLE child ADD FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE, \
            ADD COLUMN z INT";
        assert_eq!(found(alter), [("d.p".to_owned(), "id".to_owned(), true, false)]);
    }

    #[test]
    fn like_names_its_source() {
        let like = |sql| Text::read(sql).and_then(|s| s.like());
        assert_eq!(like("CREATE TABLE a LIKE b"), Some((None, "b".into())));
        let other = Some((Some("e d".into()), "t".into()));
        assert_eq!(like("CREATE TABLE `x y`.a (LIKE `e d`.t)"), other);
        assert_eq!(like("CREATE TABLE a (`like` INT)"), None);
    }
}
