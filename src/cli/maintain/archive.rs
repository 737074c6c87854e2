//! `spool archive`: segments are kept elsewhere, and fetched when they are needed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;

use super::super::output::{counted, megabytes};
use super::super::stdio::pretty;
use super::super::{DONE, Global, duration, line, print, size, stop_flag};
use crate::error::Result;
use crate::event::printable;
use crate::spool::{self, Archived, SegmentInfo, Wish};

const ARCHIVE_HELP: &str = "\
Examples:
  binsync spool archive /mnt/archive               a copy of each segment that has ended
  binsync spool archive s3://backups/shop --keep-bytes 50G
                                                   and what is too much is not kept here

Each segment (256 MiB of messages) is copied once; the spool keeps its hash. With --older-than or
--keep-bytes the oldest are removed here, each after its copy was read back and compared; the last two
stay. A command that needs one of them later fetches it, compares it, and keeps the last four. A
capture or an apply may be at work meanwhile. Another DEST than before gets all that the one before
has. Nothing is ever removed or changed in an archive.

The keys and the address of an object store come from the environment, here and wherever something is
to be fetched: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION and
AWS_ENDPOINT_URL.";

/// Arguments of `spool archive`.
#[derive(Args)]
#[command(after_help = ARCHIVE_HELP)]
pub struct ArchiveArgs {
    /// A folder that is there, or s3://BUCKET/PREFIX
    #[arg(value_name = "DEST")]
    to: String,
    /// Remove here those whose last message arrived longer ago than this, as 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = duration::age)]
    older_than: Option<Duration>,
    /// Remove the oldest here, until the others take no more room than this, as 50G
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    keep_bytes: Option<usize>,
    /// Say what would be copied and removed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `spool archive`.
pub(super) fn archive(global: &Global, args: &ArchiveArgs) -> Result<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let before = args.older_than.map(|age| now.saturating_sub(age).as_millis() as i64);
    let bytes = args.keep_bytes.map(|bytes| bytes as u64);
    let wish = Wish { before_ms: before, bytes, needed: None };
    let stop = stop_flag()?;
    let done = spool::archive(&global.spool, &args.to, &wish, args.dry_run, &stop)?;
    let Archived { to, copied, removed, later } = &done;
    let bytes = |segments: &[SegmentInfo]| segments.iter().map(|s| s.bytes).sum::<u64>();
    let names = |segments: &[SegmentInfo]| -> Vec<String> {
        segments.iter().map(|s| s.name.clone()).collect()
    };
    if global.json {
        print(&pretty(&json!({
            "dry_run": args.dry_run, "to": to, "copied": names(copied), "copied_bytes": bytes(copied),
            "removed": names(removed), "removed_bytes": bytes(removed), "later": later,
        })))?;
    } else if !global.quiet {
        let said = |segments: &[SegmentInfo]| {
            format!(
                "{} ({})",
                counted(segments.len() as u64, "segment"),
                megabytes(bytes(segments))
            )
        };
        let would = if args.dry_run { "would have " } else { "" };
        line(&format!("{would}copied {} to {}", said(copied), printable(to)));
        if !removed.is_empty() {
            line(&format!("{would}removed {} here, which are fetched when needed", said(removed)));
        }
        if *later > 0 {
            let later = counted(*later as u64, "segment");
            line(&format!(
                "{later} left for the next time: the writer is about to write them anew"
            ));
        }
    }
    Ok(DONE)
}
