//! 50,000 rows of 19 MB in one transaction, on a server that takes packets of 16 MB: more than one statement can hold.

use super::{
    Odd, spring, taken_back_by_apply, taken_back_by_sql,
    trap::{script, trap},
};
use crate::support::{Fresh, Kind, fresh, source};

const ROWS: &str = "50000";

/// The rows are not in the binlog, only that they are deleted.
const FILL: &str = "CREATE TABLE t (id INT PRIMARY KEY, a CHAR(32), b VARCHAR(411), c DECIMAL(9,2)); \
    CREATE TABLE d (n INT); SET sql_log_bin=0; INSERT INTO d VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9); \
    INSERT INTO t SELECT d.n*10000 + a.n*1000 + b.n*100 + c.n*10 + f.n, LEFT(SHA2(d.n, 256), 32), \
    REPEAT('x', 330 + a.n*b.n), b.n/4 FROM d a, d b, d c, d f, d WHERE d.n<5; SET sql_log_bin=1";

fn rows(server: &Fresh) -> String {
    server.query("SELECT COUNT(*), SUM(CRC32(CONCAT_WS(',', id, a, b, c))) FROM large.t")
}

fn come_back(kind: Kind) {
    let (source, copy) = (source(kind), fresh(kind));
    let (sprung, spool) = spring(&source, vec![trap("large", FILL, "DELETE FROM t")]);
    copy.feed(script(&sprung, |trap| [&trap.setup, &trap.instead, &trap.since]));
    let _odd = Odd::set(&copy);
    let before = rows(&copy);
    assert!(before.starts_with(ROWS), "{before}");
    for undo in [taken_back_by_sql, taken_back_by_apply] {
        copy.sql("DELETE FROM large.t");
        undo(&spool, &copy, &sprung[0]);
        assert_eq!(rows(&copy), before);
    }
}

#[test]
fn many_rows_come_back_on_mariadb() {
    come_back(Kind::MariaDb);
}

#[test]
fn many_rows_come_back_on_mysql() {
    come_back(Kind::MySql);
}
