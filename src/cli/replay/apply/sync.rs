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
use crate::cli::{
    DIFFERS, DONE, FAILED, Global, STOPPED, USAGE, line, status, stop_flag, sync, words,
};
use crate::config::{Source, Sync, Target};
use crate::error::{Error, Result};
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
    for (source, target) in sync::pairs(&config, sync) {
        // Opened before anything begins: what is wrong with one is said at once.
        let spool = sync::open(source)?;
        spool.settle()?;
        let label = sync::label(sync, source, target);
        ways.push((label, spool, way(sync, source, target, args)?));
    }
    sync::check_merged(&config, sync)?;
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

fn way<'w>(sync: &Sync, source: &'w Source, target: &Target, args: &ApplyArgs) -> Result<Way<'w>> {
    let name = format!("{}.{}", sync.name, source.name);
    Ok(Way {
        dir: &source.spool,
        place: sync::place(target)?,
        route: sync::route(sync, source, target),
        conflicts: Some(format!("conflicts-{name}-{}.jsonl", target.name).into()),
        name: Some(name),
        patient: args.follow,
    })
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
