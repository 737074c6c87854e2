//! Whether a column of the target takes every value of the source's as it is. Pure.
//!
//! What a server in strict mode refuses, a text that is too long, is an error of its row. Here
//! stands what it would change without a word, and what cannot be meant.

use crate::event::def::{Column, Kind};

const INTEGERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];
/// Digits of any decimal number that a DOUBLE keeps.
const DOUBLE_DIGITS: u32 = 15;

/// True when the target's column is narrower than the source's. `complete`: the attributes of the
/// source's column are known, too.
pub(super) fn is(target: &Column, source: &Column, complete: bool) -> bool {
    let below = |names: &[&str]| match (rank(target, names), rank(source, names)) {
        (Some(target), Some(source)) => target < source,
        _ => false,
    };
    let named = |column: &Column, name: &str| column.type_name.eq_ignore_ascii_case(name);
    let at_least = |name: &str| INTEGERS.iter().position(|n| *n == name) <= rank(source, &INTEGERS);
    // What the source calls a type tells how its values arrive; here the two types are compared.
    match (kind(target), kind(source)) {
        (Kind::Unknown, _) | (_, Kind::Unknown) => false,
        (Kind::Integer, Kind::Integer) => below(&INTEGERS) || loses_sign(target, source, complete),
        (Kind::Integer | Kind::Float, Kind::Decimal | Kind::Double)
        | (Kind::Integer, Kind::Float)
        | (Kind::Year, Kind::Integer | Kind::Decimal | Kind::Float | Kind::Double) => true,
        (Kind::Float, Kind::Integer) => at_least("int"),
        (Kind::Double, Kind::Integer) => at_least("bigint"),
        (Kind::Double, Kind::Decimal) => source.digits(0).is_some_and(|n| n > DOUBLE_DIGITS),
        (Kind::Decimal, Kind::Decimal) => scale(target) < scale(source),
        (Kind::Float | Kind::Double, Kind::Float | Kind::Double) => {
            rounds(target, source, complete)
        }
        (Kind::Decimal, Kind::Float | Kind::Double) => {
            source.digits(1).map_or(complete, |digits| digits > scale(target))
        }
        (Kind::Temporal, Kind::Temporal) => {
            let date = |column: &Column| named(column, "date");
            let time = |column: &Column| named(column, "time");
            let part = (date(target) && !date(source)) || time(target) != time(source);
            part || fraction(target) < fraction(source)
        }
        // A server cuts the blanks at the end of CHAR, and fills BINARY up with zeros.
        (Kind::Text, Kind::Text) => {
            below(&["tinytext", "text", "mediumtext", "longtext"])
                || (named(target, "char") && !named(source, "char"))
        }
        (Kind::Binary, Kind::Binary) => {
            below(&["tinyblob", "blob", "mediumblob", "longblob"])
                || (named(target, "binary") && !named(source, "binary"))
        }
        // Of a text a server takes what it can read as a number, or as a time.
        (
            Kind::Integer
            | Kind::Year
            | Kind::Bit
            | Kind::Decimal
            | Kind::Float
            | Kind::Double
            | Kind::Enum
            | Kind::Set
            | Kind::Temporal,
            Kind::Text,
        ) => true,
        _ => false,
    }
}

fn rank(column: &Column, names: &[&str]) -> Option<usize> {
    names.iter().position(|name| column.type_name.eq_ignore_ascii_case(name))
}

fn kind(column: &Column) -> Kind {
    Kind::from_type(&column.type_name, None)
}

/// Digits of a second; TIMESTAMP is TIMESTAMP(0).
fn fraction(column: &Column) -> u32 {
    column.digits(0).unwrap_or(0)
}

/// Digits behind the point of a DECIMAL.
fn scale(column: &Column) -> u32 {
    column.digits(1).unwrap_or(0)
}

/// FLOAT(m, d) and DOUBLE(m, d) round to d digits.
fn rounds(target: &Column, source: &Column, complete: bool) -> bool {
    match (target.digits(1), source.digits(1)) {
        (Some(target), Some(source)) => target < source,
        (Some(_), None) => complete,
        (None, _) => false,
    }
}

/// ZEROFILL makes a column unsigned, which only a complete definition tells.
fn loses_sign(target: &Column, source: &Column, complete: bool) -> bool {
    let wider = rank(target, &INTEGERS) > rank(source, &INTEGERS);
    let told = complete || target.zerofill.is_none();
    let unsigned = source.unsigned || source.zerofill.is_some();
    told && unsigned != target.unsigned && (target.unsigned || !wider)
}

/// A column's type, as it is written.
pub(super) fn typed(column: &Column) -> String {
    let digits = match kind(column) {
        Kind::Enum | Kind::Set => String::new(),
        _ if column.arguments.is_empty() => String::new(),
        _ => format!("({})", column.arguments.join(",")),
    };
    let unsigned = if column.unsigned { " unsigned" } else { "" };
    format!("{}{digits}{unsigned}", column.type_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ddl::attributes;

    /// A column as a server prints its type.
    fn column(printed: &str) -> Column {
        let name = printed.split(['(', ' ']).next().unwrap_or_default();
        Column {
            type_name: name.to_owned(),
            unsigned: printed.contains("unsigned"),
            zerofill: printed.contains("zerofill").then_some(10),
            arguments: attributes::of_type(printed),
            ..Column::default()
        }
    }

    #[test]
    fn what_a_server_would_change_is_narrower() {
        for (target, source) in [
            ("int(11)", "bigint(20)"),
            ("int(10) unsigned", "int(11)"),
            ("int(10) unsigned zerofill", "int(11)"),
            ("decimal(10,2)", "decimal(12,3)"),
            ("decimal(10,0)", "double"),
            ("double", "decimal(30,10)"),
            ("double(10,2)", "double"),
            ("float", "int(11)"),
            ("double", "bigint(20)"),
            ("datetime", "datetime(6)"),
            ("timestamp(3)", "timestamp(6)"),
            ("time", "time(2)"),
            ("date", "datetime"),
            ("time", "datetime"),
            ("datetime", "time"),
            ("char(9)", "varchar(9)"),
            ("binary(9)", "varbinary(9)"),
            ("text", "longtext"),
            ("int(11)", "varchar(9)"),
            ("enum('a')", "varchar(9)"),
            ("year(4)", "int(11)"),
        ] {
            assert!(is(&column(target), &column(source), true), "{source} into {target}");
        }
    }

    #[test]
    fn what_holds_every_value_or_refuses_it_is_not() {
        for (target, source) in [
            ("bigint(20)", "int(11)"),
            ("bigint(20)", "int(10) unsigned"),
            ("int(10) unsigned zerofill", "int(10) unsigned zerofill"),
            ("decimal(30,10)", "decimal(12,3)"),
            ("decimal(10,2)", "decimal(30,2)"),
            ("decimal(10,2)", "float(7,2)"),
            ("double", "decimal(15,10)"),
            ("double", "int(11)"),
            ("datetime(6)", "timestamp(3)"),
            ("timestamp", "timestamp(0)"),
            ("datetime", "date"),
            ("varchar(4)", "varchar(9)"),
            ("varchar(9)", "int(11)"),
            ("longtext", "text"),
            ("enum('a')", "enum('a','b')"),
            ("point", "geometry"),
        ] {
            assert!(!is(&column(target), &column(source), true), "{source} into {target}");
        }
        // What the source's definition does not tell is not held against the target.
        assert!(!is(&column("int unsigned zerofill"), &column("int"), false));
        assert!(!is(&column("double(10,2)"), &column("double"), false));
    }
}
