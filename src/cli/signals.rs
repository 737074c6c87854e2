//! What a signal does: a command that has something to end in good order is told, any other ends
//! with a word, nothing of its progress left on the screen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::thread;

use indicatif::ProgressBar;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{STOPPED, line};
use crate::error::{Context as _, Result};

/// A command has asked to be told.
static TOLD: AtomicBool = AtomicBool::new(false);

/// A flag that SIGINT, SIGTERM and a hangup raise. The second signal ends the process at once.
///
/// # Errors
/// When the system refuses.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in ending() {
        let at_once = i32::from(STOPPED);
        signal_hook::flag::register_conditional_shutdown(signal, at_once, flag.clone())
            .and_then(|_| signal_hook::flag::register(signal, flag.clone()))
            .context("cannot listen for signals")?;
    }
    TOLD.store(true, Ordering::Relaxed);
    Ok(flag)
}

/// Until a command asks for [`stop_flag`]: takes the bar off the screen when a signal comes, and
/// ends the process.
pub(super) fn watch(bar: ProgressBar) {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        // Without it a signal ends the process all the same, only not as neatly.
        let Ok(mut signals) = Signals::new(ending()) else { return };
        thread::spawn(move || {
            for _ in signals.forever() {
                if !TOLD.load(Ordering::Relaxed) {
                    bar.finish_and_clear();
                    line("stopped by a signal");
                    std::process::exit(STOPPED.into());
                }
            }
        });
    });
}

/// The signals that end a command; a hangup does not where it was told to outlive the terminal
/// (nohup).
fn ending() -> Vec<i32> {
    let ignored = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = ignored.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let heard = |signal: &i32| *signal != SIGHUP || mask & (1 << (SIGHUP - 1)) == 0;
    [SIGINT, SIGTERM, SIGHUP].into_iter().filter(heard).collect()
}
