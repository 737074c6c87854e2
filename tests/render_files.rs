//! A script as files, one for each table or transaction, and as SQL for the sqlite3 client.

use crate::support::{
    Kind, Spool, assert_rows_equal, assert_same_dump,
    dump::schema_only,
    fresh, read,
    servers::{ADVICE, KINDS},
    temp_dir, write,
};
use rusqlite::{Connection, types::Value};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const ROWS: [&str; 2] = ["--type", "insert,update,delete"];

/// The files of a folder in the order of their names.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|one| one.unwrap().path()).collect();
    files.sort();
    files
}

fn split(spool: &Spool, by: &str, to: &Path, more: &[&str]) -> Vec<PathBuf> {
    let args = ["render", "--split", by, "-o", to.to_str().unwrap()];
    spool.run([&args, more].concat()).code(0);
    files(to)
}

/// Each file is whole in itself: it is fed alone, and its last line has its counts.
fn feed_each(server: &crate::support::Server, files: &[PathBuf]) -> u64 {
    let mut rows = 0;
    for file in files {
        let sql = fs::read_to_string(file).unwrap();
        let last = sql.lines().last().unwrap();
        let counts = last.strip_prefix("-- binsync: complete: ").expect(last);
        rows += counts.split(' ').next().unwrap().parse::<u64>().unwrap();
        server.feed(sql);
    }
    rows
}

#[test]
fn the_transactions_one_by_one_give_the_end() {
    for name in ["mariadb-edges", "mysql-transactions"] {
        let (server, spool, dir) = (fresh(Kind::of(name)), Spool::recording(name), temp_dir());
        let files = split(&spool, "transaction", &dir.path().join("out"), &[]);
        assert!(files.len() > 20);
        feed_each(&server, &files);
        assert_same_dump(&server.dump(), &read(&format!("{name}.end.sql")), name);
    }
}

#[test]
fn the_tables_one_by_one_give_the_end_and_back_again_no_row() {
    for kind in KINDS {
        // A table's name that holds a line break and a statement, and one with a dot.
        for recording in ["edges", "types", "incident"] {
            let name = format!("{}-{recording}", kind.name());
            let (server, spool, dir) = (fresh(kind), Spool::recording(&name), temp_dir());
            let end = read(&format!("{name}.end.sql"));
            if recording == "edges" {
                // Its definitions change between the rows: only back, and as far as they stay.
                spool.apply(&server.url(), [] as [&str; 0]).code(0);
                let more = ["--reverse", "--table", "edges.text_traps", "--table", "edges.touched"];
                let files =
                    split(&spool, "table", &dir.path().join("out"), &[&ROWS[..], &more].concat());
                assert_eq!(files.len(), 2);
                feed_each(&server, &files);
                let left = "SELECT (SELECT COUNT(*) FROM edges.text_traps)+(SELECT COUNT(*) FROM edges.touched)";
                assert_eq!(server.query(left), "0\n");
                continue;
            }
            server.load(&schema_only(&end));
            let rows = feed_each(&server, &split(&spool, "table", &dir.path().join("out"), &ROWS));
            assert_rows_equal(&server.dump(), &end, &name);
            let more = [&ROWS[..], &["--reverse"]].concat();
            let back = feed_each(&server, &split(&spool, "table", &dir.path().join("back"), &more));
            assert_eq!(crate::support::rows_only(&server.dump()), [] as [&str; 0], "{name}");
            assert_eq!(rows, back);
        }
    }
}

#[test]
fn names_say_the_order_and_are_safe() {
    let (spool, dir) = (Spool::recording("mariadb-types"), temp_dir());
    let files = split(&spool, "table", &dir.path().join("out"), &ROWS);
    let names: Vec<_> =
        files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert!(names[0].starts_with("00001-zoo."), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("-zoo.weird__name.sql")), "{names:?}");
    for file in &files {
        let head = fs::read_to_string(file).unwrap();
        assert!(head.contains("SET foreign_key_checks=0;\n"), "{}", file.display());
    }
    let files = split(&spool, "transaction", &dir.path().join("each"), &["--xid", &xid(&spool)]);
    assert_eq!(files.len(), 1);
    let name = files[0].file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("000000001-2") && name.ends_with(&format!("Z-xid{}.sql", xid(&spool)))
    );
}

