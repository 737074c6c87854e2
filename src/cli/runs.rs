//! `runs forget`: the end of a run.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::count;
use super::stdio::pretty;
use super::target::ProgressArgs;
use super::{DIFFERS, DONE, Global, line, print};
use crate::dest::Catalog;
use crate::error::Result;
use crate::event::landmark::Landmark;
use crate::replay::runs::{self, RunState};
use crate::spool::Spool;

/// What to do with runs.
#[derive(Subcommand)]
pub enum RunsCommand {
    /// Removes the progress of a run that is over and done; the rows it has written stay
    Forget(ForgetArgs),
}

const FORGET_HELP: &str = "\
Examples:
  binsync runs forget undo-46729efa --target mysql://joe@db1.example --dry-run
  binsync runs forget undo-46729efa --target mysql://joe@db1.example
  binsync runs forget apply            the target is gone: only what the spool remembers

Rows stay as they are. A later apply of that name begins anew, at the begin of its selection. It is
refused while an apply of that name runs on this machine; one on another machine that is in the
middle of a transaction is waited for, and stops at its next one.

Status 3 when the run had stopped in the middle of a window or statement: what of it was done is not
known any more.";

/// Arguments of `runs forget`.
#[derive(Args)]
#[command(after_help = FORGET_HELP)]
pub struct ForgetArgs {
    /// The run, as `binsync status` lists it
    name: String,
    /// Say what would be removed, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    target: ProgressArgs,
}

/// Runs `binsync runs …`.
///
/// # Errors
/// As the command has it.
pub fn run(global: &Global, command: &RunsCommand) -> Result<u8> {
    let RunsCommand::Forget(args) = command;
    forget(global, args)
}

fn forget(global: &Global, args: &ForgetArgs) -> Result<u8> {
    let mut target = args.target.open(args.dry_run)?;
    let spool = Spool::open(&global.spool)?;
    let catalog = target.as_deref_mut().map(|target| -> &mut dyn Catalog { target });
    let found = runs::named(&spool, &args.name, catalog)?;
    found.iter().try_for_each(runs::check_idle)?;
    if !args.dry_run {
        for run in &found {
            let ledger =
                target.as_deref_mut().map(|target| -> &mut dyn crate::dest::Ledger { target });
            runs::forget(&spool, run, ledger)?;
        }
    }
    if global.json {
        let runs: Vec<Value> = found.iter().map(shown).collect();
        print(&pretty(&json!({"dry_run": args.dry_run, "forgotten": runs})))?;
    }
    let mut torn = false;
    for run in &found {
        torn |= tell(run, global.quiet, args.dry_run);
    }
    Ok(if torn { DIFFERS } else { DONE })
}

fn shown(run: &RunState) -> Value {
    json!({
        "name": run.run.name, "target": run.target, "progress": run.asked,
        "direction": run.run.direction.name(), "selection": run.run.selection,
        "seq": run.standing.seq,
    })
}

/// Says what goes and what that means; true when something was begun and not ended.
fn tell(run: &RunState, quiet: bool, dry_run: bool) -> bool {
    let (name, verb) = (&run.run.name, if dry_run { "would forget" } else { "forgot" });
    let at = run.target.as_deref().unwrap_or("the target");
    let selection = &run.run.selection;
    let place = run.standing.last.as_ref().map(Landmark::to_string);
    let place = place.unwrap_or_else(|| format!("message {}", count(run.standing.seq)));
    if !quiet {
        line(&format!("{verb} {name} at {at}: {}, {selection}, {place}", run.run.direction.name()));
        line(match run.asked {
            true => {
                "that is its progress at the target and what this spool remembers of it; its rows stay, and \
                 an apply of that name begins anew, at the begin of its selection"
            }
            false => {
                "that is only what this spool remembers of it: a target that is still there keeps its \
                 progress (--target), and an apply of that name goes on from it"
            }
        });
    }
    let direction = run.run.direction;
    if let Some(window) = run.standing.window {
        let stretch = direction.range(run.standing.seq, window.end);
        line(&format!(
            "it had stopped in the middle of a window: the target has a part of the rows of \
             messages {} to {}, and which is not known any more",
            stretch.start,
            stretch.end.saturating_sub(1)
        ));
    }
    if let Some(statement) = run.standing.statement {
        line(&format!(
            "it had stopped at the statement of message {statement}: whether the target has run \
             it is not known any more"
        ));
    }
    run.standing.window.is_some() || run.standing.statement.is_some()
}
