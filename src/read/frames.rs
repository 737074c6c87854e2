//! The frames of a stretch that may hold something selected.

use std::ops::Range;

use crate::error::Result;
use crate::event::Direction;
use crate::filter::Filter;
use crate::select::Choice;
use crate::spool::{Frame, Seq, Spool, Zone};

/// Frames of a stretch, in order; those the index knows to hold nothing selected are left out. A
/// frame that cannot be read is an error that names it; the walk may go on behind it.
///
/// # Errors
/// When the index cannot be read.
pub fn frames(
    spool: &Spool,
    range: Range<Seq>,
    filter: &Filter,
) -> Result<impl Iterator<Item = Result<Frame>> + Send + use<>> {
    let choice = Choice::new(spool, filter)?;
    let may = move |zone: &Zone| choice.may_hold(zone);
    Ok(spool.frames_where(range, Direction::Forward, may))
}
