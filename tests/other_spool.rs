//! A spool that was restored from an older copy and went on gives its numbers a second time; a target may be restored,
//! too. Whoever goes on tells by the records what he stands in, and refuses what is not his.

use crate::support::{Run, Running, Spool, fresh, servers::KINDS, temp_dir, write};
use std::{fs, path::Path, process::Command};

/// One-row transactions of the source, each at a place of its own.
fn rows(numbers: std::ops::RangeInclusive<u64>) -> String {
    numbers
        .map(|n| {
            format!(
                "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795351926,\"xid\":{n},\"commit\":true,\
                 \"position\":\"bin.000001:{}\",\"primary_key_columns\":[\"id\"],\"data\":{{\"id\":{n},\"v\":\"v{n}\"}}}}\n",
                n * 100
            )
        })
        .collect()
}

pub fn import(spool: &Spool, dir: &tempfile::TempDir, numbers: std::ops::RangeInclusive<u64>) {
    let name = format!("{}-{}.jsonl", numbers.start(), numbers.end());
    let file = write(dir, &name, rows(numbers));
    spool.run(["import", file.to_str().unwrap()]).one_of(&[0, 3]);
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let done = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(done.success());
}

/// A target of each kind, empty but for the table.
pub fn targets(test: impl Fn(&str, &dyn Fn(&str) -> String, &dyn Fn(&str))) {
    for kind in KINDS {
        let server = fresh(kind);
        server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20))");
        let query = |sql: &str| server.query(sql).trim().to_owned();
        test(&server.url(), &query, &|sql| server.sql(sql));
    }
    let dir = temp_dir();
    let file = dir.path().join("target.db");
    let ask = |sql: &str| {
        let sql = sql.replace("d.t", "\"d.t\"").replace("binsync.progress", "binsync_progress");
        let mut client = Command::new("sqlite3");
        let done = client.args(["-cmd", ".timeout 9000"]).arg(&file).arg(sql).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    ask("CREATE TABLE d.t (id INTEGER PRIMARY KEY, v TEXT)");
    test(&format!("sqlite:{}", file.display()), &ask, &|sql| drop(ask(sql)));
}

const DEFINE: &str = r#"{"type":"table-create","database":"d","table":"t","ts":1795351700000,"position":"bin.000001:1","sql":"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))","def":{"database":"d","table":"t","charset":"utf8mb4","primary-key":["id"],"columns":[{"type":"int","name":"id","signed":true},{"type":"varchar","name":"v","charset":"utf8mb4"}]}}
"#;

/// A spool whose first message makes the table, and a hundred rows.
pub fn begun(dir: &tempfile::TempDir) -> Spool {
    let spool = Spool::of(&write(dir, "define.jsonl", DEFINE));
    import(&spool, dir, 1..=100);
    spool
}

pub fn apply(spool: &Spool, target: &str, args: &[&str]) -> Run {
    let args = [&["--ddl", "skip"], args].concat();
    spool.apply(target, args)
}

#[test]
fn a_spool_that_was_restored_and_went_on_is_refused_and_says_who_is_behind() {
    targets(|target, ask, _| {
        let dir = temp_dir();
        let spool = begun(&dir);
        let backup = dir.path().join("backup");
        copy(&spool.path(), &backup);
        import(&spool, &dir, 101..=200);
        apply(&spool, target, &[]).code(0);
        assert_eq!(ask("SELECT COUNT(*) FROM d.t"), "200");
        let stands = ask("SELECT seq FROM binsync.progress");

        // Restored, it ends before what was applied last.
        copy(&backup, &spool.path());
        let behind =
            ["message 201 (bin.000001:20000)", "ends at message 101", "the spool is behind"];
        apply(&spool, target, &[]).code(4).says(&behind);
        apply(&spool, target, &["--dry-run"]).code(4).says(&behind);

        // It went on with what came then: fewer messages, and as many as there were.
        import(&spool, &dir, 301..=350);
        let lost =
            ["message 201 (bin.000001:20000)", "ends at message 151", "it is behind the spool"];
        let between =
            ["between bin.000001:10000 and bin.000001:30100", "--position bin.000001:20001.."];
        apply(&spool, target, &[]).code(4).says(&lost).says(&between);
        import(&spool, &dir, 351..=450);
        let other = ["message 201 (bin.000001:40000) of this spool is another one"];
        apply(&spool, target, &[]).code(4).says(&other).says(&between);
        assert_eq!(ask("SELECT seq FROM binsync.progress"), stands, "a refusal changes nothing");
        assert_eq!(ask("SELECT COUNT(*) FROM d.t"), "200");

        // The way on that it names.
        apply(&spool, target, &["--name", "on", "--position", "bin.000001:20001.."]).code(0);
        assert_eq!(ask("SELECT COUNT(*) FROM d.t WHERE id > 300"), "150");
    });
}

