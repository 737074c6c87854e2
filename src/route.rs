//! Where rows go: tables under another name, columns under another name or not at all.
//!
//! One pure step between an event and the table it is written to. Names on the left of a rule are
//! those of the stream; what no rule names keeps its name.

use crate::error::{Error, Means, Result, Words};
use crate::event::def::{Column, TableDef};
use crate::event::{TableName, typed};

/// The rules. The default changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Route {
    tables: Vec<(TableName, TableName)>,
    columns: Vec<ColumnRule>,
}

/// What becomes of a column.
#[derive(Clone, Debug)]
struct ColumnRule {
    /// Only in this table of the stream; `None`: in every table that has such a column.
    table: Option<TableName>,
    column: String,
    /// Its name at the target; `None`: it is left out.
    to: Option<String>,
}

impl Route {
    /// Reads rules as they are typed: `A=B` for tables, with `db.*` for all of a database;
    /// `[DB.TABLE.]OLD=NEW` and `[DB.TABLE.]COLUMN` for columns.
    ///
    /// # Errors
    /// When one is not of that form (usage).
    pub fn parse(renames: &[String], maps: &[String], drops: &[String]) -> Result<Self> {
        let tables = renames.iter().map(|rule| rename(rule)).collect::<Result<_>>()?;
        let mapped = maps.iter().map(|rule| match rule.split_once('=') {
            Some((from, to)) if !to.is_empty() => column(rule, from, Some(to.to_owned())),
            _ => Err(unreadable(Means::Map, rule, "OLD=NEW or DB.TABLE.OLD=NEW")),
        });
        let dropped = drops.iter().map(|rule| column(rule, rule, None));
        Ok(Self { tables, columns: mapped.chain(dropped).collect::<Result<_>>()? })
    }

