//! A server that is compared, asked only.

use std::collections::HashMap;

use mysql::prelude::Queryable;
use mysql::{Conn, Row, Value};

use super::columns::{self, Charsets, End, Pair};
use super::keys::{self, Key};
use crate::dest::mysql::standing;
use crate::dest::{Run, Standing};
use crate::error::{Error, Result};
use crate::event::TableName;
use crate::event::def::{Column, Kind, TableDef};
use crate::mysql::connect::{PATIENT, connect, failed};
use crate::mysql::definitions::{definitions, unique_indexes};
use crate::mysql::foreign_keys::ForeignKeys;
use crate::mysql::server::Server;
use crate::source::copy::token::token;
use crate::sql::{Dialect, quote};

/// A server of one end.
pub(super) struct Side {
    conn: Conn,
    place: String,
    pub(super) end: End,
    /// It has a JSON type of its own.
    json: bool,
}

/// The rows of a stretch: how many, and the sum of their checksums.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    sum: String,
}

/// A row: for each compared column the token that the producer has for it.
pub(super) type Tokens = Vec<String>;

impl Side {
    pub(super) fn open(server: &Server, end: End) -> Result<Self> {
        let (mut conn, is_mariadb) = connect(server, true)?;
        let place = server.place();
        conn.query_drop(PATIENT).map_err(|e| failed(&place, &e))?;
        Ok(Self { conn, place, end, json: !is_mariadb })
    }

    fn query<T: mysql::prelude::FromRow>(&mut self, sql: &str) -> Result<Vec<T>> {
        self.conn.query(sql).map_err(|e| failed(&self.place, &e))
    }

    /// A table as it is there; `None`: there is none.
    pub(super) fn definition(&mut self, name: &TableName) -> Result<Option<TableDef>> {
        let found = definitions(&mut self.conn, Some(name));
        Ok(found.map_err(|e| failed(&self.place, &e))?.pop())
    }

    /// The character sets of a table's columns, where they have one.
    pub(super) fn charsets(&mut self, name: &TableName) -> Result<Charsets> {
        let sql = "SELECT COLUMN_NAME, CHARACTER_SET_NAME FROM information_schema.COLUMNS WHERE \
                   TABLE_SCHEMA=? AND TABLE_NAME=? AND CHARACTER_SET_NAME IS NOT NULL";
        let found: Result<Vec<(String, String)>, _> =
            self.conn.exec(sql, (&name.database, &name.table));
        Ok(found.map_err(|e| failed(&self.place, &e))?.into_iter().collect())
    }

    /// The columns of the primary key, else of a unique index without NULL.
    pub(super) fn key(&mut self, def: &TableDef) -> Result<Vec<String>> {
        if !def.primary_key.is_empty() {
            return Ok(def.primary_key.clone());
        }
        let found = unique_indexes(&mut self.conn, &def.name());
        let found = found.map_err(|e| failed(&self.place, &e))?;
        let whole = found.into_values().filter_map(|columns| columns.into_iter().collect());
        let filled = |columns: &Vec<String>| {
            columns.iter().all(|name| {
                def.column(name).is_some_and(|c| c.nullable == Some(false) && !c.generated)
            })
        };
        Ok(whole.into_iter().find(filled).unwrap_or_default())
    }

    /// The tables whose changes may change rows of this one by a foreign key, which the stream does
    /// not tell from some servers.
    pub(super) fn parents(&mut self, name: &TableName) -> Result<Vec<TableName>> {
        let keys = ForeignKeys::read(&mut self.conn).map_err(|e| failed(&self.place, &e))?.acting;
        let mut found = vec![name.clone()];
        let mut at = 0;
        while let Some(child) = found.get(at).cloned() {
            let parents = keys.iter().filter(|key| key.child == child).map(|key| &key.parent);
            let new: Vec<_> = parents.filter(|parent| !found.contains(parent)).cloned().collect();
            found.extend(new);
            at += 1;
        }
        found.remove(0);
        Ok(found)
    }

    /// The key so many rows behind another one, where there are as many.
    pub(super) fn ahead(
        &mut self,
        pair: &Pair,
        from: Option<&Key>,
        rows: u64,
    ) -> Result<Option<Key>> {
        let sorted = pair.sorted();
        let order: Vec<String> = sorted.iter().map(|&at| pair.columns[at].name(self.end)).collect();
        let sql = format!(
            "SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
            keys::list(pair, sorted, self.end),
            self.table(pair),
            keys::between(pair, self.end, from, None),
            order.join(","),
            rows - 1
        );
        let row: Option<Row> = self.query(&sql)?.pop();
        row.map(|row| row.unwrap().iter().map(|value| self.bytes(value)).collect()).transpose()
    }

