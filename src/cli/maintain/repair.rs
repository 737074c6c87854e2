//! `spool repair`: damaged files are readable without a finding again.

use clap::Args;
use serde_json::json;

use super::super::output::counted;
use super::super::stdio::pretty;
use super::super::{DIFFERS, DONE, Global, line, print};
use crate::error::Result;
use crate::event::printable;
use crate::spool::{self, Repair};

const REPAIR_HELP: &str = "\
Nothing is invented and nothing thrown away: damaged bytes are copied to a file with the ending .bad,
and where messages are lost the spool says from then on which. `binsync spool verify` has no finding
afterwards; what needs a lost message goes on refusing it. Status 3 when messages are lost. Bring a
backup back first, if there is one. No capture may run meanwhile.";

/// Arguments of `spool repair`.
#[derive(Args)]
#[command(after_help = REPAIR_HELP)]
pub struct RepairArgs {
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `spool repair`.
pub(super) fn repair(global: &Global, args: &RepairArgs) -> Result<u8> {
    let done = spool::repair(&global.spool, args.dry_run)?;
    let is_sound = done == Repair::default();
    let unmerged = done.unmerged.iter().map(|(_, range)| range);
    let lost: u64 = done.lost.iter().chain(unmerged).map(|range| range.end - range.start).sum();
    if global.json {
        let moved: Vec<_> = done
            .moved
            .iter()
            .map(|f| json!({"file": f.file, "offset": f.offset, "what": f.what}))
            .collect();
        let lost: Vec<_> = done.lost.iter().map(|range| [range.start, range.end - 1]).collect();
        let unmerged = done.unmerged.iter().map(
            |(queue, range)| json!({"queue": queue, "first": range.start, "last": range.end - 1}),
        );
        let unmerged: Vec<_> = unmerged.collect();
        print(&pretty(&json!({
            "dry_run": args.dry_run, "moved": moved, "lost": lost, "unmerged": unmerged,
            "ends": done.ends,
        })))?;
    } else if is_sound {
        line("nothing is damaged");
    } else {
        let verb = if args.dry_run { "would move" } else { "moved" };
        for f in &done.moved {
            let what = printable(&f.what);
            line(&format!("{verb} aside: {} offset {}: {what}", f.file, f.offset));
        }
        for range in &done.lost {
            line(&format!("lost: messages {} to {}", range.start, range.end - 1));
        }
        for (queue, range) in &done.unmerged {
            let (queue, last) = (printable(queue), range.end - 1);
            line(&format!(
                "lost before they were merged: messages {} to {last} of queue {queue}",
                range.start
            ));
        }
        for queue in &done.ends {
            let queue = printable(queue);
            line(&format!(
                "lost before they were merged: messages at the end of queue {queue}, unless they had \
                 not been acknowledged; the damaged bytes do not tell how many"
            ));
        }
        let moved = counted(done.moved.len() as u64, "damaged place");
        line(&format!("{verb} {moved} aside, {} lost", counted(lost, "message")));
    }
    Ok(if lost == 0 && done.ends.is_empty() { DONE } else { DIFFERS })
}
