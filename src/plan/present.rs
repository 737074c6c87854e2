//! Rows that are looked for at the target, by key.

use std::collections::{HashMap, HashSet};

use super::{Image, Table};
use crate::error::Result;
use crate::event::TableName;
use crate::event::def::Kind;
use crate::event::row::Value;

/// The keys, as text, of the rows that are looked for: that one of them is in the place of a row
/// that comes back is no conflict, since it leaves.
#[derive(Debug, Default)]
pub struct Present(HashMap<TableName, HashSet<Vec<String>>>);

impl Present {
    /// True when the row that the target found by the key of `image` is looked for. Only in text do
    /// keys differ that a server takes for the same; other values it may print in its own way.
    pub fn has(&self, table: &Table, image: &Image<'_>, row: &[(String, Option<String>)]) -> bool {
        let Ok(mut key) = text_key(image, table) else { return false };
        for (part, &i) in key.iter_mut().zip(&table.key) {
            let column = &table.columns[i];
            let found = row.iter().find(|(name, _)| *name == column.name);
            if let (Kind::Text, Some((_, Some(text)))) = (column.kind, found) {
                part.clone_from(text);
            }
        }
        self.0.get(&table.name).is_some_and(|keys| keys.contains(&key))
    }

    /// The keys of one table, to be added to.
    pub(super) fn of(&mut self, table: &TableName) -> &mut HashSet<Vec<String>> {
        self.0.entry(table.clone()).or_default()
    }
}

/// The key as text.
///
/// # Errors
/// When a row's key is not known.
pub(super) fn text_key(image: &Image<'_>, table: &Table) -> Result<Vec<String>> {
    let text = |value: Value<'_>| {
        value.string().map_or_else(|| value.0.to_owned(), |text| text.into_owned())
    };
    Ok(image.key(table)?.into_iter().map(text).collect())
}
