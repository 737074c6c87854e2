//! Rules as they are typed on a command line.

use super::columns::Columns;
use super::name::Name;
use super::rule::{ColumnRule, Rule};
use crate::error::{Error, Means, Result, Words};
use crate::event::{TableName, typed};
use crate::filter::Tables;

/// Reads `A=B` for tables, with `db.*` for all of a database.
///
/// # Errors
/// When one is not of that form (usage).
pub(super) fn renames(typed: &[String]) -> Result<Vec<Rule>> {
    let mut rules: Vec<(TableName, TableName)> =
        typed.iter().map(|rule| rename(rule)).collect::<Result<_>>()?;
    // A rule for the table itself comes before one for its database.
    rules.sort_by_key(|(from, _)| from.table == "*");
    rules.into_iter().map(|(from, to)| rule(from, to)).collect()
}

fn rule(from: TableName, to: TableName) -> Result<Rule> {
    let all = from.table == "*";
    let tables = if all { Tables::of_database(&from.database) } else { Tables::of(&from) };
    let place = Name::fixed(&to.database, (!all).then_some(&*to.table));
    Ok(Rule {
        tables: tables?,
        places: vec![Some(place)],
        shard: None,
        columns: Columns::default(),
        merge: false,
        typed: Some((from, to)),
    })
}

/// Reads `[DB.TABLE.]OLD=NEW` and `[DB.TABLE.]COLUMN` for columns.
///
/// # Errors
/// When one is not of that form (usage).
pub(super) fn columns(maps: &[String], drops: &[String]) -> Result<Vec<ColumnRule>> {
    let mapped = maps.iter().map(|rule| match rule.split_once('=') {
        Some((from, to)) if !to.is_empty() => column(rule, from, Some(to.to_owned())),
        _ => Err(unreadable(Means::Map, rule, "OLD=NEW or DB.TABLE.OLD=NEW")),
    });
    let dropped = drops.iter().map(|rule| column(rule, rule, None));
    mapped.chain(dropped).collect()
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
