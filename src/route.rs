//! Where rows go: tables under another name, or dealt out to several by a value; columns under another
//! name, with another value, or not at all.
//!
//! One pure step between an event and the tables it is written to. Names on the left of a rule are
//! those of the stream. A route is that of one target.

use std::collections::HashMap;

use crate::error::{Error, Means, Result};
use crate::event::TableName;
use crate::event::def::{Column, TableDef};
use crate::filter::Tables;

pub mod columns;
pub mod dealing;
mod flags;
pub mod name;
pub mod rule;
pub mod shard;
pub mod words;

use columns::{Columns, Token};
use dealing::Dealing;
use rule::{ColumnRule, Rule};
use shard::Shard;

/// The rules. The default changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// The first that takes a table is its rule.
    rules: Vec<Rule>,
    /// For columns of whatever table.
    columns: Vec<ColumnRule>,
    /// The source, for names that have it in them; none where the rules were typed, and what no rule
    /// takes keeps its name.
    source: Option<String>,
}

/// What becomes of the columns of a table.
#[derive(Clone, Debug, Default)]
pub struct Moved<'r> {
    /// Columns with their name at the target; `None`: they are left out.
    pub names: Vec<(&'r str, Option<&'r str>)>,
    /// Columns of the stream, and what stands in the place of NULL.
    pub null: Vec<(&'r str, Token)>,
    /// Columns of the target, and what they get.
    pub set: Vec<(&'r str, Token)>,
}

impl Moved<'_> {
    /// True when the columns stay as they are.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.null.is_empty() && self.set.is_empty()
    }
}

impl Route {
    /// Reads rules as they are typed: `A=B` for tables, with `db.*` for all of a database;
    /// `[DB.TABLE.]OLD=NEW` and `[DB.TABLE.]COLUMN` for columns. What no rule names keeps its name.
    ///
    /// # Errors
    /// When one is not of that form (usage).
    pub fn parse(renames: &[String], maps: &[String], drops: &[String]) -> Result<Self> {
        let (rules, columns) = (flags::renames(renames)?, flags::columns(maps, drops)?);
        Ok(Self { rules, columns, source: None })
    }

    /// The rules of a file, for one target and one source. What no rule takes goes nowhere.
    pub fn of(rules: Vec<Rule>, source: &str) -> Self {
        let rule = |rule: Rule| Rule { columns: rule.columns.of_source(source), ..rule };
        let rules = rules.into_iter().map(rule).collect();
        Self { rules, columns: Vec::new(), source: Some(source.to_owned()) }
    }

