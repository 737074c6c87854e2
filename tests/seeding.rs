//! A target that is seeded by hand: loaded from a dump that was made while others wrote, then brought to date from where
//! the dump ends, with the commands of `docs/operations.md`.

use crate::support::{
    Fresh, Kind, Run, Running, Spool, assert_same_dump, fresh,
    maxwell::{Producer, session},
    servers::KINDS,
    source, temp_dir, write,
};
use mysql::{Conn, prelude::Queryable};
use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    thread,
    time::Duration,
};

/// The tables, the second one without a key.
const SHOP: [&str; 3] = [
    "CREATE DATABASE shop CHARACTER SET utf8mb4",
    "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, state VARCHAR(20), n INT)",
    "CREATE TABLE shop.log (what VARCHAR(40), at DATETIME(6))",
];

/// One transaction of a shop; one that meets another in a deadlock is none.
fn trade(session: &mut Conn, n: u32) {
    let statements = [
        "BEGIN".to_owned(),
        format!("INSERT INTO shop.orders (state, n) VALUES ('new', {n}), ('new', {n}+1)"),
        format!(
            "UPDATE shop.orders SET state='paid', n=n+1 WHERE n%7={} ORDER BY id LIMIT 3",
            n % 7
        ),
        format!("DELETE FROM shop.orders WHERE n%11={} ORDER BY id LIMIT 1", n % 11),
        "INSERT INTO shop.log VALUES ('same', '2024-01-01'), ('same', '2024-01-01')".to_owned(),
        "COMMIT".to_owned(),
    ];
    if let Err(error) = statements.iter().try_for_each(|statement| session.query_drop(statement)) {
        let error = error.to_string();
        assert!(error.contains("Deadlock") || error.contains("Lock wait"), "{error}");
        session.query_drop("ROLLBACK").unwrap();
    }
}

/// What was recorded of a source while it was dumped, the dump, and where it ends.
struct Seed {
    lines: String,
    dump: String,
    /// As `FILE:POS`.
    ends: String,
    /// The source when all was over.
    end: String,
}

