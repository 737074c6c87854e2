//! A table as it was at a time, in an SQLite file: by the stream alone where the spool has the table from its creation,
//! else from the source as it is (`--base`), what came since taken back.

use crate::support::{
    Fresh, Kind, Run, Running, Server, Spool,
    content::Content,
    maxwell::{Producer, session},
    running::was_killed,
    servers::KINDS,
    source, temp_dir, workload, write,
};
use mysql::prelude::Queryable;
use std::{env, path::Path, path::PathBuf, thread::sleep, time::Duration};
use tempfile::TempDir;

const START: u64 = 1_700_000_000;

fn time(seconds: u64) -> String {
    chrono::DateTime::from_timestamp(seconds as i64, 0)
        .unwrap()
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
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
    for (number, moment) in moments.iter().enumerate() {
        assert!(moment.content.rows() > 20, "it has little to show");
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

const COLUMNS: &str = "f FLOAT, d DOUBLE, n DECIMAL(30,10), b BIT(20), bl BLOB, bn BINARY(6), \
    g GEOMETRY, j JSON, s SET('a','b','c d'), e ENUM('x','y'), ts TIMESTAMP(6) NULL, dt DATETIME, \
    z INT(8) UNSIGNED ZEROFILL, la VARCHAR(20) CHARACTER SET latin1, gb VARCHAR(20) CHARACTER SET gbk, \
    y YEAR, u BIGINT UNSIGNED, t TEXT, gen INT AS (y + 1) STORED";

const ONE: &str = "0.1, 1e300, 0.0000000001, 5, X'00ff27', X'01', \
    ST_GeomFromText('POLYGON((0 0,10 0,10 10.5,0 10,0 0))'), '{\"k\": [1, 2.5, 1e20, \"é 😀 \\\\\"\"], \"a\": {}}', \
    'a,c d', 'y', '2024-03-10 02:30:00.123456', '0000-00-00 00:00:00', 42, 'é ñ', '汉字', 2024, \
    18446744073709551615, 'it''s \\n \\\\ \\0'";
const TWO: &str = "16777216, -0.5, -12.5, 1048575, '', X'00', ST_GeomFromText('POINT(1e10 -2.25)'), \
    '[]', '', 'x', NULL, '2024-01-01 00:00:00', 7, '', '', 1999, 0, NULL";

/// Rows of every type, in a table with a key and in one without, changed, removed and added after the first statements.
fn every_type() -> Vec<String> {
    let names = COLUMNS.split(", ").filter_map(|column| column.split(' ').next());
    let names: Vec<_> = names.filter(|name| !["gen", "'b'", "'c"].contains(name)).collect();
    let names = names.iter().filter(|name| !name.starts_with('\'')).copied();
    let names = names.collect::<Vec<_>>().join(",");
    let mut all = vec![
        "CREATE DATABASE v".to_owned(),
        format!("CREATE TABLE v.keyed (id INT PRIMARY KEY, {COLUMNS})"),
        format!("CREATE TABLE v.bag (id INT, {COLUMNS})"),
    ];
    for table in ["keyed", "bag"] {
        let insert = |id: usize, values: &str| {
            format!("INSERT INTO v.{table} (id,{names}) VALUES ({id},{values})")
        };
        all.extend([insert(1, ONE), insert(2, TWO), insert(3, ONE), insert(4, TWO)]);
    }
    for table in ["keyed", "bag"] {
        let insert = |id: usize, values: &str| {
            format!("INSERT INTO v.{table} (id,{names}) VALUES ({id},{values})")
        };
        let copy = |to: usize, from: usize| {
            let set: Vec<_> = names.split(',').map(|name| format!("a.{name}=b.{name}")).collect();
            format!(
                "UPDATE v.{table} a JOIN v.{table} b ON b.id={from} SET {} WHERE a.id={to}",
                set.join(",")
            )
        };
        all.extend([
            insert(5, ONE),
            copy(1, 2),
            format!("DELETE FROM v.{table} WHERE id IN (2,3)"),
            insert(6, TWO),
            copy(5, 4),
            format!("UPDATE v.{table} SET j='{{\"b\": 1e15}}' WHERE id=6"),
            format!("DELETE FROM v.{table} WHERE id=5"),
        ]);
    }
    all
}

#[test]
fn every_type_comes_from_the_base_as_from_the_stream() {
    for kind in KINDS {
        let statements = every_type();
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let first_change = 11;
        let (case, seen) = Case::new(kind, &statements, first_change);
        assert_eq!(seen.rows(), 8);
        case.forward("forward.db", &["--until", &before(first_change)]).code(0);
        seen.assert_is_in(&case.file("forward.db"), "forward");
        case.based("base.db", &before(first_change), &[]).code(0);
        seen.assert_is_in(&case.file("base.db"), "from the base");
        // Nothing was done since: the copy alone.
        let end = Content::of(&case.source);
        case.based("now.db", &before(statements.len()), &[]).code(0);
        end.assert_is_in(&case.file("now.db"), "from the base, now");
    }
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

#[test]
fn a_table_that_the_spool_does_not_hold_whole_is_refused_and_had_from_the_base() {
    for kind in KINDS {
        let (source, dir) = (source(kind), temp_dir());
        let (lines, seen) = run(&source, &SHOP, 6);
        // A capture that began after the tables were filled.
        let late: String = lines.lines().skip(7).map(|line| format!("{line}\n")).collect();
        assert!(late.contains("\"update\"") && !late.contains("table-create"));
        let spool = Spool::of(&write(&dir, "late.jsonl", &late));
        spool.run(["schema", "add", "--from", &source.url()]).code(0);
        let case = Case { source, spool, dir };
        let refused = case.forward("then.db", &["--until", &before(6)]);
        refused.code(4).says(&["shop.orders", "CREATE TABLE", "bootstrap", "--base", "--exclude"]);
        assert!(tables(&case.file("then.db")).is_empty());
        case.based("base.db", &before(6), &["--table", "shop.*"]).code(0);
        seen.assert_is_in(&case.file("base.db"), "from the base");
        // What came before the capture is not known.
        let early = case.based("early.db", &before(5), &[]);
        early.code(4).says(&["nothing from before --until"]);
        assert!(tables(&case.file("early.db")).is_empty());
    }
}

#[test]
fn a_stretch_that_begins_after_a_tables_creation_is_refused() {
    let (case, seen) = Case::new(Kind::MariaDb, &SHOP, 6);
    let late = case.forward("late.db", &["--since", &before(3), "--until", &before(6)]);
    late.code(4).says(&["shop.orders", "shop.items", "before the stretch begins"]);
    assert!(tables(&case.file("late.db")).is_empty());
    // The definitions need not run for it.
    let rows = ["--until", &before(6), "--type", "insert,update,delete"];
    case.forward("rows.db", &rows).code(0);
    seen.assert_is_in(&case.file("rows.db"), "rows only");
    case.forward("skip.db", &["--until", &before(6), "--ddl", "skip"]).code(0);
    seen.assert_is_in(&case.file("skip.db"), "DDL skipped");
    // A table that is there goes on.
    let first = ["--until", &before(5), "--name", "first"];
    case.forward("parts.db", &first).code(0);
    let second = ["--since", &before(5), "--until", &before(6), "--name", "second"];
    case.forward("parts.db", &second).code(0);
    seen.assert_is_in(&case.file("parts.db"), "two parts");
}

#[test]
fn a_table_with_a_gap_since_its_creation_is_refused() {
    let (case, _) = Case::new(Kind::MariaDb, &SHOP, 6);
    let lines = std::fs::read_to_string(case.file("stream.jsonl")).unwrap();
    let lost = lines.lines().enumerate().filter(|(number, _)| *number != 3);
    let lost: String = lost.map(|(_, line)| format!("{line}\n")).collect();
    let spool = Spool::new();
    let lost = write(&case.dir, "lost.jsonl", lost);
    spool.run(["import", lost.to_str().unwrap()]).code(3).says(&["1 gap"]);
    let case = Case { spool, ..case };
    case.forward("gap.db", &["--until", &before(6)]).code(4).says(&["shop.orders", "gap"]);
    assert!(tables(&case.file("gap.db")).is_empty());
    // Before the time it does not matter, since it does.
    case.based("after.db", &before(5), &[]).code(0);
    case.based("before.db", &before(3), &[]).code(4).says(&["not whole since --until", "gap"]);
}

#[test]
fn renamed_and_copied_tables_are_whole_where_their_origin_is() {
    let statements = [
        "CREATE DATABASE d",
        "CREATE TABLE d.a (id INT PRIMARY KEY)",
        "INSERT INTO d.a VALUES (1)",
        "RENAME TABLE d.a TO d.b",
        "INSERT INTO d.b VALUES (2)",
        "CREATE TABLE d.c LIKE d.b",
        "INSERT INTO d.c VALUES (3)",
    ];
    let (case, end) = Case::new(Kind::MariaDb, &statements, statements.len());
    case.forward("all.db", &[]).code(0);
    end.assert_is_in(&case.file("all.db"), "renamed");
    // Without the statement the rows of the old name are elsewhere.
    case.forward("skip.db", &["--ddl", "skip"]).code(4).says(&["d.b"]);
    case.forward("late.db", &["--since", &before(3)]).code(4).says(&["d.b"]);
}

#[test]
fn what_a_reverse_cannot_take_back_is_refused_before_the_copy() {
    for (kind, statement, words) in [
        (Kind::MariaDb, "ALTER TABLE shop.orders ADD w INT", ["ALTER TABLE", "shop.orders"]),
        (Kind::MySql, "ALTER TABLE shop.orders ADD w INT", ["ALTER TABLE", "shop.orders"]),
        (Kind::MariaDb, "TRUNCATE TABLE shop.orders", ["TRUNCATE", "shop.orders"]),
        (Kind::MySql, "TRUNCATE TABLE shop.orders", ["TRUNCATE", "shop.orders"]),
        (Kind::MySql, "ALTER TABLE shop.orders ENGINE=MyISAM", ["MyISAM", "consistent"]),
    ] {
        let mut statements = SHOP.to_vec();
        statements.extend([statement, "INSERT INTO shop.items VALUES (9,9)"]);
        let (case, seen) = Case::new(kind, &statements, 6);
        case.based("then.db", &before(6), &[]).code(4).says(&words);
        assert!(tables(&case.file("then.db")).is_empty(), "{statement}");
        if !statement.contains("MyISAM") {
            case.based("items.db", &before(6), &["--table", "shop.items"]).code(0);
            assert_eq!(tables(&case.file("items.db")), ["shop.items"]);
        }
        drop(seen);
    }
}

#[test]
fn a_table_made_since_is_left_out() {
    let mut statements = SHOP.to_vec();
    let made = "CREATE TABLE shop.later (id INT PRIMARY KEY)";
    statements.extend([made, "INSERT INTO shop.later VALUES (1)"]);
    let (case, seen) = Case::new(Kind::MySql, &statements, 6);
    case.based("then.db", &before(6), &[]).code(0).says(&["shop.later was made since"]);
    seen.assert_is_in(&case.file("then.db"), "without the later one");
    case.based("then.db", &before(6), &[]).code(0);
    seen.assert_is_in(&case.file("then.db"), "run again");
}

#[test]
fn rows_that_foreign_keys_change_unseen_are_refused() {
    let statements = [
        "CREATE DATABASE d",
        "CREATE TABLE d.p (id INT PRIMARY KEY)",
        "CREATE TABLE d.c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES d.p (id) ON DELETE CASCADE)",
        "INSERT INTO d.p VALUES (1),(2)",
        "INSERT INTO d.c VALUES (1,1),(2,2)",
        "DELETE FROM d.p WHERE id=1",
    ];
    let (case, _) = Case::new(Kind::MariaDb, &statements, 5);
    case.based("then.db", &before(5), &[]).code(4).says(&["d.c", "foreign key"]);
    drop(case);
    let (case, seen) = Case::new(Kind::MySql, &statements, 5);
    case.based("then.db", &before(5), &[]).code(0);
    seen.assert_is_in(&case.file("then.db"), "MySQL logs them");
}

/// The stream without its last transaction, and that one.
fn without_the_last(lines: &str) -> (String, String) {
    let end = lines.trim_end().rfind('\n').unwrap() + 1;
    (lines[..end].to_owned(), lines[end..].to_owned())
}

#[test]
fn a_spool_behind_the_copy_is_waited_for_and_refused() {
    for kind in KINDS {
        let (source, dir) = (source(kind), temp_dir());
        let (lines, seen) = run(&source, &SHOP, 6);
        let (first, rest) = without_the_last(&lines);
        let spool = Spool::of(&write(&dir, "first.jsonl", first));
        let rest = write(&dir, "rest.jsonl", rest);
        let case = Case { source, spool, dir };
        // What is missing is of another table.
        case.based("items.db", &before(6), &["--table", "shop.items"]).code(0);
        let args = ["--table", "shop.orders"];
        let refused = case.based("behind.db", &before(6), &args);
        refused.code(4).says(&["behind", "shop.orders", "capture"]);
        assert!(tables(&case.file("behind.db")).is_empty());
        let target = format!("sqlite:{}", case.file("waited.db").display());
        let (until, url) = (before(6), case.source.url());
        let waiting = ["apply", "--target", &target, "--until", &until, "--base", &url];
        let running = Running::start(case.spool.command(waiting));
        sleep(Duration::from_millis(700));
        case.spool.run(["import", rest.to_str().unwrap()]).code(0);
        let (status, said) = running.end();
        assert!(status.success() && said.contains("waiting for the capture"), "{said}");
        seen.assert_is_in(&case.file("waited.db"), "waited for");
    }
}

#[test]
fn another_server_and_a_stream_without_positions_are_refused() {
    let (case, _) = Case::new(Kind::MariaDb, &SHOP, 6);
    let other = source(Kind::MySql);
    other.sql("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, v INT)");
    let args = ["--until", &before(6), "--base", &other.url()];
    let refused = case.forward("other.db", &args);
    refused.code(4).says(&["name the server that is recorded"]);
    let lines = std::fs::read_to_string(case.file("stream.jsonl")).unwrap();
    let plain: String = lines.lines().map(|line| without_position(line) + "\n").collect();
    let case = Case { spool: Spool::of(&write(&case.dir, "plain.jsonl", plain)), ..case };
    case.based("plain.db", &before(6), &[]).code(4).says(&["no binlog positions"]);
}

fn without_position(line: &str) -> String {
    let start = line.find(",\"position\":\"").unwrap();
    let end = start + 13 + line[start + 13..].find('"').unwrap() + 1;
    format!("{}{}", &line[..start], &line[end..])
}

/// Removes files of the binlog; the server does so when it has done with them.
fn purge(source: &Server, which: &str, done: impl Fn(&str) -> bool) {
    for _ in 0..100 {
        source.sql(&format!("PURGE BINARY LOGS {which}"));
        if done(&source.query("SHOW BINARY LOGS")) {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("the binlog is not removed {which}");
}

#[test]
fn a_binlog_that_does_not_reach_back_is_said() {
    {
        let source = source(Kind::MySql);
        let (first, _) = run(&source, &SHOP[..5], 5);
        let seen = Content::of(&source);
        // In another file of the binlog.
        let (second, _) = run(&source, &["DO 0"; 8], 8);
        assert_eq!(second, "");
        let later = ["UPDATE shop.orders SET v=10 WHERE id=1", "DELETE FROM shop.items"];
        let later = [["DO 0"; 5].as_slice(), &later].concat();
        let (third, _) = run(&source, &later, 5);
        let case = Case::of(source, &(first + &third));
        case.based("then.db", &before(5), &[]).code(0);
        seen.assert_is_in(&case.file("then.db"), "over several files");
        let last = case.source.query("SHOW BINARY LOGS");
        let last = last.lines().last().unwrap().split('\t').next().unwrap().to_owned();
        purge(&case.source, &format!("TO '{last}'"), |logs| logs.lines().count() == 1);
        case.based("unseen.db", &before(5), &[]).code(3).says(&["TRUNCATE", "not known"]);
        seen.assert_is_in(&case.file("unseen.db"), "as far as the spool tells");
        case.source.sql("FLUSH BINARY LOGS");
        purge(&case.source, "BEFORE '2999-01-01'", |logs| !logs.contains(&last));
        case.based("gone.db", &before(5), &[]).code(4).says(&["binlog", &last]);
        assert!(tables(&case.file("gone.db")).is_empty());
    }
}

/// Two tables large enough that a copy and a reverse can be interrupted.
fn large(kind: Kind) -> (Case, Content) {
    let filled = "INSERT INTO l.a SELECT a.n*200+b.n, REPEAT('x',400) FROM l.n a JOIN l.n b";
    let mut digits = "INSERT INTO l.n VALUES (0)".to_owned();
    (1..150).for_each(|n| digits += &format!(",({n})"));
    let statements = [
        "CREATE DATABASE l",
        "CREATE TABLE l.n (n INT PRIMARY KEY)",
        "CREATE TABLE l.a (id INT PRIMARY KEY, v VARCHAR(500))",
        &digits,
        filled,
        "UPDATE l.a SET v=CONCAT(id,v)",
        "DELETE FROM l.a WHERE id % 3 = 0",
        "UPDATE l.a SET v=CONCAT(v,'z')",
    ];
    Case::new(kind, &statements, 5)
}

/// What the file says of the run: where it stands; `None` before the copy is whole.
fn standing(file: &Path) -> Option<i64> {
    let open = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = rusqlite::Connection::open_with_flags(file, open).ok()?;
    file.query_row("SELECT seq FROM binsync_progress", [], |row| row.get(0)).ok()
}

#[test]
fn killed_in_the_copy_and_in_the_reverse_it_goes_on() {
    for kind in KINDS {
        let (case, seen) = large(kind);
        let (file, until, url) = (case.file("then.db"), before(5), case.source.url());
        let target = format!("sqlite:{}", file.display());
        let args =
            ["apply", "--target", &target, "--until", &until, "--base", &url, "--window", "2000"];
        let command = || case.spool.command(args);
        // In the copy: SQLite has begun to write.
        let mut running = Running::start(command());
        assert!(running.until(|| file.metadata().is_ok_and(|m| m.len() > 1 << 20)));
        running.kill();
        assert!(was_killed(running.end().0));
        assert_eq!(standing(&file), None, "a copy that was killed looks done");
        // In the reverse: it has moved.
        let mut running = Running::start(command());
        assert!(running.until(|| standing(&file).is_some()));
        let first = standing(&file);
        assert!(running.until(|| standing(&file).is_some_and(|now| Some(now) < first)));
        running.kill();
        assert!(was_killed(running.end().0));
        case.forward("then.db", &args[3..]).code(0);
        seen.assert_is_in(&file, "killed twice");
        case.forward("then.db", &args[3..]).code(0).says(&["nothing is left"]);
        seen.assert_is_in(&file, "run again");
    }
}

#[test]
fn the_base_has_its_own_flags() {
    let spool = Spool::recording("mariadb-edges");
    let until = ["--until", "2026-11-22T12:00:00Z", "--base", "mysql://t@127.0.0.1:1"];
    let with = |target: &str, args: &[&str]| spool.apply(target, [&until, args].concat());
    with("mysql://t@127.0.0.1:1", &[]).code(2).says(&["SQLite"]);
    for flag in
        [["--reverse"].as_slice(), &["--follow"], &["--xid", "1"], &["--since", "2020-01-01"]]
    {
        with("sqlite:x.db", flag).code(2);
    }
    spool.apply("sqlite:x.db", &until[2..]).code(2).says(&["--until"]);
    let ahead = ["--until", "2999-01-01T00:00:00Z", "--base", "mysql://t@127.0.0.1:1"];
    spool.apply("sqlite:x.db", ahead).code(2).says(&["lies ahead"]);
    with("sqlite:x.db", &[]).code(1).says(&["base", "cannot connect"]);
}
