//! What two workers use in turns.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::error::{Error, Result};

/// One worker's end: it gets the thing from the other worker and passes it on. A worker that ends
/// drops its end, and the other one gets nothing any more.
pub(super) struct Relay<T> {
    from: Receiver<T>,
    to: SyncSender<T>,
}

impl<T> Relay<T> {
    /// The ends of two workers, of which the first has the thing first.
    pub(super) fn between(thing: T) -> [Self; 2] {
        let (to_second, second) = sync_channel(1);
        let (to_first, first) = sync_channel(1);
        let ends = [Self { from: first, to: to_second }, Self { from: second, to: to_first }];
        ends[1].pass(thing);
        ends
    }

    /// Waits for the thing; `None` when the other worker has ended and not passed it on.
    pub(super) fn take(&self) -> Option<T> {
        self.from.recv().ok()
    }

    /// Passes the thing on. Nobody needs it where the other worker has ended.
    pub(super) fn pass(&self, thing: T) {
        let _ = self.to.send(thing);
    }
}

/// Has two workers do the same, each with its own ends.
///
/// # Errors
/// That of the worker that failed: the other one only finds that it ended.
pub(super) fn both<E: Send, R: Send>(
    ends: [E; 2],
    work: impl Fn(E) -> Result<R> + Sync,
) -> Result<[R; 2]> {
    let [first, second] = thread::scope(|scope| {
        let work = &work;
        let workers = ends.map(|ends| scope.spawn(move || work(ends)));
        workers.map(|w| w.join().unwrap_or_else(|_| Err(Error::failed("a worker panicked"))))
    });
    Ok([first?, second?])
}