/// The commands that the documentation gives.
fn dump_command(kind: Kind) -> (&'static str, &'static [&'static str]) {
    match kind {
        Kind::MariaDb => ("mariadb-dump", &["--master-data=2"]),
        Kind::MySql => ("mysqldump", &["--source-data=2", "--set-gtid-purged=OFF"]),
    }
}

/// What both are given.
const DUMP: [&str; 5] =
    ["--single-transaction", "--skip-triggers", "--hex-blob", "--no-tablespaces", "--databases"];

impl Seed {
    fn sow(kind: Kind) -> Seed {
        let server = source(kind);
        let mut producer = Producer::new(&server);
        let mut maker = session(&server);
        SHOP.iter().for_each(|statement| producer.run(&mut maker, statement).unwrap());
        let (ended, traded) = (AtomicBool::new(false), AtomicU32::new(0));
        let dump = thread::scope(|scope| {
            for writer in 0..2 {
                let (ended, traded, server) = (&ended, &traded, &*server);
                scope.spawn(move || {
                    let mut session = session(server);
                    session.query_drop("SET innodb_lock_wait_timeout=1").unwrap();
                    while !ended.load(Relaxed) {
                        trade(&mut session, traded.fetch_add(1, Relaxed) * 2 + writer);
                    }
                });
            }
            let past = |n| {
                while traded.load(Relaxed) < n {
                    thread::sleep(Duration::from_millis(1))
                }
            };
            past(100);
            let (program, args) = dump_command(kind);
            let done = server.client(program).args(args).args(DUMP).arg("shop").output().unwrap();
            let after = traded.load(Relaxed);
            past(after + 100);
            ended.store(true, Relaxed);
            assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8(done.stdout).unwrap()
        });
        let line = dump.lines().find(|line| line.contains("_LOG_POS=")).expect("coordinates");
        let file = line.split('\'').nth(1).unwrap();
        let position = line.rsplit('=').next().unwrap().trim_end_matches(';');
        let ends = format!("{file}:{position}");
        let end = server.dump();
        Seed { lines: producer.lines(), dump, ends, end }
    }

    /// The lines before the end of the dump and behind it: whole transactions.
    fn halves(&self) -> (String, String) {
        let end: u64 = self.ends.split(':').nth(1).unwrap().parse().unwrap();
        let is_before = |line: &&str| {
            let place = line.split("\"position\":\"").nth(1).unwrap().split('"').next().unwrap();
            place.split(':').nth(1).unwrap().parse::<u64>().unwrap() < end
        };
        let join = |lines: Vec<&str>| lines.into_iter().map(|line| format!("{line}\n")).collect();
        let (before, after) = self.lines.lines().partition::<Vec<_>, _>(is_before);
        (join(before), join(after))
    }

    fn target(&self, kind: Kind) -> Fresh {
        let target = fresh(kind);
        target.feed(&self.dump);
        target
    }
}

fn apply(spool: &Spool, target: &Fresh, args: &[&str]) -> Run {
    spool.apply(&target.url(), args)
}

#[test]
fn a_target_loaded_from_a_dump_made_under_writes_is_brought_to_date_from_where_it_ends() {
    for kind in KINDS {
        let seed = Seed::sow(kind);
        let (before, after) = seed.halves();
        assert!(before.lines().count() > 100 && after.lines().count() > 100);
        let from = format!("{}..", seed.ends);
        let dir = temp_dir();

        // All at once, and again.
        let whole = Spool::of(&write(&dir, "whole.jsonl", &seed.lines));
        let target = seed.target(kind);
        apply(&whole, &target, &["--position", &from, "--dry-run"]).code(0);
        apply(&whole, &target, &["--position", &from]).code(0);
        assert_same_dump(&target.dump(), &seed.end, "from where the dump ends");
        apply(&whole, &target, &["--position", &from]).code(0);
        assert_same_dump(&target.dump(), &seed.end, "run again");
        drop(target);

        // While a capture brings it: it is behind the dump at first, and what it brings then is in the dump.
        let (early, late) =
            before.split_at(before[..before.len() / 2].rfind("\"commit\":true").unwrap());
        let (rest, late) = late.split_at(late.find('\n').unwrap() + 1);
        let spool = Spool::of(&write(&dir, "early.jsonl", format!("{early}{rest}")));
        let target = seed.target(kind);
        let url = target.url();
        let args = ["apply", "--target", &url, "--position", &from, "--follow"];
        let mut follow = Running::start(spool.command(args));
        thread::sleep(Duration::from_millis(500));
        for (name, part) in [("late.jsonl", late), ("after.jsonl", &after)] {
            let part = write(&dir, name, part);
            spool.run(["import", part.to_str().unwrap()]).code(0);
            thread::sleep(Duration::from_millis(500));
        }
        assert!(follow.until(|| rows(&target.dump()) == rows(&seed.end)), "it ended by itself");
        follow.signal("-INT");
        let (status, said) = follow.end();
        assert!(matches!(status.code(), Some(0 | 4)), "{status}\n{said}");
        assert!(said.contains("waiting for the capture"), "{said}");
        assert_same_dump(&target.dump(), &seed.end, "followed");
        apply(&spool, &target, &["--position", &from]).code(0);
        assert_same_dump(&target.dump(), &seed.end, "followed, and run again");
    }
}

/// How many bytes of rows there are, for a wait that need not be exact.
fn rows(dump: &str) -> usize {
    dump.lines().filter(|line| line.starts_with("INSERT")).map(str::len).sum()
}

#[test]
fn a_first_apply_into_a_loaded_target_says_what_it_meets_and_how_to_go_on() {
    for kind in KINDS {
        let seed = Seed::sow(kind);
        let dir = temp_dir();
        let spool = Spool::of(&write(&dir, "whole.jsonl", &seed.lines));
        let target = seed.target(kind);
        let loaded = target.dump();
        let meets =
            ["the database shop", "the table shop.orders", "shop.log", "--position", "--ddl skip"];
        apply(&spool, &target, &["--dry-run"]).code(4).says(&meets);
        apply(&spool, &target, &[]).code(4).says(&meets);
        assert_same_dump(&target.dump(), &loaded, "nothing was written");
        assert_eq!(target.query("SELECT COUNT(*) FROM binsync.progress").trim(), "0");
        // The name is free for what is right.
        apply(&spool, &target, &["--position", &format!("{}..", seed.ends)]).code(0);
        assert_same_dump(&target.dump(), &seed.end, "the way on");

        let other = "other.000001:4..".to_owned();
        apply(&spool, &target, &["--name", "x", "--position", &other])
            .code(2)
            .says(&["is called bin", "not other"]);
        let ended = format!("{0}..{0}", seed.ends);
        apply(&spool, &target, &["--name", "x", "--position", &ended, "--follow"])
            .code(2)
            .says(&["--follow", "end"]);
    }
}

#[test]
fn a_run_that_wrote_nothing_does_not_keep_its_name() {
    for kind in KINDS {
        let target = fresh(kind);
        target.sql(
            "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1)",
        );
        let dir = temp_dir();
        let row = |table: &str, xid: u32| {
            format!(
                "{{\"type\":\"insert\",\"database\":\"d\",\"table\":\"{table}\",\"ts\":1795351926,\"xid\":{xid},\"commit\":true,\"position\":\"bin.000001:{xid}00\",\"data\":{{\"id\":1}}}}\n"
            )
        };
        let bad = r#"{"type":"table-create","database":"d","table":"u","ts":1795351926000,"position":"bin.000001:50","sql":"CREATE TABLE u (id INT) ENGINE=NoSuchEngine","def":{"database":"d","table":"u","columns":[{"type":"int","name":"id","signed":true}]}}"#;
        for (n, first) in [row("t", 1), format!("{bad}\n")].into_iter().enumerate() {
            let spool = Spool::of(&write(&dir, &format!("{n}.jsonl"), first + &row("t", 2)));
            target.sql("SET GLOBAL sql_mode='NO_ENGINE_SUBSTITUTION'");
            apply(&spool, &target, &[]).code(4);
            assert_eq!(target.query("SELECT COUNT(*) FROM binsync.progress").trim(), "0");
            assert_eq!(target.query("SELECT COUNT(*) FROM binsync.intent").trim(), "0");
        }
        target.sql("SET GLOBAL sql_mode=DEFAULT");
    }
}
