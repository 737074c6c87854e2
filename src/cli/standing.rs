//! `status`: where the spool and its runs stand, and what somebody has to see to.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::stdio::pretty;
use super::target::ProgressArgs;
use super::{DIFFERS, DONE, Global, print};
use crate::dest::Catalog;
use crate::error::Result;
use crate::replay::runs::runs;
use crate::spool::Spool;

mod findings;
mod json;
mod text;

use findings::Standing;

const STATUS_EXAMPLES: &str = "\
Examples:
  binsync status
  binsync status --target mysql://joe:secret@db2.example --json

Without --target the runs are shown as this spool has seen them last. With it the target is asked:
it alone knows of windows that were begun and of conflicts that were passed over.

Status 3 when somebody has to see to something: damaged messages, gaps, messages that are lost, a
disk below its reserve, a run that stopped in the middle of a window or statement, that has passed
over conflicts, or whose target or spool is not what it was. Nothing of this is mended by waiting.
That a run is behind, or that nobody captures, is shown and is no finding.";

/// Arguments of `status`.
#[derive(Args, Debug)]
#[command(after_help = STATUS_EXAMPLES)]
pub struct StatusArgs {
    #[command(flatten)]
    target: ProgressArgs,
}

/// Runs `binsync status`.
///
/// # Errors
/// When the spool or the target cannot be asked.
pub fn status(global: &Global, args: &StatusArgs) -> Result<u8> {
    let mut target = args.target.open(true)?;
    let spool = Spool::open(&global.spool)?;
    let catalog = target.as_deref_mut().map(|target| -> &mut dyn Catalog { target });
    let runs = runs(&spool, catalog)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let standing = Standing {
        spool: global.spool.display().to_string(),
        id: spool.id().to_owned(),
        state: spool.state()?,
        runs,
        now_ms: now.as_millis() as i64,
    };
    let findings = findings::findings(&standing);
    print(&match global.json {
        true => pretty(&json::json(&standing, &findings)),
        false => text::text(&standing, &findings),
    })?;
    Ok(if findings.is_empty() { DONE } else { DIFFERS })
}
