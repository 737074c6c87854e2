//! The producer while its source is at work.

use super::{Producer, binlog::Tail, definitions::Schema, session, values::Decoder};
use crate::support::{amqp, servers::Server};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

/// Publishes what a source does as it does it, from its start to its end.
pub struct Live {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The queue it publishes to.
    pub queue: String,
}

impl Live {
    /// `takes` says which messages are published: the rest is what Maxwell's `filter` leaves out.
    pub fn start(server: &Server, takes: fn(&str) -> bool) -> Live {
        let file = Producer::new(server).file;
        let (path, mut session) = (server.data_dir().join(&file), session(server));
        let mut tail = Tail::new(path, file, Schema::read(&mut session));
        let queue = amqp::broker("live");
        let (name, stop) = (queue.name.clone(), Arc::new(AtomicBool::new(false)));
        let halt = stop.clone();
        let thread = spawn(move || {
            let mut decoder = Decoder { session: &mut session, converted: HashMap::new() };
            while !halt.load(Ordering::Relaxed) {
                let lines = tail.more(&mut decoder);
                let taken = lines.lines().filter(|line| takes(line));
                queue.publish(taken.map(str::as_bytes));
                if lines.is_empty() {
                    sleep(Duration::from_millis(5));
                }
            }
        });
        Live { stop, thread: Some(thread), queue: name }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(
            std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()),
            "it broke down"
        );
    }
}
