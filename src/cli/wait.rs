//! `wait`: arguments, and where the run stands then.

use std::time::Duration;

use clap::Args;

use super::output::Output;
use super::source::SourceArgs;
use super::target::ProgressArgs;
use super::{DIFFERS, DONE, Global, duration};
use crate::capture::Watch as _;
use crate::error::Result;
use crate::event::landmark::Landmark;
use crate::replay::wait;
use crate::source::mark::Marker;
use crate::spool::Spool;

const WAIT_HELP: &str = "\
Examples:
  binsync wait --source mysql://joe@db1.example --target mysql://joe@db2.example
  binsync wait --source … --target … --name live --timeout 1m && switch-over

A mark is written at the source (binsync.mark; the user needs CREATE, INSERT and UPDATE on it), and
comes through producer, queue and capture to the target: what was committed before this command began
is applied when it ends with status 0. A server that takes no writes, and that nobody writes to, tells
its position instead. A mark that does not come within 10 s, while nothing older comes, ends the
command: Maxwell's `filter` leaves it out, or the queue is not bound to it (binsync.#).

Status 3 when the run has passed over conflicts on its way, 4 when it did not come so far in time.";

/// Arguments of `wait`.
#[derive(Args, Debug)]
#[command(after_help = WAIT_HELP)]
pub struct WaitArgs {
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
    let mut target = args.target.needed(true)?;
    let mut spool = Spool::open(&global.spool)?;
    let mut marker = Marker::open(&args.source.server()?)?;
    let standing = wait::wait(&mut spool, &mut marker, target.as_mut(), &args.name, args.timeout)?;
    output.clear();
    let at = standing.last.as_ref().map(Landmark::to_string).unwrap_or_default();
    output.note(&format!("the run {:?} has applied all that the source had: {at}", args.name));
    if standing.skipped {
        output.say("but for the conflicts that it has passed over");
        return Ok(DIFFERS);
    }
    Ok(DONE)
}
