//! What is lost, or will not run, is found by `doctor` beforehand; each of its checks fires where it should, and only there.

use crate::support::{Kind, Spool, fresh, recording, servers::KINDS, temp_dir, write};
use serde_json::{Value, json};

/// What `doctor` finds, with the status that goes with it.
fn doctor(spool: &Spool, args: &[&str]) -> Value {
    let run = spool.run([&["doctor", "--json"], args].concat()).one_of(&[0, 3]);
    let found: Value = serde_json::from_str(&run.text()).expect("JSON");
    let problems = found["checks"].as_array().unwrap().iter().filter(|c| c["state"] == "problem");
    assert_eq!(found["problems"], problems.count());
    assert_eq!(run.code == 3, found["problems"] != 0, "{found:#}");
    found
}

/// The checks of a part that are neither well nor unasked: names and states.
fn findings(found: &Value, part: &str) -> Vec<(String, String)> {
    let checks = found["checks"].as_array().unwrap().iter().filter(|c| c["part"] == part);
    let text = |check: &Value, field: &str| check[field].as_str().unwrap().to_owned();
    let found = checks.map(|check| (text(check, "name"), text(check, "state")));
    found.filter(|(_, state)| state != "ok" && state != "not checked").collect()
}

/// The only check of that name.
fn check<'v>(found: &'v Value, part: &str, name: &str) -> &'v Value {
    let checks = found["checks"].as_array().unwrap();
    let mut of = checks.iter().filter(|c| c["part"] == part && c["name"] == name);
    of.next().unwrap_or_else(|| panic!("no {part} {name}: {found:#}"))
}

mod broker;

const CREATE: &str = "CREATE TABLE t (id INT PRIMARY KEY, first_name VARCHAR(9), w INT)";

fn def(columns: &Value, key: &Value) -> Value {
    json!({"database": "d", "table": "t", "charset": "utf8mb4", "primary-key": key, "columns": columns})
}

fn create(sql: &str, def: &Value) -> Value {
    json!({"type": "table-create", "database": "d", "table": "t", "ts": 1_795_351_926_000_u64, "def": def, "sql": sql,
           "position": "bin.000001:90"})
}

/// A statement and one transaction, from a producer that is set as it should be.
fn good() -> Vec<Value> {
    let columns = json!([{"type": "int", "name": "id", "signed": true},
        {"type": "varchar", "name": "first_name", "charset": "utf8mb4"}, {"type": "int", "name": "w", "signed": true}]);
    let row = |id: u64| {
        let mut row = json!({"database": "d", "table": "t", "type": "insert", "ts": 1_795_351_926, "xid": 7,
            "position": "bin.000001:100", "server_id": 3, "thread_id": 4, "primary_key": [id],
            "primary_key_columns": ["id"], "data": {"id": id, "first_name": "x", "w": null}});
        match id {
            3 => row["commit"] = true.into(),
            _ => row["xoffset"] = (id - 1).into(),
        }
        row
    };
    [vec![create(CREATE, &def(&columns, &json!(["id"])))], (1..=3).map(row).collect()].concat()
}

fn spool(messages: &[Value]) -> Spool {
    let dir = temp_dir();
    let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
    let (spool, file) = (Spool::new(), write(&dir, "stream.jsonl", lines));
    spool.run(["import", "--force", file.to_str().unwrap()]).one_of(&[0, 3]);
    spool
}

/// The good messages, each of them changed.
fn changed(change: impl Fn(&mut Value)) -> Spool {
    let mut messages = good();
    messages.iter_mut().for_each(change);
    spool(&messages)
}

