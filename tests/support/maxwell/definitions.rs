//! Definitions, asked of the source right after each statement that changes them.

use super::text::{list, quoted};
use mysql::{Conn, prelude::Queryable};
use std::collections::BTreeMap;

const USER: &str = "NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')";

#[derive(Clone)]
pub(super) struct Schema {
    /// With its character set.
    databases: BTreeMap<String, String>,
    tables: BTreeMap<(String, String), Table>,
}

#[derive(Clone)]
pub(super) struct Table {
    pub columns: Vec<Column>,
    /// Names.
    pub key: Vec<String>,
    /// As `def` holds it.
    pub json: String,
    charset: String,
}

#[derive(Clone)]
pub(super) struct Column {
    pub name: String,
    pub kind: String,
    /// The type as the statement calls it, which is what the producer says.
    pub word: String,
    pub signed: bool,
    /// Empty where the type has none.
    pub charset: String,
    /// Of a second.
    pub digits: usize,
    /// Of ENUM and SET.
    pub labels: Vec<String>,
}

impl Schema {
    pub(super) fn read(session: &mut Conn) -> Schema {
        let databases: Vec<(String, String)> = session
            .query(format!("SELECT schema_name, default_character_set_name FROM information_schema.schemata WHERE schema_name {USER}"))
            .unwrap();
        let mut schema =
            Schema { databases: databases.into_iter().collect(), tables: BTreeMap::new() };
        let tables: Vec<(String, String, String)> = session
            .query(format!("SELECT table_schema, table_name, table_collation FROM information_schema.tables WHERE table_schema {USER}"))
            .unwrap();
        for (database, name, collation) in tables {
            let charset = collation.split('_').next().unwrap_or_default().to_owned();
            let table = Table { columns: vec![], key: vec![], json: String::new(), charset };
            schema.tables.insert((database, name), table);
        }
        schema.read_columns(session);
        let keys: Vec<(String, String, String)> = session
            .query(format!("SELECT table_schema, table_name, column_name FROM information_schema.key_column_usage WHERE constraint_name='PRIMARY' AND table_schema {USER} ORDER BY ordinal_position"))
            .unwrap();
        for (database, name, column) in keys {
            // One may have come since the tables were asked for.
            let table = schema.tables.get_mut(&(database, name));
            table.into_iter().for_each(|table| table.key.push(column.clone()));
        }
        schema.tables.iter_mut().for_each(|(name, table)| table.describe(name));
        schema
    }

    /// The same databases, tables and columns.
    pub(super) fn is(&self, other: &Schema) -> bool {
        let tables = |schema: &Schema| {
            let tables = schema.tables.iter();
            tables.map(|(name, table)| (name.clone(), table.json.clone())).collect::<Vec<_>>()
        };
        self.databases == other.databases && tables(self) == tables(other)
    }

    fn read_columns(&mut self, session: &mut Conn) {
        type Row = (String, String, String, String, String, Option<String>, Option<usize>);
        let rows: Vec<Row> = session
            .query(format!("SELECT table_schema, table_name, column_name, data_type, column_type, character_set_name, datetime_precision FROM information_schema.columns WHERE table_schema {USER} ORDER BY table_schema, table_name, ordinal_position"))
            .unwrap();
        let json = json_columns(session);
        for (database, table, name, data_type, whole, charset, digits) in rows {
            let is_json = json.contains(&(database.clone(), table.clone(), name.clone()));
            let kind = match data_type.as_str() {
                _ if is_json => "json".to_owned(),
                "geomcollection" => "geometrycollection".to_owned(),
                _ => data_type,
            };
            let column = Column {
                name,
                // The producer does not know that ZEROFILL means UNSIGNED.
                signed: !whole.contains("unsigned") || whole.contains("zerofill"),
                charset: charset.unwrap_or_default(),
                digits: digits.unwrap_or(0),
                labels: labels(&kind, &whole),
                word: kind.clone(),
                kind,
            };
            let table = self.tables.get_mut(&(database, table));
            table.into_iter().for_each(|table| table.columns.push(column.clone()));
        }
    }

