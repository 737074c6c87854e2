//! What a reverse of a stretch cannot take back, found before anything is written.

use std::ops::{Add as _, Range};

use super::selected::{Rows, Selected};
use super::{Ddl, Definitions, Selection, ahead};
use crate::error::{Error, Means, Result, Words};
use crate::event::ddl::Text;
use crate::event::def::{ForeignKey, TableDef};
use crate::event::row::Columns;
use crate::event::{Body, Direction, Event, Op, TableName, printable, typed};
use crate::filter::Type;
use crate::plan::{Change, Table};
use crate::select;
use crate::spool::{Seq, Spool, Trouble};

/// Something that stays as it is, whatever is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A statement changed what no row event tells.
    Statement {
        /// The table (or database) it is about.
        table: TableName,
        /// Its message.
        seq: Seq,
        /// Its text.
        sql: String,
    },
    /// A foreign key changed rows that the source did not log.
    Cascade {
        /// Which.
        key: ForeignKey,
        /// Whether that is known, or only to be feared.
        known: bool,
    },
    /// Something of the stretch is not in the spool.
    Incomplete(String),
    /// Row images lack columns, so that the former rows are not known.
    Images {
        /// The table.
        table: TableName,
        /// The first such message.
        seq: Seq,
    },
    /// An update names no former value: it stays.
    Unnamed {
        /// The table.
        table: TableName,
        /// The first such message.
        seq: Seq,
    },
}

impl Loss {
    /// What lets a run go on all the same; none where there is nothing to go on with.
    pub(super) fn allowed_by(&self) -> Option<Means> {
        match self {
            Self::Statement { .. } => Some(Means::AllowDdl),
            Self::Cascade { .. } => Some(Means::AllowCascades),
            Self::Incomplete(_) | Self::Unnamed { .. } => Some(Means::AllowIncomplete),
            Self::Images { .. } => None,
        }
    }

    /// What is lost.
    pub fn words(&self) -> Words {
        match self {
            Self::Statement { table, seq, sql } => {
                let sql = printable(sql);
                format!("{table}: a statement (message {seq}) is no row event: {sql}").into()
            }
            Self::Cascade { key: ForeignKey { child, parent, .. }, known } => {
                let what =
                    format!("{child}: what its foreign key to {parent} deleted or changed is ");
                match known {
                    true => (what + "not in the source's binlog").into(),
                    false => {
                        Words::from(what)
                            + "in the binlog only of MySQL 9.6 and later; which the source is, `"
                            + Means::SchemaAdd
                            + " URL` asks it"
                    }
                }
            }
            Self::Incomplete(what) => printable(what).into_owned().into(),
            Self::Images { table, seq } => format!(
                "{table}: a row image (message {seq}) lacks columns or what they were, what it was \
                 before is not known (binlog_row_image=FULL and output_nulls=true send them)"
            )
            .into(),
            Self::Unnamed { table, seq } => format!(
                "{table}: an update (message {seq}) names no former value, what it changed is not \
                 known"
            )
            .into(),
        }
    }
}

/// What [`losses`] finds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whether there is anything to take back.
    pub rows: bool,
    /// Tables and databases that the stretch creates: they stay.
    pub created: Vec<TableName>,
    /// What cannot be taken back.
    pub losses: Vec<Loss>,
}

/// Losses that are listed.
const LISTED: usize = 20;

/// The first of them, each on a line of its own.
fn listed(what: &str, losses: &[&Loss]) -> Words {
    let lines = losses.iter().take(LISTED).map(|loss| Words::from("\n  ") + loss.words());
    let list = lines.fold(what.into(), Words::add);
    match losses.len().saturating_sub(LISTED) {
        0 => list,
        more => list + format!("\n  … and {more} more"),
    }
}

/// The refusal to take back a stretch with these losses.
pub(super) fn refusal(losses: &[&Loss]) -> Error {
    Error::stopped(listed("what cannot be taken back:", losses))
}

/// Finds what a reverse of the selection cannot take back. `rows` are its rows; `foreign_keys` are
/// those that change rows, besides the ones the stream tells of.
///
/// # Errors
/// When the spool cannot be read.
pub(super) fn losses(
    spool: &Spool,
    definitions: &Definitions,
    selection: &Selection,
    rows: &Selected,
    foreign_keys: &[ForeignKey],
) -> Result<Found> {
    let mut found = Found { rows: any_row(spool, selection, rows)?, ..Found::default() };
    for ddl in definitions.ddl.iter().filter(|d| selection.range.contains(&d.seq)) {
        statement(spool, ddl, selection, rows, &mut found)?;
    }
    let keys = definitions.foreign_keys.iter().chain(foreign_keys);
    found.losses.extend(cascades(spool, selection, rows, keys, definitions.logs_cascades)?);
    incomplete(spool, selection, rows, &mut found)?;
    for (table, rows) in rows {
        found.losses.extend(partial(spool, definitions, selection, table, &rows.seqs)?);
    }
    Ok(found)
}

