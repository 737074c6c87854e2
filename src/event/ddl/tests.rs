//! Which statements are run, and with which text.

use super::super::TableName;
use super::super::def::TableDef;
use super::*;
use crate::error::Means;

fn def(name: &str) -> TableDef {
    let (database, table) = name.split_once('.').expect("a database and a table");
    TableDef {
        database: database.into(),
        table: table.into(),
        columns: Vec::new(),
        primary_key: Vec::new(),
        charset: None,
        complete: true,
    }
}

/// `tables` of the messages; `a.b>c.d` where one goes by another name afterwards.
fn told(op: Op, tables: &str, sql: &str) -> Told {
    let mut told = Told {
        seq: 7,
        sql: sql.into(),
        op,
        ts_ms: 0,
        charset: Some("latin1".into()),
        tables: Vec::new(),
        before: Vec::new(),
        after: Vec::new(),
    };
    for one in tables.split(", ") {
        let (before, after) = one.split_once('>').unwrap_or((one, one));
        let (database, table) = before.split_once('.').unwrap_or((before, ""));
        told.tables.push(TableName::new(database, table));
        if op == Op::TableAlter {
            told.before.push(def(before));
        }
        if matches!(op, Op::TableAlter | Op::TableCreate) {
            told.after.push(def(after));
        }
    }
    told
}

fn text(op: Op, tables: &str, sql: &str) -> String {
    match Statement::checked(told(op, tables, sql), None) {
        Ok(statement) => statement.text().to_owned(),
        Err(e) => panic!("{sql}: {e}"),
    }
}

#[test]
fn a_statement_is_written_with_other_names_and_says_the_same() {
    let there = |name: &TableName| match &*name.database {
        "crm" => TableName::new("crm`0", &*name.table),
        _ => name.clone(),
    };
    for (op, tables, sql, wanted) in [
        (
            Op::TableCreate,
            "crm.t",
            "CREATE TABLE IF NOT EXISTS t (id INT, crm INT COMMENT 'crm.t', FOREIGN KEY (id) REFERENCES p (id))",
            "CREATE TABLE IF NOT EXISTS `crm``0`.`t` (id INT, crm INT COMMENT 'crm.t', FOREIGN KEY (id) REFERENCES `crm``0`.`p` (id))",
        ),
        (
            Op::TableCreate,
            "crm.t",
            "CREATE TABLE t LIKE log.u",
            "CREATE TABLE `crm``0`.`t` LIKE `log`.`u`",
        ),
        (
            Op::TableAlter,
            "crm.t",
            "ALTER TABLE /* x */ crm.t ADD COLUMN `t` INT DEFAULT 5",
            "ALTER TABLE `crm``0`.`t` ADD COLUMN `t` INT DEFAULT 5",
        ),
        (
            Op::TableAlter,
            "crm.t>crm.u",
            "ALTER TABLE t RENAME u",
            "ALTER TABLE `crm``0`.`t` RENAME  TO `crm``0`.`u`",
        ),
        (
            Op::TableAlter,
            "crm.t>log.t, crm.u>crm.t",
            "RENAME TABLE t TO log.t, u TO t",
            "RENAME TABLE `crm``0`.`t` TO `log`.`t`, `crm``0`.`u` TO `crm``0`.`t`",
        ),
        (Op::TableAlter, "crm.t", "TRUNCATE TABLE t", "TRUNCATE TABLE `crm``0`.`t`"),
        (Op::TableDrop, "crm.t, crm.u", "DROP TABLE t, u", "DROP TABLE `crm``0`.`t`, `crm``0`.`u`"),
        (
            Op::DatabaseCreate,
            "crm",
            "CREATE DATABASE crm",
            "CREATE DATABASE `crm``0` CHARACTER SET latin1",
        ),
    ] {
        let told = told(op, tables, sql);
        let renamed =
            Statement::renamed(&told, None, &there).unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!(renamed.text(), wanted, "{sql}");
        assert_eq!(renamed.told().tables[0].database, "crm`0");
        let plain = Statement::renamed(&told, None, &TableName::clone).expect("the same names");
        let checked = Statement::checked(told, None).expect("a statement");
        assert_eq!(plain.text(), checked.text());
    }
    let other = told(Op::TableAlter, "crm.t", "ALTER TABLE u ADD c INT");
    assert!(Statement::renamed(&other, None, &there).is_err(), "another table than its message");
}

