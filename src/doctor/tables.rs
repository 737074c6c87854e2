//! What the producer does to values of *these* columns before they arrive, and what else is to be
//! known of the tables, from their definitions. The list is that of `docs/limits.md`.

use super::check::{Check, Part, State, store_definitions};
use crate::error::Result;
use crate::event::TableName;
use crate::event::def::{Column, Kind, TableDef};
use crate::replay::Definitions;
use crate::spool::Spool;

/// The checks.
pub(super) const NAMES: [&str; 17] = [
    "definitions",
    "whole",
    "types",
    "bit",
    "binary",
    "time",
    "date",
    "enum",
    "labels",
    "json",
    "float",
    "double",
    "geometry",
    "charset",
    "copied",
    "keyless",
    "cascades",
];

/// What may happen to the values of a column.
struct Risk {
    name: &'static str,
    of: fn(&Column, &TableDef) -> bool,
    what: &'static str,
}

/// What is damaged before it arrives, and cannot be seen in the message.
const RISKS: [Risk; 10] = [
    Risk {
        name: "bit",
        of: |c, _| c.kind == Kind::Bit && c.digits(0).is_some_and(|bits| bits > 31),
        what: "wider than 31 bits: some versions of the producer fold the bits or turn the sign",
    },
    Risk {
        name: "time",
        of: |c, _| is(c, "time"),
        what: "a time below 00:00:00 or from 24:00:00 on arrives wrapped into one day",
    },
    Risk {
        name: "date",
        of: |c, _| is(c, "date"),
        what: "a date with a zero day or month, 2024-00-15, arrives as 0000-00-00",
    },
    Risk {
        name: "enum",
        of: |c, _| c.kind == Kind::Enum,
        what: "the error value '' (index 0) arrives as NULL",
    },
    Risk {
        name: "labels",
        of: |c, _| {
            matches!(c.kind, Kind::Enum | Kind::Set) && c.arguments.iter().any(|l| l.contains("',"))
        },
        what: "a label holds ',: a producer that has read the table at its start sends other labels",
    },
    Risk {
        name: "json",
        of: |c, _| matches!(c.kind, Kind::Json | Kind::JsonOrText),
        what: "the JSON value null arrives as SQL NULL; on MySQL, decimals and times that SQL has \
               put into JSON arrive as another number or a text",
    },
    Risk {
        name: "float",
        of: |c, _| c.kind == Kind::Float,
        what: "the shortest text of the 32-bit value arrives: the same value, other digits",
    },
    Risk { name: "double", of: |c, _| c.kind == Kind::Double, what: "-0.0 arrives as 0.0" },
    Risk {
        name: "geometry",
        of: |c, _| c.kind == Kind::Geometry && c.srid.is_none(),
        what: "the SRID of a value is lost (its column fixes none), and digits of a coordinate \
               behind the 16th",
    },
    Risk {
        name: "charset",
        of: |c, def| c.kind == Kind::Text && def.charset.as_deref().is_some_and(is_foreign),
        what: "of tables whose character set is not Unicode: bytes that are invalid in it arrive \
               as U+FFFD",
    },
];

fn is(column: &Column, type_name: &str) -> bool {
    column.type_name.eq_ignore_ascii_case(type_name)
}

fn is_foreign(charset: &str) -> bool {
    let name = charset.to_ascii_lowercase();
    !["utf", "ucs2", "ascii", "binary"].iter().any(|known| name.starts_with(known))
}

/// The tables of a spool that are there at its end, and those of which no definition was ever told.
pub(super) fn present(
    spool: &Spool,
    definitions: &Definitions,
) -> Result<(Vec<std::sync::Arc<TableDef>>, Vec<TableName>)> {
    let history = &definitions.history;
    let defs = history.tables(spool.end()?.next);
    let defs = defs.into_iter().filter(|def| !def.name().is_housekeeping()).collect();
    let untold = |name: &TableName| {
        !name.table.is_empty() && !name.is_housekeeping() && history.of(name).next().is_none()
    };
    Ok((defs, spool.tables()?.into_iter().filter(untold).collect()))
}

