//! Which rows of a route go to which of its places.

use std::collections::HashMap;

use super::keys::{Entry, Keys};
use super::mistakes::Mistakes;
use crate::event::typed;
use crate::route::shard::{By, Shard, Way};

/// As many places as a modulo may have.
const MOST: i128 = 4096;

/// Words for a way that are no place.
const WAYS: [(&str, Way); 3] =
    [("stop", Way::Stop), ("none", Way::Nowhere), ("all", Way::Everywhere)];

/// The keys of a shard.
const KEYS: [&str; 9] =
    ["column", "modulo", "ranges", "values", "all", "none", "null", "without", "others"];

/// Reads a shard; `places` are the names of the places, in the order of their numbers. With a modulo
/// these are numbers, and the place is the number.
pub(super) fn shard(
    entry: &Entry<'_, '_>,
    places: &[String],
    mistakes: &mut Mistakes<'_>,
) -> Option<Shard> {
    let keys = entry.keys(mistakes)?;
    let entries = keys.known(&KEYS, mistakes);
    let of = |name: &str| entries.iter().find(|entry| entry.name == name);
    let column = of("column").map(|entry| entry.text(mistakes));
    if column.is_none() {
        keys.missing("column", mistakes);
    }
    for name in places.iter().filter(|name| WAYS.iter().any(|(word, _)| word == name)) {
        mistakes.add(keys.at, format!("{}: {name:?} is no name for a place", keys.path));
    }
    let by = by(&keys, &entries, places, mistakes);
    let (all, none) = (list(of("all"), mistakes), list(of("none"), mistakes));
    for value in none.iter().filter(|value| all.contains(value)) {
        mistakes.add(keys.at, format!("{}: {value} is in `all` and in `none`", keys.path));
    }
    let mut way = |name: &str| of(name).map_or(Some(Way::Stop), |e| way(e, places, mistakes));
    let (null, without, others) = (way("null"), way("without"), way("others"));
    Some(Shard {
        column: column??,
        by: by?,
        places: places.len(),
        all,
        none,
        null: null?,
        without: without?,
        others: others?,
    })
}

fn list(entry: Option<&Entry<'_, '_>>, mistakes: &mut Mistakes<'_>) -> Vec<String> {
    let values = entry.and_then(|entry| entry.scalars(mistakes)).unwrap_or_default();
    values.into_iter().map(|(_, value)| same(&value)).collect()
}

/// A value as [`crate::route::shard::same`] has that of the stream.
fn same(value: &str) -> String {
    // Digits in a text are a text: `007` is not 7.
    typed::number(value).filter(|number| number == value).unwrap_or_else(|| value.to_owned())
}

fn by(
    keys: &Keys<'_, '_>,
    entries: &[Entry<'_, '_>],
    places: &[String],
    mistakes: &mut Mistakes<'_>,
) -> Option<By> {
    let ways = ["modulo", "ranges", "values"];
    let told: Vec<&Entry<'_, '_>> =
        entries.iter().filter(|entry| ways.contains(&&*entry.name)).collect();
    let [entry] = told[..] else {
        let how = if told.is_empty() { "none" } else { "several" };
        let path = &keys.path;
        let what = format!("{path}: has {how} of modulo, ranges and values, and has to have one");
        mistakes.add(keys.at, what);
        return None;
    };
    match &*entry.name {
        "modulo" => modulo(entry, places, mistakes),
        "ranges" => ranges(entry, places, mistakes),
        _ => values(entry, places, mistakes),
    }
}

fn modulo(entry: &Entry<'_, '_>, places: &[String], mistakes: &mut Mistakes<'_>) -> Option<By> {
    let n = entry.integer(mistakes)?;
    if !(1..=MOST).contains(&n) {
        mistakes.add(entry.value_at(), format!("{}: has to be 1 to {MOST}", entry.path));
        return None;
    }
    let wanted: Vec<String> = (0..n).map(|place| place.to_string()).collect();
    complete(entry, wanted.iter(), places, mistakes).then_some(By::Modulo)
}

