//! `sync`: tables are copied while they are written to, and the run goes on with what comes.

use crate::kills::sync::apart;
use crate::support::{
    Kind::{MariaDb, MySql},
    Run, Running, assert_same_dump,
    chain::Chain,
    cli::{command, finish},
    dump::of_database,
    maxwell::session,
    running::was_killed,
    temp_dir,
};
use mysql::{Conn, prelude::Queryable};
use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread::{scope, sleep},
    time::Duration,
};
use tempfile::TempDir;

/// What is hard to copy: keys that a collation takes for one, that end in zeros or blanks, of several columns; values.
const SOURCE: [&str; 8] = [
    "CREATE DATABASE c",
    "CREATE TABLE c.words (w VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci PRIMARY KEY, v INT)",
    "CREATE TABLE c.exact (w VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, n INT, v INT, PRIMARY KEY (w, n))",
    "CREATE TABLE c.codes (k BINARY(4), e ENUM('z','a','m'), v INT, PRIMARY KEY (k, e))",
    "CREATE TABLE c.bytes (k VARBINARY(8) PRIMARY KEY, v INT)",
    "CREATE TABLE c.items (id INT AUTO_INCREMENT PRIMARY KEY, u INT NOT NULL, v VARCHAR(60) NOT NULL, UNIQUE (u))",
    "CREATE TABLE c.kinds (id INT PRIMARY KEY, f FLOAT, d DECIMAL(9,3), t TIMESTAMP(3) NULL, j JSON, b BLOB, g POINT, \
     twice INT AS (id * 2))",
    "CREATE TABLE c.deal (id INT PRIMARY KEY, corp INT NOT NULL, v INT)",
];

/// More than two parts have.
const ITEMS: usize = 12_000;
const WORDS: usize = 1_400;

fn fill(source: &mut Conn) {
    let rows = |many: usize, one: &dyn Fn(usize) -> String| {
        (0..many).map(one).collect::<Vec<_>>().join(",")
    };
    let word = |n: usize| ["e", "é", "ß", "ss", "ab  ", "z"][n % 6];
    for (table, rows) in [
        ("words", rows(WORDS, &|n| format!("('{}{n}',{n})", word(n)))),
        ("exact", rows(WORDS, &|n| format!("('{}',{},{n})", word(n), n / 6))),
        ("codes", rows(WORDS, &|n| format!("(X'{:08X}',{},{n})", (n / 3) << 8, 1 + n % 3))),
        ("bytes", rows(WORDS, &|n| format!("(X'{:04X}{}',{n})", n / 3, "00".repeat(n % 3)))),
        ("items", rows(ITEMS, &|n| format!("({},{n},REPEAT('{n} ',9))", n + 1))),
        ("deal", rows(WORDS, &|n| format!("({n},{},{n})", n % 5))),
    ] {
        source.query_drop(format!("INSERT INTO c.{table} VALUES {rows}")).unwrap();
    }
    source
        .query_drop(
            "INSERT INTO c.kinds (id,f,d,t,j,b,g) VALUES (1,0.1,1.500,'2024-02-29 12:00:00.5','{\"a\": [1, 2.5]}',X'00FF00',\
             ST_GeomFromText('POINT(1.5 -2)')), (2,NULL,NULL,NULL,NULL,NULL,NULL), (3,16777217,-0.001,'2038-01-19 03:14:07','null','',NULL)",
        )
        .unwrap();
}

/// Rows that move, change keys, go, and come again, until told to stop.
fn load(source: &mut Conn, stop: &AtomicBool) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (item, far) = (1 + n * 37 % ITEMS, 1 + (n * 37 + ITEMS / 2) % ITEMS);
        let word = n * 7 % WORDS;
        for statement in [
            "BEGIN".to_owned(),
            // A key changes before its row is copied, or behind that: to where the copy has been, and back.
            format!("UPDATE c.items SET id={} WHERE id={item}", 1_000_000 + item),
            format!(
                "UPDATE c.items SET id={item}, v=CONCAT('moved ', {n}) WHERE id={}",
                1_000_000 + item
            ),
            format!("UPDATE c.items SET id=-{far} WHERE id={far}"),
            // A unique value goes from row to row.
            format!("DELETE FROM c.items WHERE u={}", ITEMS + n % 3),
            format!("INSERT INTO c.items (u, v) VALUES ({}, '{n}')", ITEMS + n % 3),
            // Another spelling of the same key, and of others that look like it.
            format!(
                "UPDATE c.words SET w=IF(w LIKE BINARY 'E%', LOWER(w), UPPER(w)), v=v+1 WHERE v%{WORDS}={word}"
            ),
            format!("DELETE FROM c.exact WHERE w='e' AND n={}", word / 6),
            format!(
                "INSERT INTO c.exact VALUES ('e',{},{n}) ON DUPLICATE KEY UPDATE v=v+1",
                word / 6
            ),
            format!("UPDATE c.codes SET v=v+1 WHERE k=X'{:08X}'", (word / 3) << 8),
            format!("DELETE FROM c.bytes WHERE k=X'{:04X}'", word / 3),
            format!("INSERT INTO c.bytes VALUES (X'{:04X}',{n})", word / 3),
            format!("UPDATE c.deal SET corp=corp+1 WHERE id={word}"),
            "COMMIT".to_owned(),
        ] {
            source.query_drop(&statement).unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
        sleep(Duration::from_millis(20));
    }
}

