//! What cannot be rendered, said before the first byte.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Split, What};
use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::{TableName, maxwell, printable};
use crate::filter::Type;
use crate::replay::refuse_routed;
use crate::spool::{Order, Seq, Spool};
use crate::target::{Direction, script};

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
    for message in definitions.ddl.iter().filter(|d| selection.range.contains(&d.seq)) {
        let bytes = spool.record(message.seq)?;
        let event = maxwell::parse_stored(&bytes).map_err(|d| Error::failed(d.to_string()))?;
        if !selection.filter.takes(&event.meta) {
            continue;
        }
        let Some(ddl) = definitions.statement(spool, &selection.filter, message.seq)? else {
            continue;
        };
        refuse_routed(what.route, &ddl)?;
        if what.split == Some(Split::Table) {
            return Err(Error::stopped(format!(
                "a file for each table holds rows only: this statement (message {}) would have to \
                 run between the rows of all: {}",
                message.seq,
                printable(&ddl.sql)
            ))
            .help("leave DDL out with --type insert,update,delete, or use --split transaction"));
        }
        all.insert(message.seq, script::ddl(what.form.dialect, &ddl, what.form.packet)?);
    }
    Ok(all)
}

/// Looks at every definition of a table whose rows are selected.
///
/// # Errors
/// When one is not known or cannot be written.
pub(super) fn tables(spool: &Spool, what: &What<'_>) -> Result<()> {
    let filter = &what.selection.filter;
    if filter.reads_rows() {
        // Which tables have such rows is known only when they are read.
        return Ok(());
    }
    let mut seen: HashMap<TableName, Arc<TableDef>> = HashMap::new();
    for transaction in spool.transactions(what.selection.range.clone(), Order::Forward) {
        let t = transaction?;
        if !filter.takes_transaction(t.xid, t.thread_id, t.server_id) {
            continue;
        }
        for (name, counts) in &t.tables {
            let kinds = [
                (Type::Insert, counts.insert),
                (Type::Update, counts.update),
                (Type::Delete, counts.delete),
            ];
            let any = kinds.iter().any(|(kind, rows)| *rows > 0 && filter.takes_type(*kind));
            if !any || !filter.takes_table(name) || name.database == "maxwell" {
                continue;
            }
            let def = what.definitions.history.at(name, t.first).filter(|def| def.complete);
            let def =
                def.ok_or_else(|| script::unknown(name).at(format!("message {}", t.first)))?;
            if seen.get(name).is_none_or(|known| !Arc::ptr_eq(known, &def)) {
                script::table(what.form.dialect, &what.route.def(&def)?)?;
                seen.insert(name.clone(), def);
            }
        }
    }
    Ok(())
}