/// By one that has gone on with other messages, and by one that ends earlier.
#[test]
fn a_spool_that_is_replaced_under_a_follow_is_noticed() {
    targets(|target, ask, run| {
        for (name, said) in [("more", "is another one"), ("less", "the spool is behind")] {
            let dir = temp_dir();
            let (spool, other) = (begun(&dir), Spool::new());
            copy(&spool.path(), &other.path());
            import(&spool, &dir, 101..=200);
            if name == "more" {
                import(&other, &dir, 301..=450);
            }
            let args = ["apply", "--target", target, "--ddl", "skip", "--follow", "--name", name];
            let mut follow = Running::start(spool.command(args));
            let rows = || ask("SELECT COUNT(*) FROM d.t");
            assert!(follow.until(|| rows() == "200"), "{:?}", follow.end());
            fs::rename(spool.path(), dir.path().join("away")).unwrap();
            fs::rename(other.path(), spool.path()).unwrap();
            let (status, told) = follow.end();
            assert_eq!(status.code(), Some(4), "{told}");
            assert!(told.contains("message 201") && told.contains(said), "{told}");
            assert_eq!(rows(), "200");
            run("DELETE FROM d.t");
        }
    });
}

#[test]
fn a_reverse_an_export_and_a_snapshot_know_their_spool_too() {
    let dir = temp_dir();
    let spool = begun(&dir);
    let backup = dir.path().join("backup");
    copy(&spool.path(), &backup);
    import(&spool, &dir, 101..=200);
    let file = dir.path().join("t.db");
    let target = format!("sqlite:{}", file.display());
    apply(&spool, &target, &["--name", "forth"]).code(0);
    let undo = [
        "--reverse",
        "--table",
        "d.t",
        "--until",
        "2099-01-01T00:00",
        "--name",
        "undo",
        "--allow-ddl",
    ];
    spool.apply(&target, undo).one_of(&[0, 3]);
    assert_eq!(
        spool.run(["export", "--format", "jsonl", "--name", "feed"]).ok().lines().count(),
        201
    );

    copy(&spool.path().join("export"), &backup.join("export"));
    copy(&backup, &spool.path());
    import(&spool, &dir, 301..=450);
    let other = ["message 201", "another one", "--position bin.000001:20001.."];
    spool.apply(&target, undo).code(4).says(&other);
    spool.run(["export", "--format", "jsonl", "--name", "feed"]).code(4).says(&other);

    let server = fresh(crate::support::MariaDb);
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20))");
    spool.run(["schema", "add", "--from", &server.url()]).code(0);
    spool.run(["schema", "show"]).code(0);
    copy(&spool.path().join("schema"), &backup.join("schema"));
    copy(&backup, &spool.path());
    spool.run(["schema", "show"]).code(4).says(&["snapshot", "the spool is behind", "schema add"]);
}

#[test]
fn the_progress_of_an_older_version_is_converted_or_refused() {
    targets(|target, ask, run| {
        let dir = temp_dir();
        let spool = begun(&dir);
        apply(&spool, target, &[]).code(0);
        for column in ["last_seq", "last_hash", "last_position"] {
            run(&format!("ALTER TABLE binsync.progress DROP COLUMN {column}"));
        }
        // A dry run reads it as it is.
        apply(&spool, target, &["--dry-run"]).code(0);
        import(&spool, &dir, 101..=120);
        let said = apply(&spool, target, &[]).code(0);
        said.says(&["older version", "message 101 (bin.000001:10000)"]);
        assert_eq!(ask("SELECT COUNT(*) FROM d.t"), "120");
        assert_eq!(
            ask("SELECT last_seq, last_position FROM binsync.progress").replace('|', "\t"),
            "121\tbin.000001:12000"
        );
        let again = apply(&spool, target, &[]).code(0);
        assert!(!again.stderr.contains("older version"), "{}", again.stderr);

        run(
            "UPDATE binsync.progress SET seq=1000, last_seq=NULL, last_hash=NULL, last_position=NULL",
        );
        apply(&spool, target, &[]).code(4).says(&["message 999", "the spool is behind"]);
    });
}

