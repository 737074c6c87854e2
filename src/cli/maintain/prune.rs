//! `spool prune`: the oldest segments go.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::super::output::{count, counted, megabytes};
use super::super::stdio::pretty;
use super::super::{DIFFERS, DONE, Global, duration, line, print, size, time};
use crate::error::Result;
use crate::event::printable;
use crate::read::position;
use crate::replay::runs;
use crate::spool::{self, Prune, Seq, Spool, Wish};

const PRUNE_HELP: &str = "\
Examples:
  binsync spool prune --older-than 30d --dry-run   what would go
  binsync spool prune --older-than 30d --keep-bytes 50G
                                                   what is older, and what is too much

Whole segments (256 MiB of messages) go from the front; the last two stay, whatever is asked. A
capture or an apply may be at work meanwhile. Definitions, epochs, how far each file is imported
and the numbers of the messages outlive it. What a run at a target (targets/) or a named export
(export/) has not taken yet stays, which is said, with status 3.";

/// Arguments of `spool prune`.
#[derive(Args)]
#[command(after_help = PRUNE_HELP)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["older_than", "keep_bytes"])))]
pub struct PruneArgs {
    /// Segments whose last message arrived longer ago than this, as 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = duration::age)]
    older_than: Option<Duration>,
    /// The oldest segments, until the others take no more room than this, as 50G
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    keep_bytes: Option<usize>,
    /// Also what runs and exports have not taken yet: they cannot go on then
    #[arg(long)]
    force: bool,
    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `spool prune`.
pub(super) fn prune(global: &Global, args: &PruneArgs) -> Result<u8> {
    let spool = Spool::open(&global.spool)?;
    let needs = if args.force { Vec::new() } else { needs(&spool)? };
    drop(spool);
    let first = needs.into_iter().min();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let before = args.older_than.map(|age| now.saturating_sub(age).as_millis() as i64);
    let wish = Wish {
        before_ms: before,
        bytes: args.keep_bytes.map(|bytes| bytes as u64),
        needed: first.as_ref().map(|(seq, _)| *seq),
    };
    let done = spool::prune(&global.spool, &wish, args.dry_run)?;
    let held = first.filter(|_| done.held > 0).map(|(_, who)| who);
    if global.json {
        print(&pretty(&as_json(&done, held.as_deref(), args.dry_run)))?;
    } else {
        say(&done, args.dry_run, global.quiet);
    }
    let Some(who) = held else { return Ok(DONE) };
    line(&format!(
        "{} more would go, but {}; --force prunes it all the same",
        counted(done.held as u64, "segment"),
        printable(&who)
    ));
    Ok(DIFFERS)
}

/// From which message on each run and each export needs the spool, and why.
fn needs(spool: &Spool) -> Result<Vec<(Seq, String)>> {
    let mut all = runs::needs(spool)?;
    all.extend(position::needs(spool)?);
    Ok(all)
}

fn say(done: &Prune, dry_run: bool, quiet: bool) {
    if quiet {
        return;
    }
    let Some(pruned) = done.pruned.as_ref().filter(|_| !done.segments.is_empty()) else {
        return line("nothing to prune");
    };
    let (bytes, messages) = sums(done);
    let arrived = done.segments.iter().map(|s| s.arrival_ms.1).max().unwrap_or(0);
    line(&format!(
        "{} {} ({}): {}, the last arrived {}; what is left begins at message {}",
        if dry_run { "would prune" } else { "pruned" },
        counted(done.segments.len() as u64, "segment"),
        megabytes(bytes),
        counted(messages, "message"),
        time::utc(arrived.div_euclid(1000)),
        count(pruned.begin)
    ));
    if let Some((copies, to)) = &done.copies {
        let copies = counted(*copies as u64, "segment");
        let to = printable(to);
        line(&format!("still in the archive {to}, where nothing here leads any more: {copies}"));
    }
}

fn sums(done: &Prune) -> (u64, u64) {
    let bytes = done.segments.iter().map(|s| s.bytes).sum();
    (bytes, done.segments.iter().map(|s| s.records).sum())
}

fn as_json(done: &Prune, held: Option<&str>, dry_run: bool) -> Value {
    let (bytes, messages) = sums(done);
    let names: Vec<&str> = done.segments.iter().map(|s| s.name.as_str()).collect();
    json!({
        "dry_run": dry_run, "segments": names, "bytes": bytes, "messages": messages,
        "begin": done.pruned.as_ref().map_or(1, |pruned| pruned.begin),
        "held": done.held, "held_by": held,
        "copies": done.copies.as_ref().map_or(0, |(copies, _)| *copies),
    })
}
