//! Source against target, row by row, while both are written to.
//!
//! ```text
//! walk ── chunks that differ ── rows that differ ── looked at again ── judge
//! ```
//!
//! Nothing is locked, and no snapshot is older than one statement. What is found by checksums may be
//! under way; [`judge`] decides by the spool.

use std::time::Duration;

use crate::dest::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::event::TableName;
use crate::event::def::TableDef;
use crate::filter::Filter;
use crate::mysql::server::Server;
use crate::replay::mark;
use crate::route::Route;
use crate::source::copy::{Base, Found as AtSource};
use crate::source::mark::Marker;
use crate::spool::Spool;
pub use found::{Columns, Compared, Difference, Differing, Found, Kind};

use columns::{End, Pair};
use judge::Judge;
use one::One;
use side::Side;

mod columns;
mod dealt;
mod found;
mod judge;
mod keys;
mod mend;
mod one;
mod side;
mod touched;
mod value;
mod walk;

/// What is compared.
pub struct Request<'a> {
    /// The server that is recorded.
    pub source: &'a Server,
    /// The server that the run writes to.
    pub target: &'a Server,
    /// The run.
    pub run: &'a Run,
    /// Which of the source's tables.
    pub filter: &'a Filter,
    /// Where their rows go.
    pub route: &'a Route,
}

/// Compares; `each` is told what is found.
///
/// # Errors
/// When a mark does not come, a server or the spool cannot be asked, and those of `each`.
pub fn compare(
    request: &Request<'_>,
    spool: &mut Spool,
    each: &mut dyn FnMut(Found) -> Result<()>,
) -> Result<()> {
    let mut sources =
        [Side::open(request.source, End::Source)?, Side::open(request.source, End::Source)?];
    let mut target = Side::open(request.target, End::Target)?;
    let mut marker = Marker::open(request.source)?;
    let tables = tables(request, spool, &mut sources[0])?;
    let there = Base::open(request.target)?.tables()?;
    for name in hidden(request, spool, &tables, &there)? {
        let why =
            format!("{name}: the target has it, the source has not, or its user may not see it");
        each(Found::Left(name, why.into()))?;
    }
    // What decides in the end has to come; that it does not is for now, not for then.
    mark::ask(&mut marker, spool)?.arrive(spool, &marker, Duration::MAX)?;
    let standing = target.standing(request.run)?.unwrap_or_default();
    if let Some(first) = standing.copying.first() {
        return Err(Error::stopped(format!(
            "the first copy is not at its end: {} and {} more",
            first.table,
            standing.copying.len() - 1
        ))
        .help("compare when it is"));
    }
    for (table, def) in tables {
        let found = pairs(request.route, (&table, &def), &there, &mut sources[0], &mut target);
        let pairs = match found {
            Ok(pairs) => pairs,
            Err(e) if e.kind() == ErrorKind::Stopped => {
                each(Found::Left(table.name, e.words()))?;
                continue;
            }
            Err(e) => return Err(e),
        };
        for pair in &pairs {
            let judge = Judge { spool: &mut *spool, marker: &mut marker, run: request.run };
            let one = One::new(pair, judge, &mut sources[0])?;
            let compared = one.compare(&mut sources, &mut target, each)?;
            each(Found::Table(compared))?;
        }
    }
    Ok(())
}

/// The tables that are compared, as they are at the source.
fn tables(
    request: &Request<'_>,
    spool: &Spool,
    source: &mut Side,
) -> Result<Vec<(AtSource, TableDef)>> {
    let found = Base::open(request.source)?.tables()?;
    let mut told = spool.tables()?;
    told.extend(found.iter().map(|table| table.name.clone()));
    request.filter.check_tables(&told)?;
    let mut tables = Vec::new();
    for table in found.into_iter().filter(|table| request.filter.takes_table(&table.name)) {
        let def = source.definition(&table.name)?;
        tables.extend(def.map(|def| (table, def)));
    }
    if tables.is_empty() {
        return Err(Error::usage(
            "the source has none of the tables chosen, or its user may see none",
        ));
    }
    let names: Vec<TableName> = tables.iter().map(|(table, _)| table.name.clone()).collect();
    request.route.check_used(&names)?;
    request.route.check(&names, |name, column| {
        let def = tables.iter().find(|(table, _)| table.name == *name);
        def.is_some_and(|(_, def)| def.column(column).is_some())
    })?;
    Ok(tables)
}

/// The chosen tables of the stream that the source does not show, and the target has.
fn hidden(
    request: &Request<'_>,
    spool: &Spool,
    shown: &[(AtSource, TableDef)],
    targets: &[AtSource],
) -> Result<Vec<TableName>> {
    let is_there = |name: &TableName| targets.iter().any(|table| table.name == *name);
    let mut names = spool.tables()?;
    names.retain(|name| {
        request.filter.takes_table(name)
            && shown.iter().all(|(table, _)| table.name != *name)
            && request.route.tables(name).iter().any(is_there)
    });
    Ok(names)
}

/// A table, and those that its rows go to.
///
/// # Errors
/// Why they are not compared, as a stop.
fn pairs(
    route: &Route,
    (table, def): (&AtSource, &TableDef),
    targets: &[AtSource],
    source: &mut Side,
    target: &mut Side,
) -> Result<Vec<Pair>> {
    let name = &table.name;
    if route.merges(name) {
        return Err(Error::stopped(format!(
            "{name}: the target has rows of other tables beside its own"
        )));
    }
    let (key, charsets) = (source.key(def)?, source.charsets(name)?);
    let dealing = route.dealing(name, Some(def))?;
    let mut pairs = Vec::new();
    for (to, shard) in dealing.each() {
        let there = targets.iter().find(|table| table.name == *to);
        for table in [Some(table), there].into_iter().flatten() {
            if !table.engine.eq_ignore_ascii_case("InnoDB") {
                return Err(Error::stopped(format!(
                    "{}: is kept by {}, whose rows are not of one moment with the run's progress",
                    table.name, table.engine
                )));
            }
        }
        let there = target.definition(to)?;
        let there =
            there.ok_or_else(|| Error::stopped(format!("{name}: the target has no table {to}")))?;
        let mut pair = Pair::new(def, &there, &key, route)?;
        pair.learn(&charsets, &target.charsets(to)?);
        pair.only = shard.map(|(shard, n)| dealt::condition(def, shard, n)).transpose()?;
        pairs.push(pair);
    }
    Ok(pairs)
}