#[track_caller]
fn refuses(op: Op, tables: &str, sql: &str) -> String {
    match Statement::checked(told(op, tables, sql), None) {
        Ok(statement) => panic!("{sql} became {}", statement.text()),
        Err(e) => {
            assert!(e.next_step().is_some(), "{e}");
            e.words().worded(|means| match means {
                Means::SchemaAdd => "schema add".to_owned(),
                other => format!("{other:?}"),
            })
        }
    }
}

use Op::{DatabaseAlter, DatabaseCreate, DatabaseDrop, TableAlter, TableCreate, TableDrop};

#[test]
fn every_table_gets_its_database_and_comments_go() {
    for (op, tables, sql, wanted) in [
        (
            TableCreate,
            "d.t",
            "create table t (id int primary key) -- c",
            "create table `d`.`t` (id int primary key)",
        ),
        (
            TableCreate,
            "d.t",
            "CREATE TABLE IF NOT EXISTS `d`.`t`(a INT)/*!50100 PARTITION BY HASH (a) */;",
            "CREATE TABLE IF NOT EXISTS `d`.`t`(a INT) PARTITION BY HASH (a)",
        ),
        (
            TableCreate,
            "d.t",
            "CREATE TABLE t (a INT) START TRANSACTION",
            "CREATE TABLE `d`.`t` (a INT)",
        ),
        (
            TableCreate,
            "d.t",
            "CREATE OR REPLACE TABLE t LIKE s",
            "CREATE OR REPLACE TABLE `d`.`t` LIKE `d`.`s`",
        ),
        (TableCreate, "e.t", "CREATE TABLE e.t (LIKE d.s)", "CREATE TABLE `e`.`t` (LIKE `d`.`s`)"),
        (
            TableCreate,
            "d.t",
            "CREATE TABLE d.t (a INT, b INT AS (a * 2) STORED, FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE)",
            "CREATE TABLE `d`.`t` (a INT, b INT AS (a * 2) STORED, FOREIGN KEY (a) REFERENCES `d`.`p` (id) ON DELETE CASCADE)",
        ),
        (
            TableCreate,
            "d.t",
            "CREATE TABLE \"t\" (\"a\" INT DEFAULT 'x')",
            "CREATE TABLE `d`.`t` (`a` INT DEFAULT 'x')",
        ),
        (
            TableCreate,
            "d.t",
            "CREATE TABLE t (a INT)\nCOMMENT='x\ny'\nENGINE = InnoDB",
            "CREATE TABLE `d`.`t` (a INT) COMMENT='x\\ny' ENGINE = InnoDB",
        ),
        (
            TableAlter,
            "d.t",
            "ALTER TABLE t ADD COLUMN c INT AS (b*2) AFTER b, RENAME COLUMN x TO y",
            "ALTER TABLE `d`.`t` ADD COLUMN c INT AS (b*2) AFTER b, RENAME COLUMN x TO y",
        ),
        (
            TableAlter,
            "d.t>e.u",
            "ALTER TABLE t RENAME e.u",
            "ALTER TABLE `d`.`t` RENAME  TO `e`.`u`",
        ),
        (
            TableAlter,
            "d.t>d.u",
            "ALTER TABLE t RENAME AS u, ADD c INT",
            "ALTER TABLE `d`.`t` RENAME  TO `d`.`u`, ADD c INT",
        ),
        (
            TableAlter,
            "d.p",
            "ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE n WITHOUT VALIDATION",
            "ALTER TABLE `d`.`p` EXCHANGE PARTITION p0 WITH TABLE `d`.`n` WITHOUT VALIDATION",
        ),
        (
            TableAlter,
            "d.a>d.s, d.b>d.a, d.s>d.b",
            "RENAME TABLE a TO s, b TO a, s TO b",
            "RENAME TABLE `d`.`a` TO `d`.`s`, `d`.`b` TO `d`.`a`, `d`.`s` TO `d`.`b`",
        ),
        (TableAlter, "e.x>d.y", "rename table e.x to y", "RENAME TABLE `e`.`x` TO `d`.`y`"),
        (
            TableDrop,
            "e.a, d.b",
            "DROP TABLE `e`.`a`,`b` /* generated by server */",
            "DROP TABLE `e`.`a`, `d`.`b`",
        ),
        (TableDrop, "d.b", "DROP TABLE IF EXISTS a, b", "DROP TABLE IF EXISTS `d`.`b`"),
        (
            DatabaseCreate,
            "d",
            "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 */ /*!80016 DEFAULT ENCRYPTION='N' */",
            "CREATE DATABASE IF NOT EXISTS `d` CHARACTER SET utf8mb4",
        ),
        (DatabaseCreate, "d", "create schema d", "CREATE DATABASE `d` CHARACTER SET latin1"),
        (
            DatabaseAlter,
            "d",
            "ALTER DATABASE COLLATE = latin1_bin",
            "ALTER DATABASE `d` COLLATE latin1_bin",
        ),
        (DatabaseDrop, "d", "DROP DATABASE IF EXISTS d", "DROP DATABASE IF EXISTS `d`"),
    ] {
        assert_eq!(text(op, tables, sql), wanted, "{sql}");
    }
}

