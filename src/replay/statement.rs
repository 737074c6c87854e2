//! A statement of the stream as it is run at the target: under other names, at several places.

use crate::error::{Error, Means, Result};
use crate::event::ddl::{Server, Statement, Told};
use crate::event::def::TableDef;
use crate::event::history::History;
use crate::event::{Op, TableName};
use crate::route::Route;

/// A statement, and what it is at the target.
pub(super) struct Rewritten {
    /// As the stream has it.
    pub(super) of: Statement,
    /// As it is run at the target, one after the other; nothing where no row of its tables goes there.
    pub(super) there: Vec<Statement>,
}

/// Finds what a statement is at the target; `source` is the server it ran on, where known.
///
/// # Errors
/// When it is not run there: with its text, to be done by hand.
pub(super) fn rewritten(
    statement: Statement,
    source: Option<Server>,
    route: &Route,
    history: &History,
) -> Result<Rewritten> {
    let told = statement.told();
    let moved = told.before.iter().chain(&told.after).find(|def| route.moves_columns(def));
    if let Some(def) = moved {
        return Err(refused(
            told,
            &format!("{} has other columns at the target", def.name()),
            route,
        ));
    }
    let Some(name) = statement.names().find(|name| route.renames(name)) else {
        return Ok(Rewritten { there: vec![statement.clone()], of: statement });
    };
    if !route.is_of_file() {
        return Err(refused(told, &format!("{name} has other names at the target"), route));
    }
    let there = match told.op {
        Op::DatabaseCreate => of_database(told, source, route)?,
        Op::DatabaseAlter | Op::DatabaseDrop => {
            let why = format!("the tables of {name} go to other databases at the target");
            return Err(refused(told, &why, route));
        }
        _ => of_tables(&statement, source, route, history)?,
    };
    Ok(Rewritten { of: statement, there })
}

/// CREATE DATABASE, once for each database of its places.
fn of_database(told: &Told, source: Option<Server>, route: &Route) -> Result<Vec<Statement>> {
    let mut places: Vec<TableName> =
        told.tables.iter().flat_map(|name| route.tables(name)).collect();
    places.sort();
    places.dedup();
    places.iter().map(|place| Statement::renamed(told, source, &|_| place.clone())).collect()
}

/// A statement on tables, once for each place that all of them have.
fn of_tables(
    statement: &Statement,
    source: Option<Server>,
    route: &Route,
    history: &History,
) -> Result<Vec<Statement>> {
    let told = statement.told();
    let names: Vec<TableName> = statement.names().collect();
    if let Some(name) = names.iter().find(|name| route.merges(name)) {
        let why = format!("{name} is merged with other tables at the target");
        return Err(refused(told, &why, route));
    }
    let places: Vec<(TableName, Vec<TableName>)> = names
        .into_iter()
        .map(|name| {
            let known = history.at(&name, told.seq.saturating_sub(1));
            let def = defined(told, &name).or(known.as_deref());
            if def.is_none() && route.shard(&name).is_some() {
                let why =
                    format!("{name}: its columns are not known, so nothing tells where it is");
                return Err(refused(told, &why, route));
            }
            Ok((name.clone(), route.dealing(&name, def)?.places))
        })
        .collect::<Result<_>>()?;
    if places.iter().all(|(_, places)| places.is_empty()) {
        return Ok(Vec::new());
    }
    let many = places.first().map_or(0, |(_, places)| places.len());
    let alike = || places.iter().all(|(name, _)| route.is_dealt_as(name, &places[0].0));
    let dealt = places.iter().any(|(name, _)| route.shard(name).is_some());
    let apart = (many > 1 || dealt) && !alike();
    if places.iter().any(|(_, own)| own.len() != many) || apart {
        return Err(refused(told, "its tables do not go to the same places", route));
    }
    if dealt && statement.numbers_rows() {
        let why = "the rows would get other numbers in each place than at the source";
        return Err(refused(told, why, route));
    }
    let at = |n: usize| {
        let there = |name: &TableName| {
            let found = places.iter().find(|(own, _)| own == name);
            found.map_or_else(|| name.clone(), |(_, places)| places[n].clone())
        };
        Statement::renamed(told, source, &there)
    };
    (0..many).map(at).collect()
}

/// The definition that a statement tells of a table.
fn defined<'t>(told: &'t Told, name: &TableName) -> Option<&'t TableDef> {
    told.after.iter().chain(&told.before).find(|def| def.name() == *name)
}

fn refused(told: &Told, why: &str, route: &Route) -> Error {
    let error = Error::stopped(format!(
        "{}\n  {why}, and a statement on it is not rewritten",
        told.place()
    ));
    // What is typed may take other kinds of messages; the run of a file takes them all.
    match route.is_of_file() {
        true => error.help((
            "do at the target by hand what it means, and pass over it with {} skip and an {} before \
             the next statement",
            [Means::Ddl, Means::Until],
        )),
        false => error.help((
            "run it at the target by hand, and leave statements out with {} insert,update,delete",
            [Means::Type],
        )),
    }
}
