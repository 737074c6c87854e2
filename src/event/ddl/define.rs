//! The definition that a CREATE TABLE makes, read from its text alone.

use super::attributes::attributes;
use super::clause::Text;
use super::parts::{group, is_column, split, word};
use super::token::Token;
use crate::event::TableName;
use crate::event::def::{self, Column, Kind, TableDef, is_large};
use crate::event::typed::same_name;

/// The character sets that are in force where a statement names none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defaults<'a> {
    /// Of the table, else of its database; `None` where it is not known.
    pub charset: Option<&'a str>,
    /// A LONGTEXT that is checked by `json_valid` is MariaDB's print of a JSON column.
    pub checked_json: bool,
}

impl Text {
    /// The character set that a CREATE or ALTER DATABASE names.
    pub fn charset(&self) -> Option<String> {
        named_charset(self.tokens())
    }

    /// The table that a CREATE TABLE with columns makes; `None` where the text does not tell.
    pub fn creates(&self, name: &TableName, defaults: Defaults<'_>) -> Option<TableDef> {
        let rest = self.body("CREATE")?;
        let inside = group(rest)?;
        let options = &rest[inside.len() + 2..];
        // A SELECT behind the columns may bring more of them.
        if options.iter().any(|t| t.is("SELECT") || t.is("VERSIONING")) {
            return None;
        }
        let charset = named_charset(options).or(defaults.charset.map(str::to_owned));
        let mut def = TableDef {
            database: name.database.clone(),
            table: name.table.clone(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            charset,
            complete: true,
        };
        for part in split(inside) {
            match key_columns(part) {
                Some(key) => def.primary_key = key,
                None if is_column(part) => {
                    let (column, is_key) =
                        column(part, def.charset.as_deref(), defaults.checked_json)?;
                    if is_key {
                        def.primary_key = vec![column.name.clone()];
                    }
                    def.columns.push(column);
                }
                None => {}
            }
        }
        settle_key(&mut def);
        (!def.columns.is_empty()).then_some(def)
    }
}

/// Gives the key's columns the names of the table's, which compare without case; none may be NULL.
pub(super) fn settle_key(def: &mut TableDef) {
    for key in &mut def.primary_key {
        let column = def.columns.iter_mut().find(|c| same_name(&c.name, key));
        if let Some(column) = column {
            key.clone_from(&column.name);
            (column.nullable, column.defaults_to_null) = (Some(false), false);
        }
    }
}

/// The columns of `[CONSTRAINT [name]] PRIMARY KEY [USING type] (columns)`.
pub(super) fn key_columns(tokens: &[Token]) -> Option<Vec<String>> {
    let lead = if tokens.first()?.is("CONSTRAINT") { 1..3 } else { 0..1 };
    let at = lead.clone().find(|at| tokens.get(*at).is_some_and(|t| t.is("PRIMARY")))?;
    let open = tokens[at..].iter().position(|t| t.is_sign('('))?;
    let columns = split(group(&tokens[at + open..])?);
    columns.into_iter().map(|part| Some(word(part)?.0.to_owned())).collect()
}

/// A column from its definition, and whether that makes it the primary key.
pub(super) fn column(
    tokens: &[Token],
    table_charset: Option<&str>,
    checked_json: bool,
) -> Option<(Column, bool)> {
    let (name, definition) = word(tokens)?;
    let (mut type_name, definition) = type_name(definition)?;
    if checked_json && type_name == "longtext" && definition.iter().any(|t| t.is("JSON_VALID")) {
        type_name = "json".to_owned();
    }
    let stated = attributes(&definition);
    let has = |word: &str| outside(&definition).any(|t| t.is(word));
    let mut column = Column { name: name.to_owned(), type_name, ..Column::default() };
    let is_text =
        matches!(Kind::from_type(&column.type_name, None), Kind::Text | Kind::Enum | Kind::Set);
    if is_text {
        let own = named_charset(&definition).or_else(|| has("BYTE").then(|| "binary".to_owned()));
        let own = own.or_else(|| has("ASCII").then(|| "latin1".to_owned()));
        let own = own.or_else(|| has("UNICODE").then(|| "ucs2".to_owned()));
        column.charset = own.or(table_charset.map(str::to_owned));
    }
    if column.type_name == "json" {
        // MariaDB's is text; MySQL's has none that matters.
        column.charset = Some("utf8mb4".into());
    }
    if let Some(bytes) = def::bytes_of(&column.type_name, column.charset.as_deref()) {
        (column.type_name, column.charset) = (bytes.to_owned(), None);
    }
    let serial = definition[0].is("SERIAL");
    column.unsigned = has("UNSIGNED") || has("ZEROFILL") || serial;
    column.kind = Kind::from_type(&column.type_name, None);
    stated.set(&mut column);
    if definition[0].is("BOOL") || definition[0].is("BOOLEAN") {
        column.arguments = vec!["1".into()];
    }
    if serial {
        (column.nullable, column.defaults_to_null) = (Some(false), false);
    }
    fit_length(&mut column);
    column.large = is_large(&column.type_name);
    Some((column, is_key(&definition)))
}

/// `[PRIMARY] KEY` in a column's definition; `UNIQUE KEY` is another.
fn is_key(definition: &[Token]) -> bool {
    let words: Vec<&Token> = outside(definition).collect();
    let unique = |n: usize| n.checked_sub(1).is_some_and(|before| words[before].is("UNIQUE"));
    words.iter().enumerate().any(|(n, token)| token.is("KEY") && !unique(n))
}

/// Tokens outside parentheses.
fn outside(tokens: &[Token]) -> impl Iterator<Item = &Token> {
    let mut depth = 0i32;
    tokens.iter().filter(move |t| {
        depth += i32::from(t.is_sign('('));
        let out = depth == 0;
        depth -= i32::from(t.is_sign(')'));
        out
    })
}

/// The character set that options or attributes name, or whose collation they name.
pub(super) fn named_charset(tokens: &[Token]) -> Option<String> {
    let words: Vec<&Token> = outside(tokens).collect();
    let mut found = None;
    for (n, token) in words.iter().enumerate() {
        let collation = token.is("COLLATE");
        let set = token.is("SET") && n > 0 && words[n - 1].is("CHARACTER");
        if !collation && !set && !token.is("CHARSET") {
            continue;
        }
        let rest = &words[n + 1..];
        let value =
            if rest.first().is_some_and(|t| t.is_sign('=')) { rest.get(1) } else { rest.first() };
        let value = value.and_then(|t| t.name().or(t.text())).map(str::to_lowercase);
        match value {
            Some(value) if !collation => found = Some(canonical(&value).to_owned()),
            // A collation's name begins with its character set, but for MariaDB's that fit several.
            Some(value) if !value.starts_with("uca1400") && found.is_none() => {
                found = value.split('_').next().map(|name| canonical(name).to_owned());
            }
            _ => {}
        }
    }
    found
}

fn canonical(charset: &str) -> &str {
    if charset == "utf8" { "utf8mb3" } else { charset }
}

/// The name that the producer has for a type, and the definition without the further words of it.
fn type_name(definition: &[Token]) -> Option<(String, Vec<Token>)> {
    let mut rest: Vec<Token> = definition.to_vec();
    let is =
        |rest: &[Token], at: usize, word: &str| rest.get(at).is_some_and(|t: &Token| t.is(word));
    if is(&rest, 0, "NATIONAL") {
        rest.remove(0);
    }
    let long = is(&rest, 0, "LONG");
    if long
        && (is(&rest, 1, "VARBINARY")
            || is(&rest, 1, "VARCHAR")
            || is(&rest, 1, "CHAR")
            || is(&rest, 1, "CHARACTER"))
    {
        rest.remove(0);
    }
    let varying = is(&rest, 1, "VARYING");
    if varying || is(&rest, 1, "PRECISION") {
        rest.remove(1);
    }
    let first = rest.first()?.name()?.to_lowercase();
    let name = match first.as_str() {
        "varbinary" if long => "mediumblob",
        _ if long => "mediumtext",
        "char" | "character" | "nchar" if varying => "varchar",
        "bool" | "boolean" | "int1" => "tinyint",
        "int2" => "smallint",
        "int3" | "middleint" => "mediumint",
        "integer" | "int4" => "int",
        "int8" | "serial" => "bigint",
        "dec" | "numeric" | "fixed" => "decimal",
        "number" => "decimal",
        "float4" => "float",
        "real" | "float8" => "double",
        "character" | "nchar" => "char",
        "nvarchar" | "varchar2" | "varcharacter" => "varchar",
        "clob" => "longtext",
        "geomcollection" => "geometrycollection",
        other => other,
    };
    Some((name.to_owned(), rest))
}

/// The most bytes that a letter takes.
pub fn widest(charset: &str) -> u64 {
    match charset {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
        "utf8mb3" | "utf8" | "ujis" | "eucjpms" => 3,
        "ucs2" | "gbk" | "gb2312" | "big5" | "euckr" | "sjis" | "cp932" => 2,
        _ => 1,
    }
}

/// TEXT(n) and BLOB(n) are the smallest of their kind that holds so much.
fn fit_length(column: &mut Column) {
    let tail = match column.type_name.as_str() {
        "text" => "text",
        "blob" => "blob",
        _ => return,
    };
    let Some(length) = column.digits(0) else { return };
    let bytes = u64::from(length) * column.charset.as_deref().map_or(1, widest);
    let size = match bytes {
        0..=0xff => "tiny",
        0x100..=0xffff => "",
        0x1_0000..=0xff_ffff => "medium",
        _ => "long",
    };
    column.type_name = format!("{size}{tail}");
    column.arguments.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(sql: &str) -> TableDef {
        let text = Text::read(sql).expect("tokens");
        let defaults = Defaults { charset: Some("utf8mb4"), checked_json: false };
        text.creates(&TableName::new("d", "t"), defaults).expect("a definition")
    }

    #[test]
    fn a_statement_makes_a_definition() {
        let def = made(
            "CREATE TABLE t (a INT UNSIGNED, b VARCHAR(20) CHARACTER SET latin1, c TEXT(100), \
             d DOUBLE PRECISION(10,2), e NATIONAL CHARACTER VARYING(5), f BOOL, g CHAR(3) BINARY, \
             h VARCHAR(9) COLLATE latin2_bin, i LONG VARBINARY, j SERIAL, k TEXT CHARSET binary, \
             l INT ZEROFILL, m ENUM('x','y') NOT NULL COMMENT 'primary key (a)', n INT AS (a+1), \
             CONSTRAINT p PRIMARY KEY USING BTREE (A, b(3)), UNIQUE KEY (c(5))) CHARSET = utf8",
        );
        let columns: Vec<String> = def
            .columns
            .iter()
            .map(|c| {
                let charset = c.charset.as_deref().unwrap_or("-");
                let unsigned = if c.unsigned { "u" } else { "" };
                format!(
                    "{} {}({}) {charset} {unsigned}",
                    c.name,
                    c.type_name,
                    c.arguments.join(",")
                )
            })
            .collect();
        assert_eq!(
            columns,
            [
                "a int() - u",
                "b varchar(20) latin1 ",
                "c text() utf8mb3 ",
                "d double(10,2) - ",
                "e varchar(5) utf8mb3 ",
                "f tinyint(1) - ",
                "g char(3) utf8mb3 ",
                "h varchar(9) latin2 ",
                "i mediumblob() - ",
                "j bigint() - u",
                "k blob() - ",
                "l int() - u",
                "m enum(x,y) utf8mb3 ",
                "n int() - ",
            ]
        );
        assert_eq!(def.primary_key, ["a", "b"]);
        assert_eq!(def.columns[0].nullable, Some(false));
        assert!(def.columns[13].generated);
    }

    #[test]
    fn a_column_may_be_the_key() {
        assert_eq!(made("CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE KEY)").primary_key, ["a"]);
        assert_eq!(made("CREATE TABLE t (a INT, b INT NOT NULL KEY)").primary_key, ["b"]);
        assert!(made("CREATE TABLE t (a INT UNIQUE KEY)").primary_key.is_empty());
        assert_eq!(
            made("CREATE TABLE t (a CHAR(3)) COLLATE=latin1_bin").charset.as_deref(),
            Some("latin1")
        );
    }
}