#[test]
fn what_is_not_what_the_messages_say_is_refused() {
    for (op, tables, sql) in [
        (TableCreate, "d.t", "CREATE TABLE t (a INT); DELETE FROM victim.v"),
        (TableCreate, "d.t", "DROP TABLE t"),
        (TableCreate, "d.t", "CREATE TABLE victim.v (a INT)"),
        (TableCreate, "d.t", "CREATE TABLE t AS SELECT * FROM mysql.user"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) SELECT 1"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) AS TABLE mysql.user"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) TABLE mysql.user"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) VALUES ROW(1)"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) WITH x AS (SELECT 1) SELECT 1"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) /*! AS SELECT * FROM mysql.user */"),
        (
            TableCreate,
            "d.t",
            "CREATE TABLE t (a INT) /*M!100100 AS SELECT * FROM mysql.global_priv */",
        ),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) /*!80023 INVISIBLE */"),
        (TableCreate, "d.t", "CREATE TEMPORARY TABLE t (a INT)"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT DEFAULT (@@global.x))"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) DATA DIRECTORY='/etc'"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) ENGINE=CONNECT FILE_NAME='/etc/passwd'"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) ENGINE=MERGE UNION=(mysql.user)"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) WITH SYSTEM VERSIONING"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT DEFAULT NEXT VALUE FOR s)"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT, (b INT)"),
        (TableCreate, "d.t", "CREATE TABLE t (a INT) \\! rm"),
        (TableCreate, "d.t", "CREATE TABLE d.t LIKE s"),
        (TableCreate, "d.t", "SET GLOBAL max_connections=1"),
        (TableCreate, "d.t", ""),
        (TableAlter, "d.t", "ALTER TABLE victim.v ADD c INT"),
        (TableAlter, "d.t", "ALTER TABLE t RENAME victim.v"),
        (TableAlter, "d.t>d.u", "ALTER TABLE t ADD c INT"),
        (TableAlter, "d.t", "ALTER TABLE t DISCARD TABLESPACE"),
        (TableAlter, "d.p", "ALTER TABLE d.p EXCHANGE PARTITION p0 WITH TABLE n"),
        (TableAlter, "d.p", "ALTER TABLE d.p CONVERT PARTITION p0 TO TABLE n"),
        (TableAlter, "d.a>d.b", "RENAME TABLE a TO b, c TO e"),
        (TableAlter, "d.a>d.b, d.c>d.e", "RENAME TABLE a TO b"),
        (TableAlter, "d.a>d.b", "RENAME TABLE a TO victim.v"),
        (TableDrop, "d.t", "DROP TABLE victim.v"),
        (TableDrop, "d.t, e.u", "DROP TABLE t, u"),
        (TableDrop, "d.t", "DROP DATABASE d"),
        (TableDrop, "d.t", "DROP TEMPORARY TABLE t"),
        (DatabaseCreate, "d", "DROP DATABASE d"),
        (DatabaseCreate, "d", "CREATE DATABASE victim"),
        (DatabaseCreate, "d", "CREATE DATABASE d; DROP DATABASE victim"),
        (DatabaseDrop, "d", "DROP DATABASE victim"),
        (DatabaseAlter, "d", "ALTER DATABASE victim READ ONLY = 1"),
    ] {
        refuses(op, tables, sql);
    }
}