fn without(fields: &[&'static str]) -> Spool {
    changed(|message| {
        for field in fields {
            message.as_object_mut().unwrap().remove(*field);
        }
    })
}

#[test]
fn a_producer_that_is_set_as_it_should_be_has_no_finding() {
    let found = doctor(&spool(&good()), &[]);
    assert_eq!((findings(&found, "producer"), findings(&found, "tables")), (vec![], vec![]));
    for check in found["checks"].as_array().unwrap() {
        let asked = ["producer", "tables"].contains(&check["part"].as_str().unwrap());
        assert_eq!(check["state"], if asked { "ok" } else { "not checked" }, "{check}");
    }
}

#[test]
fn each_setting_of_the_producer_that_loses_something_is_found() {
    let renamed = |message: &mut Value, from: &str, to: &str| {
        if let Some(value) = message.as_object_mut().unwrap().remove(from) {
            message[to] = value;
        }
    };
    let row = |message: &mut Value, change: &dyn Fn(&mut Value)| {
        if message["data"].is_object() {
            change(message);
        }
    };
    let cases: Vec<(Spool, &[(&str, &str)])> = vec![
        (without(&["position"]), &[("position", "problem")]),
        (without(&["xoffset"]), &[("xoffset", "problem")]),
        (without(&["xid", "commit", "xoffset"]), &[("transaction", "problem")]),
        (without(&["primary_key", "primary_key_columns"]), &[("keys", "note")]),
        (without(&["server_id"]), &[("server", "note")]),
        (without(&["thread_id"]), &[("connection", "note")]),
        (
            changed(|m| row(m, &|m| m["encrypted"] = json!({"iv": "x", "bytes": "y"}))),
            &[("encryption", "problem")],
        ),
        // What is NULL is left out; the update tells it by a former value that the row has no more.
        (
            changed(|m| {
                row(m, &|m| {
                    m["type"] = "update".into();
                    m["data"].as_object_mut().unwrap().remove("w");
                    m["old"] = json!({"w": 5});
                });
            }),
            &[("nulls", "problem")],
        ),
        (
            changed(|m| {
                row(m, &|m| {
                    m["data"].as_object_mut().unwrap().remove("first_name");
                })
            }),
            &[("images", "problem")],
        ),
        (
            changed(|m| {
                row(m, &|m| {
                    let name = m["data"].as_object_mut().unwrap().remove("first_name").unwrap();
                    m["data"]["firstName"] = name;
                })
            }),
            &[("names", "problem")],
        ),
        (
            changed(|m| {
                renamed(m, "server_id", "serverId");
                renamed(m, "primary_key", "primaryKey");
            }),
            &[("names", "problem"), ("keys", "note"), ("server", "note")],
        ),
        (
            changed(|m| {
                row(m, &|m| {
                    m["server_id"] = m["data"]["id"].clone();
                })
            }),
            &[("server", "note")],
        ),
    ];
    for (n, (spool, expected)) in cases.iter().enumerate() {
        let found = doctor(spool, &[]);
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, state)| ((*name).to_owned(), (*state).to_owned()))
            .collect();
        assert_eq!(findings(&found, "producer"), expected, "case {n}: {found:#}");
        for (name, _) in expected {
            assert!(
                check(&found, "producer", &name)["what"].as_str().unwrap().len() > 20,
                "{name}"
            );
        }
    }
}

/// What nothing tells is not well.
#[test]
fn what_the_last_messages_do_not_tell_is_not_checked() {
    let found = doctor(&spool(&good()[..1]), &[]);
    for name in ["xoffset", "transaction", "nulls", "names", "images", "keys", "server"] {
        assert_eq!(check(&found, "producer", name)["state"], "not checked", "{name}");
    }
    let found = doctor(&spool(&good()[1..]), &[]);
    assert_eq!(check(&found, "producer", "statements")["state"], "not checked");
    assert_eq!(check(&found, "producer", "images")["state"], "not checked");
    assert_eq!(findings(&found, "tables"), [("definitions".to_owned(), "problem".to_owned())]);
    assert_eq!(check(&found, "tables", "time")["state"], "not checked");
    // Without a spool the call is wrong, unless there is something else to look at.
    Spool::new().run(["doctor"]).code(2).says(&["no spool here"]);
}

