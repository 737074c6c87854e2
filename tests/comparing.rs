//! `compare` finds what differs and nothing else, while source and target are written to.

use crate::support::{
    Kind::{self, MariaDb, MySql},
    Run,
    chain::Chain,
    maxwell::session,
    temp_dir,
};
use mysql::{Conn, prelude::Queryable};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const TABLES: [&str; 6] = [
    "CREATE DATABASE c",
    "CREATE TABLE c.pairs (id INT PRIMARY KEY, a VARCHAR(10), b VARCHAR(10), balance DECIMAL(10,2))",
    "CREATE TABLE c.words (w VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci PRIMARY KEY, v INT)",
    "CREATE TABLE c.codes (k BINARY(4), n INT, v INT, PRIMARY KEY (k, n))",
    "CREATE TABLE c.kinds (id INT PRIMARY KEY, f FLOAT, d DOUBLE, b BIT(12), y YEAR, z INT(6) ZEROFILL, \
     l VARCHAR(20) CHARACTER SET latin1, u TEXT CHARACTER SET utf8mb3, e ENUM('x','a#b'), s SET('p','q'), \
     j JSON, t TIMESTAMP(3) NULL, dt DATETIME NULL, tm TIME(2), bl BLOB, vb VARBINARY(20), g POINT, \
     twice INT AS (id * 2))",
    "CREATE TABLE c.plain (v INT)",
];

/// More than a chunk has.
const ROWS: usize = 2_500;

/// Writes to the source what is hard to compare.
fn fill(source: &mut Conn) {
    let rows = |one: &dyn Fn(usize) -> String| (0..ROWS).map(one).collect::<Vec<_>>().join(",");
    let word = |n: usize| format!("('{}{n}',{n})", ["e", "É", "ß", "ss", "ab  ", "z"][n % 6]);
    let code = |n: usize| format!("(X'{:08X}',{},{n})", n << 8, n % 3);
    let pair = |n: usize| format!("({n},'a{n}',NULL,{n}.25)");
    for (table, rows) in [("words", rows(&word)), ("codes", rows(&code)), ("pairs", rows(&pair))] {
        source.query_drop(format!("INSERT INTO c.{table} VALUES {rows}")).unwrap();
    }
    for statement in [
        "UPDATE c.pairs SET balance=41.25 WHERE id=33",
        "UPDATE c.pairs SET balance=17.50 WHERE id=34",
        "UPDATE c.pairs SET a=NULL, b='x' WHERE id=5",
        "UPDATE c.pairs SET a='x#', b='y' WHERE id=6",
        "INSERT INTO c.kinds (id,f,d,b,y,z,l,u,e,s,j,t,dt,tm,bl,vb,g) VALUES \
         (1,0.1,1e22,b'101',2024,7,'caf\u{e9} \u{20ac}','\u{e9}\u{df}','a#b','p,q',\
         '{\"b\":[1,2.5,null],\"a\":{\"x\":\"y, z: \\\\\"\"}}','2024-02-29 12:00:00.5','2024-02-29 00:00:00',\
         '12:30:00.25',X'00FF0A00',X'6100',ST_GeomFromText('POINT(1.5 -2)')), \
         (2,-0.0,-1.5e-300,b'0',1901,0,'','','x','','[]',NULL,NULL,NULL,X'','',NULL), \
         (3,3.4e38,0.1,b'111111111111',2155,999999,' a ','\\\\\\'\\n','x','q','\"text\"',\
         '2038-01-19 03:14:07','1000-01-01','23:59:59',X'',X'00',NULL), \
         (4,16777217,1234567.891,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)",
    ] {
        source.query_drop(statement).unwrap();
    }
}

fn started(from: Kind, to: Kind) -> Chain {
    let chain = Chain::start(from, to, &TABLES, |_| true);
    let mut client = session(&chain.source);
    client.query_drop("SET sql_mode='', time_zone='+00:00'").unwrap();
    fill(&mut client);
    chain.run("wait", &[]).code(0);
    chain
}

