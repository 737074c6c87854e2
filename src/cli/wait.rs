//! `wait`: arguments, and where the run stands then.

use std::time::{Duration, Instant};

use clap::Args;

use super::config::ConfigArgs;
use super::output::Output;
use super::source::SourceArgs;
use super::target::{ProgressArgs, looks};
use super::{DIFFERS, DONE, Global, duration, sync};
use crate::capture::Watch as _;
use crate::dest::Target;
use crate::error::{Error, Result};
use crate::event::landmark::Landmark;
use crate::mysql::server::Server;
use crate::replay::wait;
use crate::source::mark::Marker;
use crate::spool::Spool;

const WAIT_HELP: &str = "\
Examples:
  binsync wait --source mysql://joe@db1.example --target mysql://joe@db2.example
  binsync wait --source … --target … --name live --timeout 1m && switch-over
  binsync wait split

A mark is written at the source (binsync.mark; the user needs CREATE, INSERT and UPDATE on it), and
comes through producer, queue and capture to the target: what was committed before this command began
is applied when it ends with status 0. A server that takes no writes, and that nobody writes to, tells
its position instead. A mark that does not come within 10 s, while nothing older comes, ends the
command: Maxwell's `filter` leaves it out, or the queue is not bound to it (binsync.#).

Of a sync all runs are waited for, each from its source to its target, their first copies too.

Status 3 when the run has passed over conflicts on its way, 4 when it did not come so far in time.";

/// Arguments of `wait`.
#[derive(Args, Debug)]
#[command(after_help = WAIT_HELP)]
pub struct WaitArgs {
    /// A sync of the file binsync.toml: all its runs
    #[arg(value_name = "SYNC", conflicts_with_all = ["source", "target", "name", "password_file", "ssl_mode",
        "ssl_ca", "ssl_cert", "ssl_key", "get_server_public_key"])]
    sync: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    source: SourceArgs,
    /// The run, as `binsync status` lists it
    #[arg(long, value_name = "NAME", default_value = "apply")]
    name: String,
    /// Give up after this long
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration::parse)]
    timeout: Duration,
    #[command(flatten)]
    target: ProgressArgs,
}

/// Runs `binsync wait`.
///
/// # Errors
/// As [`wait::wait`] has them.
pub fn wait(global: &Global, args: &WaitArgs) -> Result<u8> {
    let output = Output::new("waited", global.quiet);
    let Some(name) = &args.sync else {
        let mut target = args.target.needed(true)?;
        let spool = Spool::open(&global.spool)?;
        let source = args.source.server()?;
        return one(spool, &source, target.as_mut(), (&args.name, args.timeout), &output);
    };
    sync::check_spool(global)?;
    let (config, began) = (args.config.read()?, Instant::now());
    let sync = config.sync(name)?;
    let mut skipped = false;
    for (source, target) in sync::pairs(&config, sync) {
        let label = sync::label(sync, source, target);
        let at = |e: Error| e.at(&label);
        let (spool, server) = (sync::open(source)?, sync::server(source)?);
        let mut open = sync::place(target)?.open(looks(None), true).map_err(at)?;
        // What is over cannot be waited for any more: a run that has come so far is told as such.
        let left = args.timeout.saturating_sub(began.elapsed());
        let output = Output::labelled("waited", global.quiet, label.clone(), false);
        let name = sync::run_name(sync, source);
        let status = one(spool, &server, open.as_mut(), (&name, left), &output).map_err(at)?;
        skipped |= status == DIFFERS;
    }
    Ok(if skipped { DIFFERS } else { DONE })
}

/// Waits for one run.
fn one(
    mut spool: Spool,
    source: &Server,
    target: &mut dyn Target,
    (name, timeout): (&str, Duration),
    output: &Output,
) -> Result<u8> {
    let mut marker = Marker::open(source)?;
    let standing = wait::wait(&mut spool, &mut marker, target, name, timeout)?;
    output.clear();
    let at = standing.last.as_ref().map(Landmark::to_string).unwrap_or_default();
    output.note(&format!("the run {name:?} has applied all that the source had: {at}"));
    if standing.skipped {
        output.say("but for the conflicts that it has passed over");
        return Ok(DIFFERS);
    }
    Ok(DONE)
}
