//! What is wrong between sources, targets and syncs.

use super::mistakes::Mistakes;
use super::model::{Config, Sync};
use crate::event::TableName;

/// Two tables that go to one.
pub(super) fn two_to_one(one: &TableName, other: &TableName, there: &str) -> String {
    format!("{one} and {other} both go to {there}; where that is meant, merge = true says so")
}

/// Says which syncs write to where they read from, at once or by way of others: what was written
/// would come back in the stream, for ever.
pub(super) fn loops(config: &Config, mistakes: &mut Mistakes<'_>) {
    let ways: Vec<Vec<(&str, &str)>> =
        config.syncs.iter().map(|sync| servers(config, sync)).collect();
    for (n, sync) in config.syncs.iter().enumerate() {
        let name = &sync.name;
        if let Some((server, _)) = ways[n].iter().find(|(from, to)| from == to) {
            let what = format!("sync.{name}: a source and a target are one server, {server}");
            mistakes.add(sync.at, what);
            continue;
        }
        // Each loop is told at the last of its syncs.
        let before: Vec<(&str, &str)> = ways[..=n].concat();
        let back = ways[n].iter().find(|(from, to)| reaches(&before, to, from));
        if let Some((from, to)) = back {
            mistakes.add(
                sync.at,
                format!(
                    "sync.{name}: a loop: what it takes from {from} to {to} would come back to \
                     {from} by another sync, for ever"
                ),
            );
        }
    }
}

/// Says which syncs cannot begin with a copy.
pub(super) fn copies(config: &Config, mistakes: &mut Mistakes<'_>) {
    for sync in config.syncs.iter().filter(|sync| sync.copy) {
        let mut say = |what: String| {
            mistakes.add(sync.at, format!("sync.{}.copy: {what}", sync.name));
        };
        for source in sync.from.iter().filter_map(|name| config.source(name)) {
            if source.mysql.is_none() {
                let name = &source.name;
                say(format!(
                    "is read from the server of source.{name}: name it as source.{name}.mysql"
                ));
            }
        }
        for target in sync.targets().into_iter().filter_map(|name| config.target(name)) {
            if target.address.url.starts_with("sqlite:") {
                say(format!("goes to servers, and target.{} is a file", target.name));
            }
        }
        let places = sync.routes.iter().flat_map(|route| &route.places);
        if sync.from.len() > 1
            && let Some(to) = places.clone().find(|to| !to.name.tells_source())
        {
            let (target, name) = (&to.target, &to.name);
            say(format!(
                "copies several sources, and {target}:{name} may be the same for two: write {{source}} into \
                 it, or copy each source in a sync of its own"
            ));
        }
        if let Some(merged) = sync.routes.iter().find(|route| route.merge) {
            let tables = merged.tables.patterns().join(", ");
            say(format!(
                "writes over what has the same key, and {tables} are merged with others: load them by \
                 hand, in a sync of their own"
            ));
        }
    }
}

/// From which server to which a sync goes, as far as the servers of its sources are told.
fn servers<'c>(config: &'c Config, sync: &Sync) -> Vec<(&'c str, &'c str)> {
    let from = sync.from.iter().filter_map(|name| config.source(name)?.mysql.as_ref());
    let mut all = Vec::new();
    for from in from {
        for target in sync.targets().into_iter().filter_map(|name| config.target(name)) {
            all.push((&*from.identity, &*target.address.identity));
        }
    }
    all
}

fn reaches(ways: &[(&str, &str)], from: &str, wanted: &str) -> bool {
    let mut seen = vec![from];
    let mut at = 0;
    while at < seen.len() {
        if seen[at] == wanted {
            return true;
        }
        let here = seen[at];
        for (_, to) in ways.iter().filter(|(from, _)| *from == here) {
            if !seen.contains(to) {
                seen.push(to);
            }
        }
        at += 1;
    }
    false
}
