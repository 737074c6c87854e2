//! A route in words, which a run's progress keeps: a run goes on only where they still hold.
//!
//! They say what comes to this target, and nothing of the places at others. What nobody has decided is
//! not in them: a row of that kind would have stopped the run, so that it may be decided later.

use std::collections::BTreeSet;

use super::name::Name;
use super::rule::Rule;
use super::shard::{By, Shard, Way};

/// What words on a rule begin with.
const RULE: &str = "route=";
/// What each word begins with that says where rows of some kind go.
const DEAL: &str = "deal:";
/// Where rows go that do not come to this target.
const AWAY: &str = "elsewhere";

/// A rule in words, the same for the same rule.
pub(super) fn of(rule: &Rule) -> String {
    let Rule { tables, places, shard, columns, merge, typed } = rule;
    if let Some((from, to)) = typed {
        return format!("rename={from}={to}");
    }
    let tables = tables.patterns().join(",");
    if !rule.is_here() {
        return format!("{AWAY}={tables}");
    }
    let mut words = match shard {
        Some(shard) => {
            let deals: Vec<String> =
                deals(shard, places).into_iter().map(|deal| format!(" {DEAL}{deal}")).collect();
            format!("{RULE}{tables} shard={:?}{}", shard.column, deals.concat())
        }
        None => {
            let here: Vec<String> = places.iter().flatten().map(Name::to_string).collect();
            format!("{RULE}{tables} to={}", here.join(","))
        }
    };
    if !columns.is_empty() {
        words.push_str(&format!(" columns={}", columns.words()));
    }
    words + if *merge { " merge" } else { "" }
}

/// Where the rows of each kind go that somebody has decided on, as KIND=PLACE.
fn deals(shard: &Shard, places: &[Option<Name>]) -> BTreeSet<String> {
    let Shard { by, all, none, null, without, others, .. } = shard;
    let place = |n: usize| match places.get(n) {
        Some(Some(name)) => whole(&name.to_string()),
        _ => AWAY.to_owned(),
    };
    // Which places all are: one that comes later has none of the rows that are everywhere.
    let here = places.iter().flatten().map(|name| whole(&name.to_string()));
    let all_here = format!("all:{}", here.collect::<Vec<_>>().join(","));
    let way = |way: Way| match way {
        Way::Stop => None,
        Way::Nowhere => Some(AWAY.to_owned()),
        Way::Everywhere => Some(all_here.clone()),
        Way::Place(n) => Some(place(n)),
    };
    // By the rest of a division every integer has its place.
    let rest = if matches!(by, By::Modulo) { None } else { way(*others) };
    let mut deals: Vec<(String, String)> = Vec::new();
    let value = |value: &String| whole(&format!("{value:?}"));
    match by {
        By::Modulo => {
            let here = (0..shard.places).filter(|n| places.get(*n).is_some_and(Option::is_some));
            deals.extend(here.map(|n| (n.to_string(), place(n))));
        }
        By::Ranges(ranges) => {
            let bound = |bound: &Option<i128>| bound.map_or(String::new(), |n| n.to_string());
            let range = |(from, to, n): &(_, _, usize)| {
                (format!("{}..{}", bound(from), bound(to)), place(*n))
            };
            deals.extend(ranges.iter().map(range));
        }
        By::Values(values) => deals.extend(values.iter().map(|(v, n)| (value(v), place(*n)))),
    }
    deals.retain(|(_, place)| rest.as_ref() != Some(place));
    deals.extend(none.iter().map(|v| (value(v), AWAY.to_owned())));
    deals.extend(all.iter().map(|v| (value(v), all_here.clone())));
    let rest = match by {
        By::Modulo => Some(format!("modulo-{}", shard.places)),
        By::Ranges(_) | By::Values(_) => rest,
    };
    let ways = [("null", way(*null)), ("without", way(*without)), ("others", rest)];
    deals.extend(ways.into_iter().filter_map(|(kind, place)| Some((kind.to_owned(), place?))));
    deals.into_iter().map(|(kind, place)| format!("{kind}={place}")).collect()
}

/// Without blanks, which part words.
fn whole(text: &str) -> String {
    text.replace(' ', "\\u{20}")
}

/// True for the words of a file's rules.
pub fn are_of_file(words: &str) -> bool {
    let begins =
        |word: &str, with: &str| word.strip_prefix(with).is_some_and(|rest| rest.starts_with('='));
    words.split(' ').any(|word| begins(word, "route") || begins(word, AWAY))
}

/// True where a run that was kept with the words `old` goes on with the words `new`: they are the same,
/// or decide in addition on rows that would have stopped it.
pub fn go_on(old: &str, new: &str) -> bool {
    let ((old, before), (new, now)) = (parted(old), parted(new));
    let decided = |(before, now): (&BTreeSet<&str>, &BTreeSet<&str>)| {
        before.is_subset(now) && now.difference(before).all(|deal| was_open(deal, before))
    };
    old == new && before.len() == now.len() && before.iter().zip(&now).all(decided)
}

/// True when nobody had decided on the rows that a deal is about.
fn was_open(deal: &str, before: &BTreeSet<&str>) -> bool {
    let kind = |deal: &str| deal.split_once('=').map_or(String::new(), |(kind, _)| kind.to_owned());
    let has = |wanted: &str| before.iter().any(|deal| kind(deal) == wanted);
    match &*kind(deal) {
        way @ ("null" | "without" | "others") => !has(way),
        // A single value may lie in a range.
        value if value.starts_with('"') => {
            !has(value) && !has("others") && !before.iter().any(|deal| is_range(deal))
        }
        _ => !has("others"),
    }
}