fn file(chain: &Chain, dir: &TempDir, routes: &str) {
    let text = format!(
        "[source.old]\nspool = {:?}\nmysql = \"{}\"\n[target]\nnew = \"{}\"\n[sync.move]\nfrom = [\"old\"]\ncopy = true\n{routes}",
        chain.spool.path(),
        apart(&chain.source).0,
        apart(&chain.target).0
    );
    fs::write(dir.path().join("binsync.toml"), text).unwrap();
}

/// A command on the sync of the file in a folder.
fn of_sync(chain: &Chain, dir: &Path, name: &str) -> Command {
    let mut command = command([name, "move"]);
    command.current_dir(dir);
    command.env("BINSYNC_SOURCE_OLD_MYSQL_PASSWORD", apart(&chain.source).1);
    command.env("BINSYNC_TARGET_NEW_PASSWORD", apart(&chain.target).1);
    command
}

/// How far the copy has come: what is left of it; `None` before it begins.
fn left(target: &mut Conn) -> Option<BTreeSet<(String, Option<String>)>> {
    let begun: Option<u64> = target.query_first("SELECT COUNT(*) FROM binsync.progress").ok()?;
    let rows = target.query("SELECT source_table, reached FROM binsync.copy").ok()?;
    begun.filter(|runs| *runs > 0).map(|_| rows.into_iter().collect())
}

const ROUTES: &str = r#"
[[sync.move.route]]
tables = ["c.deal"]
shard = { column = "corp", modulo = 2 }
to = { 0 = "new:even", 1 = "new:odd" }
[[sync.move.route]]
tables = ["c.*"]
to = "new"
"#;

/// Says how often the copy is killed.
const COUNT: &str = "BINSYNC_TEST_KILLS";

fn kills() -> usize {
    env::var(COUNT).map_or(4, |count| count.parse().expect("a number"))
}

#[test]
fn tables_are_copied_while_they_are_written_to_and_the_copy_is_killed() {
    // MySQL's turn is where time is no matter.
    let kinds = if env::var_os(COUNT).is_some() { &[MariaDb, MySql][..] } else { &[MariaDb] };
    for kind in kinds {
        let chain = Chain::recorded(*kind, *kind, [&SOURCE, &[]], |_| true);
        let began = std::time::Instant::now();
        let dir = temp_dir();
        file(&chain, &dir, ROUTES);
        let mut client = session(&chain.source);
        client.query_drop("SET sql_mode='', time_zone='+00:00'").unwrap();
        fill(&mut client);
        let stop = AtomicBool::new(false);
        scope(|threads| {
            threads.spawn(|| load(&mut client, &stop));
            let _stop = Stop(&stop);
            copied(&chain, dir.path());
        });
        chain.source.sql("DROP DATABASE chain_begins");
        let sync = Running::start(of_sync(&chain, dir.path(), "sync"));
        eprintln!("copied in {:?}", began.elapsed());
        let of = |name: &str| finish(of_sync(&chain, dir.path(), name), None);
        of("wait").code(0).says(&["move.old", "applied all"]);
        of("compare").code(0).says(&["8 tables: 0 differ, 0 undecided, 0 tables not compared"]);
        a_row_in_the_wrong_place_is_found(&chain, || of("compare"));
        let status = ["status", "--target", &chain.target.url()];
        assert!(!chain.spool.run(status).text().contains("first copy"));
        sync.signal("-INT");
        let (status, said) = sync.end();
        assert!(status.success(), "{status}: {said}");
        assert_copied(&chain);
    }
}

fn a_row_in_the_wrong_place_is_found(chain: &Chain, compare: impl Fn() -> Run) {
    let odd = chain.target.query("SELECT MIN(id) FROM odd.deal");
    let odd = odd.trim();
    let moved = |from: &str, to: &str| {
        chain.target.sql(&format!(
            "INSERT INTO {to}.deal SELECT * FROM {from}.deal WHERE id={odd}; DELETE FROM {from}.deal WHERE id={odd}"
        ));
    };
    moved("odd", "even");
    let found = compare().code(3).text();
    for (place, what) in [("even", "surplus"), ("odd", "missing")] {
        let line = format!("c.deal {what} id={odd} in {place}.deal\n");
        assert!(found.contains(&line), "{line}{found}");
    }
    moved("even", "odd");
}

