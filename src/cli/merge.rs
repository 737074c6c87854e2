//! `merge`: arguments and summary.

use std::path::PathBuf;

use clap::Args;

use super::ingest::{close, open};
use super::output::{Output, counted};
use super::{DIFFERS, Global, stop_flag};
use crate::capture::{Watch as _, spools};
use crate::error::{Error, Result};

const MERGE_EXAMPLES: &str = "\
Examples:
  binsync --spool all merge shard-1 shard-2 shard-3

The messages need the binlog positions (Maxwell: output_binlog_position=true). Merging the same
spools again adds what has come since. A spool that a capture is writing has more to come: what the
others have behind its last message waits for the next merge.";

/// Arguments of `merge`.
#[derive(Args)]
#[command(after_help = MERGE_EXAMPLES)]
pub struct MergeArgs {
    /// Spools of captures that drained one source side by side
    #[arg(required = true, value_name = "SPOOL")]
    spools: Vec<PathBuf>,
    /// More is to come in each of them: take only what all have come to (copies of live spools)
    #[arg(long)]
    more_to_come: bool,
}

/// Runs `binsync merge`.
pub fn merge(global: &Global, args: &MergeArgs) -> Result<u8> {
    let own = global.spool.canonicalize().ok();
    for dir in &args.spools {
        if own.is_some() && dir.canonicalize().ok() == own {
            let place = dir.display();
            return Err(Error::usage(format!("{place}: merged into itself"))
                .help("--spool names the spool that they are merged into"));
        }
    }
    let stop = stop_flag()?;
    let output = Output::new("merged", global.quiet);
    let mut spool = open(&global.spool, &output)?;
    let merged = spools::merge(&mut spool, &args.spools, args.more_to_come, &stop, &output);
    let outcome = merged.as_ref().copied().unwrap_or_default();
    let code = close(spool, &global.spool, "merged", &output, merged.map(drop))?;
    if outcome.waiting > 0 {
        output.say(&format!(
            "{} wait for a spool that has not come as far; merge again when it has",
            counted(outcome.waiting, "message")
        ));
    }
    Ok(if outcome.waiting > 0 || outcome.lost { DIFFERS } else { code })
}
