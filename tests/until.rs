//! A cut in time or position gives a state that the source had.

use crate::support::{
    Fresh, Kind, Spool, assert_same_dump,
    dump::is_one_of,
    fresh, read,
    reference::Reference,
    servers::KINDS,
    stream::{Transaction, edge_position, transactions},
};

/// Of all cuts: each of these takes everything before it once more.
const FROM_NOTHING: usize = 5;

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

/// A cut, and how many transactions are before it.
struct Cut {
    /// From nothing.
    whole: Vec<String>,
    /// From the cut before it.
    next: Vec<String>,
    prefix: usize,
}

/// Each cut reached from the one before it, and a few of them from nothing.
fn cuts_give(kind: Kind, spool: &Spool, cuts: &[Cut], states: &[String]) {
    let reached = |server: &Fresh, args: &[String], prefix: usize| {
        // What is before the first is nothing.
        let none = prefix == 0;
        spool.apply(&server.url(), args).code(if none { 3 } else { 0 });
        let found = server.dump();
        assert!(is_one_of(&found, states), "{args:?} gives a state that the source never had");
        assert_same_dump(&found, &states[prefix], &format!("{args:?}"));
    };
    let server = fresh(kind);
    cuts.iter().for_each(|cut| reached(&server, &cut.next, cut.prefix));
    // Who holds one server and waits for another may wait for ever.
    drop(server);
    for cut in fastrand::choose_multiple(cuts, FROM_NOTHING) {
        reached(&fresh(kind), &cut.whole, cut.prefix);
    }
}

fn every_cut_over_edges_is_a_prefix(kind: Kind) {
    let name = format!("{}-edges", kind.name());
    let all = transactions(&read(&format!("{name}.jsonl")));
    let (states, spool) = (states(kind, &all), Spool::recording(&name));
    let before = |is_behind: &dyn Fn(&Transaction) -> bool| {
        all.iter().position(is_behind).unwrap_or(all.len())
    };
    let last = all.iter().map(|one| one.ts).max().unwrap();
    let times: Vec<Cut> = (all[0].ts..=last + 1)
        .map(|ts| {
            let until = vec!["--until".to_owned(), time(ts)];
            Cut { whole: until.clone(), next: until, prefix: before(&|one| one.ts >= ts) }
        })
        .collect();
    cuts_give(kind, &spool, &times, &states);
    let start = edge_position(&all, false);
    let mut from = start.clone();
    // In the order of the stream; several transactions may have one position.
    let mut places: Vec<&String> = all.iter().map(|one| &one.position).collect();
    places.dedup();
    let positions: Vec<Cut> = places
        .into_iter()
        .map(|at| {
            let stretch = |from: &str| vec!["--position".to_owned(), format!("{from}..{at}")];
            let name = ["--name".to_owned(), format!("to {at}")];
            let next = [stretch(&from), name.to_vec()].concat();
            from.clone_from(at);
            Cut { whole: stretch(&start), next, prefix: before(&|one| one.position == *at) }
        })
        .collect();
    cuts_give(kind, &spool, &positions, &states);
}

#[test]
fn every_cut_over_edges_of_mariadb_is_a_prefix() {
    every_cut_over_edges_is_a_prefix(Kind::MariaDb);
}

#[test]
fn every_cut_over_edges_of_mysql_is_a_prefix() {
    every_cut_over_edges_is_a_prefix(Kind::MySql);
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
