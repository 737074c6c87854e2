//! Whether foreign keys are checked while a script runs: as an apply has it, only where some act
//! whose rows the source does not log. The source may have had the checks off at any moment, and no
//! message tells.

use std::collections::HashSet;

use super::job::What;
use super::sheet::Split;
use crate::dest::script::{self, Checks};
use crate::event::def::ForeignKey;
use crate::event::{Direction, TableName};
use crate::spool::Counts;
use crate::sql::Dialect;

/// The tables, by their names at the target, whose foreign keys are known to act on what refers to
/// rows that the script takes away or changes.
pub(super) fn acting(what: &What<'_>) -> HashSet<TableName> {
    let definitions = what.definitions;
    if what.split == Some(Split::Table) || definitions.logs_cascades == Some(true) {
        return HashSet::new();
    }
    let acts = |key: &&ForeignKey| {
        let (gone, changed) = touched(what, &key.parent);
        key.on_delete && gone || key.on_update && changed
    };
    let parents = definitions.foreign_keys.iter().filter(acts).map(|key| &key.parent);
    parents.flat_map(|name| what.route.tables(name)).collect()
}

/// Whether the script takes rows of a table away, and changes some.
fn touched(what: &What<'_>, name: &TableName) -> (bool, bool) {
    let Some(rows) = what.rows.get(name) else { return (false, false) };
    let Counts { insert, update, delete } = rows.counts;
    let gone = match what.direction {
        Direction::Forward => delete,
        Direction::Reverse => insert,
    };
    (gone > 0, update > 0)
}

/// Says it at a script's beginning.
pub(super) fn head(what: &What<'_>) -> String {
    let (reason, checks) = match (what.split, what.definitions.logs_cascades) {
        (Some(Split::Table), _) => {
            ("off: the rows that foreign keys point to are in other files", Checks::Off)
        }
        (_, Some(true)) => {
            ("off: the source logs the rows its foreign keys change, child first", Checks::Off)
        }
        _ if !acting(what).is_empty() => {
            ("on where some change rows by themselves, which the source does not log", Checks::On)
        }
        _ => {
            let names = what.rows.keys().filter(|name| {
                let (gone, changed) = touched(what, name);
                gone || changed
            });
            let names = names.flat_map(|name| what.route.tables(name)).collect();
            (
                "off, unless some of the target's change rows by themselves: the source may have \
                 had them off",
                Checks::WhereSomeAct(names),
            )
        }
    };
    match what.form.dialect {
        Dialect::Mysql => {
            format!("-- foreign key checks {reason}\n{}", script::checks(Dialect::Mysql, &checks))
        }
        Dialect::Sqlite => String::new(),
    }
}