    /// Types that the server has under another name than the statement: FLOAT(53) is DOUBLE, CHAR CHARACTER SET binary
    /// is BINARY. What the statement does not name stays as it was before.
    pub(super) fn keep_words(&mut self, before: &Schema, statement: &[String]) {
        let other = |word: &str, kind: &str| {
            matches!(
                (word, kind),
                ("float", "double")
                    | ("char", "binary")
                    | ("varchar", "varbinary")
                    | ("tinytext", "tinyblob")
                    | ("text", "blob")
                    | ("mediumtext", "mediumblob")
                    | ("longtext", "longblob")
            )
        };
        let bytes = statement.iter().any(|word| word.eq_ignore_ascii_case("BYTE"));
        for (name, table) in &mut self.tables {
            for column in &mut table.columns {
                let former = before
                    .tables
                    .get(name)
                    .and_then(|table| table.columns.iter().find(|c| c.name == column.name));
                let named = statement.windows(2).filter(|pair| pair[0] == column.name);
                let mut words =
                    named.map(|pair| pair[1].to_lowercase()).chain(former.map(|c| c.word.clone()));
                // With BYTE the producer names the server's own type.
                match words.find(|word| other(word, &column.kind)).filter(|_| !bytes) {
                    Some(word) => column.word = word,
                    None => continue,
                }
            }
            table.describe(name);
        }
    }

    pub(super) fn charset(&self, database: &str) -> &str {
        &self.databases[database]
    }

    #[track_caller]
    pub(super) fn table(&self, database: &str, name: &str) -> &Table {
        let found = self.tables.get(&(database.to_owned(), name.to_owned()));
        found.unwrap_or_else(|| panic!("{database}.{name} is not defined"))
    }

    pub(super) fn rename(&mut self, from: &(String, String), to: &(String, String)) {
        let mut table = self.tables.remove(from).expect("a table to rename");
        table.describe(to);
        self.tables.insert(to.clone(), table);
    }
}

/// MariaDB's JSON is LONGTEXT with a check; the producer knows it from the statement.
fn json_columns(session: &mut Conn) -> Vec<(String, String, String)> {
    let version: String = session.query_first("SELECT VERSION()").unwrap().unwrap();
    if !version.contains("MariaDB") {
        return Vec::new();
    }
    let checks: Vec<(String, String, String)> = session
        .query(format!("SELECT constraint_schema, table_name, check_clause FROM information_schema.check_constraints WHERE check_clause LIKE 'json\\_valid(%' AND constraint_schema {USER}"))
        .unwrap();
    let column = |clause: &str| {
        let inner = clause.trim_start_matches("json_valid(`").trim_end_matches("`)");
        inner.replace("``", "`")
    };
    checks.into_iter().map(|(database, table, clause)| (database, table, column(&clause))).collect()
}

fn labels(kind: &str, whole: &str) -> Vec<String> {
    if !["enum", "set"].contains(&kind) {
        return Vec::new();
    }
    let inner = &whole[kind.len() + 2..whole.len() - 2];
    inner.split("','").map(unquoted).collect()
}

/// A label as the producer takes it from the text: its escapes stay, a quote at its begin is taken for one around it.
fn unquoted(label: &str) -> String {
    let Some(quote) = label.chars().next().filter(|first| ['"', '`'].contains(first)) else {
        return label.to_owned();
    };
    let mut inside = label[1..].chars();
    inside.next_back();
    inside.as_str().replace(&format!("{quote}{quote}"), &quote.to_string())
}

impl Table {
    pub(super) fn place(&self, name: &str) -> usize {
        self.columns.iter().position(|column| column.name == name).expect("a column of the table")
    }

    fn describe(&mut self, (database, name): &(String, String)) {
        self.json = format!(
            "{{\"database\":{},\"charset\":\"{}\",\"table\":{},\"primary-key\":[{}],\"columns\":[{}]}}",
            quoted(database),
            self.charset,
            quoted(name),
            list(self.key.iter().map(|column| quoted(column))),
            list(self.columns.iter().map(Column::describe))
        );
    }
}

impl Column {
    fn describe(&self) -> String {
        let rest = match self.kind.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => {
                format!(",\"signed\":{}", self.signed)
            }
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
                format!(",\"charset\":\"{}\"", self.charset)
            }
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
                ",\"charset\":\"binary\"".to_owned()
            }
            "datetime" | "timestamp" | "time" => format!(",\"column-length\":{}", self.digits),
            "enum" | "set" => {
                let labels = list(self.labels.iter().map(|label| quoted(label)));
                format!(",\"enum-values\":[{labels}]")
            }
            _ => String::new(),
        };
        format!("{{\"type\":\"{}\",\"name\":{}{rest}}}", self.word, quoted(&self.name))
    }
}
