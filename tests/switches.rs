//! Streams of a producer with other switches, and of a source with other row images.

use crate::support::{
    Fresh, Kind, Spool, assert_same_dump, fresh,
    maxwell::{Producer, Switches, session},
    servers::KINDS,
    source, temp_dir, write,
};

/// What the statements came to at a source: the messages, the dump, and where what may be undone begins.
struct Made {
    lines: String,
    end: String,
    from: String,
}

/// Runs the statements on a source of that kind; what stands behind `-- @@` may be undone.
fn made(kind: Kind, switches: Switches, sql: &str) -> Made {
    let server = source(kind);
    let mut producer = Producer::new(&server);
    producer.switches = switches;
    let mut client = session(&server);
    let mut from = producer.position();
    for (number, part) in sql.split("-- @@").enumerate() {
        if number == 1 {
            from = producer.position();
        }
        for statement in part.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
            let done = producer.run(&mut client, statement);
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
    Made { lines: producer.lines(), end: server.dump(), from }
}

fn spool(lines: &str) -> Spool {
    let dir = temp_dir();
    Spool::of(&write(&dir, "stream.jsonl", lines))
}

/// The stream applied to an empty server, and its SQL fed to one, give the source's state.
fn arrives(kind: Kind, made: &Made, args: &[&str]) -> (Spool, Fresh) {
    let (spool, server) = (spool(&made.lines), fresh(kind));
    spool.apply(&server.url(), args).code(0);
    assert_same_dump(&server.dump(), &made.end, "applied");
    server.empty();
    server.feed(spool.render([] as [&str; 0]));
    assert_same_dump(&server.dump(), &made.end, "rendered");
    server.empty();
    spool.apply(&server.url(), ["--name", "again"]).code(0);
    (spool, server)
}

const NO_COMMITS: Switches = Switches { commit_info: false, ..Switches::ALL };

#[test]
fn without_commit_info_each_row_stands_for_itself() {
    for kind in KINDS {
        let made = made(
            kind,
            NO_COMMITS,
            "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, v INT UNIQUE); \
             CREATE TABLE bare (v INT); BEGIN; INSERT INTO t VALUES (1,1),(2,2); \
             INSERT INTO bare VALUES (1),(1),(1); UPDATE t SET v=v+5; COMMIT -- @@ \
             ALTER TABLE bare ADD n INT; BEGIN; UPDATE t SET v=v*10; DELETE FROM bare LIMIT 1; \
             UPDATE t SET v=61 WHERE id=1; COMMIT",
        );
        assert!(!made.lines.contains("\"xid\"") && !made.lines.contains("\"commit\""));
        let (spool, server) = arrives(kind, &made, &["--window", "2"]);
        // The producer begins anew at its last event, or sends all again.
        let lines: Vec<&str> = made.lines.lines().collect();
        let last = lines[lines.len() - 1..].join("\n") + "\n";
        for again in [&last, &made.lines] {
            let dir = temp_dir();
            let file = write(&dir, "again.jsonl", again);
            let run = spool.run(["import", file.to_str().unwrap()]).code(0);
            let sent = format!("({} re-send", again.lines().count());
            assert!(run.stderr.contains(&sent) || again.len() > last.len(), "{}", run.stderr);
            let run = spool.apply(&server.url(), ["--name", "again"]).code(0);
            run.says(&["tells no transactions", "output_commit_info"]);
            assert_same_dump(&server.dump(), &made.end, "sent again");
        }
        let undo = ["--reverse", "--type", "insert,update,delete", "--position"];
        let range = format!("{}..", made.from);
        spool.apply(&server.url(), [&undo[..], &[&range]].concat()).code(0);
        assert_eq!(server.query("SELECT id, v FROM d.t ORDER BY id"), "1\t6\n2\t7\n");
        assert_eq!(server.query("SELECT COUNT(*) FROM d.bare"), "3\n");
    }
}

const NO_NULLS: Switches = Switches { nulls: false, ..Switches::ALL };

/// Rows that come, change, move and go, under some image, in tables of several shapes.
fn work(image: &str) -> String {
    let tables = [
        (
            "t",
            "id INT PRIMARY KEY, a INT DEFAULT 7, b INT, c TEXT, d INT NOT NULL DEFAULT 3, u INT UNIQUE",
        ),
        ("two", "id INT PRIMARY KEY, a INT"),
        ("doc", "id INT PRIMARY KEY, a INT, c TEXT, j JSON"),
        ("bare", "id INT, a INT, c TEXT"),
    ];
    let mut sql = "CREATE DATABASE d; USE d;".to_owned();
    for (name, columns) in tables {
        sql.push_str(&format!("CREATE TABLE {name} ({columns});"));
    }
    sql.push_str(&format!("SET binlog_row_image={image};"));
    for (name, _) in tables {
        for id in 1..7 {
            sql.push_str(&format!("INSERT INTO {name} (id, a) VALUES ({id}, {id});"));
        }
        sql.push_str(&format!(
            "INSERT INTO {name} (id, a) VALUES (10, NULL); UPDATE {name} SET a=5 WHERE id=1; \
             UPDATE {name} SET a=6 WHERE id=1; UPDATE {name} SET id=20, a=9 WHERE id=2; \
             UPDATE {name} SET id=21 WHERE id=3; UPDATE {name} SET a=NULL WHERE id=4; \
             UPDATE {name} SET a=1 WHERE id=10; DELETE FROM {name} WHERE id=5;"
        ));
    }
    for name in ["t", "doc", "bare"] {
        sql.push_str(&format!(
            "UPDATE {name} SET c='x', a=a+1 WHERE id=6; UPDATE {name} SET c='y' WHERE id=6; \
             UPDATE {name} SET c=NULL, a=2 WHERE id=6; UPDATE {name} SET a=3, c='z' WHERE id=20; \
             INSERT INTO {name} (id, c) VALUES (30, 'w'); UPDATE {name} SET a=8, c='' WHERE id=30;"
        ));
    }
    sql.push_str("UPDATE t SET u=id; UPDATE t SET u=u+100 ORDER BY u DESC; UPDATE t SET b=4, d=9 WHERE id=6;");
    sql
}

/// Ways to apply.
const WAYS: [&[&str]; 4] =
    [&[], &["--serial"], &["--window", "3"], &["--lanes", "1", "--window", "7"]];

#[test]
fn what_a_minimal_image_holds_is_written() {
    for kind in KINDS {
        for image in ["MINIMAL", "NOBLOB"] {
            // The first NULL tells that NULLs are shown.
            let sql = work(image).replace(
                "SET binlog_row_image",
                "INSERT INTO two (id) VALUES (99); SET binlog_row_image",
            );
            let made = made(kind, Switches::ALL, &sql);
            let (spool, server) = arrives(kind, &made, &[]);
            for way in WAYS {
                server.empty();
                spool.apply(&server.url(), way).code(0);
                assert_same_dump(&server.dump(), &made.end, &format!("{image} {way:?}"));
            }
        }
    }
}

#[test]
fn left_out_nulls_are_null() {
    for kind in KINDS {
        let sql = work("FULL");
        // An update of a table without a key would not be found.
        let sql: String =
            sql.split_inclusive(';').filter(|one| !one.contains("UPDATE bare")).collect();
        let made = made(kind, NO_NULLS, &sql);
        assert!(!made.lines.contains("null,") && !made.lines.contains("null}"));
        let (spool, server) = arrives(kind, &made, &[]);
        for way in WAYS {
            server.empty();
            spool.apply(&server.url(), way).code(0);
            assert_same_dump(&server.dump(), &made.end, &format!("{way:?}"));
        }
    }
}

/// What is refused: by apply, which writes nothing of it, and by render.
fn refused(kind: Kind, made: &Made, words: &[&str]) {
    let (spool, server) = (spool(&made.lines), fresh(kind));
    let run = spool.apply(&server.url(), [] as [&str; 0]).code(4).says(words);
    assert!(run.stderr.contains("next:"), "{}", run.stderr);
    spool.run(["render"]).code(4).says(words);
}

#[test]
fn what_cannot_be_told_is_refused() {
    for kind in KINDS {
        // A default, or a NULL that is left out.
        let insert = "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, a INT DEFAULT 7); \
            SET binlog_row_image=MINIMAL; INSERT INTO t (id) VALUES (1)";
        let told = "; INSERT INTO t VALUES (2, NULL)";
        let words = ["d.t", "\"a\"", "cannot be told", "output_nulls", "--exclude-table"];
        refused(kind, &made(kind, Switches::ALL, insert), &words);
        let known = made(kind, Switches::ALL, &format!("{insert}{told}"));
        let (known, _) = arrives(kind, &known, &[]);
        // An SQLite file has no defaults.
        let dir = temp_dir();
        let file = format!("sqlite:{}", dir.path().join("a.db").display());
        known.apply(&file, [] as [&str; 0]).code(4).says(&["d.t", "default"]);
        // A NULL that is left out, or an update that sets nothing.
        let update = "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT NOT NULL); \
            INSERT INTO t VALUES (1,1,1); SET binlog_row_image=MINIMAL; UPDATE t SET a=NULL";
        refused(kind, &made(kind, NO_NULLS, update), &["d.t", "\"a\"", "cannot be told"]);
        // Rows of a table without a key are found by all their columns.
        let bare = "CREATE DATABASE d; USE d; CREATE TABLE t (a INT, b INT); INSERT INTO t VALUES (1,2),(2,NULL); \
            UPDATE t SET b=NULL WHERE a=1; UPDATE t SET b=5 WHERE a=2";
        refused(kind, &made(kind, NO_NULLS, bare), &["d.t", "no key", "former value"]);
    }
}

#[test]
fn what_a_row_was_is_not_guessed() {
    for kind in KINDS {
        let setup = "CREATE DATABASE d; USE d; CREATE TABLE t (id INT PRIMARY KEY, a INT, c TEXT); \
            INSERT INTO t VALUES (1,1,'x'),(2,NULL,'y')";
        for (switches, image, damage) in [
            (Switches::ALL, "MINIMAL", "UPDATE t SET a=5"),
            (Switches::ALL, "MINIMAL", "UPDATE t SET a=5, c='z' WHERE id=1"),
            (Switches::ALL, "MINIMAL", "DELETE FROM t"),
            (Switches::ALL, "NOBLOB", "UPDATE t SET c='z'"),
            (Switches::ALL, "NOBLOB", "DELETE FROM t"),
            (NO_NULLS, "FULL", "UPDATE t SET a=5 WHERE id=2"),
            (NO_NULLS, "FULL", "DELETE FROM t WHERE id=2"),
            (NO_NULLS, "FULL", "UPDATE t SET a=NULL WHERE id=1; UPDATE t SET a=7, c='v'"),
        ] {
            let sql = format!("{setup}; SET binlog_row_image={image} -- @@ {damage}");
            let made = made(kind, switches, &sql);
            let range = format!("{}..", made.from);
            let args = ["--reverse", "--position", &range];
            let (spool, server) = (spool(&made.lines), fresh(kind));
            spool.apply(&server.url(), [] as [&str; 0]).code(0);
            assert_same_dump(&server.dump(), &made.end, damage);
            spool.apply(&server.url(), args).code(4).says(&["d.t", "not known"]);
            assert_same_dump(&server.dump(), &made.end, damage);
            let sql =
                spool.run([&["render"], &args[..]].concat()).code(4).says(&["d.t", "not known"]);
            assert_eq!(sql.text(), "");
        }
    }
}

#[test]
fn a_row_without_a_key_that_leaves_columns_to_their_defaults_is_found_in_the_order_of_the_source() {
    for kind in KINDS {
        let made = made(
            kind,
            Switches::ALL,
            "CREATE DATABASE d; USE d; CREATE TABLE bare (id INT, a INT DEFAULT 5, c TEXT); \
             SET binlog_row_image=MINIMAL; INSERT INTO bare (id) VALUES (1); \
             UPDATE bare SET id=2 WHERE id=1; INSERT INTO bare (id) VALUES (3); \
             DELETE FROM bare WHERE id=3; INSERT INTO bare (id) VALUES (4)",
        );
        for mode in [&[][..], &["--net"], &["--serial"]] {
            arrives(kind, &made, mode);
        }
        let (spool, server) = (spool(&made.lines), fresh(kind));
        let parts = spool.apply(&server.url(), ["--net", "--window", "1"]);
        // MariaDB tells the defaults.
        match kind {
            Kind::MySql => drop(parts.code(4).says(&["d.bare has no key", "run without --net"])),
            Kind::MariaDb => {
                parts.code(0);
                assert_same_dump(&server.dump(), &made.end, "in parts");
            }
        }
    }
}
