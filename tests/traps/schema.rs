//! Definitions that were changed after the damage, or in its middle.

use super::trap::{Trap, trap};

const T: &str = "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9), b INT); CREATE TABLE u (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1,'one',10),(2,'two',20),(3,'three',300); INSERT INTO u VALUES (1,1)";
const DAMAGE: &str = "UPDATE t SET a='gone', b=NULL WHERE id=2; DELETE FROM t WHERE id<>2";
const BOTH: &str = "DELETE FROM t; DELETE FROM u";

pub fn list() -> Vec<Trap> {
    let later = |name, since| trap(name, T, DAMAGE).since(since);
    let between = |name, sql: &str| trap(name, T, &format!("DELETE FROM t WHERE id=1; {sql}"));
    vec![
        later("column_added_in_the_middle", "ALTER TABLE t ADD c INT NOT NULL DEFAULT 5 AFTER id"),
        later("column_added_first", "ALTER TABLE t ADD c VARCHAR(9) DEFAULT 'x' FIRST"),
        later("generated_column_added", "ALTER TABLE t ADD c INT AS (b*2) VIRTUAL AFTER id"),
        later("invisible_column_added", "ALTER TABLE t ADD c INT DEFAULT 5 INVISIBLE"),
        later("required_column_added", "ALTER TABLE t ADD c INT NOT NULL AFTER id").unfit(&["required_column_added.t", "\"c\"", "default"]),
        later("columns_moved", "ALTER TABLE t MODIFY b INT FIRST"),
        later("column_dropped", "ALTER TABLE t DROP b").unfit(&["column_dropped.t", "\"b\"", "--drop-column"]),
        later("column_dropped_and_left_out", "ALTER TABLE t DROP b").apply(&["--drop-column", "b"]),
        later("column_renamed", "ALTER TABLE t CHANGE b c INT").unfit(&["column_renamed.t", "\"b\"", "--map"]),
        later("column_renamed_and_mapped", "ALTER TABLE t CHANGE b c INT").apply(&["--map", "b=c"]),
        later("column_widened", "ALTER TABLE t MODIFY b BIGINT, MODIFY a VARCHAR(200)"),
        later("column_narrowed", "ALTER TABLE t MODIFY b TINYINT").unfit(&["column_narrowed.t", "\"b\"", "tinyint"]),
        later("column_shortened", "ALTER TABLE t MODIFY a VARCHAR(4)").fails(&["column_shortened.t"]),
        later("column_made_text_of_another_character_set", "ALTER TABLE t MODIFY a VARCHAR(9) CHARACTER SET latin1"),
        later("key_dropped", "ALTER TABLE t DROP PRIMARY KEY"),
        later("another_key", "ALTER TABLE t DROP PRIMARY KEY, ADD UNIQUE (b)"),
        later("table_dropped", "DROP TABLE t").unfit(&["table_dropped.t"]),
        later("table_renamed", "RENAME TABLE t TO t2").unfit(&["table_renamed.t", "--rename"]),
        later("table_renamed_and_found", "RENAME TABLE t TO t2").apply(&["--rename", "table_renamed_and_found.t=table_renamed_and_found.t2"]),
        trap("other_table_dropped", T, BOTH).since("DROP TABLE u").unfit(&["other_table_dropped.u"]),
        trap("other_table_dropped_and_not_wanted", T, BOTH).since("DROP TABLE u").select(&["--table", "*.t"]),
        between("altered_in_between", "ALTER TABLE t ADD c INT; DELETE FROM t WHERE id=2").refused(&["altered_in_between.t", "ALTER TABLE t ADD c INT", "--allow-ddl"]),
        between("renamed_in_between", "RENAME TABLE t TO t2; DELETE FROM t2 WHERE id=2").refused(&["renamed_in_between.t", "RENAME TABLE", "--allow-ddl"]),
        between("dropped_at_the_end", "DROP TABLE t").refused(&["dropped_at_the_end.t", "DROP TABLE", "--allow-ddl"]),
        between("dropped_and_made_again", "DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (2); DELETE FROM t").refused(&["dropped_and_made_again.t", "DROP TABLE", "--allow-ddl"]),
        trap("another_table_altered_in_between", T, "DELETE FROM t WHERE id=1; ALTER TABLE u ADD c INT; DELETE FROM t WHERE id=2").instead("ALTER TABLE u ADD c INT").select(&["--table", "*.t"]),
    ]
}
