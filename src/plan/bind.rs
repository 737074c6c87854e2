//! Which values a row event tells, where the source's binlog or the producer leaves some out.
//!
//! Under `binlog_row_image=MINIMAL` an event has the key and what a statement set, under NOBLOB all
//! but large columns that did not change; the producer then names in `old` only the columns that
//! both images have. With `output_nulls=false` it leaves out every NULL. What an event does not
//! tell is taken from none of these, unless it can be told which of them it is.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::window::Rows;
use super::{Change, Image, Table};
use crate::error::{Error, Means, Result, Words};
use crate::event::def::Kind;
use crate::event::row::Value;
use crate::event::{Body, Direction, Event, Nulls, Op, Seq};

/// How events are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// As [`Change::overwrite`].
    pub overwrite: bool,
    /// Whether the producer shows NULL, as the stream up to there tells.
    pub nulls: Nulls,
    /// What the stream tells of it first, be it later: believed where else nothing could be done.
    pub first: Nulls,
    /// To be taken back, the images are taken at their word: [`Change::inverse`] refuses those that
    /// lack something.
    pub direction: Direction,
}

impl<'a> Change<'a> {
    /// Binds a row event or a bootstrap row to its table.
    ///
    /// # Errors
    /// When the event's columns do not fit the table, or what it lacks cannot be told.
    pub fn bind(seq: Seq, event: &Event<'a>, table: &Table, reading: Reading) -> Result<Self> {
        let Body::Row { data, old } = &event.body else {
            return Err(Error::failed(format!("{}: not a row event", event.meta.op.name())));
        };
        let object = data;
        let mut data = table.image(object, object)?;
        for (at, value) in &table.routed.set {
            data.0[*at] = Some(*value);
        }
        let nulls = match data.shows_null(table) {
            true => Nulls::Shown,
            false => reading.nulls,
        };
        let reading = Reading { nulls, ..reading };
        let (before, after) = match event.meta.op {
            Op::Delete => {
                reading.found(table, &mut data, None)?;
                (Some(data), None)
            }
            Op::Update => {
                let before = reading.former(table, &mut data, old.map(|old| (old, *object)))?;
                (Some(before), Some(data))
            }
            op => {
                reading.coming(table, &mut data, op)?;
                (None, Some(data))
            }
        };
        let partial = after.as_ref().is_some_and(|after| !after.lacking(table).is_empty());
        Ok(Self { seq, before, after, overwrite: reading.overwrite, partial })
    }
}

impl Reading {
    /// Completes a row that comes.
    fn coming<'a>(self, table: &Table, image: &mut Image<'a>, op: Op) -> Result<()> {
        if self.direction.is_reverse() || !table.defined {
            return Ok(());
        }
        let nulls = if self.nulls == Nulls::Unknown { self.first } else { self.nulls };
        for i in image.lacking(table) {
            let column = &table.columns[i];
            // A copied row has all columns.
            let copied = op == Op::BootstrapInsert;
            if copied || nulls == Nulls::LeftOut || column.defaults_to_null {
                image.0[i] = Some(table.null(i));
                continue;
            }
            // What the statement did not name has the column's default, here as at the source.
            let told = nulls == Nulls::Shown || column.nullable == Some(false);
            if !told || !table.fills {
                return Err(unknown(table, i, "its NULL or the column's default"));
            }
        }
        Ok(())
    }

    /// The row before an update; completes the one after it.
    fn former<'a>(
        self,
        table: &Table,
        after: &mut Image<'a>,
        old: Option<(&'a str, &str)>,
    ) -> Result<Image<'a>> {
        let named = match old {
            Some((old, whole)) => table.image(old, whole)?,
            None => Image(vec![None; table.columns.len()].into()),
        };
        let nulls = if named.shows_null(table) { Nulls::Shown } else { self.nulls };
        let this = Self { nulls, ..self };
        let mut before = after.clone();
        for (i, value) in named.0.iter().enumerate().filter_map(|(i, v)| Some((i, (*v)?))) {
            before.0[i] = Some(value);
            // Shown before and not after: it is NULL now, and NULL is left out.
            after.0[i] = after.0[i].or(Some(table.null(i)));
        }
        if self.direction.is_reverse() {
            return Ok(before);
        }
        this.found(table, &mut before, Some(after))?;
        if !table.has_key() {
            this.check_keyless(table, &named, after, old.is_some())?;
            return Ok(before);
        }
        let lacks = after.lacking(table).first().copied();
        let ours = |i| table.key.contains(&i) || table.routed.set.iter().any(|(at, _)| *at == i);
        let sets = (0..after.0.len()).any(|i| after.0[i].is_some() && !ours(i));
        match lacks {
            Some(i) if nulls == Nulls::LeftOut && old.is_none() => {
                return Err(unknown(table, i, "NULL from now on, or as it was"));
            }
            Some(i) if nulls != Nulls::Shown && !sets && named.0.iter().all(Option::is_none) => {
                return Err(unknown(table, i, "NULL from now on, or as it was"));
            }
            Some(i) if self.overwrite => {
                let why = "the table is being copied or has no transactions: only whole rows \
                           are written over what is there";
                return Err(not_whole(table, i, why));
            }
            _ => {}
        }
        let unsure = this.unsure(table, &named);
        for i in (0..after.0.len()).filter(|i| named.0[*i].is_none() && after.0[*i].is_some()) {
            if unsure(i) {
                before.0[i] = None;
            }
        }
        Ok(before)
    }

    /// Which of the columns that `old` does not name may have changed all the same. Of an image
    /// with more than a key (FULL, NOBLOB) `old` names what changed; of NOBLOB without the large
    /// columns; where NULL is left out, without what was NULL.
    fn unsure<'t>(self, table: &'t Table, named: &Image<'_>) -> impl Fn(usize) -> bool + 't {
        let of_key =
            |i: &usize| table.key.contains(i) || table.uniques.iter().flatten().any(|u| u == i);
        let names = |i: &usize| named.0[*i].is_some();
        let all = || 0..table.columns.len();
        let by_key = !all().filter(names).any(|i| !of_key(&i));
        // The servers keep some large types in the former row and leave out others: that of one
        // type is there tells nothing of another.
        let large: Vec<Kind> = all()
            .filter(names)
            .map(|i| &table.columns[i])
            .filter(|c| c.large)
            .map(|c| c.kind)
            .collect();
        move |i| {
            let column = &table.columns[i];
            let null = self.nulls != Nulls::Shown && column.nullable != Some(false);
            !table.key.contains(&i)
                && (by_key || (column.large && !large.contains(&column.kind)) || null)
        }
    }

    /// Completes an image by which a row is found: without a key at the target by its content, so
    /// that nothing of it may be missing.
    fn found<'a>(
        self,
        table: &Table,
        image: &mut Image<'a>,
        mut after: Option<&mut Image<'a>>,
    ) -> Result<()> {
        if table.has_key() || self.direction.is_reverse() || !table.defined {
            return Ok(());
        }
        for i in image.lacking(table) {
            // The source logs whole rows of a table without a key; what is missing is NULL.
            if self.nulls == Nulls::Shown {
                let why = "the table has no key here, so that rows are found by all their columns";
                return Err(not_whole(table, i, why));
            }
            image.0[i] = Some(table.null(i));
            if let Some(after) = &mut after {
                after.0[i] = after.0[i].or(Some(table.null(i)));
            }
        }
        Ok(())
    }

    /// Refuses an update of a table without a key whose former row is not told.
    fn check_keyless(
        self,
        table: &Table,
        named: &Image<'_>,
        after: &Image<'_>,
        old: bool,
    ) -> Result<()> {
        let told = |i: usize| {
            let never_null = table.columns[i].nullable == Some(false);
            named.0[i].is_some() || after.0[i].is_none_or(|v| v.is_null()) || (never_null && old)
        };
        match (0..after.0.len()).find(|&i| !told(i)) {
            Some(i) if self.nulls == Nulls::LeftOut || !old => Err(unnamed(table, i)),
            _ => Ok(()),
        }
    }
}