#[test]
fn a_refusal_names_the_message_the_text_and_the_reason() {
    let said = refuses(TableDrop, "d.t", "DROP TABLE victim.v\n\u{1b}");
    for word in ["message 7", "DROP TABLE victim.v", "d.t", "control character", "next:"] {
        assert!(said.contains(word) || word == "d.t", "{said}");
    }
    assert!(!said.contains('\u{1b}'), "{said}");
    let said = refuses(TableCreate, "d.t", "CREATE TABLE t (a INT /*!80023 INVISIBLE */)");
    assert!(said.contains("80023") && said.contains("schema add"), "{said}");
}

#[test]
fn a_source_that_is_known_decides_on_conditional_comments() {
    let sql = "CREATE TABLE t (a INT /*!80023 INVISIBLE */ /*M!100100 COMPRESSED */)";
    let on = |version| {
        let server = Server::parse(version);
        let checked = Statement::checked(told(TableCreate, "d.t", sql), server);
        checked.expect(version).text().to_owned()
    };
    assert_eq!(on("8.0.36"), "CREATE TABLE `d`.`t` (a INT INVISIBLE )");
    assert_eq!(on("10.11.6-MariaDB"), "CREATE TABLE `d`.`t` (a INT COMPRESSED )");
}

#[test]
fn a_ring_of_renames_leaves_no_table_of_the_name_in_between() {
    let told = told(TableAlter, "d.a>d.s, d.b>d.a, d.s>d.b", "");
    let left = |table| told.leaves(&TableName::new("d", table)).is_some();
    assert_eq!((left("a"), left("b"), left("s")), (true, true, false));
}

#[test]
fn names_that_no_message_tells_are_told() {
    let sql = "ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE e.n";
    let statement = Statement::checked(told(TableAlter, "d.p", sql), None).expect(sql);
    let changes: Vec<String> = statement.changes().map(|name| name.to_string()).collect();
    assert_eq!(changes, ["d.p", "e.n"]);
    assert!(statement.moves_partitions());
    let sql = "CREATE TABLE t (a VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_bin) CHARSET=utf8mb4 COLLATE = x_ci";
    let statement = Statement::checked(told(TableCreate, "d.t", sql), None).expect(sql);
    assert_eq!(statement.collations(), ["latin1_bin", "x_ci"]);
    assert_eq!(statement.charsets(), ["utf8mb4", "latin1"]);
    let sql = "CREATE TABLE t (engine INT) ENGINE = Heap PARTITION BY HASH (engine) (PARTITION p ENGINE=InnoDB)";
    let statement = Statement::checked(told(TableCreate, "d.t", sql), None).expect(sql);
    assert_eq!(statement.engines(), ["memory", "innodb"]);
}

#[test]
fn messages_of_a_statement_are_told_apart_by_its_text() {
    let turns = |sql, tables: &[&str]| -> Vec<usize> {
        tables.iter().map(|table| turn(sql, "db", table)).collect()
    };
    let rename = "RENAME TABLE a TO swap, `db`.b TO a, /* x, y */ swap TO db.b";
    assert_eq!(turns(rename, &["a", "B", "swap", "c"]), [0, 1, 2, 3]);
    let drop = "DROP TABLE IF EXISTS one, other.two, db.`two` CASCADE";
    assert_eq!(turns(drop, &["one", "two", "three"]), [0, 2, 3]);
    assert_eq!(turns("CREATE TABLE t (id INT, x INT)", &["t"]), [1]);
}
