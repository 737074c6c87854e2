//! Rows that were changed after the damage.

use super::trap::{Trap, trap};

const T: &str =
    "CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT); INSERT INTO t VALUES (1,10,1),(2,20,2)";
const BARE: &str = "CREATE TABLE t (v INT, w INT); INSERT INTO t VALUES (10,1),(20,2)";
const TOUCHED: &str = "CREATE TABLE t (id INT PRIMARY KEY, v INT, at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, w INT); INSERT INTO t (id,v) VALUES (1,10),(2,20)";

pub fn list() -> Vec<Trap> {
    vec![
        trap("same_column", T, "UPDATE t SET v=0 WHERE id=1")
            .since("UPDATE t SET v=55 WHERE id=1")
            .kept("same_column.t id=1: was changed since: v is \"55\", was left at 0, would go back to 10", &["same_column.t", "v='55'"]),
        trap("other_column", T, "UPDATE t SET v=0").since("UPDATE t SET w=77 WHERE id=1"),
        trap("set_back_by_hand", T, "UPDATE t SET v=0 WHERE id=1")
            .since("UPDATE t SET v=10 WHERE id=1")
            .kept("was changed since: v is \"10\"", &["set_back_by_hand.t", "v='10'"]),
        trap("deleted_since", T, "UPDATE t SET v=0 WHERE id=1")
            .since("DELETE FROM t WHERE id=1")
            .kept("deleted_since.t id=1: is missing", &["deleted_since.t", "no row with that key"]),
        trap("inserted_again_since", T, "DELETE FROM t WHERE id=1")
            .since("INSERT INTO t VALUES (1,11,1)")
            .kept("id=1: is there already: v is \"11\", 10 would come back", &["inserted_again_since.t", "v='11'"]),
        trap("inserted_again_as_it_was", T, "DELETE FROM t WHERE id=1")
            .since("INSERT INTO t VALUES (1,10,1)")
            .kept("id=1: is there already", &["inserted_again_as_it_was.t", "v='10'"]),
        trap(
            "unique_value_taken_since",
            "CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE); INSERT INTO t VALUES (1,10)",
            "DELETE FROM t",
        )
        .since("INSERT INTO t VALUES (2,10)")
        .fails(&["unique_value_taken_since.t", "10"]),
        trap("new_row_changed_since", T, "INSERT INTO t VALUES (3,30,3)")
            .since("UPDATE t SET w=9 WHERE id=3")
            .kept("id=3: was changed since: w is \"9\", was left at 3", &["new_row_changed_since.t", "w='9'"]),
        trap("new_row_deleted_since", T, "INSERT INTO t VALUES (3,30,3)")
            .since("DELETE FROM t WHERE id=3")
            .kept("id=3: is missing", &["new_row_deleted_since.t", "no row with that key"]),
        trap("key_changed_since", T, "UPDATE t SET v=0 WHERE id=1")
            .since("UPDATE t SET id=9 WHERE id=1")
            .kept("id=1: is missing", &["key_changed_since.t", "no row with that key"]),
        trap("other_rows_since", T, "DELETE FROM t WHERE id=1")
            .since("INSERT INTO t VALUES (3,3,3); UPDATE t SET v=21, w=22 WHERE id=2"),
        trap("same_column_without_a_key", BARE, "UPDATE t SET v=0 WHERE w=1")
            .since("UPDATE t SET v=55 WHERE w=1")
            .kept("too few rows like this one: v=0; w=1", &["same_column_without_a_key.t", "too few such rows"]),
        trap("other_column_without_a_key", BARE, "UPDATE t SET v=0 WHERE w=1")
            .since("UPDATE t SET w=55 WHERE w=1")
            .kept("too few rows like this one: v=0; w=1", &["other_column_without_a_key.t", "too few such rows"]),
        trap("an_equal_row_since_without_a_key", BARE, "DELETE FROM t WHERE w=1")
            .since("INSERT INTO t VALUES (10,1)"),
        trap("truncated_since", T, "INSERT INTO t VALUES (3,30,3),(4,40,4)")
            .since("TRUNCATE TABLE t")
            .kept("id=3: is missing", &["truncated_since.t", "no row with that key"]),
        trap("truncated_in_between", T, "INSERT INTO t VALUES (3,30,3); TRUNCATE TABLE t")
            .kept("id=3: is missing", &["truncated_in_between.t", "no row with that key"]),
        trap(
            "time_of_the_last_change",
            TOUCHED,
            "SET timestamp=1700000100; UPDATE t SET v=0 WHERE id=1; DELETE FROM t WHERE id=2; SET timestamp=1700000000",
        ),
        trap(
            "time_of_a_later_change",
            TOUCHED,
            "SET timestamp=1700000100; UPDATE t SET v=0; SET timestamp=1700000000",
        )
        .since("SET timestamp=1700000200; UPDATE t SET w=1 WHERE id=1"),
    ]
}
