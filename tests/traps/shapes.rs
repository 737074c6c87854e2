//! Tables and statements in which one row is easily taken for another.

use super::trap::{Trap, trap};

const ODD: &str = "CREATE TABLE `o``dd\n'\"%s` (`a``b` INT, `c d` VARCHAR(9), `;--` INT, `x.y` INT, `ü\nnï` INT, \
    `select` INT, PRIMARY KEY (`a``b`, `;--`)); INSERT INTO `o``dd\n'\"%s` VALUES (1,'x',1,1,1,1),(2,'y',2,2,2,2)";

pub fn list() -> Vec<Trap> {
    let duplicates = "CREATE TABLE t (a INT, b TEXT); INSERT INTO t VALUES (1,'x'),(1,'x'),(1,'x'),(1,'X'),(2,NULL),(2,NULL)";
    let unique = "CREATE TABLE t (id INT PRIMARY KEY, u INT UNIQUE, v INT); INSERT INTO t VALUES (1,10,1),(2,20,2),(3,30,3)";
    vec![
        trap("one_of_equal_rows_deleted", duplicates, "DELETE FROM t WHERE a=1 LIMIT 1; DELETE FROM t WHERE b IS NULL LIMIT 1"),
        trap("some_of_equal_rows_updated", duplicates, "UPDATE t SET a=5 WHERE a=1 LIMIT 2; UPDATE t SET b='n' WHERE a=2 LIMIT 1"),
        trap("many_equal_rows_added", duplicates, "INSERT INTO t SELECT t.* FROM t, t u; INSERT INTO t VALUES (3,NULL),(3,NULL),(3,NULL),(4,'')"),
        trap(
            "several_nulls_in_a_unique_key",
            "CREATE TABLE t (u INT UNIQUE, v INT); INSERT INTO t VALUES (NULL,1),(NULL,1),(NULL,2),(NULL,3),(5,5),(6,6)",
            "DELETE FROM t WHERE v=1 LIMIT 1; UPDATE t SET v=9 WHERE v=2; UPDATE t SET u=NULL WHERE u=5; UPDATE t SET u=7 WHERE v=3; DELETE FROM t WHERE u=6",
        ),
        trap("changed_key", unique, "UPDATE t SET id=id+100, v=v+1"),
        trap("keys_that_move_up", unique, "UPDATE t SET id=id+1 ORDER BY id DESC"),
        trap("changed_composite_key", "CREATE TABLE t (a INT, b VARCHAR(9), v INT, PRIMARY KEY (b,a)); INSERT INTO t VALUES (1,'x',1),(2,'x',2)", "UPDATE t SET a=a+1, b='X' ORDER BY a DESC"),
        trap("another_case_of_the_same_key", "CREATE TABLE t (k VARCHAR(9) PRIMARY KEY, v INT); INSERT INTO t VALUES ('a',1),('b ',2)", "UPDATE t SET k='A', v=2 WHERE k='a'; UPDATE t SET k='b' WHERE v=2 AND k='b '"),
        trap("unique_values_swapped", unique, "BEGIN; UPDATE t SET u=-1 WHERE id=1; UPDATE t SET u=10 WHERE id=2; UPDATE t SET u=20 WHERE id=1; COMMIT"),
        trap("replaced", unique, "REPLACE INTO t VALUES (1,30,9); REPLACE INTO t VALUES (2,20,NULL)"),
        trap("inserted_or_updated", unique, "INSERT INTO t VALUES (1,11,0),(4,30,0),(5,50,5) ON DUPLICATE KEY UPDATE v=v+100, u=u+1"),
        trap("updated_twice_in_one_transaction", unique, "BEGIN; UPDATE t SET v=v+1; UPDATE t SET v=v*2, u=NULL; INSERT INTO t VALUES (4,4,4); UPDATE t SET v=0 WHERE id=4; DELETE FROM t WHERE id<>3; COMMIT"),
        trap("deleted_and_inserted_again", unique, "BEGIN; DELETE FROM t; INSERT INTO t VALUES (1,20,5),(2,10,5); COMMIT; UPDATE t SET v=NULL"),
        trap("nulls", "CREATE TABLE t (id INT PRIMARY KEY, a INT, b TEXT, c DATETIME); INSERT INTO t VALUES (1,NULL,NULL,NULL),(2,1,'',NULL)", "UPDATE t SET a=0, b='' WHERE id=1; UPDATE t SET a=NULL, b=NULL WHERE id=2; DELETE FROM t WHERE id=1"),
        trap(
            "generated_columns",
            "CREATE TABLE t (id INT PRIMARY KEY, a INT, v INT AS (a*2) VIRTUAL, s INT AS (a+1) STORED, b INT); CREATE TABLE bare (a INT, v INT AS (a*2) VIRTUAL, s INT AS (a+1) STORED); \
             INSERT INTO t (id,a,b) VALUES (1,1,1),(2,2,2); INSERT INTO bare (a) VALUES (1),(1),(NULL)",
            "UPDATE t SET a=9 WHERE id=2; DELETE FROM t WHERE id=1; UPDATE bare SET a=2 WHERE a=1 LIMIT 1; DELETE FROM bare WHERE a IS NULL; INSERT INTO bare (a) VALUES (8)",
        ),
        trap("unique_generated_column", "CREATE TABLE t (id INT PRIMARY KEY, a INT, s INT AS (a+1) STORED UNIQUE); INSERT INTO t (id,a) VALUES (1,1),(2,2)", "BEGIN; UPDATE t SET a=0 WHERE id=1; UPDATE t SET a=1 WHERE id=2; UPDATE t SET a=2 WHERE id=1; COMMIT"),
        trap("odd_identifiers", ODD, "DELETE FROM `o``dd\n'\"%s` WHERE `;--`=1; UPDATE `o``dd\n'\"%s` SET `c d`='z', `x.y`=NULL, `select`=0"),
        trap("odd_identifiers_without_a_key", &ODD.replace(", PRIMARY KEY (`a``b`, `;--`)", ""), "DELETE FROM `o``dd\n'\"%s` WHERE `;--`=1; UPDATE `o``dd\n'\"%s` SET `c d`='z', `x.y`=NULL, `select`=0"),
        trap("two_tables_in_one_statement", TWO, "DELETE t, u FROM t JOIN u ON t.id=u.id WHERE t.id>1"),
        trap("one_of_two_tables_in_one_statement", TWO, "DELETE t, u FROM t JOIN u ON t.id=u.id WHERE t.id>1; UPDATE t JOIN u ON t.id=u.id SET t.v=7, u.v=7")
            .select(&["--table", "*.t"])
            .instead("DELETE FROM u WHERE id>1; UPDATE u SET v=7"),
        trap("minimal_images_of_an_update", unique, "SET SESSION binlog_row_image=MINIMAL; UPDATE t SET v=0; SET SESSION binlog_row_image=FULL").refused(&["minimal_images_of_an_update.t", "binlog_row_image=FULL"]),
        trap("minimal_images_of_a_delete", unique, "SET SESSION binlog_row_image=MINIMAL; DELETE FROM t WHERE id=1; SET SESSION binlog_row_image=FULL").refused(&["minimal_images_of_a_delete.t", "binlog_row_image=FULL"]),
        trap("images_without_blobs", "CREATE TABLE t (id INT PRIMARY KEY, v INT, b BLOB); INSERT INTO t VALUES (1,1,X'00')", "SET SESSION binlog_row_image=NOBLOB; DELETE FROM t; SET SESSION binlog_row_image=FULL").refused(&["images_without_blobs.t", "binlog_row_image=FULL"]),
        super::cascades::family(),
        trap("zero_in_an_auto_increment_key", "SET sql_mode='NO_AUTO_VALUE_ON_ZERO'; CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT); INSERT INTO t VALUES (0,1),(1,2); SET sql_mode=''", "UPDATE t SET v=9; DELETE FROM t WHERE id=0"),
        trap("parent_and_child", "CREATE TABLE p (id INT PRIMARY KEY); CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id)); INSERT INTO p VALUES (1),(2); INSERT INTO c VALUES (1,1),(2,2)", "BEGIN; DELETE FROM c; DELETE FROM p WHERE id=1; COMMIT; INSERT INTO p VALUES (3); UPDATE p SET id=4 WHERE id=3; INSERT INTO c VALUES (4,4)"),
        trap("parent_in_the_same_table", "CREATE TABLE t (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES t (id)); INSERT INTO t VALUES (9,NULL); INSERT INTO t VALUES (5,9); INSERT INTO t VALUES (1,5)", "DELETE FROM t WHERE id=1; BEGIN; DELETE FROM t WHERE id=5; DELETE FROM t; COMMIT"),
        trap("only_truncated", "CREATE TABLE t (id INT); INSERT INTO t VALUES (1)", "TRUNCATE TABLE t").nothing(),
    ]
}

const TWO: &str = "CREATE TABLE t (id INT PRIMARY KEY, v INT); CREATE TABLE u (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1,1),(2,2),(3,3); INSERT INTO u VALUES (1,1),(2,2),(3,3)";
