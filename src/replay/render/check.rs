//! What cannot be rendered, said before the first byte.

use std::collections::HashMap;

use super::job::What;
use super::sheet::Split;
use crate::dest::{script, sqlite};
use crate::error::{Error, Means, Result};
use crate::event::def::ForeignKey;
use crate::event::{Direction, TableName};
use crate::replay::alike;
use crate::replay::reversible::no_cascades;
use crate::spool::{Bootstrap, Seq, Spool};
use crate::sql::{Dialect, Insert};

/// The selected statements as SQL, by the sequence of their first message.
///
/// # Errors
/// When one cannot be written.
pub(super) fn statements(spool: &Spool, what: &What<'_>) -> Result<HashMap<Seq, String>> {
    let (definitions, selection) = (what.definitions, what.selection);
    let mut all = HashMap::new();
    if what.direction == Direction::Reverse {
        return Ok(all);
    }
    for seq in definitions.selected(spool, selection)? {
        let Some(told) = definitions.told(spool, seq)? else { continue };
        let ddl = definitions.statement(told, &selection.filter, what.route)?;
        if what.split == Some(Split::Table) {
            return Err(Error::stopped(format!(
                "{}\n  a file for each table holds rows only: it would have to run between the \
                 rows of all",
                ddl.of.told().place()
            ))
            .help((
                "leave DDL out with {} insert,update,delete, or use {} transaction",
                [Means::Type, Means::Split],
            )));
        }
        let text =
            ddl.there.iter().map(|ddl| script::ddl(what.form.dialect, ddl, what.form.packet));
        all.insert(seq, text.collect::<Result<String>>()?);
    }
    Ok(all)
}

/// Refuses REPLACE of rows that others refer to by a foreign key that acts: the row of that key goes
/// first, and what refers to it with it. Where the source logs what its foreign keys do, the script
/// has them off.
///
/// # Errors
/// With both tables.
pub(super) fn replaces(spool: &Spool, what: &What<'_>) -> Result<()> {
    let off = what.definitions.logs_cascades == Some(true) || what.split == Some(Split::Table);
    if off || what.form.dialect == Dialect::Sqlite {
        return Ok(());
    }
    let range = &what.selection.range;
    let copied = |table: &TableName| -> Result<bool> {
        let forward = what.direction == Direction::Forward;
        let starts = |b: &Bootstrap| b.table == *table && range.contains(&b.start);
        Ok(forward
            && what.selection.filter.takes_table(table)
            && spool.bootstraps()?.iter().any(starts))
    };
    let said = what.form.insert == Insert::Replace;
    for ForeignKey { parent, child, on_delete, .. } in &what.definitions.foreign_keys {
        let (copied, said) = (copied(parent)?, said && what.rows.contains_key(parent));
        if !on_delete || what.route.renames(parent) || !(copied || said) {
            continue;
        }
        let refused = Error::stopped(format!(
            "{parent}: its rows would be written by REPLACE, which takes a row that is there away \
             first, and a foreign key of {child} deletes or changes what refers to it then"
        ));
        return Err(match copied {
            true => refused.help((
                "the producer copied (bootstrapped) the table: use `{}`, or leave it out with {}",
                [Means::Apply, Means::ExcludeTable],
            )),
            false => refused
                .help(("use {} upsert, which changes the row in its place", [Means::InsertMode])),
        });
    }
    Ok(())
}

/// Refuses tables that are one in an SQLite file. What a server takes for one is not known here.
///
/// # Errors
/// With their names.
pub(super) fn one_name(what: &What<'_>) -> Result<()> {
    match what.form.dialect {
        Dialect::Mysql => Ok(()),
        Dialect::Sqlite => {
            let names = what.rows.iter().map(|(name, rows)| (rows.seqs.start, name.clone()));
            alike::check(names, &what.definitions.history, what.route, &mut |name| {
                Ok(sqlite::known_as(name))
            })
        }
    }
}

/// Refuses rows for SQLite that foreign keys changed at the source without its logging it.
///
/// # Errors
/// As said.
pub(super) fn cascades(spool: &Spool, what: &What<'_>) -> Result<()> {
    match (what.form.dialect, what.direction) {
        (Dialect::Sqlite, Direction::Forward) => {
            no_cascades(spool, what.definitions, what.selection, what.rows)
        }
        _ => Ok(()),
    }
}

/// Looks at every definition of a table whose rows are selected.
///
/// # Errors
/// When one is not known or cannot be written, or two are one in a file.
pub(super) fn tables(what: &What<'_>) -> Result<()> {
    one_name(what)?;
    if what.selection.filter.reads_rows() {
        // Which tables have such rows is known only when they are read.
        return Ok(());
    }
    let history = &what.definitions.history;
    for (name, rows) in what.rows {
        let mut seq = rows.seqs.start;
        while seq < rows.seqs.end {
            match history.at(name, seq) {
                // Dropped in between; the rows before and after have a table.
                None if seq > rows.seqs.start => {}
                Some(def) if def.complete => {
                    for place in what.route.dealing(name, Some(&def))?.places {
                        script::table(what.form.dialect, &what.route.def(&def, &place)?)?;
                    }
                }
                _ => return Err(script::unknown(name).at(format!("message {seq}"))),
            }
            seq = history.span(name, seq).end;
        }
    }
    Ok(())
}
