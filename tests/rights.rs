//! Rights of the target's user are asked for before the first write, in a dry run too, and all that are missing are named.

use crate::support::{Fresh, Kind, Run, Spool, fresh, servers::KINDS, temp_dir, write};

/// Rows that come, change and go in a table with a key and in one without, and a statement.
fn stream() -> String {
    let row = |n: u32, kind: &str, table: &str, rest: &str| {
        format!(
            "{{\"type\":\"{kind}\",\"database\":\"d\",\"table\":\"{table}\",\"ts\":1795351926,\"xid\":{n},\"commit\":true,\
             \"position\":\"bin.000001:{n}00\",{rest}}}\n"
        )
    };
    let def = |columns: &str| {
        format!(
            r#"{{"database":"d","table":"t","charset":"utf8mb4","primary-key":["id"],"columns":[{columns}]}}"#
        )
    };
    let columns =
        r#"{"type":"int","name":"id","signed":true},{"type":"int","name":"v","signed":true}"#;
    let more = format!(r#"{columns},{{"type":"int","name":"w","signed":true}}"#);
    [
        row(1, "insert", "t", r#""data":{"id":1,"v":1}"#),
        row(2, "update", "t", r#""data":{"id":1,"v":2},"old":{"v":1}"#),
        (30..38).map(|n| row(n, "delete", "k", r#""data":{"v":7}"#)).collect(),
        row(40, "insert", "only", r#""data":{"id":4}"#),
        format!(
            "{{\"type\":\"table-alter\",\"database\":\"d\",\"table\":\"t\",\"ts\":1795351927000,\"position\":\"bin.000001:5000\",\
             \"sql\":\"ALTER TABLE t ADD w INT\",\"old\":{},\"def\":{}}}\n",
            def(columns),
            def(&more)
        ),
    ]
    .concat()
}

fn target(kind: Kind) -> Fresh {
    let server = fresh(kind);
    server.sql(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v INT); CREATE TABLE d.k (v INT); \
         CREATE TABLE d.only (id INT PRIMARY KEY); INSERT INTO d.k VALUES (7),(7),(7),(7),(7),(7),(7),(7),(7); \
         DROP USER IF EXISTS few@'%'; CREATE USER few@'%' IDENTIFIED BY 'few'",
    );
    server
}

fn apply(spool: &Spool, server: &Fresh, args: &[&str]) -> Run {
    spool.apply(&server.url().replace("t:t@", "few:few@"), args)
}

fn untouched(server: &Fresh) {
    assert_eq!(
        server.query("SELECT COUNT(*) FROM d.t UNION ALL SELECT COUNT(*) FROM d.k"),
        "0\n9\n"
    );
    assert!(!server.databases().contains(&"binsync".to_owned()));
}

fn written(server: &Fresh) {
    assert_eq!(server.query("SELECT id, v, w FROM d.t"), "1\t2\tNULL\n");
    assert_eq!(server.query("SELECT COUNT(*) FROM d.k").trim(), "1");
    assert_eq!(server.query("SELECT id FROM d.only").trim(), "4");
}

/// The rights that a refusal lists, as statements.
fn listed(run: &Run) -> Vec<String> {
    let lines = run.stderr.lines().map(str::trim).filter(|line| line.starts_with("GRANT "));
    lines.map(str::to_owned).collect()
}

#[test]
fn each_missing_right_is_named_first_and_those_listed_are_enough() {
    for kind in KINDS {
        let dir = temp_dir();
        for granted in ["", "GRANT SELECT ON d.* TO few@'%'"] {
            let spool = Spool::of(&write(&dir, "stream.jsonl", stream()));
            let server = target(kind);
            server.sql(granted);
            let words = [
                "INSERT",
                "UPDATE",
                "DELETE",
                "`d`.`t`",
                "`d`.`k`",
                "`d`.`only`",
                "ALTER",
                "`binsync`.*",
                "CREATE TEMPORARY TABLES",
                "'few'@'%'",
                "nothing was written",
            ];
            for args in [&["--dry-run"][..], &[]] {
                let run = apply(&spool, &server, args).code(1).says(&words);
                assert!(!run.stderr.contains("no such table"), "{}", run.stderr);
                untouched(&server);
                let only = listed(&run).into_iter().find(|line| line.contains("`only`")).unwrap();
                assert!(!only.contains("UPDATE") && !only.contains("DELETE"), "{only}");
            }
            // What is listed is what was missing, and all of it.
            let run = apply(&spool, &server, &[]).code(1);
            let grants = listed(&run);
            server.sql(&grants.join(" "));
            apply(&spool, &server, &["--dry-run"]).code(0);
            apply(&spool, &server, &[]).code(0);
            written(&server);
        }
    }
}

#[test]
fn rights_that_come_with_a_role_or_a_pattern_count() {
    for kind in KINDS {
        let dir = temp_dir();
        let spool = Spool::of(&write(&dir, "stream.jsonl", stream()));
        let server = target(kind);
        let default = match kind {
            Kind::MariaDb => "SET DEFAULT ROLE r FOR few@'%'",
            Kind::MySql => "SET DEFAULT ROLE r TO few@'%'",
        };
        server.sql(&format!(
            "DROP ROLE IF EXISTS r; CREATE ROLE r; GRANT ALL ON `_`.* TO r; GRANT ALL ON `bin%`.* TO few@'%'; \
             GRANT r TO few@'%'; {default}"
        ));
        apply(&spool, &server, &["--dry-run"]).code(0);
        apply(&spool, &server, &[]).code(0);
        written(&server);
        // A reverse writes, too.
        server.sql("REVOKE ALL ON `_`.* FROM r; GRANT SELECT ON `_`.* TO r");
        let back = ["--reverse", "--xid", "1,2"];
        for args in [&[&back[..], &["--dry-run"]].concat(), &back.to_vec()] {
            apply(&spool, &server, args).code(1).says(&["DELETE", "`d`.`t`"]);
        }
        server.sql("DROP ROLE r");
    }
}

#[test]
fn a_table_that_is_not_there_is_no_missing_right() {
    for kind in KINDS {
        let dir = temp_dir();
        let spool = Spool::of(&write(&dir, "stream.jsonl", stream()));
        let server = target(kind);
        server.sql(
            "DROP TABLE d.only; GRANT ALL ON d.* TO few@'%'; GRANT ALL ON binsync.* TO few@'%'",
        );
        apply(&spool, &server, &[]).code(4).says(&["d.only", "no such table"]);
    }
}
