//! What a script begins with.

use std::ops::Range;

use super::foreign_keys;
use super::job::What;
use crate::dest::script;
use crate::event::{Direction, printable};
use crate::spool::Spool;

/// What a script begins with.
pub fn head(spool: &Spool, what: &What<'_>) -> String {
    let Range { start, end } = what.selection.range;
    let dialect = what.form.dialect;
    let mut text = format!(
        "{}-- binsync {}: {} SQL of messages {start} to {}, spool {}\n-- selection: {}\n{}{}",
        script::first_line(dialect),
        env!("CARGO_PKG_VERSION"),
        what.direction.name(),
        end.saturating_sub(1),
        spool.id(),
        printable(&what.selection.words),
        foreign_keys::head(what),
        script::settings(dialect),
    );
    for (name, rows) in what.rows {
        let def = what.definitions.history.at(name, rows.seqs.start);
        if def.is_some_and(|def| def.is_sequence()) {
            text.push_str(&format!("-- {name} is a sequence: it is left as it is\n"));
        }
    }
    if what.direction == Direction::Reverse && !what.route.is_empty() {
        for name in what.rows.keys().filter(|table| what.route.renames(table)) {
            for place in what.route.tables(name) {
                text.push_str(&script::rescue(dialect, &place, name));
            }
        }
    }
    text
}
