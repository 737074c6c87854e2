//! `apply SYNC`: from the sources of a sync to its targets, each a run of its own.
//!
//! Each has its own connections, progress and tries, so that a target that is away, or refuses a row,
//! holds no other up.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;

use super::args::ApplyArgs;
use super::way::Way;
use crate::cli::output::Output;
use crate::cli::server;
use crate::cli::target::Place;
use crate::cli::{DIFFERS, DONE, FAILED, Global, STOPPED, USAGE, line, status, stop_flag, words};
use crate::config::{Config, Source, Sync, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::route::Route;
use crate::route::rule::Rule;
use crate::spool::Spool;

/// Runs `apply SYNC`.
///
/// # Errors
/// When the file or a spool cannot be read; what befalls a run is told with its target.
pub(super) fn apply(global: &Global, args: &ApplyArgs, name: &str) -> Result<u8> {
    if global.spool != Path::new("./spool") {
        return Err(Error::usage("the file names the spools of a sync, and --spool another")
            .help("leave --spool (BINSYNC_SPOOL) out"));
    }
    let config = args.config.read()?;
    let sync = config.sync(name)?;
    let mut ways = Vec::new();
    for source in sync.from.iter().filter_map(|name| config.source(name)) {
        for target in sync.targets().into_iter().filter_map(|name| config.target(name)) {
            // Opened before anything begins: what is wrong with one is said at once.
            let spool = open(source)?;
            spool.settle()?;
            ways.push((label(sync, source, target), spool, way(sync, source, target, args)?));
        }
    }
    check_merged(&config, sync)?;
    let stop = stop_flag()?;
    let each = |(label, spool, way): (String, Spool, Way<'_>)| {
        run(label, spool, &way, (global, args), &stop)
    };
    let ends: Vec<u8> = thread::scope(|scope| {
        let runs: Vec<_> = ways.into_iter().map(|way| scope.spawn(|| each(way))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or(FAILED)).collect()
    });
    Ok(together(&ends))
}

fn open(source: &Source) -> Result<Spool> {
    let name = &source.name;
    Spool::open(&source.spool).map_err(|e| match e.kind() {
        ErrorKind::Usage => e.help(format!(
            "`binsync capture` or `binsync import` fills one, with its folder as --spool; \
             source.{name}.spool names it"
        )),
        _ => e,
    })
}

/// What a run is called in what is said of it.
fn label(sync: &Sync, source: &Source, target: &Target) -> String {
    match sync.from.len() {
        1 => target.name.clone(),
        _ => format!("{} to {}", source.name, target.name),
    }
}

fn way<'w>(sync: &Sync, source: &'w Source, target: &Target, args: &ApplyArgs) -> Result<Way<'w>> {
    let address = &target.address;
    let place = match server::is_server(&address.url) {
        true => Place::Server(server::of_file(address)?),
        false => Place::File((&address.identity).into()),
    };
    let name = format!("{}.{}", sync.name, source.name);
    Ok(Way {
        dir: &source.spool,
        place,
        route: route(sync, source, target),
        conflicts: Some(format!("conflicts-{name}-{}.jsonl", target.name).into()),
        name: Some(name),
        patient: args.follow,
    })
}

/// The route of one source to one target.
fn route(sync: &Sync, source: &Source, target: &Target) -> Route {
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
fn check_merged(config: &Config, sync: &Sync) -> Result<()> {
    if sync.from.len() < 2 {
        return Ok(());
    }
    let sources = || sync.from.iter().filter_map(|name| config.source(name));
    for target in sync.targets().into_iter().filter_map(|name| config.target(name)) {
        let mut taken = std::collections::HashMap::new();
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

/// Runs one of them; its end is told with its name.
fn run(
    label: String,
    spool: Spool,
    way: &Way<'_>,
    asked: (&Global, &ApplyArgs),
    stop: &AtomicBool,
) -> u8 {
    let output = Output::labelled("applied", asked.0.quiet, label.clone(), !asked.1.follow);
    match way.apply(spool, asked, stop, &output) {
        Ok(status) => status,
        Err(e) => {
            line(&format!("binsync: {label}: {}", words::text(&e.words())));
            status::of(&e)
        }
    }
}

/// How all of them ended: what is worst. Where one has done something, the call was not wrong.
fn together(ends: &[u8]) -> u8 {
    if ends.iter().all(|end| *end == USAGE) {
        return USAGE;
    }
    let failed = ends.iter().any(|end| [FAILED, USAGE].contains(end));
    let others = [STOPPED, DIFFERS].into_iter().find(|status| ends.contains(status));
    if failed { FAILED } else { others.unwrap_or(DONE) }
}
