//! `apply` and `render`, and what both say of a stretch.

use clap::Args;

use super::output::{Output, count};
use crate::capture::Watch as _;
use crate::error::Means;
use crate::event::{Direction, Seq};
use crate::replay::Selection;

pub mod apply;
mod dry;
pub(super) mod out;
pub mod render;
pub(super) mod route;

fn say_left_out(bootstrap_rows: u64, output: &Output) {
    if bootstrap_rows > 0 {
        output.say(&format!(
            "{} bootstrap rows are not taken back: they are a copy, not a change",
            count(bootstrap_rows)
        ));
    }
}

/// How many messages of the stretch are behind us at a sequence.
fn done(direction: Direction, selection: &Selection, seq: Seq) -> u64 {
    match direction {
        Direction::Forward => (seq + 1).saturating_sub(selection.range.start),
        Direction::Reverse => selection.range.end.saturating_sub(seq),
    }
}

fn direction(reverse: bool) -> Direction {
    if reverse { Direction::Reverse } else { Direction::Forward }
}

/// What a reverse goes on in spite of.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What cannot be taken back")]
struct AllowArgs {
    /// Go on although statements (ALTER, DROP …) in the stretch stay as they are
    #[arg(long, requires = "reverse")]
    allow_ddl: bool,
    /// Go on although foreign keys deleted or changed rows that the source did not log
    #[arg(long, requires = "reverse")]
    allow_cascades: bool,
    /// Go on although the spool does not hold all of the stretch (gaps, unreadable messages, updates
    /// without former values)
    #[arg(long, requires = "reverse")]
    allow_incomplete: bool,
}

impl AllowArgs {
    fn allowed(&self) -> Vec<Means> {
        let all = [
            (self.allow_cascades, Means::AllowCascades),
            (self.allow_ddl, Means::AllowDdl),
            (self.allow_incomplete, Means::AllowIncomplete),
        ];
        all.into_iter().filter_map(|(is, what)| is.then_some(what)).collect()
    }
}
