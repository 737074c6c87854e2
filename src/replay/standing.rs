//! Where a run stands in its target, held against the spool.

use crate::dest::Run;
use crate::error::{Error, Result};
use crate::event::landmark::Landmark;
use crate::spool::{Seq, Spool};

/// Refuses a spool that is not the one a run has come so far in.
///
/// # Errors
/// As [`Spool::recognise`].
pub(super) fn recognise(spool: &Spool, run: &Run, seq: Seq, last: Option<&Landmark>) -> Result<()> {
    let who = format!("the progress {:?} in the target", run.name);
    if let Some(last) = last {
        return spool.recognise(last, &who);
    }
    // The progress of an older version, or at a spool's begin, says no more than a number.
    let end = spool.end()?.next;
    if seq > 0 {
        spool.check_begin(seq, &format!("{who} stands at message {seq}"))?;
    }
    if seq <= end {
        return Ok(());
    }
    Err(Error::stopped(format!(
        "{who} has come to message {}, and this spool ends at message {}: the spool is behind, it \
         was restored from an older copy, or has lost its end",
        seq - 1,
        end - 1
    ))
    .help("bring back the spool that it was, then run the same command again"))
}