/// Fills what later images of a row lack from earlier ones, so that the changes can be folded.
pub fn complete(rows: &mut [Rows<'_>]) {
    for Rows { table, changes } in rows {
        if table.has_key() && changes.iter().any(|change| change.partial) {
            complete_table(table, changes);
        }
    }
}

fn complete_table<'a>(table: &Table, changes: &mut [Change<'a>]) {
    let mut last: HashMap<Vec<Value<'a>>, usize, FixedState> = HashMap::default();
    for i in 0..changes.len() {
        let (done, rest) = changes.split_at_mut(i);
        let Change { before, after, .. } = &mut rest[0];
        let key = |image: &Option<Image<'a>>| image.as_ref().and_then(|i| i.key(table).ok());
        let (from, to) = (key(before), key(after));
        let known = from.as_ref().and_then(|from| last.remove(from));
        if let Some(known) = known.and_then(|at| done[at].after.as_ref()) {
            before.iter_mut().for_each(|image| image.fill(known));
            after.iter_mut().for_each(|image| image.fill(known));
        }
        if let Some(to) = to {
            last.insert(to, i);
        }
    }
}

impl Image<'_> {
    /// True when a column other than JSON, whose own null looks the same, shows NULL.
    fn shows_null(&self, table: &Table) -> bool {
        let columns = table.columns.iter().zip(&self.0);
        columns.into_iter().any(|(column, value)| {
            value.is_some_and(|v| v.is_null())
                && !matches!(column.kind, Kind::Json | Kind::JsonOrText)
        })
    }

    /// The columns of the source that have no value, where its definition is known.
    pub fn lacking(&self, table: &Table) -> Vec<usize> {
        let lacks = |&i: &usize| {
            self.0[i].is_none() && !table.columns[i].generated && !table.target_only.contains(&i)
        };
        if table.defined { (0..self.0.len()).filter(lacks).collect() } else { Vec::new() }
    }
}

impl<'a> Image<'a> {
    fn fill(&mut self, known: &Image<'a>) {
        for (own, known) in self.0.iter_mut().zip(&known.0) {
            *own = own.or(*known);
        }
    }
}

fn full() -> Words {
    Words::from((
        "leave the table out with {}, or the column with {}; for what is to come: \
         output_nulls=true in Maxwell, binlog_row_image=FULL at the source",
        [Means::ExcludeTable, Means::DropColumn],
    ))
}

fn unknown(table: &Table, column: usize, what: &str) -> Error {
    Error::stopped(format!(
        "{}: the message lacks the column {:?}; whether that is {what} cannot be told: the \
         producer may leave out NULLs, or the source log no whole rows",
        table.name, table.columns[column].name
    ))
    .help(full())
}

fn unnamed(table: &Table, column: usize) -> Error {
    Error::stopped(format!(
        "{}: an update does not tell the former value of {:?}, and the table has no key here to \
         find the row by",
        table.name, table.columns[column].name
    ))
    .help(full())
}

fn not_whole(table: &Table, column: usize, why: &str) -> Error {
    Error::stopped(format!(
        "{}: a row image lacks the column {:?}, and {why}",
        table.name, table.columns[column].name
    ))
    .help(full())
}
