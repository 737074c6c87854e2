//! A stream that holds what another run of the tool keeps in its target: two servers that follow each other, or a chain
//! of three. It stays stored, and no command applies, shows, counts or takes it back.

use crate::support::{Fresh, Spool, fresh, recording, servers::KINDS, temp_dir, write};

/// The messages of the recording that are about the tool's own tables.
fn own_lines(stream: &str) -> usize {
    stream.lines().filter(|line| line.starts_with(r#"{"database":"binsync""#)).count()
}

fn count(server: &Fresh, what: &str) -> usize {
    server.query(&format!("SELECT COUNT(*) FROM {what}")).trim().parse().unwrap()
}

/// A transaction of one row, as it comes after the recording.
fn later(id: u64) -> String {
    format!(
        "{{\"database\":\"shop\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795351799,\"xid\":{id},\"commit\":true,\
         \"position\":\"bin.000001:{}\",\"data\":{{\"id\":{id},\"v\":3}}}}\n",
        id * 100
    )
}

#[test]
fn an_apply_keeps_its_progress_whatever_another_run_wrote_into_its_own() {
    for kind in KINDS {
        let server = fresh(kind);
        server.sql(
            "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); \
             CREATE TABLE shop.u (id INT PRIMARY KEY, v INT); INSERT INTO shop.u VALUES (7, 99)",
        );
        let file = recording("chain-echo");
        let stream = std::fs::read_to_string(&file).unwrap();
        assert!(own_lines(&stream) > 0, "the recording holds another run's rows");
        let rows = |table: &str| {
            let table = format!(r#"{{"database":"shop","table":"{table}""#);
            stream.lines().filter(|line| line.starts_with(&table)).count()
        };
        let spool = Spool::of(&file);

        spool.apply(&server.url(), [""; 0]).code(4).says(&["shop.u", "duplicate"]);
        let progress = "SELECT name, epoch > 0, seq FROM binsync.progress";
        let stands = server.query(progress);
        assert_eq!(stands.lines().count(), 1, "{stands}");

        server.sql("DELETE FROM shop.u WHERE id=7");
        spool.apply(&server.url(), [""; 0]).code(0);
        assert_eq!(count(&server, "shop.t"), rows("t"));
        assert_eq!(server.query("SELECT v FROM shop.u").trim(), "1");
        spool.apply(&server.url(), [""; 0]).code(0).says(&["nothing was left"]);

        let dir = temp_dir();
        let more: String = (200_000..200_020).map(later).collect();
        let more = write(&dir, "more.jsonl", more);
        spool.run(["import", more.to_str().unwrap()]).code(0);
        spool.apply(&server.url(), [""; 0]).code(0);
        assert_eq!(count(&server, "shop.t"), rows("t") + 20);
        assert_eq!(
            server.query("SELECT name, direction, spool='aaaa' FROM binsync.progress"),
            "apply\tforward\t0\n"
        );

        // Taken back, nothing of the other run's rows is touched either.
        spool.apply(&server.url(), ["--reverse", "--until", "2099-01-01T00:00"]).code(0);
        assert_eq!((count(&server, "shop.t"), count(&server, "shop.u")), (0, 0));
        assert_eq!(count(&server, "binsync.progress"), 2);
    }
}

#[test]
fn no_reading_command_shows_or_counts_them() {
    let file = recording("chain-echo");
    let stream = std::fs::read_to_string(&file).unwrap();
    let spool = Spool::of(&file);
    let others = stream.lines().count() - own_lines(&stream);

    let exported = spool.run(["export", "--format", "jsonl"]).ok();
    assert_eq!(exported.lines().count(), others);
    for args in [
        vec!["export", "--format", "jsonl"],
        vec!["search", "progress"],
        vec!["log"],
        vec!["log", "--biggest"],
        vec!["stats", "--json"],
        vec!["spool", "ls"],
    ] {
        let said = spool.run(&args).one_of(&[0, 1, 3]);
        let said = said.text() + &said.stderr;
        assert!(!said.contains("binsync.") && !said.contains(r#""binsync""#), "{args:?}:\n{said}");
    }
    // What is stored is what came.
    assert_eq!(String::from_utf8(spool.stored()).unwrap().lines().count(), stream.lines().count());
}

/// One message of a statement on a table.
fn statement(kind: &str, database: &str, table: &str, position: u32, sql: &str) -> String {
    let def = format!(
        r#"{{"database":"{database}","table":"{table}","charset":"utf8mb4","primary-key":["id"],"columns":[{{"type":"int","name":"id","signed":true}}]}}"#
    );
    let def = if kind == "table-create" { format!(r#","def":{def}"#) } else { String::new() };
    format!(
        "{{\"type\":\"{kind}\",\"database\":\"{database}\",\"table\":\"{table}\",\"ts\":1795351700000,\
         \"position\":\"bin.000001:{position}\",\"sql\":\"{sql}\"{def}}}\n"
    )
}

#[test]
fn statements_about_them_are_not_run_and_one_that_names_others_as_well_is_refused() {
    let made = [
        statement("database-create", "binsync", "", 10, "CREATE DATABASE binsync")
            .replace(r#""table":"","#, ""),
        statement(
            "table-create",
            "binsync",
            "progress",
            20,
            "CREATE TABLE binsync.progress (id INT PRIMARY KEY)",
        ),
        statement("table-create", "d", "t", 30, "CREATE TABLE t (id INT PRIMARY KEY)"),
        later(200).replace("shop", "d").replace(r#","v":3"#, ""),
        statement("table-drop", "binsync", "progress", 30_000, "DROP TABLE binsync.progress"),
        statement("database-drop", "binsync", "", 40_000, "DROP DATABASE binsync")
            .replace(r#""table":"","#, ""),
    ];
    let both = "DROP TABLE binsync.progress, d.t";
    for kind in KINDS {
        let server = fresh(kind);
        server.sql("CREATE DATABASE d");
        let dir = temp_dir();
        let spool = Spool::of(&write(&dir, "made.jsonl", made.concat()));
        spool.apply(&server.url(), [""; 0]).code(0);
        assert_eq!(server.query("SELECT id FROM d.t").trim(), "200");
        assert_eq!(count(&server, "binsync.progress"), 1);
        let sql = String::from_utf8(spool.render([""; 0])).unwrap();
        assert!(sql.contains("CREATE TABLE `d`.`t`") && !sql.contains("binsync.progress"), "{sql}");

        // One that names others too is told whichever of its messages comes first.
        for order in [["binsync.progress", "d.t"], ["d.t", "binsync.progress"]] {
            let more: String = order
                .iter()
                .map(|name| name.split_once('.').unwrap())
                .map(|(database, table)| statement("table-drop", database, table, 50_000, both))
                .collect();
            let spool = Spool::of(&write(&dir, "both.jsonl", format!("{}{more}", made.concat())));
            let refused = ["binsync.progress", "book-keeping", "by hand"];
            spool.apply(&server.url(), ["--name", order[0]]).code(4).says(&refused);
            spool.run(["render"]).one_of(&[1, 4]).says(&refused);
            assert_eq!(count(&server, "d.t"), 1);
        }
    }
}
