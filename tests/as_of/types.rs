//! Values of every type are the same, whether they come from the base or from the stream.

use super::{Case, before};
use crate::support::{content::Content, servers::KINDS};

const COLUMNS: &str = "f FLOAT, d DOUBLE, n DECIMAL(30,10), b BIT(20), bl BLOB, bn BINARY(6), \
    g GEOMETRY, j JSON, s SET('a','b','c d'), e ENUM('x','y'), ts TIMESTAMP(6) NULL, dt DATETIME, \
    z INT(8) UNSIGNED ZEROFILL, la VARCHAR(20) CHARACTER SET latin1, gb VARCHAR(20) CHARACTER SET gbk, \
    y YEAR, u BIGINT UNSIGNED, t TEXT, gen INT AS (y + 1) STORED";

const ONE: &str = "0.1, 1e300, 0.0000000001, 5, X'00ff27', X'01', \
    ST_GeomFromText('POLYGON((0 0,10 0,10 10.5,0 10,0 0))'), '{\"k\": [1, 2.5, 1e20, \"é 😀 \\\\\"\"], \"a\": {}}', \
    'a,c d', 'y', '2024-03-10 02:30:00.123456', '0000-00-00 00:00:00', 42, 'é ñ', '汉字', 2024, \
    18446744073709551615, 'it''s \\n \\\\ \\0'";
const TWO: &str = "16777216, -0.5, -12.5, 1048575, '', X'00', ST_GeomFromText('POINT(1e10 -2.25)'), \
    '[]', '', 'x', NULL, '2024-01-01 00:00:00', 7, '', '', 1999, 0, NULL";

/// Rows of every type, in a table with a key and in one without, changed, removed and added after the first statements.
fn every_type() -> Vec<String> {
    let names = COLUMNS.split(", ").filter_map(|column| column.split(' ').next());
    let names: Vec<_> = names.filter(|name| !["gen", "'b'", "'c"].contains(name)).collect();
    let names = names.iter().filter(|name| !name.starts_with('\'')).copied();
    let names = names.collect::<Vec<_>>().join(",");
    let mut all = vec![
        "CREATE DATABASE v".to_owned(),
        format!("CREATE TABLE v.keyed (id INT PRIMARY KEY, {COLUMNS})"),
        format!("CREATE TABLE v.bag (id INT, {COLUMNS})"),
    ];
    for table in ["keyed", "bag"] {
        let insert = |id: usize, values: &str| {
            format!("INSERT INTO v.{table} (id,{names}) VALUES ({id},{values})")
        };
        all.extend([insert(1, ONE), insert(2, TWO), insert(3, ONE), insert(4, TWO)]);
    }
    for table in ["keyed", "bag"] {
        let insert = |id: usize, values: &str| {
            format!("INSERT INTO v.{table} (id,{names}) VALUES ({id},{values})")
        };
        let copy = |to: usize, from: usize| {
            let set: Vec<_> = names.split(',').map(|name| format!("a.{name}=b.{name}")).collect();
            format!(
                "UPDATE v.{table} a JOIN v.{table} b ON b.id={from} SET {} WHERE a.id={to}",
                set.join(",")
            )
        };
        all.extend([
            insert(5, ONE),
            copy(1, 2),
            format!("DELETE FROM v.{table} WHERE id IN (2,3)"),
            insert(6, TWO),
            copy(5, 4),
            format!("UPDATE v.{table} SET j='{{\"b\": 1e15}}' WHERE id=6"),
            format!("DELETE FROM v.{table} WHERE id=5"),
        ]);
    }
    all
}

#[test]
fn every_type_comes_from_the_base_as_from_the_stream() {
    for kind in KINDS {
        let statements = every_type();
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let first_change = 11;
        let (case, seen) = Case::new(kind, &statements, first_change);
        assert_eq!(seen.rows(), 8);
        case.forward("forward.db", &["--until", &before(first_change)]).code(0);
        seen.assert_is_in(&case.file("forward.db"), "forward");
        case.based("base.db", &before(first_change), &[]).code(0);
        seen.assert_is_in(&case.file("base.db"), "from the base");
        // Nothing was done since: the copy alone.
        let end = Content::of(&case.source);
        case.based("now.db", &before(statements.len()), &[]).code(0);
        end.assert_is_in(&case.file("now.db"), "from the base, now");
    }
}
