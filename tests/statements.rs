//! DDL is data: a statement is run if it is what its messages say, on the tables they name, every name with its database.
//! What is not is refused before the first write, by name and with the next step.

use crate::support::{
    Kind, Spool, assert_same_dump, fresh,
    maxwell::{Producer, session},
    servers::{KINDS, Server},
    source, temp_dir, write,
};
use serde_json::{Value, json};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// A table's definition with INT columns, as the producer sends it.
fn def(table: &str, columns: &[&str]) -> Value {
    let columns: Vec<Value> =
        columns.iter().map(|name| json!({"type": "int", "name": name, "signed": true})).collect();
    json!({"database": "d", "charset": "utf8mb4", "table": table, "primary-key": ["id"], "columns": columns})
}

/// Messages one after the other, each at a position of its own.
fn stream(messages: &[Value]) -> Spool {
    let mut lines = String::new();
    for (n, message) in messages.iter().enumerate() {
        let mut message = message.clone();
        let ddl = message.get("sql").is_some();
        let ts = 1_795_351_925 + n as i64;
        message["ts"] = json!(if ddl { ts * 1000 } else { ts });
        message["position"] = json!(format!("bin.000002:{}", 100 * (n + 1)));
        lines.push_str(&format!("{message}\n"));
    }
    let dir = temp_dir();
    Spool::of(&write(&dir, "stream.jsonl", lines))
}

fn database() -> Value {
    json!({"type": "database-create", "database": "d", "charset": "utf8mb4", "sql": "CREATE DATABASE d"})
}

fn create(table: &str, columns: &[&str], sql: &str) -> Value {
    json!({"type": "table-create", "database": "d", "table": table, "def": def(table, columns), "sql": sql})
}

fn row(table: &str, xid: u64, data: Value) -> Value {
    json!({"type": "insert", "database": "d", "table": table, "xid": xid, "commit": true, "data": data})
}

const HOSTILE: [(&str, &str); 13] = [
    (
        "more statements",
        "CREATE TABLE t (id INT PRIMARY KEY); DELETE FROM victim.v; GRANT ALL ON *.* TO t@'%'",
    ),
    ("another table", "CREATE TABLE victim.w (id INT PRIMARY KEY)"),
    ("a database dropped", "DROP DATABASE victim"),
    ("rows of another", "CREATE TABLE t (id INT PRIMARY KEY) AS SELECT id FROM victim.v"),
    (
        "a comment that runs",
        "CREATE TABLE t (id INT PRIMARY KEY) /*! AS SELECT id FROM victim.v */",
    ),
    (
        "a comment that MariaDB runs",
        "CREATE TABLE t (id INT PRIMARY KEY) /*M!100100 AS SELECT id FROM victim.v */",
    ),
    (
        "a comment that MySQL runs",
        "CREATE TABLE t (id INT PRIMARY KEY) /*!80000 AS SELECT id FROM victim.v */",
    ),
    ("a file written", "SELECT * FROM victim.v INTO OUTFILE '/tmp/binsync-hostile'"),
    ("a variable", "SET GLOBAL max_connections=7"),
    ("a zone smuggled", "SET time_zone='+09:00'; CREATE TABLE t (id INT PRIMARY KEY)"),
    ("a client command", "CREATE TABLE t (id INT PRIMARY KEY) /*M! \\! touch hostile */"),
    ("a command without comment", "CREATE TABLE t (id INT PRIMARY KEY)\n\\! touch hostile\n"),
    (
        "another's rows as a partition",
        "CREATE TABLE t (id INT PRIMARY KEY) ENGINE=MERGE UNION=(victim.v)",
    ),
];