/// Looks at the definitions.
///
/// # Errors
/// When the spool cannot be read.
pub fn checks(spool: &Spool, definitions: &Definitions) -> Result<Vec<Check>> {
    let (defs, untold) = present(spool, definitions)?;
    let named = |name, state, what: &str, on: Vec<String>| match on.is_empty() {
        true if defs.is_empty() => {
            Check::new(Part::Tables, name, State::NotChecked, "no definition is known")
        }
        true => Check::new(Part::Tables, name, State::Ok, ""),
        false => Check::new(Part::Tables, name, state, what).on(on),
    };
    let tables = |of: &dyn Fn(&TableDef) -> bool| -> Vec<String> {
        defs.iter().filter(|def| of(def)).map(|def| def.name().to_string()).collect()
    };
    let columns = |of: &dyn Fn(&Column, &TableDef) -> bool| -> Vec<String> {
        let all = defs.iter().flat_map(|def| def.columns.iter().map(move |c| (c, def)));
        all.filter(|(c, def)| of(c, def))
            .map(|(c, def)| format!("{}.{}", def.name(), c.name))
            .collect()
    };
    let untold = untold.iter().map(ToString::to_string).collect();
    let mut all = vec![
        mended(named(
            "definitions",
            State::Problem,
            "no definition is known: rows cannot be written as SQL or into a file",
            untold,
        )),
        mended(named(
            "whole",
            State::Note,
            "which columns are computed, or set by ON UPDATE, is not known",
            tables(&|def| !def.complete),
        )),
        named(
            "types",
            State::Problem,
            "of a type that this version does not know: an apply stops at it",
            columns(&|c, _| c.kind == Kind::Unknown),
        ),
    ];
    for Risk { name, of, what } in &RISKS {
        all.push(named(name, State::Note, what, columns(of)));
        if *name == "bit" {
            all.push(mended(named(
                "binary",
                State::Note,
                "trailing zero bytes are cut, and the length to fill them up to is not known",
                columns(&|c, _| is(c, "binary") && c.binary_width.is_none()),
            )));
        }
    }
    all.push(match spool.bootstraps()?.is_empty() {
        true => Check::new(Part::Tables, "copied", State::Ok, ""),
        false => Check::new(
            Part::Tables,
            "copied",
            State::Note,
            "the producer has copied tables (bootstrap): zero dates in them arrived as NULL, \
             DATETIME and TIMESTAMP in the zone of its JVM",
        )
        .next("run the producer in UTC"),
    });
    all.push(named(
        "keyless",
        State::Note,
        "no primary key: rows are found by their content, and equal ones are not told apart",
        tables(&|def| def.primary_key.is_empty()),
    ));
    all.push(cascades(definitions, !defs.is_empty() && defs.iter().all(|def| def.complete)));
    Ok(all)
}

fn mended(check: Check) -> Check {
    match check.on.is_empty() {
        true => check,
        false => check.next(store_definitions()),
    }
}

/// `whole`: the definitions of all tables are, and so tell of every foreign key.
fn cascades(definitions: &Definitions, whole: bool) -> Check {
    let keys = definitions.foreign_keys.iter().filter(|key| !key.child.is_housekeeping());
    let on: Vec<String> = keys.map(|key| format!("{} ({})", key.child, key.parent)).collect();
    let check = |state, what: &str| Check::new(Part::Tables, "cascades", state, what);
    match definitions.logs_cascades {
        Some(true) => check(State::Ok, ""),
        _ if on.is_empty() && whole => check(State::Ok, ""),
        _ if on.is_empty() => check(
            State::NotChecked,
            "foreign keys are told by definitions that are known as a whole",
        ),
        Some(false) => check(
            State::Note,
            "a foreign key to another table changes their rows, and the source's binlog does not \
             hold that: no history, no undo of it",
        )
        .on(on),
        None => check(
            State::Problem,
            "a foreign key to another table changes their rows; whether the source's binlog holds \
             that is not known, and an apply stops at it",
        )
        .on(on)
        .next(store_definitions()),
    }
}