/// A statement is a loss when it is itself to be taken back, or changed a table between rows that
/// are. One that only altered a table after its rows is none: columns are matched by name.
fn statement(
    spool: &Spool,
    ddl: &Ddl,
    selection: &Selection,
    rows: &Selected,
    found: &mut Found,
) -> Result<()> {
    let Ddl { seq, table: name, .. } = ddl;
    let of = |table: &TableName| {
        table == name || name.table.is_empty() && table.database == name.database
    };
    let mut changed = rows.iter().filter(|(table, rows)| of(table) && rows.seqs.start < *seq);
    let chosen = selection.filter.takes_type(Type::Ddl);
    if !selection.filter.takes_table(name) || !chosen && changed.clone().next().is_none() {
        return Ok(());
    }
    let message = spool.ddl_message(*seq)?;
    let event = message.event()?;
    let Body::Ddl { sql, .. } = &event.body else { return Ok(()) };
    if matches!(event.meta.op, Op::DatabaseCreate | Op::TableCreate) {
        if chosen {
            found.created.push(name.clone());
        }
        return Ok(());
    }
    let touched = changed.any(|(_, rows)| rows.seqs.end > *seq || !alters_in_place(&event));
    if chosen || touched {
        found.losses.push(Loss::Statement { table: name.clone(), seq: *seq, sql: sql.to_string() });
    }
    Ok(())
}

/// True when the table stays the same one, under its name.
fn alters_in_place(event: &Event<'_>) -> bool {
    let Body::Ddl { sql, def, old, .. } = &event.body else { return false };
    if Text::read(sql).is_some_and(|text| text.truncates()) {
        return false;
    }
    let name = |json: &Option<&str>| json.and_then(|j| TableDef::parse(j).ok()).map(|d| d.name());
    match event.meta.op {
        Op::TableAlter => name(old).is_some() && name(old) == name(def),
        op => op == Op::DatabaseAlter,
    }
}

/// The foreign keys that may have changed rows for what is selected, without the source logging it.
fn cascades<'k>(
    spool: &Spool,
    selection: &Selection,
    rows: &Selected,
    keys: impl Iterator<Item = &'k ForeignKey>,
    logs_cascades: Option<bool>,
) -> Result<Vec<Loss>> {
    let mut losses = Vec::new();
    if logs_cascades == Some(true) {
        return Ok(losses);
    }
    for key in keys {
        let loss = Loss::Cascade { key: key.clone(), known: logs_cascades.is_some() };
        if !losses.contains(&loss) && acted(spool, selection, rows, key)? {
            losses.push(loss);
        }
    }
    Ok(losses)
}

/// Refuses a stretch forward, into what has no foreign keys of its own, in which some have changed
/// rows without the source logging it.
///
/// # Errors
/// As said, with each such key.
pub(super) fn no_cascades(
    spool: &Spool,
    definitions: &Definitions,
    selection: &Selection,
    rows: &Selected,
) -> Result<()> {
    let keys = definitions.foreign_keys.iter();
    let keys = keys.filter(|key| selection.filter.takes_table(&key.child));
    let losses = cascades(spool, selection, rows, keys, definitions.logs_cascades)?;
    if losses.is_empty() {
        return Ok(());
    }
    let what = "rows that foreign keys changed at the source would stay as they were:";
    Err(Error::stopped(listed(what, &losses.iter().collect::<Vec<_>>())).help(
        "apply to a server, which has the foreign keys itself; or leave these tables out with "
            + Means::ExcludeTable,
    ))
}

/// True when a foreign key may have changed rows for what is selected.
fn acted(spool: &Spool, selection: &Selection, rows: &Selected, key: &ForeignKey) -> Result<bool> {
    let Some(parent) = rows.get(&key.parent) else { return Ok(false) };
    if key.on_delete && parent.counts.delete > 0 {
        return Ok(true);
    }
    if !key.on_update || parent.counts.update == 0 {
        return Ok(false);
    }
    let moved = any_event(spool, selection, &key.parent, &parent.seqs, |_, event| {
        let Body::Row { old: Some(old), .. } = event.body else { return false };
        let old = Columns::parse(old).unwrap_or_default();
        key.columns.iter().any(|column| typed::column(&old, column).is_some())
    })?;
    Ok(moved.is_some())
}

