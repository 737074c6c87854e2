//! A sync of the file binsync.toml: its runs, and what each goes by.

use std::collections::HashMap;
use std::path::Path;

use super::target::Place;
use super::{Global, server};
use crate::config::{Config, Source, Sync, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::mysql::server::Server;
use crate::route::Route;
use crate::route::rule::Rule;
use crate::spool::Spool;

/// The sources and targets between which it goes: each pair is a run.
pub(super) fn pairs<'c>(config: &'c Config, sync: &Sync) -> Vec<(&'c Source, &'c Target)> {
    let sources = sync.from.iter().filter_map(|name| config.source(name));
    let targets = || sync.targets().into_iter().filter_map(|name| config.target(name));
    sources.flat_map(|source| targets().map(move |target| (source, target))).collect()
}

/// Refuses a spool that is named beside those of the file.
///
/// # Errors
/// As said (usage).
pub(super) fn check_spool(global: &Global) -> Result<()> {
    if global.spool == Path::new("./spool") {
        return Ok(());
    }
    Err(Error::usage("the file names the spools of a sync, and --spool another")
        .help("leave --spool (BINSYNC_SPOOL) out"))
}

/// Opens the spool of a source.
///
/// # Errors
/// When it is not there (usage) or cannot be read.
pub(super) fn open(source: &Source) -> Result<Spool> {
    let name = &source.name;
    Spool::open(&source.spool).map_err(|e| match e.kind() {
        ErrorKind::Usage => e.help(format!(
            "`binsync capture` or `binsync import` fills one, with its folder as --spool; \
             source.{name}.spool names it"
        )),
        _ => e,
    })
}

/// Where a target is.
///
/// # Errors
/// When a file that its URL names cannot be read.
pub(super) fn place(target: &Target) -> Result<Place> {
    let address = &target.address;
    Ok(match server::is_server(&address.url) {
        true => Place::Server(server::of_file(address)?),
        false => Place::File((&address.identity).into()),
    })
}

/// The server that a source comes from.
///
/// # Errors
/// When the file does not tell it (usage), or names a file that cannot be read.
pub(super) fn server(source: &Source) -> Result<Server> {
    let name = &source.name;
    let mysql = source.mysql.as_ref().ok_or_else(|| {
        Error::usage(format!("the server of source.{name} is asked, and the file does not tell it"))
            .help(format!("name it as source.{name}.mysql"))
    })?;
    server::of_file(mysql)
}

/// The name of the progress of a run in each target.
pub(super) fn run_name(sync: &Sync, source: &Source) -> String {
    format!("{}.{}", sync.name, source.name)
}

/// What a run is called in what is said of it.
pub(super) fn label(sync: &Sync, source: &Source, target: &Target) -> String {
    match sync.from.len() {
        1 => target.name.clone(),
        _ => format!("{} to {}", source.name, target.name),
    }
}

/// The route of one source to one target.
pub(super) fn route(sync: &Sync, source: &Source, target: &Target) -> Route {
    let rules = sync.routes.iter().map(|route| Rule {
        tables: route.tables.clone(),
        places: route
            .places
            .iter()
            .map(|to| (to.target == target.name).then(|| to.name.clone()))
            .collect(),
        shard: route.shard.clone(),
        columns: route.columns.clone(),
        merge: route.merge,
        typed: None,
    });
    Route::of(rules.collect(), &source.name)
}

/// Refuses tables of two sources that go to one, unless their routes merge.
///
/// # Errors
/// As said (usage), and when a spool cannot be read.
pub(super) fn check_merged(config: &Config, sync: &Sync) -> Result<()> {
    if sync.from.len() < 2 {
        return Ok(());
    }
    let sources = || sync.from.iter().filter_map(|name| config.source(name));
    for target in sync.targets().into_iter().filter_map(|name| config.target(name)) {
        let mut taken = HashMap::new();
        for source in sources() {
            let route = route(sync, source, target);
            for table in open(source)?.tables()? {
                for place in route.tables(&table) {
                    let merges = route.merges(&table);
                    let here = (source.name.clone(), table.clone(), merges);
                    let Some((other, name, merged)) = taken.insert(place.clone(), here) else {
                        continue;
                    };
                    if other != source.name && !(merges && merged) {
                        return Err(Error::usage(format!(
                            "{name} of {other} and {table} of {} would both go to {place}",
                            source.name
                        ))
                        .help("where that is meant, merge = true says so in both their routes"));
                    }
                }
            }
        }
    }
    Ok(())
}
