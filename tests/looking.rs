//! The dry run of a reverse: the target's rows compared, nothing written, and what it says comes true.

use crate::flashback::culprits;
use crate::support::{Fresh, Kind, Spool, assert_same_dump, fresh, read, servers::KINDS};
use serde_json::Value;

/// The shop after the accident and everything since.
fn damaged_shop(kind: Kind) -> (Fresh, Spool, Vec<String>) {
    let name = format!("{}-incident", kind.name());
    let server = fresh(kind);
    let spool = Spool::recording(&name);
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    let args = ["--reverse".to_owned(), "--xid".to_owned(), culprits(&name).join(",")];
    (server, spool, args.to_vec())
}

fn look(spool: &Spool, server: &Fresh, args: &[String], code: i32) -> String {
    let args = [args, &["--dry-run".to_owned()]].concat();
    spool.apply(&server.url(), &args).code(code).text()
}

#[test]
fn rows_that_are_as_they_were_left_match_and_nothing_is_written() {
    for kind in KINDS {
        let (server, spool, args) = damaged_shop(kind);
        let before = server.dump();
        let told = look(&spool, &server, &args, 0);
        for line in ["shop.orders  900 row events, 900 rows: 900 match", "400 rows: 400 match"] {
            assert!(told.contains(line), "{told}");
        }
        assert!(told.contains("shop.audit_log  1 row event, 1 row: 1 match; no key"), "{told}");
        assert_same_dump(&server.dump(), &before, "after the dry run");
        let runs = server.query("SELECT name FROM binsync.progress");
        assert_eq!(runs, "apply\n", "a dry run keeps no progress");
        spool.apply(&server.url(), &args).code(0);
        assert_same_dump(
            &server.dump(),
            &read(&format!("{}-incident.repaired.sql", kind.name())),
            "the repair",
        );
        // What is done is not planned again.
        let again = [&args[..], &["--dry-run".to_owned()]].concat();
        let again = spool.apply(&server.url(), &again).code(0).says(&["nothing was left to do"]);
        assert_eq!(again.text(), "");
        let other =
            [&args[..2], &["1".to_owned(), "--name".to_owned(), "apply".to_owned()]].concat();
        let other = [&other[..], &["--dry-run".to_owned()]].concat();
        spool.apply(&server.url(), &other).code(2);
    }
}

#[test]
fn what_an_interrupted_undo_has_done_is_not_planned_again() {
    let (server, spool, args) = damaged_shop(Kind::MariaDb);
    spool.apply(&server.url(), &args).code(0);
    // As if it had ended between the two transactions: the later one is undone, the earlier one not yet.
    let orders = spool.run(["log", "--json", "--xid", &culprits("mariadb-incident")[0]]).ok();
    let orders: Value = serde_json::from_str(orders.lines().next().unwrap()).unwrap();
    let behind = orders["last_seq"].as_u64().unwrap() + 1;
    server.sql(&format!(
        "DELETE FROM shop.orders WHERE id<=900; UPDATE binsync.progress SET seq={behind} WHERE name LIKE 'undo%'"
    ));
    let told = look(&spool, &server, &args, 0);
    assert!(told.contains("shop.orders  900 row events, 900 rows: 900 match"), "{told}");
    assert!(!told.contains("shop.customers"), "{told}");
}

#[test]
fn rows_changed_missing_or_there_already_are_shown_with_both_versions() {
    for kind in KINDS {
        let (server, spool, args) = damaged_shop(kind);
        let gone = server.query("SELECT MIN(id) FROM shop.customers WHERE balance=0");
        let gone = gone.trim();
        server.sql(&format!(
            "SET foreign_key_checks=0; UPDATE shop.customers SET balance=12.5 WHERE id=33; \
             DELETE FROM shop.customers WHERE id={gone}; \
             UPDATE shop.customers SET name='kept' WHERE id=34; \
             CREATE TEMPORARY TABLE shop.one SELECT * FROM shop.orders LIMIT 1; \
             UPDATE shop.one SET id=900; INSERT INTO shop.orders SELECT * FROM shop.one"
        ));
        let before = server.dump();
        let told = look(&spool, &server, &args, 3);
        let wanted = [
            "400 rows: 398 match, 1 changed since, 1 missing".to_owned(),
            "900 rows: 899 match, 1 there already".to_owned(),
            "shop.customers id=33: was changed since: balance is \"12.50\", was left at 0.00, \
             would go back to 41.25"
                .to_owned(),
            format!("shop.customers id={gone}: is missing"),
            "shop.orders id=900: is there already: customer_id is \"5\", 101 would come back"
                .to_owned(),
        ];
        for words in wanted {
            assert!(told.contains(&words), "{words} is not in\n{told}");
        }
        assert!(!told.contains("id=34"), "another column is no conflict: {told}");
        assert_same_dump(&server.dump(), &before, "after the dry run");
        let json = [&args[..], &["--json".to_owned()]].concat();
        let lines = look(&spool, &server, &json, 3);
        let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let table = lines.iter().find(|l| l["table"] == "shop.customers" && l["match"] == 398);
        assert_eq!(table.unwrap()["changed"], 1);
        let conflict = lines.iter().find(|l| l["key"]["id"] == 33).unwrap();
        assert_eq!(
            (conflict["target"]["balance"].as_str(), &conflict["act"]),
            (Some("12.50"), &"update".into())
        );
        // What it said comes true.
        let skip = [&args[..], &["--on-conflict".to_owned(), "skip".to_owned()]].concat();
        let done = spool.apply(&server.url(), &skip).code(3);
        done.says(&["3 conflicts"]);
    }
}

