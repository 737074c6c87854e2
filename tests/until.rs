//! A cut in time or position gives a state that the source had.

use crate::support::{
    Kind, Spool, assert_same_dump,
    dump::is_one_of,
    fresh, read,
    reference::Reference,
    servers::KINDS,
    stream::{Transaction, edge_position, transactions},
};
use std::collections::BTreeSet;

fn time(ts: i64) -> String {
    jiff::Timestamp::from_second(ts).unwrap().to_string().trim_end_matches('Z').to_owned()
}

#[test]
fn the_pauses_of_the_incident_are_reached_by_until() {
    for kind in KINDS {
        let name = format!("{}-incident", kind.name());
        let all = transactions(&read(&format!("{name}.jsonl")));
        let deleted = all.iter().position(|one| {
            one.events[0].text("table") == "orders"
                && one.events.len() == 900
                && one.events[0].text("type") == "delete"
        });
        let deleted = deleted.unwrap();
        let server = fresh(kind);
        let spool = Spool::recording(&name);
        // One name goes on while --until moves forward.
        for (until, state) in [(all[deleted].ts, "before"), (all[deleted + 2].ts, "damaged")] {
            spool
                .apply(&server.url(), ["--until", &time(until)])
                .code(0)
                .says(&[&time(until)[11..]]);
            assert_same_dump(&server.dump(), &read(&format!("{name}.{state}.sql")), state);
        }
        spool.apply(&server.url(), [] as [&str; 0]).code(0);
        assert_same_dump(&server.dump(), &read(&format!("{name}.end.sql")), "end");
    }
}

#[test]
fn an_offset_in_the_time_moves_the_cut() {
    let all = transactions(&read("mariadb-incident.jsonl"));
    let deleted = all
        .iter()
        .find(|one| one.events.len() == 900 && one.events[0].text("type") == "delete")
        .unwrap();
    let server = fresh(Kind::MariaDb);
    let moved = format!("{}+02:00", time(deleted.ts + 7200));
    Spool::recording("mariadb-incident").apply(&server.url(), ["--until", &moved]).code(0);
    assert_same_dump(&server.dump(), &read("mariadb-incident.before.sql"), &moved);
}

/// The dumps of the source after each number of transactions, by the reference applier.
fn states(kind: Kind, all: &[Transaction]) -> Vec<String> {
    let server = fresh(kind);
    let mut reference = Reference::new(&server);
    let mut dumps = vec![server.dump()];
    for transaction in all {
        reference.apply(transaction);
        dumps.push(server.dump());
    }
    dumps
}

fn cut_gives(kind: Kind, spool: &Spool, cut: &[&str], prefix: usize, states: &[String]) {
    let server = fresh(kind);
    // What is before the first is nothing.
    spool.apply(&server.url(), cut).code(if prefix == 0 { 3 } else { 0 });
    let found = server.dump();
    assert!(is_one_of(&found, states), "{cut:?} gives a state that the source never had");
    assert_same_dump(&found, &states[prefix], &format!("{cut:?}"));
}

#[test]
fn every_until_over_edges_is_the_prefix_before_the_first_later_commit() {
    for kind in KINDS {
        let name = format!("{}-edges", kind.name());
        let all = transactions(&read(&format!("{name}.jsonl")));
        let (states, spool) = (states(kind, &all), Spool::recording(&name));
        let first = all[0].ts;
        for ts in first..=all.iter().map(|one| one.ts).max().unwrap() + 1 {
            let prefix = all.iter().position(|one| one.ts >= ts).unwrap_or(all.len());
            cut_gives(kind, &spool, &["--until", &time(ts)], prefix, &states);
        }
    }
}

#[test]
fn every_position_over_edges_is_the_prefix_before_it() {
    for kind in KINDS {
        let name = format!("{}-edges", kind.name());
        let all = transactions(&read(&format!("{name}.jsonl")));
        let (states, spool) = (states(kind, &all), Spool::recording(&name));
        let start = edge_position(&all, false);
        let positions: BTreeSet<&String> = all.iter().map(|one| &one.position).collect();
        for position in positions {
            let prefix = all.iter().position(|one| one.position == *position).unwrap();
            let range = format!("{start}..{position}");
            cut_gives(kind, &spool, &["--position", &range], prefix, &states);
        }
    }
}

#[test]
fn since_and_until_cut_one_stretch_that_goes_on_where_the_last_ended() {
    let all = transactions(&read("mariadb-incident.jsonl"));
    let deleted = all
        .iter()
        .find(|one| one.events.len() == 900 && one.events[0].text("type") == "delete")
        .unwrap();
    let (server, spool, cut) =
        (fresh(Kind::MariaDb), Spool::recording("mariadb-incident"), time(deleted.ts));
    spool.apply(&server.url(), ["--until", &cut, "--name", "first"]).code(0);
    spool.apply(&server.url(), ["--since", &cut, "--name", "second"]).code(0);
    assert_same_dump(&server.dump(), &read("mariadb-incident.end.sql"), "two stretches");
}