#[test]
fn a_text_that_is_not_what_its_message_says_is_refused_before_the_first_write() {
    let servers = KINDS.map(fresh);
    for (what, sql) in HOSTILE {
        let spool = stream(&[database(), create("t", &["id"], sql), row("t", 1, json!({"id": 1}))]);
        let said = ["message 2", "next:"];
        for server in &servers {
            server.empty();
            server.sql("CREATE DATABASE victim; CREATE TABLE victim.v (id INT PRIMARY KEY); INSERT INTO victim.v VALUES (1)");
            spool.apply(&server.url(), ["--table", "d.*"]).code(4).says(&said);
            let left = server.query("SHOW TABLES FROM victim; SELECT * FROM victim.v; SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name='d'");
            assert_eq!(left, "v\n1\n0\n", "{what}");
        }
        let dir = temp_dir();
        let file = format!("sqlite:{}", dir.path().join("t.db").display());
        spool.apply(&file, [] as [&str; 0]).code(4).says(&said);
        for dialect in ["mysql", "sqlite"] {
            let run = spool.run(["render", "--dialect", dialect]).code(4).says(&said);
            assert!(run.stdout.is_empty(), "{what}: {}", run.text());
        }
    }
}

/// Names, strings and comments that are commands where a client reads a line of its own.
fn commanding(file: &Path) -> (String, String) {
    let file = file.display();
    let lines = format!(
        "\n\\! touch {file}\nsystem touch {file}\nsource /x\ndelimiter x\n.shell touch {file}\n"
    );
    let name = "x\n.shell y\nsystem y\nsource y\ndelimiter y\ny".to_owned();
    let quoted = lines.replace('\\', "\\\\");
    let sql = format!(
        "CREATE TABLE `{name}` (id INT PRIMARY KEY,\nsource INT,\ndelimiter INT COMMENT '{quoted}') /*{lines}*/ COMMENT='{quoted}' -- {}\n# c",
        lines.replace('\n', " ")
    );
    (name, sql)
}

#[test]
fn no_line_of_a_script_is_a_command_of_the_client() {
    let dir = temp_dir();
    let file = dir.path().join("hostile");
    let (name, sql) = commanding(&file);
    let columns = ["id", "source", "delimiter"];
    let spool = stream(&[
        database(),
        create(&name, &columns, &sql),
        row(&name, 1, json!({"id": 1, "source": 2, "delimiter": 3})),
    ]);
    let script = spool.render([] as [&str; 0]);
    assert!(script.starts_with(b"/*M!999999\\- enable the sandbox mode */"));
    // For clients that know no such line.
    let plain = script.splitn(2, |b| *b == b'\n').nth(1).unwrap().to_vec();
    for kind in KINDS {
        for script in [&script, &plain] {
            let server = fresh(kind);
            // As a user would, without --binary-mode, which forbids commands by itself.
            feed(server.client("mariadb").current_dir(dir.path()), script);
            let found = server.query("SELECT table_name, table_comment LIKE '%touch%' FROM information_schema.tables WHERE table_schema='d'");
            assert!(found.ends_with("\t1\n"), "{found}");
            assert!(!file.exists(), "a command ran: {}", String::from_utf8_lossy(script));
        }
    }
    let script = spool.render(["--dialect", "sqlite"]);
    feed(Command::new("sqlite3").arg(dir.path().join("x.db")).current_dir(dir.path()), &script);
    assert!(!file.exists(), "a command ran: {}", String::from_utf8_lossy(&script));
}

