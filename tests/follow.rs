//! `apply --follow`: what is added to the spool arrives at the target, a signal ends it, a rerun goes on.

use crate::support::{
    Fresh, Kind, Running, Spool, assert_same_dump, fresh, read, servers::KINDS, stream::events,
    temp_dir, write,
};
use std::{collections::BTreeMap, path::PathBuf};
use tempfile::TempDir;

/// How many rows each table holds after these lines.
fn counts(lines: &str) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for event in events(lines) {
        let rows = match event.text("type") {
            "insert" => 1,
            "delete" => -1,
            _ => continue,
        };
        *counts
            .entry(format!("{}.{}", event.text("database"), event.text("table")))
            .or_default() += rows;
    }
    counts
}

/// A recording in files, cut where a transaction ends, and what is in the tables after each.
struct Pieces {
    _dir: TempDir,
    pieces: Vec<(PathBuf, BTreeMap<String, i64>)>,
}

impl Pieces {
    fn of(name: &str, number: usize) -> Pieces {
        let (dir, stream) = (temp_dir(), read(&format!("{name}.jsonl")));
        let (mut pieces, mut from) = (Vec::new(), 0);
        for n in 1..=number {
            let commit = "\"commit\":true";
            let least = stream.len() * n / number;
            let to = match n == number {
                true => stream.len(),
                false => {
                    let at = least + stream[least..].find(commit).expect("a commit");
                    at + stream[at..].find('\n').unwrap() + 1
                }
            };
            let file = write(&dir, &format!("piece-{n}"), &stream[from..to]);
            pieces.push((file, counts(&stream[..to])));
            from = to;
        }
        Pieces { _dir: dir, pieces }
    }
}

fn arrived(server: &Fresh, expected: &BTreeMap<String, i64>) -> bool {
    let count = |(table, rows): (&String, &i64)| format!("(SELECT COUNT(*) FROM {table})={rows}");
    let all = expected.iter().map(count).collect::<Vec<_>>().join(" AND ");
    let done = server.client("mariadb").args(["-N", "-B", "-e", &format!("SELECT {all}")]).output();
    // A table may not be there yet.
    done.unwrap().stdout == b"1\n"
}

fn follows(server: &Fresh, spool: &Spool, pieces: &[(PathBuf, BTreeMap<String, i64>)]) {
    let url = server.url();
    let mut follow = Running::start(spool.command(["apply", "--target", &url, "--follow"]));
    for (file, expected) in pieces {
        spool.run(["import", file.to_str().unwrap()]).code(0);
        if !follow.until(|| arrived(server, expected)) {
            panic!("--follow ended by itself: {:?}", follow.end());
        }
    }
    follow.signal("-INT");
    let (status, said) = follow.end();
    assert!(matches!(status.code(), Some(0 | 4)), "{status}\n{said}");
}

#[test]
fn what_is_imported_arrives_and_a_rerun_goes_on() {
    for kind in KINDS {
        let name = format!("{}-incident", kind.name());
        let Pieces { pieces, _dir } = Pieces::of(&name, 6);
        let (server, spool) = (fresh(kind), Spool::of(&pieces[0].0));
        follows(&server, &spool, &pieces[1..3]);
        // What comes while nobody follows is caught up with.
        spool.run(["import", pieces[3].0.to_str().unwrap()]).code(0);
        follows(&server, &spool, &pieces[4..]);
        let end = read(&format!("{name}.end.sql"));
        assert_same_dump(&server.dump(), &end, "followed");
        spool.apply(&server.url(), [] as [&str; 0]).code(0).says(&["nothing was left"]);
        assert_same_dump(&server.dump(), &end, "followed, then applied");
    }
}

#[test]
fn a_transaction_that_is_not_whole_yet_is_waited_for() {
    let server = fresh(Kind::MariaDb);
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)");
    let row = |id: u32, end: &str| {
        format!(
            "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795351926,\"xid\":7,{end},\"position\":\"bin.000001:{}\",\"data\":{{\"id\":{id}}}}}\n",
            100 + id
        )
    };
    let dir = temp_dir();
    let half = write(&dir, "half", row(1, "\"xoffset\":0"));
    let rest = write(&dir, "rest", row(2, "\"commit\":true"));
    let spool = Spool::of(&half);
    let url = server.url();
    let mut follow = Running::start(spool.command(["apply", "--target", &url, "--follow"]));
    let rows = || server.query("SELECT COUNT(*) FROM d.t");
    // Some looks at the spool later it is still not there.
    let started = std::time::Instant::now();
    assert!(follow.until(|| started.elapsed().as_millis() > 1500));
    assert_eq!(rows(), "0\n");
    spool.run(["import", rest.to_str().unwrap()]).code(0);
    assert!(follow.until(|| rows() == "2\n"), "{:?}", follow.end());
    follow.signal("-TERM");
    let (status, said) = follow.end();
    assert!(matches!(status.code(), Some(0 | 4)), "{status}\n{said}");
}