/// One column of each type that something happens to, the column named; and what is wrong with whole tables.
#[test]
fn what_happens_to_the_columns_at_hand_is_named() {
    let columns = [
        ("bit", "BIT(64)", "bit"),
        ("time", "TIME", "time"),
        ("date", "DATE", "date"),
        ("enum", "ENUM('a','b')", "enum"),
        ("set", "SET('x'',','y')", "labels"),
        ("json", "JSON", "json"),
        ("float", "FLOAT", "float"),
        ("double", "DOUBLE", "double"),
        ("point", "POINT", "geometry"),
        ("inet6", "INET6", "types"),
    ];
    let defs: Vec<Value> =
        columns.iter().map(|(kind, ..)| json!({"type": kind, "name": kind})).collect();
    let list: Vec<String> =
        columns.iter().map(|(kind, sql, _)| format!("`{kind}` {sql}")).collect();
    let sql = format!("CREATE TABLE t ({})", list.join(", "));
    let found = doctor(&spool(&[create(&sql, &def(&json!(defs), &json!([])))]), &[]);
    for (kind, _, name) in columns {
        let check = check(&found, "tables", name);
        assert_ne!(check["state"], "ok", "{name}");
        assert!(check["on"].as_array().unwrap().contains(&format!("d.t.{kind}").into()), "{check}");
    }
    assert_eq!(check(&found, "tables", "keyless")["on"], json!(["d.t"]));
    assert_eq!(check(&found, "tables", "types")["state"], "problem");
    assert_eq!(findings(&found, "tables").len(), 11, "{found:#}");

    // The message of an ALTER tells less: how long a BINARY is, for one.
    let latin = |columns: Value| {
        let mut def = def(&columns, &json!(["id"]));
        def["charset"] = "latin1".into();
        def
    };
    let columns = json!([{"type": "binary", "name": "id"}, {"type": "text", "name": "x", "charset": "latin1"}]);
    let mut alter = create("ALTER TABLE t ADD x TEXT", &latin(columns));
    alter["type"] = "table-alter".into();
    alter["old"] = latin(json!([{"type": "binary", "name": "id"}]));
    let found = doctor(&spool(&[alter]), &[]);
    let names: Vec<String> = findings(&found, "tables").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["whole", "binary", "charset"]);
    assert_eq!(check(&found, "tables", "cascades")["state"], "not checked");
}

#[test]
fn rows_that_foreign_keys_change_and_copied_tables_are_named() {
    let spool = Spool::of(&recording("mysql-damaged"));
    let server = fresh(Kind::MySql);
    let found = doctor(&spool, &[]);
    let cascades = check(&found, "tables", "cascades");
    assert_eq!(cascades["state"], "problem");
    assert_eq!(cascades["on"], json!(["damaged.child (damaged.parent)"]));
    // This server logs what its foreign keys do.
    spool.run(["schema", "add", "--from", &server.url()]).code(0);
    assert_eq!(check(&doctor(&spool, &[]), "tables", "cascades")["state"], "ok");
    let old = Spool::of(&recording("mariadb-damaged"));
    let server = fresh(Kind::MariaDb);
    old.run(["schema", "add", "--from", &server.url()]).code(0);
    assert_eq!(check(&doctor(&old, &[]), "tables", "cascades")["state"], "note");
    let copied = Spool::of(&recording("mariadb-bootstrap"));
    assert_eq!(check(&doctor(&copied, &[]), "tables", "copied")["state"], "note");
}

/// Rows of four tables without a definition in the stream.
fn rows() -> Spool {
    let row = |n: u64, table: &str, id: u64| {
        json!({"database": "d", "table": table, "type": "insert", "ts": 1_795_351_926, "xid": n, "commit": true,
               "position": format!("bin.000001:{n}"), "data": {"id": id, "v": "x".repeat(3000)}})
    };
    let tables = ["t", "keyless", "old", "fired", "gone"];
    spool(&tables.iter().zip(1..).map(|(table, n)| row(n * 100, table, n)).collect::<Vec<_>>())
}