/// Says which places no value goes to, and which places are not told.
fn complete<'w>(
    entry: &Entry<'_, '_>,
    wanted: impl Iterator<Item = &'w String> + Clone,
    places: &[String],
    mistakes: &mut Mistakes<'_>,
) -> bool {
    let path = &entry.path;
    let missing = wanted.clone().filter(|name| !places.contains(name));
    let missing: Vec<String> =
        missing.map(|name| format!("{path}: {name:?} has no place in `to`")).collect();
    let unused = places.iter().filter(|name| !wanted.clone().any(|wanted| wanted == *name));
    let unused = unused.map(|name| format!("{path}: no value goes to the place {name:?} of `to`"));
    let wrong: Vec<String> = missing.into_iter().chain(unused).collect();
    let fine = wrong.is_empty();
    wrong.into_iter().for_each(|what| mistakes.add(entry.at, what));
    fine
}

fn ranges(entry: &Entry<'_, '_>, places: &[String], mistakes: &mut Mistakes<'_>) -> Option<By> {
    let keys = entry.keys(mistakes)?;
    let entries = keys.entries();
    complete(entry, entries.iter().map(|e| &e.name), places, mistakes).then_some(())?;
    let mut all = Vec::new();
    for entry in &entries {
        let text = entry.text(mistakes)?;
        let bound = |text: &str| match text.trim() {
            "" => Some(None),
            digits => digits.parse::<i128>().ok().map(Some),
        };
        let range = text.split_once("..").and_then(|(from, to)| Some((bound(from)?, bound(to)?)));
        let fits = |range: &(Option<i128>, Option<i128>)| !matches!(*range, (Some(from), Some(to)) if from >= to);
        let Some((from, to)) = range.filter(fits) else {
            let what =
                "is written FROM..TO, as 0..1000: from 0 to before 1000; either may be left out";
            mistakes.add(entry.value_at(), format!("{}: {what}", entry.path));
            return None;
        };
        let place = places.iter().position(|name| *name == entry.name)?;
        all.push((from, to, place));
    }
    all.sort();
    for pair in all.windows(2) {
        let ((_, end, a), (begin, _, b)) = (pair[0], pair[1]);
        let (a, b) = (&places[a], &places[b]);
        let what = match (end, begin) {
            (Some(end), Some(begin)) if end == begin => continue,
            (Some(end), Some(begin)) if end < begin => {
                format!("a gap from {end} to {begin}, between {a:?} and {b:?}")
            }
            _ => format!("{a:?} and {b:?} both have some values"),
        };
        mistakes.add(entry.at, format!("{}: {what}", entry.path));
    }
    Some(By::Ranges(all))
}

fn values(entry: &Entry<'_, '_>, places: &[String], mistakes: &mut Mistakes<'_>) -> Option<By> {
    let keys = entry.keys(mistakes)?;
    let entries = keys.entries();
    complete(entry, entries.iter().map(|e| &e.name), places, mistakes).then_some(())?;
    let mut all: HashMap<String, usize> = HashMap::new();
    for entry in &entries {
        let place = places.iter().position(|name| *name == entry.name)?;
        for (at, value) in entry.scalars(mistakes)? {
            if let Some(other) = all.insert(same(&value), place) {
                let other = &places[other];
                mistakes.add(at, format!("{}: {value} goes to {other:?} already", entry.path));
            }
        }
    }
    Some(By::Values(all))
}

fn way(entry: &Entry<'_, '_>, places: &[String], mistakes: &mut Mistakes<'_>) -> Option<Way> {
    let text = entry.scalar(mistakes)?;
    let word = WAYS.iter().find(|(word, _)| *word == text).map(|(_, way)| *way);
    let place = || places.iter().position(|name| *name == text).map(Way::Place);
    let way = word.or_else(place);
    if way.is_none() {
        let what = "is one of stop, none, all and the places of `to`";
        mistakes.add(entry.value_at(), format!("{}: {what}", entry.path));
    }
    way
}
