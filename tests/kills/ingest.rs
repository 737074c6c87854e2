//! kill -9 of what fills the spool.

use super::{Delays, Interruption, interrupted, rounds, wanted};
use crate::{
    capture::publish,
    support::{Running, Spool, broker, recording, running::was_killed},
};
use std::fs;

/// The most bytes the segments held so far: a torn tail that is cut off again is no progress.
fn stored_bytes(spool: &Spool) -> impl FnMut() -> Option<u64> {
    let mut most = 0;
    move || {
        let entries = fs::read_dir(spool.path()).into_iter().flatten().flatten();
        let segments =
            entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "zst"));
        let lengths = segments.filter_map(|entry| entry.metadata().ok()).map(|known| known.len());
        most = most.max(lengths.sum());
        Some(most)
    }
}

#[test]
fn a_killed_import_goes_on_where_it_stopped() {
    let mut delays = Delays::up_to(40);
    let file = recording("mariadb-sysbench");
    let bytes = fs::read(&file).unwrap();
    rounds("kills of import", wanted(3).min(20), |most| {
        let spool = Spool::new();
        let run = || spool.command(["import", file.to_str().unwrap()]);
        let mut interruption = Interruption { strike: &mut Running::kill, may_end: was_killed };
        let counted = interrupted(run, most, &mut delays, stored_bytes(&spool), &mut interruption);
        assert!(spool.stored() == bytes, "the segments differ from the imported file");
        counted
    });
}

#[test]
fn a_killed_capture_stores_every_message_once() {
    let mut delays = Delays::up_to(60);
    rounds("kills of capture", wanted(3), |most| {
        let (queue, spool) = (broker("kills"), Spool::new());
        let stream = publish(&queue, "mariadb-restarts");
        let run = || spool.capture_command(&queue, ["--exit-when-idle", "1s"]);
        let mut interruption = Interruption { strike: &mut Running::kill, may_end: was_killed };
        let counted = interrupted(run, most, &mut delays, stored_bytes(&spool), &mut interruption);
        assert_eq!(queue.ready(), 0);
        assert!(spool.stored() == stream, "lost, doubled or reordered by a kill");
        counted
    });
}