/// Stops a load, whatever ends the test.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs it to the end of the copy, killed on the way, once a table; one table is altered in the middle of it.
fn copied(chain: &Chain, dir: &Path) {
    let mut target = session(&chain.target);
    let (mut struck, mut altered) = (0, false);
    let mut before = left(&mut target);
    let mut sync = Running::start(of_sync(chain, dir, "sync"));
    loop {
        let moved = sync.until(|| {
            let now = left(&mut target);
            let moved = now != before;
            before = now;
            moved
        });
        assert!(moved, "{}", sync.end().1);
        let Some(left) = before.as_ref() else { continue };
        if left.is_empty() {
            break;
        }
        if !altered && left.iter().any(|(table, reached)| table == "items" && reached.is_some()) {
            let add = "ALTER TABLE c.items ADD COLUMN later INT NOT NULL DEFAULT 5 AFTER id";
            chain.source.sql(add);
            altered = true;
        } else if struck < kills() && left.len() + struck < SOURCE.len() {
            sleep(Duration::from_millis(struck as u64 * 7 % 40));
            sync.kill();
            struck += usize::from(was_killed(sync.end().0));
            sync = Running::start(of_sync(chain, dir, "sync"));
        }
    }
    eprintln!("{struck} kills of a first copy");
    assert!(struck >= kills().min(3) && altered, "the copy was too quick: {struck}, {altered}");
}

fn assert_copied(chain: &Chain) {
    for (database, corp) in [("even", 0), ("odd", 1)] {
        let there = chain.target.query(&format!("SELECT * FROM {database}.deal ORDER BY id"));
        let dealt = format!("SELECT * FROM c.deal WHERE corp%2={corp} ORDER BY id");
        assert_eq!(there, chain.source.query(&dealt), "{database}");
    }
    chain.source.sql("DROP TABLE c.deal");
    let [source, target] = [&chain.source, &chain.target].map(|server| server.dump());
    assert_same_dump(of_database(&target, "c"), of_database(&source, "c"), "a first copy");
}

static HIDDEN: AtomicBool = AtomicBool::new(false);

#[test]
fn what_cannot_be_copied_is_refused_by_name_before_the_first_row() {
    let source = [
        "CREATE DATABASE c",
        "CREATE TABLE c.keyless (v INT)",
        "CREATE TABLE c.old (id INT PRIMARY KEY) ENGINE=MyISAM",
        "CREATE TABLE c.parent (id INT PRIMARY KEY)",
        "CREATE TABLE c.child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES c.parent (id) ON DELETE CASCADE)",
        "CREATE TABLE c.floats (f FLOAT PRIMARY KEY)",
        "CREATE TABLE c.full (id INT PRIMARY KEY)",
        "CREATE TABLE c.words (w VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY)",
        "INSERT INTO c.words VALUES ('e'), ('é')",
    ];
    let target = [
        "CREATE DATABASE c",
        "CREATE TABLE c.full (id INT PRIMARY KEY)",
        "INSERT INTO c.full VALUES (1)",
        "CREATE TABLE c.words (w VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci PRIMARY KEY)",
    ];
    let shown = |line: &str| !HIDDEN.load(Ordering::Relaxed) || !line.contains(r#""binsync""#);
    let chain = Chain::recorded(MariaDb, MariaDb, [&source, &target], shown);
    let dir = temp_dir();
    let refused = |routes: &str, words: &[&str]| {
        file(&chain, &dir, routes);
        let (status, said) = Running::start(of_sync(&chain, dir.path(), "sync")).end();
        assert_eq!(status.code(), Some(4), "{said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
    };
    let route = |tables: &str| format!("[[sync.move.route]]\ntables = [{tables}]\nto = \"new\"\n");
    refused(
        &route(r#""c.*""#),
        &[
            "5 tables cannot be copied",
            "c.keyless: it has no primary key",
            "c.old: is kept by MyISAM",
            "c.child: a foreign key",
            "\"f\" of its primary key",
            "c.full: the target has rows in it",
        ],
    );
    refused(
        &route(r#""c.words""#),
        &["c.words", "utf8mb4_unicode_ci, and utf8mb4_bin at the source"],
    );
    HIDDEN.store(true, Ordering::Relaxed);
    refused(&route(r#""c.parent""#), &["within 10 s", "`filter`", "binsync.#"]);
    assert!(!chain.target.databases().contains(&"binsync".to_owned()), "a run has begun");
    assert_eq!(chain.target.query("SHOW TABLES FROM c"), "full\nwords\n");
}
