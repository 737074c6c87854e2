//! Waits until a run has applied what the source has committed by now.

use std::thread;
use std::time::{Duration, Instant};

use super::{mark, runs};
use crate::dest::{Catalog, Standing};
use crate::error::{Error, Result};
use crate::event::landmark::Landmark;
use crate::source::mark::Marker;
use crate::spool::{Seq, Spool};

/// The pauses between two looks at where the run stands: short at first.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// Waits for the run of that name at most so long; where it stands then.
///
/// # Errors
/// When there is no such run (usage), the place does not come to the spool, or the run does not come
/// to it in time: the error says where the run stands.
pub fn wait(
    spool: &mut Spool,
    marker: &mut Marker,
    target: &mut dyn Catalog,
    name: &str,
    patience: Duration,
) -> Result<Standing> {
    let began = Instant::now();
    let run = runs::forward(spool, name, target)?;
    let behind = mark::ask(marker, spool)?.arrive(spool, marker, patience)?;
    let mut pause = PAUSES.0;
    loop {
        let Some(standing) = target.standing(&run)? else {
            return Err(Error::stopped(format!(
                "the target knows nothing of the run {name:?} any more"
            ))
            .help("it was restored, made anew, or its progress removed"));
        };
        if standing.seq >= behind && standing.copying.is_empty() {
            return Ok(standing);
        }
        if began.elapsed() > patience {
            return Err(late(name, &standing, behind));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Where the run stands that did not come so far in time.
fn late(name: &str, standing: &Standing, behind: Seq) -> Error {
    let at = standing.last.as_ref().map(Landmark::to_string);
    let at = at.unwrap_or_else(|| format!("message {}", standing.seq.saturating_sub(1)));
    let left = behind.saturating_sub(standing.seq);
    let copying = match standing.copying.first() {
        None => String::new(),
        Some(first) => format!("; {} is not copied to its end", first.table),
    };
    let open = match (standing.window, standing.statement) {
        (Some(window), _) => {
            format!(", in the middle of a window up to message {}", window.end.saturating_sub(1))
        }
        (None, Some(statement)) => format!(", at the statement of message {statement}"),
        (None, None) => String::new(),
    };
    Error::stopped(format!(
        "the run {name:?} has not applied all in time: it stands at {at}{open}; what the source had \
         ends {left} messages behind that{copying}"
    ))
    .help("see that an apply of that name follows the spool, then run the same command again")
}
