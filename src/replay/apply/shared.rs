//! What the workers of a pass share, and whose turn it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::execute::Executor;
use super::job::{Job, OnDdl};
use super::reader::Reader;
use super::statements::{Met, Statements};
use crate::error::{Error, Means, Result};
use crate::event::Direction;
use crate::replay::binder::{Binder, Tables};
use crate::spool::Seq;

/// Two workers: one writes while the other reads and plans.
pub(super) const WORKERS: usize = 2;

/// What the workers share.
pub(super) struct Pass<'p, 's> {
    pub(super) job: &'p Job<'s>,
    pub(super) binder: Binder<'s>,
    pub(super) ddl: Statements,
    pub(super) reader: Mutex<(Reader<'p>, u64)>,
    pub(super) executor: Mutex<Executor<'p, 's>>,
    /// The number of the window whose turn it is.
    pub(super) turn: Mutex<u64>,
    pub(super) turned: Condvar,
    pub(super) tables: Mutex<Tables>,
    pub(super) chunk: u32,
    /// Changes are written as they are; not those of a window that was planned otherwise.
    pub(super) serial: bool,
    pub(super) ended: AtomicBool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A worker that panicked has ended the pass; what it held is only looked at once more.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'p, 's> Pass<'p, 's> {
    /// Runs a worker's part; when it fails, the others end too.
    pub(super) fn or_end(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let done = work();
        if done.is_err() {
            let _turn = lock(&self.turn);
            self.ended.store(true, Ordering::Relaxed);
            self.turned.notify_all();
        }
        done
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(super) fn next_turn(&self) {
        *lock(&self.turn) += 1;
        self.turned.notify_all();
    }

    pub(super) fn direction(&self) -> Direction {
        self.job.run.direction
    }

    /// Waits until the windows before this one are written; none when the pass has ended.
    pub(super) fn my_turn(&self, number: u64) -> Option<MutexGuard<'_, Executor<'p, 's>>> {
        let mut turn = lock(&self.turn);
        while *turn != number {
            if self.is_ended() {
                return None;
            }
            turn = self.turned.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        drop(turn);
        Some(lock(&self.executor))
    }

    pub(super) fn ddl(&self, executor: &mut Executor<'_, '_>, seq: Seq) -> Result<()> {
        match (self.ddl.get(&seq), self.job.how.on_ddl) {
            (None, _) => executor.pass_over(seq, false),
            (Some(Met::Left(told)), OnDdl::Stop) => Err(Error::stopped(format!(
                "a statement is next\n  {}",
                told.place()
            ))
            .help((
                "run it at the target yourself and go on with {} skip, or let it run with {} apply",
                [Means::Ddl, Means::Ddl],
            ))),
            (Some(Met::Left(_)), _) => executor.pass_over(seq, true),
            (Some(Met::Run(statement)), _) => {
                executor.ddl(statement)?;
                lock(&self.tables).clear();
                Ok(())
            }
            (Some(Met::ByHand(told, why, next)), _) => {
                executor.by_hand(told, why, next)?;
                lock(&self.tables).clear();
                Ok(())
            }
        }
    }
}