    /// True when nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.columns.is_empty() && self.source.is_none()
    }

    /// The tables that its rules take, in their order, and whether each takes them to this target;
    /// `None` where what no rule takes keeps its name.
    pub fn taken(&self) -> Option<Vec<(Tables, bool)>> {
        self.source.as_ref()?;
        Some(self.rules.iter().map(|rule| (rule.tables.clone(), rule.is_here())).collect())
    }

    /// True when the table goes under another name, or not as a whole.
    pub fn renames(&self, name: &TableName) -> bool {
        self.rule_of(name)
            .is_some_and(|rule| rule.shard.is_some() || self.tables(name) != [name.clone()])
    }

    /// True for the rules of a file.
    pub fn is_of_file(&self) -> bool {
        self.source.is_some()
    }

    /// How the rows of a table are dealt out by a value, where they are.
    pub fn shard(&self, name: &TableName) -> Option<&Shard> {
        self.rule_of(name)?.shard.as_ref()
    }

    /// True when two tables have one rule, so that their places are in the same order.
    pub fn is_dealt_as(&self, name: &TableName, other: &TableName) -> bool {
        self.rule_of(name).is_some_and(|rule| self.is_of(other, rule))
    }

    /// Several tables may go to where this one goes.
    pub fn merges(&self, name: &TableName) -> bool {
        self.rule_of(name).is_some_and(|rule| rule.merge)
    }

    /// Where a table of the stream goes; one that is dealt out, all the places of this target.
    pub fn tables(&self, name: &TableName) -> Vec<TableName> {
        match self.rule_of(name) {
            None if self.source.is_some() => Vec::new(),
            None => vec![name.clone()],
            Some(rule) => self.places(rule, name).into_iter().map(|(_, place)| place).collect(),
        }
    }

    /// The places of a rule at this target, with their numbers.
    fn places(&self, rule: &Rule, name: &TableName) -> Vec<(usize, TableName)> {
        let source = self.source.as_deref().unwrap_or_default();
        let here = rule.places.iter().enumerate();
        here.filter_map(|(n, place)| Some((n, place.as_ref()?.of(name, source)))).collect()
    }

    fn rule_of(&self, name: &TableName) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.tables.takes(name))
    }

    /// How the rows of a table of the stream are dealt out, as its definition there has it.
    ///
    /// # Errors
    /// When it has not the column that tells, and nobody said where its rows go.
    pub fn dealing(&self, name: &TableName, def: Option<&TableDef>) -> Result<Dealing<'_>> {
        let Some(rule) = self.rule_of(name) else {
            return Ok(Dealing::whole(self.tables(name)));
        };
        let places = self.places(rule, name);
        match &rule.shard {
            None => Ok(Dealing::whole(places.into_iter().map(|(_, place)| place).collect())),
            Some(shard) => Dealing::by(shard, places, name, def),
        }
    }

    /// What becomes of the columns of a table of the stream.
    pub fn columns(&self, name: &TableName) -> Moved<'_> {
        let of = |rule: &&ColumnRule| rule.table.as_ref().is_none_or(|table| table == name);
        let typed = self.columns.iter().filter(of);
        let typed = typed.map(|rule| (rule.column.as_str(), rule.to.as_deref()));
        let Some(Rule { columns, .. }) = self.rule_of(name) else {
            return Moved { names: typed.collect(), ..Moved::default() };
        };
        let Columns { rename, drop, null, set } = columns;
        let renamed = rename.iter().map(|(from, to)| (from.as_str(), Some(to.as_str())));
        let dropped = drop.iter().map(|column| (column.as_str(), None));
        Moved {
            names: typed.chain(renamed).chain(dropped).collect(),
            null: null.iter().map(|(column, value)| (column.as_str(), *value)).collect(),
            set: set.iter().map(|(column, value)| (column.as_str(), *value)).collect(),
        }
    }

    /// True when a column of that definition changes its name or value or is left out, or one comes.
    pub fn moves_columns(&self, def: &TableDef) -> bool {
        let Moved { names, null, set } = self.columns(&def.name());
        let mut columns =
            names.iter().map(|(name, _)| name).chain(null.iter().map(|(name, _)| name));
        !set.is_empty() || columns.any(|column| def.column(column).is_some())
    }

    /// A definition of the stream as it stands at a place.
    ///
    /// # Errors
    /// When two of its columns would have one name (usage).
    pub fn def(&self, def: &TableDef, place: &TableName) -> Result<TableDef> {
        let Moved { names, set, .. } = self.columns(&def.name());
        let routed = |column: String| {
            let rule = names.iter().find(|(from, _)| from.to_lowercase() == column.to_lowercase());
            rule.map_or(Some(column), |(_, to)| to.map(str::to_owned))
        };
        let columns = def.columns.iter().cloned();
        let columns = columns.filter_map(|c| Some(Column { name: routed(c.name.clone())?, ..c }));
        let come =
            set.iter().map(|(name, _)| Column { name: (*name).to_owned(), ..Column::default() });
        // What is left of a key names no row.
        let key: Option<Vec<String>> = def.primary_key.iter().cloned().map(routed).collect();
        let routed = TableDef {
            database: place.database.clone(),
            table: place.table.clone(),
            columns: columns.chain(come).collect(),
            primary_key: key.unwrap_or_default(),
            ..def.clone()
        };
        let mut names: Vec<_> = routed.columns.iter().map(|c| c.name.to_lowercase()).collect();
        names.sort();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(routed),
            Some(pair) => {
                Err(Error::usage(format!("{}: two columns would go to {:?}", def.name(), pair[0]))
                    .help(("{} or {} the other one, too", [Means::Map, Means::DropColumn])))
            }
        }
    }

    /// Refuses rules that none of these tables is concerned by.
    ///
    /// # Errors
    /// As said (usage).
    pub fn check_used(&self, tables: &[TableName]) -> Result<()> {
        let of_rule = |rule: &&Rule| tables.iter().any(|name| self.is_of(name, rule));
        let mut here = self.rules.iter().filter(|rule| rule.is_here());
        here.find(|rule| !of_rule(rule)).map_or(Ok(()), |rule| Err(unused(rule)))
    }

    fn is_of(&self, name: &TableName, rule: &Rule) -> bool {
        self.rule_of(name).is_some_and(|own| std::ptr::eq(own, rule))
    }

    /// Refuses columns that none of these tables has, and two tables that would go to one.
    /// `has_column`: whether a table ever had a column, as far as is known.
    ///
    /// # Errors
    /// As said (usage).
    pub fn check(
        &self,
        tables: &[TableName],
        has_column: impl Fn(&TableName, &str) -> bool,
    ) -> Result<()> {
        for rule in self.rules.iter().filter(|rule| rule.is_here()) {
            let of_rule: Vec<&TableName> =
                tables.iter().filter(|name| self.is_of(name, rule)).collect();
            let Columns { rename, drop, null, .. } = &rule.columns;
            let moved = rename.iter().map(|(column, _)| column).chain(drop);
            for column in moved.chain(null.iter().map(|(column, _)| column)) {
                let mut of = of_rule.iter();
                if !of_rule.is_empty() && !of.any(|table| has_column(table, column)) {
                    return Err(no_column(column));
                }
            }
        }
        for rule in &self.columns {
            let mut of = tables.iter().filter(|t| rule.table.as_ref().is_none_or(|own| own == *t));
            if !of.any(|table| has_column(table, &rule.column)) {
                return Err(no_column(&rule.column));
            }
        }
        let mut taken: HashMap<TableName, &TableName> = HashMap::new();
        for name in tables {
            for to in self.tables(name) {
                let other = taken.insert(to.clone(), name);
                if let Some(other) =
                    other.filter(|other| !(self.merges(other) && self.merges(name)))
                {
                    return Err(self.two_to_one(other, name, &to));
                }
            }
        }
        Ok(())
    }

    fn two_to_one(&self, one: &TableName, other: &TableName, to: &TableName) -> Error {
        let both = Error::usage(format!("{one} and {other} would both go to {to}"));
        match self.source {
            Some(_) => both.help("where that is meant, merge = true says so in both their routes"),
            None => both.help((
                "leave one of them out with {}, or rename it elsewhere",
                [Means::ExcludeTable],
            )),
        }
    }

    /// The rules in words, the same for the same rules.
    pub fn words(&self) -> Vec<String> {
        let columns = self.columns.iter().map(|rule| {
            let table = rule.table.as_ref().map(|t| format!("{t}.")).unwrap_or_default();
            match &rule.to {
                Some(to) => format!("map={table}{:?}={to:?}", rule.column),
                None => format!("drop-column={table}{:?}", rule.column),
            }
        });
        // What lies behind the last rule of this target is of no concern to it.
        let end = self.rules.iter().rposition(Rule::is_here).map_or(0, |last| last + 1);
        let mut words: Vec<String> =
            self.rules[..end].iter().map(words::of).chain(columns).collect();
        if self.source.is_none() {
            // The order in which they were typed is of no concern.
            words.sort();
        }
        words
    }
}

