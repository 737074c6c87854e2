//! A table as it was at a time, in an SQLite file: by the stream alone where the spool has the table from its creation,
//! else from the source as it is (`--base`), what came since taken back.

use crate::support::{
    Fresh, Kind, Run, Server, Spool,
    content::Content,
    maxwell::{Producer, session},
    source, temp_dir, workload, write,
};
use mysql::prelude::Queryable;
use std::{
    env,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

mod base;
mod interrupted;
mod types;
mod whole;

const START: u64 = 1_700_000_000;

fn time(seconds: u64) -> String {
    jiff::Timestamp::from_second(seconds as i64).unwrap().to_string()
}

/// A source, the stream of what was done to it, and the files made of both.
struct Case {
    source: Fresh,
    spool: Spool,
    dir: TempDir,
}

/// Runs the statements, each ten seconds after the last; what is seen of the tables before the one at `look`.
fn run(server: &Server, statements: &[&str], look: usize) -> (String, Content) {
    let mut producer = Producer::new(server);
    let mut client = session(server);
    client.query_drop("SET time_zone='+00:00', sql_mode=''").unwrap();
    let mut seen = None;
    for (number, statement) in statements.iter().enumerate() {
        if number == look {
            seen = Some(Content::of(server));
        }
        client.query_drop(format!("SET timestamp={}", START + 10 * number as u64)).unwrap();
        producer.run(&mut client, statement).unwrap();
    }
    (producer.lines(), seen.unwrap_or_else(|| Content::of(server)))
}

/// The time before the statement of that number.
fn before(number: usize) -> String {
    time(START + 10 * number as u64 - 5)
}

impl Case {
    /// A source with these statements done, and a spool of all of it; the tables before the one at `look`.
    fn new(kind: Kind, statements: &[&str], look: usize) -> (Case, Content) {
        let source = source(kind);
        let (lines, seen) = run(&source, statements, look);
        (Case::of(source, &lines), seen)
    }

    fn of(source: Fresh, lines: &str) -> Case {
        let dir = temp_dir();
        let spool = Spool::of(&write(&dir, "stream.jsonl", lines));
        Case { source, spool, dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn forward(&self, name: &str, args: &[&str]) -> Run {
        self.spool.apply(&format!("sqlite:{}", self.file(name).display()), args)
    }

    fn based(&self, name: &str, until: &str, args: &[&str]) -> Run {
        let url = self.source.url();
        self.forward(name, &[&["--until", until, "--base", &url], args].concat())
    }
}

fn tables(file: &Path) -> Vec<String> {
    let file = rusqlite::Connection::open(file).unwrap();
    let names = "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'binsync_%'";
    let mut names = file.prepare(names).unwrap();
    names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// `BINSYNC_TEST_MOMENTS` says how many times are looked at.
fn each_moment(kind: Kind, seed: u64) {
    let looks = number("BINSYNC_TEST_MOMENTS", 4) as usize;
    let source = source(kind);
    let (lines, moments) = workload::watched(&source, seed, looks);
    let case = Case::of(source, &lines);
    let telling = moments.iter().filter(|m| m.content.rows() > 20).count();
    assert!(
        telling * 2 >= looks,
        "seed {seed}: only {telling} of {looks} moments have much to show"
    );
    for (number, moment) in moments.iter().enumerate() {
        let what = |how: &str| format!("seed {seed} on {}, {how}, moment {number}", kind.name());
        let (until, file) = (time(moment.time), format!("forward-{number}.db"));
        case.forward(&file, &["--until", &until]).code(0);
        moment.content.assert_is_in(&case.file(&file), &what("forward"));
        let file = format!("base-{number}.db");
        case.based(&file, &until, &["--table", "w.*"]).code(0);
        moment.content.assert_is_in(&case.file(&file), &what("from the base"));
    }
}

#[test]
fn random_times_of_random_work_on_mariadb() {
    let first = number("BINSYNC_TEST_FIRST_SEED", 1);
    (first..first + number("BINSYNC_TEST_SEEDS", 2)).for_each(|n| each_moment(Kind::MariaDb, n));
}

#[test]
fn random_times_of_random_work_on_mysql() {
    let first = number("BINSYNC_TEST_FIRST_SEED", 1);
    (first..first + number("BINSYNC_TEST_SEEDS", 2)).for_each(|n| each_moment(Kind::MySql, n));
}

const SHOP: [&str; 8] = [
    "CREATE DATABASE shop",
    "CREATE TABLE shop.orders (id INT PRIMARY KEY, v INT)",
    "CREATE TABLE shop.items (id INT PRIMARY KEY, v INT)",
    "INSERT INTO shop.orders VALUES (1,1),(2,2),(3,3)",
    "INSERT INTO shop.items VALUES (1,1)",
    "UPDATE shop.orders SET v=10 WHERE id=1",
    "DELETE FROM shop.orders WHERE id=2",
    "INSERT INTO shop.orders VALUES (7,7)",
];