/// The number of the first transaction.
fn xid(spool: &Spool) -> String {
    let sql = String::from_utf8(spool.render(ROWS)).unwrap();
    let line = sql.lines().find(|line| line.contains(" xid ")).unwrap();
    line.split(" xid ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn what_is_there_is_not_overwritten_and_what_has_no_place_is_refused() {
    let (spool, dir) = (Spool::recording("mariadb-edges"), temp_dir());
    let out = dir.path().join("out");
    let render = |by| spool.run(["render", "--split", by, "-o", out.to_str().unwrap()]);
    render("table").code(4).says(&["CREATE DATABASE", "--type insert,update,delete"]);
    assert!(files(dir.path()).is_empty(), "something is left behind");
    fs::create_dir(&out).unwrap();
    render("transaction").code(0);
    let made = files(&out);
    fs::write(&made[0], "mine").unwrap();
    render("transaction").code(2).says(&["holds files"]);
    assert_eq!(files(&out), made);
    assert_eq!(fs::read(&made[0]).unwrap(), b"mine");
}

/// Runs a script with the stock client.
fn sqlite3(file: &Path, sql: &[u8]) -> Result<(), String> {
    let dir = temp_dir();
    let script = write(&dir, "script.sql", sql);
    let done = Command::new("sqlite3")
        .args(["-cmd", "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY"])
        .arg(file)
        .stdin(File::open(script).unwrap())
        .stdout(Stdio::null())
        .output()
        .expect(ADVICE);
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}

/// Every table but the tool's own, its definition and its rows.
fn content(file: &Path) -> Vec<(String, Vec<Vec<Value>>)> {
    let db = Connection::open(file).unwrap();
    let mut query = db.prepare("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'binsync%' ORDER BY name").unwrap();
    let names: Vec<String> =
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let rows = |name: &String| {
        let mut query =
            db.prepare(&format!("SELECT * FROM \"{}\"", name.replace('"', "\"\""))).unwrap();
        let width = query.column_count();
        let rows = query.query_map([], |row| (0..width).map(|i| row.get::<_, Value>(i)).collect());
        let mut rows: Vec<Vec<Value>> = rows.unwrap().map(Result::unwrap).collect();
        rows.sort_by_key(|row| format!("{row:?}"));
        rows
    };
    names.iter().map(|name| (name.clone(), rows(name))).collect()
}

#[test]
fn the_sqlite3_client_makes_the_file_that_an_apply_makes() {
    for name in [
        "mariadb-types",
        "mysql-types",
        "mariadb-incident",
        "mysql-incident",
        "mariadb-sysbench",
        "mariadb-edges",
    ] {
        let (spool, dir) = (Spool::recording(name), temp_dir());
        let applied = dir.path().join("applied.db");
        spool.apply(&format!("sqlite:{}", applied.display()), [] as [&str; 0]).code(0);
        let expected = content(&applied);
        assert!(expected.iter().any(|(_, rows)| !rows.is_empty()));
        for (n, form) in
            [&[][..], &["--image", "full", "--rows", "2"], &["--net"]].into_iter().enumerate()
        {
            let file = dir.path().join(format!("{n}.db"));
            sqlite3(&file, &spool.render([&["--dialect", "sqlite"], form].concat())).unwrap();
            assert!(content(&file) == expected, "{name} {form:?}: the files differ");
            if name.ends_with("edges") {
                continue;
            }
            let back = [&["--dialect", "sqlite", "--reverse"], &ROWS[..], form].concat();
            sqlite3(&file, &spool.render(back)).unwrap();
            let left = content(&file).into_iter().all(|(_, rows)| rows.is_empty());
            assert!(left, "{name} {form:?}: rows are left");
        }
    }
}

#[test]
fn a_file_that_is_empty_takes_the_rows_of_an_accident() {
    let (spool, dir) = (Spool::recording("mariadb-incident"), temp_dir());
    let file = dir.path().join("rescue.db");
    let lost = ["--dialect", "sqlite", "--reverse", "--type", "delete", "--table", "shop.orders"];
    sqlite3(&file, &spool.render(lost)).unwrap();
    let tables = content(&file);
    assert_eq!((tables.len(), tables[0].0.as_str()), (1, "shop.orders"));
    assert_eq!(tables[0].1.len(), 900);
    // They are there now: the client stops, and with the modes nothing more comes.
    assert!(sqlite3(&file, &spool.render(lost)).unwrap_err().contains("UNIQUE"));
    for mode in ["ignore", "replace", "upsert"] {
        sqlite3(&file, &spool.render([&lost[..], &["--insert-mode", mode]].concat())).unwrap();
        assert!(content(&file) == tables, "{mode}");
    }
}

#[test]
fn what_a_script_cannot_do_in_sqlite_is_refused_before_the_first_byte() {
    let spool = Spool::recording("mariadb-transactions");
    let run = spool.run(["render", "--dialect", "sqlite"]).code(4);
    assert!(run.stdout.is_empty());
    run.says(&["DDL", "--type insert,update,delete"]);
}
