//! Whether the stream's rows can be written to a table of the target, said before the first write.

use std::collections::HashMap;

use mysql::Conn;
use mysql::prelude::Queryable;

use super::narrow;
use crate::error::{Error, Means, Result};
use crate::event::TableName;
use crate::event::def::TableDef;
use crate::mysql::connect::failed;
use crate::plan::Table;

/// Checks a table of the target against the source's definition, where known. An engine without
/// transactions is noted in the table.
///
/// # Errors
/// With the reason, when rows could not be written, or not exactly.
pub(super) fn check(
    conn: &mut Conn,
    table: &mut Table,
    source: Option<&TableDef>,
    allow_triggers: bool,
) -> Result<()> {
    let name = table.name.clone();
    table.transactional = transactional(conn, &name, source)?;
    if !table.transactional && !table.has_key() {
        return Err(Error::stopped(format!(
            "{name}: its engine at the target has no transactions, and it has no key: after a \
             crash nobody could tell which rows are written"
        ))
        .help(
            "ALTER TABLE … ENGINE=InnoDB at the target, or leave it out with "
                + Means::ExcludeTable,
        ));
    }
    if !allow_triggers {
        refuse_triggers(conn, &name)?;
    }
    let Some(source) = source else { return Ok(()) };
    for column in source.columns.iter().filter(|c| !c.generated) {
        let Some(here) = table.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&column.name))
        else {
            return Err(Error::stopped(format!(
                "{name}: the source's column {:?} is missing at the target",
                column.name
            ))
            .help(
                "if it has another name there now: "
                    + Means::Map
                    + format!(" {}=NEW; if it is not wanted any more: ", column.name)
                    + Means::DropColumn
                    + format!(
                        " {}; or add it to the target's table, then run it again",
                        column.name
                    ),
            ));
        };
        if narrow::is(here, column, source.complete) {
            return Err(Error::stopped(format!(
                "{name}: column {:?} is {} at the target, narrower than {} at the source",
                column.name,
                narrow::typed(here),
                narrow::typed(column)
            ))
            .help("widen the target's column, then run the same command again"));
        }
    }
    refuse_required(conn, table)
}

fn transactional(conn: &mut Conn, name: &TableName, source: Option<&TableDef>) -> Result<bool> {
    let row: Option<(String, Option<String>)> = conn
        .exec_first(
            "SELECT TABLE_TYPE, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA=? AND \
             TABLE_NAME=?",
            (&name.database, &name.table),
        )
        .map_err(|e| failed("target", &e))?;
    match row {
        Some((kind, _)) if kind.contains("VIEW") => {
            Err(Error::stopped(format!("{name}: is a view at the target"))
                .help("leave it out with " + Means::ExcludeTable))
        }
        Some((kind, _)) if kind == "SYSTEM VERSIONED" => {
            refuse_periods(conn, name, source)?;
            Ok(true)
        }
        Some((_, engine)) => Ok(engine.is_some_and(|engine| engine.eq_ignore_ascii_case("InnoDB"))),
        None => Ok(true),
    }
}

/// Refuses a system-versioned table whose former rows are in the stream: no one can write them.
fn refuse_periods(conn: &mut Conn, name: &TableName, source: Option<&TableDef>) -> Result<()> {
    let periods: Vec<String> = conn
        .exec(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=? AND \
             TABLE_NAME=? AND GENERATION_EXPRESSION IN ('ROW START', 'ROW END')",
            (&name.database, &name.table),
        )
        .map_err(|e| failed("target", &e))?;
    match periods.iter().find(|column| source.is_some_and(|def| def.column(column).is_some())) {
        None => Ok(()),
        Some(column) => Err(Error::stopped(format!(
            "{name}: is system-versioned, with its former rows in the stream (column {column:?}), \
             and these cannot be written"
        ))
        .help("leave it out with " + Means::ExcludeTable)),
    }
}

fn refuse_triggers(conn: &mut Conn, name: &TableName) -> Result<()> {
    let trigger: Option<String> = conn
        .exec_first(
            "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA=? AND \
             EVENT_OBJECT_TABLE=? ORDER BY TRIGGER_NAME",
            (&name.database, &name.table),
        )
        .map_err(|e| failed("target", &e))?;
    let Some(trigger) = trigger else { return Ok(()) };
    Err(Error::stopped(format!(
        "{name}: the target has a trigger on it ({trigger}); what the source's triggers did is in \
         the stream already, so it would be done twice"
    ))
    .help("drop the target's triggers, or let them fire with " + Means::AllowTriggers))
}

/// Refuses a column that only the target has and that an INSERT must name.
fn refuse_required(conn: &mut Conn, table: &Table) -> Result<()> {
    if table.target_only.is_empty() {
        return Ok(());
    }
    let rows: Vec<(String, String)> = conn
        .exec(
            "SELECT COLUMN_NAME, EXTRA FROM information_schema.COLUMNS WHERE TABLE_SCHEMA=? AND \
             TABLE_NAME=? AND IS_NULLABLE='NO' AND COLUMN_DEFAULT IS NULL",
            (&table.name.database, &table.name.table),
        )
        .map_err(|e| failed("target", &e))?;
    let required: HashMap<String, String> = rows.into_iter().collect();
    for column in table.target_only.iter().map(|&i| &table.columns[i]) {
        let extra = required.get(&column.name);
        if extra.is_some_and(|extra| !extra.contains("auto_increment") && !column.generated) {
            return Err(Error::stopped(format!(
                "{}: the target's column {:?} is NOT NULL without a default, and the source has \
                 no such column",
                table.name, column.name
            ))
            .help("give it a default at the target, then run the same command again"));
        }
    }
    Ok(())
}
