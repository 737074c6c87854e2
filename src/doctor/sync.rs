//! Whether a sync can go from a spool to a target, as far as it can be told without a write.

use std::sync::Arc;

use crate::dest::{Catalog, Changes, Needs};
use crate::error::{Error, ErrorKind, Result};
use crate::event::TableName;
use crate::event::def::{Kind, TableDef};
use crate::replay::Definitions;
use crate::route::shard::{By, Shard, Way};
use crate::route::{Moved, Route};
use crate::spool::Spool;

/// What is wrong between the stream and a route, and between them and the target, where it can be
/// reached. A run that `copies` its tables first makes those that the target lacks.
///
/// # Errors
/// When the spool cannot be read.
pub fn findings(
    spool: &Spool,
    definitions: &Definitions,
    (route, copies): (&Route, bool),
    target: Result<&mut dyn Catalog>,
) -> Result<Vec<Error>> {
    let (end, history) = (spool.end()?.next, &definitions.history);
    let mut tables = spool.tables()?;
    tables.retain(|name| !name.table.is_empty() && !name.is_housekeeping());
    let has_column = |table: &TableName, column: &str| {
        let mut defs = history.of(table).peekable();
        defs.peek().is_none() || defs.any(|def| def.column(column).is_some())
    };
    let mut found = Vec::from_iter(route.check_used(&tables).err());
    found.extend(route.check(&tables, has_column).err());
    tables.retain(|name| !route.tables(name).is_empty());
    // A table that was dropped or renamed since is not looked for.
    tables.retain(|name| history.of(name).next().is_none() || history.at(name, end).is_some());
    let mut known = Vec::new();
    for name in tables {
        let def = history.at(&name, end);
        if let Some(def) = &def {
            found.extend(route.shard(&name).and_then(|shard| of_shard(shard, def)));
            found.extend(of_key(route, def));
        }
        match route.dealing(&name, def.as_deref()) {
            Ok(dealing) => known.push((name, def, dealing.places)),
            Err(e) => found.push(e),
        }
    }
    let target = match target {
        Ok(target) => target,
        Err(e) => {
            found.push(e);
            return Ok(found);
        }
    };
    for (name, def, places) in &known {
        // A statement of the stream may make it before its first row.
        let made =
            copies || target.makes_tables() || definitions.ddl.iter().any(|ddl| ddl.table == *name);
        for place in places {
            match of_place(route, (name, def.as_deref()), place, made, target) {
                Ok(()) => {}
                Err(e) if matches!(e.kind(), ErrorKind::Lost | ErrorKind::Retry) => {
                    found.push(e);
                    return Ok(found);
                }
                Err(e) => found.push(e),
            }
        }
    }
    let all = Changes { insert: true, update: true, delete: true, ..Changes::default() };
    let places = known.into_iter().flat_map(|(.., places)| places);
    let needs =
        Needs { tables: places.map(|place| (place, all)).collect(), statements: Vec::new() };
    found.extend(target.check_rights(&needs).err());
    Ok(found)
}

/// What is wrong with the column that tells where rows go; that it is missing tells the dealing.
fn of_shard(shard: &Shard, def: &TableDef) -> Option<Error> {
    let column = def.column(&shard.column)?;
    let (name, column_name) = (def.name(), &column.name);
    let counts = !matches!(shard.by, By::Values(_));
    if counts && !matches!(column.kind, Kind::Integer | Kind::Unknown) {
        return Some(
            Error::usage(format!(
                "{name}: {column_name:?}, by which rows are dealt out, is {}, no integer",
                column.type_name
            ))
            .help("deal them out by `values`, or by another column"),
        );
    }
    (shard.null == Way::Stop && column.nullable == Some(true)).then(|| {
        Error::usage(format!(
            "{name}: {column_name:?}, by which rows are dealt out, may be NULL, and nobody said where \
             such rows go"
        ))
        .help("say it with `null` in its route")
    })
}

/// A column of the key that is left out: what is left of it names no row.
fn of_key(route: &Route, def: &TableDef) -> Option<Error> {
    let name = def.name();
    let Moved { names, .. } = route.columns(&name);
    let dropped = |column: &&String| {
        let is_it =
            |(from, to): &(&str, Option<&str>)| to.is_none() && from.eq_ignore_ascii_case(column);
        names.iter().any(is_it)
    };
    let column = def.primary_key.iter().find(dropped)?;
    Some(
        Error::usage(format!("{name}: {column:?}, a column of its key, is left out"))
            .help("keep it, or give it another name with `rename`"),
    )
}

/// Whether rows can be written to a place.
fn of_place(
    route: &Route,
    (name, def): (&TableName, Option<&TableDef>),
    place: &TableName,
    made: bool,
    target: &mut dyn Catalog,
) -> Result<()> {
    if !target.exists(place)? {
        return match made {
            true => Ok(()),
            false => Err(Error::stopped(format!("{place}: is not there, for the rows of {name}"))
                .help("make it as the source has it")),
        };
    }
    let def = def.map(|def| route.def(def, place)).transpose()?;
    let mut table = target.table(place, def.as_ref())?;
    let Moved { names, null, set } = route.columns(name);
    Arc::make_mut(&mut table).route(&names, &null, &set)
}
