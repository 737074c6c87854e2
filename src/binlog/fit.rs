//! Whether a definition fits what a TABLE_MAP tells of the columns: their number, types, lengths and
//! digits, and whether they may be NULL.

use super::charset;
use super::column::{Shape, types::*};
use super::table::Map;
use crate::event::ddl::widest;
use crate::event::def::{Column, TableDef};

/// Holds a definition against the event.
///
/// # Errors
/// What differs, in words.
pub(super) fn check(map: &Map, def: &TableDef) -> Result<(), String> {
    let (here, there) = (map.columns.len(), def.columns.len());
    if here != there {
        return Err(format!("the table has {here} columns there, its definition {there}"));
    }
    for (place, (shape, column)) in map.columns.iter().zip(&def.columns).enumerate() {
        let unsigned = map.metadata.unsigned.get(place);
        let number = map.metadata.collations.get(place).copied().unwrap_or(0);
        let told = charset::of_collation(number);
        let differs = differs(*shape, column).or_else(|| {
            let defined = column.unsigned || column.zerofill.is_some();
            let signs = unsigned.is_some_and(|unsigned| *unsigned != defined);
            (signs && is_integer(shape.kind)).then(|| "its sign is another".to_owned())
        });
        let differs = differs.or_else(|| match (told, column.charset.as_deref()) {
            (Some(told), Some(defined)) if told != defined => {
                Some(format!("its character set is {told} there, {defined} in the definition"))
            }
            _ => None,
        });
        if let Some(differs) = differs {
            return Err(format!("column {} ({:?}): {differs}", place + 1, column.name));
        }
    }
    Ok(())
}

fn is_integer(kind: u8) -> bool {
    matches!(kind, TINY | SHORT | INT24 | LONG | LONGLONG)
}

/// What of a column's type is another in its definition.
fn differs(shape: Shape, column: &Column) -> Option<String> {
    let other = || {
        let defined = in_words(column);
        Some(format!("it is {} there, its definition says {defined}", named(shape)))
    };
    let size = u32::from(shape.size);
    let digits = |default: u32| column.digits(0).unwrap_or(default);
    let fits = match column.type_name.as_str() {
        "tinyint" => shape.kind == TINY,
        "smallint" => shape.kind == SHORT,
        "mediumint" => shape.kind == INT24,
        "int" => shape.kind == LONG,
        "bigint" => shape.kind == LONGLONG,
        "float" => shape.kind == FLOAT,
        "double" => shape.kind == DOUBLE,
        "decimal" => {
            let scale = column.digits(1).unwrap_or(0);
            shape.kind == DECIMAL && size == digits(10) && u32::from(shape.scale) == scale
        }
        "bit" => shape.kind == BIT && size == digits(1),
        "year" => shape.kind == YEAR,
        "date" => shape.kind == DATE,
        // With fractions the old kinds of MariaDB have other lengths, which nothing in the log tells.
        "time" => {
            shape.kind == OLD_TIME && digits(0) == 0 || shape.kind == TIME && size == digits(0)
        }
        "datetime" => {
            shape.kind == OLD_DATETIME && digits(0) == 0
                || shape.kind == DATETIME && size == digits(0)
        }
        "timestamp" => {
            shape.kind == OLD_TIMESTAMP && digits(0) == 0
                || shape.kind == TIMESTAMP && size == digits(0)
        }
        "enum" => shape.kind == ENUM && size == if column.arguments.len() < 256 { 1 } else { 2 },
        "set" => {
            let bytes = column.arguments.len().div_ceil(8) as u32;
            shape.kind == SET && size == if bytes > 4 { 8 } else { bytes }
        }
        "char" => shape.kind == STRING && letters(column, size, digits(1)),
        "binary" => shape.kind == STRING && size == digits(1),
        "varchar" => shape.kind == VARCHAR && letters(column, size, digits(0)),
        "varbinary" => shape.kind == VARCHAR && size == digits(0),
        "tinytext" | "tinyblob" => shape.kind == BLOB && size == 1,
        "text" | "blob" => shape.kind == BLOB && size == 2,
        "mediumtext" | "mediumblob" => shape.kind == BLOB && size == 3,
        "longtext" | "longblob" => shape.kind == BLOB && size == 4,
        "json" => shape.kind == JSON || shape.kind == BLOB && size == 4,
        "uuid" | "inet6" => shape.kind == STRING && size == 16,
        "inet4" => shape.kind == STRING && size == 4,
        "vector" => shape.kind == VECTOR || shape.kind == VARCHAR,
        _ => shape.kind == GEOMETRY,
    };
    // The lengths of COMPRESSED columns are not compared.
    let packed = matches!(shape.kind, BLOB_COMPRESSED | VARCHAR_COMPRESSED);
    if !fits && !packed {
        return other();
    }
    match column.nullable {
        Some(false) if shape.nullable => Some("it may be NULL there, by its definition not".into()),
        _ => None,
    }
}

/// Whether so many bytes are so many letters of the column's character set.
fn letters(column: &Column, bytes: u32, letters: u32) -> bool {
    match column.charset.as_deref() {
        Some(charset) => u64::from(bytes) == u64::from(letters) * widest(charset),
        None => (1..=4).any(|widest| bytes == letters * widest),
    }
}

fn in_words(column: &Column) -> String {
    let name = column.type_name.to_ascii_uppercase();
    match column.arguments.is_empty() || column.type_name == "enum" || column.type_name == "set" {
        true => name,
        false => format!("{name}({})", column.arguments.join(",")),
    }
}

/// A type as the event tells it.
fn named(shape: Shape) -> String {
    let Shape { size, scale, .. } = shape;
    match shape.kind {
        TINY => "TINYINT".into(),
        SHORT => "SMALLINT".into(),
        INT24 => "MEDIUMINT".into(),
        LONG => "INT".into(),
        LONGLONG => "BIGINT".into(),
        FLOAT => "FLOAT".into(),
        DOUBLE => "DOUBLE".into(),
        DECIMAL => format!("DECIMAL({size},{scale})"),
        BIT => format!("BIT({size})"),
        YEAR => "YEAR".into(),
        DATE => "DATE".into(),
        TIME | OLD_TIME => format!("TIME({size})"),
        DATETIME | OLD_DATETIME => format!("DATETIME({size})"),
        TIMESTAMP | OLD_TIMESTAMP => format!("TIMESTAMP({size})"),
        ENUM => "an ENUM".into(),
        SET => "a SET".into(),
        STRING => format!("CHAR or BINARY of {size} bytes"),
        VARCHAR | VAR_STRING => format!("VARCHAR or VARBINARY of {size} bytes"),
        BLOB => format!("a TEXT or BLOB with a length of {size} bytes"),
        JSON => "JSON".into(),
        GEOMETRY => "a geometry".into(),
        other => format!("of type {other}"),
    }
}
