//! The definition that an event tells of its table, where it has the names of the columns.

use super::charset;
use super::column::{Shape, types::*};
use super::table::Map;
use crate::event::ddl::widest;
use crate::event::def::{Column, Kind, TableDef, is_large};

/// The table's definition as far as the event tells it; `None` where it has no names, or a type that is
/// not told from another.
pub(super) fn definition(map: &Map) -> Option<TableDef> {
    let told = &map.metadata;
    let columns = told.names.iter().zip(&map.columns).enumerate();
    let columns = columns.map(|(place, (name, shape))| column(map, place, name, *shape));
    let columns = columns.collect::<Option<Vec<_>>>().filter(|columns| !columns.is_empty())?;
    let key = told.key.iter().flatten().filter_map(|place| told.names.get(*place).cloned());
    Some(TableDef {
        database: map.database.clone(),
        table: map.table.clone(),
        primary_key: key.collect(),
        columns,
        charset: None,
        complete: false,
    })
}

fn column(map: &Map, place: usize, name: &str, shape: Shape) -> Option<Column> {
    let told = &map.metadata;
    let charset = told.collations.get(place).and_then(|number| charset::of_collation(*number));
    let binary = charset == Some("binary");
    let letters = u64::from(shape.size) / charset.map_or(1, widest);
    let mut arguments = Vec::new();
    let type_name = match shape.kind {
        TINY => "tinyint",
        SHORT => "smallint",
        INT24 => "mediumint",
        LONG => "int",
        LONGLONG => "bigint",
        FLOAT => "float",
        DOUBLE => "double",
        YEAR => "year",
        DATE => "date",
        JSON => "json",
        GEOMETRY => "geometry",
        DECIMAL => {
            arguments = vec![shape.size.to_string(), shape.scale.to_string()];
            "decimal"
        }
        BIT | TIME | DATETIME | TIMESTAMP => {
            arguments = vec![shape.size.to_string()];
            match shape.kind {
                BIT => "bit",
                TIME => "time",
                DATETIME => "datetime",
                _ => "timestamp",
            }
        }
        STRING | VARCHAR => {
            arguments = vec![letters.to_string()];
            match (shape.kind, binary) {
                (STRING, true) => "binary",
                (STRING, false) => "char",
                (_, true) => "varbinary",
                (_, false) => "varchar",
            }
        }
        BLOB => match (shape.size, binary) {
            (1, true) => "tinyblob",
            (2, true) => "blob",
            (3, true) => "mediumblob",
            (_, true) => "longblob",
            (1, false) => "tinytext",
            (2, false) => "text",
            (3, false) => "mediumtext",
            (_, false) => "longtext",
        },
        ENUM | SET => {
            let charset = charset::Charset::named(charset?);
            let labels = told.labels.get(place)?.iter();
            let labels = labels.map(|label| charset.text(label).map(std::borrow::Cow::into_owned));
            arguments = labels.collect::<Option<Vec<_>>>()?;
            if shape.kind == ENUM { "enum" } else { "set" }
        }
        _ => return None,
    };
    Some(Column {
        name: name.to_owned(),
        kind: Kind::from_type(type_name, None),
        type_name: type_name.to_owned(),
        charset: charset.filter(|_| !binary).map(str::to_owned),
        unsigned: told.unsigned.get(place).copied().unwrap_or(false),
        binary_width: (type_name == "binary").then(|| u32::from(shape.size)),
        arguments,
        nullable: Some(shape.nullable),
        large: is_large(type_name),
        ..Column::default()
    })
}