    /// True when nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.columns.is_empty()
    }

    /// True when the table goes under another name.
    pub fn renames(&self, name: &TableName) -> bool {
        self.rule_of(name).is_some()
    }

    /// Where a table of the stream goes.
    pub fn table(&self, name: &TableName) -> TableName {
        match self.rule_of(name) {
            None => name.clone(),
            Some((_, to)) if to.table == "*" => TableName::new(&*to.database, &*name.table),
            Some((_, to)) => to.clone(),
        }
    }

    fn rule_of(&self, name: &TableName) -> Option<&(TableName, TableName)> {
        let of_database = |from: &TableName| from.table == "*" && from.database == name.database;
        // A rule for the table itself comes before one for its database.
        let own = self.tables.iter().find(|(from, _)| from == name);
        own.or_else(|| self.tables.iter().find(|(from, _)| of_database(from)))
    }

    /// The columns of a table of the stream that change their name (to it) or are left out.
    pub fn columns<'r>(&'r self, name: &TableName) -> Vec<(&'r str, Option<&'r str>)> {
        let of = |rule: &&ColumnRule| rule.table.as_ref().is_none_or(|table| table == name);
        let rules = self.columns.iter().filter(of);
        rules.map(|rule| (rule.column.as_str(), rule.to.as_deref())).collect()
    }

    /// True when a column of that definition changes its name or is left out.
    pub fn moves_columns(&self, def: &TableDef) -> bool {
        self.columns(&def.name()).iter().any(|(column, _)| def.column(column).is_some())
    }

    /// A definition of the stream as it stands at the target.
    ///
    /// # Errors
    /// When two of its columns would have one name (usage).
    pub fn def(&self, def: &TableDef) -> Result<TableDef> {
        let rules = self.columns(&def.name());
        let routed = |column: String| {
            let rule = rules.iter().find(|(from, _)| from.to_lowercase() == column.to_lowercase());
            rule.map_or(Some(column), |(_, to)| to.map(str::to_owned))
        };
        let to = self.table(&def.name());
        let columns = def.columns.iter().cloned();
        let columns = columns.filter_map(|c| Some(Column { name: routed(c.name.clone())?, ..c }));
        // What is left of a key names no row.
        let key: Option<Vec<String>> = def.primary_key.iter().cloned().map(routed).collect();
        let routed = TableDef {
            database: to.database,
            table: to.table,
            columns: columns.collect(),
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

    /// Refuses rules that none of these tables is concerned by, and two tables that would go to
    /// one. `has_column`: whether a table ever had a column, as far as is known.
    ///
    /// # Errors
    /// As said (usage).
    pub fn check(
        &self,
        tables: &[TableName],
        has_column: impl Fn(&TableName, &str) -> bool,
    ) -> Result<()> {
        for (from, to) in &self.tables {
            let used = |name: &&TableName| self.rule_of(name).is_some_and(|rule| rule.0 == *from);
            if !tables.iter().any(|name| used(&name)) {
                return Err(Error::usage(
                    Means::Rename + format!(" {from}={to}: no selected table is that"),
                )
                .help(("`{}` lists the tables of the stream", [Means::Log])));
            }
        }
        for rule in &self.columns {
            let mut of = tables.iter().filter(|t| rule.table.as_ref().is_none_or(|own| own == *t));
            if !of.any(|table| has_column(table, &rule.column)) {
                return Err(Error::usage(format!(
                    "no selected table of the stream has a column {:?} to map or leave out",
                    rule.column
                ))
                .help(("`{}` lists tables and columns", [Means::SchemaShow])));
            }
        }
        for (n, name) in tables.iter().enumerate() {
            let to = self.table(name);
            if let Some(other) = tables[..n].iter().find(|other| self.table(other) == to) {
                return Err(Error::usage(format!("{other} and {name} would both go to {to}"))
                    .help((
                        "leave one of them out with {}, or rename it elsewhere",
                        [Means::ExcludeTable],
                    )));
            }
        }
        Ok(())
    }

    /// The rules in words, the same for the same rules.
    pub fn words(&self) -> Vec<String> {
        let tables = self.tables.iter().map(|(from, to)| format!("rename={from}={to}"));
        let columns = self.columns.iter().map(|rule| {
            let table = rule.table.as_ref().map(|t| format!("{t}.")).unwrap_or_default();
            match &rule.to {
                Some(to) => format!("map={table}{:?}={to:?}", rule.column),
                None => format!("drop-column={table}{:?}", rule.column),
            }
        });
        let mut words: Vec<String> = tables.chain(columns).collect();
        words.sort();
        words
    }
}

fn rename(rule: &str) -> Result<(TableName, TableName)> {
    let sides =
        rule.split_once('=').and_then(|(from, to)| Some((typed::table(from)?, typed::table(to)?)));
    // All of a database goes to a database, one table to one table.
    let fits = |sides: &(TableName, TableName)| (sides.0.table == "*") == (sides.1.table == "*");
    sides.filter(fits).ok_or_else(|| {
        unreadable(
            Means::Rename,
            rule,
            "DB.TABLE=DB.TABLE or 'DB.*=DB.*', as in shop.orders=rescue.orders",
        )
    })
}

/// A rule on `[DB.TABLE.]COLUMN`.
fn column(rule: &str, from: &str, to: Option<String>) -> Result<ColumnRule> {
    let (of, column) = match from.rsplit_once('.') {
        Some((of, column)) => (Some(typed::table(of)), column),
        None => (None, from),
    };
    match of {
        _ if column.is_empty() => Err(unreadable("column", rule, "[DB.TABLE.]COLUMN")),
        Some(None) => Err(unreadable("column", rule, "COLUMN or DB.TABLE.COLUMN")),
        of => Ok(ColumnRule { table: of.flatten(), column: column.to_owned(), to }),
    }
}

fn unreadable(what: impl Into<Words>, rule: &str, form: &str) -> Error {
    Error::usage(what.into() + format!(" {rule:?} cannot be read"))
        .help(format!("write it as {form}"))
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
        let to = |db: &str, table: &str| route.table(&TableName::new(db, table)).to_string();
        assert_eq!(to("shop", "orders"), "rescue.o");
        assert_eq!(to("shop", "items"), "old.items");
        assert_eq!(to("blog", "orders"), "blog.orders");
    }

    #[test]
    fn columns_are_renamed_and_left_out_in_the_definition_and_its_key() {
        let routed = |maps: &[&str], drops: &[&str]| {
            let routed =
                route(&[], maps, drops).expect("rules").def(&def(&["id", "A", "b"], &["id"]));
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
            route.expect("rules").check(&tables, |_, column| column == "id").is_ok()
        };
        assert!(check(route(&["shop.orders=a.b"], &["id=x"], &["shop.items.id"])));
        assert!(!check(route(&["shop.orders=shop.items"], &[], &[])), "two to one");
        assert!(check(route(&["shop.orders=shop.items", "shop.items=shop.orders"], &[], &[])));
        assert!(!check(route(&["blog.x=a.b"], &[], &[])) && !check(route(&[], &["no=x"], &[])));
    }
}