/// What was found, one text a row.
fn found(run: &Run) -> BTreeSet<String> {
    let lines = run.text();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows = lines.filter(|line| line.get("key").is_some());
    rows.map(|row| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        format!("{} {} {}", text("table"), text("what"), row["key"])
    })
    .collect()
}

const KEYED: [&str; 4] = ["--exclude-table", "c.plain", "--table", "c.*"];

#[test]
fn what_differs_is_found_and_mended() {
    for (from, to) in [(MariaDb, MySql), (MySql, MariaDb)] {
        let what = format!("{} to {}", from.name(), to.name());
        let (chain, dir) = (started(from, to), temp_dir());
        let same = chain.run("compare", &KEYED);
        assert_eq!((same.code, same.text().lines().count()), (0, 4), "{what}: {}", same.text());
        assert!(same.text().contains("c.codes: 2,500 rows, the same"), "{what}: {}", same.text());
        chain.target.sql(
            "SET NAMES utf8mb4; UPDATE c.pairs SET balance=17.50 WHERE id=33; \
             UPDATE c.pairs SET balance=41.25 WHERE id=34; \
             UPDATE c.pairs SET a='x', b=NULL WHERE id=5; \
             UPDATE c.pairs SET a='x', b='#y' WHERE id=6; \
             DELETE FROM c.pairs WHERE id=7; \
             INSERT INTO c.pairs SELECT 100000, a, b, balance FROM c.pairs WHERE id=8; \
             UPDATE c.words SET w='é1' WHERE w='É1'; \
             UPDATE c.words SET w='ss2' WHERE w='ß2'; \
             UPDATE c.words SET w='ab 4' WHERE w='ab  4'; \
             UPDATE c.codes SET v=0 WHERE k=X'00000100'; \
             UPDATE c.kinds SET f=0.2 WHERE id=1; UPDATE c.kinds SET j='{\"b\":[1,2.5]}' WHERE id=3; \
             UPDATE c.kinds SET t=NOW() WHERE id=4; UPDATE c.kinds SET l='a' WHERE id=2",
        );
        let script = dir.path().join("mend.sql");
        let flags = [&KEYED[..], &["--json", "-o", script.to_str().unwrap()]].concat();
        let differs = chain.run("compare", &flags).code(3);
        let wanted = [
            r#"c.pairs changed {"id":33}"#,
            r#"c.pairs changed {"id":34}"#,
            r#"c.pairs changed {"id":5}"#,
            r#"c.pairs changed {"id":6}"#,
            r#"c.pairs missing {"id":7}"#,
            r#"c.pairs surplus {"id":100000}"#,
            r#"c.words surplus {"w":"é1"}"#,
            r#"c.words missing {"w":"É1"}"#,
            r#"c.words surplus {"w":"ss2"}"#,
            r#"c.words missing {"w":"ß2"}"#,
            r#"c.words surplus {"w":"ab 4"}"#,
            r#"c.words missing {"w":"ab  4"}"#,
            r#"c.codes changed {"k":"AAABAA==","n":1}"#,
            r#"c.kinds changed {"id":1}"#,
            r#"c.kinds changed {"id":2}"#,
            r#"c.kinds changed {"id":3}"#,
            r#"c.kinds changed {"id":4}"#,
        ];
        assert_eq!(found(&differs), wanted.map(str::to_owned).into(), "{what}");
        chain.run("compare", &flags).code(2).says(&["mend.sql is there already"]);
        chain.target.feed(fs::read(&script).unwrap());
        let mended = chain.run("compare", &KEYED);
        let text = mended.text() + &fs::read_to_string(&script).unwrap();
        assert_eq!(mended.code, 0, "{what}: {text}");
        chain.run("compare", &["--table", "c.plain"]).code(3).says(&["c.plain", "no key"]);
    }
}

