//! A stream of one kind of server applied to the other kind gives the same rows. What differs by nature is the
//! definitions: names of collations and their defaults, `int(11)` and `int`, JSON as a type or as a checked LONGTEXT,
//! which MariaDB prints as it was written and MySQL in its own way. So rows are compared, and JSON as values.

use crate::support::{Kind, Spool, assert_rows_equal, fresh, read};
use serde_json::Value;

/// The dump, each text that is a JSON object printed in one way.
fn json_as_values(dump: &str) -> String {
    let mut printed = String::with_capacity(dump.len());
    let mut rest = dump;
    while let Some(start) = rest.find("'{") {
        let end = start + rest[start..].find("}'").expect("a text ends") + 1;
        let text = rest[start + 1..end].replace("\\\"", "\"");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        printed.push_str(&rest[..=start]);
        printed.push_str(&value.to_string());
        rest = &rest[end..];
    }
    printed + rest
}

#[test]
fn json_is_the_same_however_it_is_printed() {
    let row = |json: &str| json_as_values(&format!("INSERT INTO `t` VALUES (1,'{json}',2);"));
    assert_eq!(row(r#"{\"a\":1,\"b\":{}}"#), row(r#"{ \"b\": {}, \"a\": 1}"#));
    assert_ne!(row(r#"{\"a\":1}"#), row(r#"{\"a\":2}"#));
}

fn applied_to_the_other_kind(name: &str) {
    let target = match Kind::of(name) {
        Kind::MariaDb => Kind::MySql,
        Kind::MySql => Kind::MariaDb,
    };
    let server = fresh(target);
    Spool::recording(name).apply(&server.url(), [] as [&str; 0]).code(0);
    let end = json_as_values(&read(&format!("{name}.end.sql")));
    assert_rows_equal(&json_as_values(&server.dump()), &end, &format!("{name} on {target:?}"));
}

macro_rules! give_the_same_rows {
    ($($claim:ident: $name:literal,)*) => { $(#[test] fn $claim() { applied_to_the_other_kind($name) })* };
}

give_the_same_rows! {
    transactions_of_mariadb_on_mysql: "mariadb-transactions",
    transactions_of_mysql_on_mariadb: "mysql-transactions",
    the_shop_of_mariadb_on_mysql: "mariadb-incident",
    the_shop_of_mysql_on_mariadb: "mysql-incident",
    sysbench_of_mariadb_on_mysql: "mariadb-sysbench",
}
