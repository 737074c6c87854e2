//! The syncs, and what is wrong between their routes.

use std::collections::HashMap;

use super::check;
use super::keys::{Entry, Keys};
use super::mistakes::{Mistakes, meant};
use super::model::{Route, Sync};
use super::places::{Names, check_name};
use super::route::route;
use crate::event::TableName;

/// The syncs.
pub(super) fn syncs(
    entry: &Entry<'_, '_>,
    names: &Names,
    mistakes: &mut Mistakes<'_>,
) -> Vec<Sync> {
    let mut all = Vec::new();
    for entry in entry.keys(mistakes).iter().flat_map(|keys| keys.entries()) {
        check_name(&entry, mistakes);
        let Some(keys) = entry.keys(mistakes) else { continue };
        let entries = keys.known(&["from", "route", "copy"], mistakes);
        let of = |name: &str| entries.iter().find(|entry| entry.name == name);
        let from = match of("from") {
            Some(entry) => from(entry, names, mistakes),
            None => {
                keys.missing("from", mistakes);
                None
            }
        };
        let routes = match of("route") {
            Some(entry) => routes(&keys, entry, names, mistakes),
            None => {
                keys.missing("route", mistakes);
                None
            }
        };
        let copy = of("copy").map_or(Some(false), |entry| entry.flag(mistakes));
        if let (Some(from), Some(routes), Some(copy)) = (from, routes, copy) {
            all.push(Sync { name: entry.name.clone(), at: entry.at, from, copy, routes });
        }
    }
    all
}

fn from(entry: &Entry<'_, '_>, names: &Names, mistakes: &mut Mistakes<'_>) -> Option<Vec<String>> {
    let from = entry.texts(mistakes)?;
    if from.is_empty() {
        mistakes.add(entry.value_at(), format!("{}: names no source", entry.path));
    }
    let mut all: Vec<String> = Vec::new();
    for (at, name) in from {
        let path = &entry.path;
        if name.contains("://") {
            // A URL may hold a password.
            mistakes
                .add(at, format!("{path}: a source is named as in [source.NAME], not by its URL"));
        } else if !names.sources.contains(&name) {
            let meant = meant(&name, names.sources.iter().map(String::as_str));
            mistakes.add(at, format!("{path}: no source is called {name:?}; {meant}"));
        } else if all.contains(&name) {
            mistakes.add(at, format!("{path}: {name:?} is there twice"));
        }
        all.push(name);
    }
    Some(all)
}

fn routes(
    keys: &Keys<'_, '_>,
    entry: &Entry<'_, '_>,
    names: &Names,
    mistakes: &mut Mistakes<'_>,
) -> Option<Vec<Route>> {
    let items = entry.items(mistakes)?;
    if items.is_empty() {
        keys.missing("route", mistakes);
    }
    let read: Vec<(usize, Option<Route>)> =
        items.iter().map(|item| (item.at, route(item, names, mistakes))).collect();
    for (n, (at, later)) in read.iter().enumerate() {
        let Some(later) = later else { continue };
        let covers = |earlier: &(usize, Option<Route>)| {
            earlier.1.as_ref().is_some_and(|earlier| earlier.tables.covers(&later.tables))
        };
        if let Some(earlier) = read[..n].iter().position(covers) {
            let patterns = later.tables.patterns().join(", ");
            let path = &entry.path;
            mistakes.add(
                *at,
                format!(
                    "{path}: is never reached: route {} takes all of {patterns}; put the \
                     narrower one first",
                    earlier + 1
                ),
            );
        }
    }
    two_to_one(&entry.path, &read, mistakes);
    read.into_iter().map(|(_, route)| route).collect()
}

/// Says which two tables go to one, as far as they are told by name.
fn two_to_one(path: &str, routes: &[(usize, Option<Route>)], mistakes: &mut Mistakes<'_>) {
    let mut taken: HashMap<(String, TableName), (TableName, bool)> = HashMap::new();
    let known = routes.iter().filter_map(|(at, route)| Some((*at, route.as_ref()?)));
    for (at, route) in known {
        for name in route.tables.names().unwrap_or_default() {
            for to in &route.places {
                // The source is the same for all of a run.
                let there = to.name.of(&name, "");
                let place = (to.target.clone(), there.clone());
                let Some((other, merges)) = taken.insert(place, (name.clone(), route.merge)) else {
                    continue;
                };
                if other != name && !(merges && route.merge) {
                    let target = &to.target;
                    let what = check::two_to_one(&other, &name, &format!("{target}:{there}"));
                    mistakes.add(at, format!("{path}: {what}"));
                }
            }
        }
    }
}
