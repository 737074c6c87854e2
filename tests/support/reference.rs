//! The oracle of the cutting tests: a row-at-a-time applier, as plain as can be and sharing no code with the tool.
//! It knows the value types of the `edges` recordings, no more.

use super::{
    servers::{Server, quoted},
    stream::{Event, Transaction},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use mysql::{Conn, Opts, prelude::Queryable};
use serde_json::Value;
use std::{collections::HashMap, fmt::Write};

pub struct Reference {
    session: Conn,
}

impl Reference {
    pub fn new(server: &Server) -> Reference {
        let mut session = Conn::new(Opts::from_url(&server.url()).unwrap()).unwrap();
        session.query_drop("SET NAMES utf8mb4").unwrap();
        session
            .query_drop(
                "SET time_zone='+00:00', sql_mode='NO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES'",
            )
            .unwrap();
        Reference { session }
    }

    pub fn apply(&mut self, transaction: &Transaction) {
        if transaction.is_ddl() {
            return self.define(&transaction.events[0]);
        }
        self.session.query_drop("BEGIN").unwrap();
        for event in &transaction.events {
            let statement = self.statement(event);
            self.session
                .query_drop(&statement)
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
            assert_eq!(self.session.affected_rows(), 1, "{statement}");
        }
        self.session.query_drop("COMMIT").unwrap();
    }

    fn define(&mut self, event: &Event) {
        let database = quoted(event.text("database"));
        if !event.text("type").starts_with("database-") {
            self.session.query_drop(format!("USE {database}")).unwrap();
        }
        let seconds = event.json["ts"].as_i64().unwrap() / 1000;
        self.session.query_drop(format!("SET timestamp={seconds}")).unwrap();
        let sql = event.text("sql").trim_end().trim_end_matches("START TRANSACTION");
        self.session.query_drop(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        if event.text("type") == "database-create" {
            self.session
                .query_drop(format!(
                    "ALTER DATABASE {database} CHARACTER SET {}",
                    event.text("charset")
                ))
                .unwrap();
        }
        self.session.query_drop("SET timestamp=DEFAULT").unwrap();
    }

    fn statement(&mut self, event: &Event) -> String {
        let table = format!("{}.{}", quoted(event.text("database")), quoted(event.text("table")));
        let kinds = self.column_kinds(event);
        let after = &event.json["data"];
        let list = |row: &Value, between: &str, how: &str| {
            let columns =
                row.as_object().unwrap().iter().filter(|(name, _)| kinds[*name] != "generated");
            let parts = columns.map(|(name, value)| {
                format!("{}{how}{}", quoted(name), literal(value, &kinds[name]))
            });
            parts.collect::<Vec<_>>().join(between)
        };
        match event.text("type") {
            "insert" => format!("INSERT INTO {table} SET {}", list(after, ", ", "=")),
            "delete" => {
                format!("DELETE FROM {table} WHERE {} LIMIT 1", list(after, " AND ", "<=>"))
            }
            _ => {
                let mut before = after.clone();
                for (name, value) in event.json["old"].as_object().unwrap() {
                    before[name] = value.clone();
                }
                format!(
                    "UPDATE {table} SET {} WHERE {} LIMIT 1",
                    list(after, ", ", "="),
                    list(&before, " AND ", "<=>")
                )
            }
        }
    }

    fn column_kinds(&mut self, event: &Event) -> HashMap<String, String> {
        let rows: Vec<(String, String, String)> = self
            .session
            .exec(
                "SELECT column_name, data_type, extra FROM information_schema.columns WHERE table_schema=? AND table_name=?",
                (event.text("database"), event.text("table")),
            )
            .unwrap();
        let generated =
            |extra: &str| extra.contains("STORED GENERATED") || extra.contains("VIRTUAL GENERATED");
        rows.into_iter()
            .map(|(name, kind, extra)| {
                (name, if generated(&extra) { "generated".into() } else { kind })
            })
            .collect()
    }
}

fn literal(value: &Value, kind: &str) -> String {
    let Value::String(text) = value else {
        return value.to_string();
    };
    let (prefix, bytes) = match kind {
        "blob" => ("", STANDARD.decode(text).unwrap()),
        _ => ("_utf8mb4 ", text.as_bytes().to_vec()),
    };
    bytes.iter().fold(format!("{prefix}X'"), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    }) + "'"
}
