//! Changes inside of JSON values (MySQL's `binlog_row_value_options=PARTIAL_JSON`).

use super::{FULL, USUAL, begun, current, imported};
use crate::support::{Kind, Spool, assert_same_dump, fresh};
use std::fs;

const PARTIAL: &str = "SET binlog_row_value_options=PARTIAL_JSON;";

const BEFORE: &str = r#"CREATE DATABASE p; USE p;
CREATE TABLE t (id INT PRIMARY KEY, a JSON, n INT, b JSON, c JSON);
INSERT INTO t SELECT n, JSON_OBJECT('a', JSON_ARRAY(1, 2.5, CAST(1.5 AS DECIMAL(10,1)), JSON_OBJECT('deep', REPEAT('x', 200))),
    'é', 'ü', 'k', NULL, 'x y"\\', 1e100, 'at', CAST('2024-02-29 12:34:56.789' AS DATETIME(6))), n,
    '{"id": 1, "tag": "keep"}', 'null' FROM (SELECT 1 n UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) x;"#;

const AFTER: &str = r#"USE p;
UPDATE t SET a=JSON_SET(a, '$.a[0]', 7, '$.new', 'z', '$."x y\\"\\\\"', NULL) WHERE id<3;
UPDATE t SET a=JSON_REMOVE(a, '$.a[1]', '$.k'), n=n+1, b=JSON_SET(b, '$.tag', 'other');
UPDATE t SET a=JSON_ARRAY_INSERT(a, '$.a[0]', JSON_OBJECT('in', 1)), c=JSON_SET('{}', '$.q', 1) WHERE id=2;
UPDATE t SET a=JSON_ARRAY_APPEND(a, '$.a', TRUE), b=NULL WHERE id=3;
UPDATE t SET a=JSON_REPLACE(a, '$.a[2].deep', 'short', '$.at', 5), b=JSON_SET('{"$json": null}', '$.x', 1) WHERE id=1;
UPDATE t SET b=JSON_REMOVE(b, '$.x') WHERE id=1; UPDATE t SET c=JSON_SET(c, '$', 'root'), n=0 WHERE id=4;
UPDATE t SET a=JSON_SET(a, '$.é', '日本', '$.bb', 1, '$.aaa', 2, '$.c', 3); UPDATE t SET n=n+1;"#;

/// How many events of a kind a log has.
fn count(log: &[u8], kind: u8) -> usize {
    let (mut at, mut found) = (4, 0);
    while at + 19 <= log.len() {
        found += usize::from(log[at + 4] == kind);
        at += u32::from_le_bytes(log[at + 9..at + 13].try_into().unwrap()) as usize;
    }
    found
}

#[test]
fn changes_inside_of_json_come_to_the_values_of_the_source() {
    let server = begun(Kind::MySql, FULL);
    let file = current(&server);
    server.feed(BEFORE);
    let before = server.dump();
    server.sql("FLUSH BINARY LOGS");
    let later = current(&server);
    server.feed(format!("{PARTIAL} {AFTER}"));
    let after = server.dump();
    let spool = imported(&server, &file);
    let path = server.data_dir().join(&later);
    assert!(count(&fs::read(&path).unwrap(), 39) >= 6);
    spool.run(["import", path.to_str().unwrap()]).code(0);
    server.sql("FLUSH BINARY LOGS");
    let file = current(&server);
    server.feed(format!(
        "{PARTIAL} SET binlog_row_image=MINIMAL; UPDATE p.t SET a=JSON_SET(a, '$.a[0]', 8)"
    ));
    let lacking = Spool::new();
    let path = server.data_dir().join(&file);
    lacking.run(["import", path.to_str().unwrap()]).code(3).says(&["that is not in the log"]);
    server.sql(USUAL[Kind::MySql as usize]);
    drop(server);
    let target = fresh(Kind::MySql);
    spool.apply(&target.url(), ["--name", "all"]).code(0);
    assert_same_dump(&target.dump(), &after, "applied");
    let place = format!("{later}:4..");
    spool.apply(&target.url(), ["--reverse", "--position", &place]).code(0);
    assert_same_dump(&target.dump(), &before, "taken back");
    lacking.run(["log"]).code(3).says(&["1 damaged message"]);
}