fn feed(client: &mut Command, script: &[u8]) {
    let mut client = client.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    client.stdin.take().unwrap().write_all(script).unwrap();
    let done = client.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_backslash_in_a_name_is_refused_in_a_script_and_applied() {
    let sql = "CREATE TABLE `a\\` (id INT PRIMARY KEY)";
    let spool = stream(&[database(), create("a\\", &["id"], sql), row("a\\", 1, json!({"id": 1}))]);
    spool.run(["render"]).code(4).says(&["backslash", "--exclude-table"]);
    let server = fresh(Kind::MariaDb);
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    assert_eq!(server.query("SELECT * FROM d.`a\\`"), "1\n");
}

#[test]
fn a_statement_that_the_target_cannot_run_is_done_by_hand_and_the_run_goes_on() {
    let (before, after) = (def("t", &["id"]), def("t", &["id", "c"]));
    let sql = "ALTER TABLE t ADD COLUMN c INT COMMENT 'x', CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci";
    let convert = "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin";
    let alter = |before: &Value, after: &Value, sql: &str| json!({"type": "table-alter", "database": "d", "table": "t", "old": before, "def": after, "sql": sql});
    let spool = stream(&[
        database(),
        create("t", &["id"], "CREATE TABLE t (id INT PRIMARY KEY)"),
        row("t", 1, json!({"id": 1})),
        alter(&before, &after, sql),
        row("t", 2, json!({"id": 2, "c": 2})),
        alter(&after, &after, convert),
        row("t", 3, json!({"id": 3, "c": 3})),
    ]);
    let server = fresh(Kind::MariaDb);
    let apply = |args: &[&str]| spool.apply(&server.url(), args);
    apply(&[]).code(4).says(&["message 4", "utf8mb4_0900_ai_ci", "--until", "next:"]);
    assert_eq!(server.databases(), ["binsync"], "something was written");
    apply(&["--until", "2026-11-22T12:52:08Z"]).code(0);
    apply(&[]).code(4).says(&["message 4", "utf8mb4_0900_ai_ci"]);
    server.sql("ALTER TABLE d.t ADD COLUMN c INT");
    // The columns tell that this one was done; of the next one they cannot.
    apply(&[]).code(4).says(&["message 6", "utf8mb4_0900_bin"]);
    apply(&["--until", "2026-11-22T12:52:10Z"]).code(0);
    assert_eq!(server.query("SELECT * FROM d.t"), "1\tNULL\n2\t2\n");
    for _ in 0..2 {
        apply(&[]).code(4).says(&["message 6", "utf8mb4_0900_bin"]);
    }
    server.sql("ALTER TABLE d.t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    apply(&[]).code(0);
    assert_eq!(server.query("SELECT * FROM d.t"), "1\tNULL\n2\t2\n3\t3\n");
}

/// What a source did, statement by statement, as a spool.
fn recorded(source: &Server, statements: &str) -> Spool {
    let mut producer = Producer::new(source);
    let mut client = session(source);
    for statement in statements.split(";\n").filter(|one| !one.trim().is_empty()) {
        let done = producer.run(&mut client, statement);
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let dir = temp_dir();
    Spool::of(&write(&dir, "recorded.jsonl", producer.lines()))
}

/// The target holds what the source does, by apply and by the rendered script.
fn the_same_at_the_target(what: &str, statements: &str) {
    for kind in KINDS {
        let source = source(kind);
        let spool = recorded(&source, statements);
        let wanted = source.dump();
        let server = fresh(kind);
        spool.apply(&server.url(), [] as [&str; 0]).code(0);
        assert_same_dump(&server.dump(), &wanted, &format!("{what}, applied"));
        server.empty();
        server.feed(spool.render([] as [&str; 0]));
        assert_same_dump(&server.dump(), &wanted, &format!("{what}, rendered"));
    }
}

#[test]
fn names_without_a_database_are_those_of_the_session() {
    the_same_at_the_target(
        "DROP",
        "CREATE DATABASE d1;\nCREATE DATABASE d2;\nCREATE TABLE d1.b (id INT PRIMARY KEY);\nCREATE TABLE d2.a (id INT PRIMARY KEY);\nCREATE TABLE d2.b (id INT PRIMARY KEY);\nINSERT INTO d2.b VALUES (1);\nUSE d1;\nDROP TABLE d2.a, b",
    );
    the_same_at_the_target(
        "RENAME",
        "CREATE DATABASE d1;\nCREATE DATABASE d2;\nUSE d1;\nCREATE TABLE d2.x (id INT PRIMARY KEY);\nINSERT INTO d2.x VALUES (1);\nRENAME TABLE d2.x TO y;\nINSERT INTO y VALUES (2)",
    );
    the_same_at_the_target(
        "LIKE, foreign keys and partitions",
        "CREATE DATABASE d1;\nCREATE DATABASE d2;\nUSE d2;\nCREATE TABLE t (id INT PRIMARY KEY, other INT);\nUSE d1;\nCREATE TABLE t (id INT PRIMARY KEY);\nCREATE TABLE l LIKE t;\nCREATE TABLE m LIKE d2.t;\nCREATE TABLE d2.c (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES t (id));\nCREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10));\nINSERT INTO p VALUES (1);\nINSERT INTO l VALUES (2),(3);\nALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE l",
    );
}

#[test]
fn a_name_whose_database_no_message_tells_is_refused() {
    const BOTH: &str = "CREATE DATABASE d1;\nCREATE DATABASE d2;\nUSE d1;\n";
    for statements in [
        "CREATE TABLE d2.p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10));\nCREATE TABLE n (id INT PRIMARY KEY);\nCREATE TABLE d2.n (id INT PRIMARY KEY);\nINSERT INTO d2.p VALUES (1);\nALTER TABLE d2.p EXCHANGE PARTITION p0 WITH TABLE n",
        "CREATE TABLE n (id INT PRIMARY KEY);\nCREATE TABLE d2.l LIKE n",
    ] {
        let source = source(Kind::MariaDb);
        let spool = recorded(&source, &format!("{BOTH}{statements}"));
        let server = fresh(Kind::MariaDb);
        spool.apply(&server.url(), [] as [&str; 0]).code(4).says(&["table n", "database", "next:"]);
        assert_eq!(server.databases(), ["binsync"], "something was written");
        spool.run(["render"]).code(4).says(&["table n", "database", "next:"]);
    }
}

#[test]
fn partitions_into_sqlite_are_refused_by_name() {
    const P: &str = "CREATE DATABASE d;\nUSE d;\nCREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20));\nCREATE TABLE n (id INT PRIMARY KEY);\nINSERT INTO p VALUES (1),(11);\nINSERT INTO n VALUES (2);\n";
    for action in
        ["DROP PARTITION p0", "TRUNCATE PARTITION p0", "EXCHANGE PARTITION p0 WITH TABLE n"]
    {
        let source = source(Kind::MariaDb);
        let spool = recorded(&source, &format!("{P}ALTER TABLE p {action}"));
        let (wanted, dir) = (source.dump(), temp_dir());
        let server = fresh(Kind::MariaDb);
        spool.apply(&server.url(), [] as [&str; 0]).code(0);
        assert_same_dump(&server.dump(), &wanted, action);
        let target = format!("sqlite:{}", dir.path().join("p.db").display());
        let said = [action, "partition", "--exclude-table"];
        spool.apply(&target, [] as [&str; 0]).code(4).says(&said);
        spool.run(["render", "--dialect", "sqlite"]).code(4).says(&said);
        let target = format!("sqlite:{}", dir.path().join("n.db").display());
        let rest = ["--exclude-table", "d.p"];
        if !action.starts_with("EXCHANGE") {
            spool.apply(&target, rest).code(0);
        }
    }
}

#[test]
fn rows_that_get_numbers_by_their_order_are_in_the_sources_order() {
    the_same_at_the_target(
        "a keyless table gets numbers",
        "CREATE DATABASE d1;\nUSE d1;\nCREATE TABLE s (v VARCHAR(10));\nINSERT INTO s VALUES ('a'),('b'),('e'),('f'),('g'),('a');\nRENAME TABLE s TO t;\nUPDATE t SET v='c' WHERE v='a';\nDELETE FROM t WHERE v='f';\nINSERT INTO t VALUES ('f'),('A');\nALTER TABLE t ADD COLUMN id INT NOT NULL AUTO_INCREMENT PRIMARY KEY;\nUPDATE t SET v='C' WHERE v='c'",
    );
    const ROWS: &str =
        "CREATE DATABASE d;\nUSE d;\nCREATE TABLE t (v INT);\nINSERT INTO t VALUES (1),(2),(3);\n";
    let source = source(Kind::MariaDb);
    let spool = recorded(
        &source,
        &format!(
            "{ROWS}DO SLEEP(1.1);\nALTER TABLE t ADD COLUMN id INT NOT NULL AUTO_INCREMENT PRIMARY KEY"
        ),
    );
    let when =
        spool.run(["log"]).ok().lines().last().unwrap().split(' ').next().unwrap().to_owned();
    let server = fresh(Kind::MariaDb);
    spool.apply(&server.url(), ["--until", &when]).code(0);
    // How they were stored by then nobody can tell.
    spool.apply(&server.url(), [] as [&str; 0]).code(4).says(&["d.t", "numbers", "--serial"]);
    server.sql("ALTER TABLE d.t ADD COLUMN id INT NOT NULL AUTO_INCREMENT PRIMARY KEY");
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    assert_same_dump(&server.dump(), &source.dump(), "numbered by hand");
}

#[test]
fn rows_that_foreign_keys_took_away_are_missed_in_sqlite() {
    let source = source(Kind::MariaDb);
    let spool = recorded(
        &source,
        "CREATE DATABASE d;\nUSE d;\nCREATE TABLE p (id INT PRIMARY KEY);\nCREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE);\nINSERT INTO p VALUES (1);\nINSERT INTO c VALUES (1,1);\nDELETE FROM p",
    );
    let dir = temp_dir();
    let target = format!("sqlite:{}", dir.path().join("c.db").display());
    let said = ["d.c", "foreign key", "--exclude-table"];
    spool.apply(&target, [] as [&str; 0]).code(4).says(&said);
    spool.run(["render", "--dialect", "sqlite"]).code(4).says(&said);
    spool.apply(&target, ["--name", "p", "--exclude-table", "d.c"]).code(0);
    let server = fresh(Kind::MariaDb);
    spool.apply(&server.url(), ["--source-logs-cascades", "no"]).code(0);
    assert_same_dump(&server.dump(), &source.dump(), "cascades at a server");
}

#[test]
fn rows_loaded_without_checks_come_to_tables_whose_foreign_keys_act() {
    let source = source(Kind::MariaDb);
    let spool = recorded(
        &source,
        "CREATE DATABASE d;\nUSE d;\nSET foreign_key_checks=0;\nCREATE TABLE p (id INT PRIMARY KEY);\nCREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE);\nINSERT INTO c VALUES (1,1),(2,2);\nINSERT INTO p VALUES (1),(2);\nSET foreign_key_checks=1;\nDELETE FROM p WHERE id=1",
    );
    let server = fresh(Kind::MariaDb);
    spool.apply(&server.url(), ["--source-logs-cascades", "no"]).code(0);
    assert_same_dump(&server.dump(), &source.dump(), "loaded without checks");
}

#[test]
fn a_sequence_stays_where_it_is() {
    let moved = |next: u64| json!({"next_not_cached_value": next, "minimum_value": 1, "maximum_value": 99, "start_value": 1, "increment": 1, "cache_size": 10, "cycle_option": 0, "cycle_count": 0});
    let mut of_s = row("s", 1, moved(21));
    of_s["commit"] = json!(false);
    let spool = stream(&[
        database(),
        create("t", &["id"], "CREATE TABLE t (id INT PRIMARY KEY)"),
        of_s,
        row("t", 1, json!({"id": 1})),
    ]);
    let server = fresh(Kind::MariaDb);
    server.sql("CREATE DATABASE d; CREATE SEQUENCE d.s CACHE 10 MAXVALUE 99; CREATE TABLE d.t (id INT PRIMARY KEY)");
    let rows = ["--type", "insert,update,delete"];
    spool.apply(&server.url(), rows).code(0).says(&["d.s is a sequence"]);
    let is = "SELECT next_not_cached_value FROM d.s; SELECT COUNT(*) FROM d.t";
    assert_eq!(server.query(is), "1\n1\n");
    server.sql("DO SETVAL(d.s, 30)");
    let before = server.query(is);
    spool.apply(&server.url(), ["--reverse", "--xid", "1", "--dry-run"]).code(0);
    spool.apply(&server.url(), ["--reverse", "--xid", "1"]).code(0).says(&["d.s is a sequence"]);
    assert_eq!(server.query(is), before.replace("\n1\n", "\n0\n"));
}

#[test]
fn what_ends_in_a_comment_and_what_was_made_without_checks_is_rendered() {
    the_same_at_the_target(
        "a comment at the end",
        "CREATE DATABASE d1;\nUSE d1;\nCREATE TABLE t (id INT PRIMARY KEY) -- c;\nINSERT INTO t VALUES (1)",
    );
    the_same_at_the_target(
        "made and loaded without checks",
        "CREATE DATABASE d1;\nUSE d1;\nSET foreign_key_checks=0;\nCREATE TABLE a (id INT PRIMARY KEY, b INT, FOREIGN KEY (b) REFERENCES z(id));\nINSERT INTO a VALUES (1,1);\nCREATE TABLE z (id INT PRIMARY KEY);\nINSERT INTO z VALUES (1)",
    );
}