    /// Sums the rows up that a condition names.
    pub(super) fn sum(&mut self, pair: &Pair, condition: &str) -> Result<Sum> {
        let checksum = columns::checksum(pair, self.end, self.json);
        let sql = format!(
            "SELECT COUNT(*), {} FROM {} WHERE {condition}",
            columns::sum(&checksum),
            self.table(pair)
        );
        let (rows, sum) = self.query(&sql)?.pop().unwrap_or_default();
        Ok(Sum { rows, sum })
    }

    /// The checksum of each of these rows, by its key.
    pub(super) fn checksums(&mut self, pair: &Pair, condition: &str) -> Result<HashMap<Key, u32>> {
        let sql = format!(
            "SELECT {}, {} FROM {} WHERE {condition}",
            columns::checksum(pair, self.end, self.json),
            keys::list(pair, &pair.key, self.end),
            self.table(pair)
        );
        let rows: Vec<Row> = self.query(&sql)?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in rows {
            let values = row.unwrap();
            let checksum = String::from_utf8_lossy(&self.bytes(&values[0])?).parse();
            let checksum = checksum.map_err(|_| Error::failed("a checksum that is no number"))?;
            let key: Result<Key> = values[1..].iter().map(|value| self.bytes(value)).collect();
            if found.insert(key?, checksum).is_some() {
                return Err(self.doubled(pair));
            }
        }
        Ok(found)
    }

    fn doubled(&self, pair: &Pair) -> Error {
        Error::stopped(format!(
            "{}: several rows have one key of the source's, which is no key there",
            self.table(pair)
        ))
    }

    /// These rows, by their keys; a key that the server takes for the same finds its own row.
    pub(super) fn rows(&mut self, pair: &Pair, condition: &str) -> Result<HashMap<Key, Tokens>> {
        let columns: Vec<String> = pair
            .columns
            .iter()
            .map(|column| whole(&column.name(self.end), column.at(self.end)))
            .collect();
        let sql = format!(
            "SELECT {}, {} FROM {} WHERE {condition}",
            keys::list(pair, &pair.key, self.end),
            columns.join(","),
            self.table(pair)
        );
        let rows: Vec<Row> = self.query(&sql)?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in rows {
            let values = row.unwrap();
            let (key, row) = values.split_at(pair.key.len());
            let key: Result<Key> = key.iter().map(|value| self.bytes(value)).collect();
            let tokens = pair.columns.iter().zip(row).map(|(column, value)| {
                let bytes = match value {
                    Value::NULL => None,
                    value => Some(self.bytes(value)?),
                };
                token(column.at(self.end), self.json, bytes.as_deref())
            });
            if found.insert(key?, tokens.collect::<Result<Tokens>>()?).is_some() {
                return Err(self.doubled(pair));
            }
        }
        Ok(found)
    }

    /// The same, and where a run stands, both as they were at one moment.
    pub(super) fn rows_of(
        &mut self,
        run: &Run,
        pair: &Pair,
        condition: &str,
    ) -> Result<(Standing, HashMap<Key, Tokens>)> {
        self.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
        self.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")?;
        let standing = standing(&mut self.conn, run)?.ok_or_else(|| {
            Error::stopped(format!("the target knows nothing of the run {:?} any more", run.name))
                .help("it was restored, made anew, or its progress removed")
        })?;
        let rows = self.rows(pair, condition)?;
        self.run("COMMIT")?;
        Ok((standing, rows))
    }

    /// Where a run stands now.
    pub(super) fn standing(&mut self, run: &Run) -> Result<Option<Standing>> {
        standing(&mut self.conn, run)
    }

    fn run(&mut self, sql: &str) -> Result<()> {
        self.conn.query_drop(sql).map_err(|e| failed(&self.place, &e))
    }

    fn table(&self, pair: &Pair) -> String {
        let mut out = String::new();
        quote::table(&mut out, Dialect::Mysql, pair.name(self.end));
        out
    }

    fn bytes(&self, value: &Value) -> Result<Vec<u8>> {
        match value {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            other => {
                Err(Error::failed(format!("{}: a value that is no text: {other:?}", self.place)))
            }
        }
    }
}

/// A column as it is read: a FLOAT is printed with six digits, and holds more.
fn whole(name: &str, column: &Column) -> String {
    match column.kind {
        Kind::Float => format!("{name}*1e0"),
        _ => name.to_owned(),
    }
}
