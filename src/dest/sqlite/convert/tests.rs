//! Conversions held against what servers were seen to do.

use super::*;
use crate::event::ddl::{Clause, Text};

/// The column `c` with this definition, given to `look`.
fn with<T>(definition: &str, look: impl FnOnce(&Defined<'_>) -> T) -> T {
    let sql = format!("ALTER TABLE t ADD c {definition}");
    let clauses = Text::read(&sql).expect("tokens").clauses();
    let [Clause::Defined { attributes, .. }] = &clauses[..] else { panic!("{clauses:?}") };
    let type_name = definition.split([' ', '(']).next().expect("a type").to_lowercase();
    let mut column = Column {
        name: "c".into(),
        kind: Kind::from_type(&type_name, None),
        type_name,
        unsigned: definition.contains("UNSIGNED"),
        generated: false,
        on_update: false,
        charset: None,
        binary_width: None,
        nullable: None,
        defaults_to_null: false,
        large: false,
        zerofill: None,
        arguments: Vec::new(),
        srid: None,
    };
    attributes.set(&mut column);
    look(&Defined {
        column: &column,
        stated: attributes,
        not_null: attributes.nullable == Some(false),
        charset: attributes.charset.as_deref().or(Some("utf8mb4")),
        ts_ms: 0,
    })
}

/// What MariaDB 10.11 and MySQL 9.7 were seen to make of the same.
#[test]
fn old_values_read_as_the_servers_print_them_afterwards() {
    for (old, value, definition, new) in [
        ("int", "000042", "VARCHAR(9)", "000042"),
        ("date", "2024-01-02", "DATETIME(3)", "2024-01-02 00:00:00.000"),
        ("int", "-7", "DECIMAL(9,3)", "-7.000"),
        ("enum", "y", "VARCHAR(3)", "y"),
        ("set", "a,c", "SET('c','b','a')", "c,a"),
        ("varchar", "pad  ", "CHAR(9)", "pad"),
        ("decimal", "-0.50", "DECIMAL(12,4)", "-0.5000"),
        ("datetime", "2024-01-01 10:00:00", "DATETIME(2)", "2024-01-01 10:00:00.00"),
    ] {
        let text = Value::Text(value.into());
        let kind = Kind::from_type(old, None);
        let found = with(definition, |to| to.convert(kind, old, &text));
        assert_eq!(found, Some(Value::Text(new.into())), "{old} to {definition}");
    }
    let bytes =
        with("BINARY(4)", |to| to.convert(Kind::Binary, "varbinary", &Value::Blob(b"ab".to_vec())));
    assert_eq!(bytes, Some(Value::Blob(b"ab\0\0".to_vec())));
}

#[test]
fn new_columns_hold_what_the_servers_give_old_rows() {
    for (definition, new) in [
        ("ENUM('p','q') NOT NULL", "p"),
        ("DATE NOT NULL", "0000-00-00"),
        ("DECIMAL(6,2) NOT NULL", "0.00"),
        ("SET('u') NOT NULL", ""),
        ("DOUBLE DEFAULT 1.50", "1.5"),
        ("FLOAT DEFAULT 16777216", "16777200"),
        ("TIME(2) NOT NULL", "00:00:00.00"),
        ("VARCHAR(5) DEFAULT 7", "7"),
        ("BIGINT UNSIGNED DEFAULT 18446744073709551615", "18446744073709551615"),
        ("CHAR(5) DEFAULT 'a  '", "a"),
        ("DECIMAL(6,2) DEFAULT '3.1'", "3.10"),
    ] {
        let found = with(definition, |to| to.new_value());
        assert_eq!(found, Some(Value::Text(new.into())), "{definition}");
    }
    assert_eq!(with("BIT(4) DEFAULT 5", |to| to.new_value()), Some(Value::Integer(5)));
    let zeros = Value::Blob(vec![0; 3]);
    assert_eq!(with("BINARY(3) NOT NULL", |to| to.new_value()), Some(zeros));
    for unknown in [
        "TIMESTAMP",
        "INT AUTO_INCREMENT",
        "CHAR(36) DEFAULT (uuid())",
        "DATETIME(3) DEFAULT NOW(3)",
    ] {
        assert_eq!(with(unknown, |to| to.new_value()), None, "{unknown}");
    }
}

#[test]
fn what_a_server_would_cut_or_round_is_refused() {
    for (old, value, definition) in [
        ("decimal", "1.25", "DECIMAL(9,1)"),
        ("int", "300", "TINYINT"),
        ("varchar", "longer", "VARCHAR(5)"),
        ("varchar", "é", "VARCHAR(5) CHARACTER SET latin1"),
        ("enum", "gone", "ENUM('here')"),
        ("datetime", "2024-01-01 10:00:00", "TIMESTAMP"),
        ("datetime", "2024-01-01 10:00:00.5", "DATETIME"),
        ("float", "0.1", "DOUBLE"),
        ("enum", "y", "INT"),
    ] {
        let text = Value::Text(value.into());
        let kind = Kind::from_type(old, None);
        let found = with(definition, |to| to.convert(kind, old, &text));
        assert_eq!(found, None, "{old} {value} to {definition}");
    }
}