fn is_range(deal: &str) -> bool {
    deal.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') && deal.contains("..")
}

/// The words that have to be the same, and the deals of each rule.
fn parted(words: &str) -> (Vec<&str>, Vec<BTreeSet<&str>>) {
    let (mut same, mut deals) = (Vec::new(), Vec::<BTreeSet<&str>>::new());
    for word in words.split(' ') {
        match (word.strip_prefix(DEAL), deals.last_mut()) {
            (Some(deal), Some(of_rule)) => {
                of_rule.insert(deal);
            }
            _ => {
                if word.starts_with(RULE) {
                    deals.push(BTreeSet::new());
                }
                same.push(word);
            }
        }
    }
    (same, deals)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::columns::Columns;
    use super::*;
    use crate::filter::Tables;

    fn shard(by: By, others: Way) -> Shard {
        Shard {
            column: "corp".to_owned(),
            by,
            places: 3,
            all: Vec::new(),
            none: Vec::new(),
            null: Way::Stop,
            without: Way::Stop,
            others,
        }
    }

    fn values(list: &[(&str, usize)]) -> By {
        By::Values(list.iter().map(|(v, n)| ((*v).to_owned(), *n)).collect::<HashMap<_, _>>())
    }

    /// The words of a route of which the places with these numbers are at this target.
    fn words(shard: Shard, here: &[usize]) -> String {
        let place = |n: usize| here.contains(&n).then(|| Name::fixed(&format!("d {n}"), None));
        of(&Rule {
            tables: Tables::read(&["crm.*".to_owned()]).expect("tables"),
            places: (0..shard.places).map(place).collect(),
            shard: Some(shard),
            columns: Columns::default(),
            merge: false,
            typed: None,
        })
    }

    #[test]
    fn what_goes_elsewhere_is_of_no_concern() {
        let of = |list: &[(&str, usize)], others| words(shard(values(list), others), &[0]);
        let (stop, away) = (Way::Stop, Way::Nowhere);
        let one = of(&[("a", 0)], stop);
        assert_eq!(one, "route=crm.* shard=\"corp\" deal:\"a\"=d\\u{20}0.{table}");
        // From one other target to another.
        assert_eq!(of(&[("a", 0), ("b", 1)], stop), of(&[("a", 0), ("b", 2)], stop));
        assert_eq!(of(&[("a", 0), ("b", 1)], away), of(&[("a", 0)], away));
        assert_eq!(of(&[("a", 0)], Way::Place(1)), of(&[("a", 0)], Way::Place(2)));
        let modulo = |here: &[usize]| words(shard(By::Modulo, stop), here);
        assert!(go_on(&modulo(&[0]), &modulo(&[0])) && !go_on(&modulo(&[0]), &modulo(&[0, 1])));
    }

    #[test]
    fn what_stopped_may_be_decided_and_what_is_decided_stays() {
        let of = |list: &[(&str, usize)], others| words(shard(values(list), others), &[0]);
        let (stop, away) = (Way::Stop, Way::Nowhere);
        let one = of(&[("a", 0)], stop);
        for (new, goes_on) in [
            (of(&[("a", 0), ("b", 1)], stop), true),
            (of(&[("a", 0), ("b", 0)], stop), true),
            (of(&[("a", 0)], away), true),
            (of(&[("a", 1)], stop), false),
            (of(&[], stop), false),
        ] {
            assert_eq!(go_on(&one, &new), goes_on, "{new}");
        }
        assert!(!go_on(&of(&[("a", 0)], away), &of(&[("a", 0), ("b", 0)], away)));
        assert!(!go_on(&of(&[("a", 0), ("b", 1)], stop), &of(&[("a", 0), ("b", 0)], stop)));
        // What has a place is not decided anew by a list that goes before it.
        let none = Shard { none: vec!["a".to_owned()], ..shard(values(&[("a", 0)]), stop) };
        assert!(!go_on(&one, &words(none, &[0])));
        // A modulo does not ask for others, so they hide no place.
        let modulo = |others| words(shard(By::Modulo, others), &[0]);
        assert_eq!(modulo(stop), modulo(Way::Place(0)));
        // A row that is everywhere is not in a place that comes later.
        let places = |n: usize| {
            let list = [("a", 0), ("b", 1)];
            let all = vec!["0".to_owned()];
            words(Shard { all, places: n, ..shard(values(&list[..n]), stop) }, &[0, 1])
        };
        assert!(go_on(&places(1), &places(1)) && !go_on(&places(1), &places(2)));
        let null = |null| words(Shard { null, ..shard(values(&[("a", 0)]), stop) }, &[0]);
        assert!(go_on(&null(stop), &null(Way::Place(0))));
        assert!(!go_on(&null(away), &null(Way::Place(0))) && !go_on(&null(away), &null(stop)));
        let range = |ends: &[(i128, i128, usize)], all: &[&str]| {
            let ranges = ends.iter().map(|(from, to, n)| (Some(*from), Some(*to), *n)).collect();
            let all = all.iter().map(|v| (*v).to_owned()).collect();
            words(Shard { all, ..shard(By::Ranges(ranges), stop) }, &[0])
        };
        let ten = range(&[(0, 10, 0)], &[]);
        assert!(go_on(&ten, &range(&[(0, 10, 0), (10, 20, 1)], &[])));
        assert!(!go_on(&ten, &range(&[(0, 10, 0)], &["5"])), "it went to one of them");
    }
}
