//! One route of a sync.

use super::keys::{Entry, Keys};
use super::mistakes::{Mistakes, meant};
use super::model::{Route, To};
use super::places::Names;
use super::shard::shard;
use crate::event::typed;
use crate::filter::Tables;
use crate::route::columns::{Columns, Token, token};
use crate::route::name::{Name, PARTS};

/// The keys of a route.
const KEYS: [&str; 5] = ["tables", "to", "shard", "columns", "merge"];

/// Reads a route; none of it where a mistake is in it.
pub(super) fn route(
    entry: &Entry<'_, '_>,
    names: &Names,
    mistakes: &mut Mistakes<'_>,
) -> Option<Route> {
    let keys = entry.keys(mistakes)?;
    let entries = keys.known(&KEYS, mistakes);
    let of = |name: &str| entries.iter().find(|entry| entry.name == name);
    let tables = match of("tables") {
        Some(entry) => tables(entry, mistakes),
        None => {
            keys.missing("tables", mistakes);
            None
        }
    };
    let (places, shard) = match (of("to"), of("shard")) {
        (None, _) => {
            keys.missing("to", mistakes);
            (None, Some(None))
        }
        (Some(to), Some(entry)) if to.is_table() => {
            let (numbers, places) = shards(to, names, mistakes)?;
            (places, shard(entry, &numbers, mistakes).map(Some))
        }
        (Some(to), Some(entry)) => {
            let what = "has a place for each of the shards, as { 0 = \"TARGET:DB0\", … }";
            mistakes.add(to.value_at(), format!("{}: {what}", to.path));
            // What else is wrong with it.
            let _ = entry.keys(mistakes);
            (None, None)
        }
        (Some(to), None) if to.is_table() => {
            let what = "several places need a `shard`, which says which rows go where";
            mistakes.add(to.at, format!("{}: {what}", to.path));
            (None, None)
        }
        (Some(to), None) => (place(to, names, mistakes).map(|to| vec![to]), Some(None)),
    };
    let columns = of("columns").map_or(Some(Columns::default()), |e| columns(e, mistakes));
    let merge = of("merge").map_or(Some(false), |entry| entry.flag(mistakes));
    Some(Route {
        tables: tables?,
        places: places?,
        shard: shard?,
        columns: columns?,
        merge: merge?,
    })
}

