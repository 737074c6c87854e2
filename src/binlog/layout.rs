//! How the rows of a table are read: names, signs, character sets and labels of its columns, from the
//! event itself, else from a definition that fits it. Nothing is guessed: where one of them is not
//! known, there is a reason instead.

use super::charset::{self, Charset};
use super::column::{Shape, types::*};
use super::table::Map;
use super::value::Type;
use super::{fit, json};
use crate::event::def::{self, Kind, TableDef};

/// MariaDB's own columns for unique indexes over long values, with their number; nobody sees them.
const HIDDEN: &str = "DB_ROW_HASH_";
/// MariaDB's own columns of a table WITH SYSTEM VERSIONING, the last ones: a row that was deleted is logged as an update
/// of them.
const VERSIONS: [&str; 2] = ["row_start", "row_end"];

/// How the rows of a table are read and written down.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<Column>,
    /// The primary key's columns.
    pub(super) key: Vec<usize>,
    /// The names of the key's columns, as a list.
    pub(super) key_names: String,
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its name and a colon.
    pub(super) field: String,
    pub(super) kind: Type,
    pub(super) hidden: bool,
}

fn is_hidden(name: &str) -> bool {
    let number = name.strip_prefix(HIDDEN);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

impl Layout {
    /// What the event and a definition tell.
    ///
    /// # Errors
    /// Why the rows cannot be read.
    pub(super) fn new(map: &Map, def: Option<&TableDef>) -> Result<Self, String> {
        let told = &map.metadata;
        let same = |def: &&TableDef| def.columns.iter().map(|c| &c.name).eq(&told.names);
        let def = if told.names.is_empty() { def } else { def.filter(same) };
        let names: Vec<&String> = match (told.names.is_empty(), def) {
            (false, _) => told.names.iter().collect(),
            (true, Some(def)) => {
                fit::check(map, def)?;
                def.columns.iter().map(|column| &column.name).collect()
            }
            (true, None) => {
                return Err(
                    "the log has no names of columns (binlog_row_metadata is not FULL), and \
                            the table's definition is not known"
                        .into(),
                );
            }
        };
        if names.ends_with(&VERSIONS.map(str::to_owned).each_ref()) {
            return Err(
                "it has system versioning: its rows are not told from their former versions".into(),
            );
        }
        let mut columns = Vec::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            let defined = def.and_then(|def| def.columns.get(place));
            let kind =
                kind(map, place, defined).map_err(|why| format!("column {name:?}: {why}"))?;
            let mut field = String::new();
            json::string(&mut field, name);
            field.push(':');
            columns.push(Column { field, kind, hidden: is_hidden(name) });
        }
        let place = |name: &String| names.iter().position(|own| *own == name);
        // MariaDB tells a unique index where there is no primary key.
        let defined = def.map(|def| def.primary_key.iter().filter_map(place).collect());
        let key: Vec<usize> = defined.or(told.key.clone()).unwrap_or_default();
        let mut key_names = "[".to_owned();
        for (n, place) in key.iter().enumerate() {
            key_names.push_str(if n > 0 { "," } else { "" });
            json::string(&mut key_names, names[*place]);
        }
        key_names.push(']');
        Ok(Self { columns, key, key_names })
    }
}

/// How a column's values are read.
fn kind(map: &Map, place: usize, defined: Option<&def::Column>) -> Result<Type, String> {
    let shape = map.columns[place];
    let told = &map.metadata;
    let size = usize::from(shape.size);
    let integer = |bytes| -> Result<Type, String> {
        let sign = told.unsigned.get(place).copied();
        let unsigned = sign.or(defined.map(is_unsigned)).ok_or("its sign is not known")?;
        Ok(Type::Integer { bytes, unsigned })
    };
    Ok(match shape.kind {
        TINY => integer(1)?,
        SHORT => integer(2)?,
        INT24 => integer(3)?,
        LONG => integer(4)?,
        LONGLONG => integer(8)?,
        FLOAT => Type::Float,
        DOUBLE => Type::Double,
        DECIMAL => Type::Decimal { digits: size, scale: shape.scale.into() },
        BIT => Type::Bit { bytes: size.div_ceil(8) },
        YEAR => Type::Year,
        DATE => Type::Date,
        TIME => Type::Time { digits: size },
        DATETIME => Type::DateTime { digits: size },
        TIMESTAMP => Type::Timestamp { digits: size },
        OLD_TIME => Type::OldTime,
        OLD_DATETIME => Type::OldDateTime,
        OLD_TIMESTAMP => Type::OldTimestamp,
        ENUM => Type::Enum { bytes: size, labels: labels(map, place, defined)? },
        SET => Type::Set { bytes: size, labels: labels(map, place, defined)? },
        JSON => Type::Json { length: size },
        GEOMETRY => Type::Geometry { length: size },
        VECTOR => Type::Binary { length: size, width: 0 },
        _ => text(shape, charset(map, place, defined)?, defined),
    })
}

/// ZEROFILL is UNSIGNED, which the producer's definitions do not say.
fn is_unsigned(column: &def::Column) -> bool {
    column.unsigned || column.zerofill.is_some()
}

/// The character set of a column's texts, by its name.
fn charset<'a>(
    map: &Map,
    place: usize,
    defined: Option<&'a def::Column>,
) -> Result<&'a str, String> {
    match map.metadata.collations.get(place) {
        Some(0) | None => {}
        Some(&number) => {
            let known = charset::of_collation(number);
            return known.ok_or_else(|| format!("its collation {number} is not known"));
        }
    }
    let defined = defined.ok_or("its character set is not known")?;
    if matches!(defined.kind, Kind::Binary) || defined.kind == Kind::Unknown {
        return Ok("binary");
    }
    defined.charset.as_deref().ok_or_else(|| "its character set is not known".into())
}

fn labels(map: &Map, place: usize, defined: Option<&def::Column>) -> Result<Vec<String>, String> {
    if let Some(labels) = map.metadata.labels.get(place).filter(|labels| !labels.is_empty()) {
        let charset = Charset::named(charset(map, place, defined)?);
        let text = |bytes: &Vec<u8>| charset.text(bytes).map(std::borrow::Cow::into_owned);
        let labels = labels.iter().map(text).collect::<Option<Vec<_>>>();
        return labels.ok_or_else(|| "its labels are no text of their character set".into());
    }
    let labels = defined.map(|column| column.arguments.clone()).filter(|labels| !labels.is_empty());
    labels.ok_or_else(|| "its labels are not known".into())
}

/// CHAR, VARCHAR, TEXT and their kin.
fn text(shape: Shape, charset: &str, defined: Option<&def::Column>) -> Type {
    let size = usize::from(shape.size);
    let bytes = |most: usize| if most > 255 { 2 } else { 1 };
    let length = match shape.kind {
        BLOB | BLOB_COMPRESSED => size,
        _ => bytes(size),
    };
    let binary = charset == "binary";
    let charset = Charset::named(charset);
    match shape.kind {
        // The length has room for a byte that says how the value is packed.
        BLOB_COMPRESSED => Type::Packed { length, charset: (!binary).then_some(charset) },
        VARCHAR_COMPRESSED => Type::Packed { length, charset: (!binary).then_some(charset) },
        STRING if binary => Type::Binary { length, width: size },
        _ if binary => Type::Binary { length, width: 0 },
        BLOB if defined.is_some_and(|column| column.kind == Kind::Json) => {
            Type::JsonText { length, charset }
        }
        _ => Type::Text { length, charset },
    }
}
