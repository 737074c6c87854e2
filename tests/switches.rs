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
