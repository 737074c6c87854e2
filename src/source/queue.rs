//! What is asked of a queue and what comes out of it, without the client that speaks to it.
//!
//! Also the two sums that go with it: how many messages may be out without an ack, and how long
//! to wait before the next try. No socket, no clock.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::Records;
use crate::error::Error;

/// The most messages that are out without an ack; quorum queues refuse more.
pub const MAX_PREFETCH: u16 = 2000;
/// The most bytes that are out without an ack, by the mean size of the messages seen.
const MAX_UNACKED_BYTES: u64 = 32 << 20;
/// Prefetch while no size is known yet: few, as each may be tens of MiB.
const FIRST_PREFETCH: u16 = 16;
/// A mean is taken over about this many messages.
const MEAN_OVER: u64 = 2 * MAX_PREFETCH as u64;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Which queue, where, and how.
#[derive(Clone)]
pub struct Config {
    /// `amqp://user:password@host:port/vhost`; never shown.
    pub url: String,
    /// Takes the place of the URL's password.
    pub password: Option<String>,
    /// The queue.
    pub queue: String,
    /// Makes the queue and its bindings instead of asking for it to be there.
    pub declare: Option<Declare>,
    /// False for a queue whose own settings admit one consumer at a time already.
    pub exclusive: bool,
    /// True when a failure of the first connection too is a passing one.
    pub patient: bool,
    /// The messages stored last: number and bytes.
    pub sizes: Sizes,
}

/// A queue to make.
#[derive(Clone)]
pub struct Declare {
    /// `x-queue-type`.
    pub kind: String,
    /// Exchange and routing key of each binding.
    pub bindings: Vec<(String, String)>,
}

/// What the queue's thread reports.
pub enum Event {
    /// Connected; the first time or again.
    Connected,
    /// Messages, in the queue's order.
    Messages(Messages),
    /// The connection is gone, or could not be had: why, and the pause before the next try.
    Lost(Error, Duration),
    /// The first connection was refused.
    Failed(Error),
    /// After a stop: everything received has been handed out.
    Ended,
}

/// A run of messages of one session; their tags are `first_tag`, `first_tag + 1`, …
pub struct Messages {
    /// The session they came in; tags are valid in it only.
    pub session: u32,
    /// Delivery tag of the first.
    pub first_tag: u64,
    /// Their bytes.
    pub records: Records,
    /// Which of them the broker had handed out before.
    pub redelivered: Vec<bool>,
    /// True when the broker sends no more before an ack.
    pub window_full: bool,
}

/// Number and bytes of the messages seen last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Sizes {
    /// Counts further messages; older ones count less and less.
    pub fn add(&mut self, records: &Records) {
        self.count += records.len() as u64;
        self.bytes += records.bytes.len() as u64;
        if self.count > MEAN_OVER {
            self.count /= 2;
            self.bytes /= 2;
        }
    }

    /// How many messages of this size may be out without an ack.
    pub fn prefetch(self) -> u16 {
        if self.count == 0 {
            return FIRST_PREFETCH;
        }
        let mean = (self.bytes / self.count).max(1);
        (MAX_UNACKED_BYTES / mean).clamp(1, u64::from(MAX_PREFETCH)) as u16
    }

    /// Another prefetch than the present one, when it is off by more than small change.
    pub fn better_than(self, present: u16) -> Option<u16> {
        let wanted = self.prefetch();
        let too_many = wanted < present - present / 4;
        let too_few = wanted > present && (wanted == MAX_PREFETCH || wanted >= present * 2);
        (too_many || too_few).then_some(wanted)
    }
}

/// The pause before try number `failures` + 1: doubled each time up to half a minute, and not
/// the same in every process, so that a restarted broker is not met by all at once.
pub fn pause(failures: u32) -> Duration {
    let longest = Duration::from_millis(250 << failures.min(10)).min(LONGEST_PAUSE);
    // A new hasher's keys are random; that is all the randomness wanted here.
    let part = RandomState::new().hash_one(failures) % 256;
    longest.mul_f64(0.5 + part as f64 / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(count: u64, bytes: u64) -> Sizes {
        Sizes { count, bytes }
    }

    #[test]
    fn prefetch_times_mean_size_stays_under_32_mib() {
        assert_eq!(sizes(0, 0).prefetch(), FIRST_PREFETCH);
        assert_eq!(sizes(10, 0).prefetch(), 2000);
        assert_eq!(sizes(1000, 457_000).prefetch(), 2000);
        assert_eq!(sizes(4, 4 << 20).prefetch(), 32);
        assert_eq!(sizes(3, 60 << 20).prefetch(), 1);
        assert_eq!(sizes(1, 200 << 20).prefetch(), 1);
    }

    #[test]
    fn prefetch_changes_only_when_it_matters() {
        assert_eq!(sizes(32, 32 * 457).better_than(64), Some(2000));
        assert_eq!(sizes(1000, 457_000).better_than(2000), None);
        assert_eq!(sizes(10, 10 << 20).better_than(2000), Some(32));
        assert_eq!(sizes(10, 10 << 20).better_than(40), None);
        assert_eq!(sizes(10, 100 << 20).better_than(1), Some(3));
        assert_eq!(sizes(10, 200 << 20).better_than(1), None);
    }

    #[test]
    fn pauses_grow_to_half_a_minute() {
        for failures in 0..100 {
            let longest = (0.25 * f64::from(1 << failures.min(10))).min(30.0);
            let pause = pause(failures).as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&pause), "{failures}: {pause}");
        }
    }
}