fn unused(rule: &Rule) -> Error {
    let what = match &rule.typed {
        Some((from, to)) => Means::Rename + format!(" {from}={to}: no selected table is that"),
        None => format!(
            "the route of {}: no table of the stream is that",
            rule.tables.patterns().join(", ")
        )
        .into(),
    };
    Error::usage(what).help(("`{}` lists the tables of the stream", [Means::Log]))
}

fn no_column(column: &str) -> Error {
    Error::usage(format!(
        "no selected table of the stream has a column {column:?} to map or leave out"
    ))
    .help(("`{}` lists tables and columns", [Means::SchemaShow]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(renames: &[&str], maps: &[&str], drops: &[&str]) -> Result<Route> {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Route::parse(&own(renames), &own(maps), &own(drops))
    }

    fn def(columns: &[&str], key: &[&str]) -> TableDef {
        let columns: Vec<_> =
            columns.iter().map(|c| format!(r#"{{"type":"int","name":"{c}"}}"#)).collect();
        TableDef::parse(&format!(
            r#"{{"database":"shop","table":"orders","primary-key":{key:?},"columns":[{}]}}"#,
            columns.join(",")
        ))
        .expect("a definition")
    }

    #[test]
    fn a_table_goes_by_its_own_rule_before_that_of_its_database() {
        let route = route(&["shop.*=old.*", "shop.orders=rescue.o"], &[], &[]).expect("rules");
        let to = |db: &str, table: &str| {
            let tables = route.tables(&TableName::new(db, table));
            tables.iter().map(TableName::to_string).collect::<String>()
        };
        assert_eq!(to("shop", "orders"), "rescue.o");
        assert_eq!(to("shop", "items"), "old.items");
        assert_eq!(to("blog", "orders"), "blog.orders");
    }

    #[test]
    fn columns_are_renamed_and_left_out_in_the_definition_and_its_key() {
        let to = TableName::new("shop", "orders");
        let routed = |maps: &[&str], drops: &[&str]| {
            let routed =
                route(&[], maps, drops).expect("rules").def(&def(&["id", "A", "b"], &["id"]), &to);
            routed.map(|d| {
                let names: Vec<String> = d.columns.into_iter().map(|c| c.name).collect();
                (names.join(" "), d.primary_key.join(" "))
            })
        };
        let is = |maps: &[&str], drops: &[&str]| routed(maps, drops).expect("a definition");
        assert_eq!(is(&["id=no", "a=x"], &["b"]), ("no x".into(), "no".into()));
        assert_eq!(is(&["shop.orders.a=x", "shop.items.b=y"], &[]), ("id x b".into(), "id".into()));
        assert_eq!(is(&[], &["ID"]), ("A b".into(), String::new()));
        assert!(routed(&["a=b"], &[]).is_err(), "two columns of one name");
        assert_eq!(is(&["a=b"], &["b"]), ("id b".into(), "id".into()));
    }

    #[test]
    fn rules_that_cannot_be_meant_are_refused() {
        for wrong in ["shop.orders", "shop.orders=", "orders=x.y", "shop.*=x.y", "=a.b"] {
            assert!(route(&[wrong], &[], &[]).is_err(), "{wrong}");
        }
        assert!(route(&[], &["a"], &[]).is_err() && route(&[], &["=a"], &[]).is_err());
        assert!(route(&[], &["x.a=b"], &[]).is_err() && route(&[], &[], &["shop.t."]).is_err());
        let tables = [TableName::new("shop", "orders"), TableName::new("shop", "items")];
        let check = |route: Result<Route>| {
            let route = route.expect("rules");
            let checked = route.check_used(&tables);
            checked.and_then(|()| route.check(&tables, |_, column| column == "id")).is_ok()
        };
        assert!(check(route(&["shop.orders=a.b"], &["id=x"], &["shop.items.id"])));
        assert!(!check(route(&["shop.orders=shop.items"], &[], &[])), "two to one");
        assert!(check(route(&["shop.orders=shop.items", "shop.items=shop.orders"], &[], &[])));
        assert!(!check(route(&["blog.x=a.b"], &[], &[])) && !check(route(&[], &["no=x"], &[])));
    }
}