#[test]
fn what_stands_in_the_way_of_an_apply_is_found_at_the_target() {
    for kind in KINDS {
        let (spool, server) = (rows(), fresh(kind));
        let tls = if kind == Kind::MySql { "?ssl-mode=disabled&get-server-public-key" } else { "" };
        let url = |user: &str| format!("{}{tls}", server.url().replace("t:t@", user));
        server.sql(
            "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v TEXT, g INT AS (id + 1) STORED UNIQUE); \
             CREATE TABLE d.keyless (id INT, v TEXT); CREATE TABLE d.old (id INT PRIMARY KEY, v TEXT) ENGINE=MyISAM; \
             CREATE TABLE d.fired (id INT PRIMARY KEY, v TEXT); \
             CREATE TRIGGER d.trig AFTER INSERT ON d.fired FOR EACH ROW SET @x=1; \
             DROP USER IF EXISTS few@'%'; CREATE USER few@'%' IDENTIFIED BY 'few'; \
             GRANT SELECT ON d.* TO few@'%'; GRANT INSERT ON d.t TO few@'%'; SET GLOBAL max_allowed_packet=4096",
        );
        let found = doctor(&spool, &["--target", &url("t:t@")]);
        server.sql("SET GLOBAL max_allowed_packet=67108864");
        let mut named: Vec<&str> = vec!["packet", "tables", "tables", "keys", "engine", "order"];
        let is_plain = check(&found, "target", "encrypted")["state"] == "note";
        assert!(is_plain || kind == Kind::MariaDb, "{found:#}");
        if is_plain {
            named.insert(0, "encrypted");
        }
        let names: Vec<String> =
            findings(&found, "target").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, named, "{found:#}");
        let text = found.to_string();
        for word in ["d.fired: the target has a trigger", "d.gone: the target has no such table"] {
            assert!(text.contains(word), "{word}: {text}");
        }
        for (name, table) in [("keys", "d.keyless"), ("engine", "d.old"), ("order", "d.t")] {
            assert_eq!(check(&found, "target", name)["on"], json!([table]));
        }
        assert_eq!(check(&found, "target", "packet")["state"], "problem");

        server.sql("SET GLOBAL read_only=1");
        let found = doctor(&spool, &["--target", &url("few:few@")]);
        server.sql("SET GLOBAL read_only=0");
        assert_eq!(check(&found, "target", "writable")["state"], "problem", "{found:#}");
        assert_eq!(check(&found, "target", "rights")["state"], "not checked");
        let found = doctor(&spool, &["--target", &url("few:few@")]);
        let rights = check(&found, "target", "rights");
        assert_eq!(rights["state"], "problem");
        let what = rights["what"].as_str().unwrap();
        assert!(
            what.contains("GRANT INSERT ON `d`.`keyless`") && !what.contains("`d`.`t`"),
            "{what}"
        );

        // All is well.
        server.sql(
            "DROP TABLE d.keyless; CREATE TABLE d.keyless (id INT PRIMARY KEY, v TEXT); ALTER TABLE d.old ENGINE=InnoDB; \
             ALTER TABLE d.t DROP g; DROP TRIGGER d.trig; CREATE TABLE d.gone (id INT PRIMARY KEY, v TEXT); \
             GRANT ALL ON d.* TO few@'%'; GRANT ALL ON binsync.* TO few@'%'",
        );
        let found = doctor(&spool, &["--target", &url("few:few@")]);
        let left = findings(&found, "target");
        assert!(left.is_empty() || left == [("encrypted".into(), "note".into())], "{found:#}");
        assert!(!server.databases().contains(&"binsync".to_owned()), "something was written");
    }
}

#[test]
fn a_target_that_cannot_be_reached_is_a_finding_and_the_rest_is_told() {
    let nobody = "mysql://t:t@127.0.0.1:1";
    let found = doctor(&spool(&good()), &["--target", nobody]);
    assert_eq!(findings(&found, "target"), [("connection".into(), "problem".into())]);
    assert_eq!(check(&found, "target", "rights")["state"], "not checked");
    assert_eq!(check(&found, "producer", "position")["state"], "ok");
    let found = doctor(&Spool::new(), &["--target", nobody]);
    assert_eq!(check(&found, "producer", "position")["state"], "not checked");
    // An SQLite file makes its tables; of a table whose definition is not known it cannot.
    let (dir, told, untold) = (temp_dir(), spool(&good()), rows());
    let file = write(&dir, "t.db", "");
    let target = format!("sqlite:{}", file.display());
    assert_eq!(findings(&doctor(&told, &["--target", &target]), "target"), vec![]);
    let found = doctor(&untold, &["--target", &target]);
    assert_eq!(findings(&found, "target").len(), 5, "{found:#}");
    told.run(["doctor", "--target", "mysql:h"]).code(2);
}

/// It fits the terminal, and names the way on.
#[test]
fn the_text_is_readable_at_80_columns() {
    let run = Spool::recording("mysql-damaged").run(["doctor"]).code(3);
    let text = run.text();
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for word in [
        "cascades       problem",
        "next: store",
        "time           note        damaged.t.c_time",
        "1 problem",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}