fn tables(entry: &Entry<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Tables> {
    let texts = entry.texts(mistakes)?;
    for (at, text) in &texts {
        let bare = text.trim_start_matches('!');
        if !bare.contains('.') && !bare.contains('*') {
            let what = "is written DATABASE.TABLE, with * and ? as wildcards";
            mistakes.add(*at, format!("{}: {text:?} {what}", entry.path));
            return None;
        }
    }
    let texts: Vec<String> = texts.into_iter().map(|(_, text)| text).collect();
    match Tables::read(&texts) {
        Ok(tables) if tables.is_empty() => {
            mistakes.add(entry.value_at(), format!("{}: takes no table", entry.path));
            None
        }
        Ok(tables) => Some(tables),
        Err(e) => {
            mistakes.add(entry.value_at(), format!("{}: {}", entry.path, e.message().plain()));
            None
        }
    }
}

/// The places of shards: numbers in their order, names as they come.
fn shards(
    entry: &Entry<'_, '_>,
    names: &Names,
    mistakes: &mut Mistakes<'_>,
) -> Option<(Vec<String>, Option<Vec<To>>)> {
    let mut entries = entry.keys(mistakes)?.entries();
    entries.sort_by_key(|entry| entry.name.parse::<u64>().unwrap_or(u64::MAX));
    if entries.is_empty() {
        mistakes.add(entry.value_at(), format!("{}: names no place", entry.path));
        return None;
    }
    let places: Vec<Option<To>> =
        entries.iter().map(|entry| place(entry, names, mistakes)).collect();
    for (n, entry) in entries.iter().enumerate() {
        let same = |other: &usize| places[n].is_some() && places[*other] == places[n];
        if let Some(other) = (0..n).find(same) {
            let what = format!("{}: is the place of {:?}, too", entry.path, entries[other].name);
            mistakes.add(entry.value_at(), what);
        }
    }
    let numbers = entries.into_iter().map(|entry| entry.name).collect();
    Some((numbers, places.into_iter().collect()))
}

/// A place: `TARGET`, `TARGET:DATABASE` or `TARGET:DATABASE.TABLE`.
fn place(entry: &Entry<'_, '_>, names: &Names, mistakes: &mut Mistakes<'_>) -> Option<To> {
    let text = entry.text(mistakes)?;
    let at = entry.value_at();
    let (target, table) = text.split_once(':').unwrap_or((&text, ""));
    let known = names.targets.iter().any(|name| name == target);
    if !known {
        let meant = meant(target, names.targets.iter().map(String::as_str));
        mistakes.add(at, format!("{}: no target is called {target:?}; {meant}", entry.path));
    }
    let (database, same) = Name::SAME;
    let whole = match table {
        "" if !text.contains(':') => Some((database.to_owned(), same.to_owned())),
        table => typed::table(table)
            .or_else(|| typed::table(&format!("{table}.{same}")))
            .map(|name| (name.database, name.table)),
    };
    let Some((database, table)) = whole else {
        let what = "is written TARGET, TARGET:DATABASE or TARGET:DATABASE.TABLE";
        mistakes.add(at, format!("{}: {what}", entry.path));
        return None;
    };
    match Name::new(&database, &table) {
        Ok(name) => known.then(|| To { target: target.to_owned(), name }),
        Err(part) => {
            let parts: Vec<String> = PARTS.iter().map(|part| format!("{{{part}}}")).collect();
            let what = format!("{{{part}}} is none of {}", parts.join(", "));
            mistakes.add(at, format!("{}: {what}", entry.path));
            None
        }
    }
}

fn columns(entry: &Entry<'_, '_>, mistakes: &mut Mistakes<'_>) -> Option<Columns> {
    let keys = entry.keys(mistakes)?;
    let mut columns = Columns::default();
    for entry in keys.known(&["rename", "drop", "null", "set"], mistakes) {
        match &*entry.name {
            "drop" => {
                let drop = entry.texts(mistakes)?;
                columns.drop = drop.into_iter().map(|(_, column)| column).collect();
            }
            "rename" => {
                let pairs = entry.keys(mistakes)?.entries();
                let pair = |e: Entry<'_, '_>| Some((e.name.clone(), e.text(mistakes)?));
                columns.rename = pairs.into_iter().map(pair).collect::<Option<_>>()?;
            }
            name => {
                let pairs = entry.keys(mistakes)?.entries();
                let pair = |e: Entry<'_, '_>| Some((e.name.clone(), token(e.token(mistakes)?)));
                let pairs: Vec<(String, Token)> =
                    pairs.into_iter().map(pair).collect::<Option<_>>()?;
                if name == "null" { columns.null = pairs } else { columns.set = pairs }
            }
        }
    }
    check_columns(&keys, &columns, mistakes);
    Some(columns)
}

/// Says what two rules make of one column, and which two columns would be one.
fn check_columns(keys: &Keys<'_, '_>, columns: &Columns, mistakes: &mut Mistakes<'_>) {
    let Columns { rename, drop, null, set } = columns;
    let mut say = |what: String| mistakes.add(keys.at, format!("{}: {what}", keys.path));
    let same = |a: &str, b: &str| typed::same_name(a, b);
    for column in drop {
        let renamed = rename.iter().any(|(name, _)| same(name, column));
        let also = renamed || null.iter().any(|(name, _)| same(name, column));
        if also {
            say(format!("{column:?} is dropped, and something else is to become of it"));
        }
    }
    let come: Vec<&String> =
        rename.iter().map(|(_, to)| to).chain(set.iter().map(|(name, _)| name)).collect();
    for (n, column) in come.iter().enumerate() {
        if come[..n].iter().any(|other| same(other, column)) {
            say(format!("two columns would be {column:?}"));
        }
    }
}