#[test]
fn a_target_that_stands_earlier_than_it_did_is_named_with_the_way_on() {
    targets(|target, ask, run| {
        let dir = temp_dir();
        let spool = begun(&dir);
        apply(&spool, target, &[]).code(0);
        run("CREATE TABLE saved AS SELECT * FROM binsync.progress"
            .replace("saved", if target.starts_with("sqlite") { "saved" } else { "d.saved" })
            .as_str());
        let saved = if target.starts_with("sqlite") { "saved" } else { "d.saved" };
        import(&spool, &dir, 101..=150);
        apply(&spool, target, &[]).code(0);

        // Restored with its progress: it goes on where it stands, and says so.
        run("DELETE FROM d.t WHERE id > 100");
        run("DELETE FROM binsync.progress");
        run(&format!("INSERT INTO binsync.progress SELECT * FROM {saved}"));
        let said = [
            "stands at message 101 (bin.000001:10000)",
            "had come to message 151",
            "restored from a backup",
            "another --name with the --position",
        ];
        apply(&spool, target, &["--dry-run"]).code(0).says(&said);
        apply(&spool, target, &[]).code(0).says(&said);
        assert_eq!(ask("SELECT COUNT(*) FROM d.t"), "150");
        let again = apply(&spool, target, &[]).code(0);
        assert!(!again.stderr.contains("restored"), "{}", again.stderr);

        // The progress is gone, the rows are not: the first row that is there stops it.
        run("DROP TABLE binsync.progress");
        let gone = [
            "knows nothing of the run \"apply\"",
            "message 151 (bin.000001:15000)",
            "--position bin.000001:15001..",
        ];
        apply(&spool, target, &["--dry-run"]).code(0).says(&gone);
        apply(&spool, target, &[]).code(4).says(&gone).says(&["d.t", "(message 2)"]);
        import(&spool, &dir, 151..=170);
        apply(&spool, target, &["--name", "on", "--position", "bin.000001:15001.."]).code(0);
        assert_eq!(ask("SELECT COUNT(*) FROM d.t"), "170");

        // Emptied as well, it is begun anew.
        run("DELETE FROM d.t");
        apply(&spool, target, &[]).code(0);
        assert_eq!(ask("SELECT COUNT(*) FROM d.t"), "170");
        let again = apply(&spool, target, &[]).code(0);
        assert!(!again.stderr.contains("knows nothing"), "{}", again.stderr);
    });
}

/// Its progress stays where it was, its rows are older.
#[test]
fn a_table_that_was_loaded_anew_beside_its_progress_is_named() {
    for kind in KINDS {
        let server = fresh(kind);
        let table = "CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20))";
        server.sql(&format!("CREATE DATABASE d; {table}"));
        let (dir, url) = (temp_dir(), server.url());
        let spool = begun(&dir);
        let conflicts = dir.path().join("conflicts").to_str().unwrap().to_owned();
        let wins = ["--on-conflict", "overwrite", "--conflicts", &conflicts];
        let silent = |args: &[&str]| {
            let run = apply(&spool, &url, args).code(0);
            assert!(!run.stderr.contains("made anew"), "{}", run.stderr);
        };
        silent(&[]);
        silent(&[]);
        let load = format!(
            "CREATE TABLE d.dump AS SELECT * FROM d.t WHERE id<=40; DROP TABLE d.t; {table}; \
             INSERT INTO d.t SELECT * FROM d.dump; DROP TABLE d.dump"
        );
        let said = ["made anew", "\"apply\"", "d.t", "--name", "--table", "--position"];
        server.sql(&load);
        apply(&spool, &url, &["--dry-run"]).code(0).says(&said);
        apply(&spool, &url, &[]).code(0).says(&said);
        silent(&[]);
        // Whoever wants them written over is told that nothing was.
        server.sql(&load);
        apply(&spool, &url, &wins).code(3).says(&said).says(&["nothing was left to overwrite"]);
        silent(&wins);
        // The way on.
        let anew = ["--name", "anew", "--table", "d.t", "--position", "bin.000001:4001.."];
        apply(&spool, &url, &anew).code(0);
        assert_eq!(server.query("SELECT COUNT(*) FROM d.t"), "100\n");
    }
}

/// What the run itself does to its tables is nobody else's.
#[test]
fn a_statement_of_the_stream_makes_no_table_anew() {
    for kind in KINDS {
        let (server, spool) = (fresh(kind), Spool::recording(&format!("{}-incident", kind.name())));
        for _ in 0..2 {
            let run = spool.apply(&server.url(), [""; 0]).code(0);
            assert!(!run.stderr.contains("made anew"), "{}", run.stderr);
        }
    }
}

#[test]
fn rows_without_a_key_are_not_written_twice_when_the_progress_is_lost() {
    targets(|target, ask, run| {
        run("DROP TABLE d.t");
        run("CREATE TABLE d.t (id INT, v VARCHAR(20))");
        let dir = temp_dir();
        let spool = begun(&dir);
        apply(&spool, target, &[]).code(0);
        run("DROP TABLE binsync.progress");
        let gone =
            ["knows nothing of the run", "d.t, which has no key", "a second time", "remove "];
        apply(&spool, target, &["--dry-run"]).code(4).says(&gone);
        let refused = apply(&spool, target, &[]).code(4).says(&gone);
        assert_eq!(ask("SELECT COUNT(*) FROM d.t"), "100");
        // The way to begin anew.
        run("DELETE FROM d.t");
        apply(&spool, target, &[]).code(0).says(&gone[..1]);
        assert_eq!(ask("SELECT COUNT(*) FROM d.t"), "100");
        drop(refused);
    });
}