/// Gaps and messages that cannot be read, where rows are selected.
fn incomplete(
    spool: &Spool,
    selection: &Selection,
    rows: &Selected,
    found: &mut Found,
) -> Result<()> {
    // Single transactions may be whole where the stretch around them is not.
    let first = rows.values().map(|rows| rows.seqs.start).min().unwrap_or(0);
    let hull = first..rows.values().map(|rows| rows.seqs.end).max().unwrap_or(0);
    let range = if selection.filter.is_choosy() { hull } else { selection.range.clone() };
    let troubles = spool.troubles(&range)?.into_iter().filter(Trouble::loses);
    found.losses.extend(troubles.map(|trouble| Loss::Incomplete(trouble.to_string())));
    Ok(())
}

/// The first selected row event of a table whose former row is not known, as the index suspects:
/// an image lacks columns, here or elsewhere, or an update names no former value.
fn partial(
    spool: &Spool,
    definitions: &Definitions,
    selection: &Selection,
    table: &TableName,
    seqs: &Range<Seq>,
) -> Result<Option<Loss>> {
    let history = &definitions.history;
    let columns = |seq| history.at(table, seq).map_or(0, |def| def.columns.len() as u64);
    let (mut narrow, mut unnamed) = (false, false);
    for (width, over) in spool.image_widths(table)? {
        let here = over.start.max(seqs.start)..over.end.min(seqs.end);
        match width {
            0 => unnamed |= !here.is_empty(),
            _ if here.is_empty() => narrow |= width < columns(over.start),
            _ => narrow |= width < columns(here.start),
        }
    }
    if !narrow && !unnamed {
        return Ok(None);
    }
    let mut bound: Option<(Range<Seq>, Table)> = None;
    let mut images = false;
    let seq = any_event(spool, selection, table, seqs, |seq, event| {
        let Body::Row { old, .. } = event.body else { return false };
        if narrow && let Some(def) = history.at(table, seq) {
            if bound.as_ref().is_none_or(|(span, _)| !span.contains(&seq)) {
                bound = Some((history.span(table, seq), Table::from_def(&def)));
            }
            images =
                bound.as_ref().is_some_and(|(_, table)| !is_told(definitions, seq, event, table));
        }
        images || event.meta.op == Op::Update && old.is_none_or(|old| old == "{}")
    })?;
    let table = table.clone();
    Ok(seq.map(|seq| match images {
        true => Loss::Images { table, seq },
        false => Loss::Unnamed { table, seq },
    }))
}

/// True when an event tells the whole row, as it was before and after it, also where the source
/// may leave out columns that did change.
fn is_told(definitions: &Definitions, seq: Seq, event: &Event<'_>, table: &Table) -> bool {
    let bind =
        |direction| Change::bind(seq, event, table, definitions.reading(seq, false, direction));
    let told = |change: Change<'_>| {
        [&change.before, &change.after].into_iter().flatten().all(|i| i.lacking(table).is_empty())
    };
    bind(Direction::Reverse).is_ok_and(told) && bind(Direction::Forward).is_ok_and(told)
}

/// True when a row is selected: what the index cannot tell is read, up to the first.
fn any_row(spool: &Spool, selection: &Selection, rows: &Selected) -> Result<bool> {
    if !selection.filter.reads_rows() {
        return Ok(!rows.is_empty());
    }
    for (table, Rows { seqs, .. }) in rows {
        if any_event(spool, selection, table, seqs, |_, _| true)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first selected row event of a table that is one of those looked for.
fn any_event(
    spool: &Spool,
    selection: &Selection,
    table: &TableName,
    seqs: &Range<Seq>,
    mut is: impl FnMut(Seq, &Event<'_>) -> bool,
) -> Result<Option<Seq>> {
    for frame in ahead(select::frames_of(spool, &selection.filter, seqs.clone(), table)?) {
        let frame = frame?;
        for event in frame.events(seqs, Direction::Forward) {
            let (seq, event) = event?;
            let of = event.meta.table == *table.table && event.meta.database == *table.database;
            let taken = !event.meta.op.is_bootstrap() && selection.filter.takes_event(&event);
            if of && taken && is(seq, &event) {
                return Ok(Some(seq));
            }
        }
    }
    Ok(None)
}
