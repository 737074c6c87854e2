//! Rows that a foreign key deleted with their parent: MySQL logs them, MariaDB does not.

use super::{
    apply, spring, taken_back_by_apply, taken_back_by_sql,
    trap::{Trap, script, trap},
};
use crate::support::{Kind, assert_same_dump, fresh, source};

const FAMILY: &str = "CREATE TABLE parent (id INT PRIMARY KEY); \
    CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE); \
    INSERT INTO parent VALUES (1),(2); INSERT INTO child VALUES (1,1),(2,2),(3,1)";

/// Refused on MariaDB, and on a server that was not asked whether it logs such rows.
pub fn family() -> Trap {
    trap("family", FAMILY, "DELETE FROM parent WHERE id=1")
        .refused(&["family.child", "--allow-cascades"])
}

#[test]
fn rows_that_a_foreign_key_deleted_come_back_on_mysql() {
    let (source, copy) = (source(Kind::MySql), fresh(Kind::MySql));
    let back = trap("family", FAMILY, "DELETE FROM parent WHERE id=1");
    let (sprung, spool) = spring(&source, vec![back]);
    spool.run(["schema", "add", "--from", &source.url()]).code(0);
    copy.feed(script(&sprung, |trap| [&trap.setup, &trap.instead, &trap.since]));
    let before = copy.dump();
    taken_back_by_apply(&spool, &source, &sprung[0]);
    assert_same_dump(&source.dump(), &before, "apply on the source");
    copy.sql("DELETE FROM family.parent WHERE id=1");
    taken_back_by_sql(&spool, &copy, &sprung[0]);
    assert_same_dump(&copy.dump(), &before, "SQL on a copy");
}

#[test]
fn the_parent_alone_comes_back_when_that_is_allowed() {
    let source = source(Kind::MariaDb);
    let (sprung, spool) = spring(&source, vec![family()]);
    let words = ["not taken back", "family.child"];
    apply(&spool, &source, &sprung[0], &["--allow-cascades"]).code(3).says(&words);
    assert_eq!(source.query("SELECT id FROM family.parent"), "1\n2\n");
    assert_eq!(source.query("SELECT id FROM family.child"), "2\n");
}