#[test]
fn a_row_changed_by_others_in_between_is_compared_once() {
    let server = fresh(Kind::MariaDb);
    let event = |n: u32, kind: &str, xid: u32, data: &str, old: &str| {
        let old = if old.is_empty() { String::new() } else { format!(r#","old":{old}"#) };
        format!(
            r#"{{"database":"d","table":"t","type":"{kind}","ts":{n},"xid":{xid},"commit":true,"position":"bin.000001:{n}00","data":{data}{old}}}"#
        )
    };
    let create = r#"{"type":"table-create","database":"d","table":"t","def":{"database":"d","table":"t","charset":"utf8mb4","columns":[{"type":"int","name":"id","signed":true},{"type":"int","name":"a","signed":true},{"type":"int","name":"b","signed":true}],"primary-key":["id"]},"ts":1000,"sql":"CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)","position":"bin.000001:50"}"#;
    let lines = [
        create.to_owned(),
        event(1, "insert", 1, r#"{"id":1,"a":1,"b":1}"#, ""),
        event(2, "update", 7, r#"{"id":1,"a":2,"b":1}"#, r#"{"a":1}"#),
        event(3, "update", 8, r#"{"id":1,"a":2,"b":5}"#, r#"{"b":1}"#),
        event(4, "update", 7, r#"{"id":1,"a":3,"b":5}"#, r#"{"a":2}"#),
    ];
    let dir = crate::support::temp_dir();
    let file = crate::support::write(&dir, "s.jsonl", lines.join("\n"));
    let spool = Spool::of(&file);
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, a INT, b INT); INSERT INTO d.t VALUES (1,3,5)");
    let args = ["--reverse", "--where", "id=1", "--changed", "a", "--dry-run"];
    let told = spool.apply(&server.url(), args).code(0).text();
    assert!(told.contains("d.t  2 row events, 1 row: 1 match"), "{told}");
    server.sql("UPDATE d.t SET a=4");
    let told = spool.apply(&server.url(), args).code(3).text();
    assert!(told.contains("a is \"4\", was left at 3"), "{told}");
}

/// A row leaves, and one comes back whose key the collation takes for the same; the other columns of
/// the key arrive otherwise than a server prints them.
#[test]
fn a_row_that_leaves_is_in_nobodys_way_whatever_its_key_is_made_of() {
    let event = |n: u32, kind: &str, l: &str, v: u32| {
        format!(
            r#"{{"database":"d","table":"t","type":"{kind}","ts":{n},"xid":{xid},{place},"position":"bin.000001:{n}00","data":{{"k":"AAE=","m":["a","b"],"b":1,"l":"{l}","v":{v}}}}}"#,
            xid = n.min(2),
            place = if n == 2 { r#""xoffset":0"# } else { r#""commit":true"# }
        )
    };
    let sql = "CREATE TABLE d.t (k VARBINARY(9), m SET('a','b'), b BIT(3), l VARCHAR(9), v INT, PRIMARY KEY (k, m, b, l)) CHARSET=utf8mb4";
    let create = format!(
        r#"{{"type":"table-create","database":"d","table":"t","def":{{"database":"d","table":"t","charset":"utf8mb4","columns":[{{"type":"varbinary","name":"k"}},{{"type":"set","name":"m","set-values":["a","b"]}},{{"type":"bit","name":"b"}},{{"type":"varchar","name":"l","charset":"utf8mb4"}},{{"type":"int","name":"v","signed":true}}],"primary-key":["k","m","b","l"]}},"ts":1000,"sql":"{sql}","position":"bin.000001:50"}}"#
    );
    let lines = [
        create,
        event(1, "insert", r"s\ts", 1),
        event(2, "delete", r"s\ts", 1),
        event(3, "insert", r"S\tS", 2),
    ];
    let dir = crate::support::temp_dir();
    let spool = Spool::of(&crate::support::write(&dir, "s.jsonl", lines.join("\n")));
    for kind in KINDS {
        let server = fresh(kind);
        server.sql(&format!(
            "CREATE DATABASE d; {sql}; INSERT INTO d.t VALUES (X'0001', 'a,b', 1, 'S\\tS', 2)"
        ));
        let args = ["--reverse".to_owned(), "--xid".to_owned(), "2".to_owned()];
        let told = look(&spool, &server, &args, 0);
        assert!(told.contains("d.t  2 row events, 2 rows: 2 match"), "{told}");
        spool.apply(&server.url(), &args).code(0);
        assert_eq!(server.query("SELECT HEX(l), v FROM d.t").trim(), "730973\t1");
    }
}

#[test]
fn an_sqlite_file_is_compared_too() {
    let spool = Spool::recording("mariadb-incident");
    let dir = crate::support::temp_dir();
    let file = dir.path().join("shop.db");
    let url = format!("sqlite:{}", file.display());
    spool.apply(&url, [] as [&str; 0]).code(0);
    let xids = culprits("mariadb-incident").join(",");
    let args = ["--reverse", "--xid", &xids, "--dry-run"];
    let told = spool.apply(&url, args).code(0).text();
    assert!(told.contains("shop.customers  400 row events, 400 rows: 400 match"), "{told}");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute("UPDATE \"shop.customers\" SET balance='7.00' WHERE id=33", ()).unwrap();
    let told = spool.apply(&url, args).code(3).text();
    assert!(told.contains("balance is \"7.00\", was left at 0.00"), "{told}");
}
