//! From events to what has to be true afterwards: row changes bound to a table's columns.
//!
//! Pure: a [`Table`] comes from a target or a definition, events come borrowed from a frame.

use crate::error::{Error, Means, Result};
use crate::event::def::{Column, Kind, TableDef, are_of_a_sequence};
use crate::event::row::{Value, columns, is_set_wide};
use crate::event::typed::same_name;
use crate::event::{Seq, TableName};

pub mod bind;
mod look;
pub mod net;
pub mod op;
pub mod present;
pub mod window;

/// A table as changes are planned for it: the columns that may appear in events, and its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name at the target.
    pub name: TableName,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Indexes of the columns that name a row: the primary key, or a unique key without NULL.
    /// Empty without one.
    pub key: Vec<usize>,
    /// Every unique index whose columns are all known; a change of one of them moves the row.
    pub uniques: Vec<Vec<usize>>,
    /// Indexes of the columns that the source's table does not have, where its definition is
    /// known: no event carries them, and no change touches them.
    pub target_only: Vec<usize>,
    /// The source's definition is known: a column that an event does not have is missing.
    pub defined: bool,
    /// A column that an INSERT does not name gets the default it has at the source.
    pub fills: bool,
    /// Changes are written one by one in the source's order: foreign keys with actions, or a
    /// unique index over something the events do not carry.
    pub in_order: bool,
    /// Foreign keys have to act when its rows are written.
    pub checks: bool,
    /// False for an engine without transactions: its rows are written by key as the final image,
    /// so that they may be written again after a crash.
    pub transactional: bool,
    /// What becomes of the stream's columns here; see [`crate::route`].
    pub routed: Routed,
    /// It takes recovered rows and nothing else: they are written whatever is there.
    pub rescue: bool,
}

/// What becomes of the stream's columns in a table, by the places of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// Columns of the stream that stand elsewhere here, or nowhere.
    pub names: Vec<(String, Option<usize>)>,
    /// What stands in the place of NULL.
    pub null: Vec<(usize, Value<'static>)>,
    /// What every row has in a column that the stream does not have.
    pub set: Vec<(usize, Value<'static>)>,
}

impl Table {
    /// A table as its definition has it, for targets that are made from definitions.
    pub fn from_def(def: &TableDef) -> Self {
        let at = |name: &String| def.columns.iter().position(|c| c.name == *name);
        let key: Option<Vec<usize>> = def.primary_key.iter().map(at).collect();
        let key = key.unwrap_or_default();
        Self {
            name: def.name(),
            columns: def.columns.clone(),
            uniques: if key.is_empty() { Vec::new() } else { vec![key.clone()] },
            key,
            target_only: Vec::new(),
            defined: true,
            fills: true,
            in_order: false,
            checks: false,
            transactional: true,
            routed: Routed::default(),
            rescue: false,
        }
    }

    /// What a column has where the stream has NULL.
    pub(crate) fn null(&self, at: usize) -> Value<'static> {
        let instead = self.routed.null.iter().find(|(column, _)| *column == at);
        instead.map_or(Value::NULL, |(_, value)| *value)
    }

    /// Notes which columns of the stream stand elsewhere here (by name) or nowhere, what stands in the
    /// place of NULL in some, and what columns get that the stream does not have.
    ///
    /// # Errors
    /// When the table has no column of such a name.
    pub fn route(
        &mut self,
        names: &[(&str, Option<&str>)],
        null: &[(&str, &'static str)],
        set: &[(&str, &'static str)],
    ) -> Result<()> {
        let at = |name: &str| self.columns.iter().position(|c| same_name(&c.name, name));
        let mut routed = Routed::default();
        for (from, to) in names {
            let place = to.map(|to| {
                at(to).ok_or_else(|| {
                    Error::stopped(format!("{}: has no column {to:?} for {from:?}", self.name))
                        .help(("name one it has with {}, or add it to the table", [Means::Map]))
                })
            });
            routed.names.push(((*from).to_owned(), place.transpose()?));
        }
        for (column, value) in null {
            let moved = routed.names.iter().find(|(from, _)| same_name(from, column));
            // A table of another time may not have it.
            let place = moved.map_or_else(|| at(column), |(_, to)| *to);
            routed.null.extend(place.map(|place| (place, Value(value))));
        }
        for (column, value) in set {
            let place = at(column).ok_or_else(|| {
                Error::stopped(format!("{}: has no column {column:?} to be set", self.name))
                    .help("add it to the table, or name one that it has in its route")
            })?;
            routed.set.push((place, Value(value)));
        }
        // What nothing of the stream goes to any more is the table's own.
        let taken = |i: usize| routed.names.iter().any(|(_, to)| *to == Some(i));
        for i in routed.names.iter().filter_map(|(from, _)| at(from)) {
            if !taken(i) && !self.target_only.contains(&i) {
                self.target_only.push(i);
            }
        }
        self.routed = routed;
        Ok(())
    }

    /// True when no other row can be in a row's way but one with the same key.
    pub fn stands_alone(&self) -> bool {
        self.uniques.iter().all(|unique| self.has_key() && *unique == self.key)
    }

    /// As [`crate::event::def::TableDef::is_sequence`].
    pub fn is_sequence(&self) -> bool {
        are_of_a_sequence(self.columns.iter().map(|c| &*c.name))
    }

    /// True when the row is found by a key rather than by its whole content.
    pub fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    fn position(&self, name: &str, guess: usize) -> Option<usize> {
        if self.columns.get(guess).is_some_and(|c| c.name == name) {
            return Some(guess);
        }
        let exact = self.columns.iter().position(|c| c.name == name);
        exact.or_else(|| self.columns.iter().position(|c| same_name(&c.name, name)))
    }

    /// The values of an image by the places of this table's columns; `whole` is the event's object
    /// with all columns.
    ///
    /// # Errors
    /// When the table has no such column.
    fn image<'a>(&self, object: &'a str, whole: &str) -> Result<Image<'a>> {
        let mut image = Image(vec![None; self.columns.len()].into());
        for (i, column) in columns(object).enumerate() {
            let (name, value) = column?;
            let value = |at: usize| match self.columns[at].kind {
                Kind::Json | Kind::JsonOrText => match value.spaced(object) {
                    spaced if spaced == value || is_set_wide(whole) => value,
                    spaced => spaced,
                },
                _ => value,
            };
            if let Some((_, to)) = self.routed.names.iter().find(|(from, _)| same_name(from, &name))
            {
                to.iter().for_each(|&at| image.0[at] = Some(value(at)));
                continue;
            }
            let at = self.position(&name, i).ok_or_else(|| {
                Error::stopped(format!(
                    "{}: the event has a column {:?} that the table lacks",
                    self.name, name
                ))
                .help(
                    "add the column to the table, or say where it goes with "
                        + Means::Map
                        + format!(" {name}=NEW, or leave it out with ")
                        + Means::DropColumn
                        + format!(" {name}; then run the same command again"),
                )
            })?;
            image.0[at] = Some(value(at));
        }
        for (at, value) in &self.routed.null {
            if image.0[*at].is_some_and(|value| value.is_null()) {
                image.0[*at] = Some(*value);
            }
        }
        Ok(image)
    }
}

/// One version of a row: a value for each column of its table, `None` where the event has none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image<'a>(pub Box<[Option<Value<'a>>]>);

impl<'a> Image<'a> {
    /// The values of the given columns.
    ///
    /// # Errors
    /// When one is missing or NULL, so that the row cannot be named.
    pub fn key(&self, table: &Table) -> Result<Vec<Value<'a>>> {
        table
            .key
            .iter()
            .map(|&i| {
                self.0[i].filter(|v| !v.is_null()).ok_or_else(|| {
                    Error::stopped(format!(
                        "{}: a row without a value for the key column {:?}",
                        table.name, table.columns[i].name
                    ))
                    .help("the producer must send full row images (binlog_row_image=FULL)")
                })
            })
            .collect()
    }

    /// True when both agree in every column that both have.
    pub fn agrees(&self, other: &Image<'_>) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| match (a, b) {
            (Some(a), Some(b)) => a.same(*b),
            _ => true,
        })
    }

    /// True when every column that is written has a value.
    pub fn is_full(&self, table: &Table) -> bool {
        self.0.iter().zip(&table.columns).all(|(v, c)| v.is_some() || c.generated)
    }

    /// True when every column that the source has carries a value.
    pub fn is_whole(&self, table: &Table) -> bool {
        self.0.iter().zip(&table.columns).enumerate().all(|(i, (value, column))| {
            value.is_some() || column.generated || table.target_only.contains(&i)
        })
    }
}

