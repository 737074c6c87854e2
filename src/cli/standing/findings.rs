//! All that `status` shows, and what of it somebody has to see to.

use crate::cli::output::{count, counted};
use crate::cli::words;
use crate::event::Seq;
use crate::replay::runs::RunState;
use crate::spool::State;

/// All that is shown.
pub(super) struct Standing {
    pub(super) spool: String,
    pub(super) id: String,
    pub(super) state: State,
    pub(super) runs: Vec<RunState>,
    /// Milliseconds since 1970.
    pub(super) now_ms: i64,
}

/// A finding: what it is about, for whoever sorts them, and in words.
pub(super) struct Finding {
    /// `damaged`, `encrypted`, `gaps`, `unreadable`, `disk` or `run`.
    pub(super) about: &'static str,
    pub(super) text: String,
}

pub(super) fn findings(standing: &Standing) -> Vec<Finding> {
    let state = &standing.state;
    let mut all = Vec::new();
    let mut add = |about, text| all.push(Finding { about, text });
    let many = |(number, last): (u64, Option<Seq>), noun: &str, at: &str| {
        let last = last.map_or(String::new(), |last| format!(", the last {at} {}", count(last)));
        format!("{}{last}", counted(number, noun))
    };
    let damaged = state.damaged.0 - state.encrypted.min(state.damaged.0);
    // The last of all may be an encrypted one.
    let last = state.damaged.1.filter(|_| state.encrypted == 0);
    if damaged > 0 {
        add("damaged", many((damaged, last), "damaged message", "is message"));
    }
    if state.encrypted > 0 {
        let read = "encrypted by the producer and not read (--key-file gives the key)";
        add("encrypted", format!("{} {read}", counted(state.encrypted, "message")));
    }
    if state.gaps.0 > 0 {
        add("gaps", many(state.gaps, "gap", "before message"));
    }
    for bad in &state.unreadable {
        add("unreadable", bad.clone());
    }
    let (free, reserve) = state.disk;
    if free < reserve {
        let [free, reserve] = [free, reserve].map(|bytes| count(bytes >> 20));
        add("disk", format!("{free} MiB left, less than the reserve of {reserve} MiB"));
    }
    for run in &standing.runs {
        let at = run.target.as_deref().unwrap_or("the target");
        for wrong in &run.wrong {
            add("run", format!("{} at {at}: {}", run.run.name, words::text(wrong)));
        }
    }
    all
}
