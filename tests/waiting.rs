//! `wait` ends with 0 when the target has what was committed before it began, and only then.

use crate::support::{Kind, chain::Chain, maxwell::session, servers::KINDS};
use mysql::prelude::Queryable;
use std::{
    env,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const TABLES: [&str; 3] = [
    "CREATE DATABASE w",
    "CREATE TABLE w.busy (id INT PRIMARY KEY, v INT)",
    "CREATE TABLE w.seen (id INT PRIMARY KEY)",
];

/// The bar of a wait, by how busy the machine of the tests may be.
const SLOW: Duration = Duration::from_secs(20);

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Changes rows until told to stop, in transactions of one to five.
fn load(chain: &Chain, stop: &AtomicBool) {
    let mut client = session(&chain.source);
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        client.query_drop("BEGIN").unwrap();
        for row in 0..=n % 5 {
            let id = (n * 7 + row) % 1000;
            let write = "INSERT INTO w.busy VALUES";
            client
                .query_drop(format!("{write} ({id}, {n}) ON DUPLICATE KEY UPDATE v=v+1"))
                .unwrap();
        }
        client.query_drop("COMMIT").unwrap();
        thread::sleep(Duration::from_millis(1));
    }
}

/// `BINSYNC_TEST_WAITS` says how many times are waited for on each kind of server.
#[test]
fn what_was_committed_before_is_at_the_target_and_what_does_not_come_is_told() {
    for kind in KINDS {
        let shown = |line: &str| !HIDDEN.load(Ordering::Relaxed) || !line.contains(r#""binsync""#);
        let chain = Chain::start(kind, kind, &TABLES, shown);
        let stop = AtomicBool::new(false);
        let (mut writer, mut reader) = (session(&chain.source), session(&chain.target));
        let (waits, mut longest) = (number("BINSYNC_TEST_WAITS", 5), Duration::ZERO);
        thread::scope(|scope| {
            scope.spawn(|| load(&chain, &stop));
            for id in 0..waits {
                writer.query_drop(format!("INSERT INTO w.seen VALUES ({id})")).unwrap();
                let began = Instant::now();
                let waited = chain.run("wait", &[]);
                longest = longest.max(began.elapsed());
                let there = format!("SELECT COUNT(*) FROM w.seen WHERE id={id}");
                let there: Option<u64> = reader.query_first(there).unwrap();
                stop.store(waited.code != 0 || id + 1 == waits, Ordering::Relaxed);
                waited.code(0).says(&["applied all"]);
                assert_eq!(there, Some(1), "wait {id} on {} was early", kind.name());
            }
        });
        eprintln!("{waits} waits on {}, the longest took {longest:?}", kind.name());
        assert!(longest < SLOW, "{longest:?}");
        if kind == Kind::MySql {
            drop((writer, reader));
            what_does_not_come_is_told_and_is_no_success(chain);
        }
    }
}

static HIDDEN: AtomicBool = AtomicBool::new(false);

/// By the same servers.
fn what_does_not_come_is_told_and_is_no_success(mut chain: Chain) {
    chain.run("wait", &["--name", "other"]).code(2).says(&["no run is called \"other\""]);
    // A server that takes no writes.
    chain
        .source
        .sql("DELETE FROM w.seen; INSERT INTO w.seen VALUES (1); SET GLOBAL super_read_only=1");
    chain.run("wait", &[]).code(0);
    assert_eq!(chain.target.query("SELECT id FROM w.seen"), "1\n");
    chain.source.sql("SET GLOBAL read_only=0; SET GLOBAL binlog_order_commits=0");
    chain.run("wait", &[]).code(4).says(&["binlog_order_commits=OFF"]);
    chain.source.sql("SET GLOBAL binlog_order_commits=1");
    chain.halt();
    chain.source.sql("INSERT INTO w.seen VALUES (2)");
    let late = chain.run("wait", &["--timeout", "500ms"]).code(4);
    late.says(&["has not applied all in time", "it stands at message", "messages behind that"]);
    chain.follow();
    chain.run("wait", &[]).code(0);
    assert_eq!(chain.target.query("SELECT COUNT(*) FROM w.seen"), "2\n");
    HIDDEN.store(true, Ordering::Relaxed);
    let began = Instant::now();
    let hidden = chain.run("wait", &[]).code(4).says(&["within 10 s", "`filter`", "binsync.#"]);
    assert!(began.elapsed() > Duration::from_secs(9), "{}", hidden.stderr);
}
