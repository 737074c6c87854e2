//! Table definitions: how the producer encodes each column, and what may be written to it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::TableName;
use super::typed::same_name;
use crate::error::{Error, Result};

/// How the values of a column arrive, and so how they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// TINYINT to BIGINT.
    Integer,
    /// YEAR.
    Year,
    /// BIT, which arrives as a number.
    Bit,
    /// DECIMAL.
    Decimal,
    /// FLOAT: six digits are shown, more are stored.
    Float,
    /// DOUBLE.
    Double,
    /// CHAR, VARCHAR, TEXT.
    Text,
    /// ENUM.
    Enum,
    /// SET, which arrives as an array.
    Set,
    /// BINARY, VARBINARY, BLOB: base64.
    Binary,
    /// JSON: raw.
    Json,
    /// LONGTEXT checked by `json_valid`, and the source's own definition unknown: MariaDB shows
    /// a JSON column so, but also a LONGTEXT column, and the producer encodes the two otherwise.
    JsonOrText,
    /// DATE, TIME, DATETIME, TIMESTAMP.
    Temporal,
    /// Geometry types: WKT.
    Geometry,
    /// A type this version does not know.
    #[default]
    Unknown,
}

impl Kind {
    /// Reads a type name as the producer and information_schema print it.
    pub fn from_type(name: &str, charset: Option<&str>) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "bool"
            | "boolean" | "int1" | "int2" | "int3" | "int4" | "int8" | "middleint" | "serial" => {
                Self::Integer
            }
            "year" => Self::Year,
            "bit" => Self::Bit,
            "decimal" | "dec" | "numeric" | "fixed" => Self::Decimal,
            "float" | "float4" => Self::Float,
            "double" | "real" | "float8" => Self::Double,
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
                Self::Binary
            }
            name if bytes_of(name, charset).is_some() => Self::Binary,
            "char" | "varchar" | "character" | "nchar" | "nvarchar" | "tinytext" | "text"
            | "mediumtext" | "longtext" | "long" => Self::Text,
            "enum" => Self::Enum,
            "set" => Self::Set,
            "json" => Self::Json,
            "date" | "time" | "datetime" | "timestamp" => Self::Temporal,
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometrycollection" | "geomcollection" => Self::Geometry,
            _ => Self::Unknown,
        }
    }
}

/// True for the types that `binlog_row_image=NOBLOB` leaves out where they do not change.
pub fn is_large(type_name: &str) -> bool {
    let name = type_name.to_ascii_lowercase();
    name.ends_with("blob")
        || name.ends_with("text")
        || matches!(Kind::from_type(&name, None), Kind::Json | Kind::Geometry)
}

/// The type that the servers make of a text type whose character set is `binary`: CHAR(n) is
/// BINARY(n) then. The producer names it as it was written. `None` for any other.
pub(super) fn bytes_of(name: &str, charset: Option<&str>) -> Option<&'static str> {
    if !charset?.eq_ignore_ascii_case("binary") {
        return None;
    }
    Some(match name.to_ascii_lowercase().as_str() {
        "char" | "character" | "nchar" => "binary",
        "varchar" | "nvarchar" => "varbinary",
        "tinytext" => "tinyblob",
        "text" => "blob",
        "mediumtext" | "long" => "mediumblob",
        "longtext" => "longblob",
        _ => return None,
    })
}

/// One column of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// How its values arrive.
    pub kind: Kind,
    /// The type's name, as printed by whoever told us.
    pub type_name: String,
    /// The character set of its texts, where told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// UNSIGNED, where told.
    #[serde(default)]
    pub unsigned: bool,
    /// Computed by the server, never written.
    #[serde(default)]
    pub generated: bool,
    /// Set to the current time by the server whenever an UPDATE does not name it.
    #[serde(default)]
    pub on_update: bool,
    /// n of BINARY(n): the producer cuts trailing zero bytes.
    #[serde(default)]
    pub binary_width: Option<u32>,
    /// Shown with leading zeros to this width (ZEROFILL).
    #[serde(default)]
    pub zerofill: Option<u32>,
    /// What stands in the parentheses of its type, where told: its digits, or its labels.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The spatial reference that all its values have (MySQL's SRID): the producer does not send it.
    #[serde(default)]
    pub srid: Option<u32>,
    /// Whether it may be NULL, where told.
    #[serde(default)]
    pub nullable: Option<bool>,
    /// A row whose INSERT does not name it is known to get NULL in it.
    #[serde(default)]
    pub defaults_to_null: bool,
    /// Of the types that `binlog_row_image=NOBLOB` leaves out where they do not change.
    #[serde(default)]
    pub large: bool,
}

