//! Runs cases one after the other, each with a bound on its time, and looks at the memory of all.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Result;

/// How long CI looks for something.
const IN_CI: Duration = Duration::from_secs(3);
/// A case takes milliseconds; one that takes this long does not end.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the process may take of memory at its height, where it is looked at: a frame of 513 MiB is
/// lawful, and two tests may have one.
const MEMORY: u64 = 1280 << 20;

/// Tells which case it was, where one fails by a panic.
struct Case(&'static str, u64);

impl Drop for Case {
    #[allow(clippy::print_stderr, reason = "the message of the panic does not tell it")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{} {} (BINSYNC_TEST_FUZZ_CASE) failed", self.0, self.1);
        }
    }
}

/// Runs cases for as long as wanted; `case` gets the number of each.
#[allow(clippy::print_stderr, reason = "a long run is asked how far it came")]
pub(super) fn cases(what: &'static str, mut case: impl FnMut(u64) -> Result<()>) {
    let wanted = std::env::var("BINSYNC_TEST_FUZZ").ok().map(|seconds| {
        Duration::from_secs(seconds.parse().expect("BINSYNC_TEST_FUZZ is a number of seconds"))
    });
    let one = std::env::var("BINSYNC_TEST_FUZZ_CASE").ok();
    let one: Option<u64> = one.map(|n| n.parse().expect("BINSYNC_TEST_FUZZ_CASE is a number"));
    let first = one.unwrap_or_else(|| if wanted.is_some() { fastrand::u64(..1 << 48) } else { 0 });
    let under_way = Arc::new(AtomicU64::new(first));
    let over = Arc::downgrade(&under_way);
    thread::spawn(move || {
        let (mut seen, mut since) = (u64::MAX, Instant::now());
        while let Some(number) = over.upgrade().map(|n| n.load(Ordering::Relaxed)) {
            if number != seen {
                (seen, since) = (number, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                eprintln!("{what} {number} (BINSYNC_TEST_FUZZ_CASE) does not end");
                // A loop cannot be ended otherwise.
                std::process::abort();
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let begun = Instant::now();
    let mut done = 0;
    while done == 0 || (one.is_none() && begun.elapsed() < wanted.unwrap_or(IN_CI)) {
        let number = first + done;
        under_way.store(number, Ordering::Relaxed);
        let told = Case(what, number);
        case(number).unwrap_or_else(|e| panic!("{e}"));
        if let Some(most) = wanted.and_then(|_| most_memory()) {
            assert!(most < MEMORY, "{} MiB", most >> 20);
        }
        drop(told);
        done += 1;
    }
    drop(under_way);
    eprintln!("{what}: {done} cases from {first} in {:?}", begun.elapsed());
}

/// The most memory that the process has had, in bytes, where the system tells.
fn most_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok().map(|kib: u64| kib << 10)
}
