//! `apply` and `render`, and what both say of a stretch.

use super::output::{Output, count};
use crate::capture::Watch as _;
use crate::error::Result;
use crate::replay::cut::Cut;
use crate::replay::{Definitions, Selection, check_reversible};
use crate::spool::Spool;
use crate::target::Direction;

pub mod apply;
mod base;
pub mod render;

fn say_left_out(bootstrap_rows: u64, output: &Output) {
    if bootstrap_rows > 0 {
        output.say(&format!(
            "{} bootstrap rows are not taken back: they are a copy, not a change",
            count(bootstrap_rows)
        ));
    }
}

/// How many messages of the stretch are behind us at a sequence.
fn done(direction: Direction, selection: &Selection, seq: u64) -> u64 {
    match direction {
        Direction::Forward => (seq + 1).saturating_sub(selection.range.start),
        Direction::Reverse => selection.range.end.saturating_sub(seq),
    }
}

fn direction(reverse: bool) -> Direction {
    if reverse { Direction::Reverse } else { Direction::Forward }
}

/// Says what is wrong with the stretch; true when anything is.
fn say_damage(spool: &Spool, cut: &Cut, output: &Output) -> Result<bool> {
    let damaged = spool.damaged(cut.range.clone())?;
    for d in damaged.iter().take(10) {
        output.say(&format!(
            "message {} ({} offset {}) cannot be read and is passed over: {}",
            d.seq, d.segment, d.offset, d.reason
        ));
    }
    if damaged.len() > 10 {
        output.say(&format!("… and {} more such messages", damaged.len() - 10));
    }
    let gaps: Vec<_> =
        spool.gaps()?.into_iter().filter(|gap| cut.range.contains(&gap.seq)).collect();
    for gap in gaps.iter().take(10) {
        output.say(&format!("gap before message {}: {}", gap.seq, gap.detail));
    }
    let bad = spool.bad_frames()?;
    for frame in &bad {
        output.say(&format!(
            "{} offset {}: {} bytes unreadable, messages {} to {} are lost: {}",
            frame.segment,
            frame.offset,
            frame.bytes,
            frame.lost.start,
            frame.lost.end.saturating_sub(1),
            frame.reason
        ));
    }
    Ok(!damaged.is_empty() || !gaps.is_empty() || !bad.is_empty())
}

/// Checks and announcements before the first write of a reverse.
fn before_reverse(
    spool: &Spool,
    definitions: &Definitions,
    selection: &Selection,
    output: &Output,
) -> Result<()> {
    let created = check_reversible(spool, definitions, selection)?;
    if !created.is_empty() {
        output.note(&format!(
            "{} CREATE statements in the stretch are not taken back: their tables stay",
            created.len()
        ));
    }
    Ok(())
}
