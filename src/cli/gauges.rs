//! What a run that goes on for long counts, for whoever watches it from another thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::notify::notify;

/// Counts since the start of the process.
#[derive(Debug, Default)]
pub struct Gauges {
    messages: AtomicU64,
    bytes: AtomicU64,
    passed: AtomicU64,
    /// Where the run stands; 0: not known yet.
    reached: AtomicU64,
    /// When the source did what was applied last, seconds since 1970; 0: not known yet.
    ts: AtomicI64,
    /// Queues, or the target, and whether there is a connection.
    connections: Mutex<BTreeMap<String, bool>>,
    ready: AtomicBool,
}

/// What they were at a moment.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Messages stored, or applied.
    pub messages: u64,
    /// Bytes of the messages stored.
    pub bytes: u64,
    /// Redelivered messages that were in the spool already.
    pub passed: u64,
    /// The message that is to be applied next.
    pub reached: Option<u64>,
    /// When the source did what was applied last, seconds since 1970.
    pub ts: Option<i64>,
    /// Whether there is a connection, by queue.
    pub connections: BTreeMap<String, bool>,
}

impl Gauges {
    /// So many messages and bytes were stored.
    pub fn stored(&self, messages: u64, bytes: u64) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many redelivered messages were in the spool already.
    pub fn passed(&self, messages: u64) {
        self.passed.fetch_add(messages, Ordering::Relaxed);
    }

    /// All before `seq` is applied; `ts` is when the source did the last of it.
    pub fn reached(&self, seq: u64, ts: Option<i64>) {
        let before = self.reached.swap(seq, Ordering::Relaxed);
        if before > 0 {
            self.messages.fetch_add(seq.saturating_sub(before), Ordering::Relaxed);
        }
        if let Some(ts) = ts {
            self.ts.store(ts, Ordering::Relaxed);
        }
    }

    /// There is a connection to a queue, or there is none any more. The first time there are all, the
    /// service manager is told that the run is ready.
    pub fn connected(&self, to: &str, is: bool) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.insert(to.to_owned(), is);
        let ready = connections.values().all(|is| *is);
        drop(connections);
        if ready && !self.ready.swap(true, Ordering::Relaxed) {
            notify("READY=1");
        }
    }

    /// What they are now.
    pub fn now(&self) -> Counted {
        let ts = self.ts.load(Ordering::Relaxed);
        let reached = self.reached.load(Ordering::Relaxed);
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        Counted {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            passed: self.passed.load(Ordering::Relaxed),
            reached: (reached > 0).then_some(reached),
            ts: (ts != 0).then_some(ts),
            connections: connections.clone(),
        }
    }
}