/// Changes rows until told to stop.
fn load(chain: &Chain, stop: &AtomicBool) {
    let mut client = session(&chain.source);
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        // Every row of the one table in turn, a few rows of the other again and again.
        let (row, hot) = (100 + n % 2_000, n % 3);
        for statement in [
            "BEGIN".to_owned(),
            format!("UPDATE c.pairs SET balance=balance+1 WHERE id={row}"),
            format!("UPDATE c.codes SET v=v+1 WHERE k=X'{hot:06X}00'"),
            format!("DELETE FROM c.words WHERE w='z{}'", 5 + 6 * (n % 400)),
            format!("REPLACE INTO c.words VALUES ('Z{}',{n})", 5 + 6 * (n % 400)),
            "COMMIT".to_owned(),
        ] {
            client.query_drop(statement).unwrap();
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_is_under_way_is_no_difference() {
    let mut chain = started(MariaDb, MariaDb);
    where_their_rows_go(&chain);
    chain.target.sql(
        "UPDATE c.pairs SET balance=0 WHERE id IN (1,2); DELETE FROM c.words WHERE v=8; \
         UPDATE c.codes SET v=0 WHERE k=X'00080000'",
    );
    let wanted = [
        r#"c.pairs changed {"id":1}"#,
        r#"c.pairs changed {"id":2}"#,
        r#"c.words missing {"w":"ß8"}"#,
        r#"c.codes changed {"k":"AAgAAA==","n":2}"#,
    ];
    let wanted: BTreeSet<String> = wanted.map(str::to_owned).into();
    let flags = [&KEYED[..], &["--json"]].concat();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| load(&chain, &stop));
        let runs: Vec<Run> = (0..4).map(|_| chain.run("compare", &flags)).collect();
        stop.store(true, Ordering::Relaxed);
        for run in runs {
            let found = found(&run.code(3));
            // Rows that are hot enough may stay undecided, and are none that differs.
            let (hot, rest): (BTreeSet<_>, BTreeSet<_>) =
                found.into_iter().partition(|row| row.contains("undecided"));
            assert_eq!(rest, wanted);
            assert!(hot.iter().all(|row| row.starts_with("c.codes")), "{hot:?}");
        }
    });
    // A run that does not move: what the source has changed since is not told.
    chain.run("wait", &[]).code(0);
    chain.halt();
    chain.source.sql("UPDATE c.pairs SET balance=-1 WHERE id=3; DELETE FROM c.pairs WHERE id=4");
    let halted = found(&chain.run("compare", &["--table", "c.pairs", "--json"]).code(3));
    let undecided = [3, 4].map(|id| format!(r#"c.pairs undecided {{"id":{id}}}"#));
    let planted = wanted.into_iter().filter(|row| row.starts_with("c.pairs"));
    assert_eq!(halted, planted.chain(undecided).collect());
}

/// Renamed tables and columns, of other types.
fn where_their_rows_go(chain: &Chain) {
    chain.target.sql(
        "CREATE DATABASE o; CREATE TABLE o.pairs (id BIGINT PRIMARY KEY, first VARCHAR(99), b TEXT, \
         balance DECIMAL(20,6), more INT DEFAULT 7) CHARACTER SET latin1; \
         INSERT INTO o.pairs (id,first,b,balance) SELECT * FROM c.pairs",
    );
    let here = ["--table", "c.pairs", "--rename", "c.*=o.*"];
    chain.run("compare", &here).code(3).says(&["o.pairs has no column \"a\""]);
    let moved = [&here[..], &["--map", "a=first"]].concat();
    chain.run("compare", &moved).code(0);
    chain.target.sql("UPDATE o.pairs SET first='x' WHERE id=1");
    let differs = chain.run("compare", &moved).code(3).text();
    assert!(
        differs.contains("c.pairs changed id=1: a \"a1\" at the source, \"x\" at the target"),
        "{differs}"
    );
    chain.run("compare", &[&here[..], &["--drop-column", "a"]].concat()).code(0);
    chain.run("compare", &["--table", "c.none"]).code(2).says(&["c.none"]);
}