impl Column {
    /// The n-th number in the parentheses of its type.
    pub fn digits(&self, n: usize) -> Option<u32> {
        self.arguments.get(n)?.parse().ok()
    }
}

/// A table's definition at some moment of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDef {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// Names of the primary key's columns; empty without one.
    pub primary_key: Vec<String>,
    /// Default character set of the table.
    #[serde(default)]
    pub charset: Option<String>,
    /// False when generated and ON UPDATE columns are unknown: the producer's definition does
    /// not tell them, only the text of the statements does.
    pub complete: bool,
}

/// A foreign key that changes rows by itself when those it points to go or change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The table whose rows it changes.
    pub child: TableName,
    /// The table it points to.
    pub parent: TableName,
    /// Columns of the parent it points to.
    pub columns: Vec<String>,
    /// It acts when a row of the parent is deleted.
    pub on_delete: bool,
    /// It acts when one of the columns changes.
    pub on_update: bool,
}

impl Column {
    /// Makes it DOUBLE, which the producer may call otherwise: FLOAT(53).
    pub(super) fn set_double(&mut self) {
        (self.kind, self.type_name) = (Kind::Double, "double".to_owned());
    }
}

/// True for the columns of a MariaDB sequence, which is a table of one row.
pub fn are_of_a_sequence<'n>(columns: impl Iterator<Item = &'n str>) -> bool {
    columns.eq([
        "next_not_cached_value",
        "minimum_value",
        "maximum_value",
        "start_value",
        "increment",
        "cache_size",
        "cycle_option",
        "cycle_count",
    ])
}

impl TableDef {
    /// True for a MariaDB sequence. Its row is of one server: who takes numbers there has them.
    pub fn is_sequence(&self) -> bool {
        are_of_a_sequence(self.columns.iter().map(|c| &*c.name))
    }

    /// Database and table.
    pub fn name(&self) -> TableName {
        TableName::new(self.database.clone(), self.table.clone())
    }

    /// The column of that name. Column names compare without case at the server.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|c| c.name == name)
            .or_else(|| self.columns.iter().find(|c| same_name(&c.name, name)))
    }

    /// Reads the producer's `def` or `old` object. Attributes that only the statement's text
    /// tells are left at their defaults, and the definition is not `complete`.
    ///
    /// # Errors
    /// When the text is not such an object.
    pub fn parse(json: &str) -> Result<Self> {
        let def: Def<'_> = serde_json::from_str(json)
            .map_err(|e| Error::failed(format!("table definition: {e}")))?;
        let columns = def.columns.into_iter().map(|c| Column {
            kind: Kind::from_type(&c.kind, c.charset.as_deref()),
            binary_width: None,
            charset: None,
            unsigned: c.signed == Some(false),
            type_name: match bytes_of(&c.kind, c.charset.as_deref()) {
                Some(name) => name.to_owned(),
                None => c.kind.into_owned(),
            },
            name: c.name.into_owned(),
            generated: false,
            on_update: false,
            zerofill: None,
            arguments: c.digits.filter(|n| *n > 0).iter().map(u64::to_string).collect(),
            srid: None,
            nullable: None,
            defaults_to_null: false,
            large: false,
        });
        let columns = columns.map(|c| Column { large: is_large(&c.type_name), ..c });
        Ok(Self {
            columns: columns.collect(),
            database: def.database.into_owned(),
            table: def.table.into_owned(),
            primary_key: def.primary_key,
            charset: def.charset.map(Cow::into_owned),
            complete: false,
        })
    }
}

#[derive(Deserialize)]
struct Def<'a> {
    #[serde(borrow)]
    database: Cow<'a, str>,
    #[serde(borrow)]
    table: Cow<'a, str>,
    charset: Option<Cow<'a, str>>,
    #[serde(rename = "primary-key", default)]
    primary_key: Vec<String>,
    #[serde(borrow)]
    columns: Vec<DefColumn<'a>>,
}

#[derive(Deserialize)]
struct DefColumn<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    charset: Option<Cow<'a, str>>,
    signed: Option<bool>,
    /// Of a second, of the types that have a time.
    #[serde(rename = "column-length")]
    digits: Option<u64>,
}
