//! The keys of rows as they come in: read from each message, hashed for the index.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::keys;
use crate::event::def::TableDef;
use crate::event::row::{Columns, Value};
use crate::event::{Body, Event, Key, TableName, typed};
use crate::spool::store::frame::Record;
use crate::spool::types::Seq;

/// The columns that make up a key: lower case, in the order of their names.
#[derive(Debug)]
struct KeyColumns {
    table: TableName,
    /// As the producer lists them, for the next message to be recognised by.
    listed: String,
    /// Place in the producer's list of each.
    places: Vec<usize>,
    names: Vec<String>,
    /// Names as they stand in a message.
    own: Vec<String>,
    marker: u32,
}

/// What is known of the tables' keys, and the hashes of the frame being read.
#[derive(Debug, Default)]
pub(crate) struct Keyed {
    /// By number of the table: the columns in force.
    current: HashMap<u32, KeyColumns>,
    /// Column lists not in the index yet: table, columns, from when on.
    pub(crate) news: Vec<(u32, Vec<String>, Seq)>,
    hashes: Vec<u32>,
    /// Tables whose marker the frame has.
    marked: Vec<u32>,
}

impl Keyed {
    /// Goes on with what the index knows.
    pub(crate) fn learn(&mut self, id: u32, table: TableName, columns: Vec<String>) {
        self.current.insert(id, KeyColumns::new(table, String::new(), columns));
    }

    /// The columns of each table's keys as they are now, by its number.
    pub(crate) fn in_force(&self) -> Vec<(u32, Vec<String>)> {
        let keys = self.current.iter().map(|(id, columns)| (*id, columns.names.clone()));
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        keys
    }

    /// Takes a definition.
    pub(crate) fn define(&mut self, id: u32, seq: Seq, def: &TableDef) {
        self.set(id, seq, def.name(), String::new(), def.primary_key.clone());
    }

    fn set(&mut self, id: u32, seq: Seq, table: TableName, listed: String, columns: Vec<String>) {
        let new = KeyColumns::new(table, listed, columns);
        if self.current.get(&id).is_none_or(|old| old.names != new.names) {
            self.news.push((id, new.names.clone(), seq));
            self.marked.retain(|marked| *marked != id);
        }
        self.current.insert(id, new);
    }

    /// Takes a row.
    pub(crate) fn row(&mut self, id: u32, record: &Record<'_>, event: &Event<'_>) {
        let seq = record.seq;
        let Body::Row { data, old } = event.body else { return };
        let listed = |key: &Key<'_>| {
            self.current.get(&id).is_some_and(|columns| columns.listed == key.columns)
        };
        if let Some(key) = event.key.filter(|key| !listed(key)) {
            let columns: Vec<String> = serde_json::from_str(key.columns).unwrap_or_default();
            self.set(id, seq, event.meta.name(), key.columns.to_owned(), columns);
        } else if !self.current.contains_key(&id) {
            self.set(id, seq, event.meta.name(), String::new(), Vec::new());
        }
        let Some(columns) = self.current.get(&id) else { return };
        if !self.marked.contains(&id) {
            self.marked.push(id);
            self.hashes.push(columns.marker);
        }
        if columns.names.is_empty() {
            return;
        }
        // Of what came encrypted the index holds no hash either: few values are soon tried.
        match columns.values(event.key, data).filter(|_| !record.opened) {
            Some(mut values) => {
                self.hashes.push(columns.hash(&values));
                if columns.overlay(&mut values, old) {
                    self.hashes.push(columns.hash(&values));
                }
            }
            // So of a row that lacks a column of its key: it is found with those of unknown key.
            None => self.hashes.push(keys::marker(&columns.table, &[])),
        }
    }

    /// The packed hashes of the frame that ends here.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let packed = keys::pack(&mut self.hashes);
        self.hashes.clear();
        self.marked.clear();
        packed
    }
}

impl KeyColumns {
    fn new(table: TableName, listed: String, own: Vec<String>) -> Self {
        let mut order: Vec<(String, usize)> =
            own.iter().enumerate().map(|(place, name)| (name.to_lowercase(), place)).collect();
        order.sort();
        let (names, places): (Vec<String>, Vec<usize>) = order.into_iter().unzip();
        let own = places.iter().map(|&place| own[place].clone()).collect();
        let marker = keys::marker(&table, &names);
        Self { table, listed, places, names, own, marker }
    }

    /// The key's folded values after the event, in the order of the names.
    fn values(&self, key: Option<Key<'_>>, data: &str) -> Option<Vec<String>> {
        if let Some(key) = key.filter(|_| !self.listed.is_empty()) {
            let values: Vec<&RawValue> = serde_json::from_str(key.values).ok()?;
            let value = |&place: &usize| Some(typed::fold(Value(values.get(place)?.get())));
            return self.places.iter().map(value).collect();
        }
        let data = Columns::parse(data).ok()?;
        self.own.iter().map(|name| typed::column(&data, name).map(typed::fold)).collect()
    }

    /// Lays the values before an update over those after it; false when the key stayed.
    fn overlay(&self, values: &mut [String], old: Option<&str>) -> bool {
        // A name with escapes would be missed by a look at the text.
        let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let may_hold =
            |old: &&str| self.own.iter().any(|name| !plain(name) || old.contains(&**name));
        let Some(old) = old.filter(may_hold).and_then(|old| Columns::parse(old).ok()) else {
            return false;
        };
        let mut changed = false;
        for (name, value) in self.own.iter().zip(values) {
            if let Some(before) = typed::column(&old, name).map(typed::fold)
                && before != *value
            {
                *value = before;
                changed = true;
            }
        }
        changed
    }

    fn hash(&self, values: &[String]) -> u32 {
        let names = self.names.iter().map(String::as_str);
        keys::hash(&self.table, names.zip(values.iter().map(String::as_str)))
    }
}

/// The key of one row as a user names it: each column with the forms its value may have folded.
#[derive(Clone, Debug)]
pub struct RowKey<'a> {
    /// The columns, lower case, in the order of their names.
    pub columns: Vec<(Cow<'a, str>, Vec<String>)>,
}

impl RowKey<'_> {
    /// The names alone.
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.to_string()).collect()
    }

    /// The hashes of all combinations of the forms.
    pub(crate) fn hashes(&self, table: &TableName) -> Vec<u32> {
        let mut keys: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
        for (name, forms) in &self.columns {
            let longer = keys.iter().flat_map(|key| {
                forms.iter().map(move |form| {
                    let mut key = key.clone();
                    key.push((name, form));
                    key
                })
            });
            keys = longer.collect();
        }
        keys.into_iter().map(|key| keys::hash(table, key)).collect()
    }
}
