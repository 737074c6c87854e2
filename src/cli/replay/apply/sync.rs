//! `apply SYNC` and `sync`: from the sources of a sync to its targets, each a run of its own.
//!
//! Each has its own connections, progress and tries, so that a target that is away, or refuses a row,
//! holds no other up.

use std::sync::atomic::AtomicBool;
use std::thread;

use clap::Args;

use super::args::ApplyArgs;
use super::way::Way;
use crate::cli::config::ConfigArgs;
use crate::cli::output::Output;
use crate::cli::{
    DIFFERS, DONE, FAILED, Global, STOPPED, USAGE, line, status, stop_flag, sync, words,
};
use crate::config::{Source, Sync, Target};
use crate::error::Result;
use crate::spool::Spool;

const SYNC_HELP: &str = "\
Examples:
  binsync sync split
  binsync wait split && binsync compare split

Where the file says `copy = true`, the tables of the sync are copied first, while they are written
to, by a user of the source who may SELECT them and write the marks (binsync.mark; CREATE, INSERT
and UPDATE on it). Then it goes on as `binsync apply SYNC --follow` does, until it is stopped.
Captures of the sources run beside it. Stop it or kill it at any time, and run it again: it goes on
where it was.";

/// Arguments of `sync`.
#[derive(Args, Debug)]
#[command(after_help = SYNC_HELP)]
pub struct SyncArgs {
    /// The sync, by its name in the file
    #[arg(value_name = "SYNC")]
    sync: String,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs `sync`: as `apply SYNC` follows, behind a first copy where the file wants one.
///
/// # Errors
/// When the file or a spool cannot be read, or a run cannot begin with a copy.
pub fn sync(global: &Global, args: &SyncArgs) -> Result<u8> {
    let apply = ApplyArgs::following(&args.sync, &args.config)?;
    all(global, &apply, &args.sync, true)
}

/// Runs `apply SYNC`.
///
/// # Errors
/// When the file or a spool cannot be read; what befalls a run is told with its target.
pub(super) fn apply(global: &Global, args: &ApplyArgs, name: &str) -> Result<u8> {
    all(global, args, name, false)
}

/// Runs all runs of a sync side by side; they may begin with a copy where it `copies`.
fn all(global: &Global, args: &ApplyArgs, name: &str, copies: bool) -> Result<u8> {
    sync::check_spool(global)?;
    let config = args.config.read()?;
    let sync = config.sync(name)?;
    let mut ways = Vec::new();
    for (source, target) in sync::pairs(&config, sync) {
        // Opened before anything begins: what is wrong with one is said at once.
        let spool = sync::open(source)?;
        spool.settle()?;
        let label = sync::label(sync, source, target);
        let output = Output::labelled("applied", global.quiet, label.clone(), !args.follow);
        let mut way = way(sync, source, target, args)?;
        if copies && sync.copy {
            way.copy = Some(sync::server(source)?);
        }
        ways.push((label, spool, way, output));
    }
    sync::check_merged(&config, sync)?;
    let stop = stop_flag()?;
    for (label, spool, way, output) in &mut ways {
        way.begin(spool, args, output).map_err(|e| e.at(label))?;
    }
    let each = |(label, spool, way, output): (String, Spool, Way<'_>, Output)| {
        run(&label, spool, &way, (global, args), &stop, &output)
    };
    let ends: Vec<u8> = thread::scope(|scope| {
        let runs: Vec<_> = ways.into_iter().map(|way| scope.spawn(|| each(way))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or(FAILED)).collect()
    });
    Ok(together(&ends))
}

fn way<'w>(sync: &Sync, source: &'w Source, target: &Target, args: &ApplyArgs) -> Result<Way<'w>> {
    let name = sync::run_name(sync, source);
    Ok(Way {
        dir: &source.spool,
        place: sync::place(target)?,
        route: sync::route(sync, source, target),
        conflicts: Some(format!("conflicts-{name}-{}.jsonl", target.name).into()),
        name: Some(name),
        patient: args.follow,
        copy: None,
    })
}

/// Runs one of them; its end is told with its name.
fn run(
    label: &str,
    spool: Spool,
    way: &Way<'_>,
    asked: (&Global, &ApplyArgs),
    stop: &AtomicBool,
    output: &Output,
) -> u8 {
    match way.apply(spool, asked, stop, output) {
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
