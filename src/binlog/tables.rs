//! The tables that row events name by number, each with how its rows are read.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::bytes::Bytes;
use super::header::kind;
use super::layout::Layout;
use super::log::Format;
use super::schema::{Origin, Schema};
use super::table::Map;
use super::{json, learned};
use crate::event::TableName;

/// So many are remembered by what their event says.
const REMEMBERED: usize = 4096;

/// A table as its event names it.
pub(super) struct Bound {
    /// Database and table, as they are shown.
    pub(super) shown: String,
    /// Database and table, as fields of a message; empty where the event cannot be read.
    pub(super) name: String,
    /// How its rows are read, or why they are not.
    pub(super) layout: Result<Layout, String>,
    /// The event itself.
    pub(super) map: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Tables {
    /// By the number that the rows of this transaction name.
    numbered: HashMap<u64, Arc<Bound>>,
    /// By what the event says behind its number, as long as no definition has changed.
    known: HashMap<Vec<u8>, Arc<Bound>>,
    version: u64,
    /// The tables whose rows are read, each with what told its columns.
    pub(super) read: BTreeSet<(TableName, Origin)>,
}

impl Tables {
    /// Numbers begin anew.
    pub(super) fn clear(&mut self) {
        self.numbered.clear();
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<Bound>> {
        self.numbered.get(&id).cloned()
    }

    /// Takes a TABLE_MAP. Of one that is broken the number may be told all the same.
    pub(super) fn map(&mut self, body: &[u8], format: &Format, schema: &mut Schema) {
        if self.version != schema.version() || self.known.len() > REMEMBERED {
            self.known.clear();
            self.version = schema.version();
        }
        let post_header = format.post_header(kind::TABLE_MAP);
        let mut bytes = Bytes::new(body);
        let Ok(id) = Map::id(&mut bytes, post_header) else { return };
        if let Some(known) = self.known.get(bytes.rest()) {
            self.numbered.insert(id, known.clone());
            return;
        }
        let (bound, read) = bind(body, post_header, format.mariadb, schema);
        let bound = Arc::new(bound);
        self.read.extend(read);
        self.version = schema.version();
        self.known.insert(bytes.rest().to_vec(), bound.clone());
        self.numbered.insert(id, bound);
    }
}

/// The table of an event; with what tells its columns, where its rows are read.
fn bind(
    body: &[u8],
    post_header: usize,
    mariadb: bool,
    schema: &mut Schema,
) -> (Bound, Option<(TableName, Origin)>) {
    let map = match Map::read(body, post_header, mariadb) {
        Ok(map) => map,
        Err(broken) => {
            let bound = Bound {
                shown: String::new(),
                name: String::new(),
                layout: Err(format!("its TABLE_MAP cannot be read: {broken}")),
                map: body.to_vec(),
            };
            return (bound, None);
        }
    };
    let known = schema.known(&map.database, &map.table);
    let layout = Layout::new(&map, known.map(|(def, _)| def.as_ref()));
    let named = (!map.metadata.names.is_empty()).then_some(Origin::Events);
    let origin = named.or(known.map(|(_, origin)| *origin)).filter(|_| layout.is_ok());
    let read = origin.map(|origin| (TableName::new(&*map.database, &*map.table), origin));
    if known.is_none()
        && let Some(def) = learned::definition(&map)
    {
        schema.learn(def);
    }
    let mut name = "\"database\":".to_owned();
    json::string(&mut name, &map.database);
    name.push_str(",\"table\":");
    json::string(&mut name, &map.table);
    let shown = format!("{}.{}", map.database, map.table);
    (Bound { shown, layout, name, map: body.to_vec() }, read)
}