/// One row change, bound to a table. An insert has no `before`, a delete no `after`.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// Sequence of the message in the spool.
    pub seq: Seq,
    /// The row before.
    pub before: Option<Image<'a>>,
    /// The row after.
    pub after: Option<Image<'a>>,
    /// The row's final image wins, whatever is there: while the producer copies the table, its
    /// snapshot runs ahead of the events.
    pub overwrite: bool,
    /// The row after it lacks columns, whose values stay as they are.
    pub partial: bool,
}

impl<'a> Change<'a> {
    /// The change that takes this one back.
    ///
    /// # Errors
    /// When an image is not whole, so that the former row is not known.
    pub fn inverse(self, table: &Table) -> Result<Self> {
        let known = |image: &Option<Image<'_>>| image.as_ref().is_none_or(|i| i.is_whole(table));
        if !known(&self.before) || !known(&self.after) {
            return Err(Error::stopped(format!(
                "{}: a row image lacks columns, what it was before is not known",
                table.name
            ))
            .help("leave the table out with " + Means::ExcludeTable));
        }
        Ok(Self { before: self.after, after: self.before, ..self })
    }

    /// The change at a place that its row goes from.
    #[must_use]
    pub fn goes(self) -> Self {
        Self { after: None, partial: false, ..self }
    }

    /// The change at a place that its row comes to.
    ///
    /// # Errors
    /// When the event does not tell all of the row.
    pub fn comes(self, table: &Table) -> Result<Self> {
        if self.after.as_ref().is_none_or(|after| !after.is_whole(table)) {
            return Err(Error::stopped(format!(
                "{}: a row comes here from another place, and the event does not tell all of it",
                table.name
            ))
            .help(
                "leave the table out; for what is to come: binlog_row_image=FULL at the source",
            ));
        }
        Ok(Self { before: None, ..self })
    }

    /// Indexes of the columns whose value changes; the producer names exactly these in `old`.
    pub fn touched(&self) -> Vec<usize> {
        touched(self.before.as_ref(), self.after.as_ref())
    }
}

/// Indexes of the columns that differ between two versions of a row.
pub fn touched(before: Option<&Image<'_>>, after: Option<&Image<'_>>) -> Vec<usize> {
    let (Some(before), Some(after)) = (before, after) else {
        return Vec::new();
    };
    (0..after.0.len()).filter(|&i| differs(before, after, i)).collect()
}

/// True when a column has another value after than before; one without a value stays as it is.
pub fn differs(before: &Image<'_>, after: &Image<'_>, i: usize) -> bool {
    match (before.0[i], after.0[i]) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => !after.same(before),
    }
}
